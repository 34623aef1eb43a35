//! What is owed after each step of a run, told in the language of `story`.

mod edits;
mod landings;
mod orders;

use expect_test::expect;
use shared::{Attempt, AttemptKey, Glob, TaskId};

use super::{
    story::{announce, check, commit, plan, started},
    *,
};
use crate::event::{Approver, Author, Event, TaskEnd};

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
            landed c        land a b
            landed a
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
fn a_plan_that_nobody_approved_is_reviewed_again_after_a_resume() {
    let mut state = RunState::begin(&started(Settings::default())).unwrap();
    let plan = Box::new(plan("a"));
    state.apply(&Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() }).unwrap();
    state.apply(&Event::CancelRequested).unwrap();
    while !state.owed().is_empty() {
        for owed in state.owed() {
            for event in announce(&state, &owed) {
                state.apply(&event).unwrap();
            }
        }
    }
    state.apply(&Event::RunResumed { settings: Settings::default(), worked_s: 0, only: Vec::new() }).unwrap();
    assert_eq!(state.owed(), [Owed::Review { revision: 1 }]);
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
        Event::AttemptStarted { key: key.clone(), base: commit("base"), continues: None, content: String::new() },
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
        "done a, halt, put-back a, stopped b, resumed",
        &expect![[r#"
            -               start a #1, start b #1
            done a          land a
            halt
            put-back a
            stopped b       halt: no disk
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
    let ask = |path: &str| state.widened(&TaskId::new("a").unwrap(), &[Glob::new(path).unwrap()], Widening::Owned).is_ok();
    assert!(ask("Cargo.toml"));
    assert!(ask("c/x.rs"), "c starts only after a has landed");
    assert!(!ask("b/x.rs"));
    assert!(!ask("**"));
}
