//! Two runs in one repository, and runs in its linked worktrees and submodules, do not see each other.

use std::{fs, path::PathBuf};

use plans::event::Event;
use tests::{Alive, Repository, Scenario};

const REPO: &str = "## README\nhello\n## shared.rs\nfn one() -> u32 {\n    1\n}\n\nfn two() -> u32 {\n    2\n}\n";

/// A run whose only task waits until the file `name` is at the meeting place.
fn held(s: &Scenario, name: &str, change: &str) -> Alive {
    let place = s.meeting_place();
    let plan = format!(
        "goal | Run {name}\n {name} | write {name}.txt shared.rs | run touch '{0}/{name}.begun'; until test -e '{0}/{name}'; do sleep 0.01; done; {change}",
        place.display()
    );
    let before = s.runs().len();
    let alive = s.start_plan(&plan, &[]);
    tests::eventually(|| place.join(format!("{name}.begun")).exists().then_some(())).expect("its worker is at work");
    assert_eq!(s.runs().len(), before + 1);
    alive
}

fn go(s: &Scenario, name: &str) {
    fs::write(s.meeting_place().join(name), "").expect("a file");
}

/// The run that was begun with this goal.
fn run_of(s: &Scenario, name: &str) -> String {
    let runs =
        PathBuf::from(s.repository().git(&["rev-parse", "--path-format=absolute", "--git-common-dir"])).join("inspan/runs");
    let is = |run: &String| {
        tests::read_journal(&runs.join(run))
            .iter()
            .any(|entry| matches!(&entry.event, Event::RunStarted { goal, .. } if goal.ends_with(name)))
    };
    s.runs().into_iter().find(is).expect("it was begun")
}

#[test]
fn two_runs_at_once_end_with_their_own_results_and_both_are_applied() {
    let s = Scenario::new(REPO).with_meeting_place();
    let first = held(&s, "a", "echo a > a.txt; sed -i s/1/10/ shared.rs");
    let second = held(&s, "b", "echo b > b.txt; sed -i s/2/20/ shared.rs");
    let before = s.fingerprint();
    let (a, b) = (run_of(&s, "a"), run_of(&s, "b"));
    let list = s.inspan(&["clean", "--yes"]).code(0).stdout;
    assert!(list.lines().count() == 2 && list.lines().all(|line| line.starts_with("keep")), "{list}");
    go(&s, "a");
    first.wait().code(0);
    s.inspan(&["clean", &a, "--give-up", "--dry-run"]).code(0);
    s.inspan(&["clean", &b, "--give-up"]).code(1).says("is being worked on");
    s.inspan(&["status", &b]).code(0).prints("underway");
    go(&s, "b");
    second.wait().code(0);
    before.assert_is(&s.fingerprint());
    let result = |run: &str| s.repository().git(&["ls-tree", "--name-only", &format!("inspan/{run}")]);
    assert_eq!((result(&a).contains("b.txt"), result(&b).contains("a.txt")), (false, false));
    s.inspan(&["apply", &a]).code(0);
    s.inspan(&["apply", &b]).code(0).says("both changed shared.rs");
    let text = s.repository().read("shared.rs");
    assert!(text.contains("10\n") && text.contains("20\n"), "{text}");
    assert_eq!((s.repository().read("a.txt").as_str(), s.repository().read("b.txt").as_str()), ("a\n", "b\n"));
    s.inspan(&["apply", &a]).code(1).says("has this result already");
}

#[test]
fn what_is_cleared_away_of_one_run_leaves_the_other_as_it_is() {
    let s = Scenario::new(REPO).with_meeting_place();
    let first = held(&s, "a", "echo a > a.txt");
    let second = held(&s, "b", "echo b > b.txt");
    let (a, b) = (run_of(&s, "a"), run_of(&s, "b"));
    go(&s, "a");
    first.wait().code(0);
    s.inspan(&["clean", &a, "--give-up"]).code(0);
    assert_eq!(s.runs(), std::slice::from_ref(&b));
    go(&s, "b");
    second.wait().code(0);
    assert_eq!(s.repository().refs("refs/inspan").iter().filter(|name| name.contains(&a)).count(), 0);
    s.inspan(&["apply"]).code(0);
    assert_eq!(s.repository().read("b.txt"), "b\n");
}

#[test]
fn in_a_linked_worktree_the_latest_run_is_the_one_that_was_begun_there() {
    let s = Scenario::new(REPO);
    let linked = s.root().join("linked");
    let git = |args: &[&str]| s.repository().git(args);
    git(&["worktree", "add", "--quiet", "-b", "side", linked.to_str().expect("text")]);
    s.inspan(&[
        "-C",
        linked.to_str().expect("text"),
        "run",
        "--plan",
        &s.plan("goal | There\n a | write a.txt | run echo a > a.txt"),
        "--yes",
    ])
    .code(0);
    s.inspan(&["run", "--plan", &s.plan("goal | Here\n b | write b.txt | run echo b > b.txt"), "--yes"]).code(0);
    let there = linked.to_str().expect("text");
    s.inspan(&["status"]).code(0).prints("Here");
    s.inspan(&["-C", there, "status"]).code(0).prints("There");
    s.inspan(&["-C", there, "apply"]).code(0).says("side is now at");
    assert!(linked.join("a.txt").exists() && !linked.join("b.txt").exists());
    assert!(!s.repository().path().join("a.txt").exists(), "the other checkout is as it was");
    let list = s.inspan(&["-C", there, "status", "--all"]).code(0).stdout;
    assert_eq!(list.lines().count(), 2, "{list}");
}

#[test]
fn a_branch_that_is_checked_out_twice_is_not_moved_under_the_other() {
    let s = Scenario::new(REPO);
    s.run_plan("a | write a.txt | run echo a > a.txt", &[]).code(0);
    let linked = s.root().join("linked");
    s.repository().git(&["worktree", "add", "--quiet", "--force", linked.to_str().expect("text"), "main"]);
    s.inspan(&["apply"]).code(1).says("main is checked out in").says("nothing was changed");
    s.repository().git(&["worktree", "remove", linked.to_str().expect("text")]);
    s.inspan(&["apply"]).code(0);
}

#[test]
fn a_run_in_a_submodule_is_the_submodules_own() {
    let s = Scenario::new(REPO);
    let library = Repository::init(&s.root().join("library"));
    library.write("lib.txt", "lib\n").commit("Library");
    let path = library.path().to_str().expect("text").to_owned();
    s.repository().git(&["-c", "protocol.file.allow=always", "submodule", "add", "--quiet", &path, "module"]);
    s.repository().commit("With a module");
    let module = s.repository().path().join("module");
    Repository::at(&module).identify();
    let place = module.to_str().expect("text");
    let plan = s.plan("goal | Inside\n a | write a.txt | run echo a > a.txt");
    let before = s.repository().refs("refs");
    s.inspan(&["-C", place, "run", "--plan", &plan, "--yes"]).code(0);
    assert_eq!(s.repository().refs("refs"), before);
    assert!(s.runs().is_empty(), "the repository around it has no run");
    s.inspan(&["status"]).code(2);
    s.inspan(&["-C", place, "apply"]).code(0);
    assert!(module.join("a.txt").exists());
}
