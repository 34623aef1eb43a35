//! Taking up a run whose process is gone: what it left is brought in order before anything new begins.
//!
//! **Invariant:** afterwards no attempt counts as running, and everything that one left is under its ref.

use plans::{
    event::{CommitId, Event},
    task_state::TaskState,
};
use shared::{AttemptKey, Outcome};
use worker::process::end_strays;

use crate::{error::Error, recorder::Recorder, site::Site, worktree::Worktree};

/// Ends the attempts that were alive and finishes the landing that was under way, as far as the repository says that it happened.
pub async fn bring_in_order(recorder: &mut Recorder, site: &Site) -> Result<(), Error> {
    let alive: Vec<(AttemptKey, CommitId)> = recorder
        .state()
        .running()
        .map(|(record, attempt)| {
            let base = record.base.clone().unwrap_or_else(|| recorder.state().base().clone());
            (AttemptKey { task: record.id.clone(), attempt }, base)
        })
        .collect();
    for (key, base) in alive {
        let commit = save(site, &key, &base).await?;
        recorder.record(&Event::AttemptEnded { key, commit, outcome: Outcome::Cancelled })?;
    }
    finish_landing(recorder, site).await
}

async fn save(site: &Site, key: &AttemptKey, base: &CommitId) -> Result<Option<CommitId>, Error> {
    end_strays(&site.mark(&key.to_string()));
    let folder = Worktree::folder_of(&site.worktrees, site.run(), key);
    let name = site.attempt_ref(key);
    let Some(worktree) = Worktree::reopen(&site.repository.git, folder, site.owner(&key.to_string(), base)) else {
        // No directory, or one that was never finished: what was committed before, if anything, is all there is.
        return Ok(site.repository.git.commit(&name).await);
    };
    let message = format!("What attempt {} at {} left when it was interrupted\n", key.attempt, key.task);
    // The directory stays: the attempt goes on in it, with its build output.
    Ok(Some(worktree.commit(&name, &message).await?))
}

/// The branch moved, but the process died before it could say so.
async fn finish_landing(recorder: &mut Recorder, site: &Site) -> Result<(), Error> {
    let Some(record) = recorder.state().landing() else { return Ok(()) };
    let TaskState::Landing { attempt, passed: Some(passed), .. } = &record.state else { return Ok(()) };
    let (key, commit) = (AttemptKey { task: record.id.clone(), attempt: *attempt }, passed.clone());
    if site.repository.git.commit(&site.branch_ref()).await == Some(commit.clone()) {
        recorder.record(&Event::TaskLanded { key, commit })?;
    }
    Ok(())
}
