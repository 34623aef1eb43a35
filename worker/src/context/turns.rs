//! A conversation as turns: an answer with the results of its calls, and what was said upon them.
//!
//! **Invariant:** whole turns taken out leave no call without its result and no result without its call, for both lie in one turn.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde_json::Value;

use crate::model::{AssistantTurn, Message, ToolCall};

/// Where the opening ends, and the turns after it.
pub(super) fn turns(messages: &[Message]) -> (usize, Vec<Range<usize>>) {
    let answers = messages.iter().enumerate().filter(|(_, message)| matches!(message, Message::Assistant(_)));
    let mut starts: Vec<usize> = answers.map(|(place, _)| place).collect();
    let opening = starts.first().copied().unwrap_or(messages.len());
    starts.push(messages.len());
    (opening, starts.windows(2).map(|pair| pair[0]..pair[1]).collect())
}

/// The answer that begins a turn.
pub(super) fn answer<'a>(messages: &'a [Message], turn: &Range<usize>) -> Option<&'a AssistantTurn> {
    match messages.get(turn.start) {
        Some(Message::Assistant(answer)) => Some(answer),
        _ => None,
    }
}

/// The results of a turn: their places, with their calls.
pub(super) fn results<'a>(
    messages: &'a [Message],
    turn: &Range<usize>,
) -> impl Iterator<Item = (usize, &'a str, Option<&'a ToolCall>)> {
    let calls = answer(messages, turn).map(|answer| answer.calls.as_slice()).unwrap_or_default();
    turn.clone().filter_map(move |place| match &messages[place] {
        Message::Tool { call_id, content, .. } => Some((place, content.as_str(), calls.iter().find(|call| call.id == *call_id))),
        _ => None,
    })
}

/// An argument of a call, if it is there and a text.
pub(super) fn argument(call: &ToolCall, name: &str) -> Option<String> {
    let arguments: Value = serde_json::from_str(&call.arguments).ok()?;
    Some(arguments.get(name)?.as_str()?.trim_start_matches("./").to_owned())
}

/// The file that a call changes.
pub(super) fn changed(call: &ToolCall) -> Option<String> {
    match call.name.as_str() {
        "edit_file" | "write_file" | "delete_file" => argument(call, "path"),
        "move_file" => argument(call, "to"),
        _ => None,
    }
}

/// The places of the latest reads of files that the conversation changes: page by page the newest, and none that is older than the
/// file as it was written anew.
pub(super) fn reads_of_changed_files(messages: &[Message]) -> BTreeSet<usize> {
    let (_, turns) = turns(messages);
    let mut reads: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut edited: BTreeSet<String> = BTreeSet::new();
    for turn in &turns {
        for (place, _, call) in results(messages, turn) {
            let Some(call) = call else { continue };
            if call.name == "read_file" {
                reads.extend(argument(call, "path").map(|path| ((path, page(call)), place)));
            }
            let Some(path) = changed(call) else { continue };
            if call.name != "edit_file" {
                reads.retain(|(read, _), _| *read != path);
            }
            edited.insert(path);
        }
    }
    reads.into_iter().filter(|((path, _), _)| edited.contains(path)).map(|(_, place)| place).collect()
}

fn page(call: &ToolCall) -> String {
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
    format!("{} {}", arguments["start_line"], arguments["end_line"])
}
