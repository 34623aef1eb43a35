//! Which of several trees, each grown from the one before, is the first that fails: what to prove next, and when it is known.
//!
//! Position 0 is a tree that counts as green; position `n` is the last. The whole stack is proved first, for it is usually green.
//!
//! **Invariant:** it ends after at most 2 + log2(n) verdicts, whatever they are: verdicts of a stack need not follow from each other.
//! **Invariant:** [`Bisect::green`] is 0 or a position whose own proof was green. Nothing else ever lands.
//!
//! Not here: how a position is proved, and whose fault a red is.

/// A search for the first red position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bisect {
    last: usize,
    green: usize,
    red: Option<usize>,
}

/// What has to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Prove this position.
    Prove(usize),
    /// All of it is green.
    Whole,
    /// This position is red, and the one below it is green.
    Culprit(usize),
}

impl Bisect {
    /// Of positions up to `last`, of which nothing is known.
    pub fn new(last: usize) -> Self {
        Self { last, green: 0, red: None }
    }

    /// Of positions of which the last is known to be red.
    pub fn below(red: usize) -> Self {
        Self { last: red, green: 0, red: Some(red) }
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        match self.red {
            None if self.green == self.last => Next::Whole,
            None => Next::Prove(self.last),
            Some(red) if red <= self.green + 1 => Next::Culprit(red),
            Some(red) => Next::Prove(self.green.midpoint(red)),
        }
    }

    /// A verdict about the position that was to be proved. One about any other changes nothing.
    pub fn take(&mut self, at: usize, is_green: bool) {
        if self.next() != Next::Prove(at) {
            return;
        }
        if is_green {
            self.green = at;
        } else {
            self.red = Some(at);
        }
    }

    /// The highest position that was proved to be green; 0 where none was.
    pub fn green(&self) -> usize {
        self.green
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verdicts by position, from 1; what was proved, and what came of it.
    fn search(verdicts: &str) -> String {
        let green: Vec<bool> = verdicts.chars().map(|verdict| verdict == 'g').collect();
        let mut bisect = Bisect::new(green.len());
        let mut asked = Vec::new();
        loop {
            match bisect.next() {
                Next::Prove(at) => {
                    asked.push(at.to_string());
                    bisect.take(at, green[at - 1]);
                }
                end => return format!("{} -> {end:?}, lands {}", asked.join(" "), bisect.green()),
            }
        }
    }

    #[test]
    fn the_whole_is_proved_first_and_halved_only_when_it_is_red() {
        for (verdicts, expected) in [
            ("", " -> Whole, lands 0"),
            ("g", "1 -> Whole, lands 1"),
            ("r", "1 -> Culprit(1), lands 0"),
            ("ggggggg", "7 -> Whole, lands 7"),
            ("rgggggg", "7 -> Whole, lands 7"),
            ("grrr", "4 2 1 -> Culprit(2), lands 1"),
            ("ggggrrrr", "8 4 6 5 -> Culprit(5), lands 4"),
            ("rrrrrrrr", "8 4 2 1 -> Culprit(1), lands 0"),
            ("gggggggr", "8 4 6 7 -> Culprit(8), lands 7"),
            // Verdicts that do not follow from each other: something green below something red, and the other way round.
            ("grgrgrgr", "8 4 2 1 -> Culprit(2), lands 1"),
            ("rgrgrgrr", "8 4 6 7 -> Culprit(7), lands 6"),
        ] {
            assert_eq!(search(verdicts), expected, "{verdicts}");
        }
    }

    #[test]
    fn whatever_the_verdicts_are_it_ends_and_lands_only_what_was_green() {
        let mut random = fastrand::Rng::with_seed(7);
        for size in 0..40_usize {
            for _ in 0..50 {
                let green: Vec<bool> = (0..size).map(|_| random.bool()).collect();
                let (mut bisect, mut proofs) = (Bisect::new(size), 0);
                while let Next::Prove(at) = bisect.next() {
                    bisect.take(at, green[at - 1]);
                    // A verdict that comes twice, or about something else, does no harm.
                    bisect.take(at, !green[at - 1]);
                    bisect.take(0, true);
                    proofs += 1;
                    assert!(proofs <= 2 + usize::BITS - size.leading_zeros(), "{green:?}");
                }
                let lands = bisect.green();
                assert!(lands == 0 || green[lands - 1], "{green:?}");
                if let Next::Culprit(red) = bisect.next() {
                    assert!(red == lands + 1 && !green[red - 1], "{green:?}");
                }
            }
        }
    }

    #[test]
    fn a_partner_is_searched_below_what_is_known_to_be_red() {
        let mut bisect = Bisect::below(6);
        for (at, is_green) in [(3, true), (4, false)] {
            assert_eq!(bisect.next(), Next::Prove(at));
            bisect.take(at, is_green);
        }
        assert_eq!(bisect.next(), Next::Culprit(4));
        assert_eq!(Bisect::below(1).next(), Next::Culprit(1));
    }
}
