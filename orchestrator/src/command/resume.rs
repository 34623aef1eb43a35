//! `resume` and `review`: a run goes on in a new process.
//!
//! **Invariant:** it behaves as its journal says. Only a flag that is given now changes that: a budget is never lost by a crash.

use std::time::Duration;

use plans::{
    Plan,
    admission::PlanRules,
    edit::PlanEdit,
    event::{Event, RunStatus, Settings},
    run_state::{Phase, RunState},
};
use worker::sandbox::{Tier, TierChoice};

use super::{
    Here,
    begin::{Begun, need_planner, need_workers, take_lease},
    format_of,
    orders::{Told, tell},
    overrides,
    retry::Again,
    run::go_on,
    target::{Want, run_of},
};
use crate::{
    cli::{HowArgs, LimitArgs, ResumeArgs},
    config::Config,
    control::{Order, Refused},
    error::Error,
    launch::{Launch, sandbox},
    lease::{Held, Lease, Work},
    models::Models,
    recorder::Recorder,
    repository::Repository,
    salvage,
    store::RunFolder,
    sweep::Sweep,
    ui::summary::with_more,
};

/// `inspan resume`.
pub(super) async fn resume(here: &Here, args: ResumeArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = run_of(here, &repository, args.run.run.as_deref(), Want::Resume)?;
    if let Some(held) = Lease::holder(&folder.path).filter(|held| held.work == Some(Work::Run))
        && let Some(words) = let_go_on(&folder, held, &args.how).await?
    {
        here.screen.say(&words);
        return Ok(0);
    }
    Box::pin(take_up(here, Stopped { repository, folder }, &args.how, Purpose::GoOn)).await
}

/// A run that a process carries goes on if it is paused. None where that process has gone meanwhile.
async fn let_go_on(folder: &RunFolder, held: Held, how: &HowArgs) -> Result<Option<String>, Error> {
    let (run, pid) = (&folder.run, held.pid);
    if how.limits != LimitArgs::default() {
        let hint = format!("change its limits with `inspan limits {run}`");
        return Err(refused(run.as_str(), &format!("is being worked on by process {pid}, which these flags do not reach"), hint));
    }
    // Whoever only looks needs no answer of a process that may be stopped itself.
    if !super::look::state_of(folder)?.1.is_paused() {
        let hint = format!("`inspan status {run}` shows how it stands");
        return Err(refused(run.as_str(), &format!("is being worked on by process {pid}, and is not paused"), hint));
    }
    match tell(folder, &Order::Unpause).await? {
        Told::Reply(Ok(words)) => Ok(Some(words)),
        Told::Reply(Err(Refused { what, hint })) => {
            Err(refused(run.as_str(), &format!("is being worked on by process {pid}, and {what}"), hint))
        }
        Told::NobodyCarries => Ok(None),
        Told::Silence(error) => Err(error),
    }
}

/// `inspan review`.
pub(super) async fn review(here: &Here, args: ResumeArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = run_of(here, &repository, args.run.run.as_deref(), Want::Review)?;
    Box::pin(take_up(here, Stopped { repository, folder }, &args.how, Purpose::Review)).await
}

/// A run that no process is at.
pub(super) struct Stopped {
    pub(super) repository: Repository,
    pub(super) folder: RunFolder,
}

/// What it is taken up for.
pub(super) enum Purpose {
    /// To go on.
    GoOn,
    /// To have its plan reviewed, which has to wait for that.
    Review,
    /// To try one of its tasks again.
    Retry(Again),
}

