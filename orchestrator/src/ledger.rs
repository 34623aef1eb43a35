//! The ledger: owns the money of a run.
//!
//! Before a request is sent its estimate is reserved; afterwards what the provider counted is settled, and the turn goes into the
//! journal. The sum of what is spent and what is reserved never passes a limit of the run.
//!
//! **Invariant:** a settled turn is in the journal, in order, exactly once: [`Settle`] is answered only when the dispatcher has taken
//! the turn into its mailbox.

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use kameo::{
    Actor,
    actor::{ActorRef, Recipient},
    message::{Context, Message},
};
use shared::{AttemptKey, Limits, Money, Price, Tokens};
use worker::budget::{Budget, OverBudget, Reservation};

/// A turn that was paid for, on its way to the journal.
#[derive(Debug, Clone)]
pub struct TurnPaid {
    /// Whose: none for the planner.
    pub attempt: Option<AttemptKey>,
    /// Which turn.
    pub turn: u32,
    /// What the provider counted.
    pub tokens: Tokens,
    /// What it cost, where the price is known.
    pub cost: Option<Money>,
}

/// The books.
pub struct Ledger {
    limits: Limits,
    spent: (Tokens, Money),
    reserved: HashMap<u64, (Tokens, Money)>,
    next: u64,
    tell: Recipient<TurnPaid>,
}

impl Ledger {
    /// Begins with what earlier processes of this run have spent.
    pub fn new(limits: Limits, spent: (Tokens, Money), tell: Recipient<TurnPaid>) -> Self {
        Self { limits, spent, reserved: HashMap::new(), next: 1, tell }
    }

    fn reserve(&mut self, estimate: Tokens, price: Option<Price>) -> Result<Reservation, OverBudget> {
        let cost = price.map(|price| price.of(estimate)).unwrap_or_default();
        let tokens: u64 = self.reserved.values().map(|(tokens, _)| tokens.total()).sum::<u64>() + self.spent.0.total();
        let money: Money = self.reserved.values().map(|(_, cost)| *cost).sum::<Money>() + self.spent.1;
        let too_many = self.limits.tokens.is_some_and(|limit| tokens + estimate.total() > limit);
        let too_dear = self.limits.cost.is_some_and(|limit| money + cost > limit);
        if too_many || too_dear {
            return Err(OverBudget);
        }
        let id = self.next;
        self.next += 1;
        self.reserved.insert(id, (estimate, cost));
        Ok(Reservation { id, estimate })
    }

    fn settle(&mut self, reservation: Reservation, used: Tokens, cost: Option<Money>) {
        if self.reserved.remove(&reservation.id).is_some() {
            self.spent.0 += used;
            self.spent.1 += cost.unwrap_or_default();
        }
    }
}

impl Actor for Ledger {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(args)
    }
}

/// Asks for what a request may take at most.
pub struct Reserve {
    estimate: Tokens,
    price: Option<Price>,
}

/// Says what it took.
pub struct Settle {
    reservation: Reservation,
    turn: TurnPaid,
}

impl Message<Reserve> for Ledger {
    type Reply = Result<Reservation, NotGranted>;

    async fn handle(&mut self, ask: Reserve, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.reserve(ask.estimate, ask.price).map_err(|OverBudget| NotGranted)
    }
}

/// The run cannot afford it.
#[derive(Debug, Clone, Copy)]
pub struct NotGranted;

impl Message<Settle> for Ledger {
    type Reply = ();

    async fn handle(&mut self, Settle { reservation, turn }: Settle, _: &mut Context<Self, ()>) {
        self.settle(reservation, turn.tokens, turn.cost);
        if turn.tokens.total() > 0 {
            // The dispatcher is gone only when the whole run is.
            let _ = self.tell.tell(turn).await;
        }
    }
}

/// The purse of one attempt or of one conversation of the planner.
pub struct Purse {
    /// The books.
    pub ledger: ActorRef<Ledger>,
    /// Whose it is: none for the planner.
    pub attempt: Option<AttemptKey>,
    /// What its model costs.
    pub price: Option<Price>,
    turns: std::sync::atomic::AtomicU32,
}

impl Purse {
    /// A purse without turns yet.
    pub fn new(ledger: ActorRef<Ledger>, attempt: Option<AttemptKey>, price: Option<Price>) -> Self {
        Self { ledger, attempt, price, turns: std::sync::atomic::AtomicU32::new(0) }
    }

    /// The purse of an attempt that has had turns already.
    #[must_use]
    pub fn after_turns(self, turns: u32) -> Self {
        Self { turns: std::sync::atomic::AtomicU32::new(turns), ..self }
    }
}

impl Budget for Purse {
    fn reserve(&self, estimate: Tokens) -> BoxFuture<'_, Result<Reservation, OverBudget>> {
        let ask = Reserve { estimate, price: self.price };
        Box::pin(async move { self.ledger.ask(ask).await.map_err(|_| OverBudget) })
    }

    fn settle(&self, reservation: Reservation, used: Tokens) -> BoxFuture<'_, ()> {
        let turn = if used.total() > 0 { self.turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 } else { 0 };
        let cost = self.price.map(|price| price.of(used));
        let turn = TurnPaid { attempt: self.attempt.clone(), turn, tokens: used, cost };
        Box::pin(async move {
            // The ledger is gone only when the whole run is.
            let _ = self.ledger.ask(Settle { reservation, turn }).await;
        })
    }
}
