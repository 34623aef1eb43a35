//! Clearing away directories of attempts that are over.
//!
//! **Invariant:** a directory goes only if its attempt is not alive, all that it held is under the attempt's ref, and its ownership
//! record names this repository and this run. That there is a ref is not enough: an attempt may have gone on after it was made.

use std::path::{Path, PathBuf};

use plans::{
    event::CommitId,
    run_state::{Phase, RunState},
};
use shared::{Attempt, AttemptKey, RunId, TaskId};

use crate::{
    error::Error,
    git::Git,
    kept::attempt_ref,
    worktree::{Owner, Worktree},
};

/// What was found, and whether it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing in it is needed any more.
    Needless(PathBuf),
    /// It holds something that is nowhere else.
    Needed(PathBuf),
}

/// The directories of one run.
pub struct Sweep<'a> {
    /// The repository.
    pub git: &'a Git,
    /// Where worktrees are made.
    pub worktrees: &'a Path,
    /// The run.
    pub run: &'a RunId,
    /// How it stands.
    pub state: &'a RunState,
}

impl Sweep<'_> {
    /// Looks at every directory of the run.
    pub async fn look(&self) -> Vec<Found> {
        let alive: Vec<_> =
            self.state.running().map(|(record, attempt)| AttemptKey { task: record.id.clone(), attempt }).collect();
        let over = matches!(self.state.phase(), Phase::Over(_) | Phase::Rejected);
        let mut found = Vec::new();
        for holder in subfolders(&self.place()) {
            let name = name_of(&holder);
            if name.starts_with('_') {
                found.extend(over.then_some(Found::Needless(holder)));
                continue;
            }
            for folder in subfolders(&holder) {
                if folder.extension().is_some_and(|ending| ending == "new" || ending == "gone") {
                    // Nobody has worked in it yet, or it was being removed.
                    found.push(Found::Needless(folder));
                    continue;
                }
                let key = TaskId::new(&name).ok().zip(name_of(&folder).parse().ok());
                let Some(key) = key.map(|(task, number)| AttemptKey { task, attempt: Attempt(number) }) else { continue };
                let kept = attempt_ref(self.run, &key);
                let safe = !alive.contains(&key) && !Worktree::is_unsaved(&folder) && self.git.commit(&kept).await.is_some();
                found.push(if safe { Found::Needless(folder) } else { Found::Needed(folder) });
            }
        }
        found
    }

    /// Removes all that is needless. What cannot be removed now, `inspan clean` removes later.
    pub async fn carry_out(&self) {
        for found in self.look().await {
            if let Found::Needless(folder) = found
                && let Err(error) = remove(self.git, self.run, &folder)
            {
                tracing::warn!(%error, "a directory could not be removed; `inspan clean` tries again");
            }
        }
        remove_empty(&self.place());
    }

    fn place(&self) -> PathBuf {
        self.worktrees.join(self.run.as_str())
    }
}

/// Removes one directory of a run that is needless.
pub fn remove(git: &Git, run: &RunId, folder: &Path) -> Result<(), Error> {
    let (repository, base) = (git.dir().to_owned(), CommitId(String::new()));
    Worktree::remove_if_ours(folder, &Owner { repository, run: run.clone(), holder: String::new(), base })
}

/// Removes those of a run's folders of worktrees in which nothing is left.
pub fn remove_empty(place: &Path) {
    for folder in subfolders(place).into_iter().chain([place.to_owned()]) {
        // Only what is empty goes: somebody's work may be in the rest.
        let _ = std::fs::remove_dir(folder);
    }
}

/// The folders in a folder, in the order of their names.
pub fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

fn name_of(folder: &Path) -> String {
    folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}
