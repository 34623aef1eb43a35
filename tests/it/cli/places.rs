//! Wherever a person may stand: each place works, or says in one message why not and what to do.

use std::fs;

use expect_test::{Expect, expect};
use tests::{Repository, Scenario};

const REPO: &str = "## README\nhello\n";
const PLAN: &str = "a | write a.txt | run echo a > a.txt";

#[track_caller]
fn refused(s: &Scenario, expected: &Expect) {
    let before = if s.repository().git_can(&["rev-parse", "HEAD"]) { Some(s.fingerprint()) } else { None };
    let out = s.run_plan(PLAN, &[]);
    expected.assert_eq(&out.shown());
    if let Some(before) = before {
        before.assert_is(&s.fingerprint());
    }
}

#[test]
fn outside_of_a_repository_it_says_how_to_make_one() {
    let s = Scenario::new(REPO);
    let elsewhere = s.root().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    refused(
        &s.from(&elsewhere),
        &expect![[r#"
        exit 2
        error: ROOT/elsewhere is not inside a git repository
         hint: change into one, or make one: `git init && git add . && git commit -m start`
    "#]],
    );
}

#[test]
fn an_empty_repository_needs_a_first_commit() {
    refused(
        &Scenario::empty(),
        &expect![[r#"
        exit 2
        error: ROOT/mein Projekt has no commit yet, so there is nothing to start from
         hint: make the first commit: `git add . && git commit -m start`
    "#]],
    );
}

#[test]
fn a_bare_repository_has_no_checkout_to_start_from() {
    let s = Scenario::new(REPO);
    let bare = s.root().join("bare.git");
    s.repository().git(&["clone", "--quiet", "--bare", ".", bare.to_str().expect("text")]);
    refused(
        &s.from(&bare),
        &expect![[r#"
        exit 2
        error: ROOT/bare.git is a bare repository: it has no checkout that a result could be brought into
         hint: clone it, and run inspan in the clone
    "#]],
    );
}

#[test]
fn a_merge_in_progress_is_finished_first() {
    let s = Scenario::new(REPO);
    let r = s.repository();
    r.git(&["switch", "--quiet", "-c", "other"]);
    r.write("README", "theirs\n").commit("Theirs").git(&["switch", "--quiet", "main"]);
    r.write("README", "ours\n").commit("Ours");
    assert!(!r.git_can(&["merge", "other"]));
    refused(
        &s,
        &expect![[r#"
        exit 2
        error: ROOT/mein Projekt has files with unresolved conflicts
         hint: finish or abort the merge (`git status` shows it), then try again
    "#]],
    );
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let s = Scenario::new(REPO);
    s.inspan(&["-C", "nowhere", "status"]).code(2).says("there is no directory nowhere");
}

#[test]
fn from_a_detached_head_a_run_works_and_apply_wants_a_branch() {
    let s = Scenario::new(REPO);
    s.repository().git(&["checkout", "--quiet", "--detach"]);
    let before = s.fingerprint();
    s.run_plan(PLAN, &[]).code(0).says("detached HEAD");
    let out = s.inspan(&["apply"]).code(1);
    expect![[r#"
        exit 1
        No run was named; this is run RUN: Make the change
        error: HEAD is detached, so there is no branch to bring the result into; nothing was changed
         hint: check out the branch that should have it, or make one: `git switch -c NAME inspan/RUN`
    "#]]
    .assert_eq(&out.shown());
    before.assert_is(&s.fingerprint());
}

#[test]
fn a_dirty_tree_becomes_a_snapshot_without_secrets_and_is_not_touched() {
    let s = Scenario::new("## README\nhello\n## gone.txt\nx\n## .gitignore\n*.log\n");
    let r = s.repository();
    r.write("README", "changed\n").write("new.txt", "new\n").write("build.log", "ignored\n").write(".env", "PASSWORD=x\n");
    r.write("staged.txt", "staged\n").git(&["add", "staged.txt"]);
    fs::remove_file(r.path().join("gone.txt")).expect("it is there");
    let before = s.fingerprint();
    let out = s.run_plan("a | write a.txt | run cat README > a.txt", &[]).code(0);
    expect![[r#"
        Run RUN starts from main with your uncommitted changes, as snapshot COMMIT. Your checkout is not touched.
        Untracked files that the workers do not get: .env (looks like a secret)
    "#]]
    .assert_eq(&out.talk().split_inclusive('\n').take(2).collect::<String>());
    before.assert_is(&s.fingerprint());
    expect![[r#"
        ## .gitignore
        *.log
        ## README
        changed
        ## a.txt
        changed
        ## new.txt
        new
        ## staged.txt
        staged
    "#]]
    .assert_eq(&s.result());
}

#[test]
fn a_submodule_is_an_empty_folder_and_is_said_so() {
    let s = Scenario::new(REPO);
    let part = Repository::init(&s.root().join("part"));
    part.write("part.txt", "part\n").commit("Part");
    let url = part.path().to_str().expect("text").to_owned();
    s.repository().git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "part"]);
    s.repository().commit("Add a part");
    let before = s.fingerprint();
    s.run_plan(PLAN, &[]).code(0).says("Submodules are empty folders for the workers: part");
    before.assert_is(&s.fingerprint());
    let link = s.repository().git(&["ls-tree", &format!("inspan/{}", s.run_id()), "part"]);
    assert!(link.starts_with("160000 "), "{link}");
}

#[test]
fn a_shallow_clone_is_enough() {
    let s = Scenario::new(REPO);
    s.repository().write("more.txt", "more\n").commit("More");
    let (source, clone) = (format!("file://{}", s.repository().path().display()), s.root().join("shallow"));
    s.repository().git(&["clone", "--quiet", "--depth", "1", &source, clone.to_str().expect("text")]);
    let s = s.from(&clone);
    s.run_plan(PLAN, &[]).code(0).says("shallow clone");
    s.inspan(&["apply"]).code(0);
    assert_eq!(fs::read_to_string(clone.join("a.txt")).expect("it was applied"), "a\n");
}

#[test]
fn a_linked_worktree_is_a_place_to_start_from() {
    let s = Scenario::new(REPO);
    let linked = s.root().join("linked tree");
    s.repository().git(&["worktree", "add", "--quiet", "-b", "side", linked.to_str().expect("text")]);
    let s = s.from(&linked);
    s.run_plan(PLAN, &[]).code(0).says("side at");
    s.inspan(&["apply"]).code(0);
    assert_eq!(fs::read_to_string(linked.join("a.txt")).expect("it was applied"), "a\n");
    assert!(!s.repository().path().join("a.txt").exists(), "only the linked one has it");
    let main = |s: &Scenario| s.repository().git(&["rev-parse", "main"]);
    assert_eq!(main(&s), s.repository().git(&["rev-parse", "side~1"]));
}

#[test]
fn from_a_folder_below_the_root_the_whole_repository_is_meant() {
    let s = Scenario::new("## src/deep/x.txt\nx\n");
    let below = s.repository().path().join("src/deep");
    s.from(&below).run_plan(PLAN, &[]).code(0);
}
