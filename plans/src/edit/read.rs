//! Edits in the JSON form that a model sends.

use serde_json::Value;
use shared::TaskId;

use super::{Change, PlanEdit, Rewrite};
use crate::{
    file::{
        json,
        node::{Data, Node, Syntax},
        read::{Fields, Reader},
    },
    problem::Problem,
    spelling,
    task::Task,
};

const KINDS: &[&str] = &["add", "drop", "split", "merge", "order", "widen", "rewrite", "retry"];

/// Reads the arguments of `edit_plan`: `{"edits": [{"edit": "widen", "task": "x", …, "because": "…"}]}`.
///
/// # Errors
/// Every mistake of form, each with its path. Whether the edits fit a plan is [`apply`](super::apply)'s affair.
pub fn read_edits(value: &Value) -> Result<Vec<PlanEdit>, Vec<Problem>> {
    let root = json::node_of(&super::forgive::forgive(value), "");
    let mut reader = Reader::new(Syntax::Json);
    let list = match &root.data {
        Data::List(_) => Some(&root),
        _ => {
            reader.fields(&root, "the arguments", &["edits"]).and_then(|fields| reader.required(fields, "edits", "the document"))
        }
    };
    if let Some(node) = list
        && matches!(&node.data, Data::List(items) if items.is_empty())
    {
        reader.fault(node, "missing", "`edits` is empty; say what to change, or `drop` what cannot be done".to_owned());
    }
    let edits = reader.list(list, edit);
    finish(reader, edits)
}

/// Reads one edit.
pub(super) fn read_edit(value: &Value) -> Result<PlanEdit, Vec<Problem>> {
    let mut reader = Reader::new(Syntax::Json);
    let read = edit(&mut reader, &json::node_of(value, ""));
    finish(reader, read.into_iter().collect()).map(|mut edits| edits.pop().expect("an edit that was not read left a problem"))
}

fn finish(reader: Reader, edits: Vec<PlanEdit>) -> Result<Vec<PlanEdit>, Vec<Problem>> {
    if reader.problems.is_empty() { Ok(edits) } else { Err(reader.problems) }
}

fn edit(reader: &mut Reader, node: &Node) -> Option<PlanEdit> {
    let Data::Table(entries) = &node.data else {
        reader.wrong_type(node, "an object such as {\"edit\": \"retry\", \"task\": \"…\", \"because\": \"…\"}");
        return None;
    };
    let Some(kind) = entries.iter().find(|entry| entry.key == "edit").map(|entry| &entry.value) else {
        reader.fault(node, "missing", format!("this edit has no `edit`; it is one of {}", KINDS.join(", ")));
        return None;
    };
    let name = reader.text(kind)?;
    let Some(keys) = keys_of(&name) else {
        let advice = match spelling::nearest(&name, KINDS.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("use one of {}", KINDS.join(", ")),
        };
        let message = format!("`{}` is no edit; {advice}", name.escape_debug());
        reader.fault(kind, "unknown-edit", message);
        return None;
    };
    let fields = reader.fields(node, &format!("`{name}`"), keys)?;
    let because = reader.required(fields, "because", "this edit").and_then(|node| reader.text(node));
    let change = change(reader, fields, &name);
    Some(PlanEdit { change: change?, because: because? })
}

/// The keys of an edit of this name.
fn keys_of(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "add" => &["edit", "because", "new"],
        "drop" | "retry" => &["edit", "because", "task"],
        "split" => &["edit", "because", "task", "into"],
        "merge" => &["edit", "because", "tasks", "into"],
        "order" => &["edit", "because", "before", "after"],
        "widen" => &["edit", "because", "task", "write", "shared"],
        "rewrite" => &[
            "edit",
            "because",
            "task",
            "title",
            "instructions",
            "depends_on",
            "network",
            "deliver",
            "verify",
            "hand_off",
            "model",
            "limits",
        ],
        _ => return None,
    })
}

fn change(reader: &mut Reader, fields: Fields<'_>, name: &str) -> Option<Change> {
    match name {
        "add" => task(reader, fields, "new").map(|new| Change::Add { new: Box::new(new) }),
        "drop" => Some(Change::Drop { task: id(reader, fields, "task")? }),
        "retry" => Some(Change::Retry { task: id(reader, fields, "task")? }),
        "split" => {
            let (task, into) = (id(reader, fields, "task"), reader.required(fields, "into", "this edit"));
            let into = reader.list(into, |reader, node| reader.task(node, &unnamed()));
            Some(Change::Split { task: task?, into })
        }
        "merge" => {
            let (tasks, into) = (reader.required(fields, "tasks", "this edit"), task(reader, fields, "into"));
            Some(Change::Merge { tasks: reader.ids(tasks), into: Box::new(into?) })
        }
        "order" => {
            let (before, after) = (id(reader, fields, "before"), id(reader, fields, "after"));
            Some(Change::Order { before: before?, after: after? })
        }
        "widen" => {
            let task = id(reader, fields, "task");
            let (write, shared) = (reader.globs(fields.get("write")), reader.globs(fields.get("shared")));
            Some(Change::Widen { task: task?, write, shared })
        }
        _ => {
            let task = id(reader, fields, "task");
            let with = rewrite(reader, fields);
            Some(Change::Rewrite { task: task?, with })
        }
    }
}

fn id(reader: &mut Reader, fields: Fields<'_>, key: &str) -> Option<TaskId> {
    reader.required(fields, key, "this edit").and_then(|node| reader.id(node))
}

fn task(reader: &mut Reader, fields: Fields<'_>, key: &str) -> Option<Task> {
    reader.required(fields, key, "this edit").and_then(|node| reader.task(node, &unnamed()))
}

/// Stands for an id that was not understood; no edit that holds it gets past [`finish`].
fn unnamed() -> TaskId {
    TaskId::new("unnamed").expect("letters")
}

fn rewrite(reader: &mut Reader, fields: Fields<'_>) -> Rewrite {
    Rewrite {
        title: fields.get("title").and_then(|node| reader.text(node)),
        instructions: fields.get("instructions").and_then(|node| reader.text(node)),
        depends_on: fields.get("depends_on").map(|node| reader.ids(Some(node))),
        network: fields.get("network").and_then(|node| reader.network(node)),
        deliver: fields.get("deliver").map(|node| reader.paths(Some(node))),
        verify: fields.get("verify").map(|node| reader.texts(Some(node))),
        hand_off: fields.get("hand_off").and_then(|node| reader.text(node)),
        model: fields.get("model").and_then(|node| reader.text(node)),
        limits: fields.get("limits").map(|node| reader.limits(node)),
    }
}
