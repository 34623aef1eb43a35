//! A request as OpenAI-compatible servers want it.
//!
//! **Invariant:** the same conversation gives the same bytes, and a longer one begins with them: caches of providers work on prefixes.
//!
//! The messages are written straight from the conversation, without a tree of JSON values in between: a long conversation is written
//! anew for every turn.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Map, Value, json};

use crate::{
    model::{
        AssistantTurn, Message, ModelSettings, Request, ToolCall,
        call_id::{FittingIds, Rule},
        chat::members,
        translation::{wire_arguments, wire_name},
    },
    tool::ToolSpec,
};

/// `OpenAI` refuses longer ones.
const IDS: Rule = Rule::Longest(40);

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
        const OURS: [&str; 3] = ["messages", "tools", "stream"];
        let Body { settings, request } = self;
        let capabilities = &settings.capabilities;
        let mut map = serializer.serialize_map(None)?;
        settings.write_head(&mut map, &self.defaults(), &OURS)?;
        if !request.tools.is_empty() {
            map.serialize_entry("tools", &Tools { tools: request.tools, strict: capabilities.strict_tools })?;
        }
        map.serialize_entry("messages", &Messages { settings, messages: request.messages })?;
        map.end()
    }
}

impl Body<'_> {
    fn defaults(&self) -> Vec<(&str, Value)> {
        let Body { settings, request } = self;
        let capabilities = &settings.capabilities;
        let mut defaults = vec![
            ("model", json!(settings.wire_name())),
            (capabilities.bound("max_tokens"), json!(request.max_tokens.min(settings.max_output))),
        ];
        if capabilities.streaming {
            defaults.push(("stream_options", json!({"include_usage": true})));
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

struct Tools<'a> {
    tools: &'a [ToolSpec],
    strict: bool,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.tools.iter().map(|tool| {
            let mut function = json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
            if self.strict {
                function["strict"] = Value::Bool(true);
            }
            json!({"type": "function", "function": function})
        }))
    }
}

struct Messages<'a> {
    settings: &'a ModelSettings,
    messages: &'a [Message],
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let writer = Writer {
            reasoning: self.settings.capabilities.reasoning_roundtrip,
            model: &self.settings.name,
            ids: FittingIds::new(IDS, self.messages, &self.settings.name),
        };
        let mut list = serializer.serialize_seq(Some(self.messages.len()))?;
        for message in self.messages {
            list.serialize_element(&writer.message(message))?;
        }
        list.end()
    }
}

#[derive(Default, Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    /// `null` beside tool calls, as servers themselves write it.
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    /// What the provider wants back as it came.
    #[serde(flatten)]
    members: Map<String, Value>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    function: WireFunction<'a>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: Cow<'a, str>,
    arguments: Cow<'a, str>,
}

/// How the messages of one request are written.
struct Writer<'a> {
    reasoning: bool,
    model: &'a str,
    ids: FittingIds<'a>,
}

