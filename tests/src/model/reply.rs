//! An answer on the wire: server-sent events, in several pieces, in the shape of the dialect that was asked in.

mod anthropic;
mod chat;
mod responses;

use serde_json::Value;
use shared::Tokens;

use super::script::Turn;

/// A dialect. The path of a request says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `/chat/completions`
    Chat,
    /// `/responses`
    Responses,
    /// `/messages`
    Anthropic,
}

/// What a piece of an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Where it begins, and whatever only frames the rest.
    Frame,
    /// Words.
    Text,
    /// The arguments of a call.
    Arguments,
    /// Why the model stopped.
    Finish,
    /// What it took, where that is said apart.
    Usage,
    /// That this was all.
    End,
}

/// A piece of an answer.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) part: Part,
    pub(super) text: String,
    /// What it tells of what the answer took, beyond what the pieces before it have told.
    pub(super) told: Tokens,
}

/// What an answer is made of.
pub(super) struct Saying<'a> {
    pub(super) turn: &'a Turn,
    pub(super) ids: Vec<String>,
    pub(super) usage: Tokens,
}

impl Shape {
    /// The dialect of a path.
    pub(super) fn of(path: &str) -> Self {
        match path.rsplit('/').next() {
            Some("responses") => Self::Responses,
            Some("messages") => Self::Anthropic,
            _ => Self::Chat,
        }
    }

    /// As the configuration names it.
    pub fn dialect(self) -> &'static str {
        match self {
            Self::Chat => "openai-chat",
            Self::Responses => "openai-responses",
            Self::Anthropic => "anthropic-messages",
        }
    }

    /// The pieces of a streamed answer.
    pub(super) fn pieces(self, saying: &Saying<'_>) -> Vec<Piece> {
        match self {
            Self::Chat => chat::pieces(saying),
            Self::Responses => responses::pieces(saying),
            Self::Anthropic => anthropic::pieces(saying),
        }
    }

    /// What a server says in the middle of a stream when it gives up.
    pub(super) fn gives_up(self) -> String {
        match self {
            Self::Chat => event(r#"{"error":{"message":"The engine is overloaded","type":"server_error","code":503}}"#),
            Self::Responses => named("error", r#"{"type":"error","code":"server_error","message":"Try again"}"#),
            Self::Anthropic => named("error", r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
        }
    }

    /// How many answers stand in a conversation.
    pub(super) fn answers(self, body: &Value) -> usize {
        let is_own = |item: &Value| match self {
            Self::Responses => item["role"] == "assistant" || item["type"] == "function_call" || item["type"] == "reasoning",
            Self::Chat | Self::Anthropic => item["role"] == "assistant",
        };
        // What stands in a row was one answer.
        self.conversation(body).chunk_by(|one, next| is_own(one) == is_own(next)).filter(|row| is_own(&row[0])).count()
    }

    fn conversation(self, body: &Value) -> &[Value] {
        let key = if self == Self::Responses { "input" } else { "messages" };
        body[key].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// A text in two pieces, so that nobody relies on getting it whole; none if it is empty.
fn halves(text: &str) -> impl Iterator<Item = &str> {
    let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (one, two) = text.split_at(half);
    [one, two].into_iter().filter(|part| !part.is_empty())
}

fn piece(part: Part, text: String) -> Piece {
    Piece { part, text, told: Tokens::default() }
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

fn named(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
