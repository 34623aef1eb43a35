//! Items of a response, put together.
//!
//! Servers of this dialect leave out what `OpenAI` always sends: the place of an item (`output_index`), the deltas of its arguments, the
//! items in the last event, or all but the last event. So an item is what its deltas say, else what it is when it is done, else what the
//! last event says.

use serde_json::Value;
use shared::Tokens;

use super::is_call;
use crate::model::{
    Answer, AssistantTurn, Delta, FinishReason, ModelError, OnDelta, Opaque, ToolCall, fault,
    wire::{Assembly, Ending, More},
};

/// What has come so far.
#[derive(Default)]
pub(super) struct Response {
    items: Vec<Item>,
    end: Option<End>,
    usage: Option<Tokens>,
}

/// How a response ended.
enum End {
    Completed,
    Incomplete(String),
}

/// One item of the output in the making.
#[derive(Default)]
struct Item {
    index: Option<u64>,
    /// As the server last showed it.
    shown: Value,
    text: String,
    refusal: String,
    reasoning: String,
    arguments: String,
}

impl Assembly for Response {
    fn event(&mut self, event: Value, on_delta: &OnDelta<'_>) -> Result<More, ModelError> {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "response.output_item.added" | "response.output_item.done" => self.show(event),
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let mut event = event;
                self.end_with(event.get_mut("response").map(Value::take).unwrap_or_default(), on_delta)?;
                return Ok(More::No);
            }
            _ => self.delta(kind, &event, on_delta),
        }
        Ok(More::Yes)
    }

    fn whole(&mut self, body: Value, on_delta: &OnDelta<'_>) -> Result<(), ModelError> {
        if !body.get("output").is_some_and(Value::is_array) {
            return Err(fault::of_event(&body));
        }
        self.end_with(body, on_delta)
    }

    fn has_finished(&self) -> bool {
        self.end.is_some()
    }

    fn answer(self: Box<Self>, ending: &mut Ending<'_>) -> Result<Answer, ModelError> {
        let Self { items, end, usage } = *self;
        let (mut turn, mut blocks) = (AssistantTurn::default(), Vec::new());
        let mut refusal = String::new();
        for mut item in items {
            turn.text.push_str(&item.said(&["output_text", "text"], &item.text));
            refusal.push_str(&item.said(&["refusal"], &item.refusal));
            if item.is("reasoning") || !item.reasoning.is_empty() {
                turn.reasoning.get_or_insert_default().push_str(&item.thought());
            }
            if is_call(&item.shown) || !item.arguments.is_empty() {
                let call = item.call(ending);
                item.shown["call_id"] = Value::String(call.id.clone());
                turn.calls.push(call);
            }
            blocks.extend(item.shown.get("type").is_some().then_some(item.shown));
        }
        if turn.text.is_empty() {
            turn.text = refusal;
        }
        let finish = match end {
            Some(End::Incomplete(why)) if why == "content_filter" => FinishReason::Filtered,
            Some(End::Incomplete(_)) => FinishReason::Length,
            _ if turn.calls.is_empty() => FinishReason::Stop,
            _ => FinishReason::ToolCalls,
        };
        turn.opaque = (!blocks.is_empty()).then(|| Opaque { provider: ending.model.to_owned(), blocks });
        Ok(Answer { turn, finish, usage, repairs: Vec::new(), by: None })
    }
}

