//! Blocks of a message, put together.
//!
//! A second `message_start` begins the message anew: some gateways send one when they have changed the server behind them, and what came
//! before, perhaps half a call, is void.

use serde_json::{Map, Value, json};
use shared::Tokens;

use crate::model::{
    Answer, AssistantTurn, Delta, FinishReason, ModelError, OnDelta, Opaque, ToolCall, fault,
    wire::{Assembly, Ending, More},
};

/// What has come so far.
#[derive(Default)]
pub(super) struct Content {
    blocks: Vec<Block>,
    stop: Option<String>,
    is_over: bool,
    usage: Usage,
}

/// One block in the making.
struct Block {
    index: Option<u64>,
    value: Value,
    /// The input of a call, in pieces.
    pieces: String,
}

/// The counts, each as it was last told.
#[derive(Default)]
struct Usage {
    miss: Option<u64>,
    hit: Option<u64>,
    write: Option<u64>,
    output: Option<u64>,
}

impl Assembly for Content {
    fn event(&mut self, event: Value, on_delta: &OnDelta<'_>) -> Result<More, ModelError> {
        let index = event.get("index").and_then(Value::as_u64);
        let nothing = Value::Null;
        let member = |key: &str| event.get(key).unwrap_or(&nothing);
        match member("type").as_str().unwrap_or_default() {
            "message_start" => {
                self.blocks.clear();
                self.stop = None;
                self.message(member("message"), on_delta);
            }
            "content_block_start" => self.begin(index, member("content_block").clone(), on_delta),
            "content_block_delta" => self.delta(index, member("delta"), on_delta),
            "message_delta" => {
                self.stops(member("delta"));
                self.usage.add(member("usage"), on_delta);
            }
            "message_stop" => {
                self.is_over = true;
                return Ok(More::No);
            }
            _ => {}
        }
        Ok(More::Yes)
    }

    fn whole(&mut self, body: Value, on_delta: &OnDelta<'_>) -> Result<(), ModelError> {
        if !body.get("content").is_some_and(Value::is_array) {
            return Err(fault::of_event(&body));
        }
        self.message(&body, on_delta);
        Ok(())
    }

    fn has_finished(&self) -> bool {
        self.is_over || self.stop.is_some()
    }

    fn answer(self: Box<Self>, ending: &mut Ending<'_>) -> Result<Answer, ModelError> {
        let (mut turn, mut blocks) = (AssistantTurn::default(), Vec::new());
        let finish = self.finish();
        let last = self.blocks.len().saturating_sub(1);
        for (place, mut block) in self.blocks.into_iter().enumerate() {
            match block.kind() {
                "text" => turn.text.push_str(block.text("text")),
                "thinking" => turn.reasoning.get_or_insert_default().push_str(block.text("thinking")),
                "tool_use" => {
                    let id = ending.ids.unique(block.text("id"));
                    let may_be_cut = place == last && !finish.is_the_models();
                    let (name, arguments) = (block.text("name").to_owned(), block.arguments(may_be_cut));
                    // What is called is read from the calls; the block keeps its place.
                    block.value = json!({"type": "tool_use", "id": id});
                    turn.calls.push(ToolCall { id, name, arguments });
                }
                _ => {}
            }
            blocks.push(block.value);
        }
        turn.opaque = says_more(&blocks).then(|| Opaque { provider: ending.model.to_owned(), blocks });
        Ok(Answer { turn, finish, usage: self.usage.tokens(), repairs: Vec::new(), by: None })
    }
}

