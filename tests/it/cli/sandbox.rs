//! Which sandbox a run gets, and that nobody gets a weaker one than was asked for.

use std::path::PathBuf;

use tests::{
    Scenario,
    model::{ModelServer, Script, command, finish},
};

/// A PATH on which git is, and no bwrap.
fn path_without_bwrap(s: &Scenario) -> PathBuf {
    let folder = s.root().join("programs");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|file| file.is_file());
    if std::fs::create_dir(&folder).is_ok() {
        std::os::unix::fs::symlink(git.expect("git is installed"), folder.join("git")).expect("it is new");
    }
    folder
}

const PLAN: &str = "a | write a.txt | run echo a > a.txt";

#[cfg(target_os = "linux")]
#[test]
fn a_tier_that_is_named_and_not_there_is_refused_with_what_to_install() {
    let s = Scenario::new("## README\nhello\n");
    let path = path_without_bwrap(&s);
    let s = s.env("PATH", path);
    let out = s.run_plan(PLAN, &["--sandbox", "bubblewrap"]).code(2).says("install bubblewrap").says("no run was started");
    assert!(out.stderr.contains("--dangerously-no-sandbox"), "{}", out.all());
    s.inspan(&["status"]).code(2);
    s.run_plan(PLAN, &["--sandbox", "none"]).code(2).says("--sandbox");
    s.run_plan(PLAN, &["--sandbox", "helper", "--dangerously-no-sandbox"]).code(2);
}

#[cfg(target_os = "linux")]
#[test]
fn the_best_there_is_says_why_it_is_not_a_better_one() {
    let s = Scenario::new("## README\nhello\n");
    let path = path_without_bwrap(&s);
    let s = s.env("PATH", path);
    s.run_plan(PLAN, &[]).code(0).says("Sandbox: tier B").says("not bubblewrap: `bwrap` is not on the PATH");
    s.inspan(&["doctor"]).prints("tier B").prints("`bwrap` is not on the PATH");
    s.run_plan(PLAN, &["--dangerously-no-sandbox"]).code(0).says("Sandbox: NONE");
}

#[cfg(target_os = "linux")]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap: apt-get install bubblewrap")]
#[test]
fn a_run_that_was_begun_in_a_strong_sandbox_does_not_go_on_in_a_weaker_one_unasked() {
    let s = Scenario::new("## README\nhello\n");
    let path = path_without_bwrap(&s);
    s.inspan(&["run", "--plan", &s.plan(PLAN), "--sandbox", "bubblewrap"]).code(4);
    let s = s.env("PATH", path);
    s.inspan(&["resume", "--yes"]).code(2).says("install bubblewrap");
    s.inspan(&["resume", "--yes", "--sandbox", "helper"]).code(0).says("Sandbox: tier B");
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_system_refuses_is_explained_where_the_command_failed() {
    let s = Scenario::new("## src/a\na\n## doc/b\nb\n");
    s.run_plan("a | write src/** | run echo b > doc/c", &["--sandbox", "helper"]).code(3);
    let said = "[the sandbox: commands may write only src/, $TMPDIR, $HOME]";
    s.inspan(&["log", s.run_id().as_str(), "a"]).code(0).prints(said);
    let s = Scenario::new("## src/a\na\n");
    s.run_plan("a | write src/** | run echo no such host; false", &[]).code(3);
    s.inspan(&["log", s.run_id().as_str(), "a"]).code(0).prints("servers that the command itself starts on 127.0.0.1");
}

#[cfg(target_os = "linux")]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap: apt-get install bubblewrap")]
#[test]
fn the_commands_of_an_attempt_share_one_session_whose_scratch_space_nobody_else_sees() {
    let turns = [
        command("echo first > /tmp/left; (setsid sleep 600 &); cat missing"),
        command("cat /tmp/left; pgrep sleep || echo alone; echo a > a.txt"),
        finish("Did it."),
    ];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new("## README\nhello\n").model(&server);
    s.run_plan("a | write a.txt", &["--sandbox", "bubblewrap"]).code(0);
    let asked = server.asked_by("a", 1);
    assert!(asked[1].last().contains("processes that it left running were ended"), "{}", asked[1].last());
    assert!(asked[2].last().contains("first\nalone"), "{}", asked[2].last());
    assert!(!std::path::Path::new("/tmp/left").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_one_landing_leaves_at_the_gate_is_not_there_for_the_next() {
    let s = Scenario::new("## README\nhello\n");
    let plan =
        "gate | test ! -e \"$HOME/left\" && test ! -e \"$TMPDIR/left\" && echo x > \"$HOME/left\" && echo x > \"$TMPDIR/left\"
         a | write a.txt | run echo a > a.txt
         b | after a | write b.txt | run echo b > b.txt";
    s.run_plan(plan, &[]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n## b.txt\nb\n");
}
