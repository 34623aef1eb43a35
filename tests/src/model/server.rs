//! The endpoint: three dialects on a port of its own, within the test's process. The path says which one is spoken.
//!
//! The turn is found by the headers that say who asks, and by the turn that they name, or by how many answers of that attempt stand in the
//! conversation: an answer that its reader lost in a crash is given again. What is asked beyond the
//! script is refused with a message that says so, and is a lasting error: it ends up in what the binary prints.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use bytes::Bytes;
use serde_json::Value;
use shared::Tokens;
use tokio::{net::TcpListener, runtime::Runtime};

use super::{
    Fault, KEY, Script, Turn,
    fault::{refuse, whole},
    reply::{Saying, Shape},
    say,
};

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

/// Faults that strike by themselves.
#[derive(Debug, Clone)]
pub enum Disorder {
    /// So many of a hundred tries meet some fault. The same seed gives each turn the same fortune, whatever else is under way.
    Rate {
        /// Where the fortune comes from.
        seed: u64,
        /// How many of a hundred.
        percent: u32,
    },
    /// The first try of each turn meets the fault of the same number.
    Each(Vec<Fault>),
}

impl Disorder {
    fn fault(&self, asked: &Asked, turn: usize, tries: u32) -> Option<Fault> {
        match self {
            Self::Each(faults) => faults.get(turn).filter(|_| tries == 0).cloned(),
            Self::Rate { seed, percent } => {
                let mut hash = DefaultHasher::new();
                (seed, &asked.task, asked.attempt, turn, tries).hash(&mut hash);
                let mut fortune = fastrand::Rng::with_seed(hash.finish());
                let strikes = fortune.u32(0..100) < *percent;
                fortune.choice(Fault::all()).filter(|_| strikes)
            }
        }
    }
}

#[derive(Default)]
struct Inner {
    script: Script,
    traps: Vec<Trap>,
    disorder: Option<Disorder>,
    /// How often each turn has been asked for.
    tries: HashMap<(Option<String>, u32, usize), u32>,
    /// All usage that has gone out.
    told: Tokens,
    /// How many turns the conversation had when an attempt first asked: one that goes on after a conflict begins with many.
    begun: HashMap<(Option<String>, u32), usize>,
    asked: Vec<Asked>,
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

    /// Faults strike by themselves until [`ModelServer::heal`].
    pub fn disturb(&self, disorder: Disorder) -> &Self {
        self.inner().disorder = Some(disorder);
        self
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) -> &Self {
        let mut inner = self.inner();
        inner.traps.clear();
        inner.disorder = None;
        drop(inner);
        self
    }

    /// All usage that it has told, also of answers that then broke off.
    pub fn told(&self) -> Tokens {
        self.inner().told
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

    /// The same, as one number.
    pub fn counted(&self) -> u64 {
        self.told().total()
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

async fn answer(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if header("authorization") != Some(format!("Bearer {KEY}")) && header("x-api-key").as_deref() != Some(KEY) {
        return refuse(401, "no such key");
    }
    let shape = Shape::of(uri.path());
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
    let (turn, fault, next) = inner.next(&asked, shape);
    drop(inner);
    let pieces = |said: &Turn| shape.pieces(&saying(said, turn, body.len(), fault.as_ref()));
    let pieces = next.as_ref().map(pieces);
    let told = move |tokens| shared.lock().unwrap_or_else(PoisonError::into_inner).told += tokens;
    match (fault, pieces) {
        (Some(fault), pieces) => {
            let something = || shape.pieces(&saying(&say("Let me"), 0, 0, None));
            fault.response(shape, &pieces.unwrap_or_else(something), told)
        }
        (None, Some(pieces)) => whole(&pieces, told),
        (None, None) => {
            let who = asked.task.unwrap_or(asked.role);
            refuse(400, &format!("off script: {who}, attempt {}, turn {turn}", asked.attempt))
        }
    }
}

fn saying<'a>(turn: &'a Turn, number: usize, prompt_bytes: usize, fault: Option<&Fault>) -> Saying<'a> {
    let id = |place: usize| match fault {
        Some(Fault::OneId) => "call_0".to_owned(),
        Some(Fault::NoIds) => String::new(),
        _ => format!("call_{number}_{place}"),
    };
    let prompt = turn.tokens.unwrap_or(prompt_bytes as u64 / 4);
    let hit = turn.cached.min(prompt);
    let usage = Tokens { hit, miss: prompt - hit, write: 0, output: 10 };
    Saying { turn, ids: (0..turn.calls.len()).map(id).collect(), usage }
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
    /// Which turn it is, counted from 0, what goes wrong, and what is answered.
    fn next(&mut self, asked: &Asked, shape: Shape) -> (usize, Option<Fault>, Option<Turn>) {
        self.asked.push(asked.clone());
        if let Some(aside) = aside(asked) {
            return (0, None, Some(aside));
        }
        let turns = shape.answers(&asked.body);
        let begun = *self.begun.entry((asked.task.clone(), asked.attempt)).or_insert(turns);
        // A conversation that was made shorter has fewer answers than turns.
        let turn = asked.turn.map_or_else(|| turns - begun, |turn| turn - 1);
        let mends = asked.task.is_none() && asked.body["tools"].to_string().contains("edit_plan");
        let mending = self.script.mending(turn).filter(|_| mends);
        let next = mending.or_else(|| self.script.turn(asked.task.as_deref(), asked.attempt, turn)).cloned();
        (turn, self.fault(asked, turn), next)
    }

    fn fault(&mut self, asked: &Asked, turn: usize) -> Option<Fault> {
        let tries = self.tries.entry((asked.task.clone(), asked.attempt, turn)).or_default();
        *tries += 1;
        let strikes = |trap: &&Trap| {
            trap.task.as_deref().is_none_or(|task| task == asked.task.as_deref().unwrap_or(PLANNER))
                && trap.attempt.is_none_or(|attempt| attempt == asked.attempt)
                && trap.turn.is_none_or(|at| at == turn)
        };
        let trapped = self.traps.iter().find(strikes).map(|trap| trap.fault.clone());
        let meant = |fault: &Fault| !matches!(fault, Fault::Refuses(word) if !asked.body.to_string().contains(word));
        trapped.filter(meant).or_else(|| self.disorder.as_ref()?.fault(asked, turn, *tries - 1))
    }
}
