//! Orders in states: a short story in, what is journaled and said out.

use expect_test::{Expect, expect};
use plans::{
    edit,
    event::{Approver, Author, CommitId, RunStatus, Settings},
    file::parse_toml,
};
use shared::Outcome;

use super::*;
use crate::control::order::{ForTask, Limiting};

const PLAN: &str = r#"
version = 1
goal = "g"
[gate]
commands = ["true"]
[[task]]
id = "alpha"
title = "A"
instructions = "do"
write = ["a"]
[[task]]
id = "beta"
title = "B"
write = ["b"]
depends_on = ["alpha"]
worker = { command = "true" }
"#;

fn commit(name: &str) -> CommitId {
    CommitId(name.repeat(40)[..40].to_owned())
}

fn key(attempt: u32) -> AttemptKey {
    AttemptKey { task: TaskId::new("alpha").unwrap(), attempt: Attempt(attempt) }
}

fn started(attempt: u32) -> Event {
    Event::AttemptStarted { key: key(attempt), base: commit("b"), continues: None, content: String::new() }
}

fn failed(attempt: u32) -> Event {
    Event::AttemptEnded { key: key(attempt), commit: Some(commit("c")), outcome: Outcome::Failed { why: "red".to_owned() } }
}

fn state(more: &[Event]) -> RunState {
    let settings = Settings { planner: false, ..Settings::default() };
    let (base, head) = (commit("b"), commit("b"));
    let first = Event::RunStarted { goal: "g".to_owned(), base, head, snapshot: false, settings, program: String::new() };
    let mut state = RunState::begin(&first).unwrap();
    let plan = Box::new(parse_toml(PLAN).unwrap());
    let proposed = Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() };
    let approved = Event::PlanApproved { revision: 1, by: Approver::Policy };
    [proposed, approved, Event::BaseProved { red: Vec::new() }].iter().chain(more).for_each(|event| state.apply(event).unwrap());
    state
}

fn means<'a>(carried: bool, edit: &'a Editing<'a>) -> Means<'a> {
    Means { run: "r", carried, planner: false, worked: Duration::from_secs(601), edit, taken: 5 << 20, unpriced: None }
}

fn said(order: &Order, state: &RunState, carried: bool) -> String {
    let edit = |plan: &Plan, edits: &[PlanEdit]| edit::apply(plan, edits, &state.progress());
    match weigh(order, state, &means(carried, &edit)) {
        Ok(Granted { events, words }) => {
            let mut after = state.clone();
            if let Phase::Over(_) = state.phase() {
                let settings = state.settings().clone();
                after.apply(&Event::RunResumed { settings, worked_s: 0, only: Vec::new() }).unwrap();
            }
            for event in &events {
                after.apply(event).expect("what is granted folds");
            }
            words
        }
        Err(Refused { what, hint }) => format!("no: {what} [{hint}]"),
    }
}

fn check(orders: &[Order], state: &RunState, carried: bool, expected: &Expect) {
    let all: Vec<String> = orders.iter().map(|order| said(order, state, carried)).collect();
    expected.assert_eq(&all.join("\n"));
}

fn named(task: &str) -> [Order; 4] {
    let task = task.to_owned();
    [
        Order::Steer { task: task.clone(), text: "w".to_owned() },
        Order::Cancel { task: Some(task.clone()) },
        Order::Retry { task: task.clone(), from: None, limits: None },
        Order::Skip { task },
    ]
}

