//! The ids of tool calls: made unique when an answer is read, made to fit when a conversation is written.
//!
//! **Invariant:** what an id is written as depends on the id, its turn and the dialect alone, so that a call and its result agree and a
//! longer conversation begins with the bytes of the shorter.

use std::{borrow::Cow, collections::HashSet};

use super::{Message, Request, translation};

/// Ids that are missing, or taken by an earlier call, are made up from the turn and the place: `call_3_1`.
#[derive(Debug)]
pub struct CallIds {
    taken: HashSet<String>,
    turn: u32,
    place: u32,
}

impl CallIds {
    /// For the answer to this request.
    pub fn of(request: &Request<'_>) -> Self {
        let turns =
            request.messages.iter().filter_map(|message| if let Message::Assistant(turn) = message { Some(turn) } else { None });
        let taken = turns.flat_map(|turn| &turn.calls).map(|call| call.id.clone()).collect();
        Self { taken, turn: request.label.turn, place: 0 }
    }

    /// The id of the next call, which a server named so, or not at all.
    pub fn unique(&mut self, given: &str) -> String {
        self.place += 1;
        let (mut id, mut made_up) = (given.to_owned(), self.place);
        while id.is_empty() || !self.taken.insert(id.clone()) {
            id = format!("call_{}_{made_up}", self.turn);
            made_up += 1;
        }
        id
    }
}

/// What a dialect takes for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// At most so many bytes.
    Longest(usize),
    /// Letters, digits, `_` and `-`.
    Plain,
}

/// An id longer than this carries something: gateways hide the signatures of a model in them. It goes back as it is to whoever wrote it.
const LONGEST_PLAIN: usize = 64;

/// Writes the ids of one conversation.
#[derive(Debug)]
pub(super) struct FittingIds<'a> {
    rule: Rule,
    foreign: HashSet<&'a str>,
}

impl<'a> FittingIds<'a> {
    /// For a conversation that goes to the model of this full name.
    pub(super) fn new(rule: Rule, messages: &'a [Message], model: &str) -> Self {
        Self { rule, foreign: translation::foreign_calls(messages, model) }
    }

    /// The id as the dialect takes it.
    pub(super) fn fit<'i>(&self, id: &'i str) -> Cow<'i, str> {
        let fits = match self.rule {
            Rule::Longest(longest) => id.len() <= longest || (id.len() > LONGEST_PLAIN && !self.foreign.contains(id)),
            Rule::Plain => !id.is_empty() && id.bytes().all(is_plain),
        };
        if fits { Cow::Borrowed(id) } else { Cow::Owned(fitted(id)) }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The beginning of the id, for whoever reads it, and a hash of all of it.
fn fitted(id: &str) -> String {
    const BEGINNING: usize = 16;
    let plain: String = id.bytes().take(BEGINNING).map(|byte| if is_plain(byte) { char::from(byte) } else { '_' }).collect();
    format!("{plain}_{:016x}", fnv(id.as_bytes()))
}

/// FNV-1a: a hash that is the same in every build and on every machine.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AssistantTurn, Opaque, ToolCall};

    fn turn(id: &str, model: Option<&str>) -> Message {
        let calls = vec![ToolCall { id: id.into(), name: "t".into(), arguments: String::new() }];
        let opaque = model.map(|model| Opaque { provider: model.into(), blocks: Vec::new() });
        Message::Assistant(AssistantTurn { calls, opaque, ..AssistantTurn::default() })
    }

    #[test]
    fn an_id_that_fits_stays_and_another_becomes_one_that_always_is_the_same() {
        let vllm = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
        let ids = FittingIds::new(Rule::Longest(40), &[], "p");
        assert_eq!(ids.fit("functions.read:0"), "functions.read:0");
        assert_eq!(ids.fit(vllm), "chatcmpl-tool-01_7059c8a482880eeb");
        let ids = FittingIds::new(Rule::Plain, &[], "p");
        assert_eq!(ids.fit("toolu_01-a"), "toolu_01-a");
        assert_eq!(ids.fit("functions.read:0"), "functions_read_0_5b4c7fc9f36ea68e");
        assert_ne!(ids.fit("functions.read:0"), ids.fit("functions.read.0"));
    }

    #[test]
    fn an_id_that_carries_something_goes_back_to_whoever_wrote_it() {
        let long = "call_1__thought__".to_owned() + &"x".repeat(100);
        for (model, stays) in [(None, true), (Some("p/m"), true), (Some("p/other"), false)] {
            let messages = [turn(&long, model)];
            let ids = FittingIds::new(Rule::Longest(40), &messages, "p/m");
            assert_eq!(ids.fit(&long) == long, stays, "{model:?}");
        }
    }
}
