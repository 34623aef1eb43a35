//! Whatever ends a run in the middle, it goes on from there and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};

use ::plans::event::{Event, RunStatus};
use serde_json::json;
use tests::{
    Alive, Scenario, branch,
    model::{Fault, ModelServer, Script, command, edits, finish, write},
};

const PLAN: &str = "gate | sh gate.sh
    a | write a.txt
    b | write b.txt | run echo b > b.txt
    c | after a b | write c.txt | run cat a.txt b.txt > c.txt";
const REPO: &str = "## gate.sh\nif test -e \"$HOLD\" -a -n \"$(ls | grep txt)\"; then touch \"$HOLD.held\"; while test -e \"$HOLD\"; do sleep 0.01; done; fi\n";
const WHOLE: &str = "## a.txt\na\n## b.txt\nb\n## c.txt\na\nb\n";

fn script() -> Script {
    Script::new().worker("a", 1, [write("first.txt", "x"), write("a.txt", "a\n"), finish("Wrote a.")])
}

/// Once a task has written something, the gate holds as long as the file `hold` is there.
fn scenario(server: &ModelServer) -> Scenario {
    scenario_in(REPO, server)
}

fn scenario_in(repository: &str, server: &ModelServer) -> Scenario {
    let s = Scenario::new(repository).model(server).config("[env]\npass = [\"HOLD\"]");
    let s = s.with_meeting_place();
    let hold = s.meeting_place().join("hold");
    s.env("HOLD", hold)
}

/// Everything that must hold after a run that was interrupted and has come to its end.
fn assert_whole(s: &Scenario) {
    assert!(s.result().starts_with(WHOLE), "{}", s.result());
    branch::assert_always_green(s);
    assert_counted(s);
    // Without a commit there was no worktree yet. What an attempt left that went on later is in the files it went on with.
    let mut left = BTreeMap::new();
    for event in s.history().events() {
        if let Event::AttemptEnded { key, commit: Some(commit), .. } = event {
            left.insert(format!("refs/inspan/{}/{}/{}", s.run_id(), key.task, key.attempt), commit.0.clone());
        }
    }
    for (name, commit) in left {
        assert_eq!(s.repository().git(&["rev-parse", &name]), commit, "{name} holds what the attempt left");
    }
}

/// A number is used again only by an attempt that goes on after its process was gone.
fn assert_counted(s: &Scenario) {
    let mut started = BTreeSet::new();
    for event in s.history().events() {
        match event {
            Event::AttemptStarted { key, .. } => assert!(started.insert(key.clone()), "{key} twice: {}", s.history().outline()),
            Event::RunResumed { .. } => started.clear(),
            _ => {}
        }
    }
}

fn held(s: &Scenario) {
    let place = s.meeting_place().join("hold.held");
    tests::eventually(|| place.exists().then_some(())).expect("the gate was reached");
}

#[test]
fn killed_while_an_attempt_runs_it_goes_on_with_files_and_conversation() {
    let server = ModelServer::start(script());
    server.fail_at("a", 1, 1, Fault::Stall);
    let s = scenario(&server);
    let alive = s.start_plan(PLAN, &[]);
    s.wait_until(|event| matches!(event, Event::TaskLanded { key, .. } if key.task.as_str() == "b"));
    tests::eventually(|| (server.asked_by("a", 1).len() == 2).then_some(())).expect("the second turn is asked for");
    assert_eq!(alive.kill().code, 137);
    server.heal();
    s.inspan(&["resume", "--yes"]).code(0);
    assert_whole(&s);
    // The second request was in flight; the third is the first of the new process.
    let asked = server.asked_by("a", 1);
    let known = asked[1].messages();
    assert_eq!(&asked[2].messages()[..known.len()], known, "the conversation goes on");
    assert_eq!(s.history().count(|event| matches!(event, Event::RunResumed { .. })), 1);
}

#[test]
fn killed_while_a_task_lands_it_lands_once() {
    let server = ModelServer::start(script());
    let s = scenario(&server);
    std::fs::write(s.meeting_place().join("hold"), "").expect("a file");
    let alive = s.start_plan(PLAN, &[]);
    s.wait_until(|event| matches!(event, Event::LandingStarted { .. }));
    held(&s);
    alive.kill();
    std::fs::remove_file(s.meeting_place().join("hold")).expect("it is there");
    s.inspan(&["resume", "--yes"]).code(0);
    assert_whole(&s);
    assert_eq!(branch::commits(&s).len(), 3, "each task landed once: {}", s.history().outline());
}

