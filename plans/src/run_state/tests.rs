//! A plan and what happens, as text; what is owed after each step, as a snapshot.
//!
//! Plan: `schema; api <- schema; ui <- schema`. What happens: `done api`, `fails api`, `exhausted api`, `blocked api`, `conflict api`,
//! `red api`, `landed api`, `revised api` (begins anew), `dropped api`, `no-replan`, `cancel`, `over-budget`, `unavailable api`,
//! `stopped api`, `resumed`. Whatever is owed is announced at once, as the dispatcher does.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use shared::{Attempt, AttemptKey, Glob, Limit, Limits, Outcome, Report, Scope, TaskId};

use super::*;
use crate::{
    Gate, Plan, PlanDraft, Task, WorkerKind,
    event::{Approver, Author, Event, Proof, RedVerdict, TaskEnd},
};

pub(super) fn plan(text: &str) -> Plan {
    let task = |line: &str| {
        let (id, after) = line.split_once("<-").unwrap_or((line, ""));
        let id = TaskId::new(id.trim()).unwrap();
        Task {
            title: id.to_string(),
            instructions: String::new(),
            depends_on: after.split_whitespace().map(|id| TaskId::new(id).unwrap()).collect(),
            scope: Scope { write: vec![Glob::new(&format!("{id}/**")).unwrap()], shared: Vec::new() },
            deliver: Vec::new(),
            verify: Vec::new(),
            hand_off: None,
            worker: WorkerKind::Agent,
            limits: Limits::default(),
            id,
        }
    };
    let tasks = text.split(';').map(task).collect();
    Plan::new(PlanDraft { goal: "goal".to_owned(), gate: Gate::default(), tasks }).unwrap()
}

pub(super) fn commit(name: &str) -> CommitId {
    CommitId(name.to_owned())
}

pub(super) fn started(settings: Settings) -> Event {
    Event::RunStarted {
        goal: "goal".to_owned(),
        base: commit("base"),
        head: commit("base"),
        snapshot: false,
        settings,
        program: String::new(),
    }
}

/// The event that announces what is owed, and what is said of it in the snapshot.
pub(super) fn announce(state: &RunState, owed: &Owed) -> Option<Event> {
    Some(match owed.clone() {
        Owed::Start { key, continuation } => {
            Event::AttemptStarted { key, base: state.tip().clone(), continues: continuation.map(Continuation::of) }
        }
        Owed::Land { key, .. } => Event::LandingStarted { key, onto: state.tip().clone() },
        Owed::Replan { number, causes } => Event::ReplanStarted { number, causes },
        Owed::EndTask { task, end, why } => Event::TaskEnded { task, end, why },
        Owed::EndRun { status } => Event::RunEnded { status, tip: state.tip().clone() },
        Owed::Plan | Owed::Review { .. } | Owed::Stop { .. } | Owed::Halt { .. } => return None,
    })
}

fn say(owed: &Owed) -> String {
    match owed {
        Owed::Plan => "plan".to_owned(),
        Owed::Review { .. } => "review".to_owned(),
        Owed::Start { key, continuation: None } => format!("start {key}"),
        Owed::Start { key, continuation: Some(Continuation::AfterConflict(at)) } => {
            format!("start {key} after conflict of #{at}")
        }
        Owed::Start { key, continuation: Some(Continuation::AfterInterruption(at)) } => format!("start {key} where #{at} was"),
        Owed::Stop { key } => format!("stop {key}"),
        Owed::Land { key, .. } => format!("land {}", key.task),
        Owed::Replan { number, causes } => {
            format!("re-plan {number} for {}", causes.iter().map(TaskId::to_string).collect::<Vec<_>>().join(" "))
        }
        Owed::EndTask { task, end, .. } => format!("end {task} as {end}"),
        Owed::Halt { why } => format!("halt: {why}"),
        Owed::EndRun { status } => format!("end the run as {status}"),
    }
}

fn alive(state: &RunState, task: &str) -> AttemptKey {
    let id = TaskId::new(task).unwrap();
    let record = state.tasks().iter().chain(state.gone()).find(|record| record.id == id).unwrap();
    AttemptKey { task: id, attempt: Attempt(record.attempts) }
}

