//! `apply`: the result of a run goes into the person's branch.

use plans::{event::Event, run_state::RunState};

use super::Here;
use crate::{
    apply::{self, How},
    cli::ApplyArgs,
    error::Error,
    journal::Journal,
    lease::Lease,
    recorder::RecordError,
};

/// `inspan apply`.
pub(super) async fn apply(here: &Here, args: &ApplyArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = super::find(&repository, args.run.run.as_deref())?;
    let run = folder.run.to_string();
    let _lease = match Lease::take(&folder.path).map_err(Error::disk(&folder.path))? {
        Ok(lease) => lease,
        Err(held) => return Err(Error::Busy { run, pid: held.pid }),
    };
    let state = RunState::fold(&super::entries(&folder)?).map_err(RecordError::from)?;
    if state.landed().is_empty() {
        let (what, hint) = (
            format!("nothing of run {run} has landed, so there is nothing to bring in"),
            format!("`inspan status {run}` shows how it stands"),
        );
        return Err(Error::Refused { what, hint });
    }
    let branch_ref = format!("refs/heads/inspan/{run}");
    if repository.git.commit(&branch_ref).await.as_ref() != Some(state.tip()) {
        let what = format!("inspan/{run} is not where the run left it ({}); nothing was changed", state.tip().short());
        let hint = format!("put it back: `git branch -f inspan/{run} {}`", state.tip());
        return Err(Error::Refused { what, hint });
    }
    let how = match (args.squash, args.merge) {
        (true, _) => How::Squash,
        (_, true) => How::Merge,
        _ => How::Plain,
    };
    let (base, snapshot) = (state.base(), state.is_snapshot());
    let result = apply::Result { run: &folder.run, goal: state.goal(), base, snapshot, tip: state.tip() };
    let commit = apply::apply(&repository, &result, how).await?;
    let branch = repository.branch.clone().unwrap_or_default();
    Journal::open(&folder.path, folder.run.clone())?
        .append(&Event::ResultApplied { branch: branch.clone(), commit: commit.clone() })?;
    here.screen.say(&format!("{branch} is now at {}.", commit.short()));
    let missing = state.tasks().len() - state.landed().len();
    if missing > 0 {
        here.screen.say(&format!("{missing} tasks did not land; `inspan resume {run}` tries them again."));
    }
    Ok(0)
}