impl Response {
    fn delta(&mut self, kind: &str, event: &Value, on_delta: &OnDelta<'_>) {
        let Some(more) = event.get("delta").and_then(Value::as_str).filter(|more| !more.is_empty()) else { return };
        let item = self.item(event);
        match kind {
            "response.output_text.delta" => {
                item.text.push_str(more);
                on_delta(Delta::Text(more));
            }
            "response.refusal.delta" => item.refusal.push_str(more),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                item.reasoning.push_str(more);
                on_delta(Delta::Reasoning(more));
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                item.arguments.push_str(more);
                on_delta(Delta::Arguments(more));
            }
            _ => {}
        }
    }

    /// The item begins, or is done.
    fn show(&mut self, mut event: Value) {
        let shown = event.get_mut("item").map(Value::take).unwrap_or_default();
        if shown.is_object() {
            let (index, id) = (event.get("output_index").and_then(Value::as_u64), shown.get("id").and_then(Value::as_str));
            let item = self.item_of(index, id);
            item.shown = shown;
        }
    }

    /// The item that a delta goes on with.
    fn item(&mut self, event: &Value) -> &mut Item {
        let index = event.get("output_index").and_then(Value::as_u64);
        match (index, event.get("item_id").and_then(Value::as_str)) {
            (None, None) if !self.items.is_empty() => {
                let last = self.items.len() - 1;
                &mut self.items[last]
            }
            (index, id) => self.item_of(index, id),
        }
    }

    /// The item with this place, else with this id, else a new one.
    fn item_of(&mut self, index: Option<u64>, id: Option<&str>) -> &mut Item {
        let known = match index {
            Some(_) => self.items.iter().rposition(|item| item.index == index),
            None => id.and_then(|id| self.items.iter().rposition(|item| item.shown.get("id").is_some_and(|known| known == id))),
        };
        let place = known.unwrap_or_else(|| {
            let shown = id.map_or(Value::Null, |id| serde_json::json!({"id": id}));
            self.items.push(Item { index, shown, ..Item::default() });
            self.items.len() - 1
        });
        &mut self.items[place]
    }

    /// The whole response, as the last event or a body that is no stream has it.
    fn end_with(&mut self, mut response: Value, on_delta: &OnDelta<'_>) -> Result<(), ModelError> {
        self.usage = response.get("usage").and_then(tokens);
        self.usage.into_iter().for_each(|tokens| on_delta(Delta::Counted(tokens)));
        if let Some(error) = response.get("error").filter(|error| !error.is_null()) {
            return Err(fault::of_event(&serde_json::json!({"error": error})));
        }
        let why = response.pointer("/incomplete_details/reason").and_then(Value::as_str).map(str::to_owned);
        self.end = Some(match response.get("status").and_then(Value::as_str) {
            Some("incomplete") => End::Incomplete(why.unwrap_or_default()),
            None | Some("completed") => End::Completed,
            Some(other) => {
                return Err(ModelError::Broken { why: format!("the server ended the response as `{}`", fault::short(other)) });
            }
        });
        if self.items.is_empty()
            && let Some(output) = response.get_mut("output").and_then(Value::as_array_mut)
        {
            let items = output.drain(..).filter(Value::is_object);
            self.items = items.map(|shown| Item { shown, ..Item::default() }).collect();
            self.items.iter().for_each(|item| item.tell(on_delta));
        }
        Ok(())
    }
}

impl Item {
    fn is(&self, kind: &str) -> bool {
        self.shown.get("type").is_some_and(|own| own == kind)
    }

    /// What came in deltas, else what the item itself has in parts of these kinds.
    fn said(&self, kinds: &[&str], deltas: &str) -> String {
        if deltas.is_empty() && self.is("message") { parts(&self.shown, "content", kinds) } else { deltas.to_owned() }
    }

    fn thought(&self) -> String {
        const KINDS: [&str; 3] = ["summary_text", "reasoning_text", "text"];
        if self.reasoning.is_empty() && self.is("reasoning") {
            return parts(&self.shown, "summary", &KINDS) + &parts(&self.shown, "content", &KINDS);
        }
        self.reasoning.clone()
    }

    /// Arguments as their deltas have them, else as the item has them: some servers send them only when it is done.
    fn call(&self, ending: &mut Ending<'_>) -> ToolCall {
        let text = |key: &str| self.shown.get(key).and_then(Value::as_str).unwrap_or_default();
        let shown = [text("arguments"), text("input")].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        let is_whole = |text: &str| serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok();
        let arguments = match self.arguments.as_str() {
            "" => shown,
            deltas if !is_whole(deltas) && is_whole(shown) => shown,
            deltas => deltas,
        };
        ToolCall { id: ending.ids.unique(text("call_id")), name: text("name").to_owned(), arguments: arguments.to_owned() }
    }

    /// Shows what never came in deltas.
    fn tell(&self, on_delta: &OnDelta<'_>) {
        let (text, thought) = (self.said(&["output_text", "text"], ""), self.thought());
        if !thought.is_empty() {
            on_delta(Delta::Reasoning(&thought));
        }
        if !text.is_empty() {
            on_delta(Delta::Text(&text));
        }
    }
}

/// The texts of an item's parts.
fn parts(item: &Value, list: &str, kinds: &[&str]) -> String {
    let parts = item.get(list).and_then(Value::as_array).into_iter().flatten();
    let known = parts.filter(|part| part.get("type").and_then(Value::as_str).is_none_or(|kind| kinds.contains(&kind)));
    known.filter_map(|part| part.get("text").or_else(|| part.get("refusal"))?.as_str()).collect()
}

/// Usage; without a count of the input there is none.
fn tokens(usage: &Value) -> Option<Tokens> {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let input = count("/input_tokens")?;
    let hit = count("/input_tokens_details/cached_tokens").unwrap_or(0).min(input);
    let write = count("/input_tokens_details/cache_write_tokens").unwrap_or(0).min(input - hit);
    Some(Tokens { hit, miss: input - hit - write, write, output: count("/output_tokens").unwrap_or(0) })
}
