//! What had finished when the run stopped is not done again, unless what it was made from is another by now.

use ::plans::event::Event;
use tests::{
    Scenario,
    model::{ModelServer, Script, finish, write},
};

/// The gate holds as long as the file `hold` is there, once the task has written its file.
const REPO: &str =
    "## gate.sh\nif test -e \"$HOLD\" -a -e a.txt; then touch \"$HOLD.held\"; while test -e \"$HOLD\"; do sleep 0.01; done; fi\n";
const PLAN: &str = "gate | sh gate.sh\n a | write a.txt\n b | after a | write b.txt | run cat a.txt > b.txt";

/// Stopped by the person when `a` has finished and has not landed.
fn stopped_before_it_landed(server: &ModelServer) -> Scenario {
    let s = Scenario::in_memory(REPO).model(server).config("[env]\npass = [\"HOLD\"]").with_meeting_place();
    let hold = s.meeting_place().join("hold");
    std::fs::write(&hold, "").expect("a file");
    let s = s.env("HOLD", &hold);
    let alive = s.start_plan(PLAN, &["--dangerously-no-sandbox"]);
    let reached = s.meeting_place().join("hold.held");
    tests::eventually(|| reached.exists().then_some(())).expect("the gate was reached");
    alive.interrupt();
    alive.wait().code(130);
    std::fs::remove_file(hold).expect("it is there");
    s
}

fn server() -> ModelServer {
    ModelServer::start(Script::new().worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")]))
}

fn reused(s: &Scenario) -> usize {
    s.history().count(|event| matches!(event, Event::AttemptReused { .. }))
}

fn attempts_at_a(s: &Scenario) -> usize {
    s.history().count(|event| matches!(event, Event::AttemptStarted { key, .. } if key.task.as_str() == "a"))
}

#[test]
fn finished_work_lands_after_a_stop_and_nobody_is_asked_again() {
    let server = server();
    let s = stopped_before_it_landed(&server);
    let asked = server.asked().len();
    s.inspan(&["resume", "--yes", "--dangerously-no-sandbox"]).code(0);
    assert_eq!(server.asked().len(), asked, "the model was asked again");
    assert_eq!((reused(&s), attempts_at_a(&s)), (1, 1), "{}", s.history().outline());
    assert!(s.result().contains("## b.txt\na\n"), "{}", s.result());
}

#[test]
fn work_of_another_model_is_done_again() {
    let server = server();
    let s = stopped_before_it_landed(&server);
    let asked = server.asked().len();
    let other = [("INSPAN_MODEL", "scripted-http/another-model"), ("INSPAN_LOG", "warn")];
    let out = s.start_with(&["resume", "--yes", "--dangerously-no-sandbox"], &other).wait().code(0);
    out.says("this has changed since: who may be asked");
    assert_eq!(server.asked().len(), asked + 2);
    assert_eq!((reused(&s), attempts_at_a(&s)), (0, 2), "{}", s.history().outline());
}

#[test]
fn a_ref_that_was_removed_meanwhile_is_made_again_and_its_work_lands() {
    let server = server();
    let s = stopped_before_it_landed(&server);
    let name = format!("refs/inspan/{}/a/1", s.run_id());
    s.repository().git(&["update-ref", "-d", &name]);
    s.inspan(&["resume", "--yes", "--dangerously-no-sandbox"]).code(0);
    assert_eq!((reused(&s), attempts_at_a(&s)), (1, 1), "{}", s.history().outline());
    assert!(s.repository().git_can(&["rev-parse", "--verify", &name]));
}

#[test]
fn work_whose_commit_is_gone_is_done_again() {
    let server = server();
    let s = stopped_before_it_landed(&server);
    for name in s.repository().refs(&format!("refs/inspan/{}/", s.run_id())).iter().filter(|name| !name.ends_with("_base")) {
        s.repository().git(&["update-ref", "-d", name]);
    }
    s.repository().git(&["gc", "--quiet", "--prune=now"]);
    s.inspan(&["resume", "--yes", "--dangerously-no-sandbox"]).code(0);
    assert_eq!((reused(&s), attempts_at_a(&s)), (0, 2), "{}", s.history().outline());
    assert!(s.result().contains("## b.txt\na\n"), "{}", s.result());
}
