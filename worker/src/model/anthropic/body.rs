//! A request as Anthropic wants it.
//!
//! **Invariant:** the same conversation gives the same bytes, and the messages of a longer one begin with those of the shorter, apart from
//! the marks of the cache (`cache_control`). These move on with the conversation; they say where a prefix ends and are no part of it, so
//! what was cached under them stays cached.
//! **Invariant:** roles alternate, and the results of calls stand first in their message: what the harness says in a row becomes one message.
//! **Invariant:** a call goes out as the conversation has it, even where the block that it came in says something else: the call may have
//! been mended, and it was carried out as mended. The block keeps its place.
//! **Invariant:** no turn ends with thinking. An answer that was cut while the model thought holds nothing but that, without the signature
//! that comes last, and Anthropic refuses every request that has such a turn in it.
//!
//! At most three marks are set, of the four that are allowed: at the end of what all workers share (the last block of the system, which
//! covers the tools before it), at the last message, and at the message of the harness before that, where the request before this one
//! ended: the cache is looked up backwards from a mark, over twenty blocks at most, and one answer can have more.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    model::{
        AssistantTurn, Message, ModelSettings, PrefixCache, Request, ToolCall,
        call_id::{FittingIds, Rule},
        translation::{wire_arguments, wire_name},
    },
    tool::ToolSpec,
};

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
        const OURS: [&str; 4] = ["messages", "system", "tools", "stream"];
        let Body { settings, request } = self;
        let marks = settings.capabilities.cache == PrefixCache::Breakpoints;
        let heads = request.messages.iter().take_while(|message| matches!(message, Message::System { .. })).count();
        let (system, messages) = request.messages.split_at(heads);
        let mut map = serializer.serialize_map(None)?;
        settings.write_head(&mut map, &self.defaults(), &OURS)?;
        if !request.tools.is_empty() {
            let strict = settings.capabilities.strict_tools;
            map.serialize_entry("tools", &tools(request.tools, strict, marks && system.is_empty()))?;
        }
        let mut system = system.iter().filter_map(said).map(Block::text).collect::<Vec<_>>();
        if let Some(last) = system.last_mut() {
            last.is_marked = marks;
            map.serialize_entry("system", &system)?;
        }
        let mut messages = turns(messages, settings);
        if marks {
            mark(&mut messages);
        }
        map.serialize_entry("messages", &messages)?;
        map.end()
    }
}

impl Body<'_> {
    fn defaults(&self) -> Vec<(&str, Value)> {
        let Body { settings, request } = self;
        let capabilities = &settings.capabilities;
        let bound = capabilities.bound("max_tokens");
        let mut defaults =
            vec![("model", json!(settings.wire_name())), (bound, json!(request.max_tokens.min(settings.max_output)))];
        if !capabilities.affinity_key.is_empty() {
            defaults.push((&capabilities.affinity_key, json!(request.label.run.as_str())));
        }
        if !capabilities.parallel_calls && !request.tools.is_empty() {
            defaults.push(("tool_choice", json!({"type": "auto", "disable_parallel_tool_use": true})));
        }
        defaults
    }
}

fn tools(tools: &[ToolSpec], strict: bool, is_marked: bool) -> Vec<Value> {
    let tool = |tool: &ToolSpec| json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters});
    let mut tools: Vec<Value> = tools.iter().map(tool).collect();
    if strict {
        for tool in &mut tools {
            tool["strict"] = json!(true);
        }
    }
    if let Some(last) = tools.last_mut().filter(|_| is_marked) {
        last["cache_control"] = json!({"type": "ephemeral"});
    }
    tools
}

/// One message on the wire.
#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

struct Block<'a> {
    content: Content<'a>,
    is_marked: bool,
}

enum Content<'a> {
    Text(&'a str),
    Result {
        id: Cow<'a, str>,
        content: &'a str,
    },
    Call {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Box<RawValue>,
    },
    /// As the provider wrote it.
    Own(&'a Value),
}

impl<'a> Block<'a> {
    fn new(content: Content<'a>) -> Self {
        Self { content, is_marked: false }
    }

    fn text(text: &'a str) -> Self {
        Self::new(Content::Text(text))
    }
}

impl Serialize for Block<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Content::Own(block) = self.content {
            return block.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        match &self.content {
            Content::Text(text) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
            }
            Content::Result { id, content } => {
                map.serialize_entry("type", "tool_result")?;
                map.serialize_entry("tool_use_id", id)?;
                map.serialize_entry("content", content)?;
            }
            Content::Call { id, name, input } => {
                map.serialize_entry("type", "tool_use")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("name", name)?;
                map.serialize_entry("input", input)?;
            }
            Content::Own(_) => {}
        }
        if self.is_marked {
            map.serialize_entry("cache_control", &json!({"type": "ephemeral"}))?;
        }
        map.end()
    }
}

