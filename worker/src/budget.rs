//! The run's money and tokens, as an attempt sees them: asked for before a request, settled after it.
//!
//! **Invariant:** every reservation that was granted is settled, also when the request fails or is cancelled.
//! **Invariant:** a future of [`Budget::reserve`] that is dropped before it is done leaves nothing reserved.
//!
//! Not here: who keeps the books (`orchestrator`'s ledger), and the attempt's own limits ([`agent`](crate::agent)).

use futures_util::future::BoxFuture;
use shared::{Limit, Money, Price, Purpose, Repairs, Tokens};

use crate::model::Model;

/// What a request may take at most, as far as its sender knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Prompt and answer.
    pub estimate: Tokens,
    /// How many of the prompt's tokens are guessed by bytes, because no provider has counted them yet. They are part of `estimate`.
    pub guessed: u64,
    /// Who is asked, where it may be another model than the budget was opened for.
    pub other: Option<Other>,
}

/// A model that is asked for something on the side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its name.
    pub model: String,
    /// What it, or whoever stands in for it, is known to cost at most.
    pub bound: Option<Price>,
}

impl Ask {
    /// The same, of this model.
    #[must_use]
    pub fn of(self, model: &dyn Model) -> Self {
        Self { other: Some(Other { model: model.id().to_owned(), bound: model.price() }), ..self }
    }
}

impl From<Tokens> for Ask {
    /// A prompt that was counted.
    fn from(estimate: Tokens) -> Self {
        Self { estimate, ..Self::default() }
    }
}

/// A granted reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The ledger's number for it.
    pub id: u64,
    /// What was granted: what was asked for, or an answer that is shorter than that.
    pub estimate: Tokens,
    /// Whether the run's budget is almost used up: it may be the last request that can be paid for.
    pub last: bool,
}

/// One try of a request that broke off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Try {
    /// Who was asked, where it was another model than the one that was asked last.
    pub model: Option<String>,
    /// What it took.
    pub tokens: Tokens,
}

/// What a request took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settlement {
    /// What it was for.
    pub purpose: Purpose,
    /// Of all its tries together; nothing where it failed before anything came.
    pub used: Tokens,
    /// The tries before the last one, as their provider counted them. They are part of `used`: each has a price of its own.
    pub lost: Vec<Try>,
    /// The tries before the last one that streamed something and were counted by nobody, by bytes. They are **not** part of `used`.
    pub guessed: Vec<Try>,
    /// Whether the provider counted nothing, so that it is estimated by bytes.
    pub estimated: bool,
    /// The model that was asked last, where it was another one than was meant.
    pub model: Option<String>,
    /// What was done to tool calls so that they could be read.
    pub repairs: Repairs,
    /// How often the request was sent again.
    pub retries: u32,
    /// Whom somebody stood in for, and why.
    pub stood_in_for: Option<String>,
}

impl Settlement {
    /// What the last try took.
    pub fn last(&self) -> Tokens {
        self.lost.iter().fold(self.used, |left, lost| Tokens {
            hit: left.hit.saturating_sub(lost.tokens.hit),
            miss: left.miss.saturating_sub(lost.tokens.miss),
            write: left.write.saturating_sub(lost.tokens.write),
            output: left.output.saturating_sub(lost.tokens.output),
        })
    }
}

/// Why there is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverBudget {
    /// The run cannot afford it.
    Run,
    /// The run could, but what is left of this limit is promised to other tasks.
    Share(Limit),
}

/// Where reservations come from.
pub trait Budget: Send + Sync {
    /// Asks for what a request may take at most. May wait until others have settled.
    fn reserve(&self, ask: Ask) -> BoxFuture<'_, Result<Reservation, OverBudget>>;

    /// Says what it took. Answers what that costs, if anybody knows.
    fn settle(&self, reservation: Reservation, settlement: Settlement) -> BoxFuture<'_, Option<Money>>;
}

/// A budget without an end and without prices.
pub struct Unlimited;

impl Budget for Unlimited {
    fn reserve(&self, ask: Ask) -> BoxFuture<'_, Result<Reservation, OverBudget>> {
        Box::pin(async move { Ok(Reservation { id: 0, estimate: ask.estimate, last: false }) })
    }

    fn settle(&self, _: Reservation, _: Settlement) -> BoxFuture<'_, Option<Money>> {
        Box::pin(async { None })
    }
}
