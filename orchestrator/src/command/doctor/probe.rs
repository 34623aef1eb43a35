//! One tiny real request to an endpoint that shows as much of it as possible: two tools with strict schemas, both to be called at once,
//! streamed. Where that is refused, what was refused is left out and it is asked again.
//!
//! **Invariant:** an endpoint is asked at most three times, and all of it is over within [`PATIENCE`].

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use worker::{
    model::{Answer, Capabilities, Delta, Label, Message, ModelError, Request, Role},
    tool::ToolSpec,
};

use super::findings::{Seen, Trial, advice};
use crate::{config::ModelChoice, models::connect};

/// How long an endpoint may take for all.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const REQUESTS: usize = 3;
/// A model that reasons has to get to its calls.
const ANSWER_TOKENS: u64 = 1_024;
const PROMPT: &str = "This is a test of the connection. Call both tools, first and second, at once in one answer, each with the words \"ready, steady, go\".";

/// What was seen, and how long it took.
pub(super) async fn probe(choice: &ModelChoice, root: &Path) -> Result<(Seen, Duration), String> {
    let started = Instant::now();
    let answered = tokio::time::timeout(PATIENCE, ask(choice, root)).await;
    let late = || {
        let seconds = PATIENCE.as_secs();
        format!("no answer within {seconds} s. Look again in a while: a local server may still be loading the model.")
    };
    answered.unwrap_or_else(|_| Err(late())).map(|seen| (seen, started.elapsed()))
}

async fn ask(choice: &ModelChoice, root: &Path) -> Result<Seen, String> {
    let (mut trial, mut refused) = (Trial::FULL, Vec::new());
    loop {
        let error = match ask_once(choice, root, trial).await? {
            Ok((answer, pieces)) => return Ok(Seen { trial, refused, answer, pieces }),
            Err(error) => error,
        };
        match trial.after(&error).filter(|_| refused.len() + 1 < REQUESTS) {
            Some((part, next)) => {
                let said = match error {
                    ModelError::BadRequest { said, .. } => said,
                    other => other.to_string(),
                };
                refused.push((part, said));
                trial = next;
            }
            None => return Err(format!("{error}. {}", advice(&error))),
        }
    }
}

/// The outer error is that there is no client.
async fn ask_once(choice: &ModelChoice, root: &Path, trial: Trial) -> Result<Result<(Answer, usize), ModelError>, String> {
    let capabilities = Capabilities {
        streaming: trial.streaming,
        strict_tools: trial.strict,
        encrypted_reasoning: trial.encrypted && choice.capabilities.encrypted_reasoning,
        parallel_calls: true,
        ..choice.capabilities.clone()
    };
    // A person waits: what passes by itself is tried once more, not for minutes.
    let choice = ModelChoice { capabilities, retries: choice.retries.min(1), ..choice.clone() };
    let model = connect(&choice, root).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}. {hint}"),
        None => error.to_string(),
    })?;
    let label = Label { run: shared::RunId::from_bits(0), role: Role::Planner, task: None, attempt: 0, turn: 1 };
    let messages = [Message::user(PROMPT)];
    let tools = if trial.tools { vec![tool("first"), tool("second")] } else { Vec::new() };
    let max_tokens = choice.max_output.min(ANSWER_TOKENS);
    let request = Request { label: &label, messages: &messages, tools: &tools, max_tokens };
    let pieces = AtomicUsize::new(0);
    let on_delta = |delta: Delta<'_>| match delta {
        Delta::Retrying { .. } => pieces.store(0, Ordering::Relaxed),
        Delta::Text(_) | Delta::Reasoning(_) | Delta::Arguments(_) => drop(pieces.fetch_add(1, Ordering::Relaxed)),
        // What else is heard on the way is no piece of the answer.
        _ => {}
    };
    let answer = model.ask(&request, &on_delta, &CancellationToken::new()).await;
    Ok(answer.map(|answer| (answer, pieces.load(Ordering::Relaxed))))
}

fn tool(name: &'static str) -> ToolSpec {
    let word = json!({ "type": "string", "description": "the word that was asked for" });
    let parameters =
        json!({ "type": "object", "properties": { "word": word }, "required": ["word"], "additionalProperties": false });
    ToolSpec { name, description: "Takes one word.", parameters }
}
