//! Which run a command means, and which task of it.
//!
//! **Invariant:** a word that stands where a task could stand is a run only by its whole name, or by at least four letters that begin it.
//! **Invariant:** where no run is named, an order means the one that is live; where several are, it is refused.
//! **Invariant:** whoever changes something hears which run was taken where none was named.
//!
//! What runs there are is known to `store`; what is done to the one that was found is in the other files.

#[cfg(test)]
mod tests;

use plans::{
    event::RunStatus,
    run_state::{Phase, RunState},
};

use super::{Here, look::state_of};
use crate::{
    control::rules,
    error::Error,
    lease::{Lease, Work},
    repository::Repository,
    store::{RunFolder, Store},
};

/// So many letters of a run's name stand for it where a task could be meant, and where a run is stopped.
const LETTERS: usize = 4;

/// What the run is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// To look at it.
    Look,
    /// To order something of it.
    Order,
    /// To try a task again, also where it is over.
    Retry,
    /// To go on with it.
    Resume,
    /// To have its plan reviewed.
    Review,
    /// To bring its result into a branch.
    Apply,
}

/// How a run stands, as far as it matters for the choice.
#[derive(Debug, Clone, Copy)]
struct Standing {
    phase: Phase,
    is_paused: bool,
    has_landed: bool,
    waits_for_review: bool,
}

/// What is known of the runs of a checkout.
trait Runs {
    /// Whether a process carries it.
    fn is_live(&self, run: &RunFolder) -> bool;
    /// None where its journal does not read.
    fn standing(&self, run: &RunFolder) -> Option<Standing>;
}

/// The runs as they are on the disk.
struct OnDisk;

impl Runs for OnDisk {
    fn is_live(&self, run: &RunFolder) -> bool {
        is_live(run)
    }

    fn standing(&self, run: &RunFolder) -> Option<Standing> {
        let (_, state) = state_of(run).ok()?;
        Some(Standing {
            phase: state.phase(),
            is_paused: state.is_paused(),
            has_landed: !state.landed().is_empty(),
            waits_for_review: state.waits_for_review(),
        })
    }
}

/// The run that a command without one means, among those of a checkout, oldest first. None where nothing speaks for any.
fn choose<'a>(all: &'a [RunFolder], want: Want, runs: &dyn Runs) -> Result<Option<&'a RunFolder>, Error> {
    let latest = |wanted: &dyn Fn(&RunFolder, Standing) -> bool| {
        all.iter().rev().find(|run| runs.standing(run).is_some_and(|standing| wanted(run, standing)))
    };
    let live: Vec<&RunFolder> = all.iter().filter(|run| runs.is_live(run)).collect();
    let done = [Phase::Over(RunStatus::Complete), Phase::Rejected];
    let one_of = |live: &[&'a RunFolder]| match live {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => Err(several_are_live(several)),
    };
    Ok(match want {
        Want::Look => one_of(&live).ok().flatten(),
        Want::Order => one_of(&live)?.or_else(|| latest(&|_, now| !matches!(now.phase, Phase::Over(_) | Phase::Rejected))),
        Want::Retry => one_of(&live)?.or_else(|| latest(&|_, now| !done.contains(&now.phase))),
        Want::Resume => {
            let is_paused = |run: &&RunFolder| runs.standing(run).is_some_and(|now| now.is_paused);
            let paused: Vec<&RunFolder> = live.iter().copied().filter(is_paused).collect();
            one_of(&paused)?.or_else(|| latest(&|run, now| !runs.is_live(run) && !done.contains(&now.phase)))
        }
        Want::Review => latest(&|run, now| !runs.is_live(run) && now.waits_for_review),
        Want::Apply => latest(&|_, now| now.has_landed && now.phase != Phase::Rejected),
    })
}

fn several_are_live(several: &[&RunFolder]) -> Error {
    let names: Vec<&str> = several.iter().map(|folder| folder.run.as_str()).collect();
    Error::Usage(format!(
        "several runs are live, and it was not said which is meant: {}; nothing was done. Name one (`inspan status RUN` shows how it stands)",
        names.join(", ")
    ))
}

/// Whether a process carries the run, or has just begun to.
pub(super) fn is_live(run: &RunFolder) -> bool {
    Lease::holder(&run.path).is_some_and(|held| matches!(held.work, Some(Work::Run) | None))
}

/// The run that a command without one means. Of several checkouts, each has its own.
pub(super) fn unnamed(repository: &Repository, want: Want) -> Result<RunFolder, Error> {
    let store = Store::new(&repository.state_dir());
    let all = store.of_checkout(&repository.checkout);
    match choose(&all, want, &OnDisk)? {
        Some(run) => Ok(run.clone()),
        None => store.latest(&repository.checkout),
    }
}

/// The run that was named, or the one that is meant; then it is said which.
pub(super) fn run_of(here: &Here, repository: &Repository, name: Option<&str>, want: Want) -> Result<RunFolder, Error> {
    match name {
        Some(name) => Store::new(&repository.state_dir()).find(name),
        None => unnamed(repository, want).inspect(|folder| say_which(here, folder, want)),
    }
}