/// Takes it up.
pub(super) async fn take_up(here: &Here, stopped: Stopped, how: &HowArgs, purpose: Purpose) -> Result<u8, Error> {
    let Stopped { repository, folder } = stopped;
    let config = here.config(&repository, overrides(&how.limits, how.yes, how.review))?;
    let lease = take_lease(&folder, Work::Run)?;
    let mut recorder = Recorder::take_up(&folder.path, folder.run.clone(), config.secrecy.clone())?;
    clear_up_after(recorder.state(), &repository, &config, &folder).await;
    refuse_what_is_over(recorder.state(), folder.run.as_str())?;
    refuse_what_is_gone(recorder.state(), &repository, folder.run.as_str()).await?;
    if let Purpose::Review = purpose {
        refuse_without_review(recorder.state(), folder.run.as_str())?;
    }
    if let Purpose::GoOn = purpose {
        refuse_what_is_given_up(recorder.state(), folder.run.as_str())?;
    }
    let models = Models::connect(&config, &repository.root)?;
    let settings = amended(recorder.state().settings(), &config, &how.limits);
    models.can_keep(&settings.run_limits)?;
    refuse_without_more(recorder.state(), &settings, recorder.worked(), folder.run.as_str())?;
    let (screen, format, told) = (here.screen.clone(), format_of(how.output_format), recorder.last());
    let sandbox = sandbox(choice(&settings, &config, &how.limits)).await?;
    let settings = Settings { sandbox: sandbox.tier().to_string(), ..settings };
    let launch = Launch { repository, config, screen, format, folder, lease, settings: settings.clone(), sandbox, told };
    launch.say_sandbox();
    let site = launch.site(models)?;
    match recorder.state().plan() {
        Some(plan) => {
            let landed = recorder.state().landed();
            need_workers(&site, plan.tasks().iter().filter(|task| !landed.contains(&task.id)), &settings.task_limits)?;
        }
        None => need_planner(&site, &settings.task_limits)?,
    }
    salvage::bring_in_order(&mut recorder, &site).await?;
    let worked_s = recorder.worked().as_secs();
    let (only, more) = match purpose {
        Purpose::Retry(again) => {
            let (state, rules) = (recorder.state(), PlanRules { run_limits: settings.run_limits, ..site.rules.clone() });
            let progress = state.progress().for_person();
            let edit = |plan: &Plan, edits: &[PlanEdit]| rules.mended(plan, edits, &progress, &site.survey);
            again.weighed(state, launch.folder.run.as_str(), (&edit, site.models.unpriced()))?
        }
        Purpose::GoOn | Purpose::Review => (Vec::new(), Vec::new()),
    };
    let resumed = Event::RunResumed { settings, worked_s, only };
    recorder.record_all(&[vec![resumed], more].concat())?;
    here.screen.say(&format!("Run {} goes on.", launch.folder.run));
    go_on(here, Begun { launch, recorder, site }).await
}

/// The journaled settings, changed by the flags that were given, whose values the configuration has checked.
fn amended(journaled: &Settings, config: &Config, flags: &LimitArgs) -> Settings {
    let mut settings = journaled.clone();
    if flags.workers.is_some() {
        settings.workers = config.run.workers.max(1);
    }
    if flags.max_cost.is_some() {
        settings.run_limits.cost = config.run.max_cost;
    }
    if flags.max_tokens.is_some() {
        settings.run_limits.tokens = config.run.max_tokens;
    }
    if flags.max_minutes.is_some() {
        settings.run_limits.minutes = config.run.max_minutes;
    }
    if flags.max_disk.is_some() {
        settings.max_disk = config.run.max_disk;
    }
    // How much room a disk has to have is said by the machine's owner, and is no affair of the run's.
    settings.min_free = config.run.min_free;
    settings
}

/// The sandbox that the run has had, unless a flag says otherwise now: a run that was begun in a strong one does not go on in a weaker one
/// because another machine, or a changed configuration, has no better.
fn choice(journaled: &Settings, config: &Config, flags: &LimitArgs) -> TierChoice {
    let is_named = flags.sandbox.is_some() || flags.dangerously_no_sandbox;
    // To go without one takes the flag each time.
    let before = Tier::named(&journaled.sandbox).filter(|tier| !is_named && *tier != Tier::None);
    before.map_or(config.sandbox.tier, TierChoice::Only)
}

/// A process that was killed when all was done has left its directories.
async fn clear_up_after(state: &RunState, repository: &Repository, config: &Config, folder: &RunFolder) {
    if let (Phase::Over(RunStatus::Complete), Some(worktrees)) = (state.phase(), &config.worktrees) {
        let worktrees = worktrees.join("worktrees");
        Sweep { git: &repository.git, worktrees: &worktrees, run: &folder.run, state }.carry_out().await;
    }
}

fn refuse_what_is_over(state: &RunState, run: &str) -> Result<(), Error> {
    match state.phase() {
        Phase::Over(RunStatus::Complete) => Err(refused(
            run,
            "is complete; there is nothing left to do",
            format!("bring it into your branch with `inspan apply {run}`"),
        )),
        Phase::Rejected => Err(refused(run, "was rejected", "start another one with `inspan run`".to_owned())),
        _ => Ok(()),
    }
}

/// A person's cancel stands until they take it back by name.
fn refuse_what_is_given_up(state: &RunState, run: &str) -> Result<(), Error> {
    let given_up: Vec<&str> = state.tasks().iter().filter(|record| record.given_up).map(|record| record.id.as_str()).collect();
    if !matches!(state.phase(), Phase::Over(_)) || given_up.is_empty() || !state.reopened_by(&[]).is_empty() {
        return Ok(());
    }
    let what = format!(
        "has nothing left to do but what was cancelled by name ({}), and what waits for that; it stays cancelled",
        given_up.join(", ")
    );
    Err(refused(run, &what, format!("`inspan retry {run} TASK` tries one of them again")))
}

