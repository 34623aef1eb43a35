//! Any text as the arguments of a call, and as the words of an answer: no panic, objects alone, and only tools that were offered.

#![no_main]

use serde_json::{Value, json};
use worker::{
    model::{Answer, AssistantTurn, FinishReason, Label, Request, Role, ToolCall, repair::mend},
    tool::ToolSpec,
};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    for finish in [FinishReason::ToolCalls, FinishReason::Length] {
        let whole = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object());
        let mended = mended(&text, Some(&text), finish);
        let call = &mended.turn.calls[0];
        assert!(!whole || call.arguments == text, "a call that parses was altered");
        assert!(call.arguments == text || is_object(&call.arguments), "{}", call.arguments);
    }
    let leaked = mended(&text, None, FinishReason::Stop);
    assert!(leaked.turn.calls.iter().all(|call| call.name == "look" && is_object(&call.arguments)));
    assert!(mended(&text, None, FinishReason::Length).turn.calls.is_empty(), "a cut answer became a call");
});

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object())
}

fn mended(text: &str, arguments: Option<&str>, finish: FinishReason) -> Answer {
    let call = |arguments: &str| ToolCall { id: "c".into(), name: "look".into(), arguments: arguments.into() };
    let turn = AssistantTurn { text: text.into(), calls: arguments.map(call).into_iter().collect(), ..AssistantTurn::default() };
    let parameters = json!({"type": "object", "properties": {"at": {"type": ["string", "null"]}}, "required": ["at"]});
    let run = shared::RunId::new("abcdefgh").expect("it is one");
    let label = Label { run, role: Role::Worker, task: None, attempt: 1, turn: 1 };
    let tools = [ToolSpec { name: "look", description: "looks", parameters }];
    let request = Request { label: &label, messages: &[], tools: &tools, max_tokens: 9 };
    mend(Answer { turn, finish, usage: None, repairs: Vec::new(), by: None }, &request)
}
