//! The last bills: nobody leaves while a request is under way whose cost is still to be journaled.
//!
//! Whoever may ask a model holds a token until its end was heard. A request that is stopped comes to its end at once; its bill then
//! lies in the dispatcher's mailbox before the end of whoever asked.
//!
//! **Invariant:** the wait is bounded: a model that does not even hear that it is stopped keeps no process from leaving.

use std::time::Duration;

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::Dispatcher;

/// Somewhat longer than a worker lets a call take that was told to stop.
const PATIENCE: Duration = Duration::from_secs(12);

/// Whether the run's end waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It is not in sight.
    #[default]
    No,
    /// It waits for bills.
    Waits,
    /// It has waited long enough.
    Has,
}

/// Waits until every token was given back, but not for ever.
pub(super) async fn all_have_come(bills: TaskTracker) {
    bills.close();
    if timeout(PATIENCE, bills.wait()).await.is_err() {
        tracing::error!("what a request took that was stopped is not known; it is not in the journal");
    }
}

impl Dispatcher {
    /// Whether the end has to wait for what somebody has still under way, who is told to stop. Their answer brings it up again.
    pub(super) fn waits_for_bills(&mut self, me: &ActorRef<Self>) -> bool {
        if self.leaving == Leaving::Has || self.bills.is_empty() {
            return false;
        }
        self.cancel.cancel();
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Waits;
            let (me, bills) = (me.clone(), self.bills.clone());
            tokio::spawn(async move {
                all_have_come(bills).await;
                // The dispatcher is gone only when the whole run is.
                let _ = me.tell(AllHaveCome).await;
            });
        }
        true
    }
}

/// Everybody has said what their last request took, or does not say it any more.
struct AllHaveCome;

impl Message<AllHaveCome> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, _: AllHaveCome, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        self.leaving = Leaving::Has;
        self.pursue(&me).await;
    }
}
