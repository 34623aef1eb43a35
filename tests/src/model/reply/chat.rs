//! Chat completions.

use serde_json::{Value, json};

use super::{Part, Piece, Saying, event, halves, piece};

/// The pieces of a streamed answer.
pub(super) fn pieces(saying: &Saying<'_>) -> Vec<Piece> {
    let turn = saying.turn;
    let mut pieces = vec![said(Part::Frame, &json!({ "role": "assistant", "content": "" }))];
    pieces.extend(halves(&turn.text).map(|text| said(Part::Text, &json!({ "content": text }))));
    for (place, ((tool, arguments), id)) in turn.calls.iter().zip(&saying.ids).enumerate() {
        let mut call = json!({ "index": place, "type": "function", "function": { "name": tool, "arguments": "" } });
        if !id.is_empty() {
            call["id"] = json!(id);
        }
        pieces.push(said(Part::Frame, &json!({ "tool_calls": [call] })));
        let rest = json!({ "tool_calls": [{ "index": place, "function": { "arguments": arguments.to_string() } }] });
        pieces.push(said(Part::Arguments, &rest));
    }
    let reason = if turn.calls.is_empty() { "stop" } else { "tool_calls" };
    pieces.push(piece(Part::Finish, event(&choice(&json!({}), Some(reason)).to_string())));
    pieces.push(usage(saying));
    pieces.push(piece(Part::End, event("[DONE]")));
    pieces
}

fn said(part: Part, delta: &Value) -> Piece {
    piece(part, event(&choice(delta, None).to_string()))
}

fn choice(delta: &Value, finish: Option<&str>) -> Value {
    json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

fn usage(saying: &Saying<'_>) -> Piece {
    let (prompt, output) = (saying.usage.hit + saying.usage.miss + saying.usage.write, saying.usage.output);
    let usage = json!({
        "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
        "prompt_tokens_details": { "cached_tokens": saying.usage.hit },
    });
    let text = event(&json!({ "object": "chat.completion.chunk", "choices": [], "usage": usage }).to_string());
    Piece { told: saying.usage, ..piece(Part::Usage, text) }
}
