//! What a worker hands back, and how an attempt can end.

use serde::{Deserialize, Serialize};

use crate::{Limit, RepoPath};

/// What a worker says about its attempt when it calls `finish`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was done, for people.
    pub summary: String,
    /// What the tasks that depend on this one need to know.
    pub hand_off: String,
    /// What the worker saw that should be done, but not by this task.
    pub follow_ups: Vec<String>,
    /// What a person said to it that came after it had finished, and that nobody has heard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard: Vec<String>,
}

/// How an attempt ended. Only [`Outcome::Done`] can land; the others are evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Within scope, deliverables present, own verification green: observed by the harness.
    Done {
        /// What the worker says.
        report: Report,
    },
    /// The worker says that the task cannot be done as written.
    Blocked {
        /// What the worker says.
        report: Report,
    },
    /// A limit was hit.
    Exhausted {
        /// Which.
        limit: Limit,
        /// What was last seen: the refused finish, the failing command.
        last: String,
    },
    /// The worker broke: its command failed or could not be started.
    Failed {
        /// What happened.
        why: String,
    },
    /// Files outside the scope were changed.
    ScopeViolation {
        /// Which.
        paths: Vec<RepoPath>,
    },
    /// The attempt could not go on for a reason that lies outside the task: no model endpoint, no disk. It counts against nobody.
    Unavailable {
        /// What happened, what it means, what to do.
        why: String,
    },
    /// The run's budget is used up.
    OverBudget,
    /// A person or the end of the run stopped it.
    Cancelled,
    /// The plan changed under it: a re-plan rewrote or dropped its task.
    Superseded,
    /// The process that carried the run died; the attempt goes on with the next one.
    Interrupted,
}
