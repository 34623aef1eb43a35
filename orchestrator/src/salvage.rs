//! Keeping what attempts leave, however they end: after their worker, or because the whole process was gone.
//!
//! **Invariant:** what an attempt left is under its ref, or it stays in its directory, marked as unsaved, and the run is told.
//! **Invariant:** before anything of a process that is gone is touched, whatever still runs in the run's name is ended.
//! **Invariant:** one attempt that cannot be saved keeps no other from being saved, and no run from being resumed.

mod reconcile;

use std::path::Path;

use plans::{
    WorkerKind,
    event::{CommitId, Event},
    run_state::{Continuation, RunState, TaskRecord},
    task_state::TaskState,
};
use shared::{Attempt, AttemptKey, Outcome, RunId, Scope};
use worker::process::end_strays_of_all;

use crate::{
    error::Error,
    leak,
    recorder::Recorder,
    site::Site,
    worktree::{Worktree, marks_of},
};

/// Ends whatever still runs in the name of a run that no other process carries: commands of its workers, its gate, its planner, and of an
/// `apply` that was killed. Whoever calls this has the run's lease.
pub async fn end_strays(run: &RunId) {
    let marks = marks_of(run);
    // A failed look for strays costs nothing but the strays.
    let _ = tokio::task::spawn_blocking(move || end_strays_of_all(&marks)).await;
}

/// Ends the attempts that were alive and finishes the landings that were under way, as far as the repository says that it happened.
pub async fn bring_in_order(recorder: &mut Recorder, site: &Site) -> Result<(), Error> {
    end_strays(site.run()).await;
    let state = recorder.state();
    let alive: Vec<(AttemptKey, CommitId)> = state
        .running()
        .map(|(record, attempt)| {
            let base = record.base.clone().unwrap_or_else(|| state.base().clone());
            (AttemptKey { task: record.id.clone(), attempt }, base)
        })
        .collect();
    for (key, base) in alive {
        let (commit, outcome) = take_in(site, &key, &base).await;
        recorder.record(&Event::AttemptEnded { key, commit, outcome })?;
    }
    save_the_rest(site, recorder.state()).await;
    finish_landing(recorder, site).await?;
    reconcile::restore(recorder, site).await
}

/// Attempts that could not be saved and that nobody goes on with are tried once more. What cannot be saved now either stays where it is.
async fn save_the_rest(site: &Site, state: &RunState) {
    for record in state.tasks().iter().chain(state.gone()) {
        let task = state.plan().and_then(|plan| plan.get(&record.id));
        let goes_on = record.state == TaskState::Waiting && task.is_some_and(|task| task.worker == WorkerKind::Agent);
        for (attempt, trail) in &record.trail {
            let key = AttemptKey { task: record.id.clone(), attempt: *attempt };
            let unsaved = Worktree::is_unsaved(&Worktree::folder_of(&site.worktrees, site.run(), &key));
            if unsaved && !(goes_on && attempt.0 == record.attempts) {
                take_in(site, &key, &trail.base).await;
            }
        }
    }
}

/// Saves the attempt of a process that is gone. The directory stays: the attempt goes on in it, with its build output.
async fn take_in(site: &Site, key: &AttemptKey, base: &CommitId) -> (Option<CommitId>, Outcome) {
    let folder = Worktree::folder_of(&site.worktrees, site.run(), key);
    match Worktree::reopen(&site.repository.git, folder.clone(), site.owner(&key.to_string(), base)).await {
        Ok(Some(worktree)) => keep(site, &worktree, key, Outcome::Interrupted, &Scope::default()).await,
        // No directory, or one that was never finished: what was committed before, if anything, is all there is.
        Ok(None) => (site.repository.git.commit(&site.attempt_ref(key)).await, Outcome::Interrupted),
        Err(error) => (None, unsaved(key, &error, &folder)),
    }
}

/// Ends what an attempt still has running, commits what it left, and looks once more whether that is within scope and free of secrets.
/// Where it cannot be committed its files stay, and the attempt counts as one that could not go on.
pub async fn keep(
    site: &Site,
    worktree: &Worktree,
    key: &AttemptKey,
    outcome: Outcome,
    scope: &Scope,
) -> (Option<CommitId>, Outcome) {
    site.end_strays(&key.to_string()).await;
    match commit(site, worktree, key, &outcome, scope).await {
        Ok((commit, Some(violation))) => (Some(commit), violation),
        Ok((commit, None)) => (Some(commit), outcome),
        Err(error) => (None, unsaved(key, &error, worktree.folder())),
    }
}

