//! Messages of Anthropic: what the prompt took is told before the first word.

use serde_json::{Value, json};
use shared::Tokens;

use super::{Part, Piece, Saying, halves, named, piece};

/// The pieces of a streamed answer.
pub(super) fn pieces(saying: &Saying<'_>) -> Vec<Piece> {
    let turn = saying.turn;
    let mut pieces = vec![start(saying)];
    let mut index = 0;
    if !turn.text.is_empty() {
        pieces.push(block(index, &json!({ "type": "text", "text": "" })));
        pieces.extend(halves(&turn.text).map(|text| delta(Part::Text, index, &json!({ "type": "text_delta", "text": text }))));
        pieces.push(stop(index));
        index += 1;
    }
    for ((tool, arguments), id) in turn.calls.iter().zip(&saying.ids) {
        pieces.push(block(index, &json!({ "type": "tool_use", "id": id, "name": tool, "input": {} })));
        let rest = json!({ "type": "input_json_delta", "partial_json": arguments.to_string() });
        pieces.push(delta(Part::Arguments, index, &rest));
        pieces.push(stop(index));
        index += 1;
    }
    pieces.push(finish(saying));
    pieces.push(piece(Part::End, sent("message_stop", json!({}))));
    pieces
}

fn sent(kind: &str, mut data: Value) -> String {
    data["type"] = json!(kind);
    named(kind, &data.to_string())
}

/// One token has been written by then.
fn start(saying: &Saying<'_>) -> Piece {
    let told = Tokens { output: 1, ..saying.usage };
    let usage = json!({
        "input_tokens": told.miss, "cache_read_input_tokens": told.hit, "cache_creation_input_tokens": told.write,
        "output_tokens": told.output,
    });
    let message = json!({ "id": "msg", "type": "message", "role": "assistant", "content": [], "model": "m",
        "stop_reason": null, "stop_sequence": null, "usage": usage });
    Piece { told, ..piece(Part::Frame, sent("message_start", json!({ "message": message }))) }
}

fn block(index: u32, block: &Value) -> Piece {
    piece(Part::Frame, sent("content_block_start", json!({ "index": index, "content_block": block })))
}

fn delta(part: Part, index: u32, delta: &Value) -> Piece {
    piece(part, sent("content_block_delta", json!({ "index": index, "delta": delta })))
}

fn stop(index: u32) -> Piece {
    piece(Part::Frame, sent("content_block_stop", json!({ "index": index })))
}

fn finish(saying: &Saying<'_>) -> Piece {
    let reason = if saying.turn.calls.is_empty() { "end_turn" } else { "tool_use" };
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    let text = sent("message_delta", json!({ "delta": delta, "usage": { "output_tokens": saying.usage.output } }));
    let told = Tokens { output: saying.usage.output.saturating_sub(1), ..Tokens::default() };
    Piece { told, ..piece(Part::Finish, text) }
}