impl Writer<'_> {
    fn message<'m>(&self, message: &'m Message) -> WireMessage<'m> {
        let plain = |role, content| WireMessage { role, content: Some(content), ..WireMessage::default() };
        match message {
            Message::System { content } => plain("system", content.as_str()),
            Message::User { content } => plain("user", content.as_str()),
            Message::Tool { call_id, content, .. } => {
                WireMessage { tool_call_id: Some(self.ids.fit(call_id)), ..plain("tool", content.as_str()) }
            }
            Message::Assistant(turn) => self.turn(turn),
        }
    }

    /// Where reasoning goes back at all, it goes back with every turn, even with one that had none: the server counts.
    fn turn<'m>(&self, turn: &'m AssistantTurn) -> WireMessage<'m> {
        let blocks = turn.blocks_for(self.model);
        WireMessage {
            role: "assistant",
            content: (turn.calls.is_empty() || !turn.text.is_empty()).then_some(turn.text.as_str()),
            reasoning_content: self.reasoning.then(|| turn.reasoning.as_deref().unwrap_or_default()),
            tool_call_id: None,
            tool_calls: turn.calls.iter().map(|call| self.call(call, blocks)).collect(),
            members: members::of_message(blocks),
        }
    }

    fn call<'m>(&self, call: &'m ToolCall, blocks: &[Value]) -> WireCall<'m> {
        WireCall {
            id: self.ids.fit(&call.id),
            r#type: "function",
            function: WireFunction { name: wire_name(&call.name), arguments: wire_arguments(&call.arguments) },
            members: members::of_call(blocks, &call.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::testing::{label, settings};

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "c1".into(), name: "read_file".into(), arguments: arguments.into() }
    }

    fn check(settings: &ModelSettings, messages: &[Message], tools: &[ToolSpec], expected: &Expect) {
        let bytes = body(settings, &Request { label: &label(1), messages, tools, max_tokens: 100 });
        let text = String::from_utf8(bytes).unwrap();
        expected.assert_eq(&text.replace(",\"", ",\n\""));
    }

    #[test]
    fn a_conversation_is_written_with_its_reasoning_where_that_goes_back() {
        let turn = |reasoning: Option<&str>, text: &str, calls| {
            Message::Assistant(AssistantTurn { text: text.into(), reasoning: reasoning.map(Into::into), calls, opaque: None })
        };
        let messages = [
            Message::system("be good"),
            turn(Some(" think "), "", vec![call("{ \"path\" : \"a\" }")]),
            Message::Tool { call_id: "c1".into(), name: "read_file".into(), content: "x".into() },
            turn(None, "hm", vec![call("{\"path\":"), call("")]),
        ];
        let mut settings = settings("http://localhost/v1");
        settings.capabilities.reasoning_roundtrip = true;
        check(
            &settings,
            &messages,
            &[],
            &expect![[r#"
            {"model":"model",
            "max_tokens":100,
            "stream_options":{"include_usage":true},
            "stream":true,
            "messages":[{"role":"system",
            "content":"be good"},{"role":"assistant",
            "content":null,
            "reasoning_content":" think ",
            "tool_calls":[{"id":"c1",
            "type":"function",
            "function":{"name":"read_file",
            "arguments":"{ \"path\" : \"a\" }"}}]},{"role":"tool",
            "content":"x",
            "tool_call_id":"c1"},{"role":"assistant",
            "content":"hm",
            "reasoning_content":"",
            "tool_calls":[{"id":"c1",
            "type":"function",
            "function":{"name":"read_file",
            "arguments":"{\"not_json\":\"{\\\"path\\\":\"}"}},{"id":"c1",
            "type":"function",
            "function":{"name":"read_file",
            "arguments":"{}"}}]}]}"#]],
        );
    }

    #[test]
    fn extra_members_override_and_take_out_but_never_touch_the_conversation() {
        let mut settings = settings("http://localhost/v1");
        let extra = json!({"stream_options": null, "max_tokens": 7, "stream": false, "messages": [], "user_id": "u"});
        settings.extra_body = extra.as_object().unwrap().clone();
        settings.capabilities.strict_tools = true;
        let tool = ToolSpec { name: "t", description: "d", parameters: json!({"type": "object"}) };
        check(
            &settings,
            &[Message::user("go")],
            &[tool],
            &expect![[r#"
            {"model":"model",
            "max_tokens":7,
            "user_id":"u",
            "stream":true,
            "tools":[{"function":{"description":"d",
            "name":"t",
            "parameters":{"type":"object"},
            "strict":true},
            "type":"function"}],
            "messages":[{"role":"user",
            "content":"go"}]}"#]],
        );
    }

    #[test]
    fn capabilities_are_written_as_this_dialect_has_them() {
        let mut settings = settings("http://localhost/v1");
        settings.capabilities.streaming = false;
        settings.capabilities.parallel_calls = false;
        settings.capabilities.max_tokens_key = "max_completion_tokens".into();
        settings.capabilities.affinity_key = "prompt_cache_key".into();
        let tool = ToolSpec { name: "t", description: "d", parameters: json!({"type": "object"}) };
        check(
            &settings,
            &[Message::user("go")],
            &[tool],
            &expect![[r#"
            {"model":"model",
            "max_completion_tokens":100,
            "prompt_cache_key":"abcdefgh",
            "parallel_tool_calls":false,
            "tools":[{"function":{"description":"d",
            "name":"t",
            "parameters":{"type":"object"}},
            "type":"function"}],
            "messages":[{"role":"user",
            "content":"go"}]}"#]],
        );
        check(
            &settings,
            &[Message::user("go")],
            &[],
            &expect![[r#"
            {"model":"model",
            "max_completion_tokens":100,
            "prompt_cache_key":"abcdefgh",
            "messages":[{"role":"user",
            "content":"go"}]}"#]],
        );
    }

    #[test]
    fn a_longer_conversation_begins_with_the_bytes_of_the_shorter() {
        let settings = settings("http://localhost/v1");
        let messages = [Message::system("a"), Message::user("b"), Message::user("c")];
        let write =
            |count| body(&settings, &Request { label: &label(1), messages: &messages[..count], tools: &[], max_tokens: 9 });
        let (short, long) = (write(2), write(3));
        assert!(long.starts_with(&short[..short.len() - 2]), "all but the closing brackets");
    }
}