#[test]
fn orders_to_a_task_at_work_say_what_happens_now() {
    let state = state(&[started(1)]);
    check(
        &named("alpha"),
        &state,
        true,
        &expect![[r#"
        Whoever is at `alpha` hears it at its next turn, and so does every later attempt.
        `alpha` is being stopped; what it has done is kept as refs/inspan/r/alpha/1. With it go beta, which wait for it; `inspan skip` would have let them go on without it.
        `alpha` is tried again with all its attempts. Attempt 1 is being stopped; what it has done is kept.
        `alpha` is taken out of the plan of run r. alpha #1 is being stopped; what it has done is kept. beta no longer waits for it."#]],
    );
    check(
        &named("alpha")[..1],
        &state,
        false,
        &expect![
            "Whoever is at `alpha` hears it at its next turn, and so does every later attempt. No process carries the run: `inspan resume r` carries it out."
        ],
    );
}

#[test]
fn orders_to_nobody_are_refused_and_say_what_to_do() {
    let state = state(&[started(1), failed(1), started(2)]);
    let retry = |from| Order::Retry { task: "alpha".to_owned(), from: Some(from), limits: None };
    let more = [named("alhpa")[0].clone(), named("beta")[0].clone(), retry(1), retry(2), retry(3)];
    let more = more.into_iter().chain([Order::Unpause, Order::Replan { comment: String::new() }]);
    check(
        &more.collect::<Vec<_>>(),
        &state,
        true,
        &expect![[r#"
        no: there is no task `alhpa` in this run; nothing was done [did you mean `alpha`?]
        no: `beta` is done by the command `true`, which hears nobody [`inspan cancel r beta` stops it, `inspan retry r beta` runs it again]
        `alpha` is tried again with all its attempts, from where attempt 1 left off. Attempt 2 is being stopped; what it has done is kept.
        no: attempt 2 at `alpha` is at work [stop it first: `inspan cancel r alpha`; or tell it: `inspan steer r alpha WORDS`]
        no: there is no attempt 3 at `alpha` [these have: 1; `inspan diff r --task alpha --attempt N` shows what]
        no: run r is not paused [`inspan status r` shows how it stands]
        no: run r has no planner [`inspan skip r TASK` and `inspan retry r TASK` need none]"#]],
    );
}

#[test]
fn a_run_that_stops_or_is_over_takes_no_orders() {
    let stopping = state(&[started(1), Event::CancelRequested]);
    check(
        &[Order::Pause, Order::Cancel { task: None }],
        &stopping,
        true,
        &expect![[r#"
        no: run r is being stopped already [wait until it has stopped; `inspan resume r` then goes on]
        no: run r is being stopped already [wait until it has stopped; `inspan resume r` then goes on]"#]],
    );
    let late = state(&[started(1), Event::BudgetReached { why: "time".to_owned(), stop: true, limit: None }]);
    check(
        &[Order::Limits(Limiting { max_minutes: Some(99), ..Limiting::default() })],
        &late,
        true,
        &expect![
            "no: the time of run r is used up, and it is being stopped [wait until it has stopped; `inspan resume r --max-minutes N` then goes on]"
        ],
    );
    let over = state(&[Event::RunEnded { status: RunStatus::Incomplete, tip: commit("b") }]);
    check(
        &named("alpha")[..1],
        &over,
        false,
        &expect![
            "no: run r is over (incomplete); nothing of it is under way [`inspan retry r TASK` or `inspan resume r` takes up what did not land]"
        ],
    );
    assert!(said(&named("alpha")[2], &over, false).contains("is tried again"));
}

#[test]
fn limits_are_raised_and_never_fall_below_what_is_spent() {
    let state = state(&[started(1)]);
    let limits = |change: fn(&mut Limiting)| {
        let mut limiting = Limiting::default();
        change(&mut limiting);
        Order::Limits(limiting)
    };
    let orders = [
        limits(|limits| (limits.max_cost, limits.workers) = (Some(2.5), Some(8))),
        limits(|limits| limits.max_minutes = Some(10)),
        limits(|limits| limits.max_cost = Some(-1.0)),
        limits(|limits| limits.attempts = Some(0)),
        limits(|limits| limits.replans = Some(3)),
        limits(|_| {}),
        limits(|limits| limits.task = Some(ForTask { task: "alpha".to_owned(), turns: Some(99), ..ForTask::default() })),
        limits(|limits| limits.task = Some(ForTask { task: "alpha".to_owned(), ..ForTask::default() })),
    ];
    check(
        &orders,
        &state,
        true,
        &expect![[r#"
        Run r may take from now on: $2.50, 8 workers at once.
        no: 10 minutes is too little: the run has taken 11 minutes already; nothing was changed [name more; to end it, cancel it]
        no: -1 is no amount of dollars; nothing was changed [such as 2.50]
        no: 0 attempts at a task is too little: at least 1 is needed; nothing was changed [name more]
        no: run r has no planner, so there are no re-plans []
        no: no limit was named; nothing was changed [such as `inspan limits --max-cost 5 --workers 8`]
        Each attempt at `alpha` may take 99 turns, 30 minutes; the one that is at work has that at once.
        no: that changes nothing: each attempt at `alpha` may take 80 turns, 30 minutes [name --turns, --tokens, --cost or --minutes]"#]],
    );
}

#[test]
fn a_task_is_tried_again_with_other_limits_also_when_the_run_is_over() {
    let over = state(&[started(1), failed(1), Event::RunEnded { status: RunStatus::Incomplete, tip: commit("b") }]);
    let more = |turns| ForTask { task: "alpha".to_owned(), turns, ..ForTask::default() };
    let retry = |turns| Order::Retry { task: "alpha".to_owned(), from: None, limits: Some(more(turns)) };
    let of_task = Order::Limits(Limiting { task: Some(more(Some(200))), ..Limiting::default() });
    check(
        &[retry(Some(200)), retry(Some(0)), of_task],
        &over,
        false,
        &expect![[r#"
        `alpha` is tried again with all its attempts. Each may take 200 turns, 30 minutes. No process carries the run: `inspan resume r` carries it out.
        no: 0 turns is too little: at least 1 is needed; nothing was changed [name more]
        no: run r is over (incomplete); nothing of it is under way [`inspan retry r TASK` with `--turns N`, `--tokens N`, `--cost USD` or `--minutes N` tries it again with more]"#]],
    );
    let edit = |plan: &Plan, edits: &[PlanEdit]| edit::apply(plan, edits, &over.progress());
    let events = weigh(&retry(Some(200)), &over, &means(false, &edit)).unwrap().events;
    let [Event::PlanRevised { plan, fresh, dropped, .. }, Event::RetryRequested { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(plan.tasks()[0].limits.turns, Some(200));
    assert!(fresh.is_empty() && dropped.is_empty());
}

#[test]
fn a_budget_that_is_reached_is_named_with_its_flag() {
    let reached = |limit, stop| Event::BudgetReached { why: "so much".to_owned(), stop, limit };
    let retry = [named("alpha")[2].clone()];
    check(
        &retry,
        &state(&[started(1), reached(Some(RunLimit::Disk), false)]),
        true,
        &expect![
            "no: nothing new begins in run r, for its budget is reached: so much [raise it first: `inspan limits r` with `--max-disk MB`]"
        ],
    );
    check(
        &retry,
        &state(&[started(1), reached(None, false)]),
        true,
        &expect![
            "no: nothing new begins in run r, for its budget is reached: so much [raise it first: `inspan limits r` with `--max-tokens N` or `--max-cost USD` or `--max-minutes N` or `--max-disk MB`]"
        ],
    );
    check(
        &retry,
        &state(&[started(1), reached(Some(RunLimit::Disk), true)]),
        true,
        &expect![
            "no: the room on the disk of run r is used up, and it is being stopped [wait until it has stopped; `inspan resume r --max-disk MB` then goes on]"
        ],
    );
    let disk = |max_disk| Order::Limits(Limiting { max_disk: Some(max_disk), ..Limiting::default() });
    check(
        &[disk(5), disk(64)],
        &state(&[started(1)]),
        true,
        &expect![[r#"
        no: 5 MiB of disk is too little: the run takes 5 MiB already; nothing was changed [name more; to end it, cancel it]
        Run r may take from now on: 64 MiB of disk."#]],
    );
}
