//! How far the estimate by bytes is off for a model, learned from what its provider counted, for all conversations of the run.
//!
//! **Invariant:** what was learned is never on the cheap side: of all requests seen the one with the most tokens a byte counts, and before a
//! few were seen no request is thought smaller than the estimate says.
//! **Invariant:** it is bounded, whatever a provider counts.

/// So many requests are seen before an estimate is made smaller.
const FEW: u32 = 4;
/// An estimate below this is too small to learn from, in tokens.
const TOO_SMALL: u64 = 500;
/// The bounds of what is believed, in thousandths of the estimate.
const BOUNDS: (u64, u64) = (750, 4_000);
/// What is added, in thousandths of what was learned: the next request may be denser than any so far.
const MARGIN: u64 = 50;

/// What was learned about one model.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calibration {
    seen: u32,
    /// The most tokens that were counted for a thousand that were estimated.
    most: u64,
}

impl Calibration {
    /// A prompt that was estimated at `guessed` tokens was `counted` by its provider.
    pub(super) fn learn(&mut self, guessed: u64, counted: u64) {
        if guessed < TOO_SMALL || counted == 0 {
            return;
        }
        self.seen = self.seen.saturating_add(1);
        self.most = self.most.max(counted.saturating_mul(1_000) / guessed);
    }

    /// What an estimate should have been.
    pub(super) fn correct(&self, guessed: u64) -> u64 {
        let learned = self.most.saturating_add(self.most / 1_000 * MARGIN).clamp(BOUNDS.0, BOUNDS.1);
        let thousandths = match self.seen {
            0 => 1_000,
            seen if seen < FEW => learned.max(1_000),
            _ => learned,
        };
        guessed.saturating_mul(thousandths).div_ceil(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(counts: &[(u64, u64)]) -> u64 {
        let mut calibration = Calibration::default();
        for (guessed, counted) in counts {
            calibration.learn(*guessed, *counted);
        }
        calibration.correct(10_000)
    }

    #[test]
    fn more_tokens_a_byte_are_believed_at_once_and_fewer_only_after_a_few_requests() {
        assert_eq!(after(&[]), 10_000);
        assert_eq!(after(&[(10_000, 15_000)]), 15_500);
        assert_eq!(after(&[(10_000, 8_000); 3]), 10_000);
        assert_eq!(after(&[(10_000, 8_000); 4]), 8_000);
        assert_eq!(after(&[(10_000, 8_000), (10_000, 9_000), (10_000, 15_000), (10_000, 8_000), (10_000, 8_000)]), 15_500);
    }

    #[test]
    fn nothing_a_provider_says_is_believed_without_bounds() {
        assert_eq!(after(&[(10_000, u64::MAX)]), 40_000);
        assert_eq!(after(&[(10_000, 1); 9]), 7_500);
        assert_eq!(after(&[(10_000, 0), (10, 1_000), (0, 5)]), 10_000, "what says nothing teaches nothing");
    }
}
