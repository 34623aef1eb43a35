//! Bodies in memory: every shape that servers are known to give an answer.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::model::{
    Answer, Dialect, FinishReason, Message, Request,
    testing::{self, label, settings},
    wire::wire,
};

fn show(body: &str) -> String {
    testing::show(&Dialect::OpenAiChat, body)
}

/// Each line of the input is one stream: its chunks, parted by ` ; `. `call` stands for the way to a call's pieces.
fn check(streams: &str, expected: &Expect) {
    let stream = |line: &str| {
        let chunks = line.split(" ; ").map(|chunk| match chunk.trim() {
            call if call.starts_with("call ") => {
                format!(r#"data: {{"choices":[{{"delta":{{"tool_calls":[{}]}}}}]}}"#, &call[5..])
            }
            delta if delta.starts_with("delta ") => format!(r#"data: {{"choices":[{{"delta":{}}}]}}"#, &delta[6..]),
            finish if finish.starts_with("finish ") => {
                format!(r#"data: {{"choices":[{{"delta":{{}},"finish_reason":"{}"}}]}}"#, &finish[7..])
            }
            other => other.replace("\\n", "\n"),
        });
        chunks.map(|chunk| chunk + "\n\n").collect::<String>()
    };
    let shown: String = streams.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| show(&stream(line))).collect();
    expected.assert_eq(&shown);
}

#[test]
fn text_reasoning_and_usage_come_in_many_spellings() {
    check(
        r#"
        delta {"role":"assistant","content":null,"reasoning_content":"hm"} ; delta {"content":"hel"} ; delta {"content":"lo"} ; finish stop ; data: {"choices":[],"usage":{"prompt_tokens":10,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6,"completion_tokens":2}} ; data: [DONE]
        delta {"reasoning":"hm","content":"a"} ; finish stop ; data: {"choices":[],"usage":{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":8}}}
        delta {"reasoning_content":"","content":"a"} ; finish stop
        delta {"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}]} ; finish stop
        delta {"content":"a"} ; data: {"choices":[{"index":1,"delta":{"content":"of another choice"}}]} ; : keep-alive ; data: [DONE]
        delta {"refusal":"I must not"} ; finish content_filter
        "#,
        &expect![[r#"
            Stop "hello" thought "hm" 4+6+2
            Stop "a" thought "hm" 8+2+0
            Stop "a" thought ""
            Stop "a" thought "hm"
            Unsaid "a"
            Filtered "I must not"
        "#]],
    );
}

#[test]
fn calls_are_told_apart_however_they_come() {
    check(
        r#"
        call {"index":0,"id":"x","function":{"name":"a","arguments":""}} ; call {"index":0,"function":{"arguments":"{\"p\":"}} ; call {"index":0,"function":{"arguments":"1}"}} ; finish tool_calls
        call {"index":0,"id":"x","function":{"name":"a","arguments":"{}"}},{"index":1,"id":"y","function":{"name":"b","arguments":"{}"}} ; finish stop
        call {"index":0,"id":"x","function":{"name":"a","arguments":"{}"}} ; call {"index":0,"id":"y","function":{"name":"b","arguments":"{}"}} ; finish stop
        call {"index":0,"id":"","function":{"name":"a","arguments":"{}"}} ; call {"index":0,"function":{"name":"a","arguments":"{\"q\":2}"}} ; finish stop
        call {"id":"x","function":{"name":"a","arguments":"{\"p\""}} ; call {"function":{"arguments":":1}"}} ; call {"id":"x","function":{"name":"a","arguments":""}} ; finish stop
        call {"function":{"name":"a","arguments":{"p":1}}} ; call {"function":{"name":"b","arguments":{}}} ; finish stop
        call {"index":0,"id":"x","function":{"name":"a","arguments":"{}"}} ; call {"index":1,"id":"x","function":{"name":"b","arguments":"{}"}} ; finish stop
        call {"index":0,"id":"x1","function":{"name":"a","arguments":"{"}} ; call {"index":0,"id":"x2","function":{"arguments":"}"}} ; finish stop
        call {"index":0,"id":"x","function":{"name":"a","arguments":"{\"p\":1}"}} ; call {"index":0,"id":"x","function":{"name":"a","arguments":"{\"p\":1}"}} ; finish stop
        "#,
        &expect![[r#"
            ToolCalls "" x=a({"p":1})
            ToolCalls "" x=a({}) y=b({})
            ToolCalls "" x=a({}) y=b({})
            ToolCalls "" call_3_1=a({}) call_3_2=a({"q":2})
            ToolCalls "" x=a({"p":1})
            ToolCalls "" call_3_1=a({"p":1}) call_3_2=b({})
            ToolCalls "" x=a({}) call_3_2=b({})
            ToolCalls "" x1=a({})
            ToolCalls "" x=a({"p":1})
        "#]],
    );
}

#[test]
fn an_answer_is_whole_or_an_error() {
    check(
        r#"
        delta {"content":"a"}
        call {"index":0,"id":"x","function":{"name":"a","arguments":"{\"p\":"}}
        : keep-alive
        data: [DONE]
        delta {"content":"a"} ; data: {"error":{"message":"out of memory","code":500}} ; finish stop
        delta {"content":"a"} ; error: {"error":{"message":"failed to decode"}}
        delta {"content":"a"} ; event: error\ndata: no JSON
        data: {"error":{"message":"Rate limit reached","code":429}}
        data: {"error":{"message":"no such model","code":404}}
        delta {"content":"a"} ; finish error
        delta {"content":"a"} ; finish insufficient_system_resource
        call {"index":0,"id":"x","function":{"name":"a","arguments":"{\"p\":"}} ; data: [DONE]
        delta {"content":"a"} ; data: {"choices":[{"de ; finish stop ; data: [DONE]
        delta {"content":"a"} ; finish stop ; data: {"usa
        "#,
        &expect![[r#"
            again: the model's answer broke off: the stream ended before the model said that it was finished
            again: the model's answer broke off: the stream ended before the model said that it was finished
            again: the model's answer broke off: the stream ended before the model said that it was finished
            Unsaid ""
            again: the model endpoint is overloaded or broken (500): out of memory
            again: the model's answer broke off: the server reported an error: failed to decode
            again: the model's answer broke off: the server reported an error: no JSON
            again: the model endpoint asks for fewer requests: Rate limit reached
            error: the model endpoint refuses the request (404): no such model
            again: the model's answer broke off: the server gave up with `error`
            again: the model endpoint is overloaded or broken (503): the server gave up with `insufficient_system_resource`
            Unsaid "" x=a({"p":)
            again: the model's answer broke off: a piece of the stream is no JSON: `{"choices":[{"de`
            Stop "a"
        "#]],
    );
}

#[test]
fn a_body_need_not_be_a_stream() {
    let bodies = [
        r#" {"choices":[{"message":{"content":"a","tool_calls":[{"function":{"name":"t","arguments":{"p":1}}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
        r#"{"error":{"message":"overloaded","code":503}}"#,
        r#"{"message":"what?"}"#,
        "<html><body>Sign in</body></html>",
        "{",
        "",
        "\n\n",
    ];
    expect![[r#"
        ToolCalls "a" call_3_1=t({"p":1}) 0+3+1
        again: the model endpoint is overloaded or broken (503): overloaded
        again: the model's answer broke off: the server reported an error: what?
        again: the model's answer broke off: the server sent no model's answer but `<html><body>Sign in</body></html>`
        again: the model's answer broke off: the server sent no model's answer but `{`
        again: the model's answer broke off: the server sent nothing
        again: the model's answer broke off: the server sent nothing
    "#]]
    .assert_eq(&bodies.map(show).concat());
}

#[test]
fn a_cut_call_keeps_its_raw_text_and_the_reason() {
    let body = r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"write_file","arguments":"{\"path\": \"a"}}]},"finish_reason":"length"}]}"#;
    let answer = testing::read(&Dialect::OpenAiChat, [body.as_bytes()]).answer.unwrap();
    assert_eq!(answer.finish, FinishReason::Length);
    assert_eq!(answer.turn.calls[0].arguments, r#"{"path": "a"#);
}

/// The body of the request after this answer.
fn after(answer: Answer, name: &str) -> serde_json::Value {
    let messages = [Message::user("go"), Message::Assistant(answer.turn)];
    let settings = crate::model::ModelSettings { name: name.to_owned(), ..settings("") };
    let request = Request { label: &label(2), messages: &messages, tools: &[], max_tokens: 9 };
    serde_json::from_slice(&wire(&Dialect::OpenAiChat).unwrap().body(&settings, &request)).unwrap()
}

#[test]
fn what_a_server_wants_back_goes_back_to_it_and_to_nobody_else() {
    let chunks = [
        json!({"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a", "signature": null}]}}]}),
        json!({"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "b"}]}}]}),
        json!({"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]}}]}),
        json!({"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "x"}]}}]}),
        json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c", "extra_content": {"google": {"thought_signature": "t"}},
            "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "stop"}]}),
    ];
    let body = chunks.map(|chunk| format!("data: {chunk}\n\n")).concat();
    let answer = testing::read(&Dialect::OpenAiChat, [body.as_bytes()]).answer.unwrap();
    expect![[r#"
        {
          "content": null,
          "reasoning_details": [
            {
              "index": 0,
              "signature": "s",
              "text": "ab",
              "type": "reasoning.text"
            },
            {
              "data": "x",
              "index": 1,
              "type": "reasoning.encrypted"
            }
          ],
          "role": "assistant",
          "tool_calls": [
            {
              "extra_content": {
                "google": {
                  "thought_signature": "t"
                }
              },
              "function": {
                "arguments": "{}",
                "name": "f"
              },
              "id": "c",
              "type": "function"
            }
          ]
        }"#]]
    .assert_eq(&format!("{:#}", after(answer.clone(), "test/model")["messages"][1]));
    assert_eq!(
        after(answer, "test/other")["messages"][1],
        json!({"role": "assistant", "content": null,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]})
    );
}
