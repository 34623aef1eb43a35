//! Where a run begins: it gets a place and a starting point, its plan is admitted, and only then is it a run.
//!
//! **Invariant:** a run that is refused before its first event leaves nothing: no folder, no ref.

use std::{path::Path, sync::Arc};

use plans::{
    Task,
    admission::Admitted,
    event::{Author, Event, Settings},
};
use shared::Limits;

use super::{Here, format_of, overrides};
use crate::{
    cli::{GoalArgs, HowArgs},
    config::Config,
    error::Error,
    git::Git,
    launch::{Launch, sandbox, settings},
    lease::{Lease, Work},
    models::Models,
    recorder::Recorder,
    repository::{Repository, StartingPoint, base_ref},
    site::Site,
    store::{RunFolder, Store},
    ui::progress::Format,
};

/// What kind of run it is to be.
#[derive(Clone, Copy, Default)]
pub(super) struct Kind {
    pub(super) no_gate: bool,
    pub(super) solo: bool,
}

/// Where a run begins, and how it is shown.
pub(super) struct Surroundings {
    pub(super) repository: Repository,
    pub(super) config: Config,
    pub(super) format: Format,
}

/// A plan that a run begins with, and who wrote it.
pub(super) struct Proposal {
    pub(super) admitted: Admitted,
    pub(super) author: Author,
}

/// What may become a run.
pub(super) struct Prepared {
    pub(super) launch: Launch,
    pub(super) site: Arc<Site>,
    start: StartingPoint,
}

/// A run that has begun.
pub(super) struct Begun {
    pub(super) launch: Launch,
    pub(super) recorder: Recorder,
    pub(super) site: Arc<Site>,
}

/// The repository and the configuration, as flags and files say.
pub(super) async fn surroundings(here: &Here, how: &HowArgs) -> Result<Surroundings, Error> {
    let repository = here.repository().await?;
    let config = here.config(&repository, overrides(&how.limits, how.yes, how.review))?;
    Ok(Surroundings { repository, config, format: format_of(how.output_format) })
}

/// Gives a run a place and a starting point. What it is told of the repository, it is told with an eye to the goal.
pub(super) async fn prepare(here: &Here, around: Surroundings, kind: Kind, goal: &str) -> Result<Prepared, Error> {
    let models = Models::connect(&around.config, &around.repository.root)?;
    let settings = settings(&around.config, kind.no_gate, models.planner.is_some() && !kind.solo);
    let sandbox = sandbox(around.config.sandbox.tier).await?;
    let settings = Settings { sandbox: sandbox.tier().to_string(), ..settings };
    models.can_keep(&settings.run_limits)?;
    let folder = Store::new(&around.repository.state_dir()).create()?;
    let git = around.repository.git.clone();
    let settled = async {
        let lease = take_lease(&folder, Work::Run)?;
        folder.begin_in(&around.repository.checkout)?;
        let start = around.repository.starting_point(&folder.run, &around.config.secrecy).await?;
        let Surroundings { repository, config, format } = around;
        let (screen, folder) = (here.screen.clone(), folder.clone());
        let launch = Launch { repository, config, screen, format, folder, lease, settings, sandbox, told: 0 };
        launch.look_around(&start, goal).await?;
        let site = launch.site(models)?;
        Ok(Prepared { launch, site, start })
    };
    match settled.await {
        Ok(prepared) => Ok(prepared),
        Err(error) => {
            abandon(&git, &folder).await;
            Err(error)
        }
    }
}

impl Prepared {
    /// Begins the run, with the plan that there is or to have one drafted; or leaves nothing.
    pub(super) async fn begin(self, here: &Here, goal: &str, proposed: Result<Option<Proposal>, Error>) -> Result<Begun, Error> {
        let (git, folder) = (self.launch.repository.git.clone(), self.launch.folder.clone());
        let begun = match proposed.and_then(|proposal| self.manned(proposal)) {
            Ok(proposal) => self.record(here, goal, proposal),
            Err(error) => Err(error),
        };
        if begun.is_err() {
            abandon(&git, &folder).await;
        }
        begun
    }

    /// Whether somebody is there for what has to be done.
    fn manned(&self, proposal: Option<Proposal>) -> Result<Option<Proposal>, Error> {
        match &proposal {
            Some(proposal) => {
                need_workers(&self.site, proposal.admitted.plan.tasks().iter(), &self.launch.settings.task_limits)?;
            }
            None => need_planner(&self.site, &self.launch.settings.task_limits)?,
        }
        Ok(proposal)
    }

