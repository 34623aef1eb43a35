//! Server-sent events: bytes in, events out. One decoder for all dialects.
//!
//! **Invariant:** total. Any bytes in any pieces give events or one error, never a panic, and the pieces do not matter.
//! **Invariant:** bounded. A server that never ends its line is cut off, not stored.
//! **Invariant:** no byte is looked at twice, and an event costs no allocation: its name and data live in buffers that are used again.
//!
//! One liberty: a line `error: …` is no field of the standard, but some servers report a failure in the middle of a stream that way.
//! It becomes an event named `error`, where a strict reader would see a stream that just ends.
//!
//! Why not a crate: the one that fits reqwest 0.12 reconnects, which for a `POST` means asking, and paying, twice.

use memchr::{memchr, memchr2};

/// How long a line, and the data of one event, may be. No answer of a model is near it: 384,000 tokens are 2 MiB of text.
pub const LONGEST_EVENT: usize = 16 << 20;

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its name; empty if it has none.
    pub name: &'a str,
    /// Its data lines, joined by newlines.
    pub data: &'a str,
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
    /// A line whose end has not come.
    line: Vec<u8>,
    after_cr: bool,
    at_start: bool,
    fields: Fields,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(LONGEST_EVENT)
    }
}

impl Decoder {
    /// A decoder with a limit of its own.
    pub fn with_limit(limit: usize) -> Self {
        Self { line: Vec::new(), after_cr: false, at_start: true, fields: Fields::default(), limit }
    }

    /// Takes the next bytes, and hands on the events that they complete. The first error, be it its own, ends it.
    pub fn push<E: From<TooLong>>(
        &mut self,
        bytes: &[u8],
        mut on_event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = memchr2(b'\n', b'\r', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            if self.pending() + piece.len() > self.limit {
                return Err(TooLong { limit: self.limit }.into());
            }
            let Some(end) = end else {
                self.line.extend_from_slice(piece);
                break;
            };
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.end_line(piece, &mut on_event)?;
        }
        Ok(())
    }

    /// The stream is over: what stands in a last line without an end, and in a last event without a blank line.
    pub fn finish<E>(mut self, mut on_event: impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        if !self.line.is_empty() {
            self.end_line(&[], &mut on_event)?;
        }
        self.fields.dispatch(&mut on_event)
    }

    /// How many bytes have come of an event that is not complete.
    pub fn pending(&self) -> usize {
        self.line.len() + self.fields.data.len()
    }

    fn end_line<E>(&mut self, piece: &[u8], on_event: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let line = if self.line.is_empty() {
            piece
        } else {
            self.line.extend_from_slice(piece);
            &self.line
        };
        let mark = if std::mem::take(&mut self.at_start) { BYTE_ORDER_MARK } else { b"" };
        match line.strip_prefix(mark).unwrap_or(line) {
            [] => self.fields.dispatch(on_event)?,
            line => self.fields.line(line),
        }
        self.line.clear();
        Ok(())
    }
}

/// The fields of the event in the making.
#[derive(Debug, Default)]
struct Fields {
    name: Vec<u8>,
    data: Vec<u8>,
}

impl Fields {
    fn line(&mut self, line: &[u8]) {
        let (field, value) = match memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.rename(value),
            b"data" | b"error" => {
                if field == b"error" {
                    self.rename(field);
                }
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            _ => {} // a comment (its field is empty), `id`, `retry`, or nothing that we know
        }
    }

    fn rename(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    fn dispatch<E>(&mut self, on_event: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let dispatched = if self.data.is_empty() {
            Ok(())
        } else {
            on_event(Event { name: &String::from_utf8_lossy(&self.name), data: &String::from_utf8_lossy(&self.data) })
        };
        self.name.clear();
        self.data.clear();
        dispatched
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        let mut keep = |event: Event<'_>| -> Result<(), TooLong> {
            events.push((event.name.to_owned(), event.data.to_owned()));
            Ok(())
        };
        for piece in pieces {
            decoder.push(piece, &mut keep).unwrap();
        }
        decoder.finish(keep).unwrap();
        events
    }

    fn check(stream: &str, expected: &[(&str, &str)]) {
        let events = decode([stream.as_bytes()]);
        let seen: Vec<_> = events.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
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
        let limited = |pieces: &[&str]| {
            let mut decoder = Decoder::with_limit(10);
            pieces.iter().try_for_each(|piece| decoder.push(piece.as_bytes(), |_| Ok::<(), TooLong>(())))
        };
        assert!(limited(&["data: 123", "4\n\n", "data: 1234\n"]).is_ok());
        assert!(limited(&["data: 123", "45"]).is_err());
        assert!(limited(&["data: 12345\n"]).is_err());
        assert!(limited(&["data: 1\ndata: 2\ndata: 3\ndata: 4\n"]).is_err(), "lines add up");
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
