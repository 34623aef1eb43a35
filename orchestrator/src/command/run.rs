//! `plan`, `run`, `review`, `resume`, `cancel`: everything that begins, goes on with, or stops a run.

use std::path::Path;

use plans::{
    Gate, Plan, PlanDraft, Task, WorkerKind,
    event::{Author, Event, RunStatus},
    file,
    lint::{self, Checked},
    run_state::{Phase, RunState},
};
use shared::{Glob, Limits, Scope, TaskId};

use super::{Here, format_of, overrides};
use crate::{
    cli::{GoalArgs, HowArgs, LimitArgs, PlanArgs, ResumeArgs, RunArgs, RunName},
    config::Config,
    dispatcher::Ending,
    error::{Error, exit_code_of},
    launch::{Launch, beginning},
    lease::Lease,
    recorder::Recorder,
    repository::Repository,
    salvage,
    site::Site,
    store::{RunFolder, Store},
    ui::{self, progress::Format, words},
};

/// `inspan plan`.
pub(super) async fn plan(here: &Here, args: PlanArgs) -> Result<u8, Error> {
    let goal = read_goal(here, &args.goal)?;
    let how = HowArgs { limits: args.limits, yes: false, review: None, output_format: crate::cli::OutputFormat::Text };
    let (launch, recorder) = begin(here, &goal, &how, Kind { no_gate: args.no_gate, solo: false }).await?;
    let site = launch.site()?;
    need_planner(&site)?;
    let folder = launch.folder.clone();
    launch.carry_through(recorder, true, site.clone()).await?;
    let entries = super::entries(&folder)?;
    let state = RunState::fold(&entries).map_err(crate::recorder::RecordError::from)?;
    let plan = state.plan().ok_or_else(|| Error::Defect("a plan was drafted and is not there".to_owned()))?.clone();
    let text = file::write_toml(&plan);
    let sheet = ui::review::Sheet { plan, difference: None, cause: None, settings: state.settings().clone(), site };
    here.screen.say(&ui::review::describe(&sheet, ui::width()));
    match args.output {
        None => ui::print(&text),
        Some(path) => {
            let path = here.directory.join(path);
            std::fs::write(&path, text).map_err(Error::disk(&path))?;
            here.screen.say(&format!("Wrote {}. Carry it out with `inspan run --plan {}`.", path.display(), path.display()));
        }
    }
    here.screen.say(&format!("Or approve it as it is with `inspan review {}`.", folder.run));
    Ok(0)
}

/// `inspan run`.
pub(super) async fn run(here: &Here, args: RunArgs) -> Result<u8, Error> {
    let kind = Kind { no_gate: args.no_gate, solo: args.solo };
    let file = args.plan.as_deref().map(|path| read(&here.directory.join(path))).transpose()?;
    let goal = match &file {
        None => read_goal(here, &args.goal)?,
        Some(text) => file::Reading::of_toml(text).draft.goal,
    };
    let (launch, mut recorder) = begin(here, &goal, &args.how, kind).await?;
    let site = launch.site()?;
    let proposed = match (&file, args.solo) {
        (Some(text), _) => {
            let name = args.plan.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
            plan_of_file(&launch, &site, text, name).map(|checked| Some((checked, Author::File)))
        }
        (None, true) => solo(&launch, &site, &goal).map(|checked| Some((checked, Author::Solo))),
        (None, false) => need_planner(&site).map(|()| None),
    };
    let manned = proposed.and_then(|proposed| {
        proposed.as_ref().map_or(Ok(()), |((plan, _), _)| need_workers(&site, plan))?;
        Ok(proposed)
    });
    match manned {
        Err(error) => {
            abandon(&launch).await;
            return Err(error);
        }
        Ok(None) => {}
        Ok(Some(((plan, warnings), author))) => {
            recorder.record(&Event::PlanProposed { revision: 1, plan: Box::new(plan), author, warnings })?;
        }
    }
    go_on(here, launch, recorder, site).await
}

/// Nothing has begun: the run would only stand in the list.
async fn abandon(launch: &Launch) {
    let (git, run) = (&launch.repository.git, &launch.folder.run);
    for name in [format!("refs/inspan/{run}/_base"), format!("refs/heads/inspan/{run}")] {
        // A ref that stays names a commit that the person has anyway.
        let _ = git.delete_ref(&name).await;
    }
    let _ = std::fs::remove_dir_all(&launch.folder.path);
}

