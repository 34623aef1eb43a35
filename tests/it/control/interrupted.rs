//! What is known again when a run goes on, and what a person does to the repository meanwhile.

use ::plans::event::Event;
use tests::model::{Fault, Script, command, finish, write};

use super::{WAIT, go, scenario, waiting, waits_then_writes};

const ONE: &str = "a | write a.txt";

#[test]
fn an_end_whose_proof_was_interrupted_is_proved_again_and_not_asked_for_again() {
    let (s, server) = scenario(Script::new().worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")]));
    waiting(&s, &format!("{ONE} | verify {WAIT}"), &[]).kill();
    go(&s);
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!((server.asked_by("a", 1).len(), s.state().spending().turns), (2, 2), "{}", s.history().outline());
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[test]
fn who_goes_on_after_an_interruption_still_knows_which_files_it_has_written() {
    let turns = [write("a.txt", "half\n"), command(WAIT), write("a.txt", "a\n"), finish("Wrote a.")];
    let (s, server) = scenario(Script::new().worker("a", 1, turns));
    waiting(&s, ONE, &[]).kill();
    go(&s);
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
    let said = server.asked_by("a", 1).last().expect("it was asked").last().to_owned();
    assert_eq!(said, "replaced `a.txt`");
}

#[test]
fn a_bound_that_is_passed_already_when_a_run_is_resumed_ends_it_before_anybody_starts() {
    let big = format!("dd if=/dev/zero of=a.txt bs=1M count=3; {WAIT}");
    let (s, server) = scenario(Script::new().worker("a", 1, [command(&big), finish("Wrote a.")]));
    waiting(&s, ONE, &[]).kill();
    go(&s);
    s.inspan(&["resume", "--yes", "--max-disk", "1"]).code(5).says("--max-disk");
    let since: Vec<Event> =
        s.history().events().skip_while(|event| !matches!(event, Event::RunResumed { .. })).cloned().collect();
    assert!(!since.iter().any(|event| matches!(event, Event::AttemptStarted { .. })), "{}", s.history().outline());
    assert_eq!(server.asked_by("a", 1).len(), 1);
}

#[test]
fn what_a_person_ignores_from_now_on_takes_no_file_from_the_worker() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, "a | write a.txt\n b | after a | write b.txt | run echo b > b.txt", &[]);
    let exclude = s.repository().path().join(".git/info/exclude");
    std::fs::create_dir_all(exclude.parent().expect("a folder")).expect("it is made");
    std::fs::write(&exclude, "*\n").expect("it is written");
    go(&s);
    alive.wait().code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n## b.txt\nb\n");
}

#[test]
fn what_the_planner_took_before_it_was_stopped_is_in_the_journal() {
    let (s, server) = scenario(Script::new());
    server.fail_planner(Fault::StallWithin);
    let alive = s.start(&["run", "Write", "--yes"]);
    tests::eventually(|| (!server.asked_by_planner(1).is_empty()).then_some(())).expect("the planner is asked");
    // By then the answer has begun.
    s.inspan(&["status"]).code(0);
    alive.interrupt();
    alive.wait().code(130);
    let history = s.history();
    let events: Vec<&Event> = history.events().collect();
    assert!(matches!(events[..], [.., Event::TurnTaken(_), Event::RunEnded { .. }]), "{}", history.outline());
    assert!(s.state().planner().with_guesses().0.total() > 0);
}
