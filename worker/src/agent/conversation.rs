//! A conversation with its transcript and what it has taken so far.
//!
//! **Invariant:** it is only ever appended to, but where it is made shorter as a whole ([`Conversation::compact`]). The one liberty: what
//! the harness says in a row, before anything is sent, becomes one message, for some chat templates refuse two user messages in a row.
//! **Invariant:** a message is in the transcript before a model sees it.
//! **Invariant:** secrets are masked when a message comes in, and never later, so that neither transcript nor request holds one and both
//! stay the same bytes. What the model itself wrote stays as it wrote it.
//! **Invariant:** what was paid is in the transcript, as it was paid: whoever resumes begins with the same totals. What a try took that
//! brought no answer has a line of its own.

use std::{borrow::Cow, io, path::Path, sync::Arc};

use shared::{Money, Price, Secrecy, Tokens};

use crate::{
    context::{
        compaction::{self, Pressure},
        room::{Gauge, Room},
    },
    model::{Answer, FinishReason, Label, Message, Model, tool_bytes},
    prefix::{Drift, Prints},
    tool::ToolSpec,
    transcript::{self, AnswerNote, Bounds, Compacted, Entry, Paid, Start, Transcript, tool_value},
};

/// What a conversation has taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answers.
    pub turns: u32,
    /// Tokens of all requests.
    pub tokens: Tokens,
    /// What those of them cost whose price is known; none where nobody knows any.
    pub cost: Option<Money>,
}

impl Totals {
    /// What nobody can price adds nothing to the cost, and takes nothing from it.
    fn add(&mut self, paid: Paid) {
        self.tokens += paid.tokens;
        self.cost = match (self.cost, paid.cost) {
            (Some(sum), Some(cost)) => Some(sum + cost),
            (sum, cost) => sum.or(cost),
        };
    }
}

/// Messages, transcript, totals.
#[derive(Debug)]
pub struct Conversation {
    messages: Vec<Message>,
    transcript: Transcript,
    secrecy: Arc<Secrecy>,
    written: usize,
    started: bool,
    /// An answer whose call is carried out first, and what is said after it.
    open: Option<(Answer, String)>,
    totals: Totals,
    counted: Option<Counted>,
    gauge: Gauge,
    prints: Prints,
}

/// How many tokens the conversation had up to a place, as the provider counted.
#[derive(Debug, Clone, Copy)]
struct Counted {
    messages: usize,
    bytes: u64,
    tokens: u64,
    /// How many of them nobody counted after all: the answer came without a count.
    guessed: u64,
    is_cached: bool,
}

impl Conversation {
    /// A conversation that begins, or goes on, with these messages. They are written to the transcript too, so that each transcript is
    /// whole by itself.
    pub fn new(messages: Vec<Message>, transcript: Transcript, secrecy: Arc<Secrecy>) -> Self {
        let messages = messages.into_iter().map(|message| masked(message, &secrecy)).collect();
        Self::of(messages, transcript, secrecy)
    }

    fn of(messages: Vec<Message>, transcript: Transcript, secrecy: Arc<Secrecy>) -> Self {
        Self {
            messages,
            transcript,
            secrecy,
            written: 0,
            started: false,
            open: None,
            totals: Totals::default(),
            counted: None,
            gauge: Gauge::default(),
            prints: Prints::default(),
        }
    }

    /// A conversation that was interrupted, with what it has taken so far. Its transcript goes on. An old one does not say what was
    /// paid; it is taken to be what this price says.
    pub fn resume(path: &Path, price: Option<Price>, secrecy: Arc<Secrecy>) -> io::Result<Self> {
        let transcript = Transcript::reopen(path)?;
        let entries = transcript::read_entries(path)?;
        let mut totals = Totals::default();
        for (_, entry) in &entries {
            totals.turns += u32::from(matches!(entry, Entry::Answer(_)));
            let old = |tokens| Paid { tokens, cost: price.map(|price| price.of(tokens)) };
            totals.add(match entry {
                Entry::Answer(note) => note.paid.unwrap_or_else(|| old(note.usage)),
                Entry::Compacted(Compacted { asked: Some(note), .. }) => note.paid.unwrap_or_else(|| old(note.usage)),
                Entry::Lost(paid) => *paid,
                Entry::Start(_) | Entry::Message(_) | Entry::Compacted(_) | Entry::End(_) => continue,
            });
        }
        let (messages, written) = transcript::messages_of(path, entries)?;
        Ok(Self { written, started: written > 0, totals, ..Self::of(messages, transcript, secrecy) })
    }

