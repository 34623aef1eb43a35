//! Asking before something is done: the seam to whoever has rules about it, and to the person behind them.
//!
//! **Invariant:** a tool that was not cleared does nothing. **Invariant:** a cancelled attempt waits for no answer.

use dashmap::DashSet;
use futures_util::future::BoxFuture;
use serde_json::Value;
use shared::RepoPath;
use tokio_util::sync::CancellationToken;

/// What a tool is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Run a shell command.
    Command(&'a str),
    /// Change a file.
    Write(&'a RepoPath),
}

/// What is said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleared {
    /// Go on.
    Yes,
    /// Do not: why, and what to do instead.
    No(String),
}

/// Whoever has rules about what workers do.
pub trait Clearance: Send + Sync {
    /// Asks, and waits for the answer; a person may be behind it.
    fn clear<'a>(&'a self, wanted: Wanted<'a>) -> BoxFuture<'a, Cleared>;
}

/// Nobody has rules.
pub struct NoRules;

impl Clearance for NoRules {
    fn clear<'a>(&'a self, _: Wanted<'a>) -> BoxFuture<'a, Cleared> {
        Box::pin(std::future::ready(Cleared::Yes))
    }
}

/// Files that were cleared once are cleared for the attempt.
#[derive(Default)]
pub(super) struct ClearedFiles(DashSet<RepoPath>);

impl ClearedFiles {
    /// Asks about each of the files that was not cleared yet.
    pub(super) async fn ask(
        &self,
        clearance: &dyn Clearance,
        paths: Vec<RepoPath>,
        cancel: &CancellationToken,
    ) -> Result<(), String> {
        for path in paths.into_iter().filter(|path| !self.0.contains(path)) {
            ask(clearance, Wanted::Write(&path), cancel).await?;
            self.0.insert(path);
        }
        Ok(())
    }
}

/// Asks, unless the attempt is over.
pub(super) async fn ask(clearance: &dyn Clearance, wanted: Wanted<'_>, cancel: &CancellationToken) -> Result<(), String> {
    let answer = tokio::select! {
        answer = clearance.clear(wanted) => answer,
        () = cancel.cancelled() => return Err("cancelled while the approval was waited for; nothing was done".to_owned()),
    };
    match answer {
        Cleared::Yes => Ok(()),
        Cleared::No(why) => Err(why),
    }
}

/// What a call of a file tool names. All of them say so in the same words.
pub(super) fn named(arguments: &Value) -> impl Iterator<Item = &str> {
    ["path", "from", "to"].into_iter().filter_map(|key| arguments.get(key)?.as_str())
}
