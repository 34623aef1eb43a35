//! Orders to a run that no process carries: journaled by the same rules, and carried out when it is taken up.

use ::plans::event::Event;
use tests::{
    Scenario,
    model::{ModelServer, Script, command, finish, write},
};

use super::{go, scenario, waiting, waits_then_writes};

const TWO: &str = "a | write a.txt\n b | after a | write b.txt | run echo b > b.txt";

/// A run whose process was killed while `a` waited in its first turn.
fn killed(script: Script) -> (Scenario, ModelServer) {
    let (s, server) = scenario(script);
    waiting(&s, TWO, &[]).kill();
    go(&s);
    (s, server)
}

#[test]
fn words_to_an_interrupted_attempt_are_heard_once_when_it_goes_on_however_often_it_is_interrupted() {
    let turns = [
        command(super::WAIT),
        command("rm \"$MEET/go\"; touch \"$MEET/b.at\"; until test -e \"$MEET/go\"; do sleep 0.01; done"),
        write("a.txt", "a\n"),
        finish("Wrote."),
    ];
    let (s, server) = killed(Script::new().worker("a", 1, turns));
    s.inspan(&["steer", "a", "use tabs"]).code(0).says("hears it").says("No process carries the run").says("inspan resume");
    let alive = s.start(&["resume", "--yes"]);
    super::meet(&s, "b.at");
    s.inspan(&["steer", "a", "and spaces"]).code(0).says("hears it at its next turn");
    alive.kill();
    go(&s);
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n## b.txt\nb\n");
    let last = server.asked_by("a", 1).last().expect("it was asked").body.to_string();
    assert_eq!((last.matches("use tabs").count(), last.matches("and spaces").count()), (1, 1), "{last}");
}

#[test]
fn what_was_ordered_of_a_dead_run_is_carried_out_when_it_is_resumed() {
    let (s, _server) = killed(Script::new().worker("a", 1, waits_then_writes()));
    s.inspan(&["pause"]).code(1).says("no process carries run").says("inspan resume");
    s.inspan(&["limits", "--workers", "9", "--task", "b", "--minutes", "7"])
        .code(0)
        .says("9 workers at once")
        .says("carries it out");
    s.inspan(&["skip", "a"]).code(0).says("is taken out of the plan").says("b no longer waits for it");
    s.inspan(&["status"]).code(0).prints("interrupted");
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## b.txt\nb\n");
    assert_eq!(s.state().settings().workers, 9);
    assert!(s.attempts().contains(&"a/1".to_owned()), "what it left is kept");
}

#[test]
fn a_task_of_a_dead_run_that_is_given_up_ends_when_it_is_resumed_and_is_taken_up_again_by_a_retry() {
    let again = [command("cat a.txt; echo a > a.txt"), finish("Wrote.")];
    let turns = [write("a.txt", "half\n"), command(super::WAIT), finish("Wrote.")];
    let (s, server) = killed(Script::new().worker("a", 1, turns).worker("a", 2, again));
    s.inspan(&["cancel", "a"]).code(0).says("With it go b");
    s.inspan(&["resume", "--yes"]).code(3);
    let ends: Vec<&str> = s.state().tasks().iter().map(|task| task.state.name()).collect();
    assert_eq!(ends, ["cancelled", "dropped"]);
    s.inspan(&["retry", "b", "--yes"]).code(1).says("`b` depends on `a`, which has ended").says("inspan retry");
    s.inspan(&["retry", "a", "--from", "2", "--yes"]).code(1).says("there is no attempt 2");
    s.inspan(&["retry", "a", "--from", "1", "--yes", "--workers", "3"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n## b.txt\nb\n");
    assert!(server.asked_by("a", 2)[1].last().contains("half"), "its files were there");
    assert_eq!(s.history().count(|event| matches!(event, Event::RetryRequested { .. })), 1);
    s.inspan(&["retry", "a"]).code(1).says("`a` has landed as");
}

#[test]
fn what_was_landing_when_its_process_died_may_be_given_up_or_skipped() {
    for order in ["cancel", "skip"] {
        let (s, _server) = scenario(Script::new());
        let gate = "test ! -e a.txt || { touch \"$MEET/gate.at\"; until test -e \"$MEET/go\"; do sleep 0.01; done; }";
        let alive = s.start_plan(
            &format!("gate | {gate}\n a | write a.txt | run echo a > a.txt\n b | after a | write b.txt | run echo b > b.txt"),
            &[],
        );
        super::meet(&s, "gate.at");
        alive.kill();
        go(&s);
        s.inspan(&[order, "a"]).code(0).says("No process carries the run");
        assert!(s.state().landings().next().is_none(), "{}", s.history().outline());
    }
}

#[test]
fn what_a_person_cancelled_by_name_is_not_done_again_by_a_plain_resume() {
    let (s, _server) = killed(Script::new().worker("a", 1, waits_then_writes()).worker("a", 2, waits_then_writes()));
    s.inspan(&["cancel", "a"]).code(0);
    s.inspan(&["resume", "--yes"]).code(3).says("it was given up, so only `inspan retry");
    s.inspan(&["resume", "--yes"]).code(1).says("was cancelled by name (a)").says("inspan retry");
    s.inspan(&["limits", "--task", "a", "--turns", "9"]).code(1).says("inspan retry").says("--turns N");
    s.inspan(&["retry", "a", "--turns", "9", "--yes"]).code(0);
    assert_eq!(s.state().plan().expect("there is one").tasks()[0].limits.turns, Some(9));
}