    /// Where the last answer did nothing but end the conversation, and nobody has heard whether that was accepted: the call is open again,
    /// and is carried out before anything is asked. What is to be said then, should it not be accepted, is said after it.
    pub fn reopen(&mut self, terminal: &str, notice: &str) -> bool {
        let [.., Message::Assistant(turn), Message::Tool { .. }] = self.messages.as_slice() else { return false };
        let is_open = transcript::interrupted(&self.messages).any(|call| call.name == terminal);
        if !is_open || turn.calls.len() != 1 || self.written + 1 != self.messages.len() {
            return false;
        }
        let (turn, by) = (turn.clone(), None);
        self.messages.pop();
        let answer = Answer { turn, finish: FinishReason::ToolCalls, usage: None, repairs: Vec::new(), by };
        self.open = Some((answer, notice.to_owned()));
        true
    }

    /// What [`reopen`](Self::reopen) has opened, and what is said after it. There is nothing more to open then.
    pub(super) fn take_open(&mut self) -> Option<(Answer, String)> {
        self.open.take()
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
        match self.counted {
            None => Tokens { miss: self.gauge.tokens(bytes(&self.messages) + tool_bytes(tools)), ..Tokens::default() },
            Some(Counted { messages, tokens, is_cached, .. }) => {
                let new = self.gauge.tokens(bytes(&self.messages[messages..]));
                let (hit, miss) = if is_cached { (tokens, new) } else { (0, tokens + new) };
                Tokens { hit, miss, ..Tokens::default() }
            }
        }
    }

    /// How many tokens of [`prompt`](Self::prompt) stand behind no count: all of them when it begins, when it is resumed, and where the
    /// provider never counts. What is weighed as the provider has weighed this very conversation is no mere guess: what the run has
    /// learned about guesses would correct it twice.
    pub(super) fn guessed(&self, tools: &[ToolSpec]) -> u64 {
        let since = |new: u64| if self.gauge.is_taught() { 0 } else { self.gauge.tokens(new) };
        match self.counted {
            None => since(bytes(&self.messages) + tool_bytes(tools)),
            Some(Counted { messages, guessed, .. }) => guessed + since(bytes(&self.messages[messages..])),
        }
    }

    /// What would have to go for the next request to fit.
    pub(super) fn pressure(&self, tools: &[ToolSpec], room: Room) -> Pressure {
        Pressure { prompt: self.prompt(tools).total(), room, gauge: self.gauge }
    }

    /// Writes all but what the harness has said last, for that is not sent yet and may still grow. To be done before anything is
    /// replaced.
    pub(super) fn write_said(&mut self, model: &dyn Model, label: &Label, tools: &[ToolSpec]) -> io::Result<()> {
        self.write_head(model, label, tools)?;
        let is_unsent = matches!(self.messages.last(), Some(Message::User { .. })) && self.messages.len() > self.written;
        self.write_messages(label.turn, self.messages.len() - usize::from(is_unsent))
    }

    /// Makes it shorter. The line that says so is on its way to the disk before the conversation is another.
    pub(super) fn compact(&mut self, turn: u32, compacted: Compacted) -> io::Result<()> {
        let mut messages = self.messages.clone();
        compaction::apply(&mut messages, &compacted.replaced).map_err(io::Error::other)?;
        let unsent = self.messages.len() - self.written;
        self.transcript.append(turn, &Entry::Compacted(compacted))?;
        self.transcript.flush()?;
        self.written = messages.len() - unsent;
        self.messages = messages;
        self.counted = None;
        let opening = self.messages.iter().position(|message| matches!(message, Message::Assistant(_)));
        self.prints.keep(opening.unwrap_or_default());
        Ok(())
    }

    /// Whether the next request extends the one before it, and what of it does not.
    pub(super) fn drift(&mut self, model: &str, tools: &[ToolSpec]) -> Option<Drift> {
        self.prints.take(model, tools, &self.messages)
    }

