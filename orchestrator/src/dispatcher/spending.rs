//! What the run may spend: the ledger is set up with what was spent before, is told how the plan shares out what is left, and its turns go
//! into the journal; the run's minutes are counted here. What a person changes of all that goes out from here.
//!
//! **Invariant:** a resumed run does not begin anew: neither its money nor its minutes.
//! **Invariant:** the ledger hears of every change of the state that changes who may have what, and of the last one last.

use std::time::{Duration, SystemTime};

use kameo::{
    actor::{ActorRef, Spawn as _},
    message::{Context, Message},
};
use plans::{Task, event::Event, run_state::RunState, spending::Spending};
use shared::{Limits, Money, Price};
use tokio::{sync::watch, time::Instant};
use worker::hold::{Hold, LiveLimits};

use super::Dispatcher;
use crate::{
    ledger::{self, Account, Ledger, LedgerArgs, Share, Shares, TurnPaid, shares},
    recorder::Recorder,
};

/// What the ledger was told last.
#[derive(Default)]
pub(super) struct Shared {
    number: u64,
    shares: Vec<Share>,
}

/// What a person may change while the run goes on: what it may take, and whether it is held.
pub(super) struct Terms {
    number: u64,
    held: watch::Sender<bool>,
    hold: Hold,
    changed: watch::Sender<Limits>,
    limits: LiveLimits,
    /// What the run was worked at until it was last held or let go,
    worked: Duration,
    /// and since when it is at it again.
    since: Option<Instant>,
}

impl Terms {
    /// Those of a run that is taken up.
    pub(super) fn new(recorder: &Recorder) -> Self {
        let (switch, hold) = Hold::new();
        let (changed, limits) = LiveLimits::new(recorder.state().settings().run_limits);
        Self { number: 0, held: switch, hold, changed, limits, worked: recorder.worked(), since: Some(Instant::now()) }
    }

    /// What a worker or the planner waits by.
    pub(super) fn hold(&self) -> Hold {
        self.hold.clone()
    }

    /// How long the run was worked at, all in all.
    pub(super) fn worked(&self) -> Duration {
        self.worked + self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn change(&mut self, limits: Limits, is_held: bool) {
        self.worked = self.worked();
        self.since = (!is_held).then(Instant::now);
        self.number += 1;
        self.held.send_replace(is_held);
        self.changed.send_replace(limits);
    }
}

impl Dispatcher {
    /// Tells everybody whom it concerns what a person has changed: the clock, the workers, the planner, the ledger. The ledger is never
    /// waited for: it may be waiting for this actor.
    pub(super) fn tell_terms(&mut self) {
        let (settings, held) = (self.state().settings().clone(), self.state().is_paused());
        self.terms.change(settings.run_limits, held);
        for (key, live) in &self.crew {
            let task = self.state().plan().and_then(|plan| plan.get(&key.task));
            if let Some((line, task)) = live.line().zip(task) {
                line.limits.send_replace(task.limits.or(settings.task_limits));
            }
        }
        let Some(ledger) = self.ledger.clone() else { return };
        let terms = ledger::Terms { number: self.terms.number, limits: settings.run_limits, held };
        // The ledger is gone only when the whole run is.
        tokio::spawn(async move { ledger.tell(terms).await });
    }

    pub(super) fn open_ledger(&self, me: &ActorRef<Self>) -> ActorRef<Ledger> {
        Ledger::spawn(Ledger::new(LedgerArgs {
            limits: self.state().settings().run_limits,
            spent: spent(self.state()),
            tariffs: self.site.tariffs.clone(),
            tell: me.clone().recipient::<TurnPaid>(),
            clock: now,
        }))
    }

    /// Stops the run when its minutes are over. What earlier processes took of them is gone.
    pub(super) fn watch_the_clock(&self, me: &ActorRef<Self>) {
        let (me, cancel, already) = (me.downgrade(), self.cancel.clone(), self.recorder.worked());
        let (hold, limits) = (self.terms.hold(), self.terms.limits.clone());
        tokio::spawn(async move {
            if cancel.run_until_cancelled(hold.minutes_pass(&limits, already)).await.is_some()
                && let Some(me) = me.upgrade()
            {
                // A dispatcher that is gone needs no budget.
                let _ = me.tell(OutOfTime).await;
            }
        });
    }

    /// Tells the ledger who may have what, if that has changed. It is never waited for: it may be waiting for this actor.
    pub(super) fn share_out(&mut self) {
        let limits = self.state().settings().run_limits;
        let Some(ledger) = self.ledger.clone().filter(|_| limits.tokens.is_some() || limits.cost.is_some()) else { return };
        let shares = shares(self.state(), self.site.opening(), |task| self.price(task));
        if shares == self.shared.shares {
            return;
        }
        self.shared = Shared { number: self.shared.number + 1, shares: shares.clone() };
        let shares = Shares { number: self.shared.number, shares };
        // The ledger is gone only when the whole run is.
        tokio::spawn(async move { ledger.tell(shares).await });
    }

    fn price(&self, task: &Task) -> Option<Price> {
        let named = task.model.as_ref().and_then(|name| self.site.tariffs.get(name).cloned());
        let worker = || self.site.models.worker.as_ref().and_then(|model| self.site.tariff(model.as_ref()));
        named.or_else(worker).map(|tariff| tariff.price)
    }
}

/// What everybody has spent so far, also what nobody has counted.
fn spent(state: &RunState) -> Vec<(Account, u64, Money)> {
    let tasks = state.tasks().iter().chain(state.gone());
    let of = |who, spending: &Spending| {
        let (tokens, money) = spending.with_guesses();
        (who, tokens.total(), money)
    };
    let tasks = tasks.map(|record| of(Account::Task(record.id.clone()), &record.spending));
    tasks.chain([of(Account::Planner, state.planner())]).collect()
}

/// Seconds since 1970 in UTC.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The run's time is up.
struct OutOfTime;

impl Message<OutOfTime> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, _: OutOfTime, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let minutes = self.state().settings().run_limits.minutes.unwrap_or_default();
        let noun = if minutes == 1 { "minute" } else { "minutes" };
        let why = format!("the run's limit of {minutes} {noun} (--max-minutes)");
        if let Err(error) = self.record(&Event::BudgetReached { why, stop: true }) {
            return self.finish(Err(error));
        }
        self.cancel.cancel();
        self.pursue(&me).await;
    }
}

impl Message<TurnPaid> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, TurnPaid(turn): TurnPaid, _: &mut Context<Self, ()>) {
        if let Err(error) = self.record(&Event::TurnTaken(turn)) {
            self.finish(Err(error));
        }
    }
}