impl Content {
    fn finish(&self) -> FinishReason {
        match self.stop.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
            Some("refusal") => FinishReason::Filtered,
            Some("end_turn" | "tool_use" | "stop_sequence" | "stop") if self.calls() => FinishReason::ToolCalls,
            Some("end_turn" | "tool_use" | "stop_sequence" | "stop") => FinishReason::Stop,
            // A pause, or a word of some gateway: it may go on.
            Some(_) | None => FinishReason::Unsaid,
        }
    }

    fn calls(&self) -> bool {
        self.blocks.iter().any(|block| block.kind() == "tool_use")
    }

    /// The beginning of a message, or one that is no stream.
    fn message(&mut self, message: &Value, on_delta: &OnDelta<'_>) {
        for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            self.begin(None, block.clone(), on_delta);
        }
        self.stops(message);
        self.usage.add(message.get("usage").unwrap_or(&Value::Null), on_delta);
    }

    fn stops(&mut self, delta: &Value) {
        if let Some(reason) = delta.get("stop_reason").and_then(Value::as_str) {
            self.stop = Some(reason.to_owned());
        }
    }

    fn begin(&mut self, index: Option<u64>, value: Value, on_delta: &OnDelta<'_>) {
        if !value.is_object() {
            return;
        }
        let block = Block { index, value, pieces: String::new() };
        block.tell(on_delta);
        match self.blocks.iter().position(|block| index.is_some() && block.index == index) {
            Some(place) => self.blocks[place] = block,
            None => self.blocks.push(block),
        }
    }

    fn delta(&mut self, index: Option<u64>, delta: &Value, on_delta: &OnDelta<'_>) {
        let text = |key: &str| delta.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = text("type");
        let Some(block) = self.block(index, kind) else { return };
        match kind {
            "text_delta" => {
                block.append("text", text("text"));
                tell(Delta::Text, text("text"), on_delta);
            }
            "thinking_delta" => {
                block.append("thinking", text("thinking"));
                tell(Delta::Reasoning, text("thinking"), on_delta);
            }
            "signature_delta" => block.append("signature", text("signature")),
            "input_json_delta" => {
                block.pieces.push_str(text("partial_json"));
                tell(Delta::Arguments, text("partial_json"), on_delta);
            }
            "citations_delta" => block.cite(delta.get("citation")),
            _ => {}
        }
    }

    /// The block that a delta goes on with. What was never announced begins one of its own: nothing that was said is lost.
    fn block(&mut self, index: Option<u64>, kind: &str) -> Option<&mut Block> {
        let known = match index {
            Some(_) => self.blocks.iter().rposition(|block| block.index == index),
            None => self.blocks.len().checked_sub(1),
        };
        let place = match (known, kind) {
            (Some(place), _) => place,
            (None, "text_delta" | "thinking_delta" | "input_json_delta") => {
                let kind = if kind == "input_json_delta" { "tool_use" } else { kind.trim_end_matches("_delta") };
                let value = json!({"type": kind});
                self.blocks.push(Block { index, value, pieces: String::new() });
                self.blocks.len() - 1
            }
            _ => return None,
        };
        self.blocks.get_mut(place)
    }
}

impl Block {
    fn kind(&self) -> &str {
        self.text("type")
    }

    fn text(&self, key: &str) -> &str {
        self.value.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A call begins with an empty object as its input, which its pieces replace. Where none came because the answer was cut, the object
    /// says nothing: it is no arguments, not empty ones.
    fn arguments(&mut self, may_be_cut: bool) -> String {
        match self.value.get("input") {
            Some(Value::Object(input)) if may_be_cut && input.is_empty() => std::mem::take(&mut self.pieces),
            Some(input) if self.pieces.is_empty() && !input.is_null() => input.to_string(),
            _ => std::mem::take(&mut self.pieces),
        }
    }

    fn members(&mut self) -> Option<&mut Map<String, Value>> {
        self.value.as_object_mut()
    }

    fn append(&mut self, key: &str, more: &str) {
        let Some(members) = self.members() else { return };
        match members.get_mut(key) {
            Some(Value::String(text)) => text.push_str(more),
            _ => drop(members.insert(key.to_owned(), json!(more))),
        }
    }

    fn cite(&mut self, citation: Option<&Value>) {
        let (Some(members), Some(citation)) = (self.members(), citation) else { return };
        match members.get_mut("citations") {
            Some(Value::Array(citations)) => citations.push(citation.clone()),
            _ => drop(members.insert("citations".to_owned(), json!([citation]))),
        }
    }

    /// Shows what a block begins with, which for one that is no stream is all of it.
    fn tell(&self, on_delta: &OnDelta<'_>) {
        match self.kind() {
            "text" => tell(Delta::Text, self.text("text"), on_delta),
            "thinking" => tell(Delta::Reasoning, self.text("thinking"), on_delta),
            _ => {}
        }
    }
}

fn tell<'t>(kind: fn(&'t str) -> Delta<'t>, text: &'t str, on_delta: &OnDelta<'_>) {
    if !text.is_empty() {
        on_delta(kind(text));
    }
}

/// Whether the blocks say more than text and calls do: anything else, or text after a call.
fn says_more(blocks: &[Value]) -> bool {
    let kinds: Vec<&str> = blocks.iter().map(|block| block.get("type").and_then(Value::as_str).unwrap_or_default()).collect();
    let is_plain = kinds.iter().all(|kind| matches!(*kind, "text" | "tool_use"));
    !is_plain || !kinds.is_sorted_by_key(|kind| *kind == "tool_use")
}

impl Usage {
    fn add(&mut self, usage: &Value, on_delta: &OnDelta<'_>) {
        let take = |count: &mut Option<u64>, key: &str| *count = usage.get(key).and_then(Value::as_u64).or(*count);
        take(&mut self.miss, "input_tokens");
        take(&mut self.hit, "cache_read_input_tokens");
        take(&mut self.write, "cache_creation_input_tokens");
        take(&mut self.output, "output_tokens");
        if let Some(tokens) = self.tokens() {
            on_delta(Delta::Counted(tokens));
        }
    }

    /// None where nobody counted the input.
    fn tokens(&self) -> Option<Tokens> {
        let count = |count: Option<u64>| count.unwrap_or(0);
        Some(Tokens { hit: count(self.hit), miss: self.miss?, write: count(self.write), output: count(self.output) })
    }
}
