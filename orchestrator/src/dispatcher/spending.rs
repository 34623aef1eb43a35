//! What the run may spend: the ledger is set up with what was spent before, is told how the plan shares out what is left, and its turns go
//! into the journal; the run's minutes are counted here.
//!
//! **Invariant:** a resumed run does not begin anew: neither its money nor its minutes.
//! **Invariant:** the ledger hears of every change of the state that changes who may have what, and of the last one last.

use std::time::{Duration, SystemTime};

use kameo::{
    actor::{ActorRef, Spawn as _},
    message::{Context, Message},
};
use plans::{Task, event::Event, run_state::RunState, spending::Spending};
use shared::{Money, Price};

use super::Dispatcher;
use crate::ledger::{Account, Ledger, LedgerArgs, Share, Shares, TurnPaid, shares};

/// What the ledger was told last.
#[derive(Default)]
pub(super) struct Shared {
    number: u64,
    shares: Vec<Share>,
}

impl Dispatcher {
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
        let Some(minutes) = self.state().settings().run_limits.minutes else { return };
        let (me, cancel) = (me.downgrade(), self.cancel.clone());
        let left = Duration::from_secs(60 * u64::from(minutes)).saturating_sub(self.recorder.worked());
        tokio::spawn(async move {
            if cancel.run_until_cancelled(tokio::time::sleep(left)).await.is_some()
                && let Some(me) = me.upgrade()
            {
                // A dispatcher that is gone needs no budget.
                let _ = me.tell(OutOfTime { minutes }).await;
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
struct OutOfTime {
    minutes: u32,
}

impl Message<OutOfTime> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, OutOfTime { minutes }: OutOfTime, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let why = format!("the run's limit of {minutes} minutes (--max-minutes)");
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
