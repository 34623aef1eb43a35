//! How many requests an endpoint gets at once.
//!
//! Nobody knows how much an endpoint bears, so it is found out: there is no limit until it refuses a request for being too many (429, 503,
//! 529). Then the limit is half of what was under way, and for each limit's worth of answers it grows by one. When the endpoint says how
//! long it wants to be left alone, all of its requests wait so long, not only the one that was told.
//!
//! [`Flow`] decides, on a clock that it is handed; [`Governor`] lets requests wait; [`Governed`] is a model that asks it first.
//!
//! **Invariant:** at least one request may always be under way: nobody waits for ever.
//! **Invariant:** who came first goes first.
//! **Invariant:** refusals of requests that went out together lower the limit once, not once each.
//!
//! Why not a limit from the start? Providers' limits differ by account and by the hour; a guess is too low for most and too high for some.
//! Trying again is [`retry`](super::retry)'s affair: a request that waits for its next try holds no place here.

#[cfg(test)]
mod tests;

use std::{
    collections::{VecDeque, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use dashmap::DashMap;
use futures_util::future::BoxFuture;
use shared::Price;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Answer, Delta, Model, ModelError, ModelSettings, OnDelta, PrefixCache, Request, Secret};

/// An endpoint that wants to be left alone for longer is not waited for: whoever asks is told.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What became of a request, as far as the flow cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was answered.
    Answered,
    /// It was one too many.
    Refused {
        /// How long the endpoint wants to be left alone.
        pause: Option<Duration>,
    },
    /// Something else, which says nothing about how much is too much.
    Other,
}

/// The state of one endpoint.
#[derive(Debug, Default)]
struct Flow {
    /// None until the first refusal.
    limit: Option<f64>,
    under_way: u32,
    paused: Option<Instant>,
    /// How often the limit was lowered. A request remembers this from when it went out.
    round: u64,
}

impl Flow {
    /// Whether one more may go out. Who goes out is given the round.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.paused.is_some_and(|until| now < until) || self.limit.is_some_and(|limit| f64::from(self.under_way) + 1.0 > limit)
        {
            return None;
        }
        self.under_way += 1;
        Some(self.round)
    }

    /// A request of that round is over.
    fn over(&mut self, round: u64, fate: Fate, now: Instant) {
        let under_way = f64::from(self.under_way);
        self.under_way = self.under_way.saturating_sub(1);
        match (fate, self.limit) {
            // A limit that does not bind teaches nothing.
            (Fate::Answered, Some(limit)) if under_way + 1.0 > limit => self.limit = Some(limit + 1.0 / limit),
            (Fate::Refused { pause }, limit) => {
                if round == self.round {
                    self.limit = Some((limit.unwrap_or(under_way).min(under_way) / 2.0).max(1.0));
                    self.round += 1;
                }
                let until = pause.filter(|pause| *pause <= LONGEST_PAUSE).map(|pause| now + pause);
                self.paused = self.paused.max(until);
            }
            _ => {}
        }
    }
}

/// The endpoint's door.
#[derive(Debug, Default)]
pub struct Governor {
    door: Mutex<Door>,
    /// A pause has begun: those who wait look at the clock anew.
    paused: Notify,
}

#[derive(Debug, Default)]
struct Door {
    flow: Flow,
    waiting: VecDeque<oneshot::Sender<u64>>,
}

impl Door {
    /// Lets in those who wait, in their order, as far as there is room.
    fn serve(&mut self, now: Instant) {
        while let Some(sender) = self.waiting.pop_front() {
            if sender.is_closed() {
                continue;
            }
            let Some(round) = self.flow.admit(now) else { return self.waiting.push_front(sender) };
            if sender.send(round).is_err() {
                self.flow.over(round, Fate::Other, now);
            }
        }
    }

