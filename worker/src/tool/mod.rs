//! The seam between the loop and the tools: what a model is offered, and what a call came to.

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A tool as a model sees it.
pub struct ToolSpec {
    /// Its name.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// What a call came to.
pub enum ToolOutcome {
    /// The result.
    Ok(String),
    /// An instruction: what was wrong, and what to do instead.
    Failed(String),
    /// A terminal tool: the conversation is over, with this value.
    Ended(Value),
}

/// The tools of one agent. Read-only calls of one turn may run concurrently.
pub trait Toolbox: Send + Sync {
    /// The tools, frozen for the attempt.
    fn specs(&self) -> Vec<ToolSpec>;
    /// Whether a call of this tool changes nothing.
    fn is_read_only(&self, name: &str) -> bool;
    /// Carries out one call.
    fn call<'a>(&'a self, name: &'a str, arguments: &'a Value, cancel: &'a CancellationToken) -> BoxFuture<'a, ToolOutcome>;
}
