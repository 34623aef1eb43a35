//! `apply`: the only command that touches the checkout, and never where something could be lost.

use expect_test::expect;
use tests::Scenario;

const REPO: &str = "## README\nhello\n## list.txt\none\n";

/// A complete run that changed one file and made another.
fn done() -> Scenario {
    let s = Scenario::new(REPO);
    s.run_plan(
        "goal | Two files\n a | write a.txt | run echo a > a.txt\n b | after a | write list.txt | run echo two > list.txt",
        &[],
    )
    .code(0);
    s
}

fn log(s: &Scenario) -> String {
    s.repository().git(&["log", "--graph", "--format=%s"])
}

#[track_caller]
fn refused(s: &Scenario, more: &[&str], says: &str) {
    let before = s.fingerprint().as_git_sees_it();
    let mut args = vec!["apply"];
    args.extend(more);
    let out = s.inspan(&args).code(1).says(says);
    assert!(out.stderr.contains("nothing was changed"), "{}", out.all());
    before.assert_is(&s.fingerprint().as_git_sees_it());
}

#[test]
fn where_nothing_has_happened_since_it_is_a_fast_forward() {
    let s = done();
    s.repository().write("mine.txt", "untracked\n");
    s.inspan(&["apply"]).code(0);
    expect![[r#"
        * Do b
        * Do a
        * Start"#]]
    .assert_eq(&log(&s));
    assert_eq!((s.repository().read("list.txt").as_str(), s.repository().read("mine.txt").as_str()), ("two\n", "untracked\n"));
    assert_eq!(s.repository().git(&["status", "--porcelain"]), "?? mine.txt");
}

#[test]
fn where_the_branch_has_moved_on_it_is_a_merge() {
    let s = done();
    s.repository().write("later.txt", "later\n").commit("Later");
    s.inspan(&["apply"]).code(0);
    expect![[r#"
        *   Two files
        |\  
        | * Do b
        | * Do a
        * | Later
        |/  
        * Start"#]]
    .assert_eq(&log(&s));
}

#[test]
fn a_merge_commit_is_made_on_request() {
    let s = done();
    s.inspan(&["apply", "--merge"]).code(0);
    expect![[r#"
        *   Two files
        |\  
        | * Do b
        | * Do a
        |/  
        * Start"#]]
    .assert_eq(&log(&s));
}

#[test]
fn squashed_it_is_one_commit_that_names_goal_and_run() {
    let s = done();
    s.inspan(&["apply", "--squash"]).code(0);
    let message = s.repository().git(&["log", "-1", "--format=%B"]);
    assert!(message.starts_with("Two files\n") && message.ends_with(&format!("Inspan-Run: {}", s.run_id())), "{message}");
    expect![[r#"
        * Two files
        * Start"#]]
    .assert_eq(&log(&s));
    assert_eq!(s.repository().git(&["status", "--porcelain"]), "");
}

#[test]
fn staged_changes_are_never_swept_in() {
    let s = done();
    s.repository().write("mine.txt", "mine\n").git(&["add", "mine.txt"]);
    for how in [&[][..], &["--merge"], &["--squash"]] {
        refused(&s, how, "staged changes");
    }
}

#[test]
fn a_changed_file_is_never_overwritten() {
    let s = done();
    s.repository().write("list.txt", "mine\n");
    for how in [&[][..], &["--merge"], &["--squash"]] {
        refused(&s, how, "list.txt");
    }
}

#[test]
fn an_untracked_file_is_never_overwritten() {
    let s = done();
    s.repository().write("a.txt", "mine\n");
    for how in [&[][..], &["--merge"], &["--squash"]] {
        refused(&s, how, "a.txt");
    }
}

#[test]
fn a_conflict_with_the_branch_is_not_begun() {
    let s = done();
    s.repository().write("list.txt", "mine\n").commit("Mine");
    for how in [&[][..], &["--merge"], &["--squash"]] {
        refused(&s, how, "changed the same lines of list.txt");
    }
}

#[test]
fn twice_is_once_too_often() {
    let s = done();
    s.inspan(&["apply"]).code(0);
    refused(&s, &[], "has this result already");
}

#[test]
fn a_hook_that_fails_cannot_leave_a_result_half_brought_in() {
    for how in ["--squash", "--merge"] {
        let s = done();
        let hook = s.repository().path().join(".git/hooks/commit-msg");
        std::fs::write(&hook, "#!/bin/sh\necho spoiled >> list.txt\nexit 1\n").expect("a hook");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&hook, mode).expect("it is ours");
        s.inspan(&["apply", how]).code(0);
        assert_eq!(s.repository().git(&["status", "--porcelain"]), "");
        assert!(!s.repository().path().join(".git/MERGE_HEAD").exists());
    }
}

#[test]
fn what_landed_of_an_incomplete_run_can_be_had_and_the_rest_is_named() {
    let s = Scenario::new(REPO);
    s.run_plan("a | write a.txt | run echo a > a.txt\n b | write b.txt | run exit 3", &[]).code(3);
    s.inspan(&["apply"]).code(0).says("1 task did not land");
    assert_eq!(s.repository().read("a.txt"), "a\n");
}

#[test]
fn a_run_branch_that_somebody_moved_is_not_applied() {
    let s = done();
    s.repository().git(&["branch", "-f", &format!("inspan/{}", s.run_id()), "main"]);
    refused(&s, &[], "is not where the run left it");
}

#[test]
fn a_run_in_which_nothing_landed_has_nothing_to_apply() {
    let s = Scenario::new(REPO);
    s.run_plan("a | write a.txt | run exit 3", &[]).code(3);
    s.inspan(&["apply"]).code(1).says("nothing of run");
}

#[test]
fn what_of_the_gate_is_red_since_before_the_run_is_said_of_the_merged_tree() {
    let s = Scenario::new(REPO);
    s.run_plan("gate | true | grep -q nosuch list.txt\n a | write a.txt | run echo a > a.txt", &[]).code(3);
    s.repository().write("later.txt", "later\n").commit("Later");
    let out = s.inspan(&["apply"]).code(0);
    assert!(out.all().contains("passes the gate but for `grep -q nosuch list.txt`, red since before the run"), "{}", out.all());
}
