//! What one request takes, over all its tries, as the provider tells of it on the way.
//!
//! **Invariant:** what a provider has counted is counted here exactly once, whether the try that it belongs to came to an answer or not.
//! An answer's own usage is in the answer, so it is left out here.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use shared::Tokens;

use super::Delta;

/// Hears the deltas of one request.
#[derive(Debug, Default)]
pub struct Meter {
    streamed: AtomicU64,
    retries: AtomicU32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Of tries that are over and brought nothing.
    lost: Tokens,
    /// Of the try under way.
    now: Option<Tokens>,
}

impl Meter {
    /// Takes note.
    pub fn hear(&self, delta: &Delta<'_>) {
        match delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::Arguments(text) => {
                self.streamed.fetch_add(text.len() as u64, Ordering::Relaxed);
            }
            Delta::Counted(tokens) => self.with(|counts| counts.now = Some(*tokens)),
            Delta::Retrying { .. } | Delta::Switched { .. } => {
                self.retries.fetch_add(1, Ordering::Relaxed);
                self.streamed.store(0, Ordering::Relaxed);
                self.with(|counts| counts.lost += counts.now.take().unwrap_or_default());
            }
            Delta::Held { .. } | Delta::Translated { .. } => {}
        }
    }

    /// How many bytes this try has streamed.
    pub fn streamed(&self) -> u64 {
        self.streamed.load(Ordering::Relaxed)
    }

    /// How often the request was sent again.
    pub fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// What was counted for tries that broke off before the last one.
    pub fn lost(&self) -> Tokens {
        self.with(|counts| counts.lost)
    }

    /// What was counted for the last try so far.
    pub fn last(&self) -> Option<Tokens> {
        self.with(|counts| counts.now)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Counts) -> T) -> T {
        act(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::ModelError;

    fn tokens(output: u64) -> Tokens {
        Tokens { output, ..Tokens::default() }
    }

    #[test]
    fn tries_that_broke_off_are_counted_once_and_the_last_one_apart() {
        let meter = Meter::default();
        let why = ModelError::Broken { why: "cut".into() };
        let retrying = Delta::Retrying { why: &why, wait: Duration::ZERO };
        let switched = Delta::Switched { from: "a", to: "b", why: &why };
        // The second try told nothing; the third told twice, and the later word holds.
        let all = [
            Delta::Text("abc"),
            Delta::Counted(tokens(1)),
            retrying,
            retrying,
            Delta::Counted(tokens(10)),
            Delta::Counted(tokens(20)),
            switched,
            Delta::Text("de"),
            Delta::Counted(tokens(300)),
        ];
        for delta in &all {
            meter.hear(delta);
        }
        assert_eq!((meter.lost(), meter.last(), meter.streamed()), (tokens(21), Some(tokens(300)), 2));
        assert_eq!(meter.retries(), 3);
    }
}
