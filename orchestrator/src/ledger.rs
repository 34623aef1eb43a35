//! The ledger: owns the money of a run.
//!
//! Before a request is sent its estimate is reserved; afterwards what the provider counted is settled, and the turn goes into the
//! journal. The sum of what is spent and what is reserved never passes a limit of the run. Who asks for more than is free gets what is
//! free, if a useful answer fits into it; waits, if others may give something back; and is refused otherwise.
//!
//! **Invariant:** a settled turn is in the journal, in order, exactly once: [`Settle`] is answered only when the dispatcher has taken
//! the turn into its mailbox.
//! **Invariant:** everybody who waits is answered: at the latest when nothing is reserved any more.

use std::collections::{HashMap, VecDeque};

use futures_util::future::BoxFuture;
use kameo::{
    Actor,
    actor::{ActorRef, Recipient},
    message::{Context, Message},
    reply::{DelegatedReply, ReplySender},
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

/// An answer shorter than this can hardly hold a thought and a call, in tokens.
const LEAST_ANSWER: u64 = 1_024;
/// An answer of this length is rarely cut, in tokens.
const USUAL_ANSWER: u64 = 4_096;

/// The books.
#[derive(Debug)]
struct Books {
    limits: Limits,
    spent: (Tokens, Money),
    reserved: HashMap<u64, (Tokens, Money)>,
    next: u64,
}

/// What follows from an ask.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Grant(Tokens),
    Wait,
    Refuse,
}

impl Books {
    fn decide(&self, ask: &Reserve) -> Decision {
        let output = ask.estimate.output;
        let (room, alone) = (self.room_for_answer(ask), self.reserved.is_empty());
        let enough = if alone { LEAST_ANSWER } else { USUAL_ANSWER };
        if room >= output || room >= enough {
            Decision::Grant(Tokens { output: output.min(room), ..ask.estimate })
        } else if alone {
            Decision::Refuse
        } else {
            Decision::Wait
        }
    }

    /// How many tokens an answer may have, once the prompt is paid for, by every limit.
    fn room_for_answer(&self, ask: &Reserve) -> u64 {
        let prompt = Tokens { output: 0, ..ask.estimate };
        let (tokens, money) =
            self.reserved.values().fold(self.spent, |(tokens, money), (more, cost)| (tokens + *more, money + *cost));
        let by_tokens = self.limits.tokens.map(|limit| limit.saturating_sub(tokens.total() + prompt.total()));
        let by_money = self.limits.cost.zip(ask.price).map(|(limit, price)| {
            let left = limit.saturating_sub(money).saturating_sub(price.of(prompt));
            left.nano_usd.saturating_mul(1_000_000).checked_div(price.output.nano_usd).unwrap_or(u64::MAX)
        });
        by_tokens.unwrap_or(u64::MAX).min(by_money.unwrap_or(u64::MAX))
    }

    fn grant(&mut self, estimate: Tokens, price: Option<Price>) -> Reservation {
        let id = self.next;
        self.next += 1;
        self.reserved.insert(id, (estimate, price.map(|price| price.of(estimate)).unwrap_or_default()));
        Reservation { id, estimate }
    }

    fn settle(&mut self, reservation: Reservation, used: Tokens, cost: Option<Money>) {
        if self.reserved.remove(&reservation.id).is_some() {
            self.spent.0 += used;
            self.spent.1 += cost.unwrap_or_default();
        }
    }
}

/// The actor.
pub struct Ledger {
    books: Books,
    waiting: VecDeque<(Reserve, ReplySender<Granted>)>,
    tell: Recipient<TurnPaid>,
}

type Granted = Result<Reservation, NotGranted>;

impl Ledger {
    /// Begins with what earlier processes of this run have spent.
    pub fn new(limits: Limits, spent: (Tokens, Money), tell: Recipient<TurnPaid>) -> Self {
        let books = Books { limits, spent, reserved: HashMap::new(), next: 1 };
        Self { books, waiting: VecDeque::new(), tell }
    }

