//! What is owed after a person's orders.

use expect_test::expect;
use shared::{Attempt, TaskId};

use super::super::{
    RunState,
    story::{check, check_with, plan, started, tell},
};
use crate::event::{Approver, Author, Event, Settings};

#[test]
fn while_a_person_holds_the_run_nothing_begins_and_then_everything_does() {
    check(
        "a; b <- a; c",
        2,
        "pause, done a, unpause, landed a, pause, cancel",
        &expect![[r#"
        -               start a #1, start c #1
        pause
        done a
        unpause         land a
        landed a        start b #1
        pause
        cancel          stop b #1, stop c #1
    "#]],
    );
}

#[test]
fn a_task_that_a_person_gives_up_is_stopped_and_takes_its_dependents_along() {
    check(
        "a; b <- a; c",
        2,
        "give-up a, stopped a, done c, landed c",
        &expect![[r#"
        -               start a #1, start c #1
        give-up a       stop a #1
        stopped a       end a as cancelled, end b as dropped
        done c          land c
        landed c        end the run as incomplete
    "#]],
    );
}

#[test]
fn what_finished_and_is_given_up_does_not_land() {
    check(
        "a; b",
        2,
        "done b, done a, give-up a, landed b",
        &expect![[r#"
        -               start a #1, start b #1
        done b          land b
        done a
        give-up a       end a as cancelled
        landed b        end the run as incomplete
    "#]],
    );
}

#[test]
fn a_task_that_is_tried_again_by_order_goes_on_where_it_is_told_to() {
    check(
        "a; b <- a",
        2,
        "fails a, retry a from 1, stopped a, done a, landed a",
        &expect![[r#"
        -               start a #1
        fails a         start a #2
        retry a from 1  stop a #2
        stopped a       start a #3 from #1
        done a          land a
        landed a        start b #1
    "#]],
    );
    check(
        "a; b <- a; c",
        1,
        "blocked a, no-replan, no-replan, no-replan, done c, landed c",
        &expect![[r#"
        -               start a #1
        blocked a       start c #1, re-plan 1 for a
        no-replan
        no-replan
        no-replan
        done c          land c
        landed c        re-plan 2 for a
    "#]],
    );
}

#[test]
fn a_retry_brings_back_what_ended_only_because_its_task_did() {
    check(
        "a; b <- a; c",
        2,
        "give-up a, stopped a, retry a, done a, landed a",
        &expect![[r#"
        -               start a #1, start c #1
        give-up a       stop a #1
        stopped a       end a as cancelled, end b as dropped
        retry a         start a #2
        done a          land a
        landed a        start b #1
    "#]],
    );
}

#[test]
fn a_replan_by_order_waits_for_nothing_and_costs_none_of_the_runs_own() {
    check(
        "a; b",
        1,
        "replan-now split it, no-replan, blocked a, no-replan, no-replan, no-replan",
        &expect![[r#"
        -               start a #1
        replan-now split it re-plan 1 for  as wanted: split it
        no-replan
        blocked a       start b #1, re-plan 2 for a
        no-replan
        no-replan
        no-replan
    "#]],
    );
}

#[test]
fn more_workers_start_at_once_and_a_raised_limit_lets_an_exhausted_run_go_on() {
    let run_limits = shared::Limits { tokens: Some(9), cost: Some(shared::Money { nano_usd: 9 }), ..shared::Limits::default() };
    check_with(
        Settings { workers: 1, run_limits, ..Settings::default() },
        "a; b; c; d",
        "workers 2, over-budget tokens, done a, landed a, workers 3, tokens 9, tokens 10",
        &expect![[r#"
            -               start a #1
            workers 2       start b #1
            over-budget tokens
            done a          land a
            landed a
            workers 3
            tokens 9
            tokens 10       start c #1, start d #1
        "#]],
    );
}

#[test]
fn what_a_person_gave_up_and_what_waits_for_it_stays_ended_until_they_name_it() {
    check(
        "a; b <- a; c",
        2,
        "give-up a, stopped a, blocked c, no-replan, no-replan, no-replan, resumed, done c, landed c, resumed, resumed a, done a, landed a",
        &expect![[r#"
            -               start a #1, start c #1
            give-up a       stop a #1
            stopped a       end a as cancelled, end b as dropped
            blocked c       re-plan 1 for c
            no-replan       re-plan 2 for c
            no-replan       re-plan 3 for c
            no-replan       end c as failed, end the run as incomplete
            resumed         start c #2
            done c          land c
            landed c        end the run as incomplete
            resumed         end the run as incomplete
            resumed a       start a #1 where #1 was
            done a          land a
            landed a        start b #1
        "#]],
    );
    check(
        "a; b <- a",
        2,
        "give-up b, blocked a, no-replan, no-replan, no-replan, resumed a",
        &expect![[r#"
        -               start a #1
        give-up b       end b as cancelled
        blocked a       re-plan 1 for a
        no-replan       re-plan 2 for a
        no-replan       re-plan 3 for a
        no-replan       end a as failed, end the run as incomplete
        resumed a       start a #2
    "#]],
    );
}

#[test]
fn a_task_that_a_person_has_tried_again_has_all_its_attempts_again() {
    check(
        "a",
        1,
        "fails a, fails a, retry a, fails a, fails a, revised a, fails a",
        &expect![[r#"
        -               start a #1
        fails a         start a #2
        fails a         re-plan 1 for a
        retry a         start a #3
        fails a         start a #4
        fails a
        revised a       start a #5
        fails a         re-plan 2 for a
    "#]],
    );
}

#[test]
fn a_re_plan_that_money_cuts_off_is_owed_again_once_there_is_more() {
    let run_limits = shared::Limits { tokens: Some(9), ..shared::Limits::default() };
    check_with(
        Settings { workers: 1, replans: 1, run_limits, ..Settings::default() },
        "a; b",
        "blocked a, cut-off, over-budget tokens, tokens 10, done b, landed b",
        &expect![[r#"
            -               start a #1
            blocked a       start b #1, re-plan 1 for a
            cut-off
            over-budget tokens
            tokens 10
            done b          land b
            landed b        re-plan 1 for a
        "#]],
    );
}

#[test]
fn an_endpoint_that_only_an_unwanted_attempt_lacks_halts_nobody() {
    check(
        "a; b",
        2,
        "give-up a, unavailable a, done b",
        &expect![[r#"
            -               start a #1, start b #1
            give-up a       stop a #1
            unavailable a   end a as cancelled
            done b          land b
        "#]],
    );
    check(
        "a; b",
        2,
        "dropped a, unavailable a, done b",
        &expect![[r#"
            -               start a #1, start b #1
            dropped a       stop a #1
            unavailable a
            done b          land b
        "#]],
    );
    check(
        "a; b",
        2,
        "unavailable a, done b",
        &expect![[r#"
            -               start a #1, start b #1
            unavailable a
            done b          halt: no endpoint
        "#]],
    );
}

#[test]
fn a_task_that_a_person_skips_says_so_whatever_comes_after() {
    let mut story = String::new();
    let state = tell(Settings::default(), "a; b; c", "skipped a, dropped b, stopped a", &mut story);
    let why = |id: &str| state.gone().iter().find(|record| record.id.as_str() == id).unwrap().why.clone();
    assert_eq!((why("a").as_str(), why("b").as_str()), ("a person skipped it", "a re-plan removed it"));
}

#[test]
fn the_end_says_why_a_task_had_fewer_attempts_than_it_might() {
    let settings = Settings { attempts: 5, planner: false, ..Settings::default() };
    let state = tell(settings.clone(), "a", "fails a, fails a", &mut String::new());
    expect!["broke: broke; that was the same end twice, so it was not tried once more as it is, although it had attempts left"]
        .assert_eq(&state.tasks()[0].why);
    let state = tell(Settings { attempts: 2, ..settings }, "a", "fails a, fails a", &mut String::new());
    expect!["broke: broke"].assert_eq(&state.tasks()[0].why);
}

#[test]
fn what_had_finished_when_the_run_was_stopped_is_taken_and_not_done_again() {
    check(
        "a; b",
        2,
        "done b, done a, cancel, put-back b, resumed, landed b",
        &expect![[r#"
        -               start a #1, start b #1
        done b          land b
        done a
        cancel
        put-back b      end a as cancelled, end b as cancelled, end the run as cancelled
        resumed         start a #2, start b #2, land a b
        landed b
    "#]],
    );
}

#[test]
fn a_run_that_is_reopened_for_one_task_tries_only_that_and_what_waits_for_it() {
    check(
        "a; b <- a; c",
        2,
        "blocked a, blocked c, no-replan, no-replan, no-replan, resumed a, done a, landed a",
        &expect![[r#"
        -               start a #1, start c #1
        blocked a       re-plan 1 for a
        blocked c
        no-replan       re-plan 2 for a c
        no-replan       re-plan 3 for a c
        no-replan       end a as failed, end c as failed, end b as dropped, end the run as incomplete
        resumed a       start a #2
        done a          land a
        landed a        start b #1
    "#]],
    );
}

#[test]
fn what_an_attempt_finishes_that_nobody_wants_any_more_is_not_taken() {
    check(
        "a",
        1,
        "retry a, done a, done a, landed a",
        &expect![[r#"
        -               start a #1
        retry a         stop a #1
        done a          start a #2
        done a          land a
        landed a        end the run as complete
    "#]],
    );
}

#[test]
fn an_attempt_that_nobody_wants_any_more_costs_no_try() {
    check(
        "a",
        1,
        "retry a, fails a, fails a, fails a",
        &expect![[r#"
        -               start a #1
        retry a         stop a #1
        fails a         start a #2
        fails a         start a #3
        fails a         re-plan 1 for a
    "#]],
    );
}

#[test]
fn a_wish_that_is_said_while_the_planner_thinks_is_for_the_next_re_plan() {
    check(
        "a; b",
        2,
        "blocked a, replan-now one, replan-now two, no-replan, no-replan",
        &expect![[r#"
        -               start a #1, start b #1
        blocked a       re-plan 1 for a
        replan-now one
        replan-now two
        no-replan       re-plan 2 for a as wanted: one
        two
        no-replan       re-plan 3 for a
    "#]],
    );
}

#[test]
fn a_re_plan_that_is_cut_off_keeps_its_wish_and_counts_once() {
    check(
        "a; b",
        1,
        "replan-now one, halt, done a, resumed, no-replan, blocked a",
        &expect![[r#"
        -               start a #1
        replan-now one  re-plan 1 for  as wanted: one
        halt
        done a          halt: no disk
        resumed         land a, start b #1, re-plan 1 for  as wanted: one
        no-replan
        blocked a
    "#]],
    );
}

#[test]
fn a_task_in_trouble_waits_for_the_re_plan_that_a_person_wants() {
    let settings = Settings { replans: 0, ..Settings::default() };
    check_with(
        settings,
        "a; b",
        "pause, replan-now one, blocked a, unpause, revised a",
        &expect![[r#"
        -               start a #1, start b #1
        pause
        replan-now one
        blocked a
        unpause         re-plan 1 for a as wanted: one
        revised a       start a #2
    "#]],
    );
}

#[test]
fn an_order_that_makes_no_sense_is_refused_and_leaves_no_mark() {
    let task = |id: &str| TaskId::new(id).unwrap();
    let from = |task: &TaskId, attempt| Event::RetryRequested { task: task.clone(), from: Some(Attempt(attempt)) };
    let refused = |state: &RunState, event: Event| {
        let mut after = state.clone();
        let why = after.apply(&event).unwrap_err().to_string();
        assert_eq!(after, *state, "{event:?}");
        why
    };
    let mut state = RunState::begin(&started(Settings::default())).unwrap();
    let plan = Box::new(plan("a; b"));
    state.apply(&Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() }).unwrap();
    let steered = |id: &str| Event::Steered { task: task(id), text: "quick".to_owned() };
    let early = refused(&state, steered("a"));
    state.apply(&Event::PlanApproved { revision: 1, by: Approver::Policy }).unwrap();
    let all = [
        early,
        refused(&state, steered("c")),
        refused(&state, from(&task("a"), 1)),
        refused(&state, Event::TaskCancelRequested { task: task("c") }),
        refused(&state, Event::RunResumed { settings: Settings::default(), worked_s: 0, only: vec![task("c")] }),
    ];
    expect![[r#"
        the run is Review, where `an order about a task` cannot happen
        task `c` is not in the plan
        there is no attempt a #1
        task `c` is not in the plan
        task `c` is not in the plan"#]]
    .assert_eq(&all.join("\n"));
}
