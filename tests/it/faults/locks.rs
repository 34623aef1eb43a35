//! Lock files of processes that are gone, or that let go late.

use std::{fs, path::PathBuf};

use ::plans::event::Event;
use tests::Scenario;

use super::{PLAN, REPO, RESULT, held, let_go, resumes, says_what_to_do, scenario};

fn git_dir(s: &Scenario) -> PathBuf {
    s.repository().path().join(".git")
}

fn attempt(s: &Scenario) -> PathBuf {
    s.root().join("cache/inspan/worktrees").join(s.run_id()).join("a/1")
}

#[test]
fn locks_in_the_persons_checkout_are_no_affair_of_a_run() {
    let s = scenario();
    for lock in ["index.lock", "HEAD.lock", "config.lock"] {
        fs::write(git_dir(&s).join(lock), "").expect("a file can be written");
    }
    s.run_plan(PLAN, &[]).code(0);
    assert_eq!(s.result(), RESULT);
    for lock in ["index.lock", "HEAD.lock", "config.lock"] {
        assert!(git_dir(&s).join(lock).exists(), "{lock} is not ours to remove");
    }
}

#[test]
fn a_lock_on_all_refs_does_not_keep_a_run_from_its_end() {
    let s = scenario();
    fs::write(git_dir(&s).join("packed-refs.lock"), "").expect("a file can be written");
    s.run_plan(PLAN, &[]).code(0);
    assert_eq!(s.result(), RESULT);
}

#[test]
fn a_lease_that_a_dead_process_left_is_taken_over() {
    let s = scenario();
    held(&s).kill();
    let_go(&s);
    fs::write(s.run_folder().join("lease"), "1 run").expect("it is ours");
    s.inspan(&["status"]).code(0).prints("interrupted");
    resumes(&s);
    assert_eq!(s.result(), RESULT);
}

#[test]
fn a_lock_on_the_run_branch_that_stays_halts_the_run_and_is_named() {
    let s = scenario();
    let alive = held(&s);
    let lock = git_dir(&s).join(format!("refs/heads/inspan/{}.lock", s.run_id()));
    fs::write(&lock, "").expect("a file can be written");
    let_go(&s);
    says_what_to_do(alive.wait(), ".lock is there", "inspan resume").says("remove that file");
    assert!(lock.exists(), "nobody knows whose it is");
    fs::remove_file(&lock).expect("it is there");
    resumes(&s);
    assert_eq!(s.result(), RESULT);
}

#[test]
fn a_lock_on_the_run_branch_that_goes_is_waited_for() {
    let s = scenario();
    let alive = held(&s);
    let lock = git_dir(&s).join(format!("refs/heads/inspan/{}.lock", s.run_id()));
    fs::write(&lock, "").expect("a file can be written");
    let_go(&s);
    s.wait_until(|event| matches!(event, Event::GatePassed { .. }));
    fs::remove_file(&lock).expect("it is there");
    alive.wait().code(0);
    assert_eq!(s.result(), RESULT);
}

#[test]
fn locks_in_an_attempts_own_records_are_those_of_dead_processes() {
    let s = scenario();
    let alive = held(&s);
    for lock in ["index.lock", "base.index.lock", "repository/index.lock", "repository/HEAD.lock", "repository/config.lock"] {
        fs::write(attempt(&s).join(lock), "").expect("a file can be written");
    }
    let_go(&s);
    alive.wait().code(0);
    assert_eq!(s.result(), RESULT);
}

#[test]
fn a_result_is_applied_once_nobody_holds_the_index_and_before_that_nothing_is_changed() {
    let s = scenario();
    s.run_plan(PLAN, &[]).code(0);
    for lock in ["index.lock", "HEAD.lock", "refs/heads/main.lock"] {
        let lock = git_dir(&s).join(lock);
        fs::write(&lock, "").expect("a file can be written");
        let before = s.repository().git(&["rev-parse", "HEAD"]);
        says_what_to_do(s.inspan(&["apply"]), ".lock is there", "apply again").says("nothing was changed");
        assert_eq!(s.repository().git(&["rev-parse", "HEAD"]), before);
        assert!(!s.repository().path().join("a.txt").exists());
        fs::remove_file(&lock).expect("it is there");
    }
    s.inspan(&["apply"]).code(0);
    assert_eq!(s.repository().files_at("HEAD"), RESULT);
    assert!(REPO.contains(&s.repository().read("README")));
}
