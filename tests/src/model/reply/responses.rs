//! Responses of `OpenAI`: items, and what they took with the last event.

use serde_json::{Value, json};

use super::{Part, Piece, Saying, halves, named, piece};

/// The pieces of a streamed answer.
pub(super) fn pieces(saying: &Saying<'_>) -> Vec<Piece> {
    let turn = saying.turn;
    let mut pieces =
        vec![sent(Part::Frame, "response.created", json!({ "response": { "id": "resp", "status": "in_progress" } }))];
    let mut items = Vec::new();
    if !turn.text.is_empty() {
        let begun = json!({ "type": "message", "id": "msg_0", "role": "assistant", "status": "in_progress", "content": [] });
        pieces.push(added(0, &begun));
        pieces.extend(halves(&turn.text).map(|text| {
            let data = json!({ "item_id": "msg_0", "output_index": 0, "content_index": 0, "delta": text });
            sent(Part::Text, "response.output_text.delta", data)
        }));
        let content = json!([{ "type": "output_text", "text": turn.text, "annotations": [] }]);
        let item = json!({ "type": "message", "id": "msg_0", "role": "assistant", "status": "completed", "content": content });
        pieces.push(done(0, &item));
        items.push(item);
    }
    for ((tool, arguments), id) in turn.calls.iter().zip(&saying.ids) {
        let (place, arguments) = (items.len(), arguments.to_string());
        let call = |arguments: &str, status: &str| {
            json!({ "type": "function_call", "id": format!("fc_{place}"), "call_id": id, "name": tool, "arguments": arguments,
                    "status": status })
        };
        pieces.push(added(place, &call("", "in_progress")));
        let data = json!({ "item_id": format!("fc_{place}"), "output_index": place, "delta": arguments });
        pieces.push(sent(Part::Arguments, "response.function_call_arguments.delta", data));
        let item = call(&arguments, "completed");
        pieces.push(done(place, &item));
        items.push(item);
    }
    pieces.push(finish(saying, &items));
    pieces
}

fn sent(part: Part, kind: &str, mut data: Value) -> Piece {
    data["type"] = json!(kind);
    piece(part, named(kind, &data.to_string()))
}

fn added(place: usize, item: &Value) -> Piece {
    sent(Part::Frame, "response.output_item.added", json!({ "output_index": place, "item": item }))
}

fn done(place: usize, item: &Value) -> Piece {
    sent(Part::Frame, "response.output_item.done", json!({ "output_index": place, "item": item }))
}

fn finish(saying: &Saying<'_>, items: &[Value]) -> Piece {
    let told = saying.usage;
    let input = told.hit + told.miss + told.write;
    let usage = json!({
        "input_tokens": input, "input_tokens_details": { "cached_tokens": told.hit },
        "output_tokens": told.output, "total_tokens": input + told.output,
    });
    let response = json!({ "id": "resp", "status": "completed", "output": items, "usage": usage });
    Piece { told, ..sent(Part::Finish, "response.completed", json!({ "response": response })) }
}
