//! `pause`, `steer`, `skip`, `replan`, `limits`: orders to a run, from any terminal.
//!
//! A process that carries the run hears them through its control socket. Where none does they are journaled, by the same rules, and
//! `inspan resume` carries them out.
//!
//! **Invariant:** an order is given once: to the process that carries the run, or to its journal under the lease.

use std::time::Duration;

use plans::{Plan, edit::PlanEdit, event::Event, run_state::RunState, task_state::TaskState};
use shared::AttemptKey;
use worker::sandbox::Chosen;

use super::{
    Here,
    begin::take_lease,
    overrides,
    target::{self, Want, run_of, task_and_rest},
};
use crate::{
    cli::{LimitArgs, LimitsArgs, ReplanArgs, RunName, SteerArgs, TaskWords},
    control::{
        self, ForTask, Limiting, NoAnswer, Order, Reply,
        rules::{self, Granted, Means},
    },
    error::Error,
    launch::Launch,
    lease::{Lease, Work},
    models::Models,
    recorder::Recorder,
    repository::Repository,
    salvage,
    site::Site,
    store::RunFolder,
    ui::progress::Format,
};

/// How often it is tried to reach a process that has just begun.
const TRIES: u32 = 40;
const BREATH: Duration = Duration::from_millis(50);

/// To which run an order is given.
pub(super) struct Given {
    pub(super) repository: Repository,
    pub(super) folder: RunFolder,
}

/// What became of an order to whoever carries a run.
pub(super) enum Told {
    /// It was heard.
    Reply(Reply),
    /// There is no such process.
    NobodyCarries,
    /// It was said, and whether it was heard is not known.
    Silence(Error),
}

/// `inspan pause`.
pub(super) async fn pause(here: &Here, args: &RunName) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = run_of(here, &repository, args.run.as_deref(), Want::Order)?;
    give(here, Given { repository, folder }, Order::Pause).await
}

/// `inspan steer`.
pub(super) async fn steer(here: &Here, args: &SteerArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let (folder, task, words) = task_and_rest(here, &repository, &args.words, Want::Order)?;
    if words.is_empty() {
        return Err(Error::Usage(format!("say what `{task}` is to hear: `inspan steer {} {task} WORDS`", folder.run)));
    }
    let text = words.join(" ");
    give(here, Given { repository, folder }, Order::Steer { task: task.to_owned(), text }).await
}

/// `inspan skip`.
pub(super) async fn skip(here: &Here, args: &TaskWords) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let (folder, task, _) = task_and_rest(here, &repository, &args.names, Want::Order)?;
    let task = task.to_owned();
    give(here, Given { repository, folder }, Order::Skip { task }).await
}

/// `inspan replan`. A first word that names no run belongs to what the planner is asked for.
pub(super) async fn replan(here: &Here, args: ReplanArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let named = match args.words.first() {
        Some(first) => target::named(&repository, first)?,
        None => None,
    };
    let comment = args.words[usize::from(named.is_some())..].join(" ");
    let folder = named.map_or_else(|| run_of(here, &repository, None, Want::Order), Ok)?;
    give(here, Given { repository, folder }, Order::Replan { comment }).await
}

/// `inspan limits`.
pub(super) async fn limits(here: &Here, args: LimitsArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = run_of(here, &repository, args.run.run.as_deref(), Want::Order)?;
    let LimitsArgs {
        max_cost, max_tokens, max_minutes, workers, attempts, replans, turns, tokens, minutes, cost, max_disk, ..
    } = args;
    let task = args.task.map(|task| ForTask { task, turns, tokens, cost, minutes });
    let limiting = Limiting { max_cost, max_tokens, max_minutes, max_disk, workers, attempts, replans, task };
    if limiting == Limiting::default() {
        crate::ui::print(&crate::ui::limits_of_run(&super::look::state_of(&folder)?.1));
        return Ok(0);
    }
    give(here, Given { repository, folder }, Order::Limits(limiting)).await
}

/// Gives an order to whoever carries the run, or else to its journal.
pub(super) async fn give(here: &Here, given: Given, order: Order) -> Result<u8, Error> {
    let words = match tell(&given.folder, &order).await? {
        Told::Reply(reply) => reply?,
        Told::NobodyCarries => take_down(here, given, &order).await?,
        Told::Silence(error) => return Err(error),
    };
    here.screen.say(&words);
    Ok(0)
}

