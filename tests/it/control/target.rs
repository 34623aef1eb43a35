//! Which run a command means, and which task of it: a slip of the hand stops no other run, and removes none.

use ::plans::event::Event;
use tests::{Scenario, model::Script};

use super::{REPO, go, scenario, waiting, waits_then_writes};

const ONE: &str = "goal | The first\n first | write first.txt | run echo 1 > first.txt";

#[test]
fn an_empty_name_is_no_run_and_a_run_is_given_up_by_its_whole_name_alone() {
    let s = Scenario::new(REPO);
    s.run_plan(ONE, &[]).code(0);
    let run = s.run_id();
    for words in [&["clean", "", "--give-up"][..], &["cancel", ""], &["apply", ""], &["status", " "], &["skip", "", "first"]] {
        s.inspan(words).code(2).says("the name of a run is empty");
    }
    s.inspan(&["clean", &run[..5], "--give-up"]).code(2).says("wants the whole name").says("nothing was removed");
    assert_eq!(s.runs(), [run.as_str()]);
    s.inspan(&["clean", &run, "--give-up"]).code(0);
    assert!(s.runs().is_empty());
}

#[test]
fn a_word_that_is_no_task_stops_no_run_whose_name_it_begins() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, "a | write a.txt", &[]);
    let run = s.run_id();
    s.inspan(&["cancel", &run[..1]])
        .code(2)
        .says(&format!("is neither a task of run {run} nor the name of a run"))
        .says("its tasks are: a");
    s.inspan(&["steer", &run[..3], "a", "hello"]).code(2).says("is neither a task");
    s.inspan(&["skip", &run]).code(2).says("say which task of it: a");
    s.inspan(&["skip", &run, "b"]).code(2).says("there is no task `b`");
    assert_eq!(s.history().count(|event| matches!(event, Event::CancelRequested)), 0);
    s.inspan(&["cancel", &run[..4]]).code(0).says("is being stopped");
    alive.wait().code(130);
}

#[test]
fn an_order_without_a_run_goes_to_the_live_one_and_with_several_it_is_refused() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, "goal | The live one\n a | write a.txt", &[]);
    let live = s.run_id();
    s.run_plan(ONE, &[]).code(0);
    s.inspan(&["status", "--all"]).code(0).prints(&format!("* {live}  "));
    s.inspan(&["steer", "a", "hello"]).code(0).says(&format!("No run was named; this is run {live}: The live one"));
    s.inspan(&["apply"]).code(0).says(": The first");
    let place = s.meeting_place();
    let other = format!("b | write b.txt | run touch '{0}/b.at'; until test -e '{0}/b'; do sleep 0.01; done", place.display());
    let second = s.start_plan(&other, &[]);
    super::meet(&s, "b.at");
    s.inspan(&["cancel"]).code(2).says("several runs are live").says(&live).says("nothing was done");
    s.inspan(&["cancel", "a"]).code(2).says("several runs are live");
    second.kill();
    s.inspan(&["cancel"]).code(0).says(&live);
    go(&s);
    alive.wait().code(130);
}
