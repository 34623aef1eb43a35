//! Orders to a run that a process carries.

use ::plans::event::{Event, RunStatus};
use serde_json::json;
use tests::model::{Script, edits, finish, plan, write};

use super::{command, go, meet, scenario, waiting, waits_then_writes};

const TWO: &str = "a | write a.txt\n b | after a | write b.txt | run echo b > b.txt";
const WHOLE: &str = "## README\nhello\n## a.txt\na\n## b.txt\nb\n";

#[test]
fn a_paused_run_asks_no_model_until_it_goes_on_and_hears_what_was_said_meanwhile() {
    let (s, server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, TWO, &[]);
    s.inspan(&["pause"]).code(0).says("is paused: nothing begins and no model is asked. One worker finishes its turn and waits.");
    s.inspan(&["pause"]).code(1).says("is paused already").says("inspan resume");
    s.inspan(&["status"]).code(0).prints(": PAUSED").prints("lets it go on");
    s.inspan(&["status", "--output-format", "json"]).code(0).prints("\"status\":\"paused\"");
    s.inspan(&["steer", "a", "use", "tabs"]).code(0).says("hears it at its next turn").says("The run is paused");
    go(&s);
    meet(&s, "a.gone");
    s.inspan(&["resume", &s.run_id()]).code(0).says("goes on.");
    s.inspan(&["resume"]).code(1).says("is being worked on by process").says("is not paused");
    alive.wait().code(0);
    assert_eq!(s.result(), WHOLE);
    let history = s.history();
    let at = |wanted: &dyn Fn(&Event) -> bool| history.events().position(wanted).expect("it happened");
    let second = at(&|event| matches!(event, Event::TurnTaken(turn) if turn.turn == 2));
    assert!(at(&|event| *event == Event::RunUnpaused) < second, "{}", history.outline());
    let told = server.asked_by("a", 1)[1].messages().to_vec();
    let heard = |count: usize| told.iter().filter(|message| message["content"].to_string().contains("use tabs")).count() == count;
    assert!(heard(1), "{told:?}");
}

#[test]
fn a_paused_run_is_stopped_by_ctrl_c_and_by_cancel() {
    for by_cancel in [true, false] {
        let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
        let alive = waiting(&s, TWO, &[]);
        s.inspan(&["pause"]).code(0);
        go(&s);
        meet(&s, "a.gone");
        if by_cancel {
            s.inspan(&["cancel"]).code(0).says("is being stopped");
        } else {
            alive.interrupt();
        }
        alive.wait().code(130);
        assert_eq!(s.attempts(), ["a/1"]);
        assert!(!s.run_folder().join("control").exists(), "the socket went with it");
    }
}

#[test]
fn a_task_that_is_given_up_ends_with_what_waits_for_it_and_the_rest_lands() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, &format!("{TWO}\n c | write c.txt | run echo c > c.txt"), &[]);
    s.inspan(&["cancel", "a"])
        .code(0)
        .says("`a` is being stopped; what it has done is kept as refs/inspan/")
        .says("With it go b");
    alive.wait().code(3);
    assert_eq!(s.result(), "## README\nhello\n## c.txt\nc\n");
    assert_eq!(s.state().tasks().iter().map(|task| task.state.name()).collect::<Vec<_>>(), ["cancelled", "dropped", "landed"]);
    assert!(s.attempts().contains(&"a/1".to_owned()));
}

#[test]
fn a_task_that_is_skipped_leaves_the_plan_and_what_waited_for_it_goes_on() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, TWO, &[]);
    s.inspan(&["skip", &s.run_id()[..6], "a"]).code(0).says("is taken out of the plan").says("b no longer waits for it");
    alive.wait().code(0);
    assert_eq!(s.result(), "## README\nhello\n## b.txt\nb\n");
    assert_eq!(s.attempts(), ["a/1", "b/1"]);
}

