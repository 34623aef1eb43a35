//! Journals that do not read: a page overwritten, a file cut short, the log beside it gone or garbage.

use std::{fs, path::Path};

use tests::Scenario;

use super::{PLAN, RESULT, held, says_what_to_do, scenario};

/// A run that ended incomplete: one task has landed, the other has left something.
fn incomplete() -> Scenario {
    let s = scenario();
    let plan = PLAN.replace("echo b > b.txt", "echo half > b.txt; exit 1");
    s.run_plan(&plan, &[]).code(3);
    s
}

/// A run whose process was killed in the middle.
fn killed() -> Scenario {
    let s = scenario();
    held(&s).kill();
    s
}

/// The run is named as damaged, its work can be found without it, and a new run does not mind.
#[track_caller]
fn harms_nobody_else(s: &Scenario) {
    let run = s.run_id();
    for command in ["status", "resume", "apply", "diff"] {
        let out = s.inspan(&[command, &run]);
        let out = says_what_to_do(out, "journal.db", &format!("refs/inspan/{run}/"));
        assert!(out.stderr.contains(&format!("git switch -c NAME inspan/{run}")), "{}", out.all());
    }
    s.inspan(&["log", &run]).code(1).says("journal.db");
    s.inspan(&["status", "--all"]).code(0).prints(&format!("{run}  damaged: ")).prints("journal.db");
    let kept = s.repository().refs(&format!("refs/heads/inspan/{run}"));
    assert_eq!(kept.len(), 1);
    if s.meeting_place().join("hold").exists() {
        super::let_go(s);
    }
    s.run_plan(PLAN, &[]).code(0);
    let all = s.inspan(&["status", "--all"]).code(0).prints("damaged").prints("complete");
    assert_eq!(all.stdout.lines().count(), 2, "{}", all.all());
    s.inspan(&["status"]).code(0).prints("complete");
    s.inspan(&["apply"]).code(0);
    assert_eq!(s.repository().files_at("HEAD"), RESULT);
}

fn journal(s: &Scenario) -> std::path::PathBuf {
    s.run_folder().join("journal.db")
}

fn overwrite(path: &Path, from: usize, length: usize) {
    let mut bytes = fs::read(path).expect("it is there");
    let end = (from + length).min(bytes.len());
    assert!(from < end, "the file has {} bytes", bytes.len());
    bytes[from..end].fill(0xA5);
    fs::write(path, bytes).expect("it is ours");
}

#[test]
fn a_page_in_the_middle_that_is_garbage_costs_what_is_on_it() {
    let s = incomplete();
    overwrite(&journal(&s), 3 * 4096, 4096);
    let log = s.inspan(&["log"]).code(1).prints("do not read");
    assert!(log.stdout.contains("ends as failed") || log.stdout.contains("starts from"), "{}", log.all());
    harms_nobody_else(&s);
}

#[test]
fn a_journal_without_a_head_is_no_database_and_harms_nobody() {
    let s = incomplete();
    overwrite(&journal(&s), 0, 4096);
    harms_nobody_else(&s);
}

#[test]
fn a_journal_that_is_cut_short_is_named() {
    let s = incomplete();
    let length = fs::metadata(journal(&s)).expect("it is there").len();
    fs::OpenOptions::new().write(true).open(journal(&s)).and_then(|file| file.set_len(length / 2)).expect("it is ours");
    harms_nobody_else(&s);
}

#[test]
fn a_killed_run_whose_log_is_gone_is_damaged_and_not_begun_anew() {
    let s = killed();
    let log = s.run_folder().join("journal.db-wal");
    assert!(fs::metadata(&log).expect("the process was killed").len() > 0);
    fs::remove_file(&log).expect("it is ours");
    harms_nobody_else(&s);
}

#[test]
fn a_killed_run_whose_log_is_garbage_is_damaged_and_not_begun_anew() {
    let s = killed();
    let log = s.run_folder().join("journal.db-wal");
    let length = fs::metadata(&log).expect("the process was killed").len();
    overwrite(&log, 0, usize::try_from(length).expect("it is small"));
    harms_nobody_else(&s);
}

#[test]
fn a_journal_that_ends_before_what_its_branch_holds_says_so_and_nothing_that_landed_is_lost() {
    // The first process closes its journal; what the second writes is only in the log beside it.
    let s = scenario();
    let alive = held(&s);
    alive.interrupt();
    alive.wait().code(130);
    fs::remove_file(s.meeting_place().join("reached")).expect("it is there");
    fs::remove_file(s.meeting_place().join("hold")).expect("it is there");
    let alive = s.start(&["resume", "--yes"]);
    s.wait_until(|event| matches!(event, ::plans::event::Event::TaskLanded { .. }));
    alive.kill();
    let branch = format!("refs/heads/inspan/{}", s.run_id());
    let landed = s.repository().git(&["rev-parse", &branch]);
    for name in ["journal.db-wal", "journal.db-shm"] {
        fs::remove_file(s.run_folder().join(name)).expect("the process was killed");
    }
    let out = s.inspan(&["resume", "--yes"]);
    assert!(!out.all().contains("panicked"), "{}", out.all());
    assert!(s.repository().git_can(&["merge-base", "--is-ancestor", &landed, &branch]), "{}", out.all());
    assert!(out.code == 0 || out.stderr.contains(&format!("inspan/{}", s.run_id())), "{}", out.all());
}
