//! Typed edits of a plan that is under way, each through the real binary: what becomes of the work, and how the difference is shown.
//!
//! Which edit may be done to a task that has come how far is a table in `plans::edit`; here each kind is seen to do what it is for.

use ::plans::event::Event;
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tests::{
    Scenario, branch,
    model::{ModelServer, Script, Turn, call, command, edits, finish, plan, write},
    plan_json,
};

fn one_task(text: &str) -> Value {
    plan_json(text)["tasks"][0].clone()
}

fn blocked(why: &str) -> Turn {
    call("finish", json!({ "status": "blocked", "summary": why, "hand_off": "", "follow_ups": [] }))
}

/// Writes a file and says that it is done.
fn makes(path: &str) -> [Turn; 2] {
    [write(path, "made\n"), finish("Did it.")]
}

/// Whoever edits may name a model that is configured for something.
const MODELS: &str =
    "[models]\nplanner = \"scripted-http/usual\"\nworker = \"scripted-http/usual\"\nresolver = \"scripted-http/strong\"";

/// Runs a plan that is mended once, to its whole end; the difference with its cause is the same in the journal, as JSON and in the log.
fn check(s: Scenario, plan_text: &str, change: &Value, workers: impl FnOnce(Script) -> Script, expected: &Expect) -> Scenario {
    let script = Script::new().planner(1, [plan(plan_text)]).planner(2, [edits(change)]);
    let server = ModelServer::start(workers(script));
    let s = s.model(&server).env("INSPAN_MODEL", "").config(MODELS);
    let out = s.inspan(&["run", "Make it", "--yes", "--workers", "2", "--output-format", "json"]).code(0);
    let difference = |event: &Event| match event {
        Event::PlanRevised { difference, .. } => Some(difference.clone()),
        _ => None,
    };
    let difference = s.history().events().find_map(difference).expect("the plan was mended");
    let lines = out.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    let told: Vec<Value> = lines.filter(|line| line["type"] == "plan_revised").collect();
    assert_eq!(told.len(), 1, "{}", s.history().outline());
    assert_eq!(told[0]["difference"], json!(difference));
    let log = s.inspan(&["log"]).code(0);
    for line in difference.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(log.all().contains(line), "the log does not show `{line}`:\n{}", log.all());
    }
    branch::assert_always_green(&s);
    expected.assert_eq(&format!("{difference}\n---\n{}\n", branch::subjects(&s)));
    s
}

fn ended(s: &Scenario, attempt: &str) -> String {
    let of = |event: &Event| match event {
        Event::AttemptEnded { key, outcome, .. } if key.to_string() == attempt => Some(format!("{outcome:?}")),
        _ => None,
    };
    s.history().events().find_map(of).unwrap_or_else(|| panic!("{attempt} did not end:\n{}", s.history().outline()))
}

