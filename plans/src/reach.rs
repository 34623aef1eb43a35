//! Which tasks are ordered, directly or not, for all pairs at once: a bit for each pair.

use crate::plan::Plan;

/// Row `a` has bit `b` set if task `b` waits for task `a`.
pub(crate) struct Reach {
    words: usize,
    bits: Vec<u64>,
}

impl Reach {
    pub(crate) fn of(plan: &Plan) -> Self {
        let count = plan.tasks().len();
        let words = count.div_ceil(64);
        let mut reach = Self { words, bits: vec![0; words * count] };
        // From the last task to the first: a row is complete once those of its dependents are.
        for &at in plan.topological().iter().rev() {
            for dependent in plan.dependents(at) {
                reach.bits[at * words + dependent / 64] |= 1 << (dependent % 64);
                for word in 0..words {
                    let theirs = reach.bits[dependent * words + word];
                    reach.bits[at * words + word] |= theirs;
                }
            }
        }
        reach
    }

    /// Whether one of two different tasks has to land before the other starts.
    pub(crate) fn ordered(&self, a: usize, b: usize) -> bool {
        self.precedes(a, b) || self.precedes(b, a)
    }

    /// Whether task `b` waits for task `a`, directly or not.
    pub(crate) fn precedes(&self, a: usize, b: usize) -> bool {
        self.bits[a * self.words + b / 64] >> (b % 64) & 1 == 1
    }
}
