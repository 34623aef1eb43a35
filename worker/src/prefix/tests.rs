//! Each way in which a request can fail to extend the one before it, and each name for it.

use serde_json::{Value, json};

use super::*;
use crate::model::{Opaque, ToolCall};

fn tools() -> Vec<ToolSpec> {
    vec![ToolSpec { name: "read", description: "reads", parameters: json!({"type": "object"}) }]
}

fn messages() -> Vec<Message> {
    let call = ToolCall { id: "c1".into(), name: "read".into(), arguments: "{}".into() };
    let opaque = Some(Opaque { provider: "p".into(), blocks: vec![json!({"signature": "s"})] });
    let turn = AssistantTurn { text: "look".into(), reasoning: Some("hm".into()), calls: vec![call], opaque };
    let result = Message::Tool { call_id: "c1".into(), name: "read".into(), content: "x".repeat(400) };
    vec![Message::system("s"), Message::user("u"), Message::Assistant(turn), result]
}

/// What is found after a first request when the second one was changed so.
fn drift_after(look: Look, change: impl FnOnce(&mut Vec<Message>)) -> Option<String> {
    let mut prints = Prints::looking(look);
    assert_eq!(prints.take("m", &tools(), &messages()), None, "the first extends nothing");
    let mut second = messages();
    second.push(Message::user("more"));
    change(&mut second);
    prints.take("m", &tools(), &second).map(|drift| drift.to_string())
}

fn turn(messages: &mut [Message]) -> &mut AssistantTurn {
    let Message::Assistant(turn) = &mut messages[2] else { panic!() };
    turn
}

fn result(messages: &mut [Message]) -> (&mut String, &mut String) {
    let Message::Tool { call_id, content, .. } = &mut messages[3] else { panic!() };
    (call_id, content)
}

#[test]
fn a_request_that_extends_the_one_before_is_fine_and_any_other_is_named() {
    type Change = fn(&mut Vec<Message>);
    let changes: [(Change, Option<&str>); 12] = [
        (|_| {}, None),
        (|all| all.push(Message::user("and more")), None),
        (|all| all.truncate(3), Some("3 messages follow upon 4")),
        (|all| all[0] = Message::system("t"), Some("the content of message 0 is another")),
        (|all| all[1] = Message::system("u"), Some("the role of message 1 is another")),
        (|all| turn(all).text.push('!'), Some("the content of message 2 is another")),
        (|all| turn(all).reasoning = None, Some("the reasoning of message 2 is another")),
        (|all| turn(all).calls[0].arguments = "{ }".into(), Some("the list of calls of message 2 is another")),
        (|all| turn(all).calls[0].id = "c2".into(), Some("the call id of message 2 is another")),
        (|all| turn(all).opaque = None, Some("the opaque part of message 2 is another")),
        (|all| result(all).0.push('1'), Some("the call id of message 3 is another")),
        (|all| result(all).1.push('x'), Some("the content of message 3 is another")),
    ];
    for (change, expected) in changes {
        for look in [Look::Glance, Look::Whole] {
            assert_eq!(drift_after(look, change).as_deref(), expected, "{look:?}");
        }
    }
}

#[test]
fn only_a_whole_look_finds_what_has_the_same_length_and_ends() {
    let change = |all: &mut Vec<Message>| result(all).1.replace_range(50..51, "y");
    assert_eq!(drift_after(Look::Glance, change), None);
    assert!(drift_after(Look::Whole, change).is_some());
    let empty = |all: &mut Vec<Message>| turn(all).reasoning = Some(String::new());
    assert!(drift_after(Look::Glance, empty).is_some(), "no reasoning is not the same as an empty one");
}

#[test]
fn model_and_tools_are_part_of_the_prefix() {
    let other = |parameters: Value| vec![ToolSpec { parameters, ..tools().remove(0) }];
    for (model, tools, expected) in [
        ("n", tools(), Some(Drift::Model)),
        ("m", other(json!({})), Some(Drift::Tools)),
        ("m", Vec::new(), Some(Drift::Tools)),
        ("m", tools(), None),
    ] {
        let mut prints = Prints::looking(Look::Whole);
        prints.take("m", &self::tools(), &messages());
        assert_eq!(prints.take(model, &tools, &messages()), expected);
        assert_eq!(prints.take(model, &tools, &messages()), None, "it is told once");
    }
}

#[test]
fn a_compaction_may_change_all_but_the_opening() {
    let mut prints = Prints::default();
    prints.take("m", &tools(), &messages());
    prints.keep(2);
    let mut shorter = messages();
    shorter.truncate(2);
    shorter.push(Message::Assistant(AssistantTurn { text: "in short".into(), ..AssistantTurn::default() }));
    assert_eq!(prints.take("m", &tools(), &shorter), None);
    prints.keep(2);
    shorter[1] = Message::user("v");
    assert_eq!(prints.take("m", &tools(), &shorter), Some(Drift::Message { place: 1, part: Part::Content }));
}

#[test]
fn workers_of_a_run_are_held_against_the_first() {
    let kin = Kin::default();
    let other_task = [Message::system("s"), Message::user("another")];
    assert_eq!(kin.look(&tools(), &messages()), None);
    assert_eq!(kin.look(&tools(), &other_task), None);
    assert_eq!(kin.look(&[], &messages()), Some(Drift::Tools));
    let other_orders = [Message::system("s "), Message::user("u")];
    assert_eq!(kin.look(&tools(), &other_orders), Some(Drift::Message { place: 0, part: Part::Content }));
}
