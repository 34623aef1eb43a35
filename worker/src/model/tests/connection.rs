//! The whole client, with its retries, over a real connection. The clock is tokio's, paused: waits pass at once.

use std::{fmt::Write as _, sync::Mutex, time::Duration};

use expect_test::{Expect, expect};
use tokio_util::sync::CancellationToken;

use super::server::{Play, response, serve, stream, stream_text};
use crate::model::{AssistantTurn, Delta, Dialect, Message, ModelSettings, Opaque, Request, Secret, connect, testing};

const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const HALF: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hel\"}}]}\n\n";

fn settings(url: &str) -> ModelSettings {
    ModelSettings { api_key: Some(Secret::new("test")), retries: 2, ..testing::settings(url) }
}

/// Asks once; says what came of it, with every retry before it.
async fn ask(settings: ModelSettings, cancel: &CancellationToken) -> String {
    let said = Mutex::new(String::new());
    let url = settings.base_url.clone();
    let model = match connect(settings) {
        Ok(model) => model,
        Err(error) => return error.to_string(),
    };
    let on_delta = |delta: Delta<'_>| match delta {
        Delta::Retrying { why, wait } => {
            let wait = if why.retry_after().is_some() { format!(" in {wait:?}") } else { String::new() };
            writeln!(said.lock().unwrap(), "{why}; again{wait}").unwrap();
        }
        Delta::Text(text) => write!(said.lock().unwrap(), "+{text} ").unwrap(),
        _ => {}
    };
    let messages = [Message::user("hello?")];
    let request = Request { label: &testing::label(1), messages: &messages, tools: &[], max_tokens: 9 };
    let end = match model.ask(&request, &on_delta, cancel).await {
        Ok(answer) => format!("= {:?}\n", answer.turn.text),
        Err(error) => format!("! {}\n", error.in_full()),
    };
    (said.into_inner().unwrap() + &end).replace(&url, "URL").replace(" (os error 111)", "").replace(" (os error 61)", "")
}

async fn check(plays: Vec<Play>, expected: Expect) {
    let (url, served) = serve(plays).await;
    expected.assert_eq(&ask(settings(&url), &CancellationToken::new()).await);
    served.abort();
}