    /// Answers those who wait, in their order, as far as they can be answered.
    fn serve(&mut self) {
        while let Some((ask, reply)) = self.waiting.pop_front() {
            match self.books.decide(&ask) {
                Decision::Wait => return self.waiting.push_front((ask, reply)),
                Decision::Refuse => reply.send(Err(NotGranted)),
                Decision::Grant(estimate) => reply.send(Ok(self.books.grant(estimate, ask.price))),
            }
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
#[derive(Debug, Clone, Copy)]
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
    type Reply = DelegatedReply<Granted>;

    async fn handle(&mut self, ask: Reserve, ctx: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let (reply, sender) = ctx.reply_sender();
        if let Some(sender) = sender {
            self.waiting.push_back((ask, sender));
            self.serve();
        }
        reply
    }
}

/// The run cannot afford it.
#[derive(Debug, Clone, Copy)]
pub struct NotGranted;

impl Message<Settle> for Ledger {
    type Reply = ();

    async fn handle(&mut self, Settle { reservation, turn }: Settle, _: &mut Context<Self, ()>) {
        self.books.settle(reservation, turn.tokens, turn.cost);
        self.serve();
        if turn.tokens.total() > 0 {
            // The dispatcher is gone only when the whole run is.
            let _ = self.tell.tell(turn).await;
        }
    }
}

/// The budget of one attempt or of one conversation of the planner.
pub struct AttemptBudget {
    /// The books.
    pub ledger: ActorRef<Ledger>,
    /// Whose it is: none for the planner.
    pub attempt: Option<AttemptKey>,
    /// What its model costs.
    pub price: Option<Price>,
    turns: std::sync::atomic::AtomicU32,
}

impl AttemptBudget {
    /// A budget without turns yet.
    pub fn new(ledger: ActorRef<Ledger>, attempt: Option<AttemptKey>, price: Option<Price>) -> Self {
        Self { ledger, attempt, price, turns: std::sync::atomic::AtomicU32::new(0) }
    }

    /// The budget of an attempt that has had turns already.
    #[must_use]
    pub fn after_turns(self, turns: u32) -> Self {
        Self { turns: std::sync::atomic::AtomicU32::new(turns), ..self }
    }
}

impl Budget for AttemptBudget {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn books(tokens: Option<u64>, usd: Option<f64>) -> Books {
        let limits = Limits { tokens, cost: usd.and_then(Money::from_usd), ..Limits::default() };
        Books { limits, spent: (Tokens::default(), Money::default()), reserved: HashMap::new(), next: 1 }
    }

    fn ask(miss: u64, output: u64) -> Reserve {
        let usd = |amount| Money::from_usd(amount).unwrap();
        Reserve {
            estimate: Tokens { hit: 0, miss, write: 0, output },
            price: Some(Price { hit: usd(0.0), miss: usd(1.0), write: None, output: usd(10.0) }),
        }
    }

    fn granted(output: u64) -> Decision {
        Decision::Grant(Tokens { hit: 0, miss: 1_000, write: 0, output })
    }

    #[test]
    fn what_is_free_is_granted_and_no_more() {
        assert_eq!(books(None, None).decide(&ask(1_000, 16_000)), granted(16_000));
        assert_eq!(books(Some(10_000), None).decide(&ask(1_000, 16_000)), granted(9_000));
        assert_eq!(books(Some(1_500), None).decide(&ask(1_000, 16_000)), Decision::Refuse);
        assert_eq!(books(Some(1_500), None).decide(&ask(1_000, 400)), granted(400));
        assert_eq!(books(None, Some(0.021)).decide(&ask(1_000, 16_000)), granted(2_000));
        assert_eq!(books(None, Some(0.001)).decide(&ask(1_000, 16_000)), Decision::Refuse);
    }

    #[test]
    fn who_would_get_too_little_waits_while_others_may_give_something_back() {
        let mut books = books(Some(20_000), None);
        let first = books.grant(ask(1_000, 16_000).estimate, None);
        assert_eq!(books.decide(&ask(1_000, 16_000)), Decision::Wait);
        books.settle(first, Tokens { hit: 0, miss: 1_000, write: 0, output: 500 }, None);
        assert_eq!(books.decide(&ask(1_000, 16_000)), granted(16_000));
        assert_eq!(books.spent.0.total(), 1_500);
    }

    #[test]
    fn a_reservation_is_settled_once() {
        let mut books = books(None, None);
        let reservation = books.grant(ask(1, 1).estimate, None);
        for _ in 0..2 {
            books.settle(reservation, Tokens { hit: 0, miss: 0, write: 0, output: 7 }, None);
        }
        assert_eq!(books.spent.0.total(), 7);
    }
}
