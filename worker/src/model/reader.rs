//! The body of an answer, piece by piece, until it is an [`Answer`] or an error. One reader for all dialects.
//!
//! Whatever was asked for, servers answer with server-sent events or with one JSON object, and proxies with a page of HTML. The first
//! byte that is neither white space nor a byte order mark tells them apart; content types lie.
//!
//! **Invariant:** total. Any bytes in any pieces give an answer or an error, never a panic, and the pieces do not matter.
//! **Invariant:** without the model's reason to stop (or `[DONE]`, in the dialect that has it) there is no answer, however much text
//! has come.
//! **Invariant:** bounded. No event and no JSON body is longer than [`LONGEST_EVENT`], no stream longer than [`LONGEST_STREAM`].

use serde_json::Value;

use super::{
    Answer, ModelError, OnDelta, fault,
    sse::{BYTE_ORDER_MARK, Decoder, Event, LONGEST_EVENT, TooLong},
    wire::{Assembly, Ending, More, Wire},
};

/// How long a stream may be. Servers frame each token in 300 bytes and more, and a model may write 384,000 of them.
pub const LONGEST_STREAM: usize = 256 << 20;

/// So much of an unfinished event is no keep-alive any more.
const LONGEST_KEEP_ALIVE: usize = 1024;

/// What a piece of a body was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Whether more is to come.
    pub more: More,
    /// Whether the piece brought anything but keep-alives.
    pub progress: bool,
}

/// Reads one body.
pub struct Reader {
    body: Body,
    read: usize,
    stream: Stream,
}

enum Body {
    /// Nothing but white space, or a part of a byte order mark, has come.
    Unknown(Vec<u8>),
    Events(Decoder),
    Whole(Vec<u8>),
}

/// What the events of a stream have come to.
struct Stream {
    assembly: Box<dyn Assembly>,
    /// Where data was no JSON: the stream was damaged or cut.
    damaged: Option<String>,
    /// Whether that was before the model had said that it was finished, so that something of the answer is missing.
    is_torn: bool,
    done: bool,
    progress: bool,
}

impl From<TooLong> for ModelError {
    fn from(error: TooLong) -> Self {
        Self::Broken { why: error.to_string() }
    }
}

impl Reader {
    /// A reader of one answer in a dialect.
    pub fn new(wire: &dyn Wire) -> Self {
        let stream = Stream { assembly: wire.assembly(), damaged: None, is_torn: false, done: false, progress: false };
        Self { body: Body::Unknown(Vec::new()), read: 0, stream }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], on_delta: &OnDelta<'_>) -> Result<Heard, ModelError> {
        self.read = self.read.saturating_add(bytes.len());
        if self.read > LONGEST_STREAM {
            return Err(ModelError::Broken { why: format!("it is longer than {LONGEST_STREAM} bytes") });
        }
        self.stream.progress = false;
        if let Body::Unknown(head) = &mut self.body {
            head.extend_from_slice(bytes);
            let Some((body, start)) = begin(head) else { return Ok(self.heard()) };
            self.body = body;
            self.take(&start, on_delta)?;
        } else {
            self.take(bytes, on_delta)?;
        }
        Ok(self.heard())
    }

    fn take(&mut self, bytes: &[u8], on_delta: &OnDelta<'_>) -> Result<(), ModelError> {
        match &mut self.body {
            Body::Unknown(_) => {}
            Body::Events(decoder) => {
                decoder.push(bytes, |event| self.stream.event(event, on_delta))?;
                self.stream.progress |= decoder.pending() > LONGEST_KEEP_ALIVE;
            }
            Body::Whole(body) if body.len() + bytes.len() > LONGEST_EVENT => {
                return Err(ModelError::Broken { why: format!("it is longer than {LONGEST_EVENT} bytes") });
            }
            Body::Whole(body) => {
                body.extend_from_slice(bytes);
                self.stream.progress = !bytes.trim_ascii().is_empty();
            }
        }
        Ok(())
    }

    fn heard(&self) -> Heard {
        Heard { more: if self.stream.done { More::No } else { More::Yes }, progress: self.stream.progress }
    }

    /// Whether what has come would do if nothing more came.
    pub fn is_complete(&self) -> bool {
        self.stream.done || (self.stream.assembly.has_finished() && self.stream.damaged.is_none())
    }

    /// The body is over.
    pub fn finish(self, ending: &mut Ending<'_>, on_delta: &OnDelta<'_>) -> Result<Answer, ModelError> {
        let mut stream = self.stream;
        match self.body {
            Body::Unknown(_) => Err(ModelError::Broken { why: "the server sent nothing".to_owned() }),
            Body::Whole(body) => whole(&body, stream.assembly, ending, on_delta),
            Body::Events(decoder) => {
                decoder.finish(|event| stream.event(event, on_delta))?;
                stream.conclude(ending)
            }
        }
    }
}

