//! Each edit on a task in each state: whether it is taken, and what becomes of the task and of the one that waits for it.
//!
//! The same as a table of words, with what each refusal says to do instead, is in `edit::progress`.

use std::fmt::Write as _;

use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use shared::TaskId;

use super::super::{RunState, TaskState, story::tell};
use crate::{
    edit::{apply, read_edits, refuse_blind},
    event::{Event, Settings},
};

/// How `b` comes into each state. It waits for `a`, `c` waits for it, and `d` has nothing to do with them.
const STATES: &[(&str, &str)] = &[
    ("waiting", ""),
    ("running", "done a, landed a"),
    ("finished", "done a, landed a, done d, done b"),
    ("landing", "done a, landed a, done b"),
    ("in trouble", "done a, landed a, blocked b"),
    ("landed", "done a, landed a, done b, landed b"),
    ("failed", "done a, landed a, blocked b, no-replan, no-replan, no-replan"),
    ("given up", "done a, landed a, give-up b, stopped b"),
];

fn task(id: &str, depends_on: &[&str]) -> Value {
    json!({ "id": id, "title": "New", "instructions": "Do.", "write": [format!("{id}/**")], "depends_on": depends_on, "verify": ["true"] })
}

fn edits() -> Vec<Value> {
    vec![
        json!({ "edit": "drop", "task": "b" }),
        json!({ "edit": "split", "task": "b", "into": [task("b", &[]), task("b2", &[])] }),
        json!({ "edit": "merge", "tasks": ["b", "c"], "into": task("bc", &[]) }),
        json!({ "edit": "widen", "task": "b", "write": ["more"] }),
        json!({ "edit": "rewrite", "task": "b", "instructions": "Do it otherwise.", "model": "p/strong", "limits": { "turns": 9 } }),
        json!({ "edit": "retry", "task": "b" }),
        json!({ "edit": "order", "before": "d", "after": "b" }),
        json!({ "edit": "add", "new": task("e", &["b"]) }),
        json!({ "edit": "rewrite", "task": "d", "depends_on": ["b"] }),
    ]
}

/// The state after the edit, or the rule that it breaks. A person's own edit is no re-plan's.
fn after(state: &RunState, edit: &Value, replan: Option<u32>) -> Result<RunState, String> {
    let mut edit = edit.clone();
    edit["because"] = json!("b");
    let edits = read_edits(&json!([edit])).unwrap();
    let progress = if replan.is_some() { state.progress() } else { state.progress().for_person() };
    let rule = |problems: Vec<crate::Problem>| problems.iter().map(|problem| problem.rule).collect::<Vec<_>>().join(", ");
    let revised = apply(state.plan().unwrap(), &edits, &progress).map_err(rule)?;
    let (mut after, revision, difference) = (state.clone(), state.revision() + 1, String::new());
    let (plan, fresh, dropped) = (Box::new(revised.plan), revised.retried, revised.dropped);
    after.apply(&Event::PlanRevised { revision, replan, plan, fresh, dropped, difference }).unwrap();
    for record in after.landed() {
        assert!(matches!(after.task(record).unwrap().state, TaskState::Landed { .. }));
    }
    assert_eq!(after.landed(), state.landed(), "landed work is only added to");
    Ok(after)
}

/// How a task stands, also when the plan has it no more.
fn stands(state: &RunState, id: &str) -> String {
    let id = TaskId::new(id).unwrap();
    match (state.task(&id), state.gone().iter().find(|record| record.id == id)) {
        (Some(record), _) if record.given_up => format!("{}, given up", record.state.name()),
        (Some(record), _) => record.state.name().to_owned(),
        (None, Some(record)) => format!("gone, {}", record.state.name()),
        (None, None) => "unknown".to_owned(),
    }
}

fn table(replan: Option<u32>) -> String {
    let mut table = String::new();
    for edit in edits() {
        let on = if edit["task"] == "d" { " of d to wait for b" } else { "" };
        writeln!(table, "{}{on}", edit["edit"].as_str().unwrap()).unwrap();
        for (name, happenings) in STATES {
            let state =
                tell(Settings { workers: 2, ..Settings::default() }, "a; b <- a; c <- b; d", happenings, &mut String::new());
            let what = match after(&state, &edit, replan) {
                Ok(after) => format!("b {}; c {}", stands(&after, "b"), stands(&after, "c")),
                Err(rule) => format!("refused: {rule}"),
            };
            writeln!(table, "    {name:11} {what}").unwrap();
        }
    }
    table
}

#[test]
fn each_edit_of_a_re_plan_on_a_task_in_each_state() {
    expect_file!["edits_of_a_re_plan.txt"].assert_eq(&table(Some(1)));
}

#[test]
fn what_a_person_gave_up_a_person_takes_up_again() {
    let (planner, person) = (table(Some(1)), table(None));
    let differing: Vec<&str> = person.lines().zip(planner.lines()).filter(|(a, b)| a != b).map(|(a, _)| a.trim()).collect();
    expect![[r#"
        given up    b waiting; c waiting
        given up    b gone, cancelled; c gone, dropped
        given up    b waiting; c waiting
        given up    b waiting; c waiting
        given up    b waiting; c waiting
        given up    b waiting; c waiting
        given up    refused: ended
        given up    refused: ended"#]]
    .assert_eq(&differing.join("\n"));
}

#[test]
fn the_order_that_a_clash_put_in_may_be_said_once_more_with_a_retry() {
    let settings = Settings { workers: 2, conflict_attempts: 1, ..Settings::default() };
    let state = tell(settings, "a; b", "done a, done b, landed a, clash b a", &mut String::new());
    let order = json!({ "edit": "order", "before": "a", "after": "b", "because": "they clash" });
    let retry = json!({ "edit": "retry", "task": "b", "because": "they clash" });
    let taken = |edits: Vec<&Value>| {
        let (plan, edits) = (state.plan().unwrap(), read_edits(&json!(edits)).unwrap());
        refuse_blind(plan, &edits, &state.repeating()).and_then(|()| apply(plan, &edits, &state.progress())).is_ok()
    };
    assert!(taken(vec![&order, &retry]) && taken(vec![&retry, &order]));
    assert!(!taken(vec![&order]), "alone it changes nothing");
}
