//! What the tests say about agents: a toolbox that plays, and answers written in one line.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    model::{Answer, AssistantTurn, FinishReason, ToolCall},
    tool::{ToolOutcome, ToolSpec, Toolbox},
};

/// `read` reads, unless its path is `missing`; `edit` edits; `finish` ends, unless its status is `early`; `hang` waits for the end;
/// `deaf` does not even hear that; `gate` waits until it is opened; `panic` panics; `long` answers with as many bytes as its path
/// says, `mute` with next to none.
#[derive(Default)]
pub(crate) struct Playing {
    /// `+read a` when a call begins, `-read a` when it ends.
    pub(crate) log: Mutex<Vec<String>>,
    /// What `gate` waits for.
    pub(crate) gate: tokio::sync::Notify,
}

impl Playing {
    fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }
}

impl Playing {
    /// Waits until such a line is in the log.
    pub(crate) async fn until(&self, start: &str) {
        while !self.log.lock().unwrap().iter().any(|line| line.starts_with(start)) {
            tokio::task::yield_now().await;
        }
    }
}

impl Toolbox for Playing {
    fn specs(&self) -> Vec<ToolSpec> {
        let spec = |name| ToolSpec { name, description: "plays", parameters: json!({"type": "object"}) };
        ["read", "edit", "finish", "hang", "deaf", "gate", "panic", "long", "mute"].map(spec).into()
    }

    fn is_read_only(&self, name: &str) -> bool {
        name == "read"
    }

    fn call<'a>(&'a self, name: &'a str, arguments: &'a Value, cancel: &'a CancellationToken) -> BoxFuture<'a, ToolOutcome> {
        Box::pin(async move {
            let on = arguments["path"].as_str().unwrap_or_default();
            self.note(format!("+{name} {on}"));
            tokio::task::yield_now().await;
            let outcome = match (name, on) {
                ("read", "missing") => ToolOutcome::Failed("There is no file `missing`.".into()),
                ("finish", "early") => ToolOutcome::Failed("The proof fails.".into()),
                ("finish", _) => ToolOutcome::Ended(json!({"status": on, "summary": "s"})),
                ("deaf", _) => std::future::pending().await,
                ("gate", _) => {
                    self.gate.notified().await;
                    ToolOutcome::Ok("open".into())
                }
                ("panic", _) => panic!("out of wits"),
                ("mute", _) => ToolOutcome::Ok("ok".into()),
                ("long", size) => ToolOutcome::Ok("x".repeat(size.parse().unwrap_or_default())),
                ("hang", _) => {
                    cancel.cancelled().await;
                    ToolOutcome::Failed("stopped".into())
                }
                _ => ToolOutcome::Ok(format!("{name} {on}: fine")),
            };
            self.note(format!("-{name} {on}"));
            outcome
        })
    }
}

/// `read a + edit b` calls twice; `"text` says something; `cut read {"pa` is cut in the middle of a call;
/// `unsaid read a` ends without a reason.
pub(crate) fn answer(line: &str) -> Answer {
    let (line, finish) = match line.split_once(' ') {
        Some(("cut", line)) => (line, FinishReason::Length),
        Some(("unsaid", line)) => (line, FinishReason::Unsaid),
        _ => (line, FinishReason::Stop),
    };
    let mut turn = AssistantTurn::default();
    match line.strip_prefix('"') {
        Some(text) => turn.text = text.to_owned(),
        None => turn.calls = line.split(" + ").enumerate().map(|(place, text)| call(place + 1, text)).collect(),
    }
    Answer { turn, finish, usage: None, repairs: Vec::new(), by: None }
}

fn call(place: usize, text: &str) -> ToolCall {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let is_raw = rest.is_empty() || rest.starts_with(['{', '[', '"']);
    let arguments = if is_raw { rest.to_owned() } else { json!({"path": rest}).to_string() };
    ToolCall { id: format!("c{place}"), name: name.to_owned(), arguments }
}