    /// Writes what is not written yet; the first time with a head. To be done before a request is sent.
    pub(super) fn write(&mut self, model: &dyn Model, label: &Label, tools: &[ToolSpec]) -> io::Result<()> {
        self.write_head(model, label, tools)?;
        self.write_messages(label.turn, self.messages.len())?;
        self.transcript.flush()
    }

    fn write_head(&mut self, model: &dyn Model, label: &Label, tools: &[ToolSpec]) -> io::Result<()> {
        if !self.started {
            let (tools, bounds) = (tools.iter().map(tool_value).collect(), Some(Bounds::of(model)));
            let start = Start { model: model.id().to_owned(), label: label.clone(), tools, bounds };
            self.transcript.append(label.turn, &Entry::Start(start))?;
            self.started = true;
        }
        Ok(())
    }

    fn write_messages(&mut self, turn: u32, end: usize) -> io::Result<()> {
        for message in &self.messages[self.written..end] {
            self.transcript.append_message(turn, message)?;
        }
        self.written = end;
        Ok(())
    }

    /// Counts what a request took whose line says so itself.
    pub(super) fn spent(&mut self, paid: Paid) {
        self.totals.add(paid);
    }

    /// Counts what a request took that brought no answer, and writes it down. Why there is no answer matters more than a line that
    /// cannot be written.
    pub(super) fn lost(&mut self, paid: Paid) {
        self.totals.add(paid);
        if paid.tokens.total() == 0 {
            return;
        }
        let written = self.transcript.append(self.totals.turns + 1, &Entry::Lost(paid)).and_then(|()| self.transcript.flush());
        if let Err(error) = written {
            tracing::warn!(%error, "what a request took could not be written");
        }
    }

    /// Adds an answer, and what it took. It is written before its calls are carried out: whoever goes on after a crash knows of them.
    pub(super) fn answered(&mut self, answer: &Answer, used: Tokens, sent: Sent<'_>) -> io::Result<()> {
        self.totals.turns += 1;
        self.totals.add(sent.paid);
        self.count(answer, used, sent.tools);
        let Sent { max_tokens, paid, .. } = sent;
        let (finish, estimated) = (answer.finish, answer.usage.is_none());
        let note = AnswerNote { max_tokens, finish, usage: used, estimated, paid: Some(paid) };
        self.write_messages(self.totals.turns, self.messages.len())?;
        self.transcript.append(self.totals.turns, &Entry::Answer(note))?;
        self.transcript.flush()
    }

    /// Adds the answer to what was counted. What was counted by bytes teaches nothing about bytes.
    fn count(&mut self, answer: &Answer, used: Tokens, tools: &[ToolSpec]) {
        let before = self.counted.map_or((0, tool_bytes(tools)), |counted| (counted.messages, counted.bytes));
        let sent = before.1 + bytes(&self.messages[before.0..]);
        let guessed = if answer.usage.is_some() { 0 } else { self.guessed(tools) + used.output };
        if answer.usage.is_some() {
            self.gauge = Gauge::counted(sent, used.total() - used.output);
        }
        self.messages.push(Message::Assistant(answer.turn.clone()));
        let bytes = sent + self.messages.last().map_or(0, Message::bytes);
        let is_cached = used.hit > 0 || self.counted.is_some_and(|counted| counted.is_cached);
        self.counted = Some(Counted { messages: self.messages.len(), bytes, tokens: used.total(), guessed, is_cached });
    }

    /// Writes the rest, and how it ended.
    pub(super) fn close(&mut self, end: &str) -> io::Result<()> {
        let turn = self.totals.turns;
        self.write_messages(turn, self.messages.len())?;
        self.transcript.append(turn, &Entry::End(self.secrecy.mask(end).into_owned()))?;
        self.transcript.flush()
    }
}

/// What a request was sent with beside the conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    /// The tools.
    pub(super) tools: &'a [ToolSpec],
    /// The longest answer that was asked for.
    pub(super) max_tokens: u64,
    /// What it took, over all its tries.
    pub(super) paid: Paid,
}

fn bytes(messages: &[Message]) -> u64 {
    messages.iter().map(Message::bytes).sum()
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

#[cfg(test)]
mod tests;
