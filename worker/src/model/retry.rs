//! Asking again.
//!
//! A request that failed for a passing reason is sent again after a wait that doubles, with jitter, so that workers which failed
//! together do not come back together. A server's own `Retry-After` counts for more, up to a point.
//!
//! **Invariant:** a turn ends: no try begins later than [`Patience::in_all`] after the first one, so that a turn lasts at most that long
//! and one request's own time limit.
//! **Invariant:** an answer that broke off is asked for anew, from the same conversation; nothing of it is kept.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use shared::Price;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Answer, Delta, Model, ModelError, ModelSettings, OnDelta, PrefixCache, Request};

const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// A server that wants to be left alone for longer than this is left alone: the person decides.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);
/// Nobody listens: either the server is just starting, or the address is wrong, and then the person should hear it soon.
const UNREACHABLE_RETRIES: u32 = 2;

/// How often, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often a request is sent again.
    pub retries: u32,
    /// The full first wait; each further one is twice as long.
    pub first_wait: Duration,
    /// How long after the first try another one may begin.
    pub in_all: Duration,
}

impl Patience {
    /// What settings say: the time of two whole requests must do.
    pub fn of(settings: &ModelSettings) -> Self {
        let ModelSettings { retries, retry_wait, request_timeout, .. } = settings;
        Self { retries: *retries, first_wait: *retry_wait, in_all: *request_timeout * 2 }
    }

    /// How long to wait before the next try, if there is to be one, after so many failed ones and so much time.
    fn wait(&self, error: &ModelError, failed: u32, elapsed: Duration) -> Option<Duration> {
        let retries = match error {
            ModelError::Unreachable { .. } => self.retries.min(UNREACHABLE_RETRIES),
            _ => self.retries,
        };
        if !error.is_transient() || failed > retries {
            return None;
        }
        let wait = match error.retry_after().filter(|wait| !wait.is_zero()) {
            Some(wait) if wait > LONGEST_RETRY_AFTER => return None,
            Some(wait) => wait,
            None => self.backoff(failed, fastrand::f64()),
        };
        (elapsed + wait <= self.in_all).then_some(wait)
    }

    /// Between half of the full wait and all of it, as `luck` (0 to 1) has it.
    fn backoff(&self, failed: u32, luck: f64) -> Duration {
        let doubled = self.first_wait.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
        doubled.min(LONGEST_WAIT).mul_f64(0.5 + luck / 2.0)
    }
}

/// A model that asks again.
pub struct Retrying {
    inner: Arc<dyn Model>,
    patience: Patience,
}

impl Retrying {
    /// Wraps a model.
    pub fn new(inner: Arc<dyn Model>, patience: Patience) -> Self {
        Self { inner, patience }
    }
}

