//! What happens to a turn that another model wrote.
//!
//! Signatures, encrypted reasoning and the like mean something to whoever wrote them and to nobody else. A turn goes back as its blocks
//! to the model that it came from; to any other, of the same provider too, it goes as text and calls, which every dialect has.
//!
//! **Invariant:** what a change of model drops has a name, and is told: [`dropped`].
//! **Invariant:** what is written of a turn depends on the turn and the reader alone, so that a longer conversation begins with the bytes
//! of the shorter.
//!
//! The other half of a translation, text and calls as a dialect has them, stands in the dialect's own `body`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    fmt,
};

use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::{AssistantTurn, Message};

/// Names of tools may be so long everywhere.
const LONGEST_NAME: usize = 64;

/// What the turns of one model lose when they go to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Who wrote them: the full name, `provider/model`.
    pub provider: String,
    /// How many turns lose something.
    pub turns: usize,
    /// What they lose, by kind, and how many pieces of it.
    pub pieces: BTreeMap<String, usize>,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces: Vec<String> = self.pieces.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
        let turns = if self.turns == 1 { "1 turn".to_owned() } else { format!("{} turns", self.turns) };
        write!(f, "{turns} by {} without {}", self.provider, pieces.join(", "))
    }
}

/// What is lost of a conversation that goes to the model of this full name, by the model that wrote it.
pub fn dropped(messages: &[Message], model: &str) -> Vec<Dropped> {
    let mut lost: BTreeMap<&str, Dropped> = BTreeMap::new();
    for turn in foreign_turns(messages, model) {
        let Some(opaque) = &turn.opaque else { continue };
        let kinds: Vec<String> = opaque.blocks.iter().flat_map(kinds).collect();
        if kinds.is_empty() {
            continue;
        }
        let of_model = lost.entry(&opaque.provider).or_default();
        of_model.provider.clone_from(&opaque.provider);
        of_model.turns += 1;
        for kind in kinds {
            *of_model.pieces.entry(kind).or_default() += 1;
        }
    }
    lost.into_values().collect()
}

/// What a block has that text and calls have not. Blocks of all dialects come here: each knows only its own.
fn kinds(block: &Value) -> Vec<String> {
    let has =
        |key: &str| block.get(key).is_some_and(|value| value.as_str().is_none_or(|text| !text.is_empty()) && !value.is_null());
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    let known: &[&str] = match kind {
        "text" | "tool_use" | "message" | "function_call" => &[],
        "thinking" if has("signature") => &["reasoning", "signatures"],
        "reasoning" if has("encrypted_content") => &["encrypted reasoning"],
        "thinking" | "reasoning" => &["reasoning"],
        "redacted_thinking" => &["encrypted reasoning"],
        "members" => {
            return block
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.clone())
                .filter(|key| key != "type" && key != "call")
                .collect();
        }
        other => return vec![format!("blocks of the kind `{other}`")],
    };
    known.iter().map(|kind| (*kind).to_owned()).collect()
}

/// The ids of the calls of turns that are known to be another's.
pub(super) fn foreign_calls<'a>(messages: &'a [Message], model: &str) -> HashSet<&'a str> {
    foreign_turns(messages, model).flat_map(|turn| &turn.calls).map(|call| call.id.as_str()).collect()
}

fn foreign_turns<'a>(messages: &'a [Message], model: &str) -> impl Iterator<Item = &'a AssistantTurn> {
    messages.iter().filter_map(move |message| match message {
        Message::Assistant(turn) if turn.opaque.as_ref().is_some_and(|opaque| opaque.provider != model) => Some(turn),
        _ => None,
    })
}

impl AssistantTurn {
    /// The blocks that the model of this full name wrote and wants back; none for another's.
    pub(super) fn blocks_for(&self, model: &str) -> &[Value] {
        match &self.opaque {
            Some(opaque) if opaque.provider == model => &opaque.blocks,
            _ => &[],
        }
    }
}

/// Servers check the names in a conversation, also those that a model made up.
pub(super) fn wire_name(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match name {
        "" => "unknown".into(),
        good if good.len() <= LONGEST_NAME && good.chars().all(fits) => good.into(),
        odd => odd.chars().take(LONGEST_NAME).map(|c| if fits(c) { c } else { '_' }).collect(),
    }
}

/// Many servers parse the arguments of earlier calls and fail the whole request over one that is no JSON object. Such text is sent
/// inside an object; what is an object goes back byte for byte.
pub(super) fn wire_arguments(raw: &str) -> Cow<'_, str> {
    let is_object = raw.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(raw).is_ok();
    match raw {
        _ if is_object => raw.into(),
        blank if blank.trim().is_empty() => "{}".into(),
        broken => {
            let text = to_raw_value(broken).expect("a text is always written");
            format!("{{\"not_json\":{text}}}").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::model::Opaque;

    fn turn(model: &str, blocks: &Value) -> Message {
        let opaque = Some(Opaque { provider: model.into(), blocks: blocks.as_array().unwrap().clone() });
        Message::Assistant(AssistantTurn { opaque, ..AssistantTurn::default() })
    }

    #[test]
    fn a_change_of_model_says_what_it_drops() {
        let messages = [
            Message::user("go"),
            turn(
                "anthropic/opus",
                &json!([{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "a"}]),
            ),
            turn("anthropic/opus", &json!([{"type": "redacted_thinking", "data": "x"}, {"type": "tool_use", "id": "c"}])),
            turn("anthropic/opus", &json!([{"type": "text", "text": "a"}])),
            turn("openai/gpt", &json!([{"type": "reasoning", "encrypted_content": "x", "summary": []}, {"type": "message"}])),
            turn("openai/gpt", &json!([{"type": "reasoning", "encrypted_content": null}, {"type": "computer_call"}])),
            turn("openrouter/a/b", &json!([{"type": "members", "reasoning_details": []}])),
            Message::Assistant(AssistantTurn::default()),
        ];
        let said = |model| dropped(&messages, model).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n";
        expect![[r"
            2 turns by anthropic/opus without encrypted reasoning (1), reasoning (1), signatures (1)
            2 turns by openai/gpt without blocks of the kind `computer_call` (1), encrypted reasoning (1), reasoning (1)
            1 turn by openrouter/a/b without reasoning_details (1)
        "]]
        .assert_eq(&said("deepseek/flash"));
        assert_eq!(said("anthropic/opus").lines().count(), 2, "nothing of its own is dropped");
        assert_eq!(
            said("anthropic/sonnet"),
            said("deepseek/flash"),
            "another model of the provider reads no more than a stranger"
        );
    }

    #[test]
    fn names_and_arguments_are_written_so_that_no_server_trips_over_them() {
        assert_eq!(wire_name("read file?"), "read_file_");
        assert_eq!(wire_name(""), "unknown");
        assert_eq!(wire_name(&"é".repeat(90)), "_".repeat(64));
        assert_eq!(wire_arguments("{ \"a\" : 1 }"), "{ \"a\" : 1 }");
        assert_eq!(wire_arguments(" "), "{}");
        assert_eq!(wire_arguments("{\"a\":"), r#"{"not_json":"{\"a\":"}"#);
    }
}
