//! Whether a request is the recorded one, and where it first differs.
//!
//! **Invariant:** nothing is passed over but how long a command took: that stands in its result, and depends on how busy the machine is.

use std::fmt::Write as _;

use serde_json::Value;

use crate::model::Message;

/// The first tool that differs.
pub(super) fn different_tools(recorded: &[Value], now: &[Value]) -> Option<String> {
    let place = (0..recorded.len().max(now.len())).find(|place| recorded.get(*place) != now.get(*place))?;
    let name = |tools: &[Value]| {
        tools.get(place).map_or("nothing".to_owned(), |tool| format!("`{}`", tool["name"].as_str().unwrap_or_default()))
    };
    let (recorded, now) = (name(recorded), name(now));
    Some(if recorded == now {
        format!("the tool {now} is described otherwise")
    } else {
        format!("tool {} was {recorded} and is {now}", place + 1)
    })
}

/// The first message that differs, and where in it.
pub(super) fn difference(recorded: &[Message], now: &[Message]) -> Option<String> {
    let place = (0..recorded.len().max(now.len())).find(|place| !are_alike(recorded.get(*place), now.get(*place)))?;
    let mut why = format!("message {} ", place + 1);
    let (one, other) = match (recorded.get(place), now.get(place)) {
        (Some(one), Some(other)) => texts(one, other),
        (Some(one), None) => (whole(one), String::new()),
        (None, other) => (String::new(), other.map(whole).unwrap_or_default()),
    };
    let at = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let _ = match (one.is_empty(), other.is_empty()) {
        (true, false) => write!(why, "is new: {}", excerpt(&other, 0)),
        (false, true) => write!(why, "is missing: {}", excerpt(&one, 0)),
        _ => write!(why, "differs from character {} on; recorded: {}; now: {}", at + 1, excerpt(&one, at), excerpt(&other, at)),
    };
    Some(why)
}

/// The contents, if only these differ.
fn texts(one: &Message, other: &Message) -> (String, String) {
    match (one, other) {
        (Message::System { content: one }, Message::System { content: other })
        | (Message::User { content: one }, Message::User { content: other }) => (one.clone(), other.clone()),
        (
            Message::Tool { content: one, call_id: id, name },
            Message::Tool { content: other, call_id: other_id, name: other_name },
        ) if (id, name) == (other_id, other_name) => (one.clone(), other.clone()),
        _ => (whole(one), whole(other)),
    }
}

fn whole(message: &Message) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// What stands around a character, in one line.
fn excerpt(text: &str, at: usize) -> String {
    const BEFORE: usize = 24;
    const BEHIND: usize = 60;
    let start = at.saturating_sub(BEFORE);
    let piece: String = text.chars().skip(start).take(at - start + BEHIND).collect();
    let (head, tail) = (if start > 0 { "…" } else { "" }, if text.chars().count() > at + BEHIND { "…" } else { "" });
    format!("{head}{piece:?}{tail}")
}

fn are_alike(recorded: Option<&Message>, now: Option<&Message>) -> bool {
    let text = |message| timeless(&whole(message));
    recorded == now || recorded.zip(now).is_some_and(|(recorded, now)| text(recorded) == text(now))
}

/// A text without the number in each `after 0.2 s`.
fn timeless(text: &str) -> String {
    let mut pieces = text.split(AFTER);
    let mut timeless = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        timeless.push_str(AFTER);
        timeless.push_str(if rest.starts_with(" s") { rest } else { piece });
    }
    timeless
}

/// What stands before the time that a command took.
const AFTER: &str = " after ";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(recorded: &str, now: &str) -> bool {
        let message = |content: &str| [Message::Tool { call_id: "c".into(), name: "n".into(), content: content.into() }];
        difference(&message(recorded), &message(now)).is_some()
    }

    #[test]
    fn how_long_a_command_took_makes_no_difference_and_how_it_ended_does() {
        assert!(!told("exit 0 after 0.2 s\na", "exit 0 after 10.1 s\na"));
        assert!(told("exit 0 after 0.2 s\na", "exit 1 after 0.2 s\na"));
        assert!(told("exit 0 after 0.2 s\na", "exit 0 after 0.3 s\nb"));
        assert!(told("look after 2 sheep", "look after 3 cows"));
        assert!(told("", "after"));
    }
}
