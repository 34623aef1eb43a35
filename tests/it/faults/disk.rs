//! Full disks: from the start, in the middle, when the journal is written, when an attempt is committed.

use std::path::PathBuf;

use tests::{Disks, Repository, Scenario};

use super::{PLAN, REPO, RESULT, held, let_go, resumes, says_what_to_do, scenario};

/// Where what lies.
fn state(s: &Scenario) -> PathBuf {
    s.repository().path().join(".git/inspan")
}

fn worktrees(s: &Scenario) -> PathBuf {
    s.root().join("cache")
}

fn objects(s: &Scenario) -> PathBuf {
    s.repository().path().join(".git/objects")
}

/// The result of the only run, as it is in there.
fn result(disks: &Disks, s: &Scenario) -> String {
    let repository = Repository::at(&disks.look(s.repository().path()));
    let branches = repository.refs("refs/heads/inspan/");
    assert_eq!(branches.len(), 1, "{branches:?}");
    repository.files_at(&branches[0])
}

/// Full from the start: nothing is begun or the run halts; with room it comes to its end.
#[track_caller]
fn full_at_the_start(place: fn(&Scenario) -> PathBuf, kilobytes: u32, happened: &str) {
    let (disks, s) = (Disks::new(), scenario());
    let s = disks.around(s);
    disks.small(&place(&s), kilobytes);
    disks.fill(&place(&s));
    says_what_to_do(s.run_plan(PLAN, &[]), happened, "make room");
    disks.make_room(&place(&s));
    let begun = std::fs::read_dir(disks.look(&state(&s)).join("runs")).is_ok_and(|mut runs| runs.next().is_some());
    if begun {
        resumes(&s);
    } else {
        s.run_plan(PLAN, &[]).code(0);
    }
    assert_eq!(result(&disks, &s), RESULT);
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn a_state_folder_without_room_begins_nothing() {
    full_at_the_start(state, 2_048, "No space left");
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn worktrees_without_room_halt_the_run() {
    full_at_the_start(worktrees, 8_192, "No space left");
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn an_object_store_without_room_is_named() {
    let (disks, s) = (Disks::new(), scenario());
    let s = disks.around(s);
    // A change that is not committed has to be kept before anything begins.
    s.repository().write("README", "hello\nmine\n");
    disks.small(&objects(&s), 2_048);
    disks.fill(&objects(&s));
    says_what_to_do(s.run_plan(PLAN, &[]), "git", "make room");
    disks.make_room(&objects(&s));
    s.run_plan(PLAN, &[]).code(0);
}

/// Full in the middle, when the first task has written: what it wrote stays, and is what lands later.
#[track_caller]
fn full_in_the_middle(place: fn(&Scenario) -> PathBuf, kilobytes: u32) -> (Disks, Scenario) {
    let (disks, s) = (Disks::new(), scenario());
    let s = disks.around(s);
    disks.small(&place(&s), kilobytes);
    let alive = held(&s);
    disks.fill(&place(&s));
    let_go(&s);
    says_what_to_do(alive.wait(), "", "make room").says("inspan resume");
    (disks, s)
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn a_journal_that_cannot_be_written_ends_the_process_and_the_run_goes_on_later() {
    let (disks, s) = full_in_the_middle(state, 2_048);
    s.inspan(&["status"]).code(0).prints("interrupted");
    disks.make_room(&state(&s));
    resumes(&s);
    assert_eq!(result(&disks, &s), RESULT);
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn an_attempt_that_cannot_be_committed_stays_in_its_directory_and_lands_later() {
    let (disks, s) = full_in_the_middle(objects, 2_048);
    let folder = disks.look(&worktrees(&s)).join("inspan/worktrees").join(s.run_id()).join("a/1/tree/a.txt");
    assert_eq!(std::fs::read_to_string(folder).expect("it stays"), "a\n");
    s.inspan(&["status"]).code(0).prints("halted").prints("No space left");
    disks.make_room(&objects(&s));
    resumes(&s);
    assert_eq!(result(&disks, &s), RESULT);
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn worktrees_that_fill_up_halt_the_run_and_it_goes_on_later() {
    let (disks, s) = full_in_the_middle(worktrees, 16_384);
    disks.make_room(&worktrees(&s));
    resumes(&s);
    assert_eq!(result(&disks, &s), RESULT);
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn a_worker_that_fills_the_disk_is_no_reason_to_lose_another_ones_work() {
    let (disks, s) = (Disks::new(), scenario());
    let s = disks.around(s);
    disks.small(&worktrees(&s), 16_384);
    let greedy = "gate | true
        a | write a.txt | run echo a > a.txt
        b | after a | write b.txt | run test ! -e \"$PLACE/greedy\" || exec cat /dev/zero > b.txt; echo b > b.txt";
    let mark = s.meeting_place().join("greedy");
    std::fs::write(&mark, "").expect("a file can be written");
    let out = s.run_plan(greedy, &[]);
    assert!([1, 3].contains(&out.code) && !out.all().contains("panicked"), "{}", out.all());
    assert_eq!(result(&disks, &s), "## README\nhello\n## a.txt\na\n", "{}", out.all());
    std::fs::remove_file(&mark).expect("it is there");
    // What it left could not be committed and stays where it is, so there has to be room elsewhere.
    disks.grow(&worktrees(&s), 65_536);
    resumes(&s);
    assert_eq!(result(&disks, &s), RESULT);
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn with_less_room_than_the_floor_nothing_begins_and_the_run_says_so() {
    for place in [state, worktrees, objects] {
        let disks = Disks::new();
        let s = disks.around(Scenario::new(REPO));
        disks.small(&place(&s), 100_000);
        let out = s.run_plan("a | write a.txt | run echo a > a.txt", &[]);
        says_what_to_do(out, "nothing is begun with less than 512 MiB", "inspan resume");
        s.inspan(&["status"]).code(0).prints("halted");
        let s = s.env("INSPAN_MIN_FREE_MB", "50");
        resumes(&s);
        assert_eq!(result(&disks, &s), "## README\nhello\n## a.txt\na\n");
    }
}
