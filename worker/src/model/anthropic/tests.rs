//! Events in, answers out; conversations in, requests out.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::model::{
    AssistantTurn, Dialect, FinishReason, Message, ModelSettings, Opaque, PrefixCache, Request, ToolCall,
    testing::{self, label},
    wire::wire,
};

/// Each line is one stream, its events parted by ` ; `: `start`, `block N`, `delta N`, `stop REASON`, `over`, or data as it is.
fn check(streams: &str, expected: &Expect) {
    let event = |event: &str| {
        let (word, rest) = event.trim().split_once(' ').unwrap_or((event.trim(), ""));
        let placed = |kind: &str, member: &str| {
            let (index, rest) = rest.split_once(' ').unwrap();
            format!(r#"data: {{"type":"{kind}","index":{index},"{member}":{rest}}}"#)
        };
        let event = match word {
            "start" => {
                format!(r#"data: {{"type":"message_start","message":{{"content":[],"stop_reason":null,"usage":{rest}}}}}"#)
            }
            "block" => placed("content_block_start", "content_block"),
            "delta" => placed("content_block_delta", "delta"),
            "stop" => {
                format!(r#"data: {{"type":"message_delta","delta":{{"stop_reason":"{rest}"}},"usage":{{"output_tokens":9}}}}"#)
            }
            "over" => r#"data: {"type":"message_stop"}"#.to_owned(),
            _ => event.trim().replace("\\n", "\n"),
        };
        event + "\n\n"
    };
    let lines = streams.lines().map(str::trim).filter(|line| !line.is_empty());
    let bodies = lines.map(|line| line.split(" ; ").map(event).collect::<String>());
    expected.assert_eq(&bodies.map(|body| testing::show(&Dialect::AnthropicMessages, &body)).collect::<String>());
}

#[test]
fn blocks_become_an_answer_and_stay_where_they_say_more_than_it() {
    check(
        r#"
        start {"input_tokens":5,"cache_read_input_tokens":2,"cache_creation_input_tokens":3,"output_tokens":1} ; block 0 {"type":"text","text":""} ; event: ping\ndata: {"type":"ping"} ; delta 0 {"type":"text_delta","text":"hel"} ; delta 0 {"type":"text_delta","text":"lo"} ; stop end_turn ; over
        start {"input_tokens":5} ; block 0 {"type":"thinking","thinking":"","signature":""} ; delta 0 {"type":"thinking_delta","thinking":"hm"} ; delta 0 {"type":"signature_delta","signature":"s1"} ; block 1 {"type":"redacted_thinking","data":"x"} ; block 2 {"type":"tool_use","id":"toolu_1","name":"f","input":{}} ; delta 2 {"type":"input_json_delta","partial_json":""} ; delta 2 {"type":"input_json_delta","partial_json":"{\"p\":"} ; delta 2 {"type":"input_json_delta","partial_json":"1}"} ; stop tool_use ; over
        block 0 {"type":"tool_use","id":"a","name":"f","input":{}} ; block 1 {"type":"tool_use","id":"b","name":"f","input":{"q":2}} ; stop end_turn
        block 0 {"type":"tool_use","id":"a","name":"f","input":{}} ; block 1 {"type":"text","text":"after"} ; stop tool_use ; over
        block 0 {"type":"server_tool_use","id":"s"} ; block 1 {"type":"text","text":"a","citations":[]} ; delta 1 {"type":"citations_delta","citation":{"n":1}} ; stop pause_turn ; over
        "#,
        &expect![[r#"
            Stop "hello" 2+5w3+9
            ToolCalls "" thought "hm" toolu_1=f({"p":1}) 0+5+9 test/model [{"signature":"s1","thinking":"hm","type":"thinking"},{"data":"x","type":"redacted_thinking"},{"id":"toolu_1","type":"tool_use"}]
            ToolCalls "" a=f({}) b=f({"q":2})
            ToolCalls "after" a=f({}) test/model [{"id":"a","type":"tool_use"},{"text":"after","type":"text"}]
            Unsaid "a" test/model [{"id":"s","type":"server_tool_use"},{"citations":[{"n":1}],"text":"a","type":"text"}]
        "#]],
    );
}

#[test]
fn an_answer_is_whole_or_an_error() {
    check(
        r#"
        start {} ; block 0 {"type":"text","text":"a"}
        start {} ; block 0 {"type":"text","text":"a"} ; event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}
        start {} ; data: {"type":"error","error":{"type":"rate_limit_error","message":"slower"}}
        start {} ; data: {"type":"error","error":{"type":"api_error","message":"Internal server error"}}
        start {} ; data: {"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 3 tokens > 2 maximum"}}
        start {} ; data: {"type":"error","error":{"type":"invalid_request_error","message":"no"}}
        start {} ; block 0 {"type":"text","text":"a"} ; stop max_tokens ; data: [DONE]
        start {} ; block 0 {"type":"text","text":"a"} ; data: [DONE]
        start {} ; block 0 {"type":"text","text":"a"} ; stop model_context_window_exceeded ; over
        start {} ; block 0 {"type":"text","text":"I"} ; stop refusal ; over
        start {} ; block 0 {"type":"tool_use","id":"cut","name":"f","input":{}} ; delta 0 {"type":"input_json_delta","partial_json":"{\"p"} ; start {"input_tokens":1} ; block 0 {"type":"text","text":"anew"} ; stop end_turn ; over
        delta 0 {"type":"text_delta","text":"unannounced"} ; delta 1 {"type":"input_json_delta","partial_json":"{}"} ; stop stop_sequence ; over
        "#,
        &expect![[r#"
            again: the model's answer broke off: the stream ended before the model said that it was finished
            again: the model endpoint is overloaded or broken (529): Overloaded
            again: the model endpoint asks for fewer requests: slower
            again: the model endpoint is overloaded or broken (500): Internal server error
            error: the conversation is too long for the model: prompt is too long: 3 tokens > 2 maximum
            error: the model endpoint refuses the request (400): no
            Length "a"
            again: the model's answer broke off: the stream ended before the model said that it was finished
            Length "a"
            Filtered "I"
            Stop "anew" 0+1+9
            ToolCalls "unannounced" call_3_1=({})
        "#]],
    );
}

#[test]
fn a_call_that_was_cut_before_its_input_came_has_none() {
    check(
        r#"
        block 0 {"type":"tool_use","id":"whole","name":"f","input":{}} ; block 1 {"type":"tool_use","id":"cut","name":"f","input":{}} ; stop max_tokens ; over
        block 0 {"type":"tool_use","id":"cut","name":"f","input":{}} ; delta 0 {"type":"input_json_delta","partial_json":"{\"p"} ; stop max_tokens ; over
        block 0 {"type":"tool_use","id":"cut","name":"f","input":{}} ; over
        block 0 {"type":"tool_use","id":"whole","name":"f","input":{}} ; stop tool_use ; over
        data: {"type":"message_start","message":{"content":[{"type":"tool_use","id":"whole","name":"f","input":{"p":1}}],"stop_reason":"max_tokens"}} ; over
        "#,
        &expect![[r#"
            Length "" whole=f({}) cut=f()
            Length "" cut=f({"p)
            Unsaid "" cut=f()
            ToolCalls "" whole=f({})
            Length "" whole=f({"p":1})
        "#]],
    );
}

#[test]
fn what_was_counted_before_a_stream_broke_off_is_told() {
    let start =
        r#"{"type":"message_start","message":{"usage":{"input_tokens":7,"cache_read_input_tokens":2,"output_tokens":1}}}"#;
    let cut = testing::read(&Dialect::AnthropicMessages, [format!("data: {start}\n\n").as_bytes()]);
    assert!(cut.answer.is_err());
    assert_eq!(cut.counted, Some(shared::Tokens { hit: 2, miss: 7, write: 0, output: 1 }));
}

#[test]
fn a_body_need_not_be_a_stream() {
    let bodies = [
        r#"{"type":"message","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"a","name":"f","input":{"p":1}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":4}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        r#"{"type":"message"}"#,
    ];
    expect![[r#"
        ToolCalls "" thought "hm" a=f({"p":1}) 0+3+4 test/model [{"signature":"s","thinking":"hm","type":"thinking"},{"id":"a","type":"tool_use"}]
        again: the model endpoint is overloaded or broken (529): Overloaded
        again: the model's answer broke off: the server reported an error: {"type":"message"}
    "#]].assert_eq(&bodies.map(|body| testing::show(&Dialect::AnthropicMessages, body)).concat());
}

fn settings() -> ModelSettings {
    let mut settings = ModelSettings::new("claude/model", Dialect::AnthropicMessages, "");
    settings.capabilities.cache = PrefixCache::Breakpoints;
    settings
}

fn body(settings: &ModelSettings, messages: &[Message]) -> Value {
    let tools = [crate::tool::ToolSpec { name: "f", description: "d", parameters: json!({"type": "object"}) }];
    let request = Request { label: &label(1), messages, tools: &tools, max_tokens: 100 };
    serde_json::from_slice(&wire(&settings.dialect).unwrap().body(settings, &request)).unwrap()
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "f".into(), arguments: arguments.into() }
}

fn result(id: &str) -> Message {
    Message::Tool { call_id: id.into(), name: "f".into(), content: format!("of {id}") }
}

/// A turn with the blocks of a model.
fn turn(model: &str, text: &str, calls: Vec<ToolCall>, blocks: &Value) -> Message {
    let opaque = Some(Opaque { provider: model.into(), blocks: blocks.as_array().unwrap().clone() });
    Message::Assistant(AssistantTurn { text: text.into(), reasoning: Some("hm".into()), calls, opaque })
}

fn conversation(model: &str) -> Vec<Message> {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let blocks =
        json!([thinking, {"type": "tool_use", "id": "a"}, {"type": "text", "text": "and"}, {"type": "tool_use", "id": "b"}]);
    vec![
        Message::system("be good"),
        Message::user("go"),
        turn(model, "and", vec![call("a", "{ \"p\": 1}"), call("b", "{\"mended\":1}"), call("l.1", "{\"leaked")], &blocks),
        result("a"),
        result("b"),
        Message::user("hurry"),
        result("l.1"),
        Message::Assistant(AssistantTurn::default()),
        Message::user(" "),
    ]
}

#[test]
fn a_turn_goes_back_in_its_blocks_with_the_calls_that_were_carried_out() {
    let written = body(&settings(), &conversation("claude/model")).to_string();
    expect![[r#"
        {"max_tokens":100,"messages":[{"content":[{"cache_control":{"type":"ephemeral"},"text":"go","type":"text"}],"role":"user"},
        {"content":[{"signature":"s","thinking":"hm","type":"thinking"},
        {"id":"a","input":{"p":1},"name":"f","type":"tool_use"},
        {"text":"and","type":"text"},
        {"id":"b","input":{"mended":1},"name":"f","type":"tool_use"},
        {"id":"l_1_117ac9191cfa2b6a","input":{"not_json":"{\"leaked"},"name":"f","type":"tool_use"}],"role":"assistant"},
        {"content":[{"content":"of a","tool_use_id":"a","type":"tool_result"},
        {"content":"of b","tool_use_id":"b","type":"tool_result"},
        {"content":"of l.1","tool_use_id":"l_1_117ac9191cfa2b6a","type":"tool_result"},
        {"cache_control":{"type":"ephemeral"},"text":"hurry","type":"text"}],"role":"user"}],"model":"model","stream":true,"system":[{"cache_control":{"type":"ephemeral"},"text":"be good","type":"text"}],"tools":[{"description":"d","input_schema":{"type":"object"},"name":"f"}]}"#]].assert_eq(&written.replace("},{", "},\n{"));
}

#[test]
fn another_model_of_the_provider_gets_text_and_calls() {
    let messages = &body(&settings(), &conversation("claude/other"))["messages"][1];
    expect![[r#"{"content":[{"text":"and","type":"text"},{"id":"a","input":{"p":1},"name":"f","type":"tool_use"},{"id":"b","input":{"mended":1},"name":"f","type":"tool_use"},{"id":"l_1_117ac9191cfa2b6a","input":{"not_json":"{\"leaked"},"name":"f","type":"tool_use"}],"role":"assistant"}"#]].assert_eq(&messages.to_string());
}

#[test]
fn text_that_was_mended_goes_back_as_it_is_now() {
    let blocks = json!([{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "do <call>"}, {"type": "tool_use", "id": "d"}]);
    let messages = [Message::user("go"), turn("claude/model", "do", vec![call("c", "{}"), call("d", "{}")], &blocks)];
    expect![[r#"[{"data":"x","type":"redacted_thinking"},{"text":"do","type":"text"},{"id":"d","input":{},"name":"f","type":"tool_use"},{"id":"c","input":{},"name":"f","type":"tool_use"}]"#]].assert_eq(&body(&settings(), &messages)["messages"][1]["content"].to_string());
}

#[test]
fn an_answer_that_was_cut_while_the_model_thought_does_not_go_back_as_thinking() {
    let cut = [
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"data: {"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#,
    ]
    .join("\n\n");
    let mut settings = settings();
    settings.name = "test/model".to_owned();
    settings.capabilities.cache = PrefixCache::None;
    let answer = testing::read(&settings.dialect, [cut.as_bytes()]).answer.unwrap();
    assert_eq!((answer.finish, answer.turn.opaque.is_some()), (FinishReason::Length, true));
    let messages = [Message::user("go"), Message::Assistant(answer.turn), Message::user("be shorter")];
    let sent = |messages: &[Message]| body(&settings, messages)["messages"].to_string();
    expect![[r#"[{"content":[{"text":"go","type":"text"},{"text":"be shorter","type":"text"}],"role":"user"}]"#]]
        .assert_eq(&sent(&messages));
    let (signed, hidden) =
        (json!({"type": "thinking", "thinking": "hm", "signature": "s"}), json!({"type": "redacted_thinking", "data": "x"}));
    let unsigned = json!({"type": "thinking", "thinking": "cut"});
    let blocks = json!([signed, unsigned, {"type": "text", "text": "so"}, hidden, signed]);
    expect![[
        r#"[{"content":[{"signature":"s","thinking":"hm","type":"thinking"},{"text":"so","type":"text"}],"role":"assistant"}]"#
    ]]
    .assert_eq(&sent(&[turn("test/model", "so", Vec::new(), &blocks)]));
    let calls = json!([unsigned, {"type": "tool_use", "id": "a"}]);
    let calls = [turn("test/model", "", vec![call("a", "{}")], &calls)];
    assert!(!sent(&calls).contains("cut"));
    settings.capabilities.reasoning_roundtrip = true;
    assert!(body(&settings, &calls)["messages"].to_string().contains("cut"), "where nothing is ever signed");
}

#[test]
fn capabilities_are_written_as_this_dialect_has_them() {
    let mut settings = settings();
    settings.capabilities.cache = PrefixCache::Automatic;
    settings.capabilities.streaming = false;
    settings.capabilities.parallel_calls = false;
    settings.capabilities.strict_tools = true;
    settings.extra_body =
        json!({"thinking": {"type": "enabled", "budget_tokens": 9}, "system": "mine"}).as_object().unwrap().clone();
    expect![[r#"{"max_tokens":100,"messages":[{"content":[{"text":"go","type":"text"}],"role":"user"}],"model":"model","thinking":{"budget_tokens":9,"type":"enabled"},"tool_choice":{"disable_parallel_tool_use":true,"type":"auto"},"tools":[{"description":"d","input_schema":{"type":"object"},"name":"f","strict":true}]}"#]].assert_eq(&body(&settings, &[Message::user("go")]).to_string());
    settings.capabilities.cache = PrefixCache::Breakpoints;
    assert_eq!(body(&settings, &[Message::user("go")])["tools"][0]["cache_control"]["type"], "ephemeral", "where no system is");
}

/// Without the marks of the cache, which move.
fn without_marks(mut body: Value) -> Vec<Value> {
    let mut messages = body["messages"].take();
    for message in messages.as_array_mut().unwrap() {
        for block in message["content"].as_array_mut().unwrap() {
            block.as_object_mut().unwrap().remove("cache_control");
        }
    }
    messages.as_array().unwrap().clone()
}

#[test]
fn a_longer_conversation_begins_with_the_shorter_and_is_marked_where_that_ended() {
    let mut messages = vec![Message::system("s"), Message::user("go")];
    let mut shorter = body(&settings(), &messages);
    for round in 0..4 {
        let id = format!("c{round}");
        let blocks = json!([{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "tool_use", "id": id}]);
        messages.extend([turn("claude/model", "", vec![call(&id, "{}")], &blocks), result(&id)]);
        let longer = body(&settings(), &messages);
        assert_eq!(longer.to_string().matches("cache_control").count(), 3);
        let ended = shorter["messages"].as_array().unwrap().len() - 1;
        assert_eq!(longer["messages"][ended], shorter["messages"][ended], "marked again, so that the cache finds it");
        let (short, long) = (without_marks(shorter), without_marks(longer.clone()));
        assert_eq!(long[..short.len()], short);
        shorter = longer;
    }
}
