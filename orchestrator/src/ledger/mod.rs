//! The ledger: owns the money of a run.
//!
//! Before a request is sent its estimate is reserved; afterwards what the provider counted is settled, and the turn goes into the
//! journal. What is decided is in [`books`]; how the limits are shared out among tasks is in [`purse`] and [`shares`].
//!
//! **Invariant:** a settled turn is in the journal, in order, exactly once: [`Settle`] is answered only when the dispatcher has taken
//! the turn into its mailbox.
//! **Invariant:** everybody who waits is answered: at the latest when nobody is at work who does not wait. While a person holds the
//! run, nobody is.
//! **Invariant:** whoever is gone has nothing reserved ([`Close`]): a panic between asking and settling must not make others wait.
//! **Invariant:** a price that nobody knows is said, and nothing is counted for it.
//!
//! Not here: the run's minutes (the dispatcher's) and the limits of one attempt (`worker::agent`).

mod books;
mod budget;
mod calibration;
mod purse;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use kameo::{
    Actor,
    actor::Recipient,
    message::{Context, Message},
    reply::{DelegatedReply, ReplySender},
};
use plans::spending::Turn;
use shared::{AttemptKey, Limits, Money, Price, Tariff, Tokens};
use worker::budget::{Ask, OverBudget, Reservation, Settlement, Try};

pub use books::Share;
pub use budget::AttemptBudget;
pub use purse::Account;
pub use shares::shares;

use self::{
    books::{Books, Decision, Need},
    calibration::Calibration,
};
use crate::config::Tariffs;

/// A turn that was paid for, on its way to the journal.
#[derive(Debug, Clone)]
pub struct TurnPaid(pub Turn);

/// A request is over within this time, retries and all, or its price may have changed since it was reserved.
const LONGEST_REQUEST: u64 = 60 * 60;

/// What a ledger begins with.
pub struct LedgerArgs {
    /// The run's limits.
    pub limits: Limits,
    /// What earlier processes of this run have spent: tokens and money.
    pub spent: Vec<(Account, u64, Money)>,
    /// What models cost.
    pub tariffs: Tariffs,
    /// Who writes turns into the journal.
    pub tell: Recipient<TurnPaid>,
    /// The time, in seconds since 1970 in UTC.
    pub clock: fn() -> u64,
}

/// The actor.
pub struct Ledger {
    books: Books,
    waiting: Vec<Waiting>,
    /// What was granted and is not settled yet.
    pending: HashMap<u64, Pending>,
    calibrations: HashMap<String, Calibration>,
    tariffs: Tariffs,
    tell: Recipient<TurnPaid>,
    clock: fn() -> u64,
    /// The number of the shares that hold,
    shared: u64,
    /// and that of the terms.
    terms: u64,
    /// Whether a person holds the run: then nobody is answered.
    held: bool,
}

struct Waiting {
    ask: Reserve,
    need: Need,
    reply: ReplySender<Granted>,
}

/// What is known of a request under way.
struct Pending {
    ticket: u64,
    budget: u64,
    buyer: Buyer,
    /// The prompt's estimate, if all of it was guessed by bytes.
    guessed: u64,
    since: u64,
}

type Granted = Result<Reservation, OverBudget>;

/// Who pays, and for which models.
#[derive(Debug, Clone)]
pub struct Buyer {
    /// Whose budget it is: none for the planner.
    pub attempt: Option<AttemptKey>,
    /// The model that is asked, as `provider/model`.
    pub model: String,
    /// What the model, or whoever stands in for it, is known to cost at most.
    pub bound: Option<Price>,
}

impl Buyer {
    fn tariff(&self, tariffs: &Tariffs, model: &str) -> Option<Tariff> {
        let bound = || self.bound.filter(|_| model == self.model).map(Tariff::from);
        tariffs.get(model).cloned().or_else(bound)
    }

    /// The dearest that such a request can be, whoever answers, if anybody knows.
    fn price(&self, tariffs: &Tariffs, now: u64, prompt: u64) -> Option<Price> {
        let tariff = self.tariff(tariffs, &self.model)?;
        let own = tariff.within(now, now + LONGEST_REQUEST, prompt);
        // Where others may answer the bound is another than the model's own, and it holds at any hour.
        Some(self.bound.filter(|bound| *bound != tariff.dearest()).map_or(own, |bound| own.or_dearer(bound)))
    }
}

