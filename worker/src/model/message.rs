//! What is said between a harness and a model, in words that belong to no provider.
//!
//! **Invariant:** what a model wrote is kept as it came. A tool call's arguments are the raw text, even where that is no JSON, and
//! reasoning is never edited: some providers refuse a conversation whose earlier reasoning was touched.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// Standing orders; the first message.
    System {
        /// The text.
        content: String,
    },
    /// The harness, or the person through it.
    User {
        /// The text.
        content: String,
    },
    /// The model.
    Assistant(AssistantTurn),
    /// What a tool call came to.
    Tool {
        /// The call that this answers.
        call_id: String,
        /// The tool.
        name: String,
        /// The result, or what to do instead.
        content: String,
    },
}

/// What a model said in one turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistantTurn {
    /// What it said aloud; may be empty.
    #[serde(default, rename = "content")]
    pub text: String,
    /// What it thought, where the provider shows it. `Some("")` is not `None`: it has to be sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// What it wants done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// What the provider wants back as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Opaque>,
}

/// What only its own model reads: signatures, encrypted reasoning, the order of blocks. It goes back unchanged to that model and to
/// nobody else: providers refuse the signatures of one of their models when another is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opaque {
    /// Who wrote it: the full name, `provider/model`.
    pub provider: String,
    /// The blocks in their order, as the dialect has them.
    pub blocks: Vec<Value>,
}

/// One tool call as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique within the conversation.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The raw text of the arguments; a JSON object if all is well.
    pub arguments: String,
}

impl Message {
    /// Standing orders.
    pub fn system(content: impl Into<String>) -> Self {
        Self::System { content: content.into() }
    }

    /// A word from the harness.
    pub fn user(content: impl Into<String>) -> Self {
        Self::User { content: content.into() }
    }

    /// Roughly how many bytes of a request the message is.
    pub fn bytes(&self) -> u64 {
        const FRAME: usize = 32;
        let bytes = match self {
            Message::System { content } | Message::User { content } => content.len(),
            Message::Assistant(turn) => turn.bytes(),
            Message::Tool { call_id, content, .. } => call_id.len() + content.len(),
        };
        (bytes + FRAME) as u64
    }
}

impl AssistantTurn {
    /// How many bytes the model wrote.
    pub fn bytes(&self) -> usize {
        let calls: usize = self.calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len()).sum();
        let said = self.text.len() + self.reasoning.as_ref().map_or(0, String::len);
        // Opaque blocks hold what was said as well, and go out instead of it. Their calls go out as the turn has them.
        let blocks = self.opaque.iter().flat_map(|opaque| &opaque.blocks).filter(|block| !is_call(block)).map(written);
        calls + said.max(blocks.sum())
    }
}

fn is_call(block: &Value) -> bool {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    matches!(kind, "tool_use" | "function_call" | "custom_tool_call")
}

/// Roughly how long a value is as JSON, without writing it.
fn written(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() + 2,
        Value::Array(values) => values.iter().map(|value| written(value) + 1).sum::<usize>() + 2,
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + written(value) + 4).sum::<usize>() + 2,
    }
}

/// Tokens of so many bytes, before anybody has counted them: 3.1 bytes a token is what source code costs at worst.
pub fn estimate_tokens(bytes: u64) -> u64 {
    bytes.saturating_mul(10).div_ceil(31)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_size_of_a_turn_counts_what_goes_out_and_nothing_twice() {
        let thinking = json!({"type": "thinking", "thinking": "x".repeat(500), "signature": "s".repeat(400)});
        let call = json!({"type": "function_call", "arguments": "a".repeat(300)});
        let turn = AssistantTurn {
            text: String::new(),
            reasoning: Some("x".repeat(500)),
            calls: vec![ToolCall { id: "c".into(), name: "f".into(), arguments: "a".repeat(300) }],
            opaque: Some(Opaque { provider: "p".into(), blocks: vec![thinking.clone(), call] }),
        };
        let exact = thinking.to_string().len() + 302;
        assert!(turn.bytes().abs_diff(exact) < 10, "{} is not about {exact}", turn.bytes());
        assert_eq!(AssistantTurn { opaque: None, ..turn }.bytes(), 802);
    }
}
