//! `clean`: what nobody needs goes, and nothing else.

use std::fs;

use tests::Scenario;

fn done() -> Scenario {
    let s = Scenario::new("## README\nhello\n");
    s.run_plan("a | write a.txt | run echo a > a.txt", &[]).code(0);
    s
}

fn all_refs(s: &Scenario) -> Vec<String> {
    s.repository().refs("refs")
}

#[test]
fn a_dry_run_says_what_would_go_and_keeps_it() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    let refs = all_refs(&s);
    s.inspan(&["clean", &s.run_id(), "--dry-run"]).code(0).says("Would remove run");
    assert_eq!(all_refs(&s), refs);
    assert!(s.run_folder().exists());
}

#[test]
fn without_a_name_only_worktrees_go() {
    let s = done();
    let refs = all_refs(&s);
    s.inspan(&["clean"]).code(0);
    assert_eq!(all_refs(&s), refs);
    let left = s.root().join("cache/inspan/worktrees");
    let left: Vec<_> =
        fs::read_dir(left).map(|all| all.map(|entry| entry.expect("readable").path()).collect()).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_run_that_was_applied_goes_with_all_that_belongs_to_it() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    s.inspan(&["clean", &s.run_id()]).code(0);
    assert_eq!(all_refs(&s), ["refs/heads/main"]);
    assert!(s.runs().is_empty());
    assert_eq!(s.repository().read("a.txt"), "a\n");
}

#[test]
fn a_result_that_is_in_no_branch_is_kept_unless_it_is_given_up() {
    let s = done();
    let refs = all_refs(&s);
    s.inspan(&["clean", &s.run_id()]).code(1).says("--give-up");
    assert_eq!(all_refs(&s), refs);
    s.inspan(&["clean", &s.run_id(), "--give-up"]).code(0);
    assert_eq!(all_refs(&s), ["refs/heads/main"]);
}

/// The lines of the list, which are data.
fn listed(s: &Scenario, args: &[&str]) -> String {
    s.inspan(args).code(0).stdout
}

#[test]
fn what_a_dry_run_lists_is_what_goes_line_by_line() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    s.run_plan("b | write b.txt | run echo b > b.txt; exit 3", &[]).code(3);
    let before = listed(&s, &["clean", "--dry-run"]);
    assert_eq!(listed(&s, &["clean", "--yes"]), before);
    let verbs: Vec<&str> = before.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(verbs, ["remove", "keep"], "{before}");
    assert!(before.contains("holds what attempts left that did not land"), "{before}");
    assert_eq!(s.runs().len(), 1);
    assert_eq!(s.attempts(), ["b/1", "b/2"]);
}

#[test]
fn whole_runs_go_only_with_consent_and_at_a_terminal_it_is_asked_for() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    s.inspan(&["clean"]).code(0).says("inspan clean --yes");
    assert_eq!(s.runs().len(), 1);
    for (answer, left) in [("n", 1), ("y", 0)] {
        let mut terminal = s.terminal(&["clean"]);
        terminal.wait_for("[y]es", 1).type_line(answer);
        assert_eq!(terminal.end(), 0);
        assert_eq!(s.runs().len(), left, "{answer}");
    }
    assert_eq!(all_refs(&s), ["refs/heads/main"]);
}

#[test]
fn a_damaged_run_is_listed_and_kept_until_it_is_given_up() {
    let s = done();
    let run = s.run_id();
    fs::write(s.run_folder().join("journal.db"), "no database").expect("it is ours");
    let listed = listed(&s, &["clean", "--yes"]);
    assert!(listed.contains("its journal cannot be read") && listed.starts_with("keep"), "{listed}");
    s.inspan(&["clean", &run, "--give-up"]).code(0).says("Kept the branch");
    assert!(s.runs().is_empty());
}

#[test]
fn a_clean_that_was_cut_short_is_finished_by_the_next() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    let folder = s.run_folder();
    fs::rename(&folder, folder.with_extension("going")).expect("it is ours");
    s.inspan(&["clean"]).code(0).prints("an earlier clean");
    assert_eq!(all_refs(&s), ["refs/heads/main"]);
    assert!(s.runs().is_empty());
}

#[test]
fn a_run_branch_with_commits_of_the_persons_outlives_its_run() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    let run = s.run_id();
    let git = |args: &[&str]| s.repository().git(args);
    git(&["switch", "--quiet", &format!("inspan/{run}")]);
    s.repository().write("mine.txt", "mine\n").commit("Mine");
    git(&["switch", "--quiet", "main"]);
    s.inspan(&["clean", &run]).code(0).says("Kept the branch");
    assert_eq!(git(&["log", "-1", "--format=%s", &format!("inspan/{run}")]), "Mine");
}

#[test]
fn a_result_that_was_applied_and_taken_back_is_kept() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    s.repository().git(&["reset", "-q", "--hard", "HEAD~1"]);
    let list = listed(&s, &["clean", "--yes"]);
    assert!(list.contains("has a result that is in no branch of yours"), "{list}");
    s.inspan(&["clean", &s.run_id()]).code(1).says("--give-up");
    s.inspan(&["apply"]).code(0);
    assert!(listed(&s, &["clean", "--yes"]).contains("the result is yours"));
    assert!(s.runs().is_empty());
}

#[test]
fn a_run_that_was_killed_before_its_first_event_is_listed_and_goes_with_its_ref() {
    for has_journal in [true, false] {
        let s = Scenario::new("## README\nhello\n");
        let begin = ["run", "--plan", &s.plan("a | write a.txt | run echo a > a.txt"), "--yes"];
        s.start_with(&begin, &[("INSPAN_CRASH_AT", "1-")]).wait().code(137);
        let folder = fs::read_dir(s.repository().path().join(".git/inspan/runs")).expect("it is there");
        let folder = folder.map(|entry| entry.expect("readable").path()).next().expect("a run was begun");
        if !has_journal {
            for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
                // What is not there need not go.
                let _ = fs::remove_file(folder.join(name));
            }
        }
        assert_eq!(all_refs(&s).len(), 2, "{:?}", all_refs(&s));
        let listed = listed(&s, &["clean"]);
        assert!(listed.starts_with("remove") && listed.contains("before it had begun"), "{listed}");
        assert!(folder.exists(), "nobody has said yes");
        s.inspan(&["clean", "--yes"]).code(0);
        assert!(!folder.exists());
        assert_eq!(all_refs(&s), ["refs/heads/main"]);
    }
}

#[test]
fn an_empty_name_is_no_run() {
    let s = done();
    for command in [&["clean", "", "--give-up"][..], &["apply", ""], &["cancel", ""], &["status", ""]] {
        s.inspan(command).code(2);
    }
    assert_eq!(s.runs().len(), 1);
}
