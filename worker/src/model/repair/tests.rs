//! The ladder, rung by rung: broken text in, what became of it out.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    arguments::{Closing, Reading, read},
    *,
};
use crate::{
    model::{AssistantTurn, Opaque, testing::label},
    tool::ToolSpec,
};

fn tools() -> Vec<ToolSpec> {
    let spec = |name, parameters| ToolSpec { name, description: "", parameters };
    let text = json!({"type": "string"});
    vec![
        spec(
            "write_file",
            json!({"type": "object", "properties": {"path": text, "content": text}, "required": ["path", "content"]}),
        ),
        spec(
            "read_file",
            json!({"type": "object", "required": ["path", "line", "glob"], "properties":
                {"path": text, "line": {"type": ["integer", "null"]}, "glob": {"type": ["string", "null"]}}}),
        ),
        spec("look", json!({"type": "object", "properties": {"at": {"type": ["string", "null"]}}, "required": ["at"]})),
    ]
}

fn answer(text: &str, calls: &[(&str, &str)], finish: FinishReason) -> Answer {
    let calls = calls.iter().enumerate().map(|(place, (name, arguments))| ToolCall {
        id: format!("c{place}"),
        name: (*name).to_owned(),
        arguments: (*arguments).to_owned(),
    });
    let turn = AssistantTurn { text: text.to_owned(), calls: calls.collect(), ..AssistantTurn::default() };
    Answer { turn, finish, usage: None, repairs: Vec::new(), by: None }
}

fn mended(answer: Answer) -> Answer {
    let earlier = AssistantTurn {
        calls: vec![ToolCall { id: "call_3_1".into(), name: "look".into(), arguments: "{}".into() }],
        ..AssistantTurn::default()
    };
    let messages = [Message::Assistant(earlier)];
    mend(answer, &Request { label: &label(3), messages: &messages, tools: &tools(), max_tokens: 9 })
}

fn shown(answer: &Answer) -> String {
    let calls: Vec<_> = answer.turn.calls.iter().map(|call| format!("{}={} {}", call.id, call.name, call.arguments)).collect();
    format!("{:?} [{}] {:?} {:?}\n", answer.turn.text, calls.join(" + "), answer.finish, answer.repairs)
}

/// Each case is the arguments of one `write_file`; `cut ` before it says that the answer was cut.
fn check_arguments(cases: &[&str], expected: &Expect) {
    let line = |case: &&str| {
        let (finish, raw) = case.strip_prefix("cut ").map_or((FinishReason::ToolCalls, *case), |raw| (FinishReason::Length, raw));
        let answer = mended(answer("", &[("write_file", raw)], finish));
        format!("{case:?}\n  {:?} {}\n", answer.repairs, answer.turn.calls[0].arguments)
    };
    expected.assert_eq(&cases.iter().map(line).collect::<String>());
}