#[test]
fn killed_right_after_any_event_it_still_comes_to_the_same_end() {
    for at in [3, 8, 12] {
        let server = ModelServer::start(script());
        let s = scenario(&server);
        let alive = s.start_plan(PLAN, &[]);
        s.wait_until_seq(at);
        alive.kill();
        let out = s.inspan(&["resume", "--yes"]);
        let complete = s.history().events().any(|event| matches!(event, Event::RunEnded { status: RunStatus::Complete, .. }));
        assert!(complete, "killed after event {at}: {}", out.all());
        assert_whole(&s);
    }
}

#[test]
fn killed_while_the_planner_mends_it_asks_again_and_completes() {
    let retry = edits(&json!([{ "edit": "retry", "task": "a", "because": "once more" }]));
    let script = Script::new()
        .planner(1, [tests::model::plan("gate | sh gate.sh; test ! -e a.txt || grep -q a a.txt\n a | write *.txt")])
        .planner(2, [retry])
        .worker("a", 1, [write("a.txt", "wrong\n"), command("echo b > b.txt; echo c > a.txt"), finish("Wrote.")])
        .worker("a", 2, [command("echo a > a.txt; echo b > b.txt; cat a.txt b.txt > c.txt"), finish("Wrote.")]);
    let server = ModelServer::start(script);
    let s = scenario(&server);
    let alive = s.start(&["run", "Write a", "--yes"]);
    s.wait_until(|event| matches!(event, Event::PlanApproved { .. }));
    // The first conversation is over, so only the re-plan meets this.
    server.fail_planner(Fault::Stall);
    s.wait_until(|event| matches!(event, Event::ReplanStarted { .. }));
    alive.kill();
    server.heal();
    s.inspan(&["resume", "--yes"]).code(0);
    assert_whole(&s);
}

fn interrupted(stop: impl FnOnce(&Scenario, &Alive)) {
    // The attempt has changed a file that the person's checkout has, too.
    let turns = [write("kept.md", "changed\n"), write("a.txt", "a\n"), finish("Wrote a.")];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    server.fail_at("a", 1, 1, Fault::Stall);
    let s = scenario_in(&format!("{REPO}## kept.md\nas it was\n"), &server);
    let alive = s.start_plan(&PLAN.replace("a | write a.txt", "a | write a.txt kept.md"), &[]);
    s.wait_until(|event| matches!(event, Event::TaskLanded { .. }));
    stop(&s, &alive);
    let out = alive.wait().code(130).says("inspan resume");
    assert!(
        s.history().events().any(|event| matches!(event, Event::RunEnded { status: RunStatus::Cancelled, .. })),
        "{}",
        out.all()
    );
    assert!(s.attempts().contains(&"a/1".to_owned()), "what it left is kept");
    server.heal();
    s.inspan(&["resume", "--yes"]).code(0);
    assert_whole(&s);
    assert!(s.result().contains("## kept.md\nchanged\n"), "{}", s.result());
}

#[test]
fn ctrl_c_is_exit_130_and_the_run_goes_on_later() {
    interrupted(|_, alive| alive.interrupt());
}

#[test]
fn cancel_from_elsewhere_stops_the_run_as_ctrl_c_does() {
    interrupted(|s, _| drop(s.inspan(&["cancel"]).code(0)));
}

#[test]
fn a_run_that_another_process_works_on_is_not_resumed() {
    let server = ModelServer::start(script());
    server.fail_at("a", 1, 0, Fault::Stall);
    let s = scenario(&server);
    let alive = s.start_plan(PLAN, &[]);
    s.wait_until(|event| matches!(event, Event::AttemptStarted { .. }));
    let pid = alive.pid().to_string();
    for command in ["resume", "review", "apply"] {
        s.inspan(&[command]).code(1).says(&format!("is being worked on by process {pid}"));
    }
    s.inspan(&["status"]).code(0).prints("underway");
    alive.kill();
    s.inspan(&["status"]).code(0).prints("interrupted");
}

