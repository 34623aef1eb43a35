//! Prefix discipline: what was sent once is sent again as it was, and all workers of a run begin alike.
//!
//! A cached token costs a fiftieth of another one, and a cache knows a request by its first bytes. So each request of a conversation
//! extends the one before it, and only a compaction begins anew, after the opening. [`Prints`] finds out where that does not hold, and
//! names the field; [`Kin`] does the same for what all workers of a run share.
//!
//! **Invariant:** looking costs what is new, not what is old: of what was seen before, the length of each text and a few bytes of it are
//! compared, a fraction of a microsecond a message.
//! Builds with debug assertions compare all of it, and a drift there is a panic; elsewhere it is a warning that the run counts.
//!
//! Not here: the bytes on the wire. That the same messages become the same bytes is the dialects' own promise
//! ([`crate::model`]).

pub mod warmth;

use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::OnceLock,
};

use crate::{
    model::{AssistantTurn, Message},
    tool::ToolSpec,
};

/// What is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// Another model is asked: its cache knows nothing of this.
    Model,
    /// The list of tools, or one of them.
    Tools,
    /// The request is shorter than the one before it.
    Shorter {
        /// How many messages that had.
        had: usize,
        /// How many this has.
        has: usize,
    },
    /// A message that was sent before.
    Message {
        /// Its place, counted from 0.
        place: usize,
        /// What of it.
        part: Part,
    },
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Who speaks.
    Role,
    /// The text.
    Content,
    /// What the model thought.
    Reasoning,
    /// Names or arguments of its calls.
    Calls,
    /// The id of a call, or of the call that is answered.
    CallId,
    /// What only the provider reads.
    Opaque,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("another model is asked"),
            Self::Tools => f.write_str("the tools are others"),
            Self::Shorter { had, has } => write!(f, "{has} messages follow upon {had}"),
            Self::Message { place, part } => write!(f, "the {part} of message {place} is another"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Role => "role",
            Self::Content => "content",
            Self::Reasoning => "reasoning",
            Self::Calls => "list of calls",
            Self::CallId => "call id",
            Self::Opaque => "opaque part",
        })
    }
}

/// How closely what was seen before is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Lengths and a few bytes.
    Glance,
    /// Everything.
    Whole,
}

impl Default for Look {
    fn default() -> Self {
        if cfg!(debug_assertions) { Self::Whole } else { Self::Glance }
    }
}

/// What the requests of one conversation have held so far.
#[derive(Debug, Clone, Default)]
pub struct Prints {
    look: Look,
    head: Option<Head>,
    messages: Vec<Print>,
}

/// What stands before the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    model: u64,
    tools: u64,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    role: u64,
    content: u64,
    reasoning: u64,
    calls: u64,
    ids: u64,
    opaque: u64,
}

impl Prints {
    /// Prints that look in this way.
    pub fn looking(look: Look) -> Self {
        Self { look, ..Self::default() }
    }

    /// Takes note of a request, and says what of it does not extend the one before. The request counts from then on.
    pub fn take(&mut self, model: &str, tools: &[ToolSpec], messages: &[Message]) -> Option<Drift> {
        let head = Head { model: hash(|h| model.hash(h)), tools: self.of_tools(tools) };
        let drift = self.head.and_then(|before| before.drift(head)).or_else(|| self.drift_of(messages));
        self.head = Some(head);
        if drift.is_some() {
            self.messages.clear();
        }
        let new = &messages[self.messages.len()..];
        self.messages.extend(new.iter().map(|message| Print::of(message, self.look)));
        drift
    }

    /// All after the first so many messages may be others from now on.
    pub fn keep(&mut self, opening: usize) {
        self.messages.truncate(opening);
    }

    fn drift_of(&self, messages: &[Message]) -> Option<Drift> {
        if messages.len() < self.messages.len() {
            return Some(Drift::Shorter { had: self.messages.len(), has: messages.len() });
        }
        let mut pairs = self.messages.iter().zip(messages).enumerate();
        pairs.find_map(|(place, (before, message))| {
            let part = before.drift(Print::of(message, self.look))?;
            Some(Drift::Message { place, part })
        })
    }

