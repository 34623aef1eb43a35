//! What can go wrong with an answer, and what an answer is then.

use std::{collections::VecDeque, convert::Infallible, io, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use shared::Tokens;

use super::{
    gzip::gzip,
    reply::{Part, Piece, Shape},
};

/// Instead of an answer, or done to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A refusal with this status.
    Status(u16),
    /// A refusal with this status, and when to come back, in milliseconds.
    RetryAfter(u16, u32),
    /// The answer begins and the connection breaks.
    Cut,
    /// It breaks within a character of several bytes.
    CutInCharacter,
    /// It breaks within the arguments of a call.
    CutInArguments,
    /// It breaks when all is said and counted, but for why the model stopped.
    CutAfterUsage,
    /// Nothing comes, for as long as the other side waits.
    Stall,
    /// A refusal of requests that hold this word, in words that name it.
    Refuses(&'static str),
    /// The answer begins, and then nothing comes.
    StallWithin,
    /// Nothing comes but comments.
    KeepAlives,
    /// Every byte comes by itself.
    Drip,
    /// A page that is no model's answer.
    Garbage,
    /// Nothing at all, and that was it.
    Empty,
    /// An error within an answer that began well.
    ErrorWithin,
    /// A line of 50 MB.
    LongLine,
    /// All but why the model stopped.
    NoFinish,
    /// The answer, as something that it is not.
    WrongType,
    /// The answer, compressed.
    Gzip,
    /// The answer, where all calls of a conversation have one id.
    OneId,
    /// The answer, where calls have no id.
    NoIds,
}

const EVENTS: &str = "text/event-stream";

/// An answer to which nothing happens.
pub(super) fn whole(pieces: &[Piece], told: impl Fn(Tokens) + Send + 'static) -> Response {
    ([(header::CONTENT_TYPE, EVENTS)], body(pieces.iter().map(send).collect(), told)).into_response()
}

/// What is sent, in order.
enum Step {
    Send(Bytes, Tokens),
    Wait(Duration),
    Break,
    Hang,
}

/// So long after the last byte a connection breaks: what was sent has been read by then.
const BEFORE_A_BREAK: Duration = Duration::from_millis(100);

impl Fault {
    /// Every way in which an answer can go wrong and the next try goes well.
    pub fn all() -> Vec<Fault> {
        vec![
            Self::Status(429),
            Self::RetryAfter(429, 300),
            Self::Status(500),
            Self::Status(503),
            Self::Status(529),
            Self::Status(408),
            Self::Cut,
            Self::CutInCharacter,
            Self::CutInArguments,
            Self::CutAfterUsage,
            Self::Stall,
            Self::StallWithin,
            Self::KeepAlives,
            Self::Drip,
            Self::Garbage,
            Self::Empty,
            Self::ErrorWithin,
            Self::LongLine,
            Self::NoFinish,
            Self::WrongType,
            Self::Gzip,
            Self::OneId,
            Self::NoIds,
        ]
    }

    /// An answer that this happens to. `told` hears what usage has gone out.
    pub(super) fn response(self, shape: Shape, pieces: &[Piece], told: impl Fn(Tokens) + Send + 'static) -> Response {
        match self {
            Fault::Status(status) => refuse(status, &format!("the test wants a {status}")),
            Fault::RetryAfter(status, ms) => {
                let after = [(HeaderName::from_static("retry-after-ms"), ms.to_string())];
                (after, refuse(status, "the test wants some rest")).into_response()
            }
            Fault::Refuses(word) => refuse(400, &format!("{word} is not supported")),
            Fault::Garbage => "<html><body>Sign in to the airport's network</body></html>".into_response(),
            Fault::Gzip => {
                let whole: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
                told(pieces.iter().fold(Tokens::default(), |sum, piece| sum + piece.told));
                ([(header::CONTENT_TYPE, EVENTS), (header::CONTENT_ENCODING, "gzip")], gzip(whole.as_bytes())).into_response()
            }
            fault => {
                let kind = if fault == Fault::WrongType { "text/html" } else { EVENTS };
                ([(header::CONTENT_TYPE, kind)], body(fault.steps(shape, pieces), told)).into_response()
            }
        }
    }

    fn steps(self, shape: Shape, pieces: &[Piece]) -> Vec<Step> {
        let upto = |part: Part| pieces.iter().position(|piece| piece.part == part).unwrap_or(pieces.len() / 2);
        let is_cut_at = |place: usize| cut(pieces, place, 0);
        match self {
            Fault::Cut => is_cut_at(pieces.len() / 2),
            Fault::CutInCharacter => {
                let within = |piece: &Piece| piece.text.bytes().position(|byte| !byte.is_ascii());
                let found = pieces.iter().enumerate().find_map(|(place, piece)| Some((place, within(piece)?)));
                found.map_or_else(|| is_cut_at(pieces.len() / 2), |(place, at)| cut(pieces, place, at + 1))
            }
            Fault::CutInArguments => {
                let place = upto(Part::Arguments);
                cut(pieces, place, pieces[place].text.len() / 2)
            }
            Fault::CutAfterUsage => {
                let all = pieces.iter().filter(|piece| !matches!(piece.part, Part::Finish | Part::End));
                all.map(send).chain([Step::Wait(BEFORE_A_BREAK), Step::Break]).collect()
            }
            Fault::Stall => vec![Step::Hang],
            Fault::StallWithin => pieces[..pieces.len() / 2].iter().map(send).chain([Step::Hang]).collect(),
            Fault::KeepAlives => {
                let comment =
                    || [Step::Send(Bytes::from_static(b": keep-alive\n\n"), Tokens::default()), Step::Wait(BEFORE_A_BREAK)];
                (0..600).flat_map(|_| comment()).chain([Step::Break]).collect()
            }
            Fault::Drip => pieces.iter().flat_map(drip).collect(),
            Fault::Empty => Vec::new(),
            Fault::ErrorWithin => {
                let begun = pieces[..pieces.len() / 2].iter().map(send);
                begun.chain([Step::Send(shape.gives_up().into(), Tokens::default())]).collect()
            }
            Fault::LongLine => {
                let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
                let line = (0..50).map(|_| Step::Send(megabyte.clone(), Tokens::default()));
                [Step::Send(Bytes::from_static(b"data: "), Tokens::default())]
                    .into_iter()
                    .chain(line)
                    .chain([Step::Break])
                    .collect()
            }
            Fault::NoFinish => pieces.iter().filter(|piece| piece.part != Part::Finish).map(send).collect(),
            _ => pieces.iter().map(send).collect(),
        }
    }
}

fn send(piece: &Piece) -> Step {
    Step::Send(piece.text.clone().into(), piece.told)
}

/// All before a place, and so many bytes of what stands there.
fn cut(pieces: &[Piece], place: usize, bytes: usize) -> Vec<Step> {
    let part = Bytes::copy_from_slice(&pieces[place].text.as_bytes()[..bytes]);
    let before = pieces[..place].iter().map(send);
    before.chain([Step::Send(part, Tokens::default()), Step::Wait(BEFORE_A_BREAK), Step::Break]).collect()
}

fn drip(piece: &Piece) -> Vec<Step> {
    let last = piece.text.len().saturating_sub(1);
    let byte =
        |(place, byte): (usize, u8)| Step::Send(vec![byte].into(), if place == last { piece.told } else { Tokens::default() });
    piece.text.bytes().enumerate().map(byte).collect()
}

/// What usage goes out is told when it is taken to be sent.
fn body(steps: Vec<Step>, told: impl Fn(Tokens) + Send + 'static) -> Body {
    let steps = VecDeque::from(steps);
    Body::from_stream(stream::unfold((steps, told), async |(mut steps, told)| {
        loop {
            let sent: Result<Bytes, io::Error> = match steps.pop_front()? {
                Step::Send(bytes, tokens) => {
                    told(tokens);
                    Ok(bytes)
                }
                Step::Wait(time) => {
                    tokio::time::sleep(time).await;
                    continue;
                }
                Step::Break => Err(io::Error::other("cut")),
                Step::Hang => {
                    let never: Infallible = std::future::pending().await;
                    match never {}
                }
            };
            return Some((sent, (steps, told)));
        }
    }))
}

/// A refusal.
pub(super) fn refuse(status: u16, why: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let body = json!({ "error": { "message": why, "type": "test_error" } });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