fn happening(state: &RunState, what: &str) -> Vec<Event> {
    let (verb, task) = what.split_once(' ').unwrap_or((what, ""));
    let ended = |outcome| vec![Event::AttemptEnded { key: alive(state, task), commit: Some(commit("left")), outcome }];
    let revised = |text: String, fresh: Vec<TaskId>| {
        let plan = Box::new(plan(&text));
        let (revision, replan) = (state.revision() + 1, Some(state.replans()));
        vec![Event::PlanRevised { revision, replan, plan, fresh, dropped: Vec::new(), difference: String::new() }]
    };
    match verb {
        "done" => ended(Outcome::Done { report: Report::default() }),
        "fails" => ended(Outcome::Failed { why: "broke".to_owned() }),
        "exhausted" => ended(Outcome::Exhausted { limit: Limit::Turns, last: String::new() }),
        "blocked" => ended(Outcome::Blocked { report: Report::default() }),
        "unavailable" => ended(Outcome::Unavailable { why: "no endpoint".to_owned() }),
        "stopped" => ended(Outcome::Cancelled),
        "conflict" => {
            let (key, onto) = (alive(state, task), state.tip().clone());
            vec![Event::LandingConflicted { key, onto, paths: Vec::new(), with: Vec::new(), detail: String::new() }]
        }
        "red" => {
            let (proof, command, ended, output) = (Proof::Gate, "make".to_owned(), "exit 1".to_owned(), String::new());
            let verdict = RedVerdict { proof, command, ended, output, red_before: None };
            vec![Event::LandingRefused { key: alive(state, task), onto: state.tip().clone(), verdict }]
        }
        "put-back" => vec![Event::LandingPutBack { key: alive(state, task), why: String::new() }],
        "landed" => {
            let (key, onto, passed) = (alive(state, task), state.tip().clone(), commit(&format!("{task}-landed")));
            vec![Event::GatePassed { key: key.clone(), onto, commit: passed.clone() }, Event::TaskLanded { key, commit: passed }]
        }
        "revised" => revised(text_of(state, ""), vec![TaskId::new(task).unwrap()]),
        "dropped" => revised(text_of(state, task), Vec::new()),
        "no-replan" => vec![Event::ReplanFailed { number: state.replans(), why: String::new() }],
        "halt" => vec![Event::RunHalted { why: "no disk".to_owned() }],
        "cancel" => vec![Event::CancelRequested],
        "over-budget" => vec![Event::BudgetReached { why: String::new(), stop: false }],
        "out-of-time" => vec![Event::BudgetReached { why: String::new(), stop: true }],
        "resumed" => vec![Event::RunResumed { settings: state.settings().clone() }],
        other => panic!("no such happening: {other}"),
    }
}

/// The plan as text, without one task; whoever depended on it depends on nothing in its place.
fn text_of(state: &RunState, without: &str) -> String {
    let keep = |id: &&TaskId| id.as_str() != without;
    let line = |task: &Task| {
        let after: Vec<&str> = task.depends_on.iter().filter(keep).map(TaskId::as_str).collect();
        format!("{} <- {}", task.id, after.join(" "))
    };
    let tasks = state.plan().unwrap().tasks();
    tasks.iter().filter(|task| keep(&&task.id)).map(line).collect::<Vec<_>>().join("; ")
}

fn check(plan_text: &str, workers: u32, happenings: &str, expected: &Expect) {
    let settings = Settings { workers, ..Settings::default() };
    let mut state = RunState::begin(&started(settings)).unwrap();
    let plan = Box::new(plan(plan_text));
    state.apply(&Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() }).unwrap();
    state.apply(&Event::PlanApproved { revision: 1, by: Approver::Policy }).unwrap();
    let mut story = String::new();
    for what in std::iter::once("-").chain(happenings.split(',').map(str::trim).filter(|what| !what.is_empty())) {
        if what != "-" {
            for event in happening(&state, what) {
                state.apply(&event).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
        }
        let mut said = Vec::new();
        for _ in 0..100 {
            let owed = state.owed();
            said.extend(owed.iter().map(say));
            let announced: Vec<Event> = owed.iter().filter_map(|owed| announce(&state, owed)).collect();
            if announced.is_empty() {
                break;
            }
            for event in &announced {
                state.apply(event).unwrap();
            }
        }
        writeln!(story, "{what:16}{}", said.join(", ")).unwrap();
    }
    let trimmed: Vec<&str> = story.lines().map(str::trim_end).collect();
    expected.assert_eq(&(trimmed.join("\n") + "\n"));
}