/// What the harness says in a message. An empty text is refused, so it is not sent.
fn said(message: &Message) -> Option<&str> {
    match message {
        Message::System { content } | Message::User { content } if !content.trim().is_empty() => Some(content),
        _ => None,
    }
}

fn turns<'a>(messages: &'a [Message], settings: &ModelSettings) -> Vec<Turn<'a>> {
    let ids = FittingIds::new(Rule::Plain, messages, &settings.name);
    // A server that wants its reasoning back as text signs nothing.
    let is_sendable = |block: &Value| settings.capabilities.reasoning_roundtrip || !is_unsigned(block);
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for message in messages {
        let (role, blocks) = match message {
            Message::System { .. } | Message::User { .. } => ("user", said(message).map(Block::text).into_iter().collect()),
            Message::Tool { call_id, content, .. } => {
                ("user", vec![Block::new(Content::Result { id: ids.fit(call_id), content })])
            }
            Message::Assistant(turn) => {
                let own = turn.blocks_for(&settings.name).iter().filter(|block| is_sendable(block)).collect::<Vec<_>>();
                ("assistant", blocks(turn, &own, &ids))
            }
        };
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => turns.push(Turn { role, content: blocks }),
        }
    }
    for turn in turns.iter_mut().filter(|turn| turn.role == "user") {
        turn.content.sort_by_key(|block| !matches!(block.content, Content::Result { .. }));
    }
    turns
}

fn is(block: &Value, kind: &str) -> bool {
    block.get("type").is_some_and(|own| own == kind)
}

fn is_unsigned(block: &Value) -> bool {
    is(block, "thinking") && block.get("signature").and_then(Value::as_str).is_none_or(str::is_empty)
}

fn is_thought(block: &Block<'_>) -> bool {
    matches!(block.content, Content::Own(own) if is(own, "thinking") || is(own, "redacted_thinking"))
}

/// A turn as blocks: its own where this model wrote it, with the calls that the conversation has; else text and calls. Thinking that
/// nothing follows is left out.
fn blocks<'a>(turn: &'a AssistantTurn, own: &[&'a Value], ids: &FittingIds<'_>) -> Vec<Block<'a>> {
    let text = |block: &'a Value| block.get("text").and_then(Value::as_str).unwrap_or_default();
    let keeps_text = own.iter().copied().filter(|block| is(block, "text")).map(text).collect::<String>() == turn.text;
    let mut new_text = (!keeps_text && !turn.text.trim().is_empty()).then(|| Block::text(&turn.text));
    let mut blocks = Vec::new();
    let mut written = vec![false; turn.calls.len()];
    for block in own.iter().copied() {
        if is(block, "text") && !keeps_text {
            blocks.extend(new_text.take());
        } else if is(block, "text") {
            blocks.extend((!text(block).trim().is_empty()).then(|| Block::new(Content::Own(block))));
        } else if is(block, "tool_use") {
            let place = turn.calls.iter().position(|call| block.get("id").is_some_and(|id| *id == call.id));
            if let Some(place) = place.filter(|place| !written[*place]) {
                written[place] = true;
                blocks.push(call(&turn.calls[place], ids));
            }
        } else {
            blocks.push(Block::new(Content::Own(block)));
        }
    }
    blocks.extend(new_text);
    let rest = turn.calls.iter().zip(written).filter(|(_, written)| !written);
    blocks.extend(rest.map(|(new, _)| call(new, ids)));
    while blocks.last().is_some_and(is_thought) {
        blocks.pop();
    }
    blocks
}

fn call<'a>(call: &'a ToolCall, ids: &FittingIds<'_>) -> Block<'a> {
    let arguments = wire_arguments(&call.arguments).into_owned();
    let input = RawValue::from_string(arguments).or_else(|_| to_raw_value(&json!({}))).expect("an object is always written");
    Block::new(Content::Call { id: ids.fit(&call.id), name: wire_name(&call.name), input })
}

/// Marks the last two messages of the harness: where this request ends, and where the one before it ended.
fn mark(turns: &mut [Turn<'_>]) {
    let last = turns.iter_mut().rev().filter(|turn| turn.role == "user").take(2);
    for block in last.filter_map(|turn| turn.content.last_mut()) {
        block.is_marked = true;
    }
}
