//! `apply`: the result of a run goes into the person's branch.

use std::fmt::Write as _;

use plans::{
    event::{CommitId, Entry, Event},
    run_state::RunState,
    task_state::TaskState,
};

use super::{
    Here,
    begin::take_lease,
    target::{Want, run_of},
};
use crate::{
    apply::{
        self, How,
        proof::{Means, Proof},
    },
    cli::ApplyArgs,
    config::Overrides,
    error::Error,
    journal::Journal,
    lease::Work,
    recorder::RecordError,
    salvage,
    store::RunFolder,
};

/// `inspan apply`.
pub(super) async fn apply(here: &Here, args: &ApplyArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = run_of(here, &repository, args.run.run.as_deref(), Want::Apply)?;
    let run = folder.run.to_string();
    if args.run.run.is_none() && folder.checkout() != repository.checkout {
        here.screen.say(&format!("Run {run} was begun in another checkout of this repository."));
    }
    let lease = take_lease(&folder, Work::Apply)?;
    salvage::end_strays(&folder.run).await;
    let entries = super::entries(&folder)?;
    let state = RunState::fold(&entries).map_err(RecordError::from)?;
    let there = repository.git.commit(&format!("refs/heads/inspan/{run}")).await;
    if let Some(commit) = there.as_ref().filter(|commit| *commit != state.tip() && has_passed(&entries, commit)) {
        return Err(cut_short(&run, commit));
    }
    if state.landed().is_empty() {
        let (what, hint) = (
            format!("nothing of run {run} has landed, so there is nothing to bring in"),
            format!("`inspan status {run}` shows how it stands"),
        );
        return Err(Error::Refused { what, hint });
    }
    if there.as_ref() != Some(state.tip()) {
        return Err(astray(&run, state.tip(), there.as_ref()));
    }
    let how = match (args.squash, args.merge) {
        (true, _) => How::Squash,
        (_, true) => How::Merge,
        _ => How::Plain,
    };
    let snapshot = state.is_snapshot().then(|| state.head());
    let result = apply::Result { run: &folder.run, goal: state.goal(), base: state.base(), snapshot, tip: state.tip() };
    let config = here.config(&repository, Overrides::default())?;
    let secrecy = config.secrecy.clone();
    let means = Means { repository: &repository, config, screen: here.screen.clone(), folder: folder.clone(), lease };
    let mut proof = Proof::of(&state, means, args.no_gate);
    let applied = apply::apply(&repository, &result, how, (&mut proof, &secrecy)).await;
    if let Ok(applied) = &applied {
        let branch = repository.branch.clone().unwrap_or_default();
        applied.told.iter().for_each(|line| here.screen.say(line));
        here.screen.say(&format!("{branch} is now at {}.", applied.commit.short()));
        take_note(here, &folder, branch, &applied.commit);
    }
    proof.close(&state).await;
    applied?;
    here.screen.say(missing(&state, &run).trim_end());
    Ok(0)
}

/// The branch has moved, whatever becomes of the journal. Nothing hangs on the note: what the branch has is asked of the branch.
fn take_note(here: &Here, folder: &RunFolder, branch: String, commit: &CommitId) {
    let noted = Journal::open(&folder.path, folder.run.clone())
        .and_then(|mut journal| journal.append(&Event::ResultApplied { branch, commit: commit.clone() }));
    if let Err(error) = noted {
        let run = &folder.run;
        here.screen.insist(&format!(
            "warning: the result is in your branch, and the journal of run {run} could not take note of it: {error}"
        ));
    }
}

/// What the result lacks, in words; nothing where it is whole.
fn missing(state: &RunState, run: &str) -> String {
    let missing = state.tasks().len() - state.landed().len();
    if missing == 0 {
        return String::new();
    }
    let mut text = format!("{missing} {} not land:\n", if missing == 1 { "task did" } else { "tasks did" });
    for record in state.tasks().iter().filter(|record| !matches!(record.state, TaskState::Landed { .. })) {
        let last = record.setbacks.last().map(|evidence| evidence.setback.headline()).unwrap_or_default();
        let why = if record.why.is_empty() { last } else { record.why.clone() };
        let why = why.lines().next().unwrap_or_default();
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        writeln!(text, "  {} ({}){why}", record.id, record.state.name()).expect("writing to a string");
    }
    let which = if missing == 1 { "it" } else { "them" };
    write!(text, "`inspan resume {run}` tries {which} again; apply then brings in what is new.").expect("writing to a string");
    text
}

/// Whether the gate has passed on this very commit.
fn has_passed(entries: &[Entry], there: &CommitId) -> bool {
    entries.iter().any(|entry| matches!(&entry.event, Event::GatePassed { commit, .. } if commit == there))
}

/// The branch has moved and the process died before it could say so: what is ahead is landed work.
fn cut_short(run: &str, there: &CommitId) -> Error {
    let what = format!(
        "run {run} was interrupted as a task landed: inspan/{run} is at {}, which passed the gate and is not in the journal yet; \
         nothing was changed",
        there.short()
    );
    Error::Refused {
        what,
        hint: format!("`inspan resume {run}` takes note of it and goes on, `inspan cancel {run}` ends the run; then apply"),
    }
}

/// Somebody else has moved the branch, or removed it. What it names now is kept under another name.
fn astray(run: &str, tip: &CommitId, there: Option<&CommitId>) -> Error {
    let what = format!("inspan/{run} is not where the run left it ({}); nothing was changed", tip.short());
    let back = format!("git branch inspan/{run} {tip}");
    let hint = match there {
        None => format!("put it back: `{back}`"),
        Some(_) => {
            format!("keep what is there under another name, and put it back: `git branch -m inspan/{run} moved/{run} && {back}`")
        }
    };
    Error::Refused { what, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hint_loses_what_the_branch_names() {
        let commit = CommitId("c".repeat(40));
        for error in [cut_short("r", &commit), astray("r", &commit, None), astray("r", &commit, Some(&commit))] {
            let hint = error.hint().unwrap();
            assert!(!hint.contains("-f") && !hint.contains("-D"), "{hint}");
        }
        assert!(cut_short("r", &commit).hint().unwrap().starts_with("`inspan resume r`"));
    }
}