#[test]
fn an_endpoint_that_went_away_halts_the_run_and_it_is_resumed_when_it_is_back() {
    let mut server = ModelServer::start(script());
    server.fail_at("a", 1, 1, Fault::Stall);
    let s = scenario(&server);
    let alive = s.start_plan(PLAN, &[]);
    s.wait_until(|event| matches!(event, Event::TaskLanded { .. }));
    tests::eventually(|| (server.asked_by("a", 1).len() == 2).then_some(())).expect("the second turn is asked for");
    server.go_away();
    let out = alive.wait().code(1).says("inspan resume");
    assert!(!s.history().events().any(|event| matches!(event, Event::TaskEnded { .. })), "nobody's fault: {}", out.all());
    server.heal();
    server.come_back();
    s.inspan(&["resume", "--yes"]).code(0);
    assert_whole(&s);
}

fn ends_well_beside(worker: &str, check: impl FnOnce(&Scenario, &tests::Outcome)) {
    let s = Scenario::new("## README\nhello\n");
    let out = s.run_plan(&format!("bad | write bad.txt | run {worker}\n good | write good.txt | run echo good > good.txt"), &[]);
    assert!(s.result().contains("## good.txt\ngood\n"), "the other task lands: {}", out.all());
    check(&s, &out);
}

#[test]
fn a_worker_command_that_does_not_exist_is_named() {
    ends_well_beside("no-such-program --at-all", |_, out| {
        assert_eq!(out.code, 3);
        assert!(out.stderr.contains("no-such-program") && out.stderr.contains("127"), "{}", out.all());
    });
}

#[test]
fn a_worker_command_that_prints_200_megabytes_costs_neither_memory_nor_disk() {
    ends_well_beside("head -c 200000000 /dev/zero|tr '\\0' 'x'; echo bad > bad.txt", |s, out| {
        assert_eq!(out.code, 0, "{}", out.all());
        let journal = std::fs::metadata(s.run_folder().join("journal.db")).expect("it is there").len();
        assert!(journal < 4 << 20, "the journal has {journal} bytes");
    });
}

#[test]
fn a_worker_command_that_leaves_a_daemon_behind_ends_with_it() {
    // Found by what it is called with: in a namespace of its own it has another number.
    let seconds = format!("{}", 600_000 + u64::from(std::process::id()));
    let daemon =
        format!("(setsid sh -c 'echo x > bad.txt; exec sleep {seconds}' >/dev/null 2>&1 &); until test -s bad.txt; do :; done");
    ends_well_beside(&daemon, |_, out| {
        assert_eq!(out.code, 0, "{}", out.all());
        let gone = || (!runs(&format!("sleep\0{seconds}\0"))).then_some(());
        tests::eventually(gone).expect("the daemon was ended");
    });
}

/// Whether some process of this machine was called with these words.
fn runs(words: &str) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .map(|entry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default())
        .any(|called| called == words.as_bytes())
}

#[cfg(target_os = "linux")]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap: apt-get install bubblewrap")]
#[test]
fn a_harness_that_is_killed_takes_its_commands_with_it_in_every_tier() {
    for (number, tier) in ["bubblewrap", "helper"].into_iter().enumerate() {
        let seconds = format!("{}", 700_000 + 2 * u64::from(std::process::id()) + number as u64);
        let s = Scenario::new("## README\nhello\n");
        let daemon = format!("a | write a.txt | run (setsid sleep {seconds} &); sleep {seconds}");
        let run = s.start_plan(&daemon, &["--sandbox", tier]);
        let called = format!("sleep\0{seconds}\0");
        tests::eventually(|| runs(&called).then_some(())).expect("it runs");
        run.kill();
        tests::eventually(|| (!runs(&called)).then_some(())).expect("nothing of it is left");
    }
}

#[test]
fn a_worker_command_that_never_ends_is_stopped_with_the_run() {
    let s = Scenario::new("## README\nhello\n");
    let alive = s.start_plan("bad | write bad.txt | run echo begun > bad.txt; sleep 600", &[]);
    s.wait_until(|event| matches!(event, Event::AttemptStarted { .. }));
    let begun = || std::fs::read_dir(s.root().join("cache")).is_ok_and(|mut entries| entries.next().is_some()).then_some(());
    tests::eventually(begun).expect("its worktree is made");
    alive.interrupt();
    alive.wait().code(130);
    assert_eq!(s.attempts(), ["bad/1"]);
}
