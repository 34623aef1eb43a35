//! What is known about a repository before any model is asked. The orchestrator reads it off the disk; the planner and the linter
//! use it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::RepoPath;

/// The facts about one commit of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Every tracked file, sorted by path.
    pub files: Vec<SurveyedFile>,
    /// Manifests: `Cargo.toml`, `package.json`, `pyproject.toml`, `go.mod`, `Makefile` and the like.
    pub manifests: Vec<RepoPath>,
    /// Import edges between files of the repository: `(from, to)` means that `from` uses `to`. Sorted, without repetition.
    pub imports: Vec<(RepoPath, RepoPath)>,
    /// Commands that probably verify the whole repository, the most likely first.
    pub verification: Vec<String>,
    /// Instructions for agents (`AGENTS.md`, `CLAUDE.md`), text by path; a very long one is cut and says so.
    pub guidance: BTreeMap<RepoPath, String>,
    /// Submodule paths: empty folders in every worktree.
    pub submodules: Vec<RepoPath>,
}

/// One tracked file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyedFile {
    /// Where.
    pub path: RepoPath,
    /// Bytes.
    pub size: u64,
    /// The language by its ending, in lower case (`rust`, `python`, `typescript`, `javascript`, `go`, `markdown`, …).
    pub language: Option<String>,
    /// Whether it holds tests, by its path or by its content.
    pub is_test: bool,
}
