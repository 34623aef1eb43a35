//! What a dialect is: four pure parts. The [`connection`](super::connection) does the rest, for all of them alike.
//!
//! **Invariant:** nothing here waits, connects or keeps time. A dialect writes bytes and puts JSON together.
//!
//! The dialects themselves are [`chat`](super::chat), [`responses`](super::responses) and [`anthropic`](super::anthropic).

use serde_json::Value;

use super::{
    Answer, AuthHeader, Dialect, ModelError, ModelSettings, OnDelta, Request, anthropic::Anthropic, call_id::CallIds, chat::Chat,
    responses::Responses,
};

/// A dialect.
pub trait Wire: Send + Sync {
    /// What follows the address of the endpoint.
    fn path(&self) -> &'static str;

    /// Where the key goes if the settings do not say.
    fn auth(&self) -> AuthHeader {
        AuthHeader::Authorization
    }

    /// Headers that each request carries.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The body of a request. The same conversation gives the same bytes.
    fn body(&self, settings: &ModelSettings, request: &Request<'_>) -> Vec<u8>;

    /// What puts an answer together.
    fn assembly(&self) -> Box<dyn Assembly>;
}

/// An answer in the making, told in the JSON objects of one dialect.
pub trait Assembly: Send {
    /// Takes an event of a stream; says whether the server has now said all.
    fn event(&mut self, event: Value, on_delta: &OnDelta<'_>) -> Result<More, ModelError>;

    /// Takes an answer that is no stream.
    fn whole(&mut self, body: Value, on_delta: &OnDelta<'_>) -> Result<(), ModelError>;

    /// Whether the model has said why it stopped.
    fn has_finished(&self) -> bool;

    /// Whether `[DONE]` alone ends an answer, without a reason why the model stopped.
    fn is_ended_by_done(&self) -> bool {
        false
    }

    /// The answer.
    fn answer(self: Box<Self>, ending: &mut Ending<'_>) -> Result<Answer, ModelError>;
}

/// Whether more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Read on.
    Yes,
    /// The server said that this was all.
    No,
}

/// What an answer needs to know of its conversation.
pub struct Ending<'a> {
    /// The full name of the model that answers, for [`Opaque`](super::Opaque) blocks.
    pub model: &'a str,
    /// Makes ids unique.
    pub ids: CallIds,
}

impl<'a> Ending<'a> {
    /// For the answer to this request.
    pub fn of(settings: &'a ModelSettings, request: &Request<'_>) -> Self {
        Self { model: &settings.name, ids: CallIds::of(request) }
    }
}

/// How a dialect is spoken; none for those that no server speaks.
pub fn wire(dialect: &Dialect) -> Option<&'static dyn Wire> {
    match dialect {
        Dialect::OpenAiChat => Some(&Chat),
        Dialect::OpenAiResponses => Some(&Responses),
        Dialect::AnthropicMessages => Some(&Anthropic),
        Dialect::Scripted { .. } | Dialect::Replay { .. } => None,
    }
}
