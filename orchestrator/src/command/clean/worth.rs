//! What of a run is needed: decided from its state, and from what branches of the person's hold.

use plans::{
    event::{CommitId, Entry, Event, RunStatus},
    run_state::{Phase, RunState, TaskRecord},
    task_state::TaskState,
};
use shared::RunId;

use crate::{
    apply::{self, history},
    error::Error,
    git::Git,
    journal::is_blank,
    kept::{attempts_at, refs_of},
    repository::base_ref,
    store::RunFolder,
    sweep::subfolders,
};

/// Whether the person has all of the result: it was applied, nothing landed after it, and the commit is in a branch of theirs still.
pub(super) async fn was_applied(git: &Git, entries: &[Entry]) -> Result<bool, Error> {
    match applied_as(entries) {
        Some(commit) => is_in_a_branch(git, commit).await,
        None => Ok(false),
    }
}

/// What landed after it was applied the person has not.
fn applied_as(entries: &[Entry]) -> Option<&CommitId> {
    let last = entries.iter().rev().find(|entry| matches!(entry.event, Event::TaskLanded { .. } | Event::ResultApplied { .. }));
    match &last?.event {
        Event::ResultApplied { commit, .. } => Some(commit),
        _ => None,
    }
}

/// How a run ended, in a word or two.
pub(super) fn standing(state: &RunState) -> String {
    match state.phase() {
        Phase::Over(status) if state.landed().is_empty() => format!("{status}, nothing landed"),
        Phase::Over(status) => format!("{status}, and the result is yours"),
        Phase::Rejected => "its plan was rejected".to_owned(),
        Phase::Planning | Phase::Review | Phase::Underway => "not over".to_owned(),
    }
}

/// What makes a run worth keeping; `safe` says that its result is in a branch of the person's, `more` that an attempt left what did not land.
pub(super) fn reason_to_keep(state: &RunState, safe: bool, more: bool) -> Option<&'static str> {
    let never_tried = || state.tasks().iter().chain(state.gone()).all(|record| record.attempts == 0);
    match state.phase() {
        Phase::Rejected => None,
        Phase::Over(_) if never_tried() => None,
        Phase::Over(_) if more => Some("holds what attempts left that did not land"),
        Phase::Over(_) if state.landed().is_empty() || safe => None,
        Phase::Over(_) => Some("has a result that is in no branch of yours"),
        Phase::Planning | Phase::Review | Phase::Underway => Some("is not over: it can be resumed"),
    }
}

/// Why a run that was named does not go.
pub(super) fn refuse_what_is_needed(
    run: &RunId,
    state: &RunState,
    (safe, more, unsaved): (bool, bool, bool),
) -> Result<(), Error> {
    let why = reason_to_keep(state, safe, more).or(unsaved.then_some("has directories whose work is not committed"));
    let Some(why) = why else { return Ok(()) };
    let next = match state.phase() {
        Phase::Over(_) if !safe && !state.landed().is_empty() => format!("`inspan apply {run}` brings the result in"),
        Phase::Over(RunStatus::Complete) => format!("`inspan log {run} --attempts` shows what is there"),
        Phase::Over(_) => {
            format!("`inspan log {run} --attempts` shows what is there, `inspan resume {run}` tries again")
        }
        _ => format!("`inspan resume {run}` goes on with it, `inspan cancel {run}` ends it"),
    };
    let what = format!("run {run} {why}; it is kept");
    Err(Error::Refused { what, hint: format!("{next}; `inspan clean {run} --give-up` removes it for good") })
}

/// Whether a run was cut short before its first event: no journal, and nothing else that would speak of work. A journal that was lost is
/// another matter.
pub(super) async fn was_never_begun(git: &Git, folder: &RunFolder) -> Result<bool, Error> {
    let run = &folder.run;
    let has_transcripts = !subfolders(&folder.path.join("transcripts")).is_empty();
    if has_transcripts || !is_blank(&folder.path, run) || git.commit(&format!("refs/heads/inspan/{run}")).await.is_some() {
        return Ok(false);
    }
    Ok(git.refs(&refs_of(run)).await?.iter().all(|(name, _)| *name == base_ref(run)))
}

/// Whether a branch of the person's holds the result: as it is, or by commits that name it.
pub(super) async fn has_result(git: &Git, run: &RunId, state: &RunState) -> Result<bool, Error> {
    const MOST: &str = "--count=50";
    if is_in_a_branch(git, state.tip()).await? {
        return Ok(true);
    }
    if git.commit(&state.tip().0).await.is_none() {
        return Ok(false);
    }
    let result = apply::Result { run, goal: "", base: state.base(), snapshot: None, tip: state.tip() };
    let names = git.text(["for-each-ref", MOST, "--sort=-committerdate", "--format=%(refname)", "refs/heads"]).await?;
    for name in names.lines().filter(|name| !name.starts_with("refs/heads/inspan/")) {
        if history::had(git, &result, name).await?.is_all() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A later run may have started from this one's result; its branch is none of the person's.
async fn is_in_a_branch(git: &Git, commit: &CommitId) -> Result<bool, Error> {
    if git.commit(&commit.0).await.is_none() {
        return Ok(false);
    }
    let branches = git.text(["for-each-ref", "--format=%(refname)", "--contains", &commit.0, "refs/heads"]).await?;
    Ok(branches.lines().any(|branch| !branch.starts_with("refs/heads/inspan/")))
}

fn has_landed(record: &TaskRecord) -> bool {
    matches!(record.state, TaskState::Landed { .. })
}

/// Whether an attempt at a task that did not land changed something that is in no branch of the person's.
pub(super) async fn left_more(git: &Git, state: &RunState) -> Result<bool, Error> {
    let unlanded = state.tasks().iter().chain(state.gone()).filter(|record| !has_landed(record));
    for trail in unlanded.flat_map(|record| record.trail.values()) {
        let Some(left) = &trail.left else { continue };
        let (Ok(tree), Ok(base)) = (git.tree(left).await, git.tree(&trail.base).await) else { continue };
        if tree != base && !is_in_a_branch(git, left).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The refs of attempts at tasks that have landed.
pub(super) async fn attempts_of_landed_tasks(git: &Git, run: &RunId, state: &RunState) -> Result<Vec<String>, Error> {
    let all = git.refs(&refs_of(run)).await?.into_iter().map(|(name, _)| name);
    let prefixes: Vec<String> =
        state.tasks().iter().filter(|record| has_landed(record)).map(|record| attempts_at(run, &record.id)).collect();
    Ok(all.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect())
}
