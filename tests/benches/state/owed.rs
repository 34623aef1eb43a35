//! What is owed, asked after every event of a run, in a plan of 10,000 tasks (target: 10 ms).

use criterion::{BatchSize, Criterion};
use plans::{
    Plan,
    event::{Event, Settings},
    run_state::{Owed, RunState},
};
use shared::{Attempt, AttemptKey, Outcome, Report};

use crate::{
    plan::{Shape, draft, plan},
    play::{approved, commit},
};

const TASKS: usize = 10_000;

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10,000 tasks");
    let draft = draft(TASKS, Shape::Window, &mut fastrand::Rng::with_seed(1));
    group.bench_function("Plan::new", |bencher| bencher.iter_batched(|| draft.clone(), Plan::new, BatchSize::LargeInput));
    let plans = [Shape::Window, Shape::Free].map(|shape| plan(TASKS, shape, &mut fastrand::Rng::with_seed(1)));
    for (name, plan, landed, starts) in [
        ("nothing landed", &plans[0], 0, Some(8)),
        ("half landed", &plans[0], TASKS / 2, Some(8)),
        ("all but one landed", &plans[0], TASKS - 1, Some(1)),
        ("nothing landed and all ready", &plans[1], 0, Some(8)),
        ("half landed and the run cancelled", &plans[0], TASKS / 2, None),
    ] {
        let mut state = after(plan, landed);
        if starts.is_none() {
            state.apply(&Event::CancelRequested).expect("a run may be cancelled");
        }
        let owed = state.owed();
        let expected = starts.unwrap_or(TASKS - landed);
        assert_eq!(owed.len(), expected, "{name}");
        assert!(starts.is_none() || owed.iter().all(|owed| matches!(owed, Owed::Start { .. })), "{name}");
        group.bench_function(format!("owed, {name}"), |bencher| bencher.iter(|| state.owed()));
    }
    group.finish();
}

/// The state once so many tasks have landed, one after another.
fn after(plan: &Plan, landed: usize) -> RunState {
    let (mut state, _) = approved(plan, Settings { workers: 8, ..Settings::default() });
    for &at in &plan.topological()[..landed] {
        let key = AttemptKey { task: plan.tasks()[at].id.clone(), attempt: Attempt(1) };
        let (onto, made) = (state.tip().clone(), commit(at as u64 + 1));
        let outcome = Outcome::Done { report: Report::default() };
        for event in [
            Event::AttemptStarted { key: key.clone(), base: onto.clone(), continues: None, content: String::new() },
            Event::AttemptEnded { key: key.clone(), commit: Some(made.clone()), outcome },
            Event::LandingStarted { key: key.clone(), onto: onto.clone() },
            Event::GatePassed { key: key.clone(), onto, commit: made.clone(), mended: Vec::new() },
            Event::TaskLanded { key, commit: made },
        ] {
            state.apply(&event).expect("it starts, ends and lands");
        }
    }
    state
}