/// `inspan review` and `inspan resume`.
pub(super) async fn resume(here: &Here, args: ResumeArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = super::find(&repository, args.run.run.as_deref())?;
    let config = here.config(&repository, overrides(&args.how.limits, args.how.yes, args.how.review))?;
    let lease = take_lease(&folder.path, folder.run.as_str())?;
    let mut recorder = Recorder::take_up(&folder.path, folder.run.clone())?;
    let state = recorder.state();
    refuse_what_is_over(state, folder.run.as_str())?;
    let (screen, format) = (here.screen.clone(), format_of(args.how.output_format));
    let (no_gate, solo) = (state.settings().no_gate, state.settings().replans == 0 && state.plan().is_some());
    let told = recorder.last();
    let launch = Launch { repository, config, screen, format, folder, lease, no_gate, solo, told };
    let site = launch.site()?;
    salvage::bring_in_order(&mut recorder, &site).await?;
    let settings = launch.settings(site.planner_model.is_some());
    recorder.record(&Event::RunResumed { settings })?;
    if let Some(plan) = recorder.state().plan() {
        need_workers(&site, plan)?;
    }
    go_on(here, launch, recorder, site).await
}

fn refuse_what_is_over(state: &RunState, run: &str) -> Result<(), Error> {
    let refused = |what: &str, hint: String| Err(Error::Refused { what: format!("run {run} {what}"), hint });
    match state.phase() {
        Phase::Over(RunStatus::Complete) => {
            refused("is complete; there is nothing left to do", format!("bring it into your branch with `inspan apply {run}`"))
        }
        Phase::Rejected => refused("was rejected", "start another one with `inspan run`".to_owned()),
        _ => Ok(()),
    }
}

/// `inspan cancel`.
pub(super) async fn cancel(here: &Here, args: RunName) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = super::find(&repository, args.run.as_deref())?;
    if let Some(holder) = Lease::holder(&folder.path) {
        holder.interrupt().map_err(|error| Error::Usage(format!("process {} cannot be reached: {error}", holder.pid)))?;
        here.screen
            .say(&format!("Run {} is being stopped by process {}; what its workers have is kept.", folder.run, holder.pid));
        return Ok(0);
    }
    let lease = take_lease(&folder.path, folder.run.as_str())?;
    let mut recorder = Recorder::take_up(&folder.path, folder.run.clone())?;
    if matches!(recorder.state().phase(), Phase::Over(_) | Phase::Rejected) {
        here.screen.say(&format!("Run {} is over already.", folder.run));
        return Ok(0);
    }
    let config = here.config(&repository, overrides(&LimitArgs::default(), true, None))?;
    let (screen, solo, no_gate) = (here.screen.clone(), true, recorder.state().settings().no_gate);
    let launch = Launch { repository, config, screen, format: Format::Text, folder, lease, no_gate, solo, told: 0 };
    let site = launch.site()?;
    salvage::bring_in_order(&mut recorder, &site).await?;
    recorder.record(&Event::CancelRequested)?;
    let ending = launch.carry_through(recorder, false, site).await?;
    here.screen.say("Cancelled; what its workers left is kept.");
    Ok(u8::from(ending != Ending::Over(RunStatus::Cancelled)))
}

/// What kind of run it is to be.
#[derive(Clone, Copy)]
struct Kind {
    no_gate: bool,
    solo: bool,
}

/// A run of a goal in a repository, with a configuration that does not come from the person's files: the demo.
pub(crate) async fn run_configured(
    here: &Here,
    repository: Repository,
    config: Config,
    goal: &str,
) -> Result<(RunFolder, u8), Error> {
    let kind = Kind { no_gate: false, solo: false };
    let (launch, recorder) = begin_in(here, goal, Surroundings { repository, config, format: Format::Text }, kind).await?;
    let (site, folder) = (launch.site()?, launch.folder.clone());
    need_planner(&site)?;
    let code = go_on(here, launch, recorder, site).await?;
    Ok((folder, code))
}

async fn begin(here: &Here, goal: &str, how: &HowArgs, kind: Kind) -> Result<(Launch, Recorder), Error> {
    let repository = here.repository().await?;
    let config = here.config(&repository, overrides(&how.limits, how.yes, how.review))?;
    begin_in(here, goal, Surroundings { repository, config, format: format_of(how.output_format) }, kind).await
}

/// Where a run begins, and how it is shown.
struct Surroundings {
    repository: Repository,
    config: Config,
    format: Format,
}

async fn begin_in(here: &Here, goal: &str, around: Surroundings, kind: Kind) -> Result<(Launch, Recorder), Error> {
    let Surroundings { repository, config, format } = around;
    let folder = Store::new(&repository.state_dir()).create()?;
    let lease = take_lease(&folder.path, folder.run.as_str())?;
    let start = repository.starting_point(&folder.run).await?;
    let screen = here.screen.clone();
    say_start(here, &repository, &start, folder.run.as_str());
    let launch = Launch { repository, config, screen, format, folder, lease, no_gate: kind.no_gate, solo: kind.solo, told: 0 };
    let site = match launch.look_around(&start).await {
        Ok(()) => launch.site(),
        Err(error) => Err(error),
    };
    let has_planner = match site {
        Ok(site) => site.planner_model.is_some(),
        Err(error) => {
            abandon(&launch).await;
            return Err(error);
        }
    };
    let first = beginning(goal, &launch.repository, &start, launch.settings(has_planner));
    let recorder = Recorder::begin(&launch.folder.path, launch.folder.run.clone(), &first)?;
    launch.repository.git.set_ref(&format!("refs/heads/inspan/{}", launch.folder.run), &start.commit).await?;
    Ok((launch, recorder))
}

