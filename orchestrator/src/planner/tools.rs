//! The planner's tools: the three that read, and one that ends the conversation with an accepted answer.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use worker::tool::{ReadTools, ToolOutcome, ToolSpec, Toolbox};

/// How often an answer may be refused before the planner gives up.
pub(super) const REFUSALS: u32 = 3;

/// An answer that was accepted, or everything that is wrong with it.
pub(super) type Judged<T> = Result<T, String>;

/// Decides whether an answer is accepted.
pub(super) type Judge<T> = Box<dyn Fn(&Value) -> Judged<T> + Send + Sync>;

/// `submit_plan`, for a first plan and for one that a person commented on.
pub(super) fn submit_plan() -> ToolSpec {
    let description = "Submit the whole plan. It is checked at once; if it is refused, mend every problem and submit again.";
    ToolSpec { name: "submit_plan", description, parameters: plans::file::submit_plan_schema() }
}

/// `edit_plan`, when tests failed or tasks could not land.
pub(super) fn edit_plan() -> ToolSpec {
    let description = "Submit all edits of the plan at once. They are checked together; if they are refused, mend every problem and submit again.";
    ToolSpec { name: "edit_plan", description, parameters: plans::edit::edit_plan_schema() }
}

/// The tools of one conversation.
pub(super) struct PlannerTools<T> {
    read: ReadTools,
    answer: ToolSpec,
    judge: Judge<T>,
    accepted: Mutex<Option<T>>,
    refusals: AtomicU32,
}

impl<T> PlannerTools<T> {
    pub(super) fn new(read: ReadTools, answer: ToolSpec, judge: Judge<T>) -> Self {
        Self { read, answer, judge, accepted: Mutex::new(None), refusals: AtomicU32::new(0) }
    }

    /// The accepted answer, if there was one.
    pub(super) fn take(&self) -> Option<T> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn hear(&self, arguments: &Value) -> ToolOutcome {
        match (self.judge)(arguments) {
            Ok(answer) => {
                *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                ToolOutcome::Ended(Value::Null)
            }
            Err(why) if self.refusals.fetch_add(1, Ordering::Relaxed) < REFUSALS => ToolOutcome::Failed(why),
            Err(why) => ToolOutcome::Ended(json!({ "refused": why })),
        }
    }
}

impl<T: Send> Toolbox for PlannerTools<T> {
    fn specs(&self) -> Vec<ToolSpec> {
        let mut specs = self.read.specs();
        specs.push(self.answer.clone());
        specs
    }

    fn is_read_only(&self, name: &str) -> bool {
        self.read.is_read_only(name)
    }

    fn call<'a>(&'a self, name: &'a str, arguments: &'a Value, cancel: &'a CancellationToken) -> BoxFuture<'a, ToolOutcome> {
        if name == self.answer.name {
            return Box::pin(std::future::ready(self.hear(arguments)));
        }
        self.read.call(name, arguments, cancel)
    }
}
