//! Tool calls of a stream, put together from their pieces.
//!
//! Pieces may lack their index, share one index between several calls, repeat the name, or come with new ids each; arguments come in
//! pieces, whole, or as an object. The rules that tell these apart stand in [`Calls::place`], in one place.

use serde_json::{Map, Value};

use super::members;
use crate::model::{Delta, OnDelta, ToolCall};

/// Tool calls in the making.
#[derive(Default)]
pub(super) struct Calls(Vec<Draft>);

/// One of them.
pub(super) struct Draft {
    index: Option<u64>,
    pub(super) call: ToolCall,
    /// What the provider wants back with it.
    pub(super) members: Map<String, Value>,
}

impl Calls {
    /// Takes a piece.
    pub(super) fn piece(&mut self, piece: &Value, on_delta: &OnDelta<'_>) {
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
        let place = self.place(index, &part).unwrap_or(self.0.len());
        match self.0.get_mut(place) {
            Some(draft) => draft.call.extend(&part),
            None => self.0.push(Draft { index, call: part, members: Map::new() }),
        }
        members::keep_of_call(&mut self.0[place].members, piece);
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
    pub(super) fn all(self) -> Vec<Draft> {
        self.0.into_iter().filter(|draft| !draft.call.name.is_empty() || !draft.call.arguments.is_empty()).collect()
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