fn say_which(here: &Here, folder: &RunFolder, want: Want) {
    if want == Want::Look {
        return;
    }
    let goal = state_of(folder).map(|(_, state)| state.goal().lines().next().unwrap_or_default().to_owned());
    here.screen.say(&format!("No run was named; this is run {}: {}", folder.run, goal.unwrap_or_default()));
}

/// `RUN TASK`, `RUN`, or `TASK` of the run that is meant without one. The task is one of the run.
pub(super) fn run_and_task<'a>(
    here: &Here,
    repository: &Repository,
    (first, second): (Option<&'a str>, Option<&'a str>),
    want: Want,
) -> Result<(RunFolder, Option<&'a str>), Error> {
    let (Some(first), None) = (first, second) else {
        let folder = run_of(here, repository, first, want)?;
        second.map_or(Ok(()), |task| check_task(&folder, task))?;
        return Ok((folder, second));
    };
    if let Some(run) = whole(repository, first)? {
        return Ok((run, None));
    }
    let meant = unnamed(repository, want);
    if let Ok(folder) = &meant
        && has_task(folder, first)
    {
        say_which(here, folder, want);
        return Ok((meant?, Some(first)));
    }
    match begun(repository, first)? {
        Some(run) => Ok((run, None)),
        None => Err(neither(&meant?, first)),
    }
}

/// The run and the task of `[RUN] TASK` and what follows: the first word is a run where it can be nothing else.
pub(super) fn task_and_rest<'a>(
    here: &Here,
    repository: &Repository,
    words: &'a [String],
    want: Want,
) -> Result<(RunFolder, &'a str, &'a [String]), Error> {
    let [first, rest @ ..] = words else { return Err(Error::Usage("say which task".to_owned())) };
    let run = whole(repository, first)?;
    let meant = if run.is_some() { None } else { Some(unnamed(repository, want)) };
    if let Some(Ok(folder)) = &meant
        && has_task(folder, first)
    {
        say_which(here, folder, want);
        return Ok((folder.clone(), first, rest));
    }
    let run = run.map_or_else(|| begun(repository, first), |run| Ok(Some(run)))?;
    match (run, rest, meant) {
        (Some(run), [task, rest @ ..], _) => check_task(&run, task).map(|()| (run, task.as_str(), rest)),
        (Some(run), [], _) => Err(Error::Usage(format!("`{first}` is a run; say which task of it: {}", tasks_of(&run)))),
        (None, _, Some(meant)) => Err(neither(&meant?, first)),
        (None, _, None) => Err(Error::NoSuchRun { name: first.clone() }),
    }
}

/// The run that a word names, where it could be other words as well.
pub(super) fn named(repository: &Repository, word: &str) -> Result<Option<RunFolder>, Error> {
    whole(repository, word)?.map_or_else(|| begun(repository, word), |run| Ok(Some(run)))
}

/// The run of that whole name. An empty word, such as of a variable that is not set, is an error.
fn whole(repository: &Repository, word: &str) -> Result<Option<RunFolder>, Error> {
    Store::new(&repository.state_dir()).whole(word)
}

/// The run that enough letters begin.
fn begun(repository: &Repository, word: &str) -> Result<Option<RunFolder>, Error> {
    if word.chars().count() < LETTERS {
        return Ok(None);
    }
    match Store::new(&repository.state_dir()).find(word) {
        Err(Error::NoSuchRun { .. }) => Ok(None),
        found => found.map(Some),
    }
}

fn has_task(folder: &RunFolder, word: &str) -> bool {
    state_of(folder).is_ok_and(|(_, state)| rules::known(&state, word).is_ok())
}

/// What does not read says so later.
fn check_task(folder: &RunFolder, task: &str) -> Result<(), Error> {
    let Ok((_, state)) = state_of(folder) else { return Ok(()) };
    no_such_task(&state, task).map_or(Ok(()), |why| Err(Error::Usage(why)))
}

fn no_such_task(state: &RunState, task: &str) -> Option<String> {
    rules::known(state, task).err().map(|refused| format!("{}; {}", refused.what, refused.hint))
}

fn tasks_of(folder: &RunFolder) -> String {
    let names = state_of(folder).map(|(_, state)| state.tasks().iter().map(|task| task.id.to_string()).collect::<Vec<_>>());
    names.unwrap_or_default().join(", ")
}

fn neither(meant: &RunFolder, word: &str) -> Error {
    let run = &meant.run;
    let why = state_of(meant).ok().and_then(|(_, state)| no_such_task(&state, word)).unwrap_or_default();
    Error::Usage(format!(
        "`{word}` is neither a task of run {run} nor the name of a run, nor at least {LETTERS} letters that begin one: {why}. \
         `inspan status --all` lists the runs"
    ))
}
