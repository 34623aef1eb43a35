//! A request for a response.
//!
//! **Invariant:** the same conversation gives the same bytes, and the input of a longer one begins with the input of the shorter.
//! **Invariant:** a call goes out as the conversation has it, even where the item that it came in says something else: the call may have
//! been mended, and it was carried out as mended. The item keeps its place.
//! **Invariant:** no turn ends with reasoning. An answer that was cut while the model reasoned holds nothing but that, and `OpenAI` refuses
//! reasoning "without its required following item".
//!
//! Standing orders go as `instructions`, before everything else. Tools say `strict` in any case: where it is missing, `OpenAI` takes it
//! for true.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Value, json};

use super::is_call;
use crate::model::{
    AssistantTurn, Message, ModelSettings, Request, ToolCall,
    call_id::{FittingIds, Rule},
    translation::{wire_arguments, wire_name},
};

const IDS: Rule = Rule::Longest(64);

/// Writes the body of a request.
pub(super) fn body(settings: &ModelSettings, request: &Request<'_>) -> Vec<u8> {
    serde_json::to_vec(&Body { settings, request }).expect("text and JSON values are always written")
}

struct Body<'a> {
    settings: &'a ModelSettings,
    request: &'a Request<'a>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const OURS: [&str; 4] = ["input", "instructions", "tools", "stream"];
        let Body { settings, request } = self;
        let capabilities = &settings.capabilities;
        let mut map = serializer.serialize_map(None)?;
        settings.write_head(&mut map, &self.defaults(), &OURS)?;
        if !request.tools.is_empty() {
            let tool = |tool: &crate::tool::ToolSpec| {
                json!({
                    "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters,
                    "strict": capabilities.strict_tools,
                })
            };
            map.serialize_entry("tools", &request.tools.iter().map(tool).collect::<Vec<_>>())?;
        }
        let messages = match request.messages {
            [Message::System { content }, rest @ ..] => {
                map.serialize_entry("instructions", content)?;
                rest
            }
            messages => messages,
        };
        map.serialize_entry("input", &Input { model: &settings.name, messages })?;
        map.end()
    }
}

impl Body<'_> {
    fn defaults(&self) -> Vec<(&str, Value)> {
        let Body { settings, request } = self;
        let capabilities = &settings.capabilities;
        let bound = capabilities.bound("max_output_tokens");
        let mut defaults = vec![
            ("model", json!(settings.wire_name())),
            (bound, json!(request.max_tokens.min(settings.max_output))),
            ("store", json!(false)),
        ];
        if capabilities.encrypted_reasoning {
            defaults.push(("include", json!(["reasoning.encrypted_content"])));
        }
        if !capabilities.affinity_key.is_empty() {
            defaults.push((&capabilities.affinity_key, json!(request.label.run.as_str())));
        }
        if !capabilities.parallel_calls && !request.tools.is_empty() {
            defaults.push(("parallel_tool_calls", json!(false)));
        }
        defaults
    }
}

struct Input<'a> {
    model: &'a str,
    messages: &'a [Message],
}

impl Serialize for Input<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids = FittingIds::new(IDS, self.messages, self.model);
        let mut list = serializer.serialize_seq(None)?;
        for message in self.messages {
            match message {
                Message::System { content } => list.serialize_element(&Said { role: "developer", content })?,
                Message::User { content } => list.serialize_element(&Said { role: "user", content })?,
                Message::Tool { call_id, content, .. } => list.serialize_element(
                    &json!({"type": "function_call_output", "call_id": ids.fit(call_id), "output": content}),
                )?,
                Message::Assistant(turn) => {
                    for item in items(turn, turn.blocks_for(self.model), &ids) {
                        list.serialize_element(&item)?;
                    }
                }
            }
        }
        list.end()
    }
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

/// A turn as input: its own items where this model wrote it, with the calls that the conversation has; else text and calls.
/// Reasoning that nothing follows is left out.
fn items(turn: &AssistantTurn, blocks: &[Value], ids: &FittingIds<'_>) -> Vec<Value> {
    let call_of = |item: &Value| turn.calls.iter().position(|call| item.get("call_id").is_some_and(|id| *id == call.id));
    let is_said = |item: &&Value| item.get("type").is_some_and(|kind| kind == "message");
    let keeps_text = blocks.iter().filter(is_said).map(text).collect::<String>() == turn.text;
    let mut new_text = (!keeps_text && !turn.text.is_empty()).then(|| json!({"role": "assistant", "content": turn.text}));
    let mut items = Vec::new();
    let mut written = vec![false; turn.calls.len()];
    for item in blocks {
        match call_of(item) {
            _ if is_said(&item) && !keeps_text => items.extend(new_text.take()),
            _ if is_said(&item) || !is_call(item) => items.extend((!is_empty_reasoning(item)).then(|| item.clone())),
            Some(place) if !std::mem::replace(&mut written[place], true) => items.push(call(&turn.calls[place], item, ids)),
            _ => {}
        }
    }
    items.extend(new_text);
    let rest = turn.calls.iter().zip(written).filter(|(_, written)| !written);
    items.extend(rest.map(|(new, _)| call(new, &json!({"type": "function_call"}), ids)));
    while items.last().is_some_and(is_reasoning) {
        items.pop();
    }
    items
}

fn is_reasoning(item: &Value) -> bool {
    item.get("type").is_some_and(|kind| kind == "reasoning")
}

/// The text of an item, or what it says instead.
fn text(item: &Value) -> String {
    let parts = item.get("content").and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(|part| part.get("text").or_else(|| part.get("refusal"))?.as_str()).collect()
}

/// A server that keeps nothing would look such an item up by its id, and not find it.
fn is_empty_reasoning(item: &Value) -> bool {
    let holds = |key: &str| match item.get(key) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(parts)) => !parts.is_empty(),
        _ => false,
    };
    is_reasoning(item) && !["encrypted_content", "content", "summary"].into_iter().any(holds)
}

/// A call in its item. A server's own kind of call becomes one of a function: that is how it was carried out and how it is answered.
fn call(call: &ToolCall, item: &Value, ids: &FittingIds<'_>) -> Value {
    let mut item = item.clone();
    if item.get("type").is_some_and(|kind| kind != "function_call") {
        item = json!({"type": "function_call"});
    }
    item["call_id"] = json!(ids.fit(&call.id));
    item["name"] = json!(wire_name(&call.name));
    item["arguments"] = json!(wire_arguments(&call.arguments));
    item
}
