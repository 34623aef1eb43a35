//! `cancel`: a run is stopped, be it alive or left behind by a process that is gone.
//!
//! **Invariant:** no model, no price and no person is needed to stop a run.

use plans::{
    event::{Event, RunStatus},
    run_state::Phase,
};

use worker::sandbox::Chosen;

use super::{
    Here,
    begin::take_lease,
    orders::{Given, Told, give, tell},
    overrides,
    resume::refuse_what_is_gone,
    target::{Want, run_and_task},
};
use crate::{
    cli::{LimitArgs, RunAndTask},
    control::Order,
    dispatcher::Ending,
    error::Error,
    launch::Launch,
    lease::{Held, Lease, Work},
    models::Models,
    recorder::Recorder,
    repository::Repository,
    salvage,
    store::RunFolder,
    ui::progress::Format,
};

/// `inspan cancel`.
pub(super) async fn cancel(here: &Here, args: &RunAndTask) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let (folder, task) = run_and_task(here, &repository, (args.run.run.as_deref(), args.task.as_deref()), Want::Order)?;
    if let Some(task) = task {
        let order = Order::Cancel { task: Some(task.to_owned()) };
        return give(here, Given { repository, folder }, order).await;
    }
    match tell(&folder, &Order::Cancel { task: None }).await {
        Ok(Told::Reply(reply)) => {
            here.screen.say(&reply?);
            Ok(0)
        }
        Ok(Told::NobodyCarries) => end(here, repository, folder).await,
        Ok(Told::Silence(unknown)) => match Lease::holder(&folder.path) {
            Some(held) => interrupt_unheard(&folder, held),
            None => Err(unknown),
        },
        Err(deaf) => match Lease::holder(&folder.path) {
            Some(held) => interrupt(here, &folder, held),
            None => Err(deaf),
        },
    }
}

/// Who says nothing, such as a process that was stopped itself, is asked as Ctrl-C would, too; whether that is heard nobody knows.
fn interrupt_unheard(folder: &RunFolder, held: Held) -> Result<u8, Error> {
    let (run, pid) = (&folder.run, held.pid);
    held.interrupt(&folder.path).map_err(|source| Error::Unreachable { pid, source })?;
    Err(Error::Refused {
        what: format!(
            "process {pid}, which carries run {run}, was asked to stop and has not answered; it may or may not stop, and what its workers have is kept"
        ),
        hint: format!(
            "`inspan status {run}` shows whether it has; a process that is stopped itself goes on with `kill -CONT {pid}`"
        ),
    })
}

/// Who cannot be reached through the socket is asked as Ctrl-C would.
fn interrupt(here: &Here, folder: &RunFolder, held: Held) -> Result<u8, Error> {
    let run = folder.run.to_string();
    let asked = held.interrupt(&folder.path).map_err(|source| Error::Unreachable { pid: held.pid, source })?;
    if !asked {
        return Err(Error::Busy { run, held });
    }
    here.screen.say(&format!("Run {run} is being stopped by process {}; what its workers have is kept.", held.pid));
    Ok(0)
}

/// Takes up what a process left, to bring it to its end.
async fn end(here: &Here, repository: Repository, folder: RunFolder) -> Result<u8, Error> {
    let lease = take_lease(&folder, Work::Run)?;
    salvage::end_strays(&folder.run).await;
    let config = here.config(&repository, overrides(&LimitArgs::default(), true, None))?;
    let mut recorder = Recorder::take_up(&folder.path, folder.run.clone(), config.secrecy.clone())?;
    if matches!(recorder.state().phase(), Phase::Over(_) | Phase::Rejected) {
        let hint = format!("`inspan status {}` shows how it ended", folder.run);
        return Err(Error::Refused { what: format!("run {} is over already", folder.run), hint });
    }
    refuse_what_is_gone(recorder.state(), &repository, folder.run.as_str()).await?;
    let place = folder.clone();
    let (screen, settings, told) = (here.screen.clone(), recorder.state().settings().clone(), recorder.last());
    let format = Format::Text;
    let launch =
        Launch { repository, config, screen, format, folder, lease, settings: settings.clone(), sandbox: Chosen::none(), told };
    let site = launch.site(Models::default())?;
    salvage::bring_in_order(&mut recorder, &site).await?;
    let worked_s = recorder.worked().as_secs();
    recorder.record(&Event::RunResumed { settings, worked_s, only: Vec::new() })?;
    recorder.record(&Event::CancelRequested)?;
    let ending = launch.carry_through(recorder, false, site).await?;
    let waits = super::look::state_of(&place).is_ok_and(|(_, state)| state.waits_for_review());
    here.screen.say(&if waits {
        format!("Cancelled; the plan still waits for its review: `inspan review {}`.", place.run)
    } else {
        "Cancelled; what its workers left is kept.".to_owned()
    });
    Ok(u8::from(ending != Ending::Over(RunStatus::Cancelled)))
}
