//! What a red command has shown.

use serde::{Deserialize, Serialize};
use shared::{RepoPath, TaskId};

use super::Proof;
use crate::failures::{FailingTest, Failures, Place};

/// A command that failed on a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedVerdict {
    /// Which proof it belongs to.
    pub proof: Proof,
    /// The command.
    pub command: String,
    /// How it ended: `exit 101`, `timed out after 20m`.
    pub ended: String,
    /// The end of its output.
    pub output: String,
    /// Whether it fails on the tip without this task, too. None where that was not asked.
    pub red_before: Option<bool>,
    /// What fails, by name, as far as a reader of `failures` knows the runner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<FailingTest>,
    /// Lines of the repository that errors and stack traces name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// The fewest tasks whose changes explain those places; see `evidence::suspects`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<Suspect>,
    /// Whether nothing fails but what was seen to fail and pass on one and the same tree in this run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flaky: bool,
}

/// A task that may have to do with a red, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The task.
    pub task: TaskId,
    /// Files that it changed and that the failure leads to.
    pub paths: Vec<RepoPath>,
}

impl RedVerdict {
    /// Of a command, with nothing else known.
    pub fn new(proof: Proof, command: impl Into<String>, ended: impl Into<String>, output: impl Into<String>) -> Self {
        Self {
            proof,
            command: command.into(),
            ended: ended.into(),
            output: output.into(),
            red_before: None,
            failing: Vec::new(),
            places: Vec::new(),
            suspects: Vec::new(),
            flaky: false,
        }
    }

    /// With what was read from its output and its reports.
    #[must_use]
    pub fn showing(self, failures: Failures) -> Self {
        Self { failing: failures.failing, places: failures.places, ..self }
    }

    /// The files that it leads to: those of the failing tests, and of the stack traces.
    pub fn files(&self) -> Vec<RepoPath> {
        let mut files: Vec<RepoPath> = Vec::new();
        let of_tests = self.failing.iter().filter_map(|failing| failing.path.as_ref());
        for path in of_tests.chain(self.places.iter().map(|place| &place.path)) {
            if !files.contains(path) {
                files.push(path.clone());
            }
        }
        files
    }
}