    fn pause(&self, now: Instant) -> Duration {
        self.flow.paused.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

impl Governor {
    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket, at once if there is one and nobody waits; else when it is this one's turn.
    async fn enter(&self, on_delta: &OnDelta<'_>) -> Ticket<'_> {
        let turn = {
            let mut door = self.door();
            if door.waiting.is_empty()
                && let Some(round) = door.flow.admit(Instant::now())
            {
                return Ticket { governor: self, round, fate: Fate::Other };
            }
            let (sender, turn) = oneshot::channel();
            door.waiting.push_back(sender);
            turn
        };
        let mut waiting = Waiting { governor: self, turn };
        on_delta(Delta::Held { wait: self.door().pause(Instant::now()) });
        loop {
            let paused = self.paused.notified();
            let pause = self.door().pause(Instant::now());
            tokio::select! {
                biased;
                Ok(round) = &mut waiting.turn => return Ticket { governor: self, round, fate: Fate::Other },
                () = paused => {}
                // Places come free as requests end; but none of them ends when a pause does.
                () = sleep(pause), if !pause.is_zero() => self.door().serve(Instant::now()),
            }
        }
    }

    fn over(&self, round: u64, fate: Fate) {
        let mut door = self.door();
        let now = Instant::now();
        door.flow.over(round, fate, now);
        door.serve(now);
        if matches!(fate, Fate::Refused { pause: Some(_) }) {
            self.paused.notify_waiters();
        }
    }
}

/// A place in the queue. Who leaves it just as it is their turn gives the turn back.
struct Waiting<'a> {
    governor: &'a Governor,
    turn: oneshot::Receiver<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.turn.close();
        if let Ok(round) = self.turn.try_recv() {
            self.governor.over(round, Fate::Other);
        }
    }
}

/// The right to have one request under way. It goes back when it is dropped.
struct Ticket<'a> {
    governor: &'a Governor,
    round: u64,
    fate: Fate,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.governor.over(self.round, self.fate);
    }
}

/// The governors of a run: one for each endpoint and account, for its planner and all of its workers.
#[derive(Debug, Default)]
pub struct Governors(DashMap<(String, u64), Arc<Governor>>);

impl Governors {
    /// The one for these settings.
    pub fn of(&self, settings: &ModelSettings) -> Arc<Governor> {
        let mut key = DefaultHasher::new();
        settings.api_key.as_ref().map(Secret::reveal).hash(&mut key);
        Arc::clone(&self.0.entry((settings.base_url.clone(), key.finish())).or_default())
    }
}

/// A model that asks its endpoint's governor before each request.
pub struct Governed {
    inner: Arc<dyn Model>,
    governor: Arc<Governor>,
}

impl Governed {
    /// A model at this endpoint.
    pub fn new(inner: Arc<dyn Model>, governor: Arc<Governor>) -> Self {
        Self { inner, governor }
    }
}

fn fate(answer: &Result<Answer, ModelError>) -> Fate {
    match answer {
        Ok(_) => Fate::Answered,
        Err(
            ModelError::RateLimited { retry_after, .. } | ModelError::Overloaded { status: 429 | 503 | 529, retry_after, .. },
        ) => Fate::Refused { pause: *retry_after },
        Err(_) => Fate::Other,
    }
}

impl Model for Governed {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            let ticket = cancel.run_until_cancelled(self.governor.enter(on_delta)).await;
            let mut ticket = ticket.ok_or(ModelError::Cancelled)?;
            let answer = self.inner.ask(request, on_delta, cancel).await;
            ticket.fate = fate(&answer);
            answer
        })
    }

    fn prefix_cache(&self) -> PrefixCache {
        self.inner.prefix_cache()
    }

    fn context_budget(&self) -> Option<u64> {
        self.inner.context_budget()
    }

    fn context_window(&self) -> u64 {
        self.inner.context_window()
    }

    fn max_output(&self) -> u64 {
        self.inner.max_output()
    }

    fn price(&self) -> Option<Price> {
        self.inner.price()
    }

    fn id(&self) -> &str {
        self.inner.id()
    }
}