fn say_start(here: &Here, repository: &Repository, start: &crate::repository::StartingPoint, run: &str) {
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

async fn go_on(here: &Here, launch: Launch, recorder: Recorder, site: std::sync::Arc<Site>) -> Result<u8, Error> {
    let (folder, started) = (launch.folder.clone(), std::time::Instant::now());
    let ending = launch.carry_through(recorder, false, site).await?;
    let Ending::Over(status) = ending else { return Ok(0) };
    let state = RunState::fold(&super::entries(&folder)?).map_err(crate::recorder::RecordError::from)?;
    here.screen.say("");
    here.screen.say(ui::status_of_run(&folder.run, &state, false).trim_end());
    here.screen.say(&format!("time     {}", words::clock(started.elapsed())));
    here.screen.say(&what_next(status, &state, folder.run.as_str()));
    Ok(exit_code_of(status))
}

fn what_next(status: RunStatus, state: &RunState, run: &str) -> String {
    let apply = format!("`inspan diff {run}` shows the result, `inspan apply {run}` brings it into your branch.");
    match (status, state.landed().is_empty()) {
        (RunStatus::Complete, _) => format!("\nEvery step is tested. {apply}"),
        (RunStatus::Incomplete, false) => format!("\nWhat landed is tested. {apply} `inspan resume {run}` tries the rest again."),
        (RunStatus::OverBudget, false) => {
            format!("\nWhat landed is tested. {apply} `inspan resume {run}` with a larger budget goes on.")
        }
        (RunStatus::Cancelled, false) => format!("\nWhat landed is tested. {apply} `inspan resume {run}` goes on."),
        (_, true) => format!("\nNothing has landed. `inspan log {run}` shows what happened, `inspan resume {run}` tries again."),
    }
}

fn take_lease(folder: &Path, run: &str) -> Result<Lease, Error> {
    Lease::take(folder).map_err(Error::disk(folder))?.map_err(|held| Error::Busy { run: run.to_owned(), pid: held.pid })
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::Usage(format!("{} cannot be read: {error}", path.display())))
}

fn read_goal(here: &Here, args: &GoalArgs) -> Result<String, Error> {
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

fn plan_of_file(launch: &Launch, site: &Site, text: &str, name: String) -> Result<(Plan, Vec<String>), Error> {
    let mut reading = file::Reading::of_toml(text);
    site.rules.set_gate(&mut reading.draft.gate);
    let Checked { plan, problems } = lint::check(&reading, &site.survey, &launch.lint_rules());
    match plan {
        Some(plan) => Ok((plan, problems.iter().map(ToString::to_string).collect())),
        None => Err(Error::InvalidPlan { source_name: name, problems }),
    }
}

/// The goal as the only task.
fn solo(launch: &Launch, site: &Site, goal: &str) -> Result<(Plan, Vec<String>), Error> {
    let mut gate: Gate = site.rules.configured.clone().unwrap_or_else(|| site.rules.guess.clone());
    site.rules.set_gate(&mut gate);
    let title: String = goal.lines().next().unwrap_or_default().chars().take(72).collect();
    let task = Task {
        id: TaskId::new("solo").expect("it is a task id"),
        title,
        instructions: goal.to_owned(),
        depends_on: Vec::new(),
        scope: Scope { write: vec![Glob::new("**").expect("it is a glob")], shared: Vec::new() },
        deliver: Vec::new(),
        verify: gate.commands.clone(),
        hand_off: None,
        worker: WorkerKind::Agent,
        limits: Limits::default(),
    };
    let source_name = "the goal as one task".to_owned();
    let draft = PlanDraft { goal: goal.to_owned(), gate, tasks: vec![task] };
    let plan = Plan::new(draft).map_err(|problems| Error::InvalidPlan { source_name: source_name.clone(), problems })?;
    let (problems, _): (Vec<_>, Vec<_>) =
        lint::lint(&plan, &site.survey, &launch.lint_rules()).into_iter().partition(plans::Problem::is_error);
    if problems.is_empty() { Ok((plan, Vec::new())) } else { Err(Error::InvalidPlan { source_name, problems }) }
}

fn need_planner(site: &Site) -> Result<(), Error> {
    if site.planner_model.is_some() { Ok(()) } else { Err(Error::NoModel { what: "plan".to_owned() }) }
}

fn need_workers(site: &Site, plan: &Plan) -> Result<(), Error> {
    let agents = plan.tasks().iter().any(|task| task.worker == WorkerKind::Agent);
    if agents && site.worker_model.is_none() { Err(Error::NoModel { what: "carry out the plan".to_owned() }) } else { Ok(()) }
}