impl Model for Retrying {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            let (start, mut failed) = (Instant::now(), 0);
            loop {
                let error = match self.inner.ask(request, on_delta, cancel).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                failed += 1;
                let Some(wait) = self.patience.wait(&error, failed, start.elapsed()) else { return Err(error) };
                on_delta(Delta::Retrying { why: &error, wait });
                if cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return Err(ModelError::Cancelled);
                }
            }
        })
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

    fn prefix_cache(&self) -> PrefixCache {
        self.inner.prefix_cache()
    }

    fn context_budget(&self) -> Option<u64> {
        self.inner.context_budget()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::{
        Message,
        testing::{Answers, label, text},
    };

    const FIRST_WAIT: Duration = Duration::from_millis(500);
    const PATIENCE: Patience = Patience { retries: 5, first_wait: FIRST_WAIT, in_all: Duration::from_secs(2400) };

    fn broken() -> ModelError {
        ModelError::Broken { why: "cut".into() }
    }

    fn refused() -> ModelError {
        ModelError::Unreachable { url: "u".into(), why: "connection refused".into() }
    }

    /// Plays the errors, then an answer; returns what came, how often the model was asked, and the waits.
    async fn play(errors: Vec<ModelError>, cancel: &CancellationToken) -> (Result<Answer, ModelError>, usize, Vec<Duration>) {
        let model = Arc::new(Answers::new(errors.into_iter().map(Err).chain([Ok(text("here"))])));
        let waits = Mutex::new(Vec::new());
        let on_delta = |delta: Delta<'_>| {
            if let Delta::Retrying { wait, .. } = delta {
                waits.lock().unwrap().push(wait);
            }
        };
        let retrying = Retrying::new(model.clone(), PATIENCE);
        let messages = [Message::user("hello")];
        let request = Request { label: &label(1), messages: &messages, tools: &[], max_tokens: 9 };
        let answer = retrying.ask(&request, &on_delta, cancel).await;
        (answer, model.asked(), waits.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_failure_is_tried_again_after_waits_that_double() {
        let start = Instant::now();
        let (answer, asked, waits) = play(vec![broken(); 5], &CancellationToken::new()).await;
        assert_eq!((answer, asked), (Ok(text("here")), 6));
        let (waited, told) = (start.elapsed(), waits.iter().sum::<Duration>());
        assert!(waited.abs_diff(told) < Duration::from_millis(50), "it waited {waited:?} and said {told:?}");
        for (place, wait) in waits.iter().enumerate() {
            let full = FIRST_WAIT * 2_u32.pow(u32::try_from(place).unwrap());
            assert!(full / 2 <= *wait && *wait <= full, "wait {place} is {wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_the_last_error_is_told() {
        let (answer, asked, _) = play(vec![broken(); 9], &CancellationToken::new()).await;
        assert_eq!((answer, asked), (Err(broken()), 6));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_there_is_told_after_three_tries() {
        let (answer, asked, _) = play(vec![refused(); 9], &CancellationToken::new()).await;
        assert_eq!((answer, asked), (Err(refused()), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_failure_is_told_at_once() {
        let error = ModelError::Unauthorized { status: 401, said: "no".into() };
        let (answer, asked, _) = play(vec![error.clone()], &CancellationToken::new()).await;
        assert_eq!((answer, asked), (Err(error), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_says_when_unless_that_is_too_late() {
        let limited = |s| ModelError::RateLimited { said: String::new(), retry_after: Some(Duration::from_secs(s)) };
        let (answer, _, waits) = play(vec![limited(42)], &CancellationToken::new()).await;
        assert_eq!((answer, waits), (Ok(text("here")), vec![Duration::from_secs(42)]));
        let (answer, asked, _) = play(vec![limited(3600)], &CancellationToken::new()).await;
        assert_eq!((answer, asked), (Err(limited(3600)), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_ends_a_wait() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let (answer, asked, _) = play(vec![broken()], &cancel).await;
        assert_eq!((answer, asked), (Err(ModelError::Cancelled), 1));
    }

    #[test]
    fn no_wait_is_longer_than_the_cap() {
        assert_eq!(PATIENCE.backoff(1, 0.0), FIRST_WAIT / 2);
        assert_eq!(PATIENCE.backoff(u32::MAX, 1.0), LONGEST_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn no_try_begins_after_all_patience() {
        let slow = |wait| ModelError::RateLimited { said: String::new(), retry_after: Some(Duration::from_secs(wait)) };
        let all = Patience { in_all: Duration::from_secs(500), ..PATIENCE };
        assert_eq!(all.wait(&slow(300), 1, Duration::from_secs(200)), Some(Duration::from_secs(300)));
        assert_eq!(all.wait(&slow(300), 1, Duration::from_secs(201)), None);
        assert_eq!(all.wait(&broken(), 1, Duration::from_secs(500)), None);
        let start = Instant::now();
        let (answer, asked, _) = play(vec![slow(290); 9], &CancellationToken::new()).await;
        assert_eq!((answer, asked), (Err(slow(290)), 6));
        assert!(start.elapsed() <= PATIENCE.in_all);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_at_once_is_not_hammered() {
        let now = ModelError::RateLimited { said: String::new(), retry_after: Some(Duration::ZERO) };
        let (_, _, waits) = play(vec![now], &CancellationToken::new()).await;
        assert!(waits[0] >= FIRST_WAIT / 2, "{waits:?}");
    }
}
