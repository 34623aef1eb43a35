//! Events in, answers out; conversations in, requests out.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::model::{
    AssistantTurn, Dialect, FinishReason, Message, ModelSettings, Opaque, Request, ToolCall,
    testing::{self, label},
    wire::wire,
};

/// Each line is one stream, its events parted by ` ; `: `added N`, `done N` and an item, `KIND.delta N` and a text, `completed`,
/// `incomplete`, `failed` and a response, or data as it is. `-` for N leaves the place out.
fn check(streams: &str, expected: &Expect) {
    let event = |event: &str| {
        let (word, rest) = event.trim().split_once(' ').unwrap_or((event.trim(), "{}"));
        let placed = |kind: &str, member: &str| {
            let (index, rest) = rest.split_once(' ').unwrap();
            let place = if index == "-" { String::new() } else { format!("\"output_index\":{index},") };
            format!(r#"data: {{"type":"response.{kind}",{place}"item_id":"i","{member}":{rest}}}"#)
        };
        let event = match word {
            "added" | "done" => placed(&format!("output_item.{word}"), "item"),
            delta if delta.contains(".delta") => placed(delta, "delta"),
            "completed" | "incomplete" | "failed" => format!(r#"data: {{"type":"response.{word}","response":{rest}}}"#),
            _ => event.trim().replace("\\n", "\n"),
        };
        event + "\n\n"
    };
    let lines = streams.lines().map(str::trim).filter(|line| !line.is_empty());
    let bodies = lines.map(|line| line.split(" ; ").map(event).collect::<String>());
    expected.assert_eq(&bodies.map(|body| testing::show(&Dialect::OpenAiResponses, &body)).collect::<String>());
}

#[test]
fn items_become_an_answer_and_stay_as_they_came() {
    check(
        r#"
        added 0 {"type":"reasoning","id":"r","summary":[]} ; reasoning_summary_text.delta 0 "hm" ; done 0 {"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"x"} ; added 1 {"type":"message","id":"m","content":[]} ; output_text.delta 1 "hel" ; output_text.delta 1 "lo" ; done 1 {"type":"message","id":"m","content":[{"type":"output_text","text":"hello"}]} ; completed {"status":"completed","usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":2}} ; data: [DONE]
        added 0 {"type":"function_call","id":"f","call_id":"c1","name":"f","arguments":""} ; function_call_arguments.delta 0 "{\"p\":" ; function_call_arguments.delta 0 "1}" ; done 0 {"type":"function_call","id":"f","call_id":"c1","name":"f","arguments":"{\"p\":1}"} ; completed {"status":"completed"}
        added - {"type":"function_call","id":"i","call_id":"c1","name":"f"} ; function_call_arguments.delta - "{}" ; completed
        added 0 {"type":"function_call","call_id":"c1","name":"f","arguments":""} ; done 0 {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"only\":\"done\"}"} ; completed
        added 0 {"type":"function_call","name":"f","arguments":"{}"} ; added 1 {"type":"function_call","name":"g","arguments":"{}"} ; completed
        added 0 {"type":"custom_tool_call","id":"i","call_id":"c1","name":"sql","input":""} ; custom_tool_call_input.delta 0 "SELECT" ; completed
        function_call_arguments.delta 0 "{}" ; completed
        output_text.delta 0 "unannounced" ; completed
        completed {"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"only"},{"type":"output_text","text":" here"}]}]}
        added 0 {"type":"message","content":[]} ; refusal.delta 0 "I must not" ; done 0 {"type":"message","content":[{"type":"refusal","refusal":"I must not"}]} ; completed
        "#,
        &expect![[r#"
            Stop "hello" thought "hm" 4+5+2 test/model [{"encrypted_content":"x","id":"r","summary":[{"text":"hm","type":"summary_text"}],"type":"reasoning"},{"content":[{"text":"hello","type":"output_text"}],"id":"m","type":"message"}]
            ToolCalls "" c1=f({"p":1}) test/model [{"arguments":"{\"p\":1}","call_id":"c1","id":"f","name":"f","type":"function_call"}]
            ToolCalls "" c1=f({}) test/model [{"call_id":"c1","id":"i","name":"f","type":"function_call"}]
            ToolCalls "" c1=f({"only":"done"}) test/model [{"arguments":"{\"only\":\"done\"}","call_id":"c1","name":"f","type":"function_call"}]
            ToolCalls "" call_3_1=f({}) call_3_2=g({}) test/model [{"arguments":"{}","call_id":"call_3_1","name":"f","type":"function_call"},{"arguments":"{}","call_id":"call_3_2","name":"g","type":"function_call"}]
            ToolCalls "" c1=sql(SELECT) test/model [{"call_id":"c1","id":"i","input":"","name":"sql","type":"custom_tool_call"}]
            ToolCalls "" call_3_1=({})
            Stop "unannounced"
            Stop "only here" test/model [{"content":[{"text":"only","type":"output_text"},{"text":" here","type":"output_text"}],"type":"message"}]
            Stop "I must not" test/model [{"content":[{"refusal":"I must not","type":"refusal"}],"type":"message"}]
        "#]],
    );
}

#[test]
fn an_answer_is_whole_or_an_error() {
    check(
        r#"
        output_text.delta 0 "a"
        output_text.delta 0 "a" ; data: [DONE]
        incomplete {"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}
        incomplete {"status":"incomplete","incomplete_details":{"reason":"content_filter"}}
        failed {"status":"failed","error":{"code":"server_error","message":"The server had an error"}}
        failed {"status":"failed","error":{"code":"rate_limit_exceeded","message":"Rate limit reached"}}
        failed {"status":"failed","error":null}
        event: error\ndata: {"type":"error","code":"insufficient_quota","message":"You exceeded your quota","param":null,"sequence_number":2}
        data: {"type":"error","error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"too much"}}
        completed {"status":"in_progress"}
        data: {"type":"keepalive","sequence_number":1}
        "#,
        &expect![[r#"
            again: the model's answer broke off: the stream ended before the model said that it was finished
            again: the model's answer broke off: the stream ended before the model said that it was finished
            Length ""
            Filtered ""
            again: the model endpoint is overloaded or broken (500): The server had an error
            again: the model endpoint asks for fewer requests: Rate limit reached
            again: the model's answer broke off: the server ended the response as `failed`
            error: the account at the model endpoint has no balance left: You exceeded your quota
            error: the conversation is too long for the model: too much
            again: the model's answer broke off: the server ended the response as `in_progress`
            again: the model's answer broke off: the stream ended before the model said that it was finished
        "#]],
    );
}

#[test]
fn a_body_need_not_be_a_stream() {
    let bodies = [
        r#"{"status":"completed","error":null,"output":[{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],"usage":{"input_tokens":3,"output_tokens":4}}"#,
        r#"{"status":"failed","error":{"code":"server_error","message":"oops"},"output":[]}"#,
        r#"{"id":"x"}"#,
    ];
    expect![[r#"
        ToolCalls "" thought "hm" c=f({}) 0+3+4 test/model [{"content":[{"text":"hm","type":"reasoning_text"}],"summary":[],"type":"reasoning"},{"arguments":"{}","call_id":"c","name":"f","type":"function_call"}]
        again: the model endpoint is overloaded or broken (500): oops
        again: the model's answer broke off: the server reported an error: {"id":"x"}
    "#]].assert_eq(&bodies.map(|body| testing::show(&Dialect::OpenAiResponses, body)).concat());
}

fn settings() -> ModelSettings {
    ModelSettings::new("openai/model", Dialect::OpenAiResponses, "")
}

fn body(settings: &ModelSettings, messages: &[Message]) -> Vec<u8> {
    let tools = [crate::tool::ToolSpec { name: "f", description: "d", parameters: json!({"type": "object"}) }];
    let request = Request { label: &label(1), messages, tools: &tools, max_tokens: 100 };
    wire(&settings.dialect).unwrap().body(settings, &request)
}

fn written(settings: &ModelSettings, messages: &[Message]) -> String {
    String::from_utf8(body(settings, messages)).unwrap().replace("},{", "},\n{").replace(",\"input\"", ",\n\"input\"")
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "f".into(), arguments: arguments.into() }
}

fn conversation(model: &str) -> Vec<Message> {
    let blocks = json!([
        {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x"},
        {"type": "reasoning", "id": "looked up in vain", "summary": []},
        {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]},
        {"type": "function_call", "id": "f", "call_id": "a", "name": "f", "arguments": "{\"as\":\"it came\""},
        {"type": "custom_tool_call", "id": "f", "call_id": "b", "name": "f", "input": "SELECT"},
        {"type": "function_call", "call_id": "not carried out", "name": "f", "arguments": "{}"},
    ]);
    let calls = vec![call("a", "{\"as\":\"mended\"}"), call("b", "SELECT"), call("c", "{\"leaked\":1}")];
    let opaque = Some(Opaque { provider: model.into(), blocks: blocks.as_array().unwrap().clone() });
    let result = |id: &str| Message::Tool { call_id: id.into(), name: "f".into(), content: format!("of {id}") };
    vec![
        Message::system("be good"),
        Message::user("go"),
        Message::Assistant(AssistantTurn { text: "so".into(), reasoning: None, calls, opaque }),
        result("a"),
        result("b"),
        result("c"),
        Message::system("be better"),
    ]
}

#[test]
fn a_turn_goes_back_in_its_items_with_the_calls_that_were_carried_out() {
    expect![[r#"
        {"model":"model","max_output_tokens":100,"store":false,"include":["reasoning.encrypted_content"],"stream":true,"tools":[{"description":"d","name":"f","parameters":{"type":"object"},"strict":false,"type":"function"}],"instructions":"be good",
        "input":[{"role":"user","content":"go"},
        {"encrypted_content":"x","id":"r","summary":[],"type":"reasoning"},
        {"content":[{"text":"so","type":"output_text"}],"id":"m","role":"assistant","type":"message"},
        {"arguments":"{\"as\":\"mended\"}","call_id":"a","id":"f","name":"f","type":"function_call"},
        {"arguments":"{\"not_json\":\"SELECT\"}","call_id":"b","name":"f","type":"function_call"},
        {"arguments":"{\"leaked\":1}","call_id":"c","name":"f","type":"function_call"},
        {"call_id":"a","output":"of a","type":"function_call_output"},
        {"call_id":"b","output":"of b","type":"function_call_output"},
        {"call_id":"c","output":"of c","type":"function_call_output"},
        {"role":"developer","content":"be better"}]}"#]].assert_eq(&written(&settings(), &conversation("openai/model")));
}

#[test]
fn another_model_of_the_provider_gets_text_and_calls() {
    let written = written(&settings(), &conversation("openai/other"));
    expect![[r#"
        :[{"role":"user","content":"go"},
        {"content":"so","role":"assistant"},
        {"arguments":"{\"as\":\"mended\"}","call_id":"a","name":"f","type":"function_call"},
        {"arguments":"{\"not_json\":\"SELECT\"}","call_id":"b","name":"f","type":"function_call"},
        {"arguments":"{\"leaked\":1}","call_id":"c","name":"f","type":"function_call"},
        {"call_id":"a","output":"of a","type":"function_call_output"},
        {"call_id":"b","output":"of b","type":"function_call_output"},
        {"call_id":"c","output":"of c","type":"function_call_output"},
        {"role":"developer","content":"be better"}]}"#]]
    .assert_eq(written.split_once("\"input\"").unwrap().1);
}

#[test]
fn an_answer_that_was_cut_while_the_model_reasoned_does_not_go_back_as_reasoning() {
    let item = json!({"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x"});
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
    let end = json!({"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}});
    let answer =
        testing::read(&Dialect::OpenAiResponses, [format!("data: {done}\n\ndata: {end}\n\n").as_bytes()]).answer.unwrap();
    assert_eq!((answer.finish, answer.turn.opaque.is_some()), (FinishReason::Length, true));
    let mut messages = [Message::user("go"), Message::Assistant(answer.turn), Message::user("be shorter")];
    let settings = ModelSettings { name: "test/model".to_owned(), ..settings() };
    let input = |messages: &[Message]| serde_json::from_slice::<Value>(&body(&settings, messages)).unwrap()["input"].to_string();
    expect![[r#"[{"content":"go","role":"user"},{"content":"be shorter","role":"user"}]"#]].assert_eq(&input(&messages));
    let said = json!({"type": "message", "content": [{"type": "output_text", "text": "so"}]});
    let opaque = Some(Opaque { provider: "test/model".into(), blocks: vec![item.clone(), said, item] });
    messages[1] = Message::Assistant(AssistantTurn { text: "so".into(), opaque, ..AssistantTurn::default() });
    assert_eq!(input(&messages).matches("encrypted_content").count(), 1, "what led to the text goes back, the rest does not");
}

#[test]
fn encrypted_reasoning_is_asked_for_unless_the_configuration_says_no() {
    let mut settings = settings();
    assert!(written(&settings, &[]).contains("reasoning.encrypted_content"));
    settings.capabilities.encrypted_reasoning = false;
    assert!(!written(&settings, &[]).contains("include"));
}

#[test]
fn capabilities_are_written_as_this_dialect_has_them() {
    let mut settings = settings();
    settings.capabilities.streaming = false;
    settings.capabilities.parallel_calls = false;
    settings.capabilities.strict_tools = true;
    settings.capabilities.affinity_key = "prompt_cache_key".into();
    settings.capabilities.max_tokens_key = "max_tokens".into();
    settings.extra_body = json!({"include": null, "reasoning": {"effort": "low"}, "input": []}).as_object().unwrap().clone();
    expect![[r#"
        {"model":"model","max_tokens":100,"store":false,"prompt_cache_key":"abcdefgh","parallel_tool_calls":false,"reasoning":{"effort":"low"},"tools":[{"description":"d","name":"f","parameters":{"type":"object"},"strict":true,"type":"function"}],
        "input":[{"role":"user","content":"go"}]}"#]].assert_eq(&written(&settings, &[Message::user("go")]));
}

#[test]
fn the_input_of_a_longer_conversation_begins_with_the_bytes_of_the_shorter() {
    let messages = conversation("openai/model");
    for count in 1..messages.len() {
        let (short, long) = (body(&settings(), &messages[..count]), body(&settings(), &messages[..=count]));
        assert!(long.starts_with(&short[..short.len() - 2]), "all but the closing brackets, at {count}");
    }
    let text = |item: &Value| item.to_string();
    assert_eq!(text(&json!({"b": 1, "a": 2})), r#"{"a":2,"b":1}"#, "members of kept items have one order");
}
