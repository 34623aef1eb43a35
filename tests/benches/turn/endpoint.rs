//! A model endpoint in a process of its own: this very program, started once more.
//!
//! It answers whatever it is asked by turns: read the file, change a line, read it again, change the line back. As usage it reports
//! the bytes of the request, a token a byte.

use std::{
    env,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::header::CONTENT_TYPE,
    response::Response,
    routing::post,
    serve::ListenerExt as _,
};
use serde_json::{Value, json};

use crate::workplace::{FILE, LINES};

const CHILD: &str = "INSPAN_TEST_ENDPOINT";

/// Whether this process is the endpoint.
pub fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// The endpoint, as the other process sees it. It ends with this value.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub fn start() -> Self {
        let program = env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        let mut child = command.env(CHILD, "1").stdout(Stdio::piped()).spawn().expect("this program starts again");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is piped");
        BufReader::new(out).read_line(&mut line).expect("it says its port");
        Self { child, port: line.trim().parse().expect("a port") }
    }

    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers until it is killed.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let mut out = std::io::stdout();
        writeln!(out, "{port}").and_then(|()| out.flush()).expect("somebody reads this");
        // As providers do. Else each turn waits 40 ms for an acknowledgement that the kernel holds back.
        let listener = listener.tap_io(|connection| connection.set_nodelay(true).expect("a live connection"));
        let router = Router::new().route("/v1/chat/completions", post(answer));
        axum::serve(listener, router).await.expect("it serves until it is killed");
    });
}

async fn answer(request: Bytes) -> Response {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let turn = ASKED.fetch_add(1, Ordering::Relaxed);
    // A stream, as from a provider: some words, then the call in pieces. Each line of the body comes as a piece of its own.
    let pieces = stream(turn, request.len());
    let body = Body::from_stream(futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::convert::Infallible>)));
    Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).expect("a response")
}

fn stream(turn: u64, request: usize) -> Vec<String> {
    let (old, new) = if turn % 4 == 1 { (LINES[0], LINES[1]) } else { (LINES[1], LINES[0]) };
    let (tool, arguments) = match turn % 2 {
        0 => ("read_file", json!({"path": FILE, "start_line": null, "end_line": null})),
        _ => ("edit_file", json!({"path": FILE, "old_text": old, "new_text": new, "replace_all": null})),
    };
    let mut deltas: Vec<Value> = "I look at the file again before I go on with what is left of this task."
        .split_inclusive(' ')
        .map(|word| json!({"content": word}))
        .collect();
    let call = |function: Value| json!({"tool_calls": [{"index": 0, "function": function}]});
    deltas.push(json!({"tool_calls": [{"index": 0, "id": format!("call-{turn}"), "type": "function", "function": {"name": tool, "arguments": ""}}]}));
    let arguments: Vec<char> = arguments.to_string().chars().collect();
    deltas.extend(arguments.chunks(8).map(|piece| call(json!({"arguments": piece.iter().collect::<String>()}))));
    let mut pieces: Vec<String> =
        deltas.iter().map(|delta| event(&json!({"index": 0, "delta": delta, "finish_reason": null}), &Value::Null)).collect();
    let usage =
        json!({"prompt_tokens": request, "completion_tokens": deltas.len(), "prompt_tokens_details": {"cached_tokens": 0}});
    let mut last = event(&json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}), &usage);
    let _ = write!(last, "data: [DONE]\n\n");
    pieces.push(last);
    pieces
}

fn event(choice: &Value, usage: &Value) -> String {
    let chunk = json!({"id": "chat-1", "object": "chat.completion.chunk", "created": 1, "model": "canned", "choices": [choice], "usage": usage});
    format!("data: {chunk}\n\n")
}
