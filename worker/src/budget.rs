//! The run's money and tokens, as an attempt sees them: asked for before a request, settled after it.
//!
//! **Invariant:** every reservation that was granted is settled, also when the request fails or is cancelled.
//!
//! Not here: who keeps the books (`orchestrator`'s ledger), and the attempt's own limits ([`agent`](crate::agent)).

use futures_util::future::BoxFuture;
use shared::Tokens;

/// A granted reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The ledger's number for it.
    pub id: u64,
    /// What was granted: what was asked for, or an answer that is shorter than that.
    pub estimate: Tokens,
}

/// The run cannot afford the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget;

/// Where reservations come from.
pub trait Budget: Send + Sync {
    /// Asks for what a request may take at most.
    fn reserve(&self, estimate: Tokens) -> BoxFuture<'_, Result<Reservation, OverBudget>>;

    /// Says what it took.
    fn settle(&self, reservation: Reservation, used: Tokens) -> BoxFuture<'_, ()>;
}

/// A budget without an end.
pub struct Unlimited;

impl Budget for Unlimited {
    fn reserve(&self, estimate: Tokens) -> BoxFuture<'_, Result<Reservation, OverBudget>> {
        Box::pin(async move { Ok(Reservation { id: 0, estimate }) })
    }

    fn settle(&self, _: Reservation, _: Tokens) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
