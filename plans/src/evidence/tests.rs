//! What each setback is, and what the planner is shown of it.

use expect_test::{Expect, expect};
use shared::{Attempt, AttemptKey, Outcome, Report, TaskId};

use super::*;
use crate::{
    event::{Approver, Author, CommitId, Event, Settings, Suspect},
    failures::{Kind, Place},
    file,
    run_state::RunState,
};

fn task(name: &str) -> TaskId {
    TaskId::new(name).unwrap()
}

fn paths(text: &str) -> Vec<RepoPath> {
    text.split_whitespace().map(|path| RepoPath::new(path).unwrap()).collect()
}

fn test(name: &str) -> FailingTest {
    FailingTest {
        name: name.to_owned(),
        kind: Kind::Test,
        path: RepoPath::new("src/money.rs").ok(),
        line: Some(12),
        message: Some("left is 1, right is 2".to_owned()),
    }
}

fn red(output: &str, names: &[&str]) -> RedVerdict {
    let failing = names.iter().map(|name| test(name)).collect();
    let places = names.iter().map(|_| Place { path: RepoPath::new("src/money.rs").unwrap(), line: 12 }).collect();
    let suspects = vec![Suspect { task: task("b"), paths: paths("src/money.rs") }];
    let suspects = if names.is_empty() { Vec::new() } else { suspects };
    RedVerdict { failing, places, suspects, ..RedVerdict::new(Proof::Gate, "make test", "exit 2", output) }
}

fn own_proof() -> String {
    OwnProof { command: "pytest -q", ended: "exit 1", output: "FAILED tests/test_a.py::test_one - boom\n1 failed" }.in_words()
}