/// What the first bytes begin, and the bytes without what stands before it.
fn begin(head: &mut Vec<u8>) -> Option<(Body, Vec<u8>)> {
    let text = head.trim_ascii_start();
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii_start();
    match text.first() {
        Some(b'{' | b'[' | b'<') => Some((Body::Whole(Vec::new()), text.to_vec())),
        Some(_) if !BYTE_ORDER_MARK.starts_with(text) => Some((Body::Events(Decoder::default()), text.to_vec())),
        _ => {
            // White space is not kept: some servers send it for minutes, so that nobody hangs up.
            if text.is_empty() {
                let marked = head.trim_ascii_start().starts_with(BYTE_ORDER_MARK);
                *head = if marked { BYTE_ORDER_MARK.to_vec() } else { Vec::new() };
            }
            None
        }
    }
}

impl Stream {
    fn event(&mut self, event: Event<'_>, on_delta: &OnDelta<'_>) -> Result<(), ModelError> {
        let data = event.data.trim();
        if self.done || is_keep_alive(event.name) || is_keep_alive(data) {
            return Ok(());
        }
        if data == "[DONE]" {
            (self.progress, self.done) = (true, true);
            return Ok(());
        }
        let json = serde_json::from_str::<Value>(data).ok().filter(Value::is_object);
        let kind = json.as_ref().and_then(|json| json.get("type")).and_then(Value::as_str);
        if kind.is_some_and(is_keep_alive) {
            return Ok(());
        }
        self.progress = true;
        match json {
            Some(json) if event.name == "error" || is_error(&json) => return Err(fault::of_event(&json)),
            None if event.name == "error" => return Err(fault::of_event(&Value::String(data.to_owned()))),
            Some(json) => self.done = self.assembly.event(json, on_delta)? == More::No,
            None => {
                self.is_torn |= !self.assembly.has_finished();
                self.damaged.get_or_insert_with(|| data.chars().take(80).collect());
            }
        }
        Ok(())
    }

    fn conclude(self, ending: &mut Ending<'_>) -> Result<Answer, ModelError> {
        let finished = self.assembly.has_finished();
        let ended = finished || (self.done && self.assembly.is_ended_by_done());
        match self.damaged {
            Some(data) if self.is_torn || !finished || self.done => {
                Err(ModelError::Broken { why: format!("a piece of the stream is no JSON: `{data}`") })
            }
            _ if !ended => {
                Err(ModelError::Broken { why: "the stream ended before the model said that it was finished".to_owned() })
            }
            _ => self.assembly.answer(ending),
        }
    }
}

/// What servers send so that nobody hangs up, where it is no comment.
fn is_keep_alive(word: &str) -> bool {
    matches!(word, "ping" | "keepalive" | "keep-alive" | "heartbeat")
}

fn is_error(json: &Value) -> bool {
    let is = |key: &str| json.get(key).is_some_and(|word| word == "error");
    let has = |key: &str| json.get(key).is_some_and(|value| !is_empty(value));
    has("error") || is("object") || is("type") || (has("detail") && !has("choices") && !has("type"))
}

/// Some servers fill a member that says nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn whole(
    body: &[u8],
    mut assembly: Box<dyn Assembly>,
    ending: &mut Ending<'_>,
    on_delta: &OnDelta<'_>,
) -> Result<Answer, ModelError> {
    let text = String::from_utf8_lossy(body);
    let Ok(json) = serde_json::from_str::<Value>(&text) else {
        let start: String = text.trim().chars().take(80).collect();
        return Err(ModelError::Broken { why: format!("the server sent no model's answer but `{start}`") });
    };
    if is_error(&json) {
        return Err(fault::of_event(&json));
    }
    assembly.whole(json, on_delta)?;
    assembly.answer(ending)
}
