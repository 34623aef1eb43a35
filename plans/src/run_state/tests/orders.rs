//! What is owed after a person's orders.

use expect_test::expect;

use super::super::story::check;

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
    check(
        "a; b; c",
        1,
        "workers 2, over-budget, done a, landed a, workers 2",
        &expect![[r#"
        -               start a #1
        workers 2       start b #1
        over-budget
        done a          land a
        landed a
        workers 2       start c #1
    "#]],
    );
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