#[test]
fn every_setback_has_one_class_and_its_headline_names_it() {
    let ended = |outcome| Setback::Ended(outcome);
    let report = Report { summary: "There is no such thing.\nMore.".to_owned(), ..Report::default() };
    let exhausted = |limit, last: &str| ended(Outcome::Exhausted { limit, last: last.to_owned() });
    let failed = |why: &str| ended(Outcome::Failed { why: why.to_owned() });
    let setbacks = [
        Setback::Red(red("x", &["a::one", "a::two"])),
        Setback::Red(RedVerdict { red_before: Some(true), ..red("x", &[]) }),
        Setback::Red(RedVerdict { flaky: true, red_before: Some(true), ..red("x", &["a::one"]) }),
        Setback::Clashed { with: task("b"), verdict: red("x", &[]) },
        Setback::Conflicted { paths: paths("x y"), with: vec![task("b")], detail: String::new() },
        exhausted(Limit::Finishes, &own_proof()),
        exhausted(Limit::Finishes, "no file has changed"),
        exhausted(Limit::Turns, &own_proof()),
        failed(&format!("`make` ended well, but {}", own_proof())),
        failed("the program ended with 3\nlog"),
        ended(Outcome::Unavailable { why: "no endpoint".to_owned() }),
        ended(Outcome::Blocked { report }),
        ended(Outcome::ScopeViolation { paths: paths("x") }),
        ended(Outcome::OverBudget),
        ended(Outcome::Cancelled),
    ];
    let lines: Vec<String> = setbacks.iter().map(|setback| format!("{:?}: {}", setback.class(), setback.headline())).collect();
    expect![[r#"
        RedAlone: red alone: gate: `make test` exit 2, failing: a::one, a::two
        RedOnBase: red on the base: gate: `make test` exit 2, which is red without this task, too
        Flaky: flaky: gate: `make test` exit 2, which is red without this task, too, failing: a::one
        RedTogether: green alone, red together with b: gate: `make test` exit 2
        Conflict: conflict with b in x, y
        RedAlone: red alone: the verification `pytest -q` fails (exit 1), until the limit of refused finishes
        Limit: limit: reached the limit of refused finishes
        Limit: limit: reached the limit of turns
        RedAlone: red alone: `make` ended well, but the verification `pytest -q` fails (exit 1):
        Broke: broke: the program ended with 3
        Infrastructure: infrastructure: no endpoint
        Blocked: blocked: There is no such thing.
        Scope: scope: changed files outside its scope: x
        Limit: the run's budget is used up
        Stopped: stopped
    "#]]
    .assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn a_signature_is_made_of_class_command_and_names_and_without_names_of_what_was_said() {
    let same = |one: &Setback, other: &Setback| one.signature() == other.signature();
    let red = |output: &str, names: &[&str]| Setback::Red(red(output, names));
    assert!(same(&red("in 3.1 s", &["a", "b"]), &red("in 4 s", &["b", "a"])), "neither the log nor the order of names matters");
    assert!(!same(&red("", &["a"]), &red("", &["a", "b"])));
    assert!(same(&red("left 3 at /tmp/x", &[]), &red("left 4 at /tmp/y", &[])));
    assert!(!same(&red("no such file", &[]), &red("no such field", &[])));
    let clash = |with: &str| Setback::Clashed { with: task(with), verdict: RedVerdict::new(Proof::Gate, "c", "e", "o") };
    assert!(same(&clash("a"), &clash("a")) && !same(&clash("a"), &clash("b")));
    let turns = |last: &str| Setback::Ended(Outcome::Exhausted { limit: Limit::Turns, last: last.to_owned() });
    assert!(same(&turns("this"), &turns("that")), "how far it came is no other way");
    assert_eq!(red("", &["a"]).signature().to_string().len(), 16);
}

#[test]
fn every_class_has_an_answer_and_only_what_was_not_at_fault_is_simply_retried() {
    for class in Class::ALL {
        let all = strategies(class);
        assert!(!all.is_empty(), "{class}");
        let retries = all.iter().any(|strategy| strategy.contains("`retry`"));
        assert_eq!(retries, matches!(class, Class::RedOnBase | Class::Flaky | Class::Stopped), "{class}");
        let edits = ["add", "drop", "split", "merge", "order", "widen", "rewrite", "retry"];
        let named = all.iter().any(|strategy| edits.iter().any(|edit| strategy.contains(&format!("`{edit}`"))));
        assert_eq!(named, class != Class::Infrastructure, "{class}: it names what to do");
    }
}

const PLAN: &str = "version = 1\ngoal = 'g'\n[gate]\ncommands = ['make test']\n\
    [[task]]\nid = 'a'\ntitle = 'A'\ninstructions = 'do a'\nwrite = ['a']\n\
    [[task]]\nid = 'b'\ntitle = 'B'\ninstructions = 'do b'\nwrite = ['b']\n";

/// A state after these setbacks of tasks, each landing as its first or a later attempt.
fn after(setbacks: &[(&str, Setback)]) -> RunState {
    let commit = |name: &str| CommitId(name.to_owned());
    let base = commit("base");
    let first = Event::RunStarted {
        goal: "g".to_owned(),
        base: base.clone(),
        head: base.clone(),
        snapshot: false,
        settings: Settings::default(),
        program: String::new(),
    };
    let mut state = RunState::begin(&first).unwrap();
    let plan = Box::new(file::parse_toml(PLAN).unwrap());
    let mut apply = |event: &Event| state.apply(event).unwrap();
    apply(&Event::PlanProposed { revision: 1, plan: plan.clone(), author: Author::File, warnings: Vec::new() });
    apply(&Event::PlanApproved { revision: 1, by: Approver::Policy });
    apply(&Event::BaseProved { red: vec![RedVerdict { failing: vec![test("old::red")], ..red("", &[]) }] });
    let mut attempts = std::collections::BTreeMap::<TaskId, u32>::new();
    for (number, (name, setback)) in setbacks.iter().enumerate() {
        let attempt = attempts.entry(task(name)).or_default();
        *attempt += 1;
        let key = AttemptKey { task: task(name), attempt: Attempt(*attempt) };
        if *attempt > 1 {
            let revision = u32::try_from(number).unwrap() + 2;
            let fresh = vec![task(name)];
            let (dropped, difference) = (Vec::new(), String::new());
            apply(&Event::PlanRevised { revision, replan: None, plan: plan.clone(), fresh, dropped, difference });
        }
        apply(&Event::AttemptStarted { key: key.clone(), base: base.clone(), continues: None, content: String::new() });
        if let Setback::Ended(outcome) = setback {
            apply(&Event::AttemptEnded { key, commit: Some(commit("left")), outcome: outcome.clone() });
            continue;
        }
        let outcome = Outcome::Done { report: Report { summary: format!("{name} is done"), ..Report::default() } };
        apply(&Event::AttemptEnded { key: key.clone(), commit: Some(commit("left")), outcome });
        apply(&Event::LandingStarted { key: key.clone(), onto: base.clone() });
        apply(&match setback.clone() {
            Setback::Red(verdict) => Event::LandingRefused { key, onto: base.clone(), verdict },
            Setback::Clashed { with, verdict } => Event::TasksClashed { key, onto: base.clone(), with, verdict },
            Setback::Conflicted { paths, with, detail } => {
                Event::LandingConflicted { key, onto: base.clone(), paths, with, detail }
            }
            Setback::Ended(_) => unreachable!(),
        });
    }
    state
}

#[track_caller]
fn check(setbacks: &[(&str, Setback)], expected: &Expect) {
    expected.assert_eq(&account(&after(setbacks)));
}

#[test]
fn the_planner_is_shown_class_names_suspects_what_was_tried_and_what_fits_and_of_the_log_a_few_lines() {
    let log = format!("{}left is 1, right is 2\n{}", "compiling\n".repeat(400), "more\n".repeat(400));
    let verdict = red(&log, &["money::adds", "old::red"]);
    let first = Setback::Red(red("other", &["money::other"]));
    check(
        &[("a", first), ("a", Setback::Red(verdict.clone())), ("a", Setback::Red(verdict))],
        &expect![[r#"
            Tasks:
            - `a` is in trouble
            - `b` is waiting

            ## `a` is in trouble: red alone
            red alone: gate: `make test` exit 2, failing: money::adds, old::red
            What fails:
            - money::adds (src/money.rs:12): left is 1, right is 2
            - old::red (src/money.rs:12): left is 1, right is 2 [failed before the run, too]
            Suspects, by the files that the failure leads to:
            - `b`, which is waiting: it changed src/money.rs
            What was tried:
            - attempt 1: red alone: gate: `make test` exit 2, failing: money::other (signature 490c8d0a08e3f80e)
            - attempt 2: red alone: gate: `make test` exit 2, failing: money::adds, old::red (signature 448cc53a6124649f)
            - attempt 3: the same as attempt 2 (signature 448cc53a6124649f)
            What fits:
            - `rewrite` it with what the failing tests show, and what to do instead; give it another `model` where it went astray
            - `split` it where it is too much at once
            - where a suspect has landed already, `add` a task that mends both and `order` it before this one
            What it said:
                [… 397 lines before]
                compiling
                compiling
                compiling
                left is 1, right is 2
                more
                more
                more
                more
                more
                more
                more
                more
                more
                more
                more
                more
                more
                more
                more
                more
                [… 384 lines after]

            ## Red since before the run; no task is held back by it
            - `make test` exit 2, failing: old::red
        "#]],
    );
}

#[test]
fn the_same_red_of_two_tasks_points_at_a_joint_cause() {
    let text = account(&after(&[("a", Setback::Red(red("", &["money::adds"]))), ("b", Setback::Red(red("", &["money::adds"])))]));
    let (_, joint) = text.split_once("## A joint cause\n").unwrap();
    expect!["`a` and `b` fail in the same way (money::adds). Look for what is behind both: mend it once, in a task of its own that lands before them, or `merge` them"].assert_eq(joint.split("\n\n").next().unwrap());
    let text = account(&after(&[("a", Setback::Red(red("", &["money::adds"]))), ("b", Setback::Red(red("", &["cart::adds"])))]));
    assert!(!text.contains("joint cause"), "{text}");
    let text = account(&after(&[("a", Setback::Red(red("same", &[]))), ("b", Setback::Red(red("same", &[])))]));
    assert!(!text.contains("joint cause"), "the same words may be anything: {text}");
}

#[test]
fn a_worker_hears_the_same_without_what_only_a_planner_can_do() {
    let (attempt, setback) = (Attempt(1), Setback::Ended(Outcome::Exhausted { limit: Limit::Finishes, last: own_proof() }));
    expect![[r#"
        attempt 1: red alone: the verification `pytest -q` fails (exit 1), until the limit of refused finishes
           - tests/test_a.py::test_one (tests/test_a.py): boom
            FAILED tests/test_a.py::test_one - boom
            1 failed"#]]
    .assert_eq(&retold(&Evidence { attempt, setback }));
    let log = "line\n".repeat(4000);
    let whole = Evidence { attempt, setback: Setback::Red(red(&log, &[])) };
    assert!(retold(&whole).len() < 1000);
}

#[test]
fn what_failed_before_the_run_or_is_flaky_is_seen_in_the_verdict() {
    let mut state = after(&[]);
    let seen = |state: &RunState, names: &[&str]| {
        let verdict = state.in_view_of_the_run(red("", names));
        Setback::Red(verdict).class()
    };
    assert_eq!(seen(&state, &["old::red"]), Class::RedOnBase);
    assert_eq!(seen(&state, &["old::red", "new::red"]), Class::RedAlone);
    assert_eq!(seen(&state, &[]), Class::RedAlone, "without names nothing is known");
    let measured = RedVerdict { red_before: Some(false), ..red("", &["old::red"]) };
    assert_eq!(state.in_view_of_the_run(measured).red_before, Some(false), "what was run is believed");
    let failing = vec![test("now::and::then")];
    state.apply(&Event::FlakySeen { command: "c".into(), tasks: Vec::new(), output: String::new(), failing }).unwrap();
    assert_eq!(seen(&state, &["now::and::then"]), Class::Flaky);
}
