//! The endpoint: OpenAI-compatible chat completions on a port of its own, within the test's process.
//!
//! The turn is found by the headers that say who asks, and by the turn that they name, or by how many answers of that attempt stand in the
//! conversation: an answer that its reader lost in a crash is given again. What is asked beyond the
//! script is refused with a message that says so, and is a lasting error: it ends up in what the binary prints.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use super::{Fault, KEY, Script, Turn, reply, say};

/// One request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `planner` or `worker`.
    pub role: String,
    /// The task, of a worker.
    pub task: Option<String>,
    /// The attempt, or the number of the planner's conversation.
    pub attempt: u32,
    /// The run.
    pub run: String,
    /// The turn, counted from 1; 0 for a request that only warms what all begin with.
    pub turn: Option<usize>,
    /// What was sent.
    pub body: Value,
    /// The same, byte for byte.
    pub raw: Bytes,
}

impl Asked {
    /// The messages.
    pub fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The text of the last message.
    pub fn last(&self) -> &str {
        self.messages().last().and_then(|message| message["content"].as_str()).unwrap_or_default()
    }
}

/// Stands where a worker has a task. No task can have this name.
const PLANNER: &str = "THE PLANNER";

/// Where a fault strikes.
struct Trap {
    task: Option<String>,
    attempt: Option<u32>,
    turn: Option<usize>,
    fault: Fault,
}

#[derive(Default)]
struct Inner {
    script: Script,
    traps: Vec<Trap>,
    /// How many turns the conversation had when an attempt first asked: one that goes on after a conflict begins with many.
    begun: HashMap<(Option<String>, u32), usize>,
    asked: Vec<Asked>,
    /// What its answers took, in tokens.
    counted: u64,
}

type Shared = Arc<Mutex<Inner>>;

/// The endpoint. It is gone when this is dropped.
pub struct ModelServer {
    port: u16,
    inner: Shared,
    runtime: Option<Runtime>,
}

impl ModelServer {
    /// Serves the script.
    pub fn start(script: Script) -> Self {
        let inner = Arc::new(Mutex::new(Inner { script, ..Inner::default() }));
        let (port, runtime) = serve(0, inner.clone());
        Self { port, inner, runtime: Some(runtime) }
    }

