//! Chunks of a completion, put together.
//!
//! Servers agree on little: reasoning has several names, content may be a list of parts, usage stands in several places. Calls are worst:
//! they have a room of their own, [`calls`](super::calls).

use serde_json::{Map, Value};
use shared::Tokens;

use super::{calls::Calls, members};
use crate::model::{
    Answer, AssistantTurn, Delta, FinishReason, ModelError, OnDelta, Opaque, ToolCall, fault,
    wire::{Assembly, Ending, More},
};

/// What has come so far.
#[derive(Default)]
pub(super) struct Completion {
    text: String,
    refusal: String,
    reasoning: Option<String>,
    calls: Calls,
    members: Map<String, Value>,
    finish: Option<String>,
    usage: Option<Tokens>,
}

/// Reasons that say that the model had said all. What a server says otherwise is taken for nothing said.
const COMPLETE: [&str; 9] =
    ["stop", "tool_calls", "tool_call", "tool_use", "function_call", "end_turn", "eos", "eos_token", "stop_sequence"];

impl Assembly for Completion {
    fn event(&mut self, event: Value, on_delta: &OnDelta<'_>) -> Result<More, ModelError> {
        self.chunk(&event, on_delta);
        Ok(More::Yes)
    }

    fn whole(&mut self, body: Value, on_delta: &OnDelta<'_>) -> Result<(), ModelError> {
        if !body.get("choices").is_some_and(Value::is_array) {
            return Err(fault::of_event(&body));
        }
        self.chunk(&body, on_delta);
        Ok(())
    }

    fn has_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn is_ended_by_done(&self) -> bool {
        true
    }

    fn answer(self: Box<Self>, ending: &mut Ending<'_>) -> Result<Answer, ModelError> {
        let drafts = self.calls.all();
        // Gateways hand on reasons in the spelling of whoever is behind them.
        let reason = self.finish.map(|reason| reason.to_lowercase());
        let finish = match reason.as_deref() {
            Some("length" | "max_tokens" | "max_output_tokens" | "model_length") => FinishReason::Length,
            Some("content_filter") => FinishReason::Filtered,
            Some(reason @ ("error" | "abort")) => {
                return Err(ModelError::Broken { why: format!("the server gave up with `{reason}`") });
            }
            Some(reason @ "insufficient_system_resource") => return Err(fault::overload(reason)),
            Some(reason) if !COMPLETE.contains(&reason) => FinishReason::Unsaid,
            None => FinishReason::Unsaid,
            _ if drafts.is_empty() => FinishReason::Stop,
            _ => FinishReason::ToolCalls,
        };
        let mut blocks = Vec::from_iter(members::block(self.members, None));
        let mut calls = Vec::new();
        for draft in drafts {
            let call = ToolCall { id: ending.ids.unique(&draft.call.id), ..draft.call };
            blocks.extend(members::block(draft.members, Some(&call.id)));
            calls.push(call);
        }
        let opaque = (!blocks.is_empty()).then(|| Opaque { provider: ending.model.to_owned(), blocks });
        let text = if self.text.is_empty() { self.refusal } else { self.text };
        let turn = AssistantTurn { text, reasoning: self.reasoning, calls, opaque };
        Ok(Answer { turn, finish, usage: self.usage, repairs: Vec::new(), by: None })
    }
}

impl Completion {
    /// Takes a chunk of a stream, or a whole completion: they differ in `delta` and `message` alone.
    fn chunk(&mut self, chunk: &Value, on_delta: &OnDelta<'_>) {
        let usage = [chunk.get("usage"), chunk.pointer("/x_groq/usage")];
        if let Some(tokens) = usage.into_iter().flatten().find_map(tokens) {
            self.usage = Some(tokens);
            on_delta(Delta::Counted(tokens));
        }
        let choices = chunk.get("choices").and_then(Value::as_array).into_iter().flatten();
        for choice in choices.filter(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0) {
            let said = choice.get("delta").filter(|delta| delta.is_object()).or_else(|| choice.get("message"));
            if let Some(said) = said {
                self.said(said, on_delta);
            }
            if let Some(finish) = choice.get("finish_reason").and_then(Value::as_str).filter(|finish| !finish.is_empty()) {
                self.finish = Some(finish.to_owned());
            }
        }
    }

    fn said(&mut self, said: &Value, on_delta: &OnDelta<'_>) {
        const NAMES: [&str; 2] = ["reasoning_content", "reasoning"];
        let reasoning = NAMES.iter().filter_map(|key| said.get(*key).and_then(Value::as_str));
        if let Some(text) = reasoning.reduce(|first, second| if first.is_empty() { second } else { first }) {
            self.thought(text, on_delta);
        }
        match said.get("content") {
            Some(Value::String(text)) => self.spoke(text, on_delta),
            Some(Value::Array(parts)) => parts.iter().for_each(|part| self.part(part, on_delta)),
            _ => {}
        }
        if let Some(refusal) = said.get("refusal").and_then(Value::as_str) {
            self.refusal.push_str(refusal);
        }
        members::keep_of_message(&mut self.members, said);
        for piece in said.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.calls.piece(piece, on_delta);
        }
    }

    fn part(&mut self, part: &Value, on_delta: &OnDelta<'_>) {
        match part.get("thinking") {
            Some(Value::String(text)) => self.thought(text, on_delta),
            Some(Value::Array(parts)) => {
                parts.iter().filter_map(|part| part.get("text")?.as_str()).for_each(|text| self.thought(text, on_delta));
            }
            _ => self.spoke(part.get("text").and_then(Value::as_str).unwrap_or_default(), on_delta),
        }
    }

    fn spoke(&mut self, text: &str, on_delta: &OnDelta<'_>) {
        self.text.push_str(text);
        if !text.is_empty() {
            on_delta(Delta::Text(text));
        }
    }

    fn thought(&mut self, text: &str, on_delta: &OnDelta<'_>) {
        self.reasoning.get_or_insert_default().push_str(text);
        if !text.is_empty() {
            on_delta(Delta::Reasoning(text));
        }
    }
}

/// Usage in any of its spellings. What is not there counts as nothing; without a prompt count there is no usage.
fn tokens(usage: &Value) -> Option<Tokens> {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let hit =
        ["/prompt_cache_hit_tokens", "/prompt_tokens_details/cached_tokens", "/cached_tokens"].iter().find_map(|p| count(p));
    let write = count("/prompt_tokens_details/cache_write_tokens");
    let split =
        count("/prompt_cache_hit_tokens").zip(count("/prompt_cache_miss_tokens")).map(|(hit, miss)| hit.saturating_add(miss));
    let prompt = count("/prompt_tokens").or(split)?;
    let hit = hit.unwrap_or(0).min(prompt);
    let write = write.unwrap_or(0).min(prompt - hit);
    Some(Tokens { hit, miss: prompt - hit - write, write, output: count("/completion_tokens").unwrap_or(0) })
}
