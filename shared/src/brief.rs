//! What a worker is told.
//!
//! A brief is data; how it reads to a model is `worker`'s affair (`worker/src/prompt`), and a `{ command = … }` worker gets the same
//! text as a file.

use serde::{Deserialize, Serialize};

use crate::{AttemptKey, Limits, RepoPath, RunId, Scope};

/// Everything that one attempt at one task needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// The run.
    pub run: RunId,
    /// The task and the try.
    pub key: AttemptKey,
    /// The goal of the whole run, in the person's words.
    pub goal: String,
    /// The task in one line.
    pub title: String,
    /// The task, in the planner's words.
    pub instructions: String,
    /// What may be written.
    pub scope: Scope,
    /// Files that must exist afterwards.
    pub deliver: Vec<RepoPath>,
    /// Commands that prove the task, run by the harness in the worktree.
    pub verify: Vec<String>,
    /// What the report must tell the tasks that depend on this one.
    pub hand_off: Option<String>,
    /// What the tasks that this one depends on handed over, in landing order.
    pub received: Vec<HandOff>,
    /// What other files have to do with those in the scope; empty where nothing is known.
    pub around: String,
    /// What the tree lacks against what a person might expect: uncommitted work that was left out, empty submodules.
    pub notes: Vec<String>,
    /// Why earlier attempts at this task did not land, oldest first.
    pub history: Vec<String>,
    /// What the attempt may spend.
    pub limits: Limits,
}

/// What one landed task tells those that depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOff {
    /// The task that landed.
    pub from: crate::TaskId,
    /// Its title.
    pub title: String,
    /// Its report's hand-off, or its summary where it gave none.
    pub text: String,
}
