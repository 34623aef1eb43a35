//! What is removed, and how, so that a crash in the middle leaves nothing that looks whole.
//!
//! **Invariant:** the run branch goes only if all that it names is the run's, and nobody has it checked out.

use std::path::{Path, PathBuf};

use plans::event::CommitId;
use shared::RunId;

use super::read;
use crate::{
    error::Error,
    git::Git,
    kept::refs_of,
    store::RunFolder,
    sweep::{remove, remove_empty, subfolders},
};

/// The ending of a run's folder that is being removed.
pub(super) const GOING: &str = "going";

/// Something that goes.
#[derive(Debug)]
pub(super) enum Removal {
    /// A directory of an attempt, or of the gate.
    Directory {
        /// Whose.
        run: RunId,
        /// Which.
        path: PathBuf,
    },
    /// Refs of attempts.
    Refs(Vec<String>),
    /// All of a run.
    Run {
        /// Which.
        folder: RunFolder,
        /// Whether the person has to say so: they have not named it.
        needs_consent: bool,
    },
}

impl Removal {
    pub(super) fn needs_consent(&self) -> bool {
        match self {
            Self::Directory { .. } => false,
            Self::Refs(_) => true,
            Self::Run { needs_consent, .. } => *needs_consent,
        }
    }

    /// Removes it; what had to be kept all the same is told.
    pub(super) async fn carry_out(&self, git: &Git, worktrees: Option<&Path>) -> Result<Option<String>, Error> {
        match self {
            Self::Directory { run, path } => {
                if path.exists() {
                    remove(git, run, path)?;
                }
                if let Some(worktrees) = worktrees {
                    remove_empty(&worktrees.join(run.as_str()));
                }
                Ok(None)
            }
            Self::Refs(names) => {
                for name in names {
                    git.delete_ref(name).await?;
                }
                Ok(None)
            }
            Self::Run { folder, .. } => remove_run(git, folder, worktrees).await,
        }
    }
}

/// The folder is renamed first: from then on there is no such run, and whatever is left of it is finished by the next clean.
async fn remove_run(git: &Git, folder: &RunFolder, worktrees: Option<&Path>) -> Result<Option<String>, Error> {
    let run = &folder.run;
    let going = folder.path.with_extension(GOING);
    if folder.path.exists() && folder.path != going {
        std::fs::rename(&folder.path, &going).map_err(Error::disk(&folder.path))?;
    }
    let place = worktrees.map(|worktrees| worktrees.join(run.as_str()));
    if let Some(place) = &place {
        for holder in subfolders(place) {
            let is_one = holder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_'));
            let own = if is_one { vec![holder.clone()] } else { subfolders(&holder) };
            own.iter().try_for_each(|path| remove(git, run, path))?;
        }
        remove_empty(place);
    }
    let tip = read(&RunFolder { run: run.clone(), path: going.clone() }).ok().map(|(_, state)| state.tip().clone());
    let kept = remove_branch(git, run, tip.as_ref()).await?;
    for (name, _) in git.refs(&refs_of(run)).await? {
        git.delete_ref(&name).await?;
    }
    if going.exists() {
        std::fs::remove_dir_all(&going).map_err(Error::disk(&going))?;
    }
    Ok(kept)
}

async fn remove_branch(git: &Git, run: &RunId, tip: Option<&CommitId>) -> Result<Option<String>, Error> {
    let name = format!("refs/heads/inspan/{run}");
    let Some(there) = git.commit(&name).await else { return Ok(None) };
    let place = git.text(["for-each-ref", "--format=%(worktreepath)", &name]).await?;
    let is_ours = match tip {
        Some(tip) => there == *tip || git.is_ancestor(&there, &tip.0).await.unwrap_or(false),
        None => false,
    };
    if place.is_empty() && is_ours {
        git.delete_ref(&name).await?;
        return Ok(None);
    }
    let why = if place.is_empty() { "it may hold commits of yours".to_owned() } else { format!("it is checked out in {place}") };
    Ok(Some(format!("Kept the branch inspan/{run}: {why}; `git branch -D inspan/{run}` removes it.")))
}