async fn commit(
    site: &Site,
    worktree: &Worktree,
    key: &AttemptKey,
    outcome: &Outcome,
    scope: &Scope,
) -> Result<(CommitId, Option<Outcome>), Error> {
    let AttemptKey { task, attempt } = key;
    let trailers = format!("Inspan-Run: {}\nInspan-Task: {task}\nInspan-Attempt: {attempt}\n", site.run());
    let message = format!("What attempt {attempt} at {task} left\n\n{trailers}");
    let commit = worktree.commit(&site.attempt_ref(key), &message).await?;
    if !matches!(outcome, Outcome::Done { .. } | Outcome::Exhausted { .. } | Outcome::Failed { .. }) {
        return Ok((commit, None));
    }
    let outside = worktree.outside(&commit.0, scope).await?;
    if !outside.is_empty() {
        return Ok((commit, Some(Outcome::ScopeViolation { paths: outside })));
    }
    let leaks = match outcome {
        Outcome::Done { .. } => worktree.leaks(&commit.0, &site.secrecy).await?,
        _ => Vec::new(),
    };
    Ok((commit, (!leaks.is_empty()).then(|| leaked(&leaks))))
}

/// Nothing of it lands: the next attempt begins without it.
fn leaked(leaks: &[leak::Leak]) -> Outcome {
    let list = leak::in_words(leaks);
    Outcome::Failed {
        why: format!(
            "the finished change would bring secrets into the repository: {list}. Nothing of it lands; what it left is kept. Do the task without \
             them; a file that must hold such a text is excepted with `[secrets] allow` in inspan.toml"
        ),
    }
}

fn unsaved(key: &AttemptKey, error: &Error, folder: &Path) -> Outcome {
    tracing::error!(%key, %error, "an attempt could not be saved");
    let place = folder.join("tree");
    if !place.exists() {
        let why = format!("somebody removed {} while {key} was at work in it; what was there is gone with it", folder.display());
        return gone(key, why);
    }
    Outcome::Unavailable {
        why: format!("what {key} left could not be committed ({error}); its files stay in {}", place.display()),
    }
}

/// A directory that somebody removed is not the task's fault. One that is gone each time is removed by whoever is at work in it, which a
/// command can do where there is no sandbox, and that has an end.
fn gone(key: &AttemptKey, why: String) -> Outcome {
    const MOST: u32 = 5;
    if key.attempt.0 > MOST {
        return Outcome::Failed { why };
    }
    tracing::error!("{why}; the task begins again");
    Outcome::Interrupted
}

/// The attempt that a start goes on with. Where an agent's last attempt could not be saved, its files are only in its directory, and the
/// attempt goes on there rather than that another one begins without them.
pub fn to_go_on_with(
    site: &Site,
    record: Option<&TaskRecord>,
    key: AttemptKey,
    continuation: Option<Continuation>,
) -> (AttemptKey, Option<Continuation>) {
    let last = record.map_or(0, |record| record.attempts);
    let earlier = AttemptKey { task: key.task.clone(), attempt: Attempt(last) };
    let folder = Worktree::folder_of(&site.worktrees, site.run(), &earlier);
    if continuation.is_some() || last == 0 || !Worktree::is_unsaved(&folder) {
        return (key, continuation);
    }
    (earlier, Some(Continuation::AfterInterruption(Attempt(last))))
}

/// The branch moved, but the process died before it could say so of all that landed: of a batch, what the branch holds has landed.
async fn finish_landing(recorder: &mut Recorder, site: &Site) -> Result<(), Error> {
    let passed = |record: &TaskRecord| match &record.state {
        TaskState::Landing { attempt, passed: Some(passed), .. } => {
            Some((AttemptKey { task: record.id.clone(), attempt: *attempt }, passed.clone()))
        }
        _ => None,
    };
    let passed: Vec<(AttemptKey, CommitId)> = recorder.state().landings().filter_map(passed).collect();
    let git = &site.repository.git;
    if git.commit(&site.branch_ref()).await.is_none() {
        // Somebody has deleted it: whether it had moved is not known, and what has passed is proved again.
        return Ok(());
    }
    for (key, commit) in passed {
        if !git.is_ancestor(&commit, &site.branch_ref()).await? {
            break;
        }
        recorder.record(&Event::TaskLanded { key, commit })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
