//! The dispatcher: owns the state of the run and does what it owes.
//!
//! Receive, journal, apply, act: every message becomes an event, every event goes to disk, and then whatever the state owes is
//! announced and made. What to do is never decided here; `plans::run_state` decides. What takes time runs in tasks that report back
//! with a message, so that a stop is heard at once.
//!
//! **Invariant:** an effect is journaled before it is made. **Invariant:** every task that is started reports back, also when it
//! panics: a run never waits for something that is gone.
//! **Invariant:** asks go down (planner, ledger, coordinator), everything that comes up is a tell: no two actors wait for each other.
//!
//! Attempts are in `crew`, the plan and its review in `planning`, landings in `landings`, questions to the person in `approving`, money and
//! time in `spending`, what a person orders from elsewhere in `orders`, the wait for the
//! last bills in `leaving`.

mod ahead;
mod approving;
mod briefing;
mod crew;
mod grants;
mod landings;
mod leaving;
mod orders;
mod planning;
mod replanning;
mod room;
mod spending;

use std::{collections::HashMap, sync::Arc};

use kameo::{
    Actor,
    actor::{ActorRef, Spawn as _, WeakActorRef},
    message::{Context, Message},
};
use plans::{
    event::{CommitId, Event, RunStatus},
    run_state::{Owed, RunState},
};
use shared::AttemptKey;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use orders::ordered;
pub use planning::{Policy, ReviewPolicy};

use crate::{
    coordinator::{branch, ladder::where_it_is_kept},
    error::Error,
    kept,
    ledger::Ledger,
    planner::Planner,
    recorder::Recorder,
    site::Site,
    ui::review::Reviewer,
};

/// How the dispatcher's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The run is over.
    Over(RunStatus),
    /// A plan was drafted, and nothing else was wanted.
    Planned,
}

/// The actor.
pub struct Dispatcher {
    site: Arc<Site>,
    recorder: Recorder,
    policy: Policy,
    reviewer: Arc<dyn Reviewer>,
    crew: HashMap<AttemptKey, crew::LiveAttempt>,
    drafting: planning::Drafting,
    approving: approving::Approving,
    ledger: Option<ActorRef<Ledger>>,
    shared: spending::Shared,
    terms: spending::Terms,
    planner: Option<ActorRef<Planner>>,
    landings: landings::Landings,
    room: room::Room,
    /// Whoever has a request under way that is still to be journaled.
    bills: TaskTracker,
    leaving: leaving::Leaving,
    cancel: CancellationToken,
    end: Option<oneshot::Sender<Result<Ending, Error>>>,
}

/// What a dispatcher begins with.
pub struct DispatcherArgs {
    /// The surroundings.
    pub site: Arc<Site>,
    /// The journal and its state.
    pub recorder: Recorder,
    /// How plans are approved.
    pub policy: Policy,
    /// Who reviews them.
    pub reviewer: Arc<dyn Reviewer>,
    /// Where the end is told.
    pub end: oneshot::Sender<Result<Ending, Error>>,
}

impl Actor for Dispatcher {
    type Args = DispatcherArgs;
    type Error = std::convert::Infallible;

    async fn on_start(args: Self::Args, me: ActorRef<Self>) -> Result<Self, Self::Error> {
        let terms = spending::Terms::new(&args.recorder);
        let mut dispatcher = Self {
            terms,
            site: args.site,
            recorder: args.recorder,
            policy: args.policy,
            reviewer: args.reviewer,
            crew: HashMap::new(),
            drafting: planning::Drafting::default(),
            approving: approving::Approving::default(),
            ledger: None,
            shared: spending::Shared::default(),
            planner: None,
            landings: landings::Landings::default(),
            room: room::Room::default(),
            bills: TaskTracker::new(),
            leaving: leaving::Leaving::default(),
            cancel: CancellationToken::new(),
            end: Some(args.end),
        };
        dispatcher.set_up(&me);
        let site = dispatcher.site.clone();
        let kept = kept::expected(site.run(), dispatcher.state());
        let tip = (!dispatcher.state().is_cancelling()).then(|| dispatcher.state().tip().clone());
        let ready = match ensure_refs(&site, kept, tip).await {
            Ok(()) => dispatcher.look_at_what_is_used_up().await,
            Err(error) => Err(error),
        };
        match ready {
            Ok(()) => dispatcher.pursue(&me).await,
            Err(error) => dispatcher.finish(Err(error)),
        }
        Ok(dispatcher)
    }

    /// A worker that dies is heard of through its task; its death must not be ours.
    async fn on_link_died(
        &mut self,
        _: WeakActorRef<Self>,
        _: kameo::actor::ActorId,
        _: kameo::error::ActorStopReason,
    ) -> Result<std::ops::ControlFlow<kameo::error::ActorStopReason>, Self::Error> {
        Ok(std::ops::ControlFlow::Continue(()))
    }
}

impl Dispatcher {
    fn state(&self) -> &RunState {
        self.recorder.state()
    }

