//! A node of the plan.

use serde::{Deserialize, Serialize};
use shared::{Limits, Network, RepoPath, Scope, TaskId};

/// One piece of work that one worker does alone. The fields are those of a plan file's `[[task]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name: ref, directory and journal key.
    pub id: TaskId,
    /// One line for people.
    pub title: String,
    /// What to do, for the worker.
    pub instructions: String,
    /// Tasks that must have landed before this one starts.
    pub depends_on: Vec<TaskId>,
    /// What it may write.
    pub scope: Scope,
    /// Which network its commands reach.
    #[serde(default)]
    pub network: Network,
    /// Files that must exist afterwards.
    pub deliver: Vec<RepoPath>,
    /// Commands that prove it, run by the harness.
    pub verify: Vec<String>,
    /// What its report must tell the tasks that depend on it.
    pub hand_off: Option<String>,
    /// Who does it.
    pub worker: WorkerKind,
    /// The agent's model as `provider/model`, where it is not the run's own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What each attempt may spend.
    pub limits: Limits,
}

/// Who carries out a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerKind {
    /// A model with tools.
    Agent,
    /// Any program, run by the shell in the same isolation.
    Command(String),
}
