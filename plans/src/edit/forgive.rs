//! Small liberties that models take with the form of an edit and that leave no doubt about what is meant.
//!
//! **Invariant:** a document in the form of the schema comes out as it went in.

use serde_json::{Map, Value};

/// Other names for `edit` and `because`, as models have been seen to write them.
const KIND: &[&str] = &["kind", "type", "op", "action"];
const CAUSE: &[&str] = &["reason", "cause", "evidence", "why"];

/// The same edits with the names of the schema.
pub(super) fn forgive(document: &Value) -> Value {
    let mend = |edits: &[Value]| edits.iter().map(edit).collect::<Vec<_>>();
    match document {
        Value::Array(edits) => Value::Array(mend(edits)),
        Value::Object(object) => {
            let mut object = object.clone();
            if let Some(Value::Array(edits)) = object.get("edits") {
                let edits = mend(edits);
                object.insert("edits".to_owned(), Value::Array(edits));
            }
            Value::Object(object)
        }
        other => other.clone(),
    }
}

fn edit(edit: &Value) -> Value {
    let Value::Object(object) = edit else { return edit.clone() };
    let mut object = object.clone();
    rename(&mut object, KIND, "edit");
    rename(&mut object, CAUSE, "because");
    // A key that says nothing is as good as none; the schema has nulls only where a value may be left out.
    object.retain(|_, value| !value.is_null());
    match object.get("edit").and_then(Value::as_str) {
        // `{"edit": "add", "task": {…}}`: what is added is a task.
        Some("add") if object.get("task").is_some_and(Value::is_object) => rename(&mut object, &["task"], "new"),
        // `{"edit": "split", "tasks": […]}`: what a task is split into are tasks.
        Some("split") if object.get("tasks").is_some_and(Value::is_array) => rename(&mut object, &["tasks"], "into"),
        // `{"edit": "merge", "task": {…}}`: what tasks are merged into is a task.
        Some("merge") if object.get("task").is_some_and(Value::is_object) => rename(&mut object, &["task"], "into"),
        // `{"edit": "rewrite", "with": {"instructions": …}}`: the new values in an object of their own.
        Some("rewrite") => {
            if let Some(Value::Object(with)) = object.get("with").or_else(|| object.get("changes")).cloned() {
                object.retain(|key, _| key != "with" && key != "changes");
                with.into_iter().filter(|(_, value)| !value.is_null()).for_each(|(key, value)| {
                    object.entry(key).or_insert(value);
                });
            }
        }
        _ => {}
    }
    Value::Object(object)
}

fn rename(object: &mut Map<String, Value>, others: &[&str], name: &str) {
    if object.contains_key(name) {
        return;
    }
    if let Some(value) = others.iter().find_map(|other| object.remove(*other)) {
        object.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_meant_without_doubt_is_understood() {
        for (sent, meant) in [
            (json!([{"op": "retry", "task": "a", "reason": "r"}]), json!([{"edit": "retry", "task": "a", "because": "r"}])),
            (
                json!({"edits": [{"edit": "drop", "task": "a", "because": "r", "write": null}]}),
                json!({"edits": [{"edit": "drop", "task": "a", "because": "r"}]}),
            ),
            (
                json!([{"edit": "add", "task": {"id": "x"}, "because": "r"}]),
                json!([{"edit": "add", "new": {"id": "x"}, "because": "r"}]),
            ),
            (
                json!([{"edit": "split", "task": "a", "tasks": [], "why": "r"}]),
                json!([{"edit": "split", "task": "a", "into": [], "because": "r"}]),
            ),
            (
                json!([{"edit": "rewrite", "task": "a", "with": {"title": "t", "verify": null}, "because": "r"}]),
                json!([{"edit": "rewrite", "task": "a", "title": "t", "because": "r"}]),
            ),
        ] {
            assert_eq!(forgive(&sent), meant);
            assert_eq!(forgive(&meant), meant);
        }
    }
}
