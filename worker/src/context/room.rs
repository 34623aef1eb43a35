//! How much of a model's window a conversation may fill, and how many tokens bytes are.
//!
//! **Invariant:** between the mark at which a conversation is made shorter and the one down to which it is lies a wide gap: each time
//! begins a new prefix, which no cache knows yet, so it must be rare.

use crate::model::estimate_tokens;

/// The marks of one model's window, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// A prompt above this is made shorter,
    pub high: u64,
    /// down to about this.
    pub low: u64,
    /// Above this nothing can be asked at all.
    pub hard: u64,
}

/// An answer shorter than this can hardly hold a thought and a call.
pub const LEAST_ANSWER: u64 = 1_024;

impl Room {
    /// Three quarters of what the window holds beside an answer, or what the configuration says; and from there down to 40 %.
    pub fn of(window: u64, max_output: u64, configured: Option<u64>) -> Self {
        // A window that is not much longer than the longest answer never gets such an answer.
        let beside = window.saturating_sub(max_output.min(window / 4));
        let high = configured.unwrap_or(beside / 4 * 3).min(beside);
        Self { high, low: high / 15 * 8, hard: window.saturating_sub(LEAST_ANSWER.min(max_output)) }
    }
}

/// How many bytes a token has: a guess, until a provider has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauge {
    counted: Option<(u64, u64)>,
}

impl Gauge {
    /// A provider has counted so many tokens in so many bytes.
    #[must_use]
    pub fn counted(bytes: u64, tokens: u64) -> Self {
        // Outside of these it has counted something else than what was sent.
        let is_likely = tokens > 0 && (tokens..=tokens.saturating_mul(8)).contains(&bytes);
        Self { counted: is_likely.then_some((bytes, tokens)) }
    }

    /// Whether a provider has counted.
    pub fn is_taught(self) -> bool {
        self.counted.is_some()
    }

    /// The tokens of so many bytes.
    pub fn tokens(self, bytes: u64) -> u64 {
        match self.counted {
            None => estimate_tokens(bytes),
            Some((known, tokens)) => {
                let exact = u128::from(bytes) * u128::from(tokens);
                u64::try_from(exact.div_ceil(u128::from(known))).unwrap_or(u64::MAX)
            }
        }
    }
}

/// How long the result of one tool call may be, in bytes, for a model with this window: an eighth of it.
pub fn longest_result(window: u64) -> usize {
    const LEAST: u64 = 2 * 1024;
    usize::try_from((window / 8).saturating_mul(3).max(LEAST)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dialect, ModelSettings, PrefixCache, connect};

    #[test]
    fn the_marks_leave_room_for_an_answer_and_a_wide_gap() {
        for (window, max_output, configured, high, low) in [
            (1_000_000, 32_768, None, 725_424, 386_888),
            (8_192, 16_384, None, 4_608, 2_456),
            (100_000, 10_000, Some(20_000), 20_000, 10_664),
            (100_000, 10_000, Some(1_000_000), 90_000, 48_000),
            (0, 1, None, 0, 0),
        ] {
            let room = Room::of(window, max_output, configured);
            assert_eq!((room.high, room.low), (high, low), "{window} {max_output} {configured:?}");
        }
    }

    #[test]
    fn bytes_are_weighed_as_the_provider_did_unless_that_cannot_be() {
        assert_eq!(Gauge::default().tokens(310), 100);
        assert_eq!(Gauge::counted(4_000, 1_000).tokens(310), 78);
        for (bytes, tokens) in [(0, 0), (1_000, 0), (1_000, 1_001), (8_001, 1_000)] {
            assert_eq!(Gauge::counted(bytes, tokens), Gauge::default(), "{bytes} {tokens}");
        }
        assert_eq!(Gauge::counted(u64::MAX, u64::MAX).tokens(u64::MAX), u64::MAX);
    }

    #[test]
    fn what_is_said_of_a_model_reaches_whoever_asks_it() {
        let mut settings = ModelSettings::new("p/m", Dialect::OpenAiChat, "http://localhost/v1");
        settings.context_budget = Some(30_000);
        settings.capabilities.cache = PrefixCache::Warmed;
        let model = connect(settings).unwrap();
        assert_eq!((model.context_budget(), model.prefix_cache()), (Some(30_000), PrefixCache::Warmed));
    }

    #[test]
    fn one_result_is_never_most_of_a_small_window() {
        assert_eq!((longest_result(0), longest_result(8_192), longest_result(131_072)), (2_048, 3_072, 49_152));
    }
}
