//! What a model can do: the tools of the contract, and the seam between them and the agent loop.
//!
//! The loop knows a [`Toolbox`]: names, schemas, calls. The sets are [`WorkerTools`] and, for whoever may only look, [`ReadTools`].
//! Each tool is a file here; a path becomes a place on the disk in [`tree`], and nowhere else.
//!
//! **Invariant:** a call never fails the program. What went wrong is told to the model as an instruction: what was wrong, what to do
//! instead.
//! **Invariant:** a file outside the scope is not written by a file tool, and a file outside the worktree is not read by one.
//! **Invariant:** a file that is a secret by its name is opened by none of them; see [`secrecy`].
//!
//! Not here: what a command may do ([`crate::process`] runs it, the sandbox bounds it), who grants a scope ([`ScopeOffice`]), who
//! puts back what a command did outside it ([`ScopeGuard`]), what proves a task ([`Acceptance`]), which rules a person has
//! ([`Clearance`]).
//!
//! Why are schemas data and not derived from types? They are sent with every request; every byte of them is chosen.

mod arguments;
mod clearance;
mod command;
mod edit;
mod finish;
mod guard;
mod list;
mod nearest;
mod read;
mod replace;
mod schema;
mod scope_request;
mod search;
mod secrecy;
mod sets;
mod tree;
mod versions;
mod walk;
mod write;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::model::ToolCall;

pub use self::{
    arguments::check,
    clearance::{Clearance, Cleared, NoRules, Wanted},
    finish::{Acceptance, Verdict},
    guard::{ScopeGuard, Strayed, outside},
    schema::{Shape, object},
    scope_request::{LiveScope, ScopeAnswer, ScopeOffice},
    sets::{ReadTools, WorkerPlace, WorkerTools, worker_specs},
};

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// The name, stable.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// The JSON schema of its arguments, strict.
    pub parameters: Value,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolOutcome {
    /// The tool did its work. A command that exits with 1 is such a case: the tool ran it.
    Ok(String),
    /// It did not: what was wrong, what to do instead.
    Failed(String),
    /// A terminal tool: the conversation is over, with this value.
    Ended(Value),
}

impl From<Result<String, String>> for ToolOutcome {
    fn from(result: Result<String, String>) -> Self {
        result.map_or_else(Self::Failed, Self::Ok)
    }
}

/// The tools of one agent. Read-only calls of one turn may run concurrently.
pub trait Toolbox: Send + Sync {
    /// The tools, in a fixed order; the same for the whole attempt.
    fn specs(&self) -> Vec<ToolSpec>;
    /// Whether calls of this tool change nothing.
    fn is_read_only(&self, name: &str) -> bool;
    /// Of this call, made before the agent was interrupted, nobody has seen the result.
    fn interrupted(&self, _: &ToolCall) {}
    /// Calls one. An unknown name is an outcome too.
    fn call<'a>(&'a self, name: &'a str, arguments: &'a Value, cancel: &'a CancellationToken) -> BoxFuture<'a, ToolOutcome>;
}

/// What a model is told about a tool that it does not have.
fn unknown(name: &str, specs: &[ToolSpec]) -> ToolOutcome {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    ToolOutcome::Failed(format!("there is no tool `{name}`; the tools are: {}", names.join(", ")))
}

#[cfg(test)]
mod tests;
