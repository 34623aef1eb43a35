//! What the fuzz targets share: an input that says itself where it is cut, and readers that must not care.
//!
//! **Invariant:** the cuts stand at the end of an input, so that a recorded stream with a zero byte after it is a good seed.

use std::sync::Mutex;

use shared::RunId;
use worker::model::{
    Answer, Delta, Dialect, Label, ModelError, ModelSettings, Request, Role,
    reader::Reader,
    sse::{Decoder, Event, TooLong},
    wire::{Ending, wire},
};

/// The body, and its pieces: the last byte says how many cuts there are, two bytes before it say where each is.
fn cut(input: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let Some((count, rest)) = input.split_last() else { return (input, vec![input]) };
    let (body, cuts) = rest.split_at(rest.len().saturating_sub(usize::from(count % 8) * 2));
    let place = |pair: &[u8]| usize::from(u16::from_le_bytes([pair[0], pair[1]])) % (body.len() + 1);
    let mut places: Vec<usize> = cuts.chunks_exact(2).map(place).chain([0, body.len()]).collect();
    places.sort_unstable();
    (body, places.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect())
}

/// Decodes the input whole and in pieces, under a limit that inputs reach.
pub fn decodes_alike(input: &[u8]) {
    let (body, pieces) = cut(input);
    let decode = |pieces: &[&[u8]]| {
        let mut decoder = Decoder::with_limit(512);
        let mut events = Vec::new();
        let mut keep = |event: Event<'_>| -> Result<(), TooLong> {
            events.push((event.name.to_owned(), event.data.to_owned()));
            Ok(())
        };
        let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut keep));
        let end = pushed.and_then(|()| decoder.finish(keep));
        (events, end)
    };
    assert_eq!(decode(&pieces), decode(&[body]));
}

/// Reads the input in a dialect, whole, in pieces and byte by byte; then writes the conversation that holds the answer.
pub fn reads_alike(dialect: &Dialect, input: &[u8]) {
    let (body, pieces) = cut(input);
    let whole = read(dialect, [body]);
    assert_eq!(read(dialect, pieces), whole);
    if body.len() <= 4096 {
        assert_eq!(read(dialect, body.chunks(1)), whole);
    }
    if let (Ok(answer), _) = whole {
        writes(dialect, answer);
    }
}

fn label() -> Label {
    Label { run: RunId::new("abcdefgh").expect("eight letters"), role: Role::Worker, task: None, attempt: 1, turn: 1 }
}

fn read<'a>(dialect: &Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Result<Answer, ModelError>, [String; 3]) {
    let heard = Mutex::new(<[String; 3]>::default());
    let on_delta = |delta: Delta<'_>| {
        let (place, text) = match delta {
            Delta::Text(text) => (0, text),
            Delta::Reasoning(text) => (1, text),
            Delta::Arguments(text) => (2, text),
            _ => return,
        };
        heard.lock().expect("nobody else holds it")[place].push_str(text);
    };
    let mut reader = Reader::new(wire(dialect).expect("a dialect that servers speak"));
    let pushed = pieces.into_iter().try_for_each(|piece| reader.push(piece, &on_delta).map(drop));
    let settings = ModelSettings::new("fuzz/model", dialect.clone(), "");
    let request = Request { label: &label(), messages: &[], tools: &[], max_tokens: 1 };
    let answer = pushed.and_then(|()| reader.finish(&mut Ending::of(&settings, &request), &on_delta));
    (answer, heard.into_inner().expect("nobody else holds it"))
}

/// Whatever was answered can be sent, to whoever wrote it and to anybody else.
fn writes(dialect: &Dialect, answer: Answer) {
    use worker::model::Message;
    let messages = [Message::user("go"), Message::Assistant(answer.turn)];
    let request = Request { label: &label(), messages: &messages, tools: &[], max_tokens: 1 };
    for (provider, other) in [("fuzz", dialect), ("other", &Dialect::OpenAiChat), ("other", &Dialect::AnthropicMessages)] {
        let settings = ModelSettings::new(&format!("{provider}/model"), other.clone(), "");
        let body = wire(other).expect("a dialect that servers speak").body(&settings, &request);
        assert!(body.starts_with(b"{") && body.ends_with(b"]}"));
    }
}
