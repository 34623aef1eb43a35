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

/// What only its own provider reads: signatures, encrypted reasoning, the order of blocks. It goes back unchanged to that provider and
/// to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opaque {
    /// The entry of the configuration that wrote it: the part of a model's name before the first `/`.
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
        let said = self.text.len() + self.reasoning.as_ref().map_or(0, String::len) + calls;
        // Opaque blocks hold what was said as well, and go out instead of it.
        let blocks = self.opaque.iter().flat_map(|opaque| &opaque.blocks).map(|block| block.to_string().len());
        said.max(blocks.sum())
    }
}

/// Tokens of so many bytes, before anybody has counted them: 3.1 bytes a token is what source code costs at worst.
pub fn estimate_tokens(bytes: u64) -> u64 {
    bytes.saturating_mul(10).div_ceil(31)
}
