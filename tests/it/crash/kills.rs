//! Killed from outside: a worker's command, what it is enclosed in, and the harness while it applies or clears up.

use rustix::process::{Pid, Signal, kill_process};
use tests::{
    Scenario,
    model::{ModelServer, Script, command, finish, write},
};

/// Processes that were called with this word somewhere in a text of theirs, outermost first.
fn called_with(word: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let called = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&called).contains(word)
        })
        .collect();
    found.sort_unstable();
    found
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process has a number");
    // It may have ended with another that was killed before it.
    let _ = kill_process(pid, Signal::KILL);
}

/// A command of an agent is killed while it runs, the outermost of its processes or the innermost; the attempt goes on and lands.
fn goes_on_when_killed(tier: &str, number: u32, pick: impl Fn(&[u32]) -> u32) {
    let word = format!("{}", 610_000_000 + std::process::id() * 10 + number);
    let turns = [command(&format!("echo begun > a.txt; sleep {word}; true")), write("a.txt", "a\n"), finish("Wrote a.")];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new("## README\nhello\n").model(&server);
    let alive = s.start_plan("a | write a.txt", &["--sandbox", tier]);
    let own = alive.pid();
    let begun = || {
        let found: Vec<u32> = called_with(&word).into_iter().filter(|pid| *pid != own).collect();
        // The last to start is the command itself.
        let sleeps = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|called| called.starts_with(b"sleep\0"));
        found.iter().any(sleeps).then_some(found)
    };
    let processes = tests::eventually(begun).expect("the command runs");
    kill(pick(&processes));
    alive.wait().code(0);
    assert!(s.result().contains("## a.txt\na\n"), "{tier}: {}", s.result());
    assert_eq!(server.asked_by("a", 1).len(), 3, "{tier}");
    tests::eventually(|| called_with(&word).is_empty().then_some(())).expect("nothing of the command is left");
}

#[test]
fn an_attempt_goes_on_when_its_command_is_killed() {
    goes_on_when_killed("helper", 0, |processes| *processes.last().expect("there is one"));
}

#[test]
fn an_attempt_goes_on_when_the_helper_around_its_command_is_killed() {
    goes_on_when_killed("helper", 1, |processes| processes[0]);
}

#[cfg(target_os = "linux")]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap: apt-get install bubblewrap")]
#[test]
fn an_attempt_goes_on_when_bubblewrap_around_its_command_is_killed() {
    goes_on_when_killed("bubblewrap", 2, |processes| processes[0]);
    goes_on_when_killed("bubblewrap", 3, |processes| *processes.last().expect("there is one"));
}

const PLAN: &str = "a | write a.txt | run echo a > a.txt\n b | after a | write b.txt | run cat a.txt > b.txt";

#[test]
fn killed_while_it_applies_the_result_is_there_once_and_the_checkout_is_whole() {
    let s = Scenario::in_memory("## README\nhello\n");
    s.run_plan(PLAN, &["--dangerously-no-sandbox"]).code(0);
    let next = s.history().0.len() + 1;
    assert_eq!(s.start_with(&["apply"], &[("INSPAN_CRASH_AT", &format!("{next}-"))]).wait().code, 137);
    let again = s.inspan(&["apply"]);
    assert!(again.code == 0 || again.stderr.contains("already"), "{}", again.all());
    assert_eq!(s.repository().files_at("HEAD"), s.result());
    assert_eq!(s.repository().git(&["status", "--porcelain"]), "", "{}", again.all());
    assert_eq!(s.repository().git(&["rev-list", "--count", "HEAD"]), "3", "{}", again.all());
}

#[test]
fn killed_while_it_clears_up_the_next_clean_ends_it() {
    for point in ["worktree-going", "worktree-gone"] {
        let s = Scenario::in_memory("## README\nhello\n");
        let begin = ["run", "--plan", &s.plan(PLAN), "--yes", "--dangerously-no-sandbox"];
        // It leaves a directory that was being removed.
        let killed = s.start_with(&begin, &[("INSPAN_CRASH_AT", "worktree-going")]).wait();
        assert_eq!(killed.code, 137, "{}", killed.all());
        let run = s.root().join("cache/inspan/worktrees").join(s.run_id());
        let gone = || {
            std::fs::read_dir(run.join("a")).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect::<Vec<_>>()
        };
        assert_eq!(gone(), ["1.gone"]);
        let out = s.start_with(&["clean"], &[("INSPAN_CRASH_AT", point)]).wait();
        assert_eq!(out.code, 137, "{point}: {}", out.all());
        s.inspan(&["clean"]).code(0);
        assert!(gone().is_empty(), "{point}: {:?} is left", gone());
        s.inspan(&["resume", "--yes", "--dangerously-no-sandbox"]).code(0);
        assert!(s.result().contains("## b.txt\na\n"), "{}", s.result());
    }
}
