//! How long an answer is waited for.
//!
//! A server that works shows it: by text, by a reason to stop, by any event of substance. Keep-alives (comments, pings, empty lines) show
//! only that the connection lives; the model behind it may be queued, or dead.
//!
//! **Invariant:** every wait ends: by progress, after `idle_timeout` without a byte, or after [`KEEP_ALIVES`] times that of keep-alives
//! alone, even where these come so densely that nobody ever waits.
//!
//! Why five times: `DeepSeek` holds a queued request with keep-alives for up to ten minutes and then gives it up itself, so the usual
//! three minutes become fifteen. What is longer than that is no queue. A `request_timeout` (usually twenty minutes) bounds it all.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout};

use crate::model::ModelError;

/// How many times `idle_timeout` keep-alives can hold the line.
const KEEP_ALIVES: u32 = 5;
/// How long the end of an answer may take in which the model has said all: what is left is the count of its tokens.
const AFTERWORD: Duration = Duration::from_secs(15);

/// The patience with one answer.
pub(super) struct Patience {
    idle: Duration,
    progress: Instant,
}

impl Patience {
    /// Begins now.
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, progress: Instant::now() }
    }

    /// The server did something.
    pub(super) fn progressed(&mut self) {
        self.progress = Instant::now();
    }

    /// The model has said all.
    pub(super) fn shorten(&mut self) {
        self.idle = self.idle.min(AFTERWORD);
    }

    /// Waits for the next thing, as long as the server is trusted to be at work.
    pub(super) async fn wait<T>(&self, what: &'static str, next: impl Future<Output = T>) -> Result<T, ModelError> {
        let held = self.idle.saturating_mul(KEEP_ALIVES);
        let left = held.saturating_sub(self.progress.elapsed());
        let (what, after) = if left < self.idle { ("nothing but keep-alives came", held) } else { (what, self.idle) };
        let stalled = ModelError::Stalled { what, after };
        if left.is_zero() {
            return Err(stalled);
        }
        timeout(left.min(self.idle), next).await.map_err(|_| stalled)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::{advance, sleep};

    use super::*;

    const IDLE: Duration = Duration::from_secs(180);

    /// Keep-alives come at these intervals; how long they hold the line.
    async fn held(interval: Duration) -> (Duration, ModelError) {
        let (start, patience) = (Instant::now(), Patience::new(IDLE));
        loop {
            if let Err(error) = patience.wait("nothing came", sleep(interval)).await {
                return (start.elapsed(), error);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keep_alives_hold_the_line_for_a_queue_of_ten_minutes_but_not_forever() {
        let (after, error) = held(Duration::from_secs(10)).await;
        assert!(after > Duration::from_secs(600) && after <= IDLE * KEEP_ALIVES, "{after:?}");
        assert_eq!(error.to_string(), "the model's answer stalled: nothing but keep-alives came for 900 s");
    }

    #[tokio::test(start_paused = true)]
    async fn keep_alives_that_never_make_anybody_wait_are_bounded_too() {
        let patience = Patience::new(IDLE);
        assert!(patience.wait("nothing came", ready(())).await.is_ok());
        advance(IDLE * KEEP_ALIVES).await;
        assert!(patience.wait("nothing came", ready(())).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn progress_begins_the_wait_anew_and_silence_ends_it() {
        let (start, mut patience) = (Instant::now(), Patience::new(IDLE));
        for _ in 0..100 {
            patience.wait("nothing came", sleep(IDLE / 2)).await.unwrap();
            patience.progressed();
        }
        let error = patience.wait("nothing came", pending::<()>()).await.unwrap_err();
        assert_eq!(error.to_string(), "the model's answer stalled: nothing came for 180 s");
        assert_eq!(start.elapsed().as_secs(), (IDLE / 2 * 100 + IDLE).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_all_said_is_not_waited_for_long() {
        let (start, mut patience) = (Instant::now(), Patience::new(IDLE));
        patience.shorten();
        assert!(patience.wait("nothing came", pending::<()>()).await.is_err());
        assert_eq!(start.elapsed().as_secs(), AFTERWORD.as_secs());
    }
}