#[test]
fn a_task_is_tried_again_from_an_attempt_with_its_files_and_its_conversation_and_lands() {
    let first = [write("a.txt", "half"), command("false; echo mark-of-the-first"), finish("Wrote half.")];
    let second = [command(super::WAIT), finish("It was whole.")];
    let third = [command("cat a.txt; echo a > a.txt"), finish("Wrote the rest.")];
    let (s, server) = scenario(Script::new().worker("a", 1, first).worker("a", 2, second).worker("a", 3, third));
    let plan = "a | write a.txt | verify test ! -e \"$MEET/at\" -a \"$(cat a.txt)\" = a\n b | after a | write b.txt | run echo b > b.txt";
    let alive = s.start_plan(&plan.replace("test ! -e \"$MEET/at\" -a ", "test "), &["--max-minutes", "9"]);
    meet(&s, "a.at");
    s.inspan(&["retry", "a", "--from", "2"]).code(1).says("attempt 2 at `a` is at work");
    s.inspan(&["retry", "a", "--from", "7"]).code(1).says("there is no attempt 7").says("these have: 1");
    s.inspan(&["retry", "a", "--from", "1"]).code(0).says("from where attempt 1 left off").says("Attempt 2 is being stopped");
    alive.wait().code(0);
    assert_eq!(s.result(), WHOLE);
    let asked = server.asked_by("a", 3);
    let told = asked[0].body.to_string();
    assert!(told.contains("mark-of-the-first") && told.contains("go on from here"), "{told}");
    assert!(asked[1].last().contains("half"), "the files were there: {}", asked[1].last());
}

#[test]
fn the_planner_looks_at_the_plan_when_a_person_wants_it() {
    let change = edits(&json!([{ "edit": "drop", "task": "b", "because": "a person wants less" }]));
    let script = Script::new().planner(1, [plan(TWO)]).planner(2, [change]).worker("a", 1, waits_then_writes());
    let (s, server) = scenario(script);
    let alive = s.start(&["run", "Write", "--yes"]);
    meet(&s, "a.at");
    s.inspan(&["replan", "leave b out"]).code(0).says("The planner of run").says("looks at the plan now");
    s.wait_until(|event| matches!(event, Event::PlanRevised { .. }));
    go(&s);
    alive.wait().code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
    assert!(server.asked_by_planner(2)[0].body.to_string().contains("leave b out"));
}

