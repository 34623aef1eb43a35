//! A conversation with its transcript and what it has taken so far.
//!
//! **Invariant:** it is only ever appended to. The one liberty: what the harness says in a row, before anything is sent, becomes one
//! message, for some chat templates refuse two user messages in a row.
//! **Invariant:** a message is in the transcript before a model sees it.
//! **Invariant:** secrets are masked when a message comes in, and never later, so that neither transcript nor request holds one and both
//! stay the same bytes. What the model itself wrote stays as it wrote it.

use std::{borrow::Cow, io, path::Path, sync::Arc};

use shared::{Money, Price, Secrecy, Tokens};

use crate::{
    model::{Answer, Label, Message, estimate_tokens, tool_bytes},
    tool::ToolSpec,
    transcript::{self, AnswerNote, Entry, Start, Transcript, tool_value},
};

/// What a conversation has taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answers.
    pub turns: u32,
    /// Tokens of all requests.
    pub tokens: Tokens,
    /// What they cost; none where nobody knows the price.
    pub cost: Option<Money>,
}

/// Messages, transcript, totals.
#[derive(Debug)]
pub struct Conversation {
    messages: Vec<Message>,
    transcript: Transcript,
    secrecy: Arc<Secrecy>,
    written: usize,
    started: bool,
    totals: Totals,
    counted: Option<Counted>,
}

/// How many tokens the conversation had up to a place, as the provider counted.
#[derive(Debug, Clone, Copy)]
struct Counted {
    messages: usize,
    tokens: u64,
    is_cached: bool,
}

impl Conversation {
    /// A conversation that begins, or goes on, with these messages. They are written to the transcript too, so that each transcript is
    /// whole by itself.
    pub fn new(messages: Vec<Message>, transcript: Transcript, secrecy: Arc<Secrecy>) -> Self {
        let messages = messages.into_iter().map(|message| masked(message, &secrecy)).collect();
        Self { messages, transcript, secrecy, written: 0, started: false, totals: Totals::default(), counted: None }
    }

    /// A conversation that was interrupted, with what it has taken so far. Its transcript goes on.
    pub fn resume(path: &Path, price: Option<Price>, secrecy: Arc<Secrecy>) -> io::Result<Self> {
        let transcript = Transcript::reopen(path)?;
        let (mut written, mut totals) = (0, Totals::default());
        for (_, entry) in transcript::read_entries(path)? {
            match entry {
                Entry::Message(_) => written += 1,
                Entry::Answer(note) => {
                    totals.turns += 1;
                    totals.tokens += note.usage;
                    totals.cost = price.map(|price| totals.cost.unwrap_or_default() + price.of(note.usage));
                }
                Entry::Start(_) | Entry::End(_) => {}
            }
        }
        let messages = transcript::read(path)?;
        Ok(Self { messages, transcript, secrecy, written, started: written > 0, totals, counted: None })
    }

    /// All that was said.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What it has taken.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Adds a word of the harness.
    pub fn say(&mut self, text: &str) {
        let text = &*self.secrecy.mask(text);
        let unsent = self.messages.len() > self.written;
        match self.messages.last_mut() {
            Some(Message::User { content }) if unsent => {
                content.push_str("\n\n");
                content.push_str(text);
            }
            _ => self.messages.push(Message::user(text)),
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        self.messages.push(masked(message, &self.secrecy));
    }

    /// The last result or answer, for whoever wants to know how far it got.
    pub fn last_words(&self) -> String {
        const LONGEST: usize = 2_000;
        let said = self.messages.iter().rev().find_map(|message| match message {
            Message::Tool { content, .. } => Some(content),
            Message::Assistant(turn) if !turn.text.is_empty() => Some(&turn.text),
            _ => None,
        });
        let said = said.map_or("", |text| text.trim());
        let start = said.char_indices().rev().nth(LONGEST).map_or(0, |(start, _)| start);
        said[start..].to_owned()
    }

    /// What the next request will take before an answer is written: counted by the provider as far as it has, the rest by bytes.
    pub(super) fn prompt(&self, tools: &[ToolSpec]) -> Tokens {
        let bytes = |messages: &[Message]| estimate_tokens(messages.iter().map(Message::bytes).sum());
        match self.counted {
            None => Tokens { hit: 0, miss: bytes(&self.messages) + estimate_tokens(tool_bytes(tools)), write: 0, output: 0 },
            Some(Counted { messages, tokens, is_cached }) => {
                let new = bytes(&self.messages[messages..]);
                if is_cached {
                    Tokens { hit: tokens, miss: new, write: 0, output: 0 }
                } else {
                    Tokens { hit: 0, miss: tokens + new, write: 0, output: 0 }
                }
            }
        }
    }

    /// Writes what is not written yet; the first time with a head. To be done before a request is sent.
    pub(super) fn write(&mut self, model: &str, label: &Label, tools: &[ToolSpec]) -> io::Result<()> {
        if !self.started {
            let start = Start { model: model.to_owned(), label: label.clone(), tools: tools.iter().map(tool_value).collect() };
            self.transcript.append(label.turn, &Entry::Start(start))?;
            self.started = true;
        }
        self.write_messages(label.turn)?;
        self.transcript.flush()
    }

    fn write_messages(&mut self, turn: u32) -> io::Result<()> {
        for message in &self.messages[self.written..] {
            self.transcript.append_message(turn, message)?;
        }
        self.written = self.messages.len();
        Ok(())
    }

    /// Counts what a request took that brought no answer.
    pub(super) fn spent(&mut self, used: Tokens, price: Option<Price>) {
        self.totals.tokens += used;
        self.totals.cost = price.map(|price| self.totals.cost.unwrap_or_default() + price.of(used));
    }

    /// Adds an answer, and what it took. It is written before its calls are carried out: whoever goes on after a crash knows of them.
    pub(super) fn answered(&mut self, answer: &Answer, used: Tokens, max_tokens: u64) -> io::Result<()> {
        self.totals.turns += 1;
        self.messages.push(Message::Assistant(answer.turn.clone()));
        let is_cached = used.hit > 0 || self.counted.is_some_and(|counted| counted.is_cached);
        self.counted = Some(Counted { messages: self.messages.len(), tokens: used.total(), is_cached });
        let note = AnswerNote { max_tokens, finish: answer.finish, usage: used, estimated: answer.usage.is_none() };
        self.write_messages(self.totals.turns)?;
        self.transcript.append(self.totals.turns, &Entry::Answer(note))?;
        self.transcript.flush()
    }

    /// Writes the rest, and how it ended.
    pub(super) fn close(&mut self, end: &str) -> io::Result<()> {
        let turn = self.totals.turns;
        self.write_messages(turn)?;
        self.transcript.append(turn, &Entry::End(self.secrecy.mask(end).into_owned()))?;
        self.transcript.flush()
    }
}

/// A message without the secrets in it, unless it is the model's own.
fn masked(mut message: Message, secrecy: &Secrecy) -> Message {
    if let Message::System { content } | Message::User { content } | Message::Tool { content, .. } = &mut message
        && let Cow::Owned(text) = secrecy.mask(content)
    {
        *content = text;
    }
    message
}
