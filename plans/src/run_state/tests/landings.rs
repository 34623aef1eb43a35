//! Batches, clashes and what is red from the beginning.

use expect_test::expect;
use shared::{Attempt, AttemptKey, TaskId};

use super::super::{
    story::{check, check_with, commit, plan, red, started},
    *,
};
use crate::event::{Approver, Author, Event};

#[test]
fn all_that_has_finished_lands_as_one_batch_in_the_order_of_finishing() {
    check(
        "a; b; c; d",
        4,
        "done b, done d, done a, landed b, done c, red d, landed a, landed c",
        &expect![[r#"
            -               start a #1, start b #1, start c #1, start d #1
            done b          land b
            done d
            done a
            landed b        land d a
            done c
            red d
            landed a        land c
            landed c        re-plan 1 for d
        "#]],
    );
}

#[test]
fn a_batch_holds_no_more_than_it_may() {
    let settings = Settings { workers: 5, batch: 2, ..Settings::default() };
    check_with(
        settings,
        "a; b; c; d; e",
        "done a, done b, done c, done d, done e, landed a, landed b",
        &expect![[r#"
        -               start a #1, start b #1, start c #1, start d #1, start e #1
        done a          land a
        done b
        done c
        done d
        done e
        landed a        land b c
        landed b
    "#]],
    );
}

#[test]
fn a_batch_that_is_put_back_is_taken_up_in_its_order_before_what_finished_later() {
    check(
        "a; b; c; d",
        4,
        "done a, done b, landed a, done c, done d, put-back b",
        &expect![[r#"
        -               start a #1, start b #1, start c #1, start d #1
        done a          land a
        done b
        landed a        land b
        done c
        done d
        put-back b      land b c d
    "#]],
    );
}

#[test]
fn a_clash_blames_nobody_and_comes_to_the_planner_when_the_same_two_clash_again() {
    check(
        "a; b",
        2,
        "done a, landed a, done b, clash b a, done b, clash b a, revised b",
        &expect![[r#"
            -               start a #1, start b #1
            done a          land a
            landed a
            done b          land b
            clash b a       start b #2 after conflict of #1
            done b          land b
            clash b a       re-plan 1 for b
            revised b       start b #3
        "#]],
    );
}

#[test]
fn the_base_is_proved_before_anything_starts() {
    check(
        "gate; a; b <- a",
        2,
        "base, done a, landed a, done b, landed b",
        &expect![[r#"
        -               prove the base
        base            start a #1
        done a          land a
        landed a        start b #1
        done b          land b
        landed b        end the run as complete
    "#]],
    );
}

#[test]
fn a_base_whose_proof_broke_off_is_proved_by_the_next_process() {
    check(
        "gate; a",
        2,
        "halt, resumed, base, done a, landed a",
        &expect![[r#"
        -               prove the base
        halt            halt: no disk
        resumed         prove the base
        base            start a #1
        done a          land a
        landed a        end the run as complete
    "#]],
    );
}

#[test]
fn what_was_red_on_the_base_and_still_is_leaves_the_run_incomplete_though_everything_landed() {
    check(
        "gate; a; b",
        2,
        "base make lint, done a, landed a mending lint, done b, landed b",
        &expect![[r#"
        -               prove the base
        base make lint  start a #1, start b #1
        done a          land a
        landed a mending lint
        done b          land b
        landed b        end the run as incomplete
    "#]],
    );
}

#[test]
fn what_was_red_on_the_base_and_is_mended_leaves_a_complete_run() {
    check(
        "gate; a; b",
        2,
        "base make, done a, landed a, done b, landed b mending make",
        &expect![[r#"
            -               prove the base
            base make       start a #1, start b #1
            done a          land a
            landed a
            done b          land b
            landed b mending make end the run as complete
        "#]],
    );
}

#[test]
fn a_clash_puts_an_order_into_the_plan_and_the_evidence_names_the_pair() {
    let mut state = RunState::begin(&started(Settings { conflict_attempts: 1, ..Settings::default() })).unwrap();
    let plan = Box::new(plan("a; b"));
    let key = |task: &str| AttemptKey { task: TaskId::new(task).unwrap(), attempt: Attempt(1) };
    let done = |task: &str| {
        let report = shared::Report { summary: format!("{task} is done"), ..shared::Report::default() };
        Event::AttemptEnded { key: key(task), commit: Some(commit(task)), outcome: shared::Outcome::Done { report } }
    };
    let (onto, with, verdict) = (commit("a"), TaskId::new("a").unwrap(), red("make"));
    for event in [
        Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() },
        Event::PlanApproved { revision: 1, by: Approver::Policy },
        Event::AttemptStarted { key: key("a"), base: commit("base"), continues: None, content: String::new() },
        Event::AttemptStarted { key: key("b"), base: commit("base"), continues: None, content: String::new() },
        done("a"),
        done("b"),
        Event::LandingStarted { key: key("a"), onto: commit("base") },
        Event::LandingStarted { key: key("b"), onto: commit("base") },
        Event::GatePassed { key: key("a"), onto: commit("base"), commit: commit("a"), mended: Vec::new() },
        Event::TaskLanded { key: key("a"), commit: commit("a") },
        Event::TasksClashed { key: key("b"), onto, with, verdict },
    ] {
        state.apply(&event).unwrap();
    }
    assert_eq!(state.plan().unwrap().get(&key("b").task).unwrap().depends_on, [key("a").task]);
    assert_eq!(state.task(&key("b").task).unwrap().tries, 0);
    expect![[r#"
        Tasks:
        - `a` is landed: a is done
        - `b` is in trouble

        ## `b` is in trouble: red together
        green alone, red together with a: gate: `make` exit 1
        What was tried:
        - attempt 1: green alone, red together with a: gate: `make` exit 1 (signature 3a494768e455cb2a)
        What `a` hands on: a is done
        What `b` hands on: b is done
        What fits:
        - where both mean to change one thing, `merge` what has not landed into one joint task, or `rewrite` this one to build on the other's work
        - where the other has landed, `add` a task that brings the two together and `order` it before this one
    "#]]
    .assert_eq(&crate::evidence::account(&state));
}
