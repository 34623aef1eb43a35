//! Server-sent events: bytes in, events out.
//!
//! **Invariant:** total. Any bytes in any pieces give events or one error, never a panic, and the pieces do not matter.
//! **Invariant:** bounded. A server that never ends its line is cut off, not stored.
//!
//! One liberty: a line `error: …` is no field of the standard, but some servers report a failure in the middle of a stream that way.
//! It becomes an event named `error`, where a strict reader would see a stream that just ends.
//!
//! Why not a crate: the one that fits reqwest 0.12 reconnects, which for a `POST` means asking, and paying, twice.

use std::mem;

/// How long a line, and the data of one event, may be.
pub const MAX_EVENT: usize = 64 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its data lines, joined by newlines.
    pub data: String,
}

/// A line, or the data of one event, went past the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {limit} bytes")]
pub struct TooLong {
    limit: usize,
}

/// Reads a stream piece by piece.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    after_cr: bool,
    at_start: bool,
    event: Event,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT)
    }
}

impl Decoder {
    /// A decoder with a limit of its own.
    pub fn with_limit(limit: usize) -> Self {
        Self { line: Vec::new(), after_cr: false, at_start: true, event: Event::default(), limit }
    }

    /// Takes the next bytes; returns the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            if mem::take(&mut self.after_cr) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                self.grow(rest)?;
                break;
            };
            self.grow(&rest[..end])?;
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_line());
        }
        Ok(events)
    }

    /// The stream is over: what stands in a last line without an end, and in a last event without a blank line.
    pub fn finish(mut self) -> Option<Event> {
        if !self.line.is_empty() {
            let _ = self.end_line();
        }
        self.dispatch()
    }

    fn grow(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.event.data.len() + bytes.len() > self.limit {
            return Err(TooLong { limit: self.limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = mem::take(&mut self.line);
        let bytes = if mem::take(&mut self.at_start) { bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes) } else { &bytes };
        if bytes.is_empty() {
            return self.dispatch();
        }
        let line = String::from_utf8_lossy(bytes);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        self.field(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    fn field(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" | "error" => {
                if field == "error" {
                    field.clone_into(&mut self.event.name);
                }
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {} // a comment (its field is empty), `id`, `retry`, or nothing that we know
        }
    }

    fn dispatch(&mut self) -> Option<Event> {
        let event = mem::take(&mut self.event);
        (!event.data.is_empty()).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
        let mut decoder = Decoder::default();
        let mut events: Vec<Event> = pieces.into_iter().flat_map(|piece| decoder.push(piece).unwrap()).collect();
        events.extend(decoder.finish());
        events
    }

    fn check(stream: &str, expected: &[(&str, &str)]) {
        let events = decode([stream.as_bytes()]);
        let seen: Vec<_> = events.iter().map(|e| (e.name.as_str(), e.data.as_str())).collect();
        assert_eq!(seen, expected, "{stream:?}");
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        check("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")]);
        check("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &[("", "a"), ("", "b"), ("", "c")]);
        check("\u{feff}data: a\n\n", &[("", "a")]);
        check("data:a\ndata:  b\n\n", &[("", "a\n b")]);
        check(": keep-alive\n\nevent: ping\n\ndata: a\n\n", &[("", "a")]);
        check("event: done\ndata: {}\nid: 7\nretry: 1\nwhat\n\n", &[("done", "{}")]);
        check("data\n\ndata:\n\n", &[]);
    }

    #[test]
    fn a_last_event_counts_without_its_blank_line_or_newline() {
        check("data: a\n\ndata: b\n", &[("", "a"), ("", "b")]);
        check("data: b", &[("", "b")]);
    }

    #[test]
    fn an_error_line_is_an_event() {
        check("error: {\"code\":1}\n\n", &[("error", "{\"code\":1}")]);
    }

    #[test]
    fn a_line_without_an_end_is_cut_off() {
        let mut decoder = Decoder::with_limit(10);
        assert!(decoder.push(b"data: 123").is_ok());
        assert!(decoder.push(b"45").is_err());
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            lines in prop::collection::vec("(data|event|error|)(:| |: |é|\u{feff}|x){0,4}(\r\n|\r|\n){1,2}", 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            same_in_pieces(lines.concat().as_bytes(), &cuts)?;
        }

        #[test]
        fn any_bytes_in_any_pieces_are_read_alike(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            same_in_pieces(&bytes, &cuts)?;
        }
    }

    fn same_in_pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Result<(), TestCaseError> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(decode(pieces), decode([bytes]));
        Ok(())
    }
}