#[test]
fn raised_limits_reach_the_attempt_that_is_at_work_and_none_falls_below_what_is_spent() {
    let (s, server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let s = s.config("[task]\nturns = 1\n[run]\nattempts = 1\nreplans = 0\nmax_tokens = 100000\nmax_minutes = 60");
    let alive = waiting(&s, TWO, &[]);
    let used = s.state().spending().tokens.total();
    s.inspan(&["limits"]).code(0).prints("100.0k tokens, 60 minutes; up to 4 workers at once");
    s.inspan(&["limits", "--max-tokens", "1"]).code(1).says(&format!("the run has used {used} tokens already"));
    s.inspan(&["limits", "--workers", "0"]).code(1).says("at least 1 is needed");
    s.inspan(&["limits", "--max-cost", "2"]).code(1).says("the price of scripted-http/test-model is not known");
    s.inspan(&["limits", "--task", "a", "--turns", "1"]).code(1).says("changes nothing");
    s.inspan(&["limits", "--workers", "7", "--max-minutes", "90", "--task", "a", "--turns", "9"])
        .code(0)
        .says("may take from now on: 90 minutes, 7 workers at once")
        .says("9 turns")
        .says("has that at once");
    go(&s);
    alive.wait().code(0);
    assert_eq!(s.result(), WHOLE);
    assert_eq!((s.state().settings().workers, s.attempts().len()), (7, 2));
    let told = server.asked_by("a", 1)[1].body.to_string();
    assert!(told.contains("A person has changed your limits"), "who was warned is told: {told}");
}

#[test]
fn money_that_is_raised_in_time_lets_a_run_go_on_where_it_would_have_ended() {
    let turns = waits_then_writes().map(|turn| turn.tokens(9_000));
    let (s, _server) = scenario(Script::new().worker("a", 1, turns));
    let alive = waiting(&s, TWO, &["--max-tokens", "16000"]);
    s.inspan(&["limits", "--max-tokens", "900000"]).code(0).says("900000 tokens");
    go(&s);
    alive.wait().code(0);
    assert_eq!(s.result(), WHOLE);
}

#[test]
fn what_comes_too_late_or_means_nothing_is_refused_in_words() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let plan = "a | write a.txt\n first | write f.txt | run echo f > f.txt\n second | after a | write s.txt | run echo s > s.txt";
    let alive = waiting(&s, plan, &[]);
    s.wait_until(|event| matches!(event, Event::TaskLanded { .. }));
    s.inspan(&["steer", "frist", "hello"]).code(2).says("there is no task `frist`").says("did you mean `first`?");
    for order in ["cancel", "skip", "retry"] {
        s.inspan(&[order, "first"]).code(1).says("`first` has landed as");
    }
    s.inspan(&["steer", "second", "hello"]).code(1).says("is done by the command `echo s > s.txt`, which hears nobody");
    s.inspan(&["steer", "a", " "]).code(1).says("there are no words");
    s.inspan(&["steer", "a", &"x".repeat(40_000)]).code(1).says("32768 are heard at most");
    s.inspan(&["retry", "a", "--from", "3"]).code(1).says("there is no attempt 3 at `a`");
    s.inspan(&["resume", "--max-cost", "3"]).code(1).says("which these flags do not reach").says("inspan limits");
    s.inspan(&["cancel", "a"]).code(0);
    s.wait_until(|event| matches!(event, Event::TaskEnded { .. }));
    let out = alive.wait().code(3);
    for order in [&["pause"][..], &["cancel", "a"], &["steer", "a", "hello"], &["skip", "a"]] {
        s.inspan(order).code(1).says("is over (incomplete)").says("inspan retry");
    }
    s.inspan(&["limits", "--workers", "3"]).code(1).says("is over (incomplete)").says("inspan resume");
    assert!(
        s.history().count(|event| matches!(event, Event::RunEnded { status: RunStatus::Incomplete, .. })) == 1,
        "{}",
        out.all()
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_second_cancel_stops_at_once_what_waits_for_a_git_that_never_comes_back() {
    use std::os::unix::fs::PermissionsExt as _;

    let (s, _server) = scenario(Script::new());
    let place = s.meeting_place();
    let git = place.join("git");
    let path = std::env::var("PATH").expect("a PATH");
    let real =
        path.split(':').map(|folder| format!("{folder}/git")).find(|file| std::path::Path::new(file).exists()).expect("git");
    let text = format!(
        "#!/bin/sh\ncase \" $* \" in *' commit-tree '*) echo $$ > '{0}/new'; mv '{0}/new' '{0}/hangs'; exec sleep 1000;; esac\nexec {real} \"$@\"\n",
        place.display()
    );
    std::fs::write(&git, text).expect("a file");
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let s = s.env("PATH", format!("{}:{path}", place.display()));
    let alive = s.start_plan("a | write a.txt | run echo a > a.txt", &[]);
    meet(&s, "hangs");
    let pid = std::fs::read_to_string(place.join("hangs")).expect("its process");
    s.inspan(&["cancel"]).code(0).says("is being stopped");
    s.inspan(&["cancel"]).code(0).says("Stopped at once.");
    alive.wait().code(130);
    let process = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
    assert!(tests::eventually(|| (!process.exists()).then_some(())).is_some(), "git goes with it");
}

#[test]
fn no_limit_that_was_ordered_makes_the_journal_unreadable() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, TWO, &[]);
    s.inspan(&["limits", "--task", "a", "--tokens", "9223372036854775808"])
        .code(1)
        .says("is too much: at most 9223372036854775807");
    s.inspan(&["limits", "--task", "a", "--tokens", "9223372036854775807"]).code(0);
    s.inspan(&["limits", "--workers", "1", "--max-tokens", "18446744073709551615"]).code(1).says("is too much");
    s.inspan(&["steer", "a", "look \u{1b}[2J\u{202e}here"]).code(0);
    go(&s);
    alive.wait().code(0);
    s.inspan(&["status"]).code(0).prints("2/2 landed");
    s.inspan(&["log"]).code(0).prints("look \\u{1b}[2J\\u{202e}here");
}
