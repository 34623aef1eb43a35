//! `clean`: directories that nobody needs any more, and, where a run is named, all of a run whose result is in a branch.
//!
//! **Invariant:** only what is safe elsewhere is removed: a worktree whose attempt has ended and was committed under its ref; a run
//! whose tip is in a branch of the person's, or that they give up in so many words.

use std::path::Path;

use plans::run_state::{Phase, RunState};

use super::Here;
use crate::{
    cli::CleanArgs,
    config::Overrides,
    error::Error,
    lease::{Lease, Work},
    recorder::RecordError,
    repository::Repository,
    store::{RunFolder, Store},
    sweep::{Found, Sweep},
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
    let cleaner = Cleaner { here, repository: &repository, dry: args.dry_run };
    for folder in &folders {
        let Ok(Ok(_lease)) = Lease::take(&folder.path, Work::Clean) else {
            here.screen.say(&format!("Run {} is being worked on; it is left alone.", folder.run));
            continue;
        };
        let state = RunState::fold(&super::entries(folder)?).map_err(RecordError::from)?;
        if let Some(worktrees) = &worktrees {
            cleaner.worktrees(worktrees, folder, &state).await?;
        }
        if args.run.run.is_some() {
            cleaner.run(folder, &state, args.give_up).await?;
        }
    }
    Ok(0)
}

struct Cleaner<'a> {
    here: &'a Here,
    repository: &'a Repository,
    dry: bool,
}

impl Cleaner<'_> {
    async fn worktrees(&self, worktrees: &Path, folder: &RunFolder, state: &RunState) -> Result<(), Error> {
        let sweep = Sweep { git: &self.repository.git, worktrees, run: &folder.run, state };
        for found in sweep.look().await {
            match found {
                Found::Needless(path) => {
                    self.here.screen.say(&format!("{} {}", self.verb(), path.display()));
                    if !self.dry {
                        sweep.remove(&path)?;
                    }
                }
                Found::Needed(path) => {
                    let text =
                        format!("Kept {}: its work is not committed; `inspan resume {}` saves it.", path.display(), folder.run);
                    self.here.screen.say(&text);
                }
            }
        }
        if !self.dry {
            sweep.remove_empty();
        }
        Ok(())
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
