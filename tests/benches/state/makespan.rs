//! How far the order of work is from the best that any order could do.
//!
//! The scheduler knows what a task is thought to take; what it takes is up to 30 % less or more. No order is faster than the
//! longest path, nor than all the work shared out evenly among the workers: the larger of the two is the lower bound.
//!
//! A bound is no schedule: with layers as wide as there are workers, even the best order stays above it.

#![expect(clippy::print_stdout, reason = "a table of ratios is what this benchmark is for")]

use criterion::Criterion;
use plans::{Plan, event::Settings, schedule};

use crate::{
    plan::{Shape, plan},
    play::{Pace, play},
};

const TASKS: usize = 200;
const WORKERS: u32 = 8;
const SEEDS: u64 = 200;

pub fn bench(criterion: &mut Criterion) {
    println!("Makespan over its lower bound, {TASKS} tasks on {WORKERS} workers, {SEEDS} seeds (target: 1.05)");
    println!("{:<8} {:>8} {:>8} {:>8} {:>8}   with a gate of 2 % of a task", "shape", "mean", "median", "p95", "worst");
    let mut all = Vec::new();
    for shape in Shape::ALL {
        let ratios: Vec<f64> = (0..SEEDS).map(|seed| ratio(shape, seed, 0)).collect();
        let gated: f64 = (0..SEEDS).map(|seed| ratio(shape, seed, 50)).sum::<f64>() / SEEDS as f64;
        println!("{:<8} {}   mean {gated:.4}", format!("{shape:?}").to_lowercase(), row(&ratios));
        all.extend(ratios);
    }
    println!("{:<8} {}\n", "all", row(&all));
    let (plan, pace) = case(Shape::Window, 1, 0);
    criterion.bench_function("simulation of 200 tasks on 8 workers", |bencher| {
        bencher.iter(|| play(&plan, settings(), &pace).makespan);
    });
}

fn row(ratios: &[f64]) -> String {
    let mut sorted = ratios.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let (median, late, worst) = (sorted[sorted.len() / 2], sorted[sorted.len() * 95 / 100], sorted[sorted.len() - 1]);
    format!("{mean:>8.4} {median:>8.4} {late:>8.4} {worst:>8.4}")
}

fn settings() -> Settings {
    Settings { workers: WORKERS, ..Settings::default() }
}

/// A plan, and how long its tasks take. A landing takes a task's mean divided by `landings`, or nothing for 0.
fn case(shape: Shape, seed: u64, landings: u64) -> (Plan, Pace) {
    let mut random = fastrand::Rng::with_seed(seed);
    let plan = plan(TASKS, shape, &mut random);
    let tasks: Vec<u64> = plan.tasks().iter().map(|task| schedule::weight(task) * random.u64(700..=1300)).collect();
    let mean = tasks.iter().sum::<u64>() / TASKS as u64;
    (plan, Pace { landing: mean.checked_div(landings).unwrap_or(0), tasks, ..Pace::default() })
}

fn ratio(shape: Shape, seed: u64, landings: u64) -> f64 {
    let (plan, pace) = case(shape, seed, landings);
    let played = play(&plan, settings(), &pace);
    assert_eq!(played.state.landed().len(), TASKS, "every task lands");
    played.makespan as f64 / lower_bound(&plan, &pace.tasks)
}

fn lower_bound(plan: &Plan, lengths: &[u64]) -> f64 {
    let mut ends = vec![0; lengths.len()];
    for &at in plan.topological() {
        ends[at] = lengths[at] + plan.dependencies(at).map(|before| ends[before]).max().unwrap_or(0);
    }
    let longest = ends.into_iter().max().unwrap_or(0) as f64;
    longest.max(lengths.iter().sum::<u64>() as f64 / f64::from(WORKERS))
}
