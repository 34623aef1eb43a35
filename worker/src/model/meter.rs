//! What one request takes, over all its tries, as the provider tells of it on the way.
//!
//! **Invariant:** what a provider has counted is counted here exactly once, whether the try that it belongs to came to an answer or not.
//! An answer's own usage is in the answer, so it is left out here.
//! **Invariant:** what nobody has counted is never among what was: a try that streamed and was cut is guessed by its bytes, apart.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use shared::Tokens;

use super::{Delta, estimate_tokens};
use crate::budget::Try;

/// Hears the deltas of one request.
#[derive(Debug, Default)]
pub struct Meter {
    streamed: AtomicU64,
    retries: AtomicU32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Tries that are over and brought no answer.
    broken: Vec<Broken>,
    /// Of the try under way.
    now: Option<Tokens>,
    /// Who is asked now, once somebody stands in.
    asked: Option<String>,
    /// Whom somebody stands in for, and why.
    stood_in_for: Option<String>,
}

/// A try that brought no answer.
#[derive(Debug)]
struct Broken {
    model: Option<String>,
    counted: Option<Tokens>,
    streamed: u64,
}

impl Counts {
    fn break_off(&mut self, streamed: u64) {
        let (model, counted) = (self.asked.clone(), self.now.take());
        if counted.is_some() || streamed > 0 {
            self.broken.push(Broken { model, counted, streamed });
        }
    }

    /// Whoever was asked until now was `from`: only a switch tells that.
    fn switch(&mut self, from: &str, to: &str, why: &str) {
        self.stood_in_for.get_or_insert_with(|| format!("{from}: {why}"));
        for broken in &mut self.broken {
            broken.model.get_or_insert_with(|| from.to_owned());
        }
        self.asked = Some(to.to_owned());
    }
}

impl Meter {
    /// Takes note.
    pub fn hear(&self, delta: &Delta<'_>) {
        match delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::Arguments(text) => {
                self.streamed.fetch_add(text.len() as u64, Ordering::Relaxed);
            }
            Delta::Counted(tokens) => self.with(|counts| counts.now = Some(*tokens)),
            Delta::Retrying { .. } => self.break_off(),
            Delta::Switched { from, to, why } => {
                self.break_off();
                self.with(|counts| counts.switch(from, to, &why.to_string()));
            }
            Delta::Held { .. } | Delta::Translated { .. } => {}
        }
    }

    fn break_off(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        let streamed = self.streamed.swap(0, Ordering::Relaxed);
        self.with(|counts| counts.break_off(streamed));
    }

    /// How many bytes this try has streamed.
    pub fn streamed(&self) -> u64 {
        self.streamed.load(Ordering::Relaxed)
    }

    /// How often the request was sent again.
    pub fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// The tries that broke off before the last one and were counted.
    pub fn lost(&self) -> Vec<Try> {
        self.tries(|broken| broken.counted)
    }

    /// Those that streamed something and that nobody has counted, if each was sent this prompt.
    pub fn guessed(&self, prompt: Tokens) -> Vec<Try> {
        let guess = |broken: &Broken| Tokens { output: estimate_tokens(broken.streamed), ..prompt };
        self.tries(|broken| broken.counted.is_none().then(|| guess(broken)))
    }

    /// Who was asked last, if somebody stood in.
    pub fn asked(&self) -> Option<String> {
        self.with(|counts| counts.asked.clone())
    }

    /// Whom somebody stood in for, and why: `provider/model: what happened`.
    pub fn stood_in_for(&self) -> Option<String> {
        self.with(|counts| counts.stood_in_for.clone())
    }

    fn tries(&self, tokens: impl Fn(&Broken) -> Option<Tokens>) -> Vec<Try> {
        let of = |broken: &Broken| Some(Try { model: broken.model.clone(), tokens: tokens(broken)? });
        self.with(|counts| counts.broken.iter().filter_map(of).collect())
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
        let lost = |output| Try { model: Some("a".to_owned()), tokens: tokens(output) };
        assert_eq!(meter.lost(), [lost(1), lost(20)]);
        assert_eq!((meter.last(), meter.streamed(), meter.asked()), (Some(tokens(300)), 2, Some("b".to_owned())));
        assert_eq!((meter.retries(), meter.guessed(tokens(0))), (3, vec![]));
    }

    #[test]
    fn a_try_that_streamed_and_was_cut_uncounted_is_guessed_apart() {
        let meter = Meter::default();
        let why = ModelError::Broken { why: "cut".into() };
        let text = "x".repeat(4_000);
        let retrying = Delta::Retrying { why: &why, wait: Duration::ZERO };
        let all =
            [Delta::Text(&text), retrying, retrying, Delta::Switched { from: "a", to: "b", why: &why }, Delta::Reasoning(&text)];
        for delta in &all {
            meter.hear(delta);
        }
        let prompt = Tokens { hit: 70, miss: 7, ..Tokens::default() };
        let guess = Tokens { output: estimate_tokens(4_000), ..prompt };
        assert_eq!(meter.guessed(prompt), [Try { model: Some("a".to_owned()), tokens: guess }], "the last try is told apart");
        assert_eq!(meter.lost(), []);
    }
}
