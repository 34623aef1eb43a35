//! What of a run is needed.

use plans::event::{Approver, Author, CommitId, Event, RunStatus, Settings};
use shared::{Attempt, AttemptKey, Outcome, TaskId};

use super::worth::reason_to_keep;
use super::*;

fn commit(letter: &str) -> CommitId {
    CommitId(letter.repeat(40))
}

fn key() -> AttemptKey {
    AttemptKey { task: TaskId::new("a").unwrap(), attempt: Attempt(1) }
}

/// A run of one task after as many of these steps.
fn run(steps: &[&str]) -> RunState {
    let settings = Settings::default();
    let first = Event::RunStarted {
        goal: "g".to_owned(),
        base: commit("b"),
        head: commit("b"),
        snapshot: false,
        settings,
        program: String::new(),
    };
    let mut state = RunState::begin(&first).unwrap();
    for step in steps {
        state.apply(&event(step)).unwrap();
    }
    state
}

fn event(step: &str) -> Event {
    let text = "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"do\"\nwrite = [\"a\"]\n";
    let plan = || Box::new(plans::file::parse_toml(text).unwrap());
    let (key, why) = (key(), String::new());
    match step {
        "propose" => Event::PlanProposed { revision: 1, plan: plan(), author: Author::File, warnings: Vec::new() },
        "approve" => Event::PlanApproved { revision: 1, by: Approver::Policy },
        "reject" => Event::PlanRejected { revision: 1, why },
        "start" => Event::AttemptStarted { key, base: commit("b"), continues: None, content: String::new() },
        "fail" => Event::AttemptEnded { key, commit: Some(commit("f")), outcome: Outcome::Cancelled },
        "fail empty" => Event::AttemptEnded { key, commit: None, outcome: Outcome::Cancelled },
        "halt" => Event::RunHalted { why },
        "cancel" => Event::CancelRequested,
        "end" => Event::RunEnded { status: RunStatus::Cancelled, tip: commit("b") },
        other => panic!("{other}"),
    }
}

#[test]
fn a_run_goes_only_once_nothing_of_it_is_needed() {
    let kept = |steps: &[&str], safe| reason_to_keep(&run(steps), safe, steps.contains(&"fail"));
    let tried = ["propose", "approve", "start", "fail"];
    for waits in [&["propose"][..], &["propose", "approve"]] {
        assert_eq!(kept(waits, false), Some("is not over: it can be resumed"), "{waits:?}");
    }
    assert_eq!(kept(&["propose", "approve", "cancel", "end"], false), None, "no attempt was made");
    assert_eq!(kept(&["propose", "reject"], false), None);
    let halted = [&tried[..], &["halt"]].concat();
    assert_eq!(kept(&halted, true), Some("is not over: it can be resumed"), "a tip that is the base is in main, too");
    let over = [&tried[..], &["cancel", "end"]].concat();
    assert_eq!(kept(&over, true), Some("holds what attempts left that did not land"));
    assert_eq!(kept(&["propose", "approve", "start", "fail empty", "cancel", "end"], true), None);
}