    /// Its address, up to and including `/v1`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// Goes away: nobody listens any more.
    pub fn go_away(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Comes back at the same address.
    pub fn come_back(&mut self) {
        self.runtime = Some(serve(self.port, self.inner.clone()).1);
    }

    /// Every request meets this fault until [`ModelServer::heal`].
    pub fn fail(&self, fault: Fault) -> &Self {
        self.trap(Trap { task: None, attempt: None, turn: None, fault })
    }

    /// One request of a worker, turns counted from 0, meets this fault, also when it is sent again, until [`ModelServer::heal`].
    pub fn fail_at(&self, task: &str, attempt: u32, turn: usize, fault: Fault) -> &Self {
        self.trap(Trap { task: Some(task.to_owned()), attempt: Some(attempt), turn: Some(turn), fault })
    }

    /// Every request of the planner meets this fault until [`ModelServer::heal`].
    pub fn fail_planner(&self, fault: Fault) -> &Self {
        self.trap(Trap { task: Some(PLANNER.to_owned()), attempt: None, turn: None, fault })
    }

    fn trap(&self, trap: Trap) -> &Self {
        self.inner().traps.push(trap);
        self
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) -> &Self {
        self.inner().traps.clear();
        self
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner().asked.clone()
    }

    /// The requests of an attempt at a task.
    pub fn asked_by(&self, task: &str, attempt: u32) -> Vec<Asked> {
        let by = |asked: &Asked| asked.task.as_deref() == Some(task) && asked.attempt == attempt;
        self.asked().into_iter().filter(by).collect()
    }

    /// The requests of a conversation of the planner.
    pub fn asked_by_planner(&self, conversation: u32) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.role == "planner" && asked.attempt == conversation).collect()
    }

    /// What all its answers took, in tokens, as it counts.
    pub fn counted(&self) -> u64 {
        self.inner().counted
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn serve(port: u16, inner: Shared) -> (u16, Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads start");
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).expect("the port is free");
    let port = listener.local_addr().expect("it listens").port();
    let router = Router::new().fallback(answer).with_state(inner);
    runtime.spawn(async move { axum::serve(listener, router).await });
    (port, runtime)
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if header("authorization") != Some(format!("Bearer {KEY}")) {
        return refuse(StatusCode::UNAUTHORIZED, "no such key");
    }
    let asked = Asked {
        role: header("x-inspan-role").unwrap_or_default(),
        task: header("x-inspan-task"),
        attempt: header("x-inspan-attempt").and_then(|number| number.parse().ok()).unwrap_or_default(),
        run: header("x-inspan-run").unwrap_or_default(),
        turn: header("x-inspan-turn").and_then(|number| number.parse().ok()),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        raw: body.clone(),
    };
    let mut inner = shared.lock().unwrap_or_else(PoisonError::into_inner);
    inner.asked.push(asked.clone());
    if let Some(aside) = aside(&asked) {
        return stream_of(&aside, 0, body.len());
    }
    let turns = asked.messages().iter().filter(|message| message["role"] == "assistant").count();
    let begun = *inner.begun.entry((asked.task.clone(), asked.attempt)).or_insert(turns);
    // A conversation that was made shorter has fewer answers than turns.
    let turn = asked.turn.map_or_else(|| turns - begun, |turn| turn - 1);
    match inner.fault(&asked, turn) {
        Some(Fault::Refuses(word)) if asked.body.to_string().contains(word) => return Fault::Refuses(word).response(),
        None | Some(Fault::Refuses(_)) => {}
        Some(fault) => return fault.response(),
    }
    let Some(next) = inner.script.turn(asked.task.as_deref(), asked.attempt, turn).cloned() else {
        let who = asked.task.unwrap_or(asked.role);
        return refuse(StatusCode::BAD_REQUEST, &format!("off script: {who}, attempt {}, turn {turn}", asked.attempt));
    };
    inner.counted += reply::tokens(&next, body.len());
    stream_of(&next, turn, body.len())
}

fn stream_of(turn: &Turn, number: usize, prompt_bytes: usize) -> Response {
    let pieces = reply::pieces(turn, number, prompt_bytes).into_iter().map(Ok::<_, Infallible>);
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream::iter(pieces))).into_response()
}

/// What is asked beside the turns of a conversation: a summary of it, or one word to warm its beginning.
fn aside(asked: &Asked) -> Option<Turn> {
    match (asked.role.as_str(), asked.turn) {
        ("summariser", turn) => Some(say(&format!("So far I have done {} turns.", turn.unwrap_or(1) - 1))),
        (_, Some(0)) => Some(say("Ready")),
        _ => None,
    }
}

impl Inner {
    fn fault(&self, asked: &Asked, turn: usize) -> Option<Fault> {
        let strikes = |trap: &&Trap| {
            trap.task.as_deref().is_none_or(|task| task == asked.task.as_deref().unwrap_or(PLANNER))
                && trap.attempt.is_none_or(|attempt| attempt == asked.attempt)
                && trap.turn.is_none_or(|at| at == turn)
        };
        self.traps.iter().find(strikes).map(|trap| trap.fault.clone())
    }
}

impl Fault {
    fn response(self) -> Response {
        match self {
            Fault::Status(status) => {
                refuse(StatusCode::from_u16(status).expect("a status"), &format!("the test wants a {status}"))
            }
            Fault::Cut => {
                let begun = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Let me\"}}]}\n\n";
                let pieces = [Ok(begun), Err(std::io::Error::other("cut"))];
                ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream::iter(pieces))).into_response()
            }
            Fault::Stall => {
                let never = stream::pending::<Result<Bytes, Infallible>>();
                ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(never)).into_response()
            }
            Fault::Refuses(word) => refuse(StatusCode::BAD_REQUEST, &format!("{word} is not supported")),
            Fault::Garbage => "<html><body>Sign in to the airport's network</body></html>".into_response(),
        }
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let body = json!({ "error": { "message": why, "type": "invalid_request_error" } });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
