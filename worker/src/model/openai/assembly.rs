//! Chunks of a completion, put together.
//!
//! Servers agree on little: pieces of a call may lack their index, share one index between several calls, repeat the name or send new
//! ids with every piece; arguments come in pieces, whole, or as an object; content may be a list of parts. The rules that tell these
//! apart stand in [`Calls::place`], in one place.

use serde_json::Value;
use shared::Tokens;

use crate::model::{Answer, AssistantTurn, Delta, FinishReason, ModelError, OnDelta, ToolCall};

/// What has come so far.
#[derive(Default)]
pub(super) struct Assembly {
    text: String,
    refusal: String,
    reasoning: Option<String>,
    calls: Calls,
    finish: Option<String>,
    usage: Option<Tokens>,
}

impl Assembly {
    /// Whether the model has said why it stopped.
    pub(super) fn has_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes a chunk of a stream, or a whole completion: they differ in `delta` and `message` alone.
    pub(super) fn chunk(&mut self, chunk: &Value, on_delta: &OnDelta<'_>) {
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
        let reasoning = ["reasoning_content", "reasoning"].iter().filter_map(|key| said.get(*key).and_then(Value::as_str));
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

    /// The whole answer. `ids` turns the id that a server gave, or none, into one that is unique in the conversation.
    pub(super) fn answer(self, ids: &mut dyn FnMut(&str) -> String) -> Result<Answer, ModelError> {
        let calls = self.calls.all();
        let finish = match self.finish.as_deref() {
            Some("length" | "max_tokens") => FinishReason::Length,
            Some("content_filter") => FinishReason::Filtered,
            Some("error" | "insufficient_system_resource" | "abort") => {
                let reason = self.finish.unwrap_or_default();
                return Err(ModelError::Broken { why: format!("the server gave up with `{reason}`") });
            }
            _ if calls.is_empty() => FinishReason::Stop,
            _ => FinishReason::ToolCalls,
        };
        let calls = calls.into_iter().map(|call| ToolCall { id: ids(&call.id), ..call }).collect();
        let text = if self.text.is_empty() { self.refusal } else { self.text };
        Ok(Answer {
            turn: AssistantTurn { text, reasoning: self.reasoning, calls, opaque: None },
            finish,
            usage: self.usage,
            repairs: Vec::new(),
            by: None,
        })
    }
}

/// Tool calls in the making.
#[derive(Default)]
struct Calls(Vec<Draft>);

struct Draft {
    index: Option<u64>,
    call: ToolCall,
}

impl Calls {
    fn piece(&mut self, piece: &Value, on_delta: &OnDelta<'_>) {
        let function = piece.get("function").unwrap_or(&Value::Null);
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(object @ (Value::Object(_) | Value::Array(_))) => object.to_string(),
            _ => String::new(),
        };
        let part = ToolCall { id: text(piece.get("id")), name: text(function.get("name")), arguments };
        if !part.arguments.is_empty() {
            on_delta(Delta::Arguments(&part.arguments));
        }
        let index = piece.get("index").and_then(Value::as_u64);
        match self.place(index, &part) {
            Some(place) => self.0[place].call.extend(&part),
            None => self.0.push(Draft { index, call: part }),
        }
    }

    /// Which call a piece goes on with; none if it begins a new one.
    fn place(&self, index: Option<u64>, part: &ToolCall) -> Option<usize> {
        let place = match index {
            Some(_) => self.0.iter().rposition(|draft| draft.index == index)?,
            None => self.0.len().checked_sub(1)?,
        };
        let call = &self.0[place].call;
        let other_id = !part.id.is_empty() && !call.id.is_empty() && part.id != call.id;
        let another_begins =
            !part.name.is_empty() && !part.arguments.is_empty() && is_object(&call.arguments) && !call.repeats(part);
        let begins = match index {
            Some(_) => (other_id && !part.name.is_empty()) || (!call.same_id(part) && another_begins),
            None => other_id || (!part.name.is_empty() && !call.same_id(part)),
        };
        (!begins).then_some(place)
    }

    /// All calls that name a tool, or at least say something.
    fn all(self) -> Vec<ToolCall> {
        let calls = self.0.into_iter().map(|draft| draft.call);
        calls.filter(|call| !call.name.is_empty() || !call.arguments.is_empty()).collect()
    }
}

impl ToolCall {
    fn same_id(&self, part: &ToolCall) -> bool {
        !part.id.is_empty() && part.id == self.id
    }

    /// Some servers send the whole call once more at the end.
    fn repeats(&self, part: &ToolCall) -> bool {
        part.arguments == self.arguments && is_object(&self.arguments)
    }

    fn extend(&mut self, part: &ToolCall) {
        if self.id.is_empty() {
            self.id.clone_from(&part.id);
        }
        if self.name != part.name {
            self.name.push_str(&part.name);
        }
        if !self.repeats(part) {
            self.arguments.push_str(&part.arguments);
        }
    }
}

fn is_object(text: &str) -> bool {
    text.trim_end().ends_with('}') && serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok()
}

/// Usage in any of its spellings. What is not there counts as nothing; without a prompt count there is no usage.
fn tokens(usage: &Value) -> Option<Tokens> {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let hit =
        ["/prompt_cache_hit_tokens", "/prompt_tokens_details/cached_tokens", "/cached_tokens"].iter().find_map(|p| count(p));
    let split = count("/prompt_cache_hit_tokens").zip(count("/prompt_cache_miss_tokens")).map(|(hit, miss)| hit + miss);
    let prompt = count("/prompt_tokens").or(split)?;
    let hit = hit.unwrap_or(0).min(prompt);
    Some(Tokens { hit, miss: prompt - hit, write: 0, output: count("/completion_tokens").unwrap_or(0) })
}