    fn set_up(&mut self, me: &ActorRef<Self>) {
        self.watch_the_clock(me);
        self.watch_the_disk(me);
        let ledger = self.open_ledger(me);
        self.planner = self.site.models.planner.clone().map(|model| {
            Planner::spawn(Planner::new((self.site.clone(), model), ledger.clone(), self.terms.hold(), self.cancel.clone()))
        });
        self.ledger = Some(ledger);
    }

    /// Does what is owed until nothing more is.
    async fn pursue(&mut self, me: &ActorRef<Self>) {
        loop {
            let mut announced = false;
            let (owed, waits) = self.with_room(self.state().owed(), me);
            for owed in owed {
                if self.end.is_none() {
                    return;
                }
                match self.act(owed, me).await {
                    Ok(was_announced) => announced |= was_announced,
                    Err(error) => return self.finish(Err(error)),
                }
            }
            self.share_out();
            if !announced {
                if !waits && let Err(error) = self.look_ahead(me).await {
                    self.finish(Err(error));
                }
                return;
            }
        }
    }

    /// Makes one thing that is owed; says whether it was announced to the journal, after which the state owes something else.
    async fn act(&mut self, owed: Owed, me: &ActorRef<Self>) -> Result<bool, Error> {
        match owed {
            Owed::Plan => self.draft(me),
            Owed::Review { revision } => return self.review(revision, me),
            Owed::Start { key, continuation } => {
                self.start(key, continuation, me).await?;
                return Ok(true);
            }
            Owed::Stop { key } => self.stop(&key),
            Owed::ProveBase => self.prove_base(me).await?,
            Owed::Land { batch } => {
                self.land(batch, me).await?;
                return Ok(true);
            }
            Owed::Replan { number, causes, comment } => {
                self.record(&Event::ReplanStarted { number, causes })?;
                self.replan(number, comment.filter(|comment| !comment.trim().is_empty()), me);
                return Ok(true);
            }
            Owed::EndTask { task, end, mut why } => {
                // Also of one whose last try failed otherwise: its work is in there.
                if let Some(place) = where_it_is_kept(&self.site.repository.git, self.site.run(), &task).await {
                    why = format!("{why}; {place}");
                }
                self.record(&Event::TaskEnded { task, end, why })?;
                return Ok(true);
            }
            Owed::Halt { .. } | Owed::EndRun { .. } if self.waits_for_bills(me) => {}
            Owed::Halt { why } => {
                let run = self.site.run().to_string();
                self.finish(Err(Error::Halted { why, run }));
            }
            Owed::EndRun { status } => {
                let tip = self.state().tip().clone();
                self.record(&Event::RunEnded { status, tip })?;
                self.finish(Ok(Ending::Over(status)));
            }
        }
        Ok(false)
    }

    /// Once the end was told, nothing more is recorded but what was paid: whatever still comes in is for the next process to find.
    fn record(&mut self, event: &Event) -> Result<(), Error> {
        if self.end.is_none() {
            return Err(Error::Interrupted);
        }
        Ok(self.recorder.record(event)?)
    }

    /// The same of several events that belong together.
    fn record_all(&mut self, events: &[Event]) -> Result<(), Error> {
        if self.end.is_none() {
            return Err(Error::Interrupted);
        }
        Ok(self.recorder.record_all(events)?)
    }

    /// Records and goes on, or gives up where the journal cannot be written.
    async fn record_and_pursue(&mut self, event: &Event, me: &ActorRef<Self>) {
        match self.record(event) {
            Ok(()) => self.pursue(me).await,
            Err(error) => self.finish(Err(error)),
        }
    }

    /// The one way out: stops whatever is alive, and says how it ended once what that has taken is known.
    fn finish(&mut self, how: Result<Ending, Error>) {
        self.cancel.cancel();
        if let Some(end) = self.end.take() {
            let bills = self.bills.clone();
            tokio::spawn(async move {
                leaving::all_have_come(bills).await;
                // Whoever started this dispatcher waits for it, or has gone.
                let _ = end.send(how);
            });
        }
    }
}

/// The run branch is there from the beginning, and so is whatever else the journal knows by name: what somebody has deleted meanwhile
/// is made again. A run that is only to be stopped needs no branch.
async fn ensure_refs(site: &Site, kept: Vec<(String, CommitId)>, tip: Option<CommitId>) -> Result<(), Error> {
    let git = &site.repository.git;
    let lost = kept::put_back(git, site.run(), kept).await?;
    if !lost.is_empty() {
        tracing::error!(?lost, "somebody deleted these refs, and git has thrown away what they named");
    }
    match tip {
        Some(tip) => branch::advance(git, &site.branch_ref(), &tip).await,
        None => Ok(()),
    }
}

/// Somebody wants the run to stop.
pub struct Interrupt;

impl Message<Interrupt> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, _: Interrupt, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        if let Err(error) = self.record(&Event::CancelRequested) {
            return self.finish(Err(error));
        }
        // Whatever waits for a person, a model or a command comes back at once: workers, planner, review, landing.
        self.cancel.cancel();
        self.pursue(&me).await;
    }
}

/// The tip of the run branch as a start for the next attempt.
fn tip(state: &RunState) -> CommitId {
    state.tip().clone()
}
