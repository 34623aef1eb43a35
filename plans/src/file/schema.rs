//! The JSON schema of what a model submits, in the strict form: no further properties, all required, nullable where optional.
//!
//! The descriptions are part of every planner's first request, so they are short: what a word means that does not say it itself.

use serde_json::{Map, Value, json};
use shared::Network;

/// The schema of `submit_plan`'s arguments.
pub fn submit_plan_schema() -> Value {
    object(vec![
        ("version", nullable(&json!({ "type": "integer", "description": "1" }))),
        ("goal", nullable(&text("null: as the person said it"))),
        ("gate", nullable(&gate())),
        ("tasks", json!({ "type": "array", "items": task() })),
    ])
}

fn gate() -> Value {
    object(vec![
        ("commands", texts("shell commands that must pass on the merged tree")),
        ("timeout", nullable(&text("for each command, such as 20m"))),
        ("network", network()),
    ])
}

/// A task, as it stands in a plan and in an edit of one.
pub(crate) fn task() -> Value {
    let command = object(vec![("command", text("a program that does the task instead of an agent"))]);
    object(vec![
        ("id", text("1 to 40 of a-z, 0-9 and -")),
        ("title", text("one line")),
        ("instructions", text("all that the worker needs to know; it sees no other task")),
        ("depends_on", nullable(&texts("ids of tasks that must land first"))),
        ("write", texts("globs that this task alone may write")),
        ("shared", nullable(&texts("globs that several tasks may write"))),
        ("network", network()),
        ("deliver", nullable(&texts("files that must exist afterwards, within write or shared"))),
        ("verify", nullable(&texts("shell commands that prove this task"))),
        ("hand_off", nullable(&text("what its report must tell the tasks that depend on it"))),
        ("worker", json!({ "anyOf": [{ "type": "string", "enum": ["agent"] }, command, { "type": "null" }] })),
        ("model", model()),
        ("limits", nullable(&limits())),
    ])
}

/// Which model does it.
pub(crate) fn model() -> Value {
    nullable(&text("provider/model, only where the person names one"))
}

/// Which network commands reach.
pub(crate) fn network() -> Value {
    let names = Network::ALL.map(Network::as_str);
    nullable(&json!({ "type": "string", "enum": names }))
}

/// What an attempt may spend.
pub(crate) fn limits() -> Value {
    let number = |kind: &str| nullable(&json!({ "type": kind }));
    object(vec![
        ("turns", number("integer")),
        ("tokens", number("integer")),
        ("cost_usd", number("number")),
        ("minutes", number("integer")),
    ])
}

/// An object with exactly these properties.
pub(crate) fn object(properties: Vec<(&str, Value)>) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let required = json!(required);
    let properties: Map<String, Value> = properties.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

pub(crate) fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

pub(crate) fn texts(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

pub(crate) fn nullable(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}