#[tokio::test(start_paused = true)]
async fn a_request_carries_its_label_its_key_and_the_conversation() {
    let (url, served) = serve(vec![stream(HELLO)]).await;
    assert_eq!(ask(settings(&url), &CancellationToken::new()).await, "+hello = \"hello\"\n");
    let request = served.await.unwrap().remove(0).replace(url.trim_start_matches("http://").trim_end_matches("/v1"), "HOST");
    expect![[r#"
        POST /v1/chat/completions HTTP/1.1
        content-type: application/json
        accept-encoding: identity
        authorization: Bearer test
        x-inspan-run: abcdefgh
        x-inspan-role: worker
        x-inspan-task: money
        x-inspan-attempt: 1
        x-inspan-turn: 1
        accept: */*
        user-agent: inspan/0.1.0
        host: HOST
        content-length: 134

        {"model":"model","max_tokens":9,"stream_options":{"include_usage":true},"stream":true,"messages":[{"role":"user","content":"hello?"}]}"#]].assert_eq(&request.replace('\r', ""));
}

#[tokio::test(start_paused = true)]
async fn refusals_that_last_are_told_at_once_with_what_to_do() {
    let json = |message: &str| format!("{{\"error\":{{\"message\":\"{message}\"}}}}");
    check(vec![response(401, "", &json("Authentication Fails"))], expect![[r"
        ! the model endpoint refuses the key (401): Authentication Fails. Check the key: INSPAN_API_KEY, or the variable that the provider's `api_key_env` names.
    "]]).await;
    check(vec![response(402, "", &json("Insufficient Balance"))], expect![[r"
        ! the account at the model endpoint has no balance left: Insufficient Balance. Top up the account or choose another model, then resume the run.
    "]]).await;
    check(vec![response(404, "", "<html>404 page not found</html>")], expect![[r"
        ! the model endpoint refuses the request (404): 404 page not found. Check the model's name (INSPAN_MODEL), and that the address goes up to and including `/v1`.
    "]]).await;
    check(vec![response(302, "Location: http://127.0.0.1:1/\r\n", "")], expect![[r"
        ! the model endpoint refuses the request (302): it redirects to another address; use that one. the server gave no reason. Check the model's name and the provider's settings against what the server says.
    "]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_again_when_it_says() {
    check(
        vec![response(429, "Retry-After: 7\r\n", "slow down"), stream(HELLO)],
        expect![[r#"
        the model endpoint asks for fewer requests: slow down; again in 7s
        +hello = "hello"
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_server_is_asked_a_few_times() {
    let broken = response(500, "", "<html>oops</html>");
    check(vec![broken.clone(), broken.clone(), broken], expect![[r"
        the model endpoint is overloaded or broken (500): oops; again
        the model endpoint is overloaded or broken (500): oops; again
        ! the model endpoint is overloaded or broken (500): oops. Resume the run later; if it stays so, look at the server's own log or choose another model.
    "]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_is_asked_for_anew() {
    check(
        vec![stream(HALF), stream(HELLO)],
        expect![[r#"
        +hel the model's answer broke off: the stream ended before the model said that it was finished; again
        +hello = "hello"
    "#]],
    )
    .await;
    let promised = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    check(
        vec![Play::Send(format!("{promised}{HALF}")), stream(HELLO)],
        expect![[r#"
        +hel the model's answer broke off: error reading a body from connection: end of file before message length reached; again
        +hello = "hello"
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_given_up_unless_it_had_said_all() {
    let keep_alive = format!("{}: keep-alive\n\n", stream_text(HALF));
    check(
        vec![Play::Stall(keep_alive), stream(HELLO)],
        expect![[r#"
        +hel the model's answer stalled: nothing came for 180 s; again
        +hello = "hello"
    "#]],
    )
    .await;
    check(
        vec![Play::Stall(String::new()), stream(HELLO)],
        expect![[r#"
        the model's answer stalled: it did not begin to answer for 180 s; again
        +hello = "hello"
    "#]],
    )
    .await;
    let all = stream_text(HELLO.split_once("data: [DONE]").unwrap().0);
    check(
        vec![Play::Stall(all)],
        expect![[r#"
        +hello = "hello"
    "#]],
    )
    .await;
    check(
        vec![Play::Stall(stream_text(HELLO))],
        expect![[r#"
        +hello = "hello"
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_ends_is_given_up() {
    let (url, served) = serve(vec![Play::Stall(stream_text(HALF))]).await;
    let limits = Duration::from_secs(5);
    let settings = ModelSettings { request_timeout: limits, idle_timeout: limits * 2, retries: 0, ..settings(&url) };
    expect![[r"
        +hel ! the model's answer stalled: it did not come to an end for 5 s. Resume the run later; if it stays so, look at the server's own log or choose another model.
    "]].assert_eq(&ask(settings, &CancellationToken::new()).await);
    served.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_need_not_be_a_stream_and_an_error_need_not_be_a_status() {
    let json = r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#;
    check(
        vec![response(200, "Content-Type: application/json\r\n", json)],
        expect![[r#"
        +hello = "hello"
    "#]],
    )
    .await;
    let error = "data: {\"error\":{\"message\":\"the engine died\"}}\n\n";
    check(
        vec![stream(&format!("{HALF}{error}")), stream(HELLO)],
        expect![[r#"
        +hel the model's answer broke off: the server reported an error: the engine died; again
        +hello = "hello"
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_told_after_three_tries() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let said = ask(settings(&format!("http://{free}/v1")), &CancellationToken::new()).await;
    expect![[r"
        the model endpoint URL cannot be reached: tcp connect error: Connection refused; again
        the model endpoint URL cannot be reached: tcp connect error: Connection refused; again
        ! the model endpoint URL cannot be reached: tcp connect error: Connection refused. Check that the server runs, and the address (`base_url`, or INSPAN_BASE_URL).
    "]].assert_eq(&said);
}

#[tokio::test(start_paused = true)]
async fn a_plain_server_behind_a_secure_address_is_an_error_not_a_panic() {
    let (url, served) = serve(vec![response(200, "", "")]).await;
    let said = ask(ModelSettings { retries: 0, ..settings(&url.replace("http", "https")) }, &CancellationToken::new()).await;
    assert!(said.starts_with("! the model endpoint URL cannot be reached") || said.contains("certificate"), "{said}");
    served.abort();
}

#[tokio::test(start_paused = true)]
async fn settings_that_make_no_client_are_refused_before_anything_is_sent() {
    let cancel = CancellationToken::new();
    let odd_key = ModelSettings { api_key: Some(Secret::new("a\nb")), ..settings("http://localhost/v1") };
    let lines = [ask(settings("localhost:11434"), &cancel).await, ask(settings(""), &cancel).await, ask(odd_key, &cancel).await];
    expect![[r"
        the model `test/model` is not configured well: `localhost:11434` is no address that begins with http:// or https://
        the model `test/model` is not configured well: `` is no address: relative URL without a base
        the model `test/model` is not configured well: its key contains a character that no key has, such as a line break"]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_a_request_at_once() {
    let (url, served) = serve(vec![Play::Stall(stream_text(HALF))]).await;
    let cancel = CancellationToken::new();
    let (said, ()) = tokio::join!(ask(settings(&url), &cancel), async { cancel.cancel() });
    assert!(said.contains("the request was cancelled"), "{said}");
    served.abort();
}

#[tokio::test(start_paused = true)]
async fn keep_alives_hold_the_line_but_neither_pings_nor_comments_hold_it_forever() {
    for drop in [": keep-alive\n\n", "event: ping\ndata: {\"type\": \"ping\"}\n\n", "\n"] {
        let drip = Play::Drip(stream_text(HALF), drop, Duration::from_secs(60));
        check(
            vec![drip, stream(HELLO)],
            expect![[r#"
                +hel the model's answer stalled: nothing but keep-alives came for 900 s; again
                +hello = "hello"
            "#]],
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_on_working_may_take_longer_than_keep_alives_may() {
    let (url, served) = serve(vec![Play::Drip(stream_text(HALF), HALF, Duration::from_secs(170))]).await;
    let settings = ModelSettings { retries: 0, ..settings(&url) };
    let said = ask(settings, &CancellationToken::new()).await;
    assert!(said.ends_with("it did not come to an end for 1200 s. Resume the run later; if it stays so, look at the server's own log or choose another model.\n"), "{said}");
    served.abort();
}

/// `HELLO`, compressed by gzip.
fn hello_compressed() -> Vec<u8> {
    let stored = HELLO.as_bytes();
    let length = u16::try_from(stored.len()).unwrap();
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    bytes.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
    bytes.extend(stored);
    let sum = stored.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    });
    bytes.extend([(!sum).to_le_bytes(), u32::from(length).to_le_bytes()].concat());
    bytes
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_read_compressed_chunked_and_in_single_bytes() {
    let zipped = hello_compressed();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n";
    let whole =
        [format!("{head}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", zipped.len()).into_bytes(), zipped].concat();
    let chunked: Vec<String> =
        HELLO.as_bytes().chunks(5).map(|piece| format!("5\r\n{:5}\r\n", String::from_utf8_lossy(piece))).collect();
    let chunked = chunked.concat();
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunked}0\r\n\r\n").into_bytes();
    for size in [1, 7, usize::MAX] {
        for body in [&whole, &chunked] {
            check(
                vec![Play::Pieces(body.clone(), size)],
                expect![[r#"
                    +hello = "hello"
                "#]],
            )
            .await;
        }
    }
    let cut = whole[..whole.len() - 60].to_vec();
    check(
        vec![Play::Pieces(cut, 9), stream(HELLO)],
        expect![[r#"
        the model's answer broke off: error reading a body from connection: end of file before message length reached; again
        +hello = "hello"
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_an_error_of_bounded_size() {
    check(
        vec![response(200, "Content-Type: application/json\r\n", "<html>Sign in</html>"), stream(HELLO)],
        expect![[r#"
        the model's answer broke off: the server sent no model's answer but `<html>Sign in</html>`; again
        +hello = "hello"
    "#]],
    )
    .await;
    check(
        vec![response(200, "", &format!("\u{feff}{HELLO}"))],
        expect![[r#"
        +hello = "hello"
    "#]],
    )
    .await;
    let line = format!("data: {}", "x".repeat(50 << 20));
    check(
        vec![stream(&line), stream(HELLO)],
        expect![[r#"
        the model's answer broke off: an event of the stream is longer than 16777216 bytes; again
        +hello = "hello"
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_knows_whether_the_same_request_would_fail_again() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    check(
        vec![response(529, "request-id: req_1\r\n", overloaded), stream(HELLO)],
        expect![[r#"
        the model endpoint is overloaded or broken (529): Overloaded (request req_1); again
        +hello = "hello"
    "#]],
    )
    .await;
    check(vec![response(529, "x-should-retry: false\r\n", overloaded)], expect![[r#"
        ! the model endpoint refuses the request (529): Overloaded. Check the model's name and the provider's settings against what the server says.
    "#]]).await;
    check(
        vec![response(400, "x-should-retry: true\r\n", overloaded), stream(HELLO)],
        expect![[r#"
        the model endpoint is overloaded or broken (400): Overloaded; again
        +hello = "hello"
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_changes_its_provider_is_told_of_once() {
    let (url, served) = serve(vec![stream(HELLO), stream(HELLO)]).await;
    let model = connect(settings(&url)).unwrap();
    let blocks = vec![serde_json::json!({"type": "redacted_thinking", "data": "x"})];
    let opaque = Some(Opaque { provider: "another".into(), blocks });
    let messages =
        [Message::user("a"), Message::Assistant(AssistantTurn { opaque, ..AssistantTurn::default() }), Message::user("b")];
    let told = Mutex::new(Vec::new());
    let on_delta = |delta: Delta<'_>| {
        if let Delta::Translated { dropped } = delta {
            told.lock().unwrap().extend(dropped.iter().map(ToString::to_string));
        }
    };
    for turn in [2, 3] {
        let request = Request { label: &testing::label(turn), messages: &messages, tools: &[], max_tokens: 9 };
        model.ask(&request, &on_delta, &CancellationToken::new()).await.unwrap();
    }
    assert_eq!(told.into_inner().unwrap(), ["1 turn by another without encrypted reasoning (1)"]);
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_dialect_goes_over_the_same_connection() {
    let messages = r#"{"type":"message","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn"}"#;
    let response = r#"{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]}"#;
    for (dialect, body, path) in
        [(Dialect::AnthropicMessages, messages, "/v1/messages"), (Dialect::OpenAiResponses, response, "/v1/responses")]
    {
        let (url, served) = serve(vec![self::response(200, "", body)]).await;
        let said = ask(ModelSettings { dialect, ..settings(&url) }, &CancellationToken::new()).await;
        assert_eq!(said, "+hello = \"hello\"\n");
        let request = served.await.unwrap().remove(0);
        assert!(request.starts_with(&format!("POST {path} HTTP/1.1")), "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_writes_far_more_than_was_asked_for_is_cut_off_and_not_asked_again() {
    let endless = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(70_000));
    let (url, served) = serve(vec![stream(&(endless + HELLO))]).await;
    let said = ask(settings(&url), &CancellationToken::new()).await;
    assert!(
        said.contains("! the model endpoint refuses the request (200): it does not keep to the 9 tokens"),
        "{}",
        &said[70_000..]
    );
    assert!(!said.contains("; again"));
    served.abort();
}

#[tokio::test(start_paused = true)]
async fn counts_that_cannot_be_are_none_whether_the_answer_is_whole_or_not() {
    for (prompt, output, counted) in [(0, 0, false), (u64::MAX, 1, false), (1, u64::MAX, false), (7, 2, true)] {
        let usage =
            format!("data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{output}}}}}\n\n");
        let (url, served) = serve(vec![stream(&(HELLO.replace("data: [DONE]", &usage) + "data: [DONE]\n\n"))]).await;
        let (model, heard) = (connect(settings(&url)).unwrap(), Mutex::new(0));
        let on_delta = |delta: Delta<'_>| *heard.lock().unwrap() += u32::from(matches!(delta, Delta::Counted(_)));
        let messages = [Message::user("hello?")];
        let request = Request { label: &testing::label(1), messages: &messages, tools: &[], max_tokens: 9 };
        let answer = model.ask(&request, &on_delta, &CancellationToken::new()).await.unwrap();
        assert_eq!((answer.usage.is_some(), heard.into_inner().unwrap() > 0), (counted, counted), "{prompt} {output}");
        served.abort();
    }
}
