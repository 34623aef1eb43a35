//! Requests for more scope: granted at once where no task that could run at the same time owns the files.
//!
//! **Invariant:** a grant is in the journal before the worker hears of it.

use futures_util::future::BoxFuture;
use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::event::Event;
use shared::{AttemptKey, Glob};
use tokio::sync::oneshot;
use worker::tool::{ScopeAnswer, ScopeOffice};

use super::Dispatcher;
use crate::error::Error;

/// A worker wants to write more than its plan says.
struct ScopeWanted {
    key: AttemptKey,
    globs: Vec<Glob>,
    reason: String,
    answer: oneshot::Sender<ScopeAnswer>,
}

impl Dispatcher {
    fn answer(&mut self, wanted: &ScopeWanted) -> Result<ScopeAnswer, Error> {
        let ScopeWanted { key, globs, reason, .. } = wanted;
        if let Err(why) = self.state().widened(&key.task, globs) {
            return Ok(ScopeAnswer::Refused(format!(
                "not granted: {why}. Do without it, or finish as `blocked` and say what is needed; the planner will see it"
            )));
        }
        self.record(&Event::ScopeGranted { key: key.clone(), globs: globs.clone(), reason: reason.clone() })?;
        let state = self.state();
        let task = state.plan().and_then(|plan| plan.get(&key.task));
        Ok(ScopeAnswer::Granted(task.map(|task| task.scope.clone()).unwrap_or_default()))
    }
}

impl Message<ScopeWanted> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, wanted: ScopeWanted, _: &mut Context<Self, ()>) {
        match self.answer(&wanted) {
            // A worker that has ended meanwhile needs no answer.
            Ok(answer) => drop(wanted.answer.send(answer)),
            Err(error) => self.finish(Err(error)),
        }
    }
}

/// A worker's way to ask for scope.
pub(super) struct ScopeRequests {
    pub(super) dispatcher: ActorRef<Dispatcher>,
    pub(super) key: AttemptKey,
}

impl ScopeOffice for ScopeRequests {
    fn request(&self, globs: Vec<Glob>, reason: String) -> BoxFuture<'_, ScopeAnswer> {
        let (answer, hear) = oneshot::channel();
        let wanted = ScopeWanted { key: self.key.clone(), globs, reason, answer };
        Box::pin(async move {
            let gone = || ScopeAnswer::Refused("the run is ending; nothing is granted any more".to_owned());
            if self.dispatcher.tell(wanted).await.is_err() {
                return gone();
            }
            hear.await.unwrap_or_else(|_| gone())
        })
    }
}