/// Tells an order to the process that carries the run, if one does.
pub(super) async fn tell(folder: &RunFolder, order: &Order) -> Result<Told, Error> {
    let mut count = 0;
    loop {
        let Some(held) = Lease::holder(&folder.path) else { return Ok(Told::NobodyCarries) };
        let (run, pid) = (folder.run.to_string(), held.pid);
        let why = match held.work {
            Some(Work::Run) => match control::send(&folder.path, order).await {
                Ok(reply) => return Ok(Told::Reply(reply)),
                Err(NoAnswer::NobodyListens(why)) => why.to_string(),
                Err(lost @ NoAnswer::Lost(_)) => {
                    let what =
                        format!("process {pid}, which carries run {run}, was told, and {lost}; it may or may not have done it");
                    let hint = format!("`inspan log {run}` shows whether it has");
                    return Ok(Told::Silence(Error::Refused { what, hint }));
                }
            },
            Some(_) => return Err(Error::Busy { run, held }),
            None => "it has just begun".to_owned(),
        };
        count += 1;
        if count > TRIES {
            let what =
                format!("process {pid} carries run {run}, and nobody listens at its control socket ({why}); nothing was done");
            return Err(Error::Refused {
                what,
                hint: format!("try again; or stop it with `inspan cancel {run}` and go on with `inspan resume {run}`"),
            });
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Journals an order that the next process carries out.
async fn take_down(here: &Here, given: Given, order: &Order) -> Result<String, Error> {
    let Given { repository, folder } = given;
    let lease = take_lease(&folder, Work::Order)?;
    let config = here.config(&repository, overrides(&LimitArgs::default(), false, None))?;
    let mut recorder = Recorder::take_up(&folder.path, folder.run.clone(), config.secrecy.clone())?;
    let (screen, settings, told) = (here.screen.clone(), recorder.state().settings().clone(), recorder.last());
    let (format, sandbox, run) = (Format::Text, Chosen::none(), folder.run.clone());
    let launch = Launch { repository, config, screen, format, folder, lease, settings, sandbox, told };
    let landing = order.task().and_then(|task| landing(recorder.state(), task));
    // Only what changes the plan needs to know what plans are held against.
    let needs_site = landing.is_some() || matches!(order, Order::Skip { .. } | Order::Limits(_));
    let site = needs_site.then(|| launch.site(Models::default())).transpose()?;
    if let Some((key, site)) = landing.zip(site.as_ref()) {
        settle(&mut recorder, site, key).await?;
    }
    let taken = site.as_ref().map(|site| site.places().taken()).unwrap_or_default();
    let state = recorder.state();
    let progress = state.progress().for_person();
    let edit = |plan: &Plan, edits: &[PlanEdit]| match &site {
        Some(site) => site.rules.mended(plan, edits, &progress, &site.survey),
        None => Err(Vec::new()),
    };
    let means =
        Means { run: run.as_str(), carried: false, planner: true, worked: recorder.worked(), edit: &edit, taken, unpriced: None };
    let Granted { events, words } = rules::weigh(order, state, &means)?;
    recorder.record_all(&events)?;
    Ok(words)
}

/// The landing of a task that a process has begun and not ended.
fn landing(state: &RunState, task: &str) -> Option<AttemptKey> {
    let record = state.landings().find(|record| record.id.as_str() == task)?;
    match record.state {
        TaskState::Landing { attempt, .. } => Some(AttemptKey { task: record.id.clone(), attempt }),
        _ => None,
    }
}

/// The landing of a process that is gone is none: the branch says whether it happened, and if not, the task waits for the next one.
async fn settle(recorder: &mut Recorder, site: &Site, key: AttemptKey) -> Result<(), Error> {
    salvage::bring_in_order(recorder, site).await?;
    if landing(recorder.state(), key.task.as_str()).is_some_and(|still| still == key) {
        let why = "the process that was at it is gone".to_owned();
        recorder.record(&Event::LandingPutBack { key, why })?;
    }
    Ok(())
}