#[test]
fn a_running_task_that_is_dropped_is_stopped_its_work_is_kept_and_what_waits_for_it_goes_on() {
    let s = Scenario::new("## README\nhello\n").with_meeting_place();
    let go = s.meeting_place().join("go");
    let (go, change) = (
        go.display(),
        json!([
            { "edit": "drop", "task": "slow", "because": "nobody needs it" },
            { "edit": "retry", "task": "a", "because": "slow was in its way" },
        ]),
    );
    let slow = [write("slow.txt", "half\n"), command(&format!("touch '{go}'; sleep 600"))];
    let a = [command(&format!("until test -e '{go}'; do sleep 0.05; done")), blocked("slow is in my way")];
    let s = check(
        s,
        "a | write a.txt\n slow | write slow.txt\n next | after slow | write next.txt",
        &change,
        |script| {
            script.worker("a", 1, a).worker("a", 2, makes("a.txt")).worker("slow", 1, slow).worker("next", 1, makes("next.txt"))
        },
        &expect![[r#"
            drop: nobody needs it
            retry: slow was in its way

            - task slow: Do slow
            ~ task next
                depends_on:
                  - slow
            ---
            Do a
            Do next
        "#]],
    );
    assert_eq!(ended(&s, "slow #1"), "Superseded");
    let kept = s.repository().files_at(&format!("refs/inspan/{}/slow/1", s.run_id()));
    assert!(kept.contains("## slow.txt\nhalf\n"), "{kept}");
    assert!(!s.result().contains("slow.txt"), "{}", s.result());
}

#[test]
fn a_task_in_trouble_that_is_split_is_done_in_parts_and_what_waits_for_it_waits_for_them() {
    let change = json!([{ "edit": "split", "task": "a", "because": "it was too much for one",
        "into": [one_task("a-one | write one.txt"), one_task("a-two | write two.txt | after a-one")] }]);
    check(
        Scenario::new("## README\nhello\n"),
        "a | write one.txt two.txt\n b | after a | write b.txt",
        &change,
        |script| {
            let script = script.worker("a", 1, [write("one.txt", "half\n"), blocked("it is too much")]);
            script.worker("a-one", 1, makes("one.txt")).worker("a-two", 1, makes("two.txt")).worker("b", 1, makes("b.txt"))
        },
        &expect![[r#"
            split: it was too much for one

            - task a: Do a
            + task a-one: Do a-one
                instructions:
                  + Do all of a-one.
                write:
                  + one.txt
            + task a-two: Do a-two
                instructions:
                  + Do all of a-two.
                depends_on:
                  + a-one
                write:
                  + two.txt
            ~ task b
                depends_on:
                  - a
                  + a-two
            ---
            Do a-one
            Do a-two
            Do b
        "#]],
    );
}

#[test]
fn two_tasks_that_are_merged_are_done_as_one_in_the_scope_of_both() {
    let whole = json!({ "id": "both", "title": "Do both", "instructions": "Do a and b together." });
    let change = json!([{ "edit": "merge", "tasks": ["a", "b"], "into": whole, "because": "each needs the other's type" }]);
    check(
        Scenario::new("## README\nhello\n"),
        "a | write a.txt\n b | after a | write b.txt\n c | after b | write c.txt",
        &change,
        |script| {
            let both = [write("a.txt", "made\n"), write("b.txt", "made\n"), finish("Did both.")];
            script.worker("a", 1, [blocked("it takes b")]).worker("both", 1, both).worker("c", 1, makes("c.txt"))
        },
        &expect![[r#"
            merge: each needs the other's type

            - task a: Do a
            - task b: Do b
            + task both: Do both
                instructions:
                  + Do a and b together.
                write:
                  + a.txt
                  + b.txt
            ~ task c
                depends_on:
                  - b
                  + both
            ---
            Do both
            Do c
        "#]],
    );
}

#[test]
fn a_task_that_is_put_in_order_starts_again_from_what_it_was_missing() {
    let change = json!([{ "edit": "order", "before": "b", "after": "a", "because": "a reads what b writes" }]);
    check(
        Scenario::new("## README\nhello\n"),
        "a | write a.txt\n b | write b.txt",
        &change,
        |script| {
            let again = [command("cat b.txt"), write("a.txt", "made\n"), finish("Did it.")];
            script.worker("a", 1, [blocked("b.txt is missing")]).worker("a", 2, again).worker("b", 1, makes("b.txt"))
        },
        &expect![[r#"
            order: a reads what b writes

            ~ task a
                depends_on:
                  + b
            ---
            Do b
            Do a
        "#]],
    );
}

#[test]
fn a_task_whose_wish_for_scope_was_refused_is_widened_in_an_order_with_the_owner() {
    let ask = call("request_scope", json!({ "paths": ["b.txt"], "reason": "the type is there" }));
    let change = json!([
        { "edit": "order", "before": "b", "after": "a", "because": "b owns the file and comes first" },
        { "edit": "widen", "task": "a", "write": ["b.txt"], "because": "it has to name the new type there" },
    ]);
    let s = check(
        Scenario::new("## README\nhello\n"),
        "a | write a.txt\n b | write b.txt",
        &change,
        |script| {
            let again = [command("echo more >> b.txt"), write("a.txt", "made\n"), finish("Did it.")];
            script.worker("a", 1, [ask, blocked("b.txt is needed")]).worker("a", 2, again).worker("b", 1, makes("b.txt"))
        },
        &expect![[r#"
            order: b owns the file and comes first
            widen: it has to name the new type there

            ~ task a
                depends_on:
                  + b
                write:
                    a.txt
                  + b.txt
            ---
            Do b
            Do a
        "#]],
    );
    assert!(s.result().contains("## b.txt\nmade\nmore\n"), "{}", s.result());
}

#[test]
fn a_task_that_is_rewritten_for_another_model_is_done_by_that_model() {
    let change = json!([{ "edit": "rewrite", "task": "a", "model": "scripted-http/strong", "instructions": "Do it, and well.",
                          "because": "the usual model did not manage" }]);
    let s = check(
        Scenario::new("## README\nhello\n"),
        "a | write a.txt",
        &change,
        |script| script.worker("a", 1, [blocked("I cannot")]).worker("a", 2, makes("a.txt")),
        &expect![[r#"
            rewrite: the usual model did not manage

            ~ task a
                instructions:
                  - Do all of a.
                  + Do it, and well.
                model:
                  + scripted-http/strong
            ---
            Do a
        "#]],
    );
    let by = |attempt| {
        let of = |event: &Event| match event {
            Event::TurnTaken(turn) if turn.task.as_ref().is_some_and(|task| task.as_str() == "a") => {
                (turn.attempt == Some(shared::Attempt(attempt))).then(|| turn.model.clone())
            }
            _ => None,
        };
        s.history().events().find_map(of).expect("it took a turn")
    };
    assert_eq!((by(1).as_str(), by(2).as_str()), ("scripted-http/usual", "scripted-http/strong"));
}

#[test]
fn a_task_that_is_retried_has_its_attempts_again_and_a_number_of_its_own() {
    let change = json!([{ "edit": "retry", "task": "a", "because": "the registry was down" }]);
    let s = check(
        Scenario::new("## README\nhello\n"),
        "a | write a.txt",
        &change,
        |script| {
            script.worker("a", 1, [write("a.txt", "half\n"), blocked("the registry is down")]).worker("a", 2, makes("a.txt"))
        },
        &expect![[r#"
            retry: the registry was down


            ---
            Do a
        "#]],
    );
    assert_eq!(s.attempts(), ["a/1", "a/2"]);
}

#[test]
fn edits_that_do_not_fit_how_far_the_plan_has_come_go_back_all_at_once_with_what_to_do_instead() {
    let wrong = json!([
        { "edit": "drop", "task": "first", "because": "b" },
        { "edit": "retry", "task": "a", "because": "b" },
        { "edit": "drop", "task": "a", "because": "b" },
        { "edit": "add", "new": one_task("first | write other.txt"), "because": "b" },
        { "edit": "widen", "task": "b", "write": ["b.txt"], "because": "b" },
    ]);
    let right = json!([{ "edit": "drop", "task": "a", "because": "it cannot be done" }]);
    let script = Script::new()
        .planner(1, [plan("first | write first.txt\n a | after first | write a.txt\n b | after a | write b.txt")])
        .planner(2, [edits(&wrong), edits(&right)])
        .worker("first", 1, makes("first.txt"))
        .worker("a", 1, [blocked("it cannot be done")])
        .worker("b", 1, makes("b.txt"));
    let server = ModelServer::start(script);
    let s = Scenario::new("## README\nhello\n").model(&server);
    s.inspan(&["run", "Make it", "--yes"]).code(0);
    expect![[r#"
        The plan is refused. Mend all of these, then submit the whole again:
        - error[landed] edits[0].task: `first` has landed and stays as it is; add a task that depends on it
        - error[contradiction] edits[1].task: edits[2] takes `a` out of the plan; keep one of the two edits
        - error[duplicate-id] edits[3].new.id: `first` is in the plan already and stays as it is; choose another id
        - error[no-change] edits[4].write: `b` may write all of this already; use `retry` if it is to be tried again as it is"#]]
    .assert_eq(server.asked_by_planner(2)[1].last());
    assert_eq!(branch::subjects(&s), "Do first\nDo b");
}
