//! Answers and refusals, and what is read off them.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates a snapshot")]

use expect_test::{Expect, expect};
use serde_json::json;
use shared::Tokens;
use worker::model::{AssistantTurn, Opaque, Repair, ToolCall};

use super::*;

fn call(arguments: &str) -> ToolCall {
    ToolCall { id: "c".to_owned(), name: "first".to_owned(), arguments: arguments.to_owned() }
}

/// Both tools were called, in many pieces, with counted tokens.
fn seen() -> Seen {
    let calls = vec![call("{\"word\":\"ready\"}"), call("{\"word\":\"ready\"}")];
    let turn = AssistantTurn { calls, ..AssistantTurn::default() };
    let usage = Some(Tokens { hit: 64, miss: 100, write: 0, output: 20 });
    let answer = Answer { turn, finish: FinishReason::ToolCalls, usage, repairs: Vec::new(), by: None };
    Seen { trial: Trial::FULL, refused: Vec::new(), answer, pieces: 9 }
}

fn check(seen: &Seen, configured: &Capabilities, expected: &Expect) {
    let notes = seen.notes("mine", configured).into_iter().chain(seen.obstacle().map(|why| format!("BAD {why}")));
    expected.assert_eq(&std::iter::once(seen.line()).chain(notes).map(|line| line + "\n").collect::<String>());
}

#[test]
fn what_an_answer_shows_is_yes_and_what_it_does_not_is_not_seen() {
    check(
        &seen(),
        &Capabilities::default(),
        &expect![[r#"
        streaming yes, tools yes, parallel calls yes, reasoning not seen, cache counters yes, strict schemas yes
    "#]],
    );
    let mut plain = seen();
    plain.answer.turn = AssistantTurn { text: "Both tools are ready.".to_owned(), ..AssistantTurn::default() };
    (plain.answer.usage, plain.pieces) = (None, 1);
    check(
        &plain,
        &Capabilities::default(),
        &expect![[r#"
        streaming not seen, tools not seen, parallel calls not seen, reasoning not seen, cache counters not seen, strict schemas not seen
        asked to call two tools it called none: agents may get nowhere with it
        it counts no tokens, so limits are kept by estimates
    "#]],
    );
    let mut one = seen();
    one.answer.turn.calls = vec![call("{\"word\":3}")];
    one.answer.usage = Some(Tokens { hit: 0, miss: 100, write: 0, output: 20 });
    (one.answer.finish, one.answer.repairs) = (FinishReason::Length, vec![Repair::LeakedCall]);
    check(
        &one,
        &Capabilities::default(),
        &expect![[r#"
        streaming yes, tools yes, parallel calls not seen, reasoning not seen, cache counters not seen, strict schemas not seen
        its answer was cut before its end, so there may be more than was seen
        1 of its calls had to be mended before they could be read
    "#]],
    );
}

#[test]
fn reasoning_is_seen_as_text_and_as_a_block_that_only_its_provider_reads() {
    let mut text = seen();
    text.answer.turn.reasoning = Some("Let me see.".to_owned());
    let mut block = seen();
    let blocks = vec![json!({ "type": "redacted_thinking", "data": "x" })];
    block.answer.turn.opaque = Some(Opaque { provider: "p".to_owned(), blocks });
    let mut other = seen();
    other.answer.turn.opaque = Some(Opaque { provider: "p".to_owned(), blocks: vec![json!({ "type": "tool_use" })] });
    let reasons = [&seen(), &text, &block, &other].map(|seen| seen.line().contains("reasoning yes"));
    assert_eq!(reasons, [false, true, true, false]);
}

#[test]
fn what_was_refused_is_no_and_is_held_against_the_configuration() {
    let refused = |parts: &[Part]| {
        let mut seen = seen();
        for &part in parts {
            seen.trial = seen.trial.without(part);
            seen.refused.push((part, format!("{part} are not supported")));
        }
        seen
    };
    let strict = Capabilities { strict_tools: true, parallel_calls: false, ..Capabilities::default() };
    check(
        &refused(&[Part::Strict, Part::Streaming]),
        &strict,
        &expect![[r#"
        streaming no, tools yes, parallel calls yes, reasoning not seen, cache counters yes, strict schemas no
        it refuses strict schemas; set `strict_tools = false` in [providers.mine]. It said: strict schemas are not supported
        it refuses streaming; set `streaming = false` in [providers.mine]. It said: streaming are not supported
        it makes several calls at once, and the configuration asks it not to; `parallel_calls = true` in [providers.mine] saves turns
    "#]],
    );
    check(
        &refused(&[Part::Strict]),
        &Capabilities::default(),
        &expect![[r#"
        streaming yes, tools yes, parallel calls yes, reasoning not seen, cache counters yes, strict schemas no
        it refuses strict schemas. It said: strict schemas are not supported
    "#]],
    );
    check(
        &refused(&[Part::Encrypted]),
        &Capabilities::default(),
        &expect![[r#"
        streaming yes, tools yes, parallel calls yes, reasoning not seen, cache counters yes, strict schemas yes
        it refuses encrypted reasoning; set `encrypted_reasoning = false` in [providers.mine]. It said: encrypted reasoning are not supported
    "#]],
    );
    check(
        &refused(&[Part::Tools]),
        &Capabilities::default(),
        &expect![[r#"
            streaming yes, tools no, parallel calls no, reasoning not seen, cache counters yes, strict schemas not seen
            BAD it takes no tools, and agents do everything with tools; choose another model for them. It said: tools are not supported
        "#]],
    );
}

#[test]
fn a_refusal_says_what_to_leave_out() {
    let after = |status: u16, said: &str| {
        let (mut trial, mut left_out) = (Trial::FULL, Vec::new());
        let refusal = ModelError::BadRequest { status, said: said.to_owned() };
        while let Some((part, next)) = trial.after(&refusal) {
            left_out.push(part.to_string());
            trial = next;
        }
        format!("{status} {said}: {}\n", left_out.join(", "))
    };
    let cases = [
        (400, "`qwen` does not support tools"),
        (400, "tools[0].function.strict: extra inputs are not permitted"),
        (422, "Stream must be false"),
        (400, "the upstream provider refuses the request"),
        (404, "no endpoints found that support tool use"),
        (404, "there is no model `x`"),
        (400, "Encrypted content is not supported with this model."),
    ];
    expect![[r#"
        400 `qwen` does not support tools: tools, streaming
        400 tools[0].function.strict: extra inputs are not permitted: strict schemas, tools, streaming
        422 Stream must be false: streaming, strict schemas, tools
        400 the upstream provider refuses the request: strict schemas, tools, streaming
        404 no endpoints found that support tool use: tools
        404 there is no model `x`: 
        400 Encrypted content is not supported with this model.: encrypted reasoning, strict schemas, tools, streaming
    "#]]
    .assert_eq(&cases.map(|(status, said)| after(status, said)).concat());
    let other = ModelError::Unauthorized { status: 401, said: "strict tools".to_owned() };
    assert_eq!(Trial::FULL.after(&other), None);
}

#[test]
fn no_advice_speaks_of_a_run() {
    let said = String::new;
    for error in [
        ModelError::NoBalance { said: said() },
        ModelError::RateLimited { said: said(), retry_after: None },
        ModelError::Overloaded { status: 503, said: said(), retry_after: None },
        ModelError::Broken { why: said() },
        ModelError::Unauthorized { status: 401, said: said() },
        ModelError::BadRequest { status: 404, said: said() },
    ] {
        assert!(!advice(&error).to_lowercase().contains("resume"), "{error}");
    }
}