    fn of_tools(&self, tools: &[ToolSpec]) -> u64 {
        hash(|h| {
            for tool in tools {
                (tool.name, tool.description).hash(h);
                if self.look == Look::Whole {
                    tool.parameters.to_string().hash(h);
                }
            }
        })
    }
}

impl Head {
    fn drift(self, now: Self) -> Option<Drift> {
        match () {
            () if self.tools != now.tools => Some(Drift::Tools),
            () if self.model != now.model => Some(Drift::Model),
            () => None,
        }
    }
}

impl Print {
    fn of(message: &Message, look: Look) -> Self {
        let nothing = Self { role: 0, content: 0, reasoning: 0, calls: 0, ids: 0, opaque: 0 };
        match message {
            Message::System { content } => Self { role: 1, content: look.at(content), ..nothing },
            Message::User { content } => Self { role: 2, content: look.at(content), ..nothing },
            Message::Tool { call_id, name, content } => {
                Self { role: 3, content: look.at(content), calls: look.at(name), ids: look.at(call_id), ..nothing }
            }
            Message::Assistant(turn) => Self::of_turn(turn, look),
        }
    }

    fn of_turn(turn: &AssistantTurn, look: Look) -> Self {
        let calls = turn.calls.iter();
        Self {
            role: 4,
            content: look.at(&turn.text),
            reasoning: turn.reasoning.as_deref().map_or(0, |reasoning| look.at(reasoning)),
            calls: calls.clone().fold(0, |sum, call| mix(mix(sum, look.at(&call.name)), look.at(&call.arguments))),
            ids: calls.fold(0, |sum, call| mix(sum, look.at(&call.id))),
            opaque: turn.opaque.as_ref().map_or(0, |opaque| {
                let blocks = opaque.blocks.iter().filter(|_| look == Look::Whole);
                let first = mix(look.at(&opaque.provider), opaque.blocks.len() as u64);
                blocks.fold(first, |sum, block| mix(sum, look.at(&block.to_string())))
            }),
        }
    }

    fn drift(self, now: Self) -> Option<Part> {
        let parts = [
            (self.role, now.role, Part::Role),
            (self.ids, now.ids, Part::CallId),
            (self.content, now.content, Part::Content),
            (self.reasoning, now.reasoning, Part::Reasoning),
            (self.calls, now.calls, Part::Calls),
            (self.opaque, now.opaque, Part::Opaque),
        ];
        parts.into_iter().find_map(|(before, now, part)| (before != now).then_some(part))
    }
}

impl Look {
    /// A number for a text. It is never zero: no text at all is.
    fn at(self, text: &str) -> u64 {
        match self {
            Self::Whole => hash(|h| text.hash(h)),
            Self::Glance => glance(text.as_bytes()),
        }
    }
}

/// The length, and eight bytes at a few places.
fn glance(bytes: &[u8]) -> u64 {
    const SAMPLE: usize = 8;
    let last = bytes.len().saturating_sub(SAMPLE);
    [0, last / 3, last / 3 * 2, last].into_iter().fold(bytes.len() as u64 + 1, |sum, start| {
        let mut sample = [0; SAMPLE];
        let found = &bytes[start..bytes.len().min(start + SAMPLE)];
        sample[..found.len()].copy_from_slice(found);
        mix(sum, u64::from_le_bytes(sample))
    }) | 1
}

fn mix(sum: u64, more: u64) -> u64 {
    (sum.rotate_left(23) ^ more).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn hash(write: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    write(&mut hasher);
    hasher.finish() | 1
}

/// What all workers of a run begin with. The first to ask says what that is.
#[derive(Debug, Default)]
pub struct Kin(OnceLock<(u64, Print)>);

impl Kin {
    /// What of this beginning is not as the first worker's was.
    pub fn look(&self, tools: &[ToolSpec], messages: &[Message]) -> Option<Drift> {
        let first = messages.first()?;
        let own = (Prints::looking(Look::Whole).of_tools(tools), Print::of(first, Look::Whole));
        let (tools, print) = *self.0.get_or_init(|| own);
        if tools != own.0 {
            return Some(Drift::Tools);
        }
        print.drift(own.1).map(|part| Drift::Message { place: 0, part })
    }
}

#[cfg(test)]
mod tests;
