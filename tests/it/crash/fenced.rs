//! Two processes that both mean to carry one run: one does, the other says so and leaves everything alone.

use ::plans::event::Event;
use rustix::process::{Pid, Signal, kill_process};
use tests::Scenario;

/// Once a task has written something, the gate holds as long as the file `hold` is there.
const REPO: &str =
    "## gate.sh\nif test -e \"$HOLD\" -a -e a.txt; then touch \"$HOLD.held\"; while test -e \"$HOLD\"; do sleep 0.01; done; fi\n";
const PLAN: &str = "gate | sh gate.sh\n a | write a.txt | run echo a > a.txt\n b | after a | write b.txt | run cat a.txt > b.txt";
const HOW: [&str; 2] = ["--yes", "--dangerously-no-sandbox"];

fn scenario() -> Scenario {
    let s = Scenario::in_memory(REPO).config("[env]\npass = [\"HOLD\"]").with_meeting_place();
    let hold = s.meeting_place().join("hold");
    std::fs::write(&hold, "").expect("a file");
    s.env("HOLD", hold)
}

fn is_held(s: &Scenario) {
    let held = s.meeting_place().join("hold.held");
    tests::eventually(|| held.exists().then_some(())).expect("the gate was reached");
}

fn let_go(s: &Scenario) {
    std::fs::remove_file(s.meeting_place().join("hold")).expect("it is there");
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a living process has a number");
    kill_process(pid, signal).expect("it is ours");
}

#[test]
fn a_process_that_slept_while_its_run_was_taken_over_writes_nothing_more_and_says_so() {
    let s = scenario();
    let late = s.start_plan(PLAN, &HOW[1..]);
    is_held(&s);
    signal(late.pid(), Signal::STOP);
    // As a network file system may: the lock that it holds is one that nobody else sees.
    std::fs::remove_file(s.run_folder().join("lease")).expect("it is there");
    let_go(&s);
    s.inspan(&[&["resume"], &HOW[..]].concat()).code(0);
    let (journal, tip) = (s.history().0, s.repository().refs("refs/heads/inspan"));
    let files = s.result();
    signal(late.pid(), Signal::CONT);
    late.wait().code(1).says("another process has taken the run over").says("inspan status");
    assert_eq!(s.history().0, journal, "it wrote to the journal");
    assert_eq!((s.repository().refs("refs/heads/inspan"), s.result()), (tip, files), "it moved the branch");
}

#[test]
fn a_run_that_is_resumed_twice_at_once_goes_on_once() {
    let s = scenario();
    let first = s.start_plan(PLAN, &HOW[1..]);
    is_held(&s);
    first.kill();
    let words = [&["resume"], &HOW[..]].concat();
    let both = [s.start(&words), s.start(&words)];
    s.wait_until(|event| matches!(event, Event::RunResumed { .. }));
    let lease = std::fs::read_to_string(s.run_folder().join("lease")).expect("it is held");
    let (winners, losers): (Vec<_>, Vec<_>) = both.into_iter().partition(|alive| lease.starts_with(&format!("{} ", alive.pid())));
    assert_eq!((winners.len(), losers.len()), (1, 1), "{lease}");
    for (loser, winner) in losers.into_iter().zip(&winners) {
        loser.wait().code(1).says(&format!("is being worked on by process {}", winner.pid()));
    }
    s.inspan(&words).code(1).says("is being worked on by process");
    let_go(&s);
    for winner in winners {
        winner.wait().code(0);
    }
    assert_eq!(s.history().count(|event| matches!(event, Event::RunResumed { .. })), 1);
    assert_eq!(s.history().count(|event| matches!(event, Event::TaskLanded { .. })), 2, "{}", s.history().outline());
}

#[test]
fn a_journal_of_a_version_without_epochs_is_taken_up() {
    let s = scenario();
    let first = s.start_plan(PLAN, &HOW[1..]);
    is_held(&s);
    first.kill();
    let journal = rusqlite::Connection::open(s.run_folder().join("journal.db")).expect("it is a database");
    journal.execute_batch("drop table writer").expect("it is there");
    drop(journal);
    let_go(&s);
    s.inspan(&[&["resume"], &HOW[..]].concat()).code(0);
}

#[test]
fn a_journal_that_does_not_say_who_may_write_it_is_an_error_in_words_and_loses_nothing() {
    let s = scenario();
    let first = s.start_plan(PLAN, &HOW[1..]);
    is_held(&s);
    first.kill();
    let journal = rusqlite::Connection::open(s.run_folder().join("journal.db")).expect("it is a database");
    let before = s.history().0;
    journal.execute_batch("drop table writer; create table writer (epoch text, pid text, time text); insert into writer values ('soon', '', '')")
        .expect("it can be written");
    s.inspan(&[&["resume"], &HOW[..]].concat()).code(1).says("who may write the journal").says("writer");
    s.inspan(&["status"]).code(0).prints("interrupted");
    assert_eq!(s.history().0, before);
    let_go(&s);
}
