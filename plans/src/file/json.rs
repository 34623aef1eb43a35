//! JSON as a tree of nodes.
//!
//! Models send now and then a list or an object as a text that holds JSON. Where a key can only be such a thing there is no doubt
//! about what was meant, so it is taken as meant.

use serde_json::Value;

use super::node::{Data, Entry, Node, item_path, key_path};
use crate::problem::Place;

/// Keys whose values are lists or objects, never prose.
const STRUCTURED: &[&str] = &[
    "tasks",
    "gate",
    "commands",
    "depends_on",
    "write",
    "shared",
    "deliver",
    "verify",
    "limits",
    "worker",
    "edits",
    "into",
    "new",
];

/// The document at the given path (empty for a whole document).
pub(crate) fn node_of(value: &Value, path: &str) -> Node {
    let place = if path.is_empty() { Place::Plan } else { Place::Path(path.to_owned()) };
    Node { path: path.to_owned(), place, data: data_of(value, path) }
}

fn data_of(value: &Value, path: &str) -> Data {
    match value {
        Value::Null => Data::Null,
        Value::Bool(_) => Data::Other("a truth value"),
        Value::String(text) => Data::Text(text.clone()),
        Value::Number(number) => match number.as_i64().map(i128::from).or(number.as_u64().map(i128::from)) {
            Some(whole) => Data::Whole(whole),
            None => Data::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::Array(items) => {
            Data::List(items.iter().enumerate().map(|(at, item)| node_of(item, &item_path(path, at))).collect())
        }
        Value::Object(map) => Data::Table(map.iter().map(|(key, value)| entry_of(key, value, path)).collect()),
    }
}

fn entry_of(key: &str, value: &Value, path: &str) -> Entry {
    let path = key_path(path, key);
    let unwrapped = unwrap_text(key, value);
    let value = node_of(unwrapped.as_ref().unwrap_or(value), &path);
    Entry { key: key.to_owned(), place: Place::Path(path), value }
}

fn unwrap_text(key: &str, value: &Value) -> Option<Value> {
    let text = value.as_str().filter(|_| STRUCTURED.contains(&key))?;
    let inner: Value = serde_json::from_str(text).ok()?;
    (inner.is_array() || inner.is_object()).then_some(inner)
}
