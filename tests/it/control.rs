//! What a person orders from another terminal: of a run that a process carries, and of one that none does.

mod dead;
mod heard;
#[cfg(target_os = "linux")]
mod hostile;
mod interrupted;
mod live;
mod target;

use tests::{
    Alive, Scenario,
    model::{ModelServer, Script, Turn, command, finish, write},
};

const REPO: &str = "## README\nhello\n";
/// Says that it is there, and waits until it may go on.
const WAIT: &str =
    "touch \"$MEET/$INSPAN_TASK.at\"; until test -e \"$MEET/go\"; do sleep 0.01; done; touch \"$MEET/$INSPAN_TASK.gone\"";

/// A repository, a model that plays the script, and a place where commands wait.
fn scenario(script: Script) -> (Scenario, ModelServer) {
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server).config("[env]\npass = [\"MEET\"]").with_meeting_place();
    let place = s.meeting_place();
    (s.env("MEET", place), server)
}

/// `a` waits within its first turn, then writes.
fn waits_then_writes() -> [Turn; 3] {
    [command(WAIT), write("a.txt", "a\n"), finish("Wrote a.")]
}

/// Starts a plan, and returns when the command of `a` waits.
fn waiting(s: &Scenario, plan: &str, more: &[&str]) -> Alive {
    let alive = s.start_plan(plan, more);
    meet(s, "a.at");
    alive
}

fn meet(s: &Scenario, name: &str) {
    let there = s.meeting_place().join(name);
    tests::eventually(|| there.exists().then_some(())).unwrap_or_else(|| panic!("{name}: {}", s.history().outline()));
}

fn go(s: &Scenario) {
    std::fs::write(s.meeting_place().join("go"), "").expect("a file");
}
