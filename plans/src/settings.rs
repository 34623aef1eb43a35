//! How a run is to behave, as it stands in its journal.
//!
//! **Invariant:** a journal that is older than a setting reads as if the setting had its usual value.

use serde::{Deserialize, Serialize};
use shared::Limits;

/// How a run is to behave. Part of the journal, so that a fold needs nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own, and the journal has them by name")]
pub struct Settings {
    /// Attempts that may run at once.
    pub workers: u32,
    /// Tries at a task before its failure is evidence.
    pub attempts: u32,
    /// Tries at a task after textual conflicts before its conflict is evidence.
    pub conflict_attempts: u32,
    /// Re-plans of the whole run.
    pub replans: u32,
    /// Whether the run has a planner. Without one nothing is re-planned, and failed attempts are tried again as they are.
    pub planner: bool,
    /// Limits of an attempt where its task names none.
    pub task_limits: Limits,
    /// What the whole run may spend.
    pub run_limits: Limits,
    /// Whether the run goes without a gate.
    pub no_gate: bool,
    /// What bounds the commands of workers, by its name; empty in journals that are older than any sandbox.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sandbox: String,
    /// How many finished tasks are proved together at most.
    #[serde(default = "usual_batch")]
    pub batch: u32,
    /// Whether the next batch is proved on top of one whose proof takes long.
    #[serde(default = "usual_speculation")]
    pub speculate: bool,
    /// How many bytes of disk its worktrees and its folder may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_disk: Option<u64>,
    /// So many bytes of every disk that it writes to have to be free before anything new begins.
    #[serde(default = "usual_room")]
    pub min_free: u64,
    /// Whether a stronger model is configured for tasks that have failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalation: bool,
}

fn usual_batch() -> u32 {
    32
}

fn usual_speculation() -> bool {
    true
}

/// Twice what the sandbox leaves to the harness when a command fills the disk.
fn usual_room() -> u64 {
    512 << 20
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 4,
            attempts: 2,
            conflict_attempts: 3,
            replans: 3,
            planner: true,
            task_limits: Limits { turns: Some(80), minutes: Some(30), ..Limits::default() },
            run_limits: Limits::default(),
            no_gate: false,
            sandbox: String::new(),
            batch: usual_batch(),
            speculate: usual_speculation(),
            max_disk: None,
            min_free: usual_room(),
            escalation: false,
        }
    }
}

impl Settings {
    /// How many re-plans there can be.
    pub fn possible_replans(&self) -> u32 {
        if self.planner { self.replans } else { 0 }
    }
}
