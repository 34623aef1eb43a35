//! Disks that can only be read.

use tests::{Disks, Scenario};

use super::{PLAN, RESULT, resumes, says_what_to_do, scenario};

fn on_disk(place: &str) -> (Disks, Scenario, std::path::PathBuf) {
    let (disks, s) = (Disks::new(), scenario());
    let place = s.root().join(place);
    let s = disks.around(s);
    disks.read_only(&place);
    (disks, s, place)
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn records_that_cannot_be_written_begin_nothing() {
    for place in ["mein Projekt/.git", "mein Projekt/.git/inspan"] {
        let (disks, s, place) = on_disk(place);
        says_what_to_do(s.run_plan(PLAN, &[]), "Read-only file system", "so that it can be written");
        disks.writable(&place);
        s.run_plan(PLAN, &[]).code(0);
        assert_eq!(s.result(), RESULT);
    }
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn objects_and_refs_that_cannot_be_written_begin_nothing() {
    let refs = ("mein Projekt/.git/refs", "unable to create directory", "ls -ld");
    let objects = ("mein Projekt/.git/objects", "Read-only file system", "so that it can be written");
    for (place, happened, to_do) in [refs, objects] {
        let (disks, s, place) = on_disk(place);
        // What is not committed yet has to be kept.
        s.repository().write("README", "hello\nmine\n");
        says_what_to_do(s.run_plan(PLAN, &[]), happened, to_do);
        disks.writable(&place);
        s.run_plan(PLAN, &[]).code(0);
    }
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn a_cache_folder_that_cannot_be_written_halts_the_run() {
    let (disks, s, place) = on_disk("cache");
    says_what_to_do(s.run_plan(PLAN, &[]), "Read-only file system", "[paths] worktrees").says("inspan resume");
    disks.writable(&place);
    resumes(&s);
    assert_eq!(s.result(), RESULT);
}

#[cfg_attr(without_unshare, ignore = "needs user and mount namespaces")]
#[test]
fn a_run_on_a_disk_that_can_only_be_read_is_looked_at_all_the_same() {
    let (disks, s) = (Disks::new(), scenario());
    let s = disks.around(s);
    s.run_plan(PLAN, &[]).code(0);
    disks.read_only(&s.repository().path().join(".git"));
    s.inspan(&["status"]).code(0).prints("complete");
    s.inspan(&["status", "--all"]).code(0).prints("complete");
    s.inspan(&["log"]).code(0).prints("a landed");
    s.inspan(&["diff"]).code(0).prints("a.txt");
    for command in ["resume", "apply", "clean"] {
        let out = s.inspan(&[command]);
        assert!(out.code != 0 || command == "clean", "{}", out.all());
        assert!(!out.all().contains("panicked"), "{}", out.all());
    }
}
