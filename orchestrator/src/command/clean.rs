//! `clean`: directories that nobody needs any more, and, where a run is named, all of a run whose result is in a branch.
//!
//! **Invariant:** only what is safe elsewhere is removed: a worktree whose attempt has ended and was committed under its ref; a run
//! whose tip is in a branch of the person's, or that they give up in so many words.

use std::path::Path;

use plans::run_state::{Phase, RunState};
use shared::{Attempt, AttemptKey, TaskId};

use super::Here;
use crate::{
    cli::CleanArgs,
    config::Overrides,
    error::Error,
    lease::Lease,
    recorder::RecordError,
    repository::Repository,
    store::{RunFolder, Store},
    worktree::{Owner, Worktree},
};

/// `inspan clean`.
pub(super) async fn clean(here: &Here, args: &CleanArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let config = here.config(&repository, Overrides::default())?;
    let worktrees = config.worktrees.clone().map(|folder| folder.join("worktrees"));
    let folders = match &args.run.run {
        Some(name) => vec![super::find(&repository, Some(name))?],
        None => Store::new(&repository.state_dir()).list().into_iter().map(|(folder, _)| folder).collect(),
    };
    let sweep = Sweep { here, repository: &repository, dry: args.dry_run };
    for folder in &folders {
        let Ok(Ok(_lease)) = Lease::take(&folder.path) else {
            here.screen.say(&format!("Run {} is being worked on; it is left alone.", folder.run));
            continue;
        };
        let state = RunState::fold(&super::entries(folder)?).map_err(RecordError::from)?;
        if let Some(worktrees) = &worktrees {
            sweep.worktrees(worktrees, folder, &state).await?;
        }
        if args.run.run.is_some() {
            sweep.run(folder, &state, args.give_up).await?;
        }
    }
    Ok(0)
}

struct Sweep<'a> {
    here: &'a Here,
    repository: &'a Repository,
    dry: bool,
}

impl Sweep<'_> {
    async fn worktrees(&self, worktrees: &Path, folder: &RunFolder, state: &RunState) -> Result<(), Error> {
        let place = worktrees.join(folder.run.as_str());
        let alive: Vec<_> = state.running().map(|(record, attempt)| AttemptKey { task: record.id.clone(), attempt }).collect();
        for holder in subfolders(&place) {
            let name = holder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if name.starts_with('_') {
                if matches!(state.phase(), Phase::Over(_) | Phase::Rejected) {
                    self.remove(&holder, folder)?;
                }
                continue;
            }
            for attempt in subfolders(&holder) {
                let number = attempt.file_name().and_then(|name| name.to_str()?.parse().ok()).map(Attempt);
                let Some(key) = TaskId::new(&name).ok().zip(number).map(|(task, attempt)| AttemptKey { task, attempt }) else {
                    continue;
                };
                let kept = format!("refs/inspan/{}/{}/{}", folder.run, key.task, key.attempt);
                let safe = !alive.contains(&key) && self.repository.git.commit(&kept).await.is_some();
                if safe {
                    self.remove(&attempt, folder)?;
                } else {
                    self.here.screen.say(&format!(
                        "Kept {}: its work is not committed; `inspan resume {}` saves it.",
                        attempt.display(),
                        folder.run
                    ));
                }
            }
        }
        if !self.dry {
            // Only what is empty goes.
            subfolders(&place).iter().chain([&place]).for_each(|folder| drop(std::fs::remove_dir(folder)));
        }
        Ok(())
    }

    fn remove(&self, path: &Path, folder: &RunFolder) -> Result<(), Error> {
        self.here.screen.say(&format!("{} {}", self.verb(), path.display()));
        if self.dry {
            return Ok(());
        }
        let base = plans::event::CommitId(String::new());
        let owner =
            Owner { repository: self.repository.git.dir().to_owned(), run: folder.run.clone(), holder: String::new(), base };
        Worktree::remove_if_ours(path, &owner)
    }

    async fn run(&self, folder: &RunFolder, state: &RunState, give_up: bool) -> Result<(), Error> {
        let git = &self.repository.git;
        let run = &folder.run;
        let branches =
            git.text(["for-each-ref", "--format=%(refname:short)", "--contains", &state.tip().0, "refs/heads"]).await?;
        let own = format!("inspan/{run}");
        let elsewhere = branches.lines().any(|branch| branch != own);
        if !(elsewhere || give_up || state.landed().is_empty() && matches!(state.phase(), Phase::Rejected)) {
            let what = format!("the result of run {run} is in no branch of yours; it is kept");
            return Err(Error::Refused {
                what,
                hint: format!("`inspan apply {run}` brings it in; `inspan clean {run} --give-up` removes it for good"),
            });
        }
        let mut refs: Vec<String> = git.refs(&format!("refs/inspan/{run}/")).await?.into_iter().map(|(name, _)| name).collect();
        refs.push(format!("refs/heads/{own}"));
        self.here.screen.say(&format!("{} run {run}: {} refs, its journal and its transcripts", self.verb(), refs.len()));
        if self.dry {
            return Ok(());
        }
        for name in refs {
            git.delete_ref(&name).await?;
        }
        std::fs::remove_dir_all(&folder.path).map_err(Error::disk(&folder.path))
    }

    fn verb(&self) -> &'static str {
        if self.dry { "Would remove" } else { "Removed" }
    }
}

fn subfolders(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}
