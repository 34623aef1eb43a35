//! An answer on the wire: server-sent events, in several pieces.

use serde_json::{Value, json};

use super::script::Turn;

/// The pieces of a streamed answer.
pub(super) fn pieces(turn: &Turn, turn_number: usize, prompt_bytes: usize) -> Vec<String> {
    let mut deltas = vec![json!({ "role": "assistant", "content": "" })];
    // A text comes in two pieces, so that nobody relies on getting it whole.
    let half = turn.text.char_indices().nth(turn.text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (one, two) = turn.text.split_at(half);
    deltas.extend([one, two].iter().filter(|part| !part.is_empty()).map(|part| json!({ "content": part })));
    for (place, (tool, arguments)) in turn.calls.iter().enumerate() {
        let id = format!("call_{turn_number}_{place}");
        deltas.push(json!({ "tool_calls": [
            { "index": place, "id": id, "type": "function", "function": { "name": tool, "arguments": "" } }] }));
        deltas.push(json!({ "tool_calls": [{ "index": place, "function": { "arguments": arguments.to_string() } }] }));
    }
    let reason = if turn.calls.is_empty() { "stop" } else { "tool_calls" };
    let mut pieces: Vec<String> = deltas.into_iter().map(|delta| event(&choice(&delta, None))).collect();
    pieces.push(event(&choice(&json!({}), Some(reason))));
    pieces.push(event(&usage(turn, prompt_bytes)));
    pieces.push("data: [DONE]\n\n".to_owned());
    pieces
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn choice(delta: &Value, finish: Option<&str>) -> Value {
    json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

/// What a turn is written with, however long it is.
const WRITTEN: u64 = 10;

/// Prompt and answer, in tokens.
pub(super) fn tokens(turn: &Turn, prompt_bytes: usize) -> u64 {
    turn.tokens.unwrap_or(prompt_bytes as u64 / 4) + WRITTEN
}

fn usage(turn: &Turn, prompt_bytes: usize) -> Value {
    let total = tokens(turn, prompt_bytes);
    let prompt = total - WRITTEN;
    let cached = turn.cached.min(prompt);
    json!({ "object": "chat.completion.chunk", "choices": [],
            "usage": { "prompt_tokens": prompt, "completion_tokens": WRITTEN, "total_tokens": total,
                       "prompt_tokens_details": { "cached_tokens": cached } } })
}
