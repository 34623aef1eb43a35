//! The ownership record of a directory: whose it is, as an answer that does not hang on names.
//!
//! **Invariant:** a directory is somebody's only if its record says so: repository and run, both whole; or, where the record was torn, if
//! all else in it does. A name alone proves nothing.
//!
//! A record is written before anything else, and a process that is killed writes it whole or not at all. A machine that loses power may still
//! leave an empty one beside a day's work, which is then not to be given up for it.

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

/// What the marks of all holders of a run begin with.
pub fn marks_of(run: &RunId) -> String {
    format!("{run}/")
}

/// The mark of a holder's commands.
pub fn mark(run: &RunId, holder: &str) -> String {
    format!("{}{}", marks_of(run), holder.replace(' ', ""))
}

pub(super) fn read_owner(folder: &Path) -> Option<Owner> {
    serde_json::from_str(&std::fs::read_to_string(folder.join(RECORD)).ok()?).ok()
}

/// The record of a directory; a torn one is written anew where all else in it speaks for this owner.
pub(super) fn found_or_mended(folder: &Path, owner: &Owner) -> Option<Owner> {
    read_owner(folder).or_else(|| {
        let head = std::fs::read_to_string(folder.join("repository/HEAD")).unwrap_or_default();
        let is_mendable = is_witnessed(folder, owner) && head.trim_end() == owner.base.0;
        let text = serde_json::to_string_pretty(owner).expect("an ownership record is plain data");
        (is_mendable && std::fs::write(folder.join(RECORD), text).is_ok()).then(|| owner.clone())
    })
}

/// Whether a directory was made by the same run, or holds nothing but a record that was never finished.
pub(super) fn is_ours(folder: &Path, owner: &Owner) -> bool {
    let is_empty = || {
        std::fs::read_dir(folder)
            .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == RECORD)))
    };
    match read_owner(folder) {
        Some(found) => found.is_of_same_repository(owner) && found.run == owner.run,
        None => is_empty() || is_witnessed(folder, owner),
    }
}

/// It lies among the directories of the run, has a record, however torn, and borrows the objects of the repository.
fn is_witnessed(folder: &Path, owner: &Owner) -> bool {
    let above = folder.ancestors().skip(1).take(2);
    let is_among = above.filter_map(Path::file_name).any(|name| name.to_str() == Some(owner.run.as_str()));
    let borrowed = std::fs::read_to_string(folder.join("repository/objects/info/alternates")).unwrap_or_default();
    let is_borrowed = Path::new(borrowed.trim_end_matches('\n')) == owner.repository.join("objects");
    is_among && is_borrowed && folder.join(RECORD).exists()
}
