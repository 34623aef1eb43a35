//! Carrying out the calls of one answer.
//!
//! **Invariant:** every call gets exactly one result, in the order of the calls: also one that was not understood, one that came after
//! the end, and one that was cancelled. Providers refuse a conversation in which a call stays unanswered.
//!
//! Read-only calls that stand side by side run at once; whatever changes something runs alone and in its turn.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Agent;
use crate::{
    model::{Answer, FinishReason, ToolCall, repair},
    observe::Progress,
    tool::{ToolOutcome, ToolSpec},
};

/// How many read-only calls run at once.
const AT_ONCE: usize = 8;
/// How long a cancelled call may take to come to its end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// A call, read.
struct Reading<'a> {
    call: &'a ToolCall,
    /// The arguments, or what is wrong with the call.
    arguments: Result<Value, String>,
    is_read_only: bool,
}

impl Agent {
    /// One outcome for each call, in order.
    pub(super) async fn act(&self, answer: &Answer, tools: &[ToolSpec], stop: &CancellationToken) -> Vec<ToolOutcome> {
        let readings: Vec<_> = answer.turn.calls.iter().map(|call| self.read(call, answer.finish, tools)).collect();
        let mut outcomes: Vec<ToolOutcome> = Vec::with_capacity(readings.len());
        for side_by_side in readings.chunk_by(|a, b| a.is_read_only && b.is_read_only) {
            for some in side_by_side.chunks(AT_ONCE) {
                let over = outcomes.iter().any(|outcome| matches!(outcome, ToolOutcome::Ended(_)));
                let not_done = if over {
                    Some("the conversation had ended")
                } else {
                    stop.is_cancelled().then_some("the attempt was stopped")
                };
                match not_done {
                    Some(why) => outcomes.extend(some.iter().map(|_| ToolOutcome::Failed(format!("Not carried out: {why}.")))),
                    None => outcomes.extend(join_all(some.iter().map(|reading| self.carry_out(reading, stop))).await),
                }
            }
        }
        outcomes
    }

    fn read<'a>(&self, call: &'a ToolCall, finish: FinishReason, tools: &[ToolSpec]) -> Reading<'a> {
        let arguments = match tools.iter().find(|tool| tool.name == call.name) {
            Some(spec) => arguments(call, spec, finish),
            None => Err(unknown(&call.name, tools)),
        };
        let is_read_only = arguments.is_err() || self.toolbox.is_read_only(&call.name);
        Reading { call, arguments, is_read_only }
    }

    async fn carry_out(&self, reading: &Reading<'_>, stop: &CancellationToken) -> ToolOutcome {
        let arguments = match &reading.arguments {
            Ok(arguments) => arguments,
            Err(instruction) => return ToolOutcome::Failed(instruction.clone()),
        };
        let name = &reading.call.name;
        self.observer.saw(Progress::Tool { name: name.clone(), summary: summary(arguments) });
        let outcome = tokio::select! {
            biased;
            outcome = self.toolbox.call(name, arguments, stop) => outcome,
            () = after_grace(stop) => ToolOutcome::Failed("Stopped: the attempt was cancelled while this ran.".to_owned()),
        };
        self.observer.saw(Progress::ToolEnded { name: name.clone(), ok: !matches!(outcome, ToolOutcome::Failed(_)) });
        outcome
    }
}

async fn after_grace(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn unknown(name: &str, tools: &[ToolSpec]) -> String {
    let names: Vec<_> = tools.iter().map(|tool| tool.name).collect();
    format!("There is no tool `{name}`. The tools are: {}.", names.join(", "))
}

/// The arguments as an object. No text at all counts as no arguments, where the tool needs none and the answer was not cut. What could
/// be mended was mended before ([`repair`]).
fn arguments(call: &ToolCall, spec: &ToolSpec, finish: FinishReason) -> Result<Value, String> {
    let (is_cut, had_finished) = (finish == FinishReason::Length, finish.is_the_models());
    let name = &call.name;
    let why = match serde_json::from_str::<Value>(&call.arguments) {
        Ok(object @ Value::Object(_)) => return Ok(object),
        Ok(_) => "they are another kind of JSON".to_owned(),
        Err(_) if call.arguments.trim().is_empty() && had_finished => {
            let needed: Vec<String> = repair::needed(spec).map(|name| format!("`{name}`")).collect();
            if needed.is_empty() {
                return Ok(Value::Object(Map::new()));
            }
            return Err(format!(
                "Not carried out: your call of `{name}` came without arguments, and it needs {}. Call it again with them.",
                needed.join(", ")
            ));
        }
        Err(error) => error.to_string(),
    };
    Err(if is_cut {
        format!(
            "Not carried out: your answer was cut in the middle of this call of `{name}`, because it was too long. Do it in smaller pieces."
        )
    } else {
        format!(
            "Not carried out: the arguments of `{name}` are not a JSON object ({why}). Call it again with one that fits its schema."
        )
    })
}

/// What a call is about, in a few words: the argument that tells most.
fn summary(arguments: &Value) -> String {
    const LONGEST: usize = 80;
    let telling = ["command", "path", "from", "pattern", "status", "reason"].iter().find_map(|key| arguments.get(*key)?.as_str());
    let first = || arguments.as_object()?.values().find_map(Value::as_str);
    let line = telling.or_else(first).unwrap_or_default().lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
