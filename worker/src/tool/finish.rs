//! `finish`: the worker says that it is done, and the harness looks.
//!
//! **Invariant:** `done` ends the conversation only if [`Acceptance`] agrees. What it refuses goes back to the model as work to do.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{Shape, ToolOutcome, ToolSpec, check, object};

/// What the harness found when a worker said that it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// In scope, everything delivered, own verification green.
    Accepted,
    /// What is missing, for the model.
    Refused(String),
    /// Nothing: the machine kept the harness from looking, and why.
    Unknown(String),
}

/// Whoever looks at the worktree and runs the task's verification.
pub trait Acceptance: Send + Sync {
    /// Looks now.
    fn accept<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Verdict>;
}

#[derive(Deserialize, Serialize)]
struct Arguments {
    status: String,
    summary: String,
    hand_off: String,
    follow_ups: Vec<String>,
}

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "finish",
        description: "End the task: `done` (its verification is run first) or `blocked` (`summary` says why). `hand_off`: what later tasks \
                      must know. `follow_ups`: work seen outside the task.",
        parameters: object(&[
            ("status", Shape::OneOf(&["done", "blocked"])),
            ("summary", Shape::Text),
            ("hand_off", Shape::Text),
            ("follow_ups", Shape::Texts),
        ]),
    }
}

pub(super) async fn run(acceptance: &dyn Acceptance, spec: &ToolSpec, given: &Value, cancel: &CancellationToken) -> ToolOutcome {
    let arguments: Arguments = match check(spec, &with_nothing_for_nothing(given)) {
        Ok(arguments) => arguments,
        Err(why) => return ToolOutcome::Failed(why),
    };
    if arguments.status == "blocked" && arguments.summary.trim().is_empty() {
        return ToolOutcome::Failed("finish: `summary` is empty; say why the task cannot be done as it is written".to_owned());
    }
    if arguments.status == "done"
        && let Verdict::Refused(why) | Verdict::Unknown(why) = acceptance.accept(cancel).await
    {
        return ToolOutcome::Failed(format!("not done yet: {why}"));
    }
    ToolOutcome::Ended(json!(arguments))
}

/// To hand over nothing, or to have seen nothing, may be said by leaving it out.
fn with_nothing_for_nothing(given: &Value) -> Value {
    let Value::Object(given) = given else { return given.clone() };
    let mut filled: Map<String, Value> = given.clone();
    for (name, nothing) in [("summary", json!("")), ("hand_off", json!("")), ("follow_ups", json!([]))] {
        if filled.get(name).is_none_or(Value::is_null) {
            filled.insert(name.to_owned(), nothing);
        }
    }
    Value::Object(filled)
}