    fn record(self, here: &Here, goal: &str, proposal: Option<Proposal>) -> Result<Begun, Error> {
        let Self { launch, site, start } = self;
        let (repository, settings) = (&launch.repository, launch.settings.clone());
        let (base, head, snapshot) = (start.commit.clone(), repository.head.clone(), start.snapshot);
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let first = Event::RunStarted { goal: goal.to_owned(), base, head, snapshot, settings, program };
        let mut recorder =
            Recorder::begin(&launch.folder.path, launch.folder.run.clone(), &first, launch.config.secrecy.clone())?;
        if let Some(Proposal { admitted: Admitted { plan, warnings }, author }) = proposal {
            recorder.record(&Event::PlanProposed { revision: 1, plan: Box::new(plan), author, warnings })?;
        }
        say_start(here, repository, &start, launch.folder.run.as_str());
        launch.say_sandbox();
        Ok(Begun { launch, recorder, site })
    }
}

/// Nothing has begun: the run would only stand in the list.
async fn abandon(git: &Git, folder: &RunFolder) {
    for name in [base_ref(&folder.run), format!("refs/heads/inspan/{}", folder.run)] {
        // A ref that stays names a commit that the person has anyway.
        let _ = git.delete_ref(&name).await;
    }
    let _ = std::fs::remove_dir_all(&folder.path);
}

fn say_start(here: &Here, repository: &Repository, start: &StartingPoint, run: &str) {
    let from = match (&repository.branch, start.snapshot) {
        (Some(branch), false) => format!("{branch} at {}", start.commit.short()),
        (Some(branch), true) => format!("{branch} with your uncommitted changes, as snapshot {}", start.commit.short()),
        (None, false) => format!("the detached HEAD {}", start.commit.short()),
        (None, true) => format!("the detached HEAD with your uncommitted changes, as snapshot {}", start.commit.short()),
    };
    here.screen.say(&format!("Run {run} starts from {from}. Your checkout is not touched."));
    if !start.left_out.is_empty() {
        here.screen.say(&format!("Untracked files that the workers do not get: {}", start.left_out.join(", ")));
    }
    if !repository.submodules.is_empty() {
        here.screen.say(&format!("Submodules are empty folders for the workers: {}", repository.submodules.join(", ")));
    }
    if repository.shallow {
        here.screen.say("This is a shallow clone; the run needs no older history.");
    }
}

/// The lease of a run, or who has it.
pub(super) fn take_lease(folder: &RunFolder, work: Work) -> Result<Lease, Error> {
    let held = |held| Error::Busy { run: folder.run.to_string(), held };
    Lease::take(&folder.path, work).map_err(Error::disk(&folder.path))?.map_err(held)
}

/// A text of the person's.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::Usage(format!("{} cannot be read: {error}", path.display())))
}

/// The goal, from the command line, a file or standard input.
pub(super) fn read_goal(here: &Here, args: &GoalArgs) -> Result<String, Error> {
    let goal = match (&args.goal, &args.file) {
        (Some(goal), _) => goal.clone(),
        (None, Some(path)) if path.as_os_str() == "-" => std::io::read_to_string(std::io::stdin())
            .map_err(|error| Error::Usage(format!("standard input cannot be read: {error}")))?,
        (None, Some(path)) => read(&here.directory.join(path))?,
        (None, None) => {
            return Err(Error::Usage("say what is to be changed: `inspan run \"GOAL\"`, `-f FILE`, or `--plan FILE`".to_owned()));
        }
    };
    if goal.trim().is_empty() {
        return Err(Error::Usage("the goal is empty; say what is to be changed".to_owned()));
    }
    Ok(goal.trim().to_owned())
}

/// Somebody has to make a plan, and what each of its tasks may cost has to be kept.
pub(super) fn need_planner(site: &Site, of_task: &Limits) -> Result<(), Error> {
    match site.models.planner {
        Some(_) => site.models.can_keep_of_tasks(of_task),
        None => Err(Error::NoModel { what: "plan".to_owned() }),
    }
}

/// Somebody has to carry them out, within what each may cost.
pub(super) fn need_workers<'t>(site: &Site, tasks: impl Iterator<Item = &'t Task>, of_task: &Limits) -> Result<(), Error> {
    site.models.can_carry_out(tasks, &site.rules.run_limits.or(*of_task))
}

#[cfg(test)]
mod tests;
