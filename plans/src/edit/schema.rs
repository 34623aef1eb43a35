//! The JSON schema of edits, one shape for each kind.

use serde_json::{Value, json};

use crate::file::schema::{limits, model, network, nullable, object, task, text, texts};

/// The schema of `edit_plan`'s arguments.
pub fn edit_plan_schema() -> Value {
    let id = || text("a task that has not landed");
    let kinds = [
        kind("add", vec![("new", task())]),
        kind("drop", vec![("task", id())]),
        kind("split", vec![("task", id()), ("into", json!({ "type": "array", "items": task() }))]),
        kind("merge", vec![("tasks", texts("ids")), ("into", task())]),
        kind("order", vec![("before", text("id")), ("after", id())]),
        kind("widen", vec![("task", id()), ("write", nullable(&texts("globs"))), ("shared", nullable(&texts("globs")))]),
        kind("rewrite", rewrite()),
        kind("retry", vec![("task", id())]),
    ];
    object(vec![("edits", json!({ "type": "array", "items": { "anyOf": kinds } }))])
}

fn kind(name: &str, own: Vec<(&str, Value)>) -> Value {
    let mut properties = vec![("edit", json!({ "type": "string", "enum": [name] }))];
    properties.extend(own);
    properties.push(("because", text("the evidence")));
    object(properties)
}

fn rewrite() -> Vec<(&'static str, Value)> {
    vec![
        ("task", text("null below: as it is")),
        ("title", nullable(&text("one line"))),
        ("instructions", nullable(&text("whole text"))),
        ("depends_on", nullable(&texts("all ids"))),
        ("network", network()),
        ("deliver", nullable(&texts("all files"))),
        ("verify", nullable(&texts("all commands"))),
        ("hand_off", nullable(&text("whole text"))),
        ("model", model()),
        ("limits", nullable(&limits())),
    ]
}