/// A run whose base or tip somebody has removed from the repository, with everything that named them, has nothing to go on from.
pub(super) async fn refuse_what_is_gone(state: &RunState, repository: &Repository, run: &str) -> Result<(), Error> {
    let tip = format!("the last commit that landed ({})", state.tip().short());
    let base = if state.is_snapshot() { "the snapshot of uncommitted changes" } else { "the commit" };
    let base = format!("{base} that it starts from ({})", state.base().short());
    for (commit, what) in [(state.base(), base), (state.tip(), tip)] {
        if repository.git.commit(&commit.0).await.is_none() {
            let what = format!("cannot go on: {what} is gone from the repository, and nothing can make it again");
            let hint = format!(
                "begin a new run; what is left of this one: `inspan log {run}` tells what happened, `inspan clean` clears it away"
            );
            return Err(refused(run, &what, hint));
        }
    }
    Ok(())
}

/// A run that is over because of a limit which it would reach again at once does not begin. Room on a disk comes and goes.
fn refuse_without_more(state: &RunState, settings: &Settings, worked: Duration, run: &str) -> Result<(), Error> {
    let (Phase::Over(RunStatus::OverBudget), Some(why)) = (state.phase(), state.over_budget()) else { return Ok(()) };
    let (before, now) = (state.settings().run_limits, settings.run_limits);
    let (tokens, cost) = state.spending().with_guesses();
    let still_holds = [
        ("--max-minutes", now.minutes.is_some_and(|most| worked.as_secs() >= u64::from(most) * 60)),
        ("--max-tokens", now.tokens.is_some_and(|most| most <= before.tokens.unwrap_or_default().max(tokens.total()))),
        ("--max-cost", now.cost.is_some_and(|most| most <= before.cost.unwrap_or_default().max(cost))),
    ];
    if still_holds.into_iter().any(|(flag, holds)| holds && why.contains(flag)) {
        return Err(Error::OverBudget(format!("{why}; nothing was begun. {}", with_more(why, run))));
    }
    Ok(())
}

fn refuse_without_review(state: &RunState, run: &str) -> Result<(), Error> {
    if state.waits_for_review() {
        return Ok(());
    }
    let hint = format!("`inspan status {run}` shows how it stands, `inspan resume {run}` goes on with it");
    Err(refused(run, "has no plan that waits for a review", hint))
}

fn refused(run: &str, what: &str, hint: String) -> Error {
    Error::Refused { what: format!("run {run} {what}"), hint }
}

#[cfg(test)]
mod tests {
    use plans::event::CommitId;
    use shared::{Limits, Money};

    use super::*;
    use crate::config::Sources;

    fn config(flags: &LimitArgs) -> Config {
        let flags = overrides(flags, false, None);
        let toml = "[run]\nworkers = 9\nmax_tokens = 5\nreplans = 7\n";
        let repo = Some(("inspan.toml".into(), toml.to_owned()));
        Config::load(Sources { repo, flags, ..Sources::default() }).unwrap()
    }

    #[test]
    fn a_resumed_run_keeps_its_settings_but_for_the_flags_that_are_given_now() {
        let budget = Limits { cost: Some(Money { nano_usd: 1_000_000_000 }), ..Limits::default() };
        let journaled = Settings { workers: 2, replans: 0, planner: false, run_limits: budget, ..Settings::default() };
        let none = LimitArgs::default();
        assert_eq!(amended(&journaled, &config(&none), &none), journaled, "the configuration changes nothing");
        let more = LimitArgs { max_cost: Some(2.5), workers: Some(3), ..LimitArgs::default() };
        let after = amended(&journaled, &config(&more), &more);
        let budget = Limits { cost: Some(Money { nano_usd: 2_500_000_000 }), ..budget };
        assert_eq!(after, Settings { workers: 3, run_limits: budget, ..journaled });
    }

    #[test]
    fn only_a_plan_that_waits_for_a_review_is_reviewed() {
        let commit = CommitId("c".repeat(40));
        let settings = Settings::default();
        let (base, head) = (commit.clone(), commit);
        let first = Event::RunStarted { goal: "g".to_owned(), base, head, snapshot: false, settings, program: String::new() };
        let state = RunState::begin(&first).unwrap();
        let error = refuse_without_review(&state, "abc").unwrap_err();
        assert!(error.hint().unwrap().contains("`inspan resume abc`"), "{error}");
    }
}
