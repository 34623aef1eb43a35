//! How much the next answer may be: what the attempt's limits, the model's window and the model itself leave.
//!
//! **Invariant:** a limit is checked before it is spent. Where less is left than a useful answer needs, there is no request.

use shared::{Limit, Limits, Money, Price, Tokens};

use super::Totals;
use crate::context::room::LEAST_ANSWER as LEAST;

/// What an attempt has to go with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    /// The attempt's limits.
    pub(super) limits: Limits,
    /// What a token costs.
    pub(super) price: Option<Price>,
    /// The model's window.
    pub(super) window: u64,
    /// The longest answer that is ever asked for.
    pub(super) max_tokens: u64,
}

impl Means {
    /// How many tokens the next answer may have, or which limit leaves too few.
    pub(super) fn room(&self, totals: &Totals, prompt: Tokens) -> Result<u64, Limit> {
        if self.limits.turns.is_some_and(|turns| totals.turns >= turns) {
            return Err(Limit::Turns);
        }
        let mut room = self.max_tokens;
        for (limit, left) in self.left(totals, prompt) {
            if left < LEAST.min(self.max_tokens) {
                return Err(limit);
            }
            room = room.min(left);
        }
        Ok(room)
    }

    /// How many tokens each limit leaves for an answer, once the prompt is paid for.
    fn left(&self, totals: &Totals, prompt: Tokens) -> impl Iterator<Item = (Limit, u64)> {
        let tokens = self.limits.tokens.map(|most| most.saturating_sub(totals.tokens.total() + prompt.total()));
        let window = Some(self.window.saturating_sub(prompt.total()));
        let money = self.limits.cost.zip(self.price).map(|(most, price)| affordable(most, totals, prompt, &price));
        [(Limit::Tokens, tokens), (Limit::Context, window), (Limit::Cost, money)]
            .into_iter()
            .filter_map(|(l, left)| Some((l, left?)))
    }

    /// A word of warning when the end is near.
    pub(super) fn warning(&self, totals: &Totals, prompt: Tokens, terminal: &str) -> Option<String> {
        let turns = self.limits.turns.map(|most| most.saturating_sub(totals.turns)).filter(|left| *left <= 2);
        let what = match turns {
            Some(1) => "This is your last turn".to_owned(),
            Some(left) => format!("You have {left} turns left"),
            None => format!("You have almost reached {}", self.scarce(totals, prompt)?),
        };
        Some(format!("{what}. Bring your work to an end now and call `{terminal}`."))
    }

    /// A limit that leaves room for about two more answers.
    fn scarce(&self, totals: &Totals, prompt: Tokens) -> Option<Limit> {
        let next = prompt.total() + LEAST.min(self.max_tokens);
        let tokens = self.limits.tokens.is_some_and(|most| totals.tokens.total() + 3 * next > most);
        let cost = self.limits.cost.zip(totals.cost).is_some_and(|(most, spent)| spent.nano_usd > most.nano_usd / 20 * 17);
        let window = prompt.total() > self.window / 20 * 17;
        [(tokens, Limit::Tokens), (cost, Limit::Cost), (window, Limit::Context)]
            .into_iter()
            .find_map(|(is, limit)| is.then_some(limit))
    }
}

fn affordable(most: Money, totals: &Totals, prompt: Tokens, price: &Price) -> u64 {
    let left = most.saturating_sub(totals.cost.unwrap_or_default()).saturating_sub(price.of(prompt));
    match price.output.nano_usd {
        0 => u64::MAX,
        per_million => left.nano_usd.saturating_mul(1_000_000) / per_million,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::summary::is_word;

    fn usd(usd: f64) -> Money {
        Money::from_usd(usd).unwrap()
    }

    fn means(limits: Limits) -> Means {
        let price = Price { hit: usd(0.0), miss: usd(1.0), write: None, output: usd(2.0) };
        Means { limits, price: Some(price), window: 100_000, max_tokens: 8_000 }
    }

    fn room(limits: Limits, turns: u32, spent: u64, prompt: u64) -> Result<u64, Limit> {
        let tokens = Tokens { hit: 0, miss: spent, write: 0, output: 0 };
        let totals = Totals { turns, tokens, cost: Some(means(limits).price.unwrap().of(tokens)) };
        means(limits).room(&totals, Tokens { hit: 0, miss: prompt, write: 0, output: 0 })
    }

    #[test]
    fn an_answer_gets_what_the_narrowest_limit_leaves() {
        let none = Limits::default();
        let tokens = Limits { tokens: Some(50_000), ..none };
        let cost = Limits { cost: Some(usd(0.05)), ..none };
        for (limits, turns, spent, prompt, expected) in [
            (none, 9, 0, 1_000, Ok(8_000)),
            (none, 9, 0, 95_000, Ok(5_000)),
            (none, 9, 0, 99_500, Err(Limit::Context)),
            (Limits { turns: Some(9), ..none }, 9, 0, 1_000, Err(Limit::Turns)),
            (Limits { turns: Some(9), ..none }, 8, 0, 1_000, Ok(8_000)),
            (tokens, 0, 40_000, 5_000, Ok(5_000)),
            (tokens, 0, 45_000, 4_500, Err(Limit::Tokens)),
            (cost, 0, 40_000, 5_000, Ok(2_500)),
            (cost, 0, 49_000, 5_000, Err(Limit::Cost)),
        ] {
            assert_eq!(room(limits, turns, spent, prompt), expected, "{limits:?} {turns} {spent} {prompt}");
        }
    }

    #[test]
    fn a_warning_comes_before_the_end() {
        let limits = Limits { turns: Some(10), tokens: Some(50_000), ..Limits::default() };
        let warning = |turns, spent| {
            let totals = Totals { turns, tokens: Tokens { hit: spent, miss: 0, write: 0, output: 0 }, cost: None };
            means(limits).warning(&totals, Tokens { hit: 2_000, miss: 0, write: 0, output: 0 }, "finish")
        };
        assert_eq!(warning(7, 10_000), None);
        assert!(warning(8, 10_000).unwrap().starts_with("You have 2 turns left. "));
        assert!(warning(9, 10_000).unwrap().starts_with("This is your last turn. "));
        assert!(warning(1, 45_000).unwrap().starts_with("You have almost reached the limit of tokens. "));
        for said in [warning(8, 10_000), warning(9, 10_000), warning(1, 45_000)].into_iter().flatten() {
            assert!(!is_word(&said), "it need not be remembered when the conversation is made shorter: {said}");
        }
    }
}