#[test]
fn a_join_waits_for_all_its_branches() {
    check(
        "schema; api <- schema; ui <- schema; docs <- api ui",
        2,
        "done schema, landed schema, done ui, landed ui, done api, landed api, done docs, landed docs",
        &expect![[r#"
            -               start schema #1
            done schema     land schema
            landed schema   start api #1, start ui #1
            done ui         land ui
            landed ui
            done api        land api
            landed api      start docs #1
            done docs       land docs
            landed docs     end the run as complete
        "#]],
    );
}

#[test]
fn the_task_with_the_most_work_behind_it_starts_first() {
    check(
        "lone; first; second <- first; third <- second",
        1,
        "done first, landed first",
        &expect![[r#"
        -               start first #1
        done first      land first, start lone #1
        landed first
    "#]],
    );
}

#[test]
fn a_failed_attempt_is_tried_again_then_goes_to_the_planner() {
    check(
        "a; b <- a",
        2,
        "fails a, fails a, revised a, done a, landed a",
        &expect![[r#"
        -               start a #1
        fails a         start a #2
        fails a         re-plan 1 for a
        revised a       start a #3
        done a          land a
        landed a        start b #1
    "#]],
    );
}

#[test]
fn a_blocked_worker_and_a_red_gate_go_to_the_planner_at_once() {
    check(
        "a; b",
        4,
        "blocked a, done b, red b, no-replan, no-replan, no-replan",
        &expect![[r#"
        -               start a #1, start b #1
        blocked a       re-plan 1 for a
        done b          land b
        red b
        no-replan       re-plan 2 for a b
        no-replan       re-plan 3 for a b
        no-replan       end a as failed, end b as failed, end the run as incomplete
    "#]],
    );
}

#[test]
fn without_re_plans_left_what_cannot_land_ends_and_takes_its_dependents_along() {
    check(
        "a; b <- a; c <- b; d",
        1,
        "blocked a, no-replan, no-replan, no-replan, done d, landed d",
        &expect![[r#"
        -               start a #1
        blocked a       start d #1, re-plan 1 for a
        no-replan
        no-replan
        no-replan
        done d          land d
        landed d        re-plan 2 for a
    "#]],
    );
}

#[test]
fn a_conflict_is_tried_again_in_the_same_conversation_three_times() {
    check(
        "a; b",
        2,
        "done a, done b, landed a, conflict b, done b, conflict b, done b, conflict b",
        &expect![[r#"
        -               start a #1, start b #1
        done a          land a
        done b
        landed a        land b
        conflict b      start b #2 after conflict of #1
        done b          land b
        conflict b      start b #3 after conflict of #2
        done b          land b
        conflict b      re-plan 1 for b
    "#]],
    );
}

#[test]
fn landings_are_one_at_a_time_in_the_order_of_finishing() {
    check(
        "a; b; c",
        3,
        "done c, done a, done b, landed c, landed a",
        &expect![[r#"
        -               start a #1, start b #1, start c #1
        done c          land c
        done a
        done b
        landed c        land a
        landed a        land b
    "#]],
    );
}

#[test]
fn cancelling_stops_the_workers_and_then_names_every_end() {
    check(
        "a; b; c <- a",
        2,
        "done a, cancel, landed a, stopped b",
        &expect![[r#"
        -               start a #1, start b #1
        done a          land a
        cancel          stop b #1
        landed a        stop b #1
        stopped b       end b as cancelled, end c as cancelled, end the run as cancelled
    "#]],
    );
}

#[test]
fn over_budget_nothing_starts_and_what_is_finished_still_lands() {
    check(
        "a; b; c <- a",
        2,
        "done a, over-budget, landed a, done b, landed b",
        &expect![[r#"
        -               start a #1, start b #1
        done a          land a
        over-budget
        landed a
        done b          land b
        landed b        end c as cancelled, end the run as over_budget
    "#]],
    );
}

#[test]
fn an_endpoint_that_is_gone_halts_the_run_and_a_resume_goes_on() {
    check(
        "a; b",
        2,
        "unavailable a, stopped b, resumed, done a, landed a, done b, landed b",
        &expect![[r#"
            -               start a #1, start b #1
            unavailable a
            stopped b       halt: no endpoint
            resumed         start a #1 where #1 was, start b #1 where #1 was
            done a          land a
            landed a
            done b          land b
            landed b        end the run as complete
        "#]],
    );
}

#[test]
fn a_resume_takes_up_a_landing_that_was_cut_short_and_a_re_plan_anew() {
    check(
        "a; b",
        1,
        "done a, resumed, landed a, blocked b, resumed, revised b",
        &expect![[r#"
        -               start a #1
        done a          land a, start b #1
        resumed         land a, start b #2
        landed a
        blocked b       re-plan 1 for b
        resumed         re-plan 1 for b
        revised b       start b #3
    "#]],
    );
}

#[test]
fn a_resume_after_the_end_tries_again_what_did_not_land() {
    check(
        "a; b <- a",
        1,
        "cancel, stopped a, resumed, done a, landed a",
        &expect![[r#"
            -               start a #1
            cancel          stop a #1
            stopped a       end a as cancelled, end b as cancelled, end the run as cancelled
            resumed         start a #1 where #1 was
            done a          land a
            landed a        start b #1
        "#]],
    );
}

#[test]
fn a_revision_stops_a_running_task_that_it_renews_or_drops() {
    check(
        "a; b; c",
        3,
        "blocked a, revised b, stopped b, dropped c, stopped c",
        &expect![[r#"
        -               start a #1, start b #1, start c #1
        blocked a       re-plan 1 for a
        revised b       stop b #1, re-plan 2 for a, stop b #1
        stopped b       start b #2
        dropped c       stop c #1, re-plan 3 for a, stop c #1
        stopped c
    "#]],
    );
}

#[test]
fn events_that_cannot_have_happened_are_refused_and_change_nothing() {
    let mut state = RunState::begin(&started(Settings::default())).unwrap();
    let before = state.clone();
    let key = AttemptKey { task: TaskId::new("a").unwrap(), attempt: Attempt(1) };
    for event in [
        started(Settings::default()),
        Event::PlanApproved { revision: 1, by: Approver::Policy },
        Event::AttemptStarted { key: key.clone(), base: commit("base"), continues: None },
        Event::TaskLanded { key, commit: commit("x") },
        Event::TaskEnded { task: TaskId::new("a").unwrap(), end: TaskEnd::Failed, why: String::new() },
    ] {
        assert!(state.apply(&event).is_err(), "{event:?}");
        assert_eq!(state, before);
    }
}

#[test]
fn when_time_is_up_workers_are_stopped() {
    check(
        "a; b <- a",
        1,
        "out-of-time, stopped a",
        &expect![[r#"
        -               start a #1
        out-of-time     stop a #1
        stopped a       end a as cancelled, end b as cancelled, end the run as over_budget
    "#]],
    );
}

#[test]
fn a_landing_that_cannot_be_carried_out_is_not_tried_again_before_a_resume() {
    check(
        "a; b",
        2,
        "done a, put-back a, halt, stopped b, resumed",
        &expect![[r#"
        -               start a #1, start b #1
        done a          land a
        put-back a      land a
        halt
        stopped b
        resumed         land a, start b #1 where #1 was
    "#]],
    );
}

#[test]
fn when_time_is_up_a_landing_is_not_begun_again() {
    check(
        "a; b",
        2,
        "done a, out-of-time, put-back a, stopped b",
        &expect![[r#"
        -               start a #1, start b #1
        done a          land a
        out-of-time     stop b #1
        put-back a      stop b #1
        stopped b       end a as cancelled, end b as cancelled, end the run as over_budget
    "#]],
    );
}

#[test]
fn cancelling_comes_before_a_halt() {
    check(
        "a; b <- a",
        1,
        "unavailable a, cancel",
        &expect![[r#"
        -               start a #1
        unavailable a   halt: no endpoint
        cancel          end a as cancelled, end b as cancelled, end the run as cancelled
    "#]],
    );
}

#[test]
fn a_grant_is_refused_where_a_task_that_may_run_at_the_same_time_owns_the_file() {
    let mut state = RunState::begin(&started(Settings::default())).unwrap();
    let plan = Box::new(plan("a; b; c <- a"));
    state.apply(&Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() }).unwrap();
    let ask = |path: &str| state.widened(&TaskId::new("a").unwrap(), &[Glob::new(path).unwrap()]).is_ok();
    assert!(ask("Cargo.toml"));
    assert!(ask("c/x.rs"), "c starts only after a has landed");
    assert!(!ask("b/x.rs"));
    assert!(!ask("**"));
}
