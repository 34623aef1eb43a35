//! The body of an answer, piece by piece, until it is an [`Answer`] or an error.
//!
//! A streaming request is mostly answered by server-sent events, but some servers answer with one JSON object, and proxies with a page
//! of HTML. The first byte that is not white space tells them apart; content types lie.
//!
//! **Invariant:** without a finish reason or `[DONE]` there is no answer, however much text has come.

use serde_json::Value;

use super::{assembly::Assembly, fault};
use crate::model::{
    Answer, ModelError, OnDelta,
    sse::{Decoder, Event, MAX_EVENT},
};

/// Whether more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// Read on.
    Yes,
    /// The server said that this was all.
    No,
}

/// Reads one body.
#[derive(Default)]
pub(super) struct Reply {
    shape: Shape,
    read: usize,
    assembly: Assembly,
    /// Where data was no JSON: the stream was damaged or cut.
    damaged: Option<String>,
    done: bool,
}

#[derive(Default)]
enum Shape {
    #[default]
    Unknown,
    Events(Decoder),
    Whole(Vec<u8>),
}

impl Reply {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8], on_delta: &OnDelta<'_>) -> Result<More, ModelError> {
        self.read += bytes.len();
        if self.read > MAX_EVENT {
            return Err(ModelError::Broken { why: format!("it is longer than {MAX_EVENT} bytes") });
        }
        if matches!(self.shape, Shape::Unknown) {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => return Ok(More::Yes),
                Some(b'{' | b'[' | b'<') => self.shape = Shape::Whole(Vec::new()),
                Some(_) => self.shape = Shape::Events(Decoder::default()),
            }
        }
        let events = match &mut self.shape {
            Shape::Whole(body) => {
                body.extend_from_slice(bytes);
                return Ok(More::Yes);
            }
            Shape::Events(decoder) => decoder.push(bytes).map_err(|error| ModelError::Broken { why: error.to_string() })?,
            Shape::Unknown => Vec::new(),
        };
        for event in events {
            self.event(&event, on_delta)?;
        }
        Ok(if self.done { More::No } else { More::Yes })
    }

    /// Whether what has come would do if nothing more came.
    pub(super) fn is_complete(&self) -> bool {
        self.done || (self.assembly.has_finished() && self.damaged.is_none())
    }

    /// The body is over.
    pub(super) fn finish(mut self, ids: &mut dyn FnMut(&str) -> String, on_delta: &OnDelta<'_>) -> Result<Answer, ModelError> {
        match std::mem::take(&mut self.shape) {
            Shape::Unknown => Err(ModelError::Broken { why: "the server sent nothing".to_owned() }),
            Shape::Whole(body) => whole(&body, ids, on_delta),
            Shape::Events(decoder) => {
                if let Some(last) = decoder.finish() {
                    self.event(&last, on_delta)?;
                }
                self.conclude(ids)
            }
        }
    }

    fn event(&mut self, event: &Event, on_delta: &OnDelta<'_>) -> Result<(), ModelError> {
        let data = event.data.trim();
        if self.done {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk = serde_json::from_str::<Value>(data).ok().filter(Value::is_object);
        match chunk {
            Some(chunk) if is_error(&chunk) || event.name == "error" => Err(fault::of_event(&chunk)),
            None if event.name == "error" => Err(fault::of_event(&Value::String(data.to_owned()))),
            Some(chunk) => {
                self.assembly.chunk(&chunk, on_delta);
                Ok(())
            }
            None => {
                self.damaged.get_or_insert_with(|| data.chars().take(80).collect());
                Ok(())
            }
        }
    }

    fn conclude(self, ids: &mut dyn FnMut(&str) -> String) -> Result<Answer, ModelError> {
        let finished = self.assembly.has_finished();
        match self.damaged {
            Some(data) if !finished || self.done => {
                Err(ModelError::Broken { why: format!("a piece of the stream is no JSON: `{data}`") })
            }
            _ if !finished && !self.done => {
                Err(ModelError::Broken { why: "the stream ended before the model said that it was finished".to_owned() })
            }
            _ => self.assembly.answer(ids),
        }
    }
}

fn is_error(chunk: &Value) -> bool {
    chunk.get("error").is_some_and(|error| !error.is_null())
        || chunk.get("object").is_some_and(|object| object == "error")
        || (chunk.get("choices").is_none() && chunk.get("detail").is_some())
}

fn whole(body: &[u8], ids: &mut dyn FnMut(&str) -> String, on_delta: &OnDelta<'_>) -> Result<Answer, ModelError> {
    let text = String::from_utf8_lossy(body);
    let Ok(json) = serde_json::from_str::<Value>(&text) else {
        let start: String = text.trim().chars().take(80).collect();
        return Err(ModelError::Broken { why: format!("the server sent no model's answer but `{start}`") });
    };
    if is_error(&json) || !json.get("choices").is_some_and(Value::is_array) {
        return Err(fault::of_event(&json));
    }
    let mut assembly = Assembly::default();
    assembly.chunk(&json, on_delta);
    assembly.answer(ids)
}