#[test]
fn arguments_are_mended_where_they_have_one_meaning() {
    check_arguments(
        &[
            "{\"path\": \"a\", \"content\": \"one\n\ttwo\u{1}\"}",
            "{\"path\": \"a\", \"content\": \"b\",\n}",
            "{\"path\": [\"a\", ], }",
            "{\"path\": \"a\", \"content\": \"b\"",
            "{\"path\": {\"deep\": [\"a\", true",
            "{\"path\": \"a\"}}]",
            "\"{\\\"path\\\": \\\"a\\\"}\"",
            "\"{\\\"path\\\": \\\"a\\\",}\"",
            "\"\\\"{\\\\\\\"path\\\\\\\": \\\\\\\"a\\\\\\\"}\\\"\"",
            "cut {\"path\": \"a\nb\",}",
        ],
        &expect![[r#"
            "{\"path\": \"a\", \"content\": \"one\n\ttwo\u{1}\"}"
              [ControlCharacters] {"path": "a", "content": "one\u000a\u0009two\u0001"}
            "{\"path\": \"a\", \"content\": \"b\",\n}"
              [TrailingCommas] {"path": "a", "content": "b"
            }
            "{\"path\": [\"a\", ], }"
              [TrailingCommas] {"path": ["a" ] }
            "{\"path\": \"a\", \"content\": \"b\""
              [Brackets] {"path": "a", "content": "b"}
            "{\"path\": {\"deep\": [\"a\", true"
              [Brackets] {"path": {"deep": ["a", true]}}
            "{\"path\": \"a\"}}]"
              [Brackets] {"path": "a"}
            "\"{\\\"path\\\": \\\"a\\\"}\""
              [ArgumentsAsObject] {"path": "a"}
            "\"{\\\"path\\\": \\\"a\\\",}\""
              [TrailingCommas, ArgumentsAsObject] {"path": "a"}
            "\"\\\"{\\\\\\\"path\\\\\\\": \\\\\\\"a\\\\\\\"}\\\"\""
              [ArgumentsAsObject] {"path": "a"}
            "cut {\"path\": \"a\nb\",}"
              [ControlCharacters, TrailingCommas] {"path": "a\u000ab"}
        "#]],
    );
}

#[test]
fn arguments_with_more_than_one_meaning_are_asked_again() {
    check_arguments(
        &[
            "",
            " \n",
            "{",
            "}",
            "null",
            "[1]",
            "path: a",
            "{\"path\"",
            "{\"path\":",
            "{\"path\": \"a\",",
            "{\"path\": \"a\", \"content\": \"half of",
            "{\"path\": 12",
            "{\"path\": [\"a\"}",
            "{\"path\": \"a\"}{\"path\": \"b\"}",
            "{\"path\": \"say \"hi\"\"}",
            "\"{\\\"path\\\": \\\"half of",
        ],
        &expect![[r#"
            ""
              [AskedAgain] 
            " \n"
              [AskedAgain]  

            "{"
              [AskedAgain] {
            "}"
              [AskedAgain] }
            "null"
              [AskedAgain] null
            "[1]"
              [AskedAgain] [1]
            "path: a"
              [AskedAgain] path: a
            "{\"path\""
              [AskedAgain] {"path"
            "{\"path\":"
              [AskedAgain] {"path":
            "{\"path\": \"a\","
              [AskedAgain] {"path": "a",
            "{\"path\": \"a\", \"content\": \"half of"
              [AskedAgain] {"path": "a", "content": "half of
            "{\"path\": 12"
              [AskedAgain] {"path": 12
            "{\"path\": [\"a\"}"
              [AskedAgain] {"path": ["a"}
            "{\"path\": \"a\"}{\"path\": \"b\"}"
              [AskedAgain] {"path": "a"}{"path": "b"}
            "{\"path\": \"say \"hi\"\"}"
              [AskedAgain] {"path": "say "hi""}
            "\"{\\\"path\\\": \\\"half of"
              [AskedAgain] "{\"path\": \"half of
        "#]],
    );
}

#[test]
fn what_was_cut_is_neither_mended_at_its_end_nor_counted() {
    check_arguments(
        &["cut ", "cut {\"path\": \"a\", \"content\": \"b\"", "cut {\"path\": \"a", "cut {\"path\": \"a\"}"],
        &expect![[r#"
        "cut "
          [] 
        "cut {\"path\": \"a\", \"content\": \"b\""
          [] {"path": "a", "content": "b"
        "cut {\"path\": \"a"
          [] {"path": "a
        "cut {\"path\": \"a\"}"
          [] {"path": "a"}
    "#]],
    );
}

#[test]
fn an_answer_that_ended_without_a_reason_is_neither_closed_nor_read_as_calls_but_asked_again() {
    let unsaid = |text: &str, calls: &[(&str, &str)]| shown(&mended(answer(text, calls, FinishReason::Unsaid)));
    let leaked = "<tool_call>{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}</tool_call>";
    let cases = [
        unsaid("", &[("look", r#"{"at": "a"}"#)]),
        unsaid("", &[("look", r#"{"at": "a""#)]),
        unsaid("", &[("look", "{\"at\": \"a\nb\"}")]),
        unsaid(leaked, &[]),
        unsaid("I will", &[]),
    ];
    expect![[r#"
        "" [c0=look {"at": "a"}] Unsaid []
        "" [c0=look {"at": "a"] Unsaid [AskedAgain]
        "" [c0=look {"at": "a\u000ab"}] Unsaid [ControlCharacters]
        "<tool_call>{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}</tool_call>" [] Unsaid [AskedAgain]
        "I will" [] Unsaid []
    "#]]
    .assert_eq(&cases.concat());
    assert_eq!(mended(answer(leaked, &[], FinishReason::Stop)).turn.calls.len(), 1);
}

#[test]
fn no_arguments_are_enough_for_a_tool_that_needs_none() {
    let answer = mended(answer("", &[("look", ""), ("read_file", ""), ("unknown", "")], FinishReason::ToolCalls));
    assert_eq!(answer.repairs, [Repair::AskedAgain], "only `read_file` needs something");
}

/// Each case is the text of an answer.
fn check_text(cases: &[&str], expected: &Expect) {
    let line = |case: &&str| shown(&mended(answer(case, &[], FinishReason::Stop)));
    expected.assert_eq(&cases.iter().map(line).collect::<String>());
}

const DSML: &str = "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"read_file\">\n<｜DSML｜parameter name=\"path\" string=\"true\"> a </｜DSML｜parameter>\n\
                    <｜DSML｜parameter name=\"line\" string=\"false\">7</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>";
const HERMES: &str = "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>";

#[test]
fn calls_that_leaked_into_the_text_are_read_in_every_form() {
    check_text(
        &[
            DSML,
            &format!("I look first.\n\n{DSML}"),
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>look\n```json\n{\"at\": \"a\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look<｜tool▁sep｜>{\"at\": \"a\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            HERMES,
            &format!("{HERMES}\n{HERMES}"),
            "<tool_call>{\"name\": \"look\", \"arguments\": \"{\\\"at\\\": \\\"a\\\"}\"}",
            "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"two\nlines\"}}\n</tool_call>",
            "<tool_call>\n<function=write_file>\n<parameter=path>\na.txt\n</parameter>\n<parameter=content>\n\n12\n\n</parameter>\n</function>\n</tool_call>",
            "<function=read_file>\n<parameter=path>\n5\n</parameter>\n<parameter=line>\n5\n</parameter>\n<parameter=glob>\nnull\n</parameter>\n</function>",
            "<function_calls>\n<invoke name=\"look\">\n<parameter name=\"at\">a < b</parameter>\n</invoke>\n</function_calls>",
            "[TOOL_CALLS][{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}, {\"name\": \"look\", \"arguments\": {}}]",
            "[TOOL_CALLS]look[ARGS]{\"at\": \"a\"}[TOOL_CALLS]look[ARGS]{}",
            "```json\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n```",
            "{\"type\": \"function\", \"name\": \"look\", \"parameters\": {}}",
        ],
        &expect![[r#"
            "" [call_3_2=read_file {"line":7,"path":" a "}] ToolCalls [LeakedCall]
            "I look first." [call_3_2=read_file {"line":7,"path":" a "}] ToolCalls [LeakedCall]
            "" [call_3_2=look {"at": "a"}] ToolCalls [LeakedCall]
            "" [call_3_2=look {"at":"a"}] ToolCalls [LeakedCall]
            "" [call_3_2=look {"at":"a"}] ToolCalls [LeakedCall]
            "" [call_3_2=look {"at":"a"} + call_3_3=look {"at":"a"}] ToolCalls [LeakedCall, LeakedCall]
            "" [call_3_2=look {"at": "a"}] ToolCalls [LeakedCall]
            "" [call_3_2=look {"at":"two\nlines"}] ToolCalls [LeakedCall]
            "" [call_3_2=write_file {"content":"\n12\n","path":"a.txt"}] ToolCalls [LeakedCall]
            "" [call_3_2=read_file {"glob":null,"line":5,"path":"5"}] ToolCalls [LeakedCall]
            "" [call_3_2=look {"at":"a < b"}] ToolCalls [LeakedCall]
            "" [call_3_2=look {"at":"a"} + call_3_3=look {}] ToolCalls [LeakedCall, LeakedCall]
            "" [call_3_2=look {"at":"a"} + call_3_3=look {}] ToolCalls [LeakedCall, LeakedCall]
            "" [call_3_2=look {"at":"a"}] ToolCalls [LeakedCall]
            "" [call_3_2=look {}] ToolCalls [LeakedCall]
        "#]],
    );
}

#[test]
fn what_only_looks_like_a_call_is_asked_again() {
    let fenced = format!("The model would write:\n```\n{HERMES}\n```");
    let open_fence = format!("```\n{HERMES}");
    check_text(
        &[
            &format!("{HERMES}\nThat is how it is done."),
            &format!("One writes {HERMES}"),
            &fenced,
            &open_fence,
            &format!("<think>\n{HERMES}"),
            &format!("<thinking>\n{HERMES}"),
            &format!("<!-- for example\n{HERMES}"),
            &format!("~~~\n{HERMES}"),
            &format!("````\n```\n`\n{HERMES}"),
            &format!("\"\n{HERMES}"),
            &format!("A `<tool_call>` follows.\n{HERMES}"),
            &HERMES.replace("look", "format_disk"),
            &HERMES[..HERMES.len() - 20],
            &DSML[..DSML.len() - 50],
            "<function=write_file>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nhalf",
            "<function=write_file>\n<parameter=path>\na\n</parameter>\n<parameter=path>\nb\n</parameter>\n</function>",
            "<invoke name=\"look\"><parameter name=\"at\">write <invoke name=\"look\"><parameter name=\"at\">x</parameter></invoke>",
            "[TOOL_CALLS]look[ARGS]7",
            "{\"name\": \"look\", \"arguments\": 7}",
        ],
        &expect![[r#"
            "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>\nThat is how it is done." [] Stop [AskedAgain]
            "One writes <tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "The model would write:\n```\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>\n```" [] Stop [AskedAgain]
            "```\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "<think>\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "<thinking>\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "<!-- for example\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "~~~\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "````\n```\n`\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "\"\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "A `<tool_call>` follows.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "<tool_call>\n{\"name\": \"format_disk\", \"arguments\": {\"at\": \"a\"}}\n</tool_call>" [] Stop [AskedAgain]
            "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\"" [] Stop [AskedAgain]
            "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"read_file\">\n<｜DSML｜parameter name=\"path\" string=\"true\"> a </｜DSML｜parameter>\n<｜DSML｜parameter name=\"line\" string=\"false\">7</｜DSML｜para" [] Stop [AskedAgain]
            "<function=write_file>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nhalf" [] Stop [AskedAgain]
            "<function=write_file>\n<parameter=path>\na\n</parameter>\n<parameter=path>\nb\n</parameter>\n</function>" [] Stop [AskedAgain]
            "<invoke name=\"look\"><parameter name=\"at\">write <invoke name=\"look\"><parameter name=\"at\">x</parameter></invoke>" [] Stop [AskedAgain]
            "[TOOL_CALLS]look[ARGS]7" [] Stop [AskedAgain]
            "{\"name\": \"look\", \"arguments\": 7}" [] Stop []
        "#]],
    );
    let prose = ["", "All done.", "An example:\n```json\n{\"name\": \"look\", \"arguments\": {}}\n```", "{\"name\": \"look\"}"];
    for text in prose {
        let before = answer(text, &[], FinishReason::Stop);
        let as_arguments_only = mended(before.clone());
        assert_eq!((as_arguments_only.turn, as_arguments_only.repairs), (before.turn, vec![]), "{text}");
    }
}

#[test]
fn a_leaked_call_that_would_be_too_deep_to_parse_is_asked_again() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (depth, repair) in [(126, Repair::LeakedCall), (127, Repair::AskedAgain)] {
        let text = format!("<function=look>\n<parameter=more>\n{}\n</parameter>\n</function>", nested(depth));
        let after = mended(answer(&text, &[], FinishReason::Stop));
        assert_eq!(after.repairs, [repair], "{depth}");
        assert!(after.turn.calls.iter().all(|call| serde_json::from_str::<Value>(&call.arguments).is_ok()), "{depth}");
    }
}

#[test]
fn text_is_no_call_beside_calls_in_a_cut_answer_in_reasoning_or_in_sealed_blocks() {
    let beside = answer(HERMES, &[("look", "{}")], FinishReason::ToolCalls);
    let cut = answer(HERMES, &[], FinishReason::Length);
    let withheld = answer(HERMES, &[], FinishReason::Filtered);
    let mut thought = answer("", &[], FinishReason::Stop);
    thought.turn.reasoning = Some(HERMES.to_owned());
    for before in [beside, cut, withheld, thought] {
        assert_eq!(mended(before.clone()), before);
    }
    let mut sealed = answer(HERMES, &[], FinishReason::Stop);
    sealed.turn.opaque = Some(Opaque { provider: "p".into(), blocks: vec![] });
    let after = mended(sealed.clone());
    assert_eq!((after.turn, after.repairs), (sealed.turn, vec![Repair::AskedAgain]));
}

/// JSON without a backslash in its text, so that what a text says is what is written.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        (0..999_u32).prop_map(|n| json!(n)),
        "[a-z{}, :]{0,6}".prop_map(|s| json!(s))
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z]{1,3}", value(), 0..4).prop_map(|map| json!(map))
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            found.push(key.clone());
            texts(member, found);
        }),
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_call_that_parses_is_never_altered(value in object(), pretty in any::<bool>(), cut in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let before = answer("", &[("write_file", &text)], if cut { FinishReason::Length } else { FinishReason::ToolCalls });
        prop_assert_eq!(mended(before.clone()), before);
    }

    #[test]
    fn a_cut_call_is_never_carried_out(value in object(), percent in 0..100_usize) {
        let text = value.to_string();
        let cut = &text[..text.len() * percent / 100];
        prop_assert_eq!(read(cut, Some(&tools()[0]), Closing::Never), Reading::Unreadable);
    }

    #[test]
    fn a_call_without_its_last_brackets_is_whole_again_or_asked_again(value in object(), missing in 1..4_usize) {
        let text = value.to_string();
        let bare = text.trim_end_matches(['}', ']']);
        let cut = &text[..bare.len().max(text.len().saturating_sub(missing))];
        if let Reading::Mended(text, _) = read(cut, None, Closing::AtTheEnd) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn nearly_json_becomes_an_object_of_its_own_words_or_nothing(text in "[{}\\[\\]\",:ab \n1]{0,40}") {
        if let Reading::Mended(mended, repairs) = read(&text, None, Closing::AtTheEnd) {
            let value: Value = serde_json::from_str(&mended).unwrap();
            prop_assert!(value.is_object() && !repairs.is_empty());
            let mut found = Vec::new();
            texts(&value, &mut found);
            prop_assert!(found.iter().all(|word| text.contains(word.as_str())), "{} from {}", value, text);
        }
    }

    #[test]
    fn no_text_makes_it_panic_or_call_what_was_not_offered(text in "(<｜DSML｜|<tool_call>|<function=|look|>|</|\\{|\"name\"|:|[a-z\"\\[\\]é\n ]|\\PC){0,40}") {
        let after = mended(answer(&text, &[], FinishReason::Stop));
        prop_assert!(after.turn.calls.iter().all(|call| tools().iter().any(|tool| tool.name == call.name)));
        let _ = mended(answer("", &[("look", &text)], FinishReason::Stop));
    }
}
