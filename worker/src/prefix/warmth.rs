//! Warming a prefix before many begin with it at once.
//!
//! Some providers keep a prefix only where an earlier request ended, or where two earlier requests parted (`DeepSeek`). Of many siblings
//! that start at once none finds the shared prefix then, and each pays for it. One small request that ends exactly where the siblings
//! part, sent and answered before they ask, lets all of them find it.
//!
//! A conversation of nothing but standing orders ends exactly there, and one answer token is asked for. A server that will have no
//! conversation without a word of the user gets two small ones that differ in that word: the prefix is then what two requests share.
//!
//! **Invariant:** it is done once in a process for each model, whoever comes first; the others wait until it is done, and not longer
//! than [`PATIENCE`].
//! **Invariant:** it is paid for like any request, and whatever goes wrong with it stops nobody.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use shared::{Purpose, Tokens};
use tokio::{sync::OnceCell, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    budget::{Budget, Settlement},
    model::{Answer, Label, Message, Model, ModelError, PrefixCache, Request, estimate_tokens, tool_bytes},
    tool::ToolSpec,
};

/// How long the first requests of workers may wait for it.
pub const PATIENCE: Duration = Duration::from_secs(45);
/// How long one that is stopped may take to its end.
const GRACE: Duration = Duration::from_secs(5);
/// What the user says where somebody has to.
const WORDS: [&str; 2] = ["Wait.", "Get ready."];

/// Which models know the run's prefix.
#[derive(Debug, Default)]
pub struct Warmth {
    done: DashMap<String, Arc<OnceCell<()>>>,
}

/// Somebody stopped it.
struct Stopped;

/// What one warming needs.
#[derive(Clone, Copy)]
pub struct Cold<'a> {
    /// Whose cache.
    pub model: &'a dyn Model,
    /// What all workers begin with.
    pub shared: &'a Message,
    /// Their tools.
    pub tools: &'a [ToolSpec],
    /// Who pays.
    pub budget: &'a dyn Budget,
    /// In whose name; its turn is 0.
    pub label: &'a Label,
    /// Ends the wait.
    pub cancel: &'a CancellationToken,
}

impl Warmth {
    /// Comes back once the model's cache knows the prefix, or cannot be made to. At once where its cache needs no such thing.
    pub async fn of(&self, cold: Cold<'_>) {
        if cold.model.prefix_cache() != PrefixCache::Warmed {
            return;
        }
        let cell = Arc::clone(&self.done.entry(cold.model.id().to_owned()).or_default());
        // Whoever comes second waits here for the first, and takes over should that one be stopped.
        let warmed = cell.get_or_try_init(|| cold.warm_in_time());
        tokio::select! {
            biased;
            _ = warmed => {}
            () = stopped(cold.cancel) => {}
            () = sleep(PATIENCE + GRACE) => {}
        }
    }
}

/// A request that is stopped comes to its own end first, so that what it took is settled.
async fn stopped(cancel: &CancellationToken) {
    cancel.cancelled().await;
    sleep(GRACE).await;
}

impl Cold<'_> {
    /// An error only where this attempt was stopped: then somebody else does it.
    async fn warm_in_time(&self) -> Result<(), Stopped> {
        let stop = self.cancel.child_token();
        let warm = self.warm(&stop);
        tokio::pin!(warm);
        tokio::select! {
            biased;
            () = &mut warm => {}
            () = sleep(PATIENCE) => {
                stop.cancel();
                warm.await;
            }
        }
        if self.cancel.is_cancelled() { Err(Stopped) } else { Ok(()) }
    }

    async fn warm(&self, stop: &CancellationToken) {
        let orders = [self.shared.clone()];
        let answer = self.ask(&orders, stop).await;
        if !matches!(answer, Err(ModelError::BadRequest { .. })) {
            return self.told(answer);
        }
        for word in WORDS {
            let answer = self.ask(&[self.shared.clone(), Message::user(word)], stop).await;
            if answer.is_err() {
                return self.told(answer);
            }
        }
    }

    fn told(&self, answer: Result<(), ModelError>) {
        if let Err(error) = answer {
            tracing::warn!(%error, model = self.model.id(), "the shared prefix could not be warmed; every worker pays for it");
        }
    }

    async fn ask(&self, messages: &[Message], stop: &CancellationToken) -> Result<(), ModelError> {
        let label = Label { turn: 0, ..self.label.clone() };
        let bytes = messages.iter().map(Message::bytes).sum::<u64>() + tool_bytes(self.tools);
        let prompt = Tokens { miss: estimate_tokens(bytes), ..Tokens::default() };
        let Ok(reservation) = self.budget.reserve(Tokens { output: 1, ..prompt }.into()).await else { return Ok(()) };
        let request = Request { label: &label, messages, tools: self.tools, max_tokens: 1 };
        let answer = self.model.ask(&request, &|_| {}, stop).await;
        let used = match &answer {
            Ok(Answer { usage, .. }) => usage.unwrap_or(Tokens { output: 1, ..prompt }),
            Err(_) => Tokens::default(),
        };
        let estimated = !matches!(answer, Ok(Answer { usage: Some(_), .. }));
        self.budget.settle(reservation, Settlement { purpose: Purpose::WarmUp, used, estimated, ..Settlement::default() }).await;
        answer.map(drop)
    }
}

#[cfg(test)]
mod tests;
