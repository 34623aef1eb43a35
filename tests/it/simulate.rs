//! Random small plans through the real binary: what the journal says must hold whatever the order of things.
//!
//! The simulation of the pure state, with thousands of orders, is in `plans`; here a few seeds show that the shell around it keeps to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use ::plans::event::{Event, RunStatus};
use fastrand::Rng;
use tests::{Scenario, branch};

/// A task writes its own file, and now and then breaks on its first attempt.
fn random_plan(rng: &mut Rng) -> String {
    let tasks = rng.usize(3..9);
    let mut text = "gate | test ! -e broken\n".to_owned();
    for at in 0..tasks {
        let after: Vec<String> = (0..at).filter(|_| rng.u8(0..3) == 0).map(|other| format!("t{other}")).collect();
        let after = if after.is_empty() { String::new() } else { format!("after {} | ", after.join(" ")) };
        let worker = if rng.u8(0..4) == 0 {
            format!("echo {at} > f{at}; case $INSPAN_ATTEMPT in 1) exit 3;; esac")
        } else {
            format!("echo {at} > f{at}; echo t{at} >> log")
        };
        writeln!(text, "t{at} | {after}write f{at} | shared log | run {worker}").expect("a string takes all");
    }
    text
}

fn check(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let plan = random_plan(&mut rng);
    let workers = rng.usize(1..4);
    let s = Scenario::new("## log\nstart\n").config("[run]\nconflict_attempts = 9");
    let before = s.fingerprint();
    let out = s.run_plan(&plan, &["--workers", &workers.to_string()]);
    assert!(matches!(out.code, 0 | 3), "seed {seed}: {}", out.all());
    invariants(&s, workers).unwrap_or_else(|broken| panic!("seed {seed}: {broken}\n{plan}\n{}", s.history().outline()));
    branch::assert_always_green(&s);
    before.assert_is(&s.fingerprint());
}

fn invariants(s: &Scenario, workers: usize) -> Result<(), String> {
    let (state, history) = (s.state(), s.history());
    let plan = state.plan().ok_or("no plan")?;
    let (mut running, mut landed, mut landing) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut attempts: BTreeMap<String, u32> = BTreeMap::new();
    for event in history.events() {
        match event {
            Event::AttemptStarted { key, .. } => {
                let task = plan.get(&key.task).ok_or("an attempt at nothing")?;
                if let Some(missing) = task.depends_on.iter().find(|id| !landed.contains(*id)) {
                    return Err(format!("{key} started before {missing} had landed"));
                }
                let last = attempts.insert(key.task.to_string(), key.attempt.0).unwrap_or_default();
                if key.attempt.0 != last + 1 {
                    return Err(format!("{key} came after attempt {last}"));
                }
                running.insert(key.clone());
                if running.len() > workers {
                    return Err(format!("{} workers at once", running.len()));
                }
            }
            Event::AttemptEnded { key, .. } => drop(running.remove(key)),
            Event::LandingStarted { key, .. } => drop(landing.insert(key.clone())),
            Event::LandingConflicted { key, .. }
            | Event::LandingRefused { key, .. }
            | Event::TasksClashed { key, .. }
            | Event::LandingPutBack { key, .. } => drop(landing.remove(key)),
            Event::TaskLanded { key, .. } => {
                if !landing.remove(key) {
                    return Err(format!("{key} landed without a landing"));
                }
                landed.insert(key.task.clone());
            }
            _ => {}
        }
    }
    let all = landed.len() == plan.tasks().len();
    let complete = history.events().any(|event| matches!(event, Event::RunEnded { status: RunStatus::Complete, .. }));
    if all == complete && running.is_empty() { Ok(()) } else { Err("its end is not what happened".to_owned()) }
}

#[test]
fn random_plans_keep_the_rules_with_seed_1() {
    check(1);
}

#[test]
fn random_plans_keep_the_rules_with_seed_2() {
    check(2);
}

#[test]
fn random_plans_keep_the_rules_with_seed_3() {
    check(3);
}

#[test]
fn random_plans_keep_the_rules_with_seed_4() {
    check(4);
}
