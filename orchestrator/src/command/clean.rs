//! `clean`: directories that nobody needs any more, and, where a run is named, all of a run whose result is in a branch.
//!
//! **Invariant:** only what is safe elsewhere is removed: a worktree whose attempt has ended and was committed under its ref; a run
//! that is over, whose result the person has and of which no attempt left more; or one that they give up in so many words.

use std::path::Path;

use plans::{
    event::{Entry, Event},
    run_state::{Phase, RunState},
    task_state::TaskState,
};

use super::{Here, begin::take_lease};
use crate::{
    cli::CleanArgs,
    config::Overrides,
    error::Error,
    lease::Work,
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
    let mut needless = 0;
    for folder in &folders {
        let _lease = match take_lease(folder, Work::Clean) {
            Ok(lease) => lease,
            Err(busy) if args.run.run.is_some() => return Err(busy),
            Err(_) => {
                here.screen.say(&format!("Run {} is being worked on; it is left alone.", folder.run));
                continue;
            }
        };
        let entries = super::entries(folder)?;
        let state = RunState::fold(&entries).map_err(RecordError::from)?;
        if let Some(worktrees) = &worktrees {
            needless += cleaner.worktrees(worktrees, folder, &state).await?;
        }
        if args.run.run.is_some() {
            if !args.give_up {
                let contained = cleaner.is_in_a_branch(&state).await?;
                refuse_what_is_needed(folder, &state, contained || was_applied(&entries))?;
            }
            cleaner.run(folder).await?;
        }
    }
    if needless == 0 && args.run.run.is_none() {
        here.screen.say("No directory is left over. `inspan clean RUN` removes a whole run whose result you have.");
    }
    Ok(0)
}

fn was_applied(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(entry.event, Event::ResultApplied { .. }))
}

/// What makes a run worth keeping; `safe` says that its result is in a branch of the person's.
fn reason_to_keep(state: &RunState, safe: bool) -> Option<&'static str> {
    let never_tried = state.tasks().iter().chain(state.gone()).all(|record| record.attempts == 0);
    if never_tried {
        return None;
    }
    let unlanded = |state: &TaskState| !matches!(state, TaskState::Landed { .. });
    let left = state.tasks().iter().any(|record| unlanded(&record.state) && record.left.is_some());
    match state.phase() {
        Phase::Rejected => None,
        Phase::Over(_) if left => Some("holds what attempts left that did not land"),
        Phase::Over(_) if state.landed().is_empty() || safe => None,
        Phase::Over(_) => Some("has a result that is in no branch of yours"),
        Phase::Planning | Phase::Review | Phase::Underway => Some("is not over: it can be resumed"),
    }
}

fn refuse_what_is_needed(folder: &RunFolder, state: &RunState, safe: bool) -> Result<(), Error> {
    let run = &folder.run;
    let Some(why) = reason_to_keep(state, safe) else { return Ok(()) };
    let next = match state.phase() {
        Phase::Over(_) if !safe && !state.landed().is_empty() => format!("`inspan apply {run}` brings the result in"),
        Phase::Over(_) => format!("`inspan status {run}` shows what is there, `inspan resume {run}` tries again"),
        _ => format!("`inspan resume {run}` goes on with it, `inspan cancel {run}` ends it"),
    };
    let what = format!("run {run} {why}; it is kept");
    Err(Error::Refused { what, hint: format!("{next}; `inspan clean {run} --give-up` removes it for good") })
}

struct Cleaner<'a> {
    here: &'a Here,
    repository: &'a Repository,
    dry: bool,
}

impl Cleaner<'_> {
    /// Says how many directories went, or would.
    async fn worktrees(&self, worktrees: &Path, folder: &RunFolder, state: &RunState) -> Result<usize, Error> {
        let mut needless = 0;
        let sweep = Sweep { git: &self.repository.git, worktrees, run: &folder.run, state };
        for found in sweep.look().await {
            match found {
                Found::Needless(path) => {
                    needless += 1;
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
        Ok(needless)
    }

    /// Whether a branch of the person's holds the result.
    async fn is_in_a_branch(&self, state: &RunState) -> Result<bool, Error> {
        let args = ["for-each-ref", "--format=%(refname:short)", "--contains", &state.tip().0, "refs/heads"];
        let branches = self.repository.git.text(args).await?;
        // A later run may have started from this one's result; its branch is none of the person's.
        Ok(branches.lines().any(|branch| !branch.starts_with("inspan/")))
    }

    async fn run(&self, folder: &RunFolder) -> Result<(), Error> {
        let (git, run) = (&self.repository.git, &folder.run);
        let mut refs: Vec<String> = git.refs(&format!("refs/inspan/{run}/")).await?.into_iter().map(|(name, _)| name).collect();
        refs.push(format!("refs/heads/inspan/{run}"));
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

#[cfg(test)]
mod tests {
    use plans::event::{Approver, Author, CommitId, RunStatus, Settings};
    use shared::{Attempt, AttemptKey, Outcome, TaskId};

    use super::*;

    fn commit(letter: &str) -> CommitId {
        CommitId(letter.repeat(40))
    }

    fn key() -> AttemptKey {
        AttemptKey { task: TaskId::new("a").unwrap(), attempt: Attempt(1) }
    }

    /// A run of one task after as many of these steps.
    fn run(steps: &[&str]) -> RunState {
        let settings = Settings::default();
        let first = Event::RunStarted {
            goal: "g".to_owned(),
            base: commit("b"),
            head: commit("b"),
            snapshot: false,
            settings,
            program: String::new(),
        };
        let mut state = RunState::begin(&first).unwrap();
        for step in steps {
            state.apply(&event(step)).unwrap();
        }
        state
    }

    fn event(step: &str) -> Event {
        let text = "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"do\"\nwrite = [\"a\"]\n";
        let plan = || Box::new(plans::file::parse_toml(text).unwrap());
        let (key, why) = (key(), String::new());
        match step {
            "propose" => Event::PlanProposed { revision: 1, plan: plan(), author: Author::File, warnings: Vec::new() },
            "approve" => Event::PlanApproved { revision: 1, by: Approver::Policy },
            "reject" => Event::PlanRejected { revision: 1, why },
            "start" => Event::AttemptStarted { key, base: commit("b"), continues: None, content: String::new() },
            "fail" => Event::AttemptEnded { key, commit: Some(commit("f")), outcome: Outcome::Cancelled },
            "fail empty" => Event::AttemptEnded { key, commit: None, outcome: Outcome::Cancelled },
            "halt" => Event::RunHalted { why },
            "cancel" => Event::CancelRequested,
            "end" => Event::RunEnded { status: RunStatus::Cancelled, tip: commit("b") },
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_run_goes_only_once_nothing_of_it_is_needed() {
        let kept = |steps: &[&str], safe| reason_to_keep(&run(steps), safe);
        let tried = ["propose", "approve", "start", "fail"];
        assert_eq!(kept(&["propose", "approve"], false), None, "no attempt was made");
        assert_eq!(kept(&["propose", "reject"], false), None);
        let halted = [&tried[..], &["halt"]].concat();
        assert_eq!(kept(&halted, true), Some("is not over: it can be resumed"), "a tip that is the base is in main, too");
        let over = [&tried[..], &["cancel", "end"]].concat();
        assert_eq!(kept(&over, true), Some("holds what attempts left that did not land"));
        assert_eq!(kept(&["propose", "approve", "start", "fail empty", "cancel", "end"], true), None);
    }
}
