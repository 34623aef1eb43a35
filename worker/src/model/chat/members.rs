//! What some servers put beside the usual members of a message or of a call and want back as it came: `OpenRouter`'s
//! `reasoning_details`, Gemini's `extra_content` with the signature of a thought, Copilot's `reasoning_opaque`.
//!
//! In [`Opaque`](crate::model::Opaque) they are blocks of the type `members`: one of the message, and one of each call that has any,
//! with the call's id.
//!
//! **Invariant:** a member is kept by its name, and only names that are known here are kept: what a server adds for display (`annotations`,
//! `audio`) would be refused in a request.

use serde_json::{Map, Value, json};

/// Members of a message.
const OF_MESSAGE: [&str; 5] = ["reasoning_details", "reasoning_opaque", "reasoning_text", "thinking_blocks", "extra_content"];
/// Members of a call.
const OF_CALL: [&str; 1] = ["extra_content"];

/// Adds what a piece of a message has.
pub(super) fn keep_of_message(kept: &mut Map<String, Value>, piece: &Value) {
    keep(kept, piece, &OF_MESSAGE);
}

/// Adds what a piece of a call has.
pub(super) fn keep_of_call(kept: &mut Map<String, Value>, piece: &Value) {
    keep(kept, piece, &OF_CALL);
}

fn keep(kept: &mut Map<String, Value>, piece: &Value, names: &[&str]) {
    for name in names {
        match (kept.get_mut(*name), piece.get(*name)) {
            (_, None | Some(Value::Null)) => {}
            (Some(Value::Array(details)), Some(Value::Array(more))) => add_all(details, more),
            (Some(Value::String(text)), Some(Value::String(more))) => text.push_str(more),
            (None, Some(Value::Array(first))) => {
                let mut details = Vec::new();
                add_all(&mut details, first);
                kept.insert((*name).to_owned(), Value::Array(details));
            }
            (_, Some(value)) => {
                kept.insert((*name).to_owned(), value.clone());
            }
        }
    }
}

fn add_all(details: &mut Vec<Value>, pieces: &[Value]) {
    for piece in pieces {
        add(details, piece);
    }
}

/// Pieces of one detail come one after another: the same type and index, and more of its text.
fn add(details: &mut Vec<Value>, piece: &Value) {
    const TEXTS: [&str; 3] = ["text", "summary", "thinking"];
    let same = |last: &Value| ["type", "index"].iter().all(|key| last.get(*key) == piece.get(*key));
    let is_text = TEXTS.iter().any(|key| piece.get(*key).is_some()) || piece.get("signature").is_some();
    let last = details.last_mut().filter(|last| is_text && same(last)).and_then(Value::as_object_mut);
    let (Some(last), Some(piece)) = (last, piece.as_object()) else {
        details.push(piece.clone());
        return;
    };
    for (key, value) in piece.iter().filter(|(_, value)| !value.is_null()) {
        match (last.get_mut(key), value) {
            (Some(Value::String(text)), Value::String(more)) if TEXTS.contains(&key.as_str()) => text.push_str(more),
            _ => {
                last.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The block of a message's or a call's members, if there are any.
pub(super) fn block(kept: Map<String, Value>, call: Option<&str>) -> Option<Value> {
    if kept.is_empty() {
        return None;
    }
    let mut block = Value::Object(kept);
    block["type"] = json!("members");
    if let Some(id) = call {
        block["call"] = json!(id);
    }
    Some(block)
}

/// The members of the message, out of the blocks.
pub(super) fn of_message(blocks: &[Value]) -> Map<String, Value> {
    members(blocks.iter().find(|block| block.get("call").is_none()), &OF_MESSAGE)
}

/// The members of a call, out of the blocks.
pub(super) fn of_call(blocks: &[Value], id: &str) -> Map<String, Value> {
    members(blocks.iter().find(|block| block.get("call").is_some_and(|call| call == id)), &OF_CALL)
}

fn members(block: Option<&Value>, names: &[&str]) -> Map<String, Value> {
    let block = block.and_then(Value::as_object).into_iter().flatten();
    block.filter(|(key, _)| names.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect()
}
