//! The ownership record of a directory: whose it is, as an answer that does not hang on names.
//!
//! **Invariant:** a directory is somebody's only if its record says so: repository and run, both whole.

use std::path::{Path, PathBuf};

use plans::event::CommitId;
use serde::{Deserialize, Serialize};
use shared::RunId;

pub(super) const RECORD: &str = "owner.json";

/// Whose directory this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The common git directory of the repository.
    pub repository: PathBuf,
    /// The run.
    pub run: RunId,
    /// What it is for: a task's attempt, or the gate.
    pub holder: String,
    /// The commit that its tree started from.
    pub base: CommitId,
}

impl Owner {
    /// The mark in the environment of commands, by which strays are found.
    pub fn mark(&self) -> String {
        mark(&self.run, &self.holder)
    }

    /// Whether two records name the same repository: also where it was moved to another folder since. One that was copied is another.
    fn is_of_same_repository(&self, now: &Self) -> bool {
        self.repository == now.repository || !self.repository.exists()
    }

    pub(super) fn is_same(&self, now: &Self) -> bool {
        self.is_of_same_repository(now) && self.run == now.run && self.holder == now.holder && self.base == now.base
    }
}

/// The mark of a holder's commands.
pub fn mark(run: &RunId, holder: &str) -> String {
    format!("{run}/{}", holder.replace(' ', ""))
}

pub(super) fn read_owner(folder: &Path) -> Option<Owner> {
    serde_json::from_str(&std::fs::read_to_string(folder.join(RECORD)).ok()?).ok()
}

/// Whether a directory was made by the same run, or holds nothing but a record that was never finished.
pub(super) fn is_ours(folder: &Path, owner: &Owner) -> bool {
    match read_owner(folder) {
        Some(found) => found.is_of_same_repository(owner) && found.run == owner.run,
        None => std::fs::read_dir(folder)
            .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == RECORD))),
    }
}