/// What the tries of one request cost.
struct Rates<'a> {
    buyer: &'a Buyer,
    tariffs: &'a Tariffs,
    /// Who was asked where a try does not say.
    model: &'a str,
    during: (u64, u64),
}

impl Rates<'_> {
    /// Each try alone: several short prompts are no long one, and each model has its own price. None where one of them is unknown.
    fn of(&self, tries: &[Try], cost: fn(&Price, Tokens) -> Money) -> Option<Money> {
        let of_one = |one: &Try| {
            let tariff = self.buyer.tariff(self.tariffs, one.model.as_deref().unwrap_or(self.model))?;
            let price = tariff.within(self.during.0, self.during.1, one.tokens.prompt());
            Some(cost(&price, one.tokens))
        };
        tries.iter().map(of_one).sum()
    }
}

impl Ledger {
    /// Begins where earlier processes of this run have ended.
    pub fn new(args: LedgerArgs) -> Self {
        let LedgerArgs { limits, spent, tariffs, tell, clock } = args;
        let mut books = Books::new(limits);
        for (who, tokens, money) in spent {
            books.carry(&who, tokens, money);
        }
        let (waiting, pending, calibrations) = (Vec::new(), HashMap::new(), HashMap::new());
        Self { books, waiting, pending, calibrations, tariffs, tell, clock, shared: 0, terms: 0, held: false }
    }

    /// What a request takes at most, by all that the run has learned.
    fn need(&self, ask: &Reserve) -> Need {
        let Ask { mut estimate, guessed, .. } = ask.ask;
        let guessed = guessed.min(estimate.miss);
        let calibration = self.calibrations.get(&ask.buyer.model).copied().unwrap_or_default();
        estimate.miss = estimate.miss - guessed + calibration.correct(guessed);
        let price = ask.buyer.price(&self.tariffs, (self.clock)(), estimate.prompt());
        Need { attempt: ask.buyer.attempt.clone(), estimate, price }
    }

    /// Answers those who wait, in their order, as far as they can be answered.
    fn serve(&mut self) {
        if self.held {
            return;
        }
        while let Some((at, decision)) = self.books.answerable(self.waiting.iter().map(|waiting| &waiting.need)) {
            let Waiting { ask, need, reply } = self.waiting.remove(at);
            match decision {
                Decision::Wait => {}
                Decision::Refuse(why) => reply.send(Err(why)),
                Decision::Grant { output, last, kept } => {
                    let reservation = self.books.grant(&need, output, kept);
                    let guessed = if ask.ask.guessed == ask.ask.estimate.prompt() { ask.ask.guessed } else { 0 };
                    let pending =
                        Pending { ticket: ask.ticket, budget: ask.budget, buyer: ask.buyer, guessed, since: (self.clock)() };
                    self.pending.insert(reservation.id, pending);
                    reply.send(Ok(Reservation { last, ..reservation }));
                }
            }
        }
    }

    /// Nobody will settle these. What they took, if they were sent at all, nobody knows.
    fn give_back(&mut self, is_dead: impl Fn(&Pending) -> bool) {
        let dead: Vec<u64> = self.pending.iter().filter(|(_, pending)| is_dead(pending)).map(|(id, _)| *id).collect();
        for id in dead {
            self.pending.remove(&id);
            self.books.settle(id, Tokens::default(), None);
        }
        self.serve();
    }

