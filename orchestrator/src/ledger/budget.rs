//! The ledger as one attempt sees it, or one conversation of the planner.
//!
//! **Invariant:** a budget that is gone has nothing reserved and waits for nothing, however its owner came to an end: what a panic
//! leaves open would make others wait for ever.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use kameo::{actor::ActorRef, message::Message};
use shared::{AttemptKey, Money};
use worker::{
    budget::{Ask, Budget, Other, OverBudget, Reservation, Settlement},
    model::Model,
};

use super::{Abandon, Buyer, Close, Ledger, Reserve, Settle};

/// The budget of one attempt or of one conversation of the planner.
pub struct AttemptBudget {
    ledger: ActorRef<Ledger>,
    buyer: Buyer,
    turns: AtomicU32,
    /// Those of its requests that are not settled are given back when this is gone.
    account: Open,
}

/// The ledger hears of the end of whoever holds this.
struct Open {
    ledger: ActorRef<Ledger>,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        tell_later(&self.ledger, Close { budget: self.number });
    }
}

impl AttemptBudget {
    /// A budget without turns yet, for requests to this model.
    pub fn new(ledger: ActorRef<Ledger>, attempt: Option<AttemptKey>, model: &dyn Model) -> Self {
        let buyer = Buyer { attempt, model: model.id().to_owned(), bound: model.price() };
        let account = Open { ledger: ledger.clone(), number: TICKETS.fetch_add(1, Ordering::Relaxed) };
        Self { ledger, buyer, turns: AtomicU32::new(0), account }
    }

    /// The budget of an attempt that has had turns already.
    #[must_use]
    pub fn after_turns(self, turns: u32) -> Self {
        Self { turns: AtomicU32::new(turns), ..self }
    }
}

/// Tickets and the numbers of budgets are unique in this process.
static TICKETS: AtomicU64 = AtomicU64::new(1);

/// Whoever drops this before it is disarmed has not taken what it asked for.
struct Unanswered {
    ledger: Option<ActorRef<Ledger>>,
    ticket: u64,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(ledger) = self.ledger.take() else { return };
        tell_later(&ledger, Abandon { ticket: self.ticket });
    }
}

/// Tells from where nothing can wait. Without a runtime the whole run is gone.
fn tell_later<M: Send + 'static>(ledger: &ActorRef<Ledger>, message: M)
where
    Ledger: Message<M>,
{
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let ledger = ledger.clone();
        runtime.spawn(async move { ledger.tell(message).await.is_ok() });
    }
}

impl Budget for AttemptBudget {
    fn reserve(&self, ask: Ask) -> BoxFuture<'_, Result<Reservation, OverBudget>> {
        let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
        let buyer = self.buyer.clone();
        let buyer = match ask.other.clone() {
            Some(Other { model, bound }) => Buyer { model, bound, ..buyer },
            None => buyer,
        };
        let ask = Reserve { ticket, budget: self.account.number, buyer, ask };
        Box::pin(async move {
            let mut unanswered = Unanswered { ledger: Some(self.ledger.clone()), ticket };
            let answer = self.ledger.ask(ask).await;
            unanswered.ledger = None;
            answer.map_err(|error| error.err().unwrap_or(OverBudget::Run))
        })
    }

    fn settle(&self, reservation: Reservation, settlement: Settlement) -> BoxFuture<'_, Option<Money>> {
        // What is no turn belongs to the one before it.
        let turn = if settlement.purpose.is_turn() {
            self.turns.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            self.turns.load(Ordering::Relaxed)
        };
        Box::pin(async move {
            // The ledger is gone only when the whole run is.
            self.ledger.ask(Settle { reservation, turn, settlement }).await.ok().flatten()
        })
    }
}
