//! The states of a task and the one table that leads from each to the next.
//!
//! **Invariant:** a landed task stays landed. **Invariant:** at most one attempt at a task is alive.
//!
//! Whether a failure is worth another try, and what follows for the run, is `run_state`'s affair.

use serde::{Deserialize, Serialize};
use shared::Attempt;

use crate::event::{CommitId, TaskEnd};

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// Not started, or to be tried again.
    Waiting,
    /// A worker is at it.
    Running {
        /// Which attempt.
        attempt: Attempt,
        /// The plan has changed under it: it is to be stopped.
        unwanted: bool,
    },
    /// Done in its own worktree; waits for the coordinator.
    Finished {
        /// Which attempt.
        attempt: Attempt,
        /// What it made.
        commit: CommitId,
    },
    /// The coordinator is at it.
    Landing {
        /// Which attempt.
        attempt: Attempt,
        /// What it made.
        commit: CommitId,
        /// The commit that passed the gate and is about to become the tip.
        passed: Option<CommitId>,
    },
    /// Tries are used up or useless; the planner has to decide.
    InTrouble {
        /// What it ends as if nobody finds a way.
        end: TaskEnd,
    },
    /// On the run branch.
    Landed {
        /// The commit there.
        commit: CommitId,
    },
    /// It will not land.
    Ended {
        /// How.
        end: TaskEnd,
    },
}

/// What moves a task from one state to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A worker starts.
    Start(Attempt),
    /// The attempt ended as done.
    Finish(Attempt, CommitId),
    /// What an earlier attempt finished is taken as it is.
    Reuse(Attempt, CommitId),
    /// The attempt ended otherwise, and the task is to be tried again.
    TryAgain(Attempt),
    /// The attempt ended otherwise, and trying again is no use.
    GiveUp(Attempt, TaskEnd),
    /// The coordinator takes it up.
    Land(Attempt),
    /// The merged tree passed.
    Pass(Attempt, CommitId),
    /// The run branch moved.
    Landed(Attempt, CommitId),
    /// The coordinator lost its process before the run branch moved.
    PutBack,
    /// A revised plan, or a new process after the end, has it begin anew.
    Renew,
    /// It will not land.
    End(TaskEnd),
}

/// A step that the table does not know from that state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a task that is {state} cannot {step}")]
pub struct IllegalStep {
    state: &'static str,
    step: String,
}

impl TaskState {
    /// The table.
    pub fn next(self, step: Step) -> Result<TaskState, IllegalStep> {
        use Step as S;
        use TaskState as T;
        let state = self.name();
        Ok(match (self, step) {
            (T::Waiting, S::Start(attempt)) => T::Running { attempt, unwanted: false },
            (T::Running { attempt, unwanted: false }, S::Finish(ended, commit)) if attempt == ended => {
                T::Finished { attempt, commit }
            }
            (T::Running { attempt, unwanted: true }, S::Finish(ended, _)) if attempt == ended => T::Waiting,
            (T::Running { attempt, .. }, S::TryAgain(ended)) if attempt == ended => T::Waiting,
            (T::Running { attempt, unwanted: true }, S::GiveUp(ended, _)) if attempt == ended => T::Waiting,
            (T::Running { attempt, .. }, S::GiveUp(ended, end)) if attempt == ended => T::InTrouble { end },
            (T::Finished { attempt, commit }, S::Land(taken)) if attempt == taken => T::Landing { attempt, commit, passed: None },
            (T::Landing { attempt, .. }, S::TryAgain(ended)) if attempt == ended => T::Waiting,
            (T::Landing { attempt, .. }, S::GiveUp(ended, end)) if attempt == ended => T::InTrouble { end },
            (T::Landing { attempt, commit, .. }, S::Pass(at, passed)) if attempt == at => {
                T::Landing { attempt, commit, passed: Some(passed) }
            }
            (T::Landing { attempt, passed: Some(passed), .. }, S::Landed(at, commit)) if attempt == at && passed == commit => {
                T::Landed { commit }
            }
            (T::Waiting, S::Reuse(attempt, commit)) | (T::Landing { attempt, commit, .. }, S::PutBack) => {
                T::Finished { attempt, commit }
            }
            (T::Running { attempt, .. }, S::Renew) => T::Running { attempt, unwanted: true },
            (T::Waiting | T::Finished { .. } | T::InTrouble { .. } | T::Ended { .. }, S::Renew) => T::Waiting,
            (T::Waiting | T::Finished { .. } | T::InTrouble { .. }, S::End(end)) => T::Ended { end },
            (_, step) => return Err(IllegalStep { state, step: format!("{step:?}") }),
        })
    }

    /// The state in one word, for people and for errors.
    pub fn name(&self) -> &'static str {
        match self {
            TaskState::Waiting => "waiting",
            TaskState::Running { unwanted: false, .. } => "running",
            TaskState::Running { unwanted: true, .. } => "stopping",
            TaskState::Finished { .. } => "finished",
            TaskState::Landing { .. } => "landing",
            TaskState::InTrouble { .. } => "in trouble",
            TaskState::Landed { .. } => "landed",
            TaskState::Ended { end } => match end {
                TaskEnd::Failed => "failed",
                TaskEnd::Exhausted => "exhausted",
                TaskEnd::ScopeViolation => "scope_violation",
                TaskEnd::Conflict => "conflict",
                TaskEnd::Dropped => "dropped",
                TaskEnd::Cancelled => "cancelled",
            },
        }
    }

    /// Whether it has landed or is landing: what it says can no longer be changed.
    pub fn is_settled(&self) -> bool {
        matches!(self, TaskState::Landed { .. } | TaskState::Landing { .. })
    }

    /// Whether nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        matches!(self, TaskState::Landed { .. } | TaskState::Ended { .. })
    }
}