    /// Writes down what a request came to. None where it came to nothing, or was settled before.
    fn close(&mut self, settle: Settle) -> Option<Turn> {
        let Settle { reservation, turn, settlement } = settle;
        let Pending { buyer, guessed, since, .. } = self.pending.remove(&reservation.id)?;
        let last = Try { model: None, tokens: settlement.last() };
        let Settlement { purpose, used, lost, guessed: uncounted, estimated, model, repairs, retries, stood_in_for } = settlement;
        let model = model.unwrap_or_else(|| buyer.model.clone());
        let rates = Rates { buyer: &buyer, tariffs: &self.tariffs, model: &model, during: (since, (self.clock)()) };
        let counted: Vec<Try> = lost.into_iter().chain([last]).collect();
        let (cost, uncached) = (rates.of(&counted, Price::of), rates.of(&counted, Price::uncached));
        let guess = (uncounted.iter().map(|uncounted| uncounted.tokens).sum::<Tokens>(), rates.of(&uncounted, Price::of));
        if !estimated && retries == 0 {
            self.calibrations.entry(model.clone()).or_default().learn(guessed, used.prompt());
        }
        self.books.settle(reservation.id, used + guess.0, cost.zip(guess.1).map(|(cost, guess)| cost + guess));
        let (task, attempt) = buyer.attempt.map(|key| (key.task, key.attempt)).unzip();
        let (guessed, guessed_cost) = (guess.0, guess.1.filter(|_| guess.0.total() > 0));
        let counted = Turn { task, attempt, turn, purpose, tokens: used, cost, uncached, model, ..Turn::default() };
        let turn = Turn { guessed, guessed_cost, estimated, repairs, retries, stood_in_for, ..counted };
        (purpose.is_turn() || (used + guess.0).total() > 0).then_some(turn)
    }
}

impl Actor for Ledger {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(args: Self, _: kameo::actor::ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(args)
    }
}

/// Asks for what a request may take at most.
#[derive(Debug, Clone)]
pub struct Reserve {
    ticket: u64,
    budget: u64,
    buyer: Buyer,
    ask: Ask,
}

impl Message<Reserve> for Ledger {
    type Reply = DelegatedReply<Granted>;

    async fn handle(&mut self, ask: Reserve, ctx: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let (delegated, reply) = ctx.reply_sender();
        if let Some(reply) = reply {
            let need = self.need(&ask);
            self.waiting.push(Waiting { ask, need, reply });
            self.serve();
        }
        delegated
    }
}

/// Whoever asked with this ticket has gone: nothing is to be reserved for it.
struct Abandon {
    ticket: u64,
}

impl Message<Abandon> for Ledger {
    type Reply = ();

    async fn handle(&mut self, Abandon { ticket }: Abandon, _: &mut Context<Self, ()>) {
        self.waiting.retain(|waiting| waiting.ask.ticket != ticket);
        self.give_back(|pending| pending.ticket == ticket);
    }
}

/// An attempt or a conversation of the planner is over, in whatever way: what it has not settled is settled by nobody else.
struct Close {
    budget: u64,
}

impl Message<Close> for Ledger {
    type Reply = ();

    async fn handle(&mut self, Close { budget }: Close, _: &mut Context<Self, ()>) {
        self.waiting.retain(|waiting| waiting.ask.budget != budget);
        self.give_back(|pending| pending.budget == budget);
    }
}

/// Says what it took.
pub struct Settle {
    reservation: Reservation,
    turn: u32,
    settlement: Settlement,
}

impl Message<Settle> for Ledger {
    type Reply = Option<Money>;

    async fn handle(&mut self, settle: Settle, _: &mut Context<Self, Option<Money>>) -> Option<Money> {
        let turn = self.close(settle);
        self.serve();
        let turn = turn?;
        let cost = turn.cost;
        // The dispatcher is gone only when the whole run is.
        let _ = self.tell.tell(TurnPaid(turn)).await;
        cost
    }
}

/// What a person has changed: what the run may take, and whether it is held. Of several the one with the highest number holds, in
/// whatever order they come.
pub struct Terms {
    /// Counted up by whoever sends them.
    pub number: u64,
    /// What the whole run may take.
    pub limits: Limits,
    /// Whether nobody is to ask a model.
    pub held: bool,
}

impl Message<Terms> for Ledger {
    type Reply = ();

    async fn handle(&mut self, Terms { number, limits, held }: Terms, _: &mut Context<Self, ()>) {
        if number > self.terms {
            (self.terms, self.held) = (number, held);
            self.books.limit(limits);
            self.serve();
        }
    }
}

/// How the run's limits are shared out from now on. Of several the one with the highest number holds, in whatever order they come.
pub struct Shares {
    /// Counted up by whoever sends them.
    pub number: u64,
    /// All that are not done.
    pub shares: Vec<Share>,
}

impl Message<Shares> for Ledger {
    type Reply = ();

    async fn handle(&mut self, Shares { number, shares }: Shares, _: &mut Context<Self, ()>) {
        if number > self.shared {
            self.shared = number;
            self.books.share_out(&shares);
            self.serve();
        }
    }
}
