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
