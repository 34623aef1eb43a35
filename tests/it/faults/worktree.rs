//! Worktrees that somebody deletes or replaces, while a worker is at work in them and between two processes.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tests::Scenario;

use super::{RESULT, held, let_go, resumes, scenario};

/// Something that is done to the folder of an attempt.
type Harm = fn(&Path);

/// What is done, in words.
const HARMS: [(&str, Harm); 7] = [
    ("all of it is gone", |folder| fs::remove_dir_all(folder).expect("it is there")),
    ("its files are gone", |folder| fs::remove_dir_all(folder.join("tree")).expect("it is there")),
    ("its .git is gone", |folder| fs::remove_file(folder.join("tree/.git")).expect("it is there")),
    ("its repository is gone", |folder| fs::remove_dir_all(folder.join("repository")).expect("it is there")),
    ("its index is garbage", |folder| fs::write(folder.join("index"), "garbage").expect("it is ours")),
    ("its record is garbage", |folder| fs::write(folder.join("owner.json"), "{").expect("it is ours")),
    ("its files are a link to elsewhere", |folder| {
        fs::rename(folder.join("tree"), folder.join("was tree")).expect("it is there");
        symlink(elsewhere(folder), folder.join("tree")).expect("a link can be made");
    }),
];

/// A folder of the person's, as seen from that of an attempt.
fn elsewhere(attempt: &Path) -> PathBuf {
    attempt.ancestors().find(|folder| folder.join("mein Projekt").is_dir()).expect("it is in a scenario").join("elsewhere")
}

fn attempt(s: &Scenario) -> PathBuf {
    s.root().join("cache/inspan/worktrees").join(s.run_id()).join("a/1")
}

/// A scenario with something precious beside it.
fn with_something_precious() -> Scenario {
    let s = scenario();
    fs::create_dir(s.root().join("elsewhere")).expect("it is new");
    fs::write(s.root().join("elsewhere/precious"), "mine").expect("a file can be written");
    s
}

#[track_caller]
fn assert_nothing_precious_is_harmed(s: &Scenario, harm: &str) {
    let mut names: Vec<_> =
        fs::read_dir(s.root().join("elsewhere")).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, ["precious"], "{harm}");
    assert_eq!(fs::read_to_string(s.root().join("elsewhere/precious")).expect("it is there"), "mine", "{harm}");
}

#[test]
fn a_worktree_that_is_harmed_while_a_worker_is_at_work_costs_an_attempt_at_most() {
    for (harm, strike) in HARMS {
        let s = with_something_precious();
        let alive = held(&s);
        strike(&attempt(&s));
        let_go(&s);
        let out = alive.wait();
        assert!(!out.all().contains("panicked"), "{harm}: {}", out.all());
        assert!([0, 1, 3].contains(&out.code), "{harm}: {}", out.all());
        if out.code != 0 {
            assert!(out.stderr.contains("inspan resume"), "{harm}: {}", out.all());
            let resumed = s.inspan(&["resume", "--yes"]);
            assert_eq!(resumed.code, 0, "{harm}: {}\n{}", out.all(), resumed.all());
        }
        assert_eq!(s.result(), RESULT, "{harm}");
        assert_nothing_precious_is_harmed(&s, harm);
    }
}

#[test]
fn a_worktree_that_is_harmed_between_two_processes_is_made_anew() {
    for (harm, strike) in HARMS {
        let s = with_something_precious();
        held(&s).kill();
        let_go(&s);
        strike(&attempt(&s));
        let out = s.inspan(&["resume", "--yes"]);
        assert!(!out.all().contains("panicked"), "{harm}: {}", out.all());
        if out.code != 0 {
            assert!(out.stderr.contains("inspan resume"), "{harm}: {}", out.all());
            resumes(&s);
        }
        assert_eq!(s.result(), RESULT, "{harm}");
        assert_nothing_precious_is_harmed(&s, harm);
    }
}
