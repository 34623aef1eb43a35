//! Models: one vocabulary, and clients that translate it to the wire.
//!
//! A [`Model`] answers one [`Request`] with one [`Answer`]. It keeps nothing between requests; the conversation belongs to the
//! [`agent`](crate::agent).
//!
//! **Invariant:** an answer is whole or it is an error. A stream that was cut is never half-used.
//! **Invariant:** a key leaves this module in the header that is for it and in no other way.
//!
//! A server is spoken to through one [`connection`], in a dialect that is a few pure parts ([`wire`]): [`chat`], [`responses`] or
//! [`anthropic`]. One [`reader`] reads the bodies of all of them, over one decoder of server-sent events ([`sse`]).
//!
//! Not here: tools, limits, money (a model only tells its price), and what to say to a model.

pub mod anthropic;
pub mod call_id;
pub mod capabilities;
pub mod chat;
pub mod connection;
pub mod error;
pub mod fallback;
pub mod fault;
pub mod governor;
pub mod message;
pub mod meter;
pub mod reader;
pub mod repair;
pub mod replay;
pub mod responses;
pub mod retry;
pub mod scripted;
pub mod settings;
pub mod sse;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod translation;
pub mod wire;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
pub use shared::Repair;
use shared::{Price, RunId, TaskId, Tokens};
use tokio_util::sync::CancellationToken;

pub use capabilities::{AuthHeader, Capabilities, PrefixCache};
pub use error::ModelError;
pub use governor::Governors;
pub use message::{AssistantTurn, Message, Opaque, ToolCall, estimate_tokens};
pub use settings::{Dialect, ModelSettings, Secret, connect, connect_governed};
pub use translation::Dropped;

use crate::tool::ToolSpec;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The agent that writes and mends the plan.
    Planner,
    /// An agent that carries out one task.
    Worker,
    /// Whoever makes a long conversation of a worker or of the planner short.
    Summariser,
}

impl Role {
    /// As headers and scripts spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Planner => "planner",
            Role::Worker => "worker",
            Role::Summariser => "summariser",
        }
    }
}

/// Which turn of whose attempt a request is, so that a gateway can attribute cost and a script can find its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The run.
    pub run: RunId,
    /// Who asks.
    pub role: Role,
    /// The task; a planner has none.
    pub task: Option<TaskId>,
    /// Which attempt at the task, or which time the planner is asked, counted from 1.
    pub attempt: u32,
    /// Which turn of the attempt, counted from 1.
    pub turn: u32,
}

impl Label {
    /// `the planner`, or the task.
    pub fn whose(&self) -> String {
        match (&self.role, &self.task) {
            (Role::Worker, Some(task)) => format!("task {task}"),
            (role, _) => format!("the {}", role.as_str()),
        }
    }
}

/// One request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub label: &'a Label,
    /// The whole conversation.
    pub messages: &'a [Message],
    /// What the model may call.
    pub tools: &'a [ToolSpec],
    /// How much it may write.
    pub max_tokens: u64,
}

impl Request<'_> {
    /// Roughly how many bytes the request is.
    pub fn bytes(&self) -> u64 {
        self.messages.iter().map(Message::bytes).sum::<u64>() + tool_bytes(self.tools)
    }
}

/// Roughly how many bytes of each request the tools are.
pub fn tool_bytes(tools: &[ToolSpec]) -> u64 {
    tools.iter().map(|tool| (tool.name.len() + tool.description.len() + tool.parameters.to_string().len() + 64) as u64).sum()
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the model said.
    pub turn: AssistantTurn,
    /// Why it stopped.
    pub finish: FinishReason,
    /// What the provider counted, if it did.
    pub usage: Option<Tokens>,
    /// What had to be mended before the calls could be read.
    pub repairs: Vec<Repair>,
    /// Who answered, if it was not the model that was asked.
    pub by: Option<Answerer>,
}

/// A model that answered in another one's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answerer {
    /// `provider/model`.
    pub model: String,
    /// What it costs, if anybody knows.
    pub price: Option<Price>,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It had said all.
    Stop,
    /// It waits for its calls to be carried out.
    ToolCalls,
    /// It ran into `max_tokens`: the last call may be cut, and its arguments are then no JSON object.
    Length,
    /// The provider withheld the rest.
    Filtered,
    /// Nobody said: the server ended the answer without a reason, and may have cut it anywhere.
    Unsaid,
}

impl FinishReason {
    /// Whether the model itself came to an end. Else the answer may be cut, also in the middle of a call.
    pub fn is_the_models(self) -> bool {
        match self {
            Self::Stop | Self::ToolCalls => true,
            Self::Length | Self::Filtered | Self::Unsaid => false,
        }
    }
}

/// What happens while an answer is on its way. The answer itself is what `ask` returns; of these only [`Delta::Counted`] counts for more
/// than display.
#[derive(Debug, Clone, Copy)]
pub enum Delta<'a> {
    /// More text.
    Text(&'a str),
    /// More reasoning.
    Reasoning(&'a str),
    /// More of a tool call's arguments.
    Arguments(&'a str),
    /// The request failed and is sent again after a wait; what was streamed so far is void.
    Retrying {
        /// What went wrong.
        why: &'a ModelError,
        /// How long until the next try.
        wait: Duration,
    },
    /// The request is held back, because the endpoint has asked for fewer.
    Held {
        /// How long at least, where the endpoint has said so.
        wait: Duration,
    },
    /// What the provider has counted for this try so far; the last one holds. It is to be paid even if the try then breaks off.
    Counted(Tokens),
    /// Another model is asked instead; what was streamed so far is void.
    Switched {
        /// Who was asked.
        from: &'a str,
        /// Who is asked now.
        to: &'a str,
        /// Why.
        why: &'a ModelError,
    },
    /// Another model wrote a part of the conversation, and this one gets it without what only the other can read.
    Translated {
        /// What it does not get.
        dropped: &'a [Dropped],
    },
}

/// Hears deltas. It must not block.
pub type OnDelta<'a> = dyn Fn(Delta<'_>) + Send + Sync + 'a;

/// Something that answers requests.
pub trait Model: Send + Sync {
    /// Asks once. Ends soon with [`ModelError::Cancelled`] when `cancel` is cancelled.
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>>;

    /// How many tokens a request and its answer may be together.
    fn context_window(&self) -> u64;

    /// How many tokens it may write in one answer.
    fn max_output(&self) -> u64;

    /// What it costs, if anybody knows.
    fn price(&self) -> Option<Price>;

    /// `provider/model`.
    fn id(&self) -> &str;

    /// How its provider keeps the beginnings of requests.
    fn prefix_cache(&self) -> PrefixCache {
        PrefixCache::Automatic
    }

    /// From how many tokens on a conversation with it is made shorter, where the configuration says so.
    fn context_budget(&self) -> Option<u64> {
        None
    }

    /// The same model with the room that whoever had this conversation had in a recorded run; none where nothing is recorded.
    fn as_recorded(&self, _task: Option<&TaskId>, _attempt: u32) -> Option<Arc<dyn Model>> {
        None
    }
}
