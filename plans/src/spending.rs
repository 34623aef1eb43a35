//! What turns of a model take, one by one in the journal and summed up in the report.
//!
//! **Invariant:** a price that nobody knows is never counted as nothing: its tokens are counted apart.
//! **Invariant:** a journal that is older than one of these words reads as if nothing had been said about it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shared::{Attempt, Money, Purpose, Repairs, TaskId, Tokens};

/// A turn that was paid for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The attempt's task; none for the planner.
    pub task: Option<TaskId>,
    /// The attempt; none for the planner.
    pub attempt: Option<Attempt>,
    /// Counted from 1 within the attempt; of a request that was no turn, the last turn before it.
    pub turn: u32,
    /// What the request was for; all of its kinds are paid for.
    #[serde(default, skip_serializing_if = "Purpose::is_turn")]
    pub purpose: Purpose,
    /// What the provider counted, or what was estimated.
    pub tokens: Tokens,
    /// What it cost, where the price is known.
    #[serde(rename = "cost_usd")]
    pub cost: Option<Money>,
    /// What it would have cost without any cache, where the price is known.
    #[serde(rename = "uncached_usd", default, skip_serializing_if = "Option::is_none")]
    pub uncached: Option<Money>,
    /// What broken tries of it took that streamed something and were counted by nobody: an estimate by bytes, and not part of `tokens`.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub guessed: Tokens,
    /// What that costs, where the price is known; not part of `cost`.
    #[serde(rename = "guessed_usd", default, skip_serializing_if = "Option::is_none")]
    pub guessed_cost: Option<Money>,
    /// The model that answered, as `provider/model`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Whether the provider counted nothing, so that the tokens are an estimate by bytes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub estimated: bool,
    /// What was done to its tool calls so that they could be read.
    #[serde(default, skip_serializing_if = "Repairs::is_empty")]
    pub repairs: Repairs,
    /// How often the request was sent again.
    #[serde(default, skip_serializing_if = "is_none")]
    pub retries: u32,
    /// Whom the model stood in for, and why: `provider/model: what happened`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stood_in_for: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

fn is_nothing(tokens: &Tokens) -> bool {
    *tokens == Tokens::default()
}

/// What several turns took together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending {
    /// How many there were.
    pub turns: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// What they cost, as far as prices are known.
    pub cost: Money,
    /// What they would have cost without any cache, as far as that is known.
    pub uncached: Money,
    /// What those of them cost of which that is known.
    cached: Money,
    /// Tokens of the turns whose price nobody knows.
    pub unpriced: u64,
    /// How many of the turns were not counted by the provider.
    pub estimated: u64,
    /// What broken answers took that nobody has counted, by an estimate; not part of `tokens`.
    pub guessed: Tokens,
    /// What they cost, as far as prices are known; not part of `cost`.
    pub guessed_cost: Money,
    /// What was done to tool calls so that they could be read.
    pub repairs: Repairs,
    /// How often requests were sent again.
    pub retries: u64,
    /// Which models others stood in for, and why, each once.
    pub stood_in_for: BTreeSet<String>,
}

impl Spending {
    /// Counts one more turn.
    pub fn add(&mut self, turn: &Turn) {
        self.turns += u64::from(turn.purpose.is_turn());
        self.tokens += turn.tokens;
        match turn.cost {
            Some(cost) => self.cost += cost,
            None => self.unpriced += turn.tokens.total(),
        }
        if let (Some(cost), Some(uncached)) = (turn.cost, turn.uncached) {
            self.cached += cost;
            self.uncached += uncached;
        }
        self.guessed += turn.guessed;
        self.guessed_cost += turn.guessed_cost.unwrap_or_default();
        self.estimated += u64::from(turn.estimated);
        self.retries += u64::from(turn.retries);
        self.stood_in_for.extend(turn.stood_in_for.clone());
        for (repair, times) in &turn.repairs {
            *self.repairs.entry(*repair).or_default() += times;
        }
    }

    /// What counts against a limit: also what was guessed.
    pub fn with_guesses(&self) -> (Tokens, Money) {
        (self.tokens + self.guessed, self.cost + self.guessed_cost)
    }

    /// What it cost; none where nobody knows the price of any of it.
    pub fn known_cost(&self) -> Option<Money> {
        (self.unpriced == 0 || self.unpriced < self.tokens.total()).then_some(self.cost)
    }

    /// Which part of the prompts the provider had cached; none where nothing was sent.
    pub fn hit_rate(&self) -> Option<f64> {
        let sent = self.tokens.prompt();
        (sent > 0).then(|| self.tokens.hit as f64 / sent as f64)
    }

    /// What the cache saved in dollars, as far as prices are known; below zero where it cost more to fill than it gave back.
    pub fn saved_usd(&self) -> f64 {
        self.uncached.usd() - self.cached.usd()
    }

    /// How many calls were mended, or asked for again.
    pub fn repaired(&self) -> u32 {
        self.repairs.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use shared::{Price, Repair};

    use super::*;

    fn usd(usd: f64) -> Money {
        Money::from_usd(usd).unwrap()
    }

    fn turn(tokens: Tokens, price: Option<Price>) -> Turn {
        let (cost, uncached) = (price.map(|price| price.of(tokens)), price.map(|price| price.uncached(tokens)));
        Turn { turn: 1, tokens, cost, uncached, model: "p/m".to_owned(), ..Turn::default() }
    }

    #[test]
    fn a_request_that_is_no_turn_is_paid_for_and_not_counted_as_one() {
        let tokens = Tokens { hit: 0, miss: 10, write: 0, output: 1 };
        let mut spending = Spending::default();
        for purpose in [Purpose::Turn, Purpose::Lost, Purpose::Summary, Purpose::WarmUp] {
            spending.add(&Turn { purpose, ..turn(tokens, None) });
        }
        assert_eq!((spending.turns, spending.tokens.total()), (1, 44));
    }

    #[test]
    fn what_the_cache_saved_is_what_hits_and_writes_would_have_cost_otherwise() {
        let price = Price { hit: usd(0.1), miss: usd(1.0), write: Some(usd(1.25)), output: usd(5.0) };
        let mut spending = Spending::default();
        spending.add(&turn(Tokens { hit: 0, miss: 0, write: 1_000_000, output: 10 }, Some(price)));
        assert_eq!(format!("{:.2}", spending.saved_usd()), "-0.25", "filling it is paid for");
        spending.add(&turn(Tokens { hit: 1_000_000, miss: 0, write: 0, output: 10 }, Some(price)));
        assert_eq!(format!("{:.2}", spending.saved_usd()), "0.65", "0.90 for the hits");
        assert_eq!(spending.hit_rate(), Some(0.5));
    }

    #[test]
    fn a_price_that_nobody_knows_is_not_nothing() {
        let tokens = Tokens { hit: 0, miss: 100, write: 0, output: 10 };
        let mut spending = Spending::default();
        assert_eq!(spending.known_cost(), Some(Money::default()), "nothing costs nothing");
        spending.add(&turn(tokens, None));
        assert_eq!((spending.known_cost(), spending.unpriced), (None, 110));
        let price = Price { hit: usd(0.0), miss: usd(1.0), write: None, output: usd(1.0) };
        spending.add(&turn(tokens, Some(price)));
        assert_eq!((spending.known_cost(), spending.unpriced), (Some(price.of(tokens)), 110), "of the rest it is said");
    }

    #[test]
    fn repairs_retries_and_estimates_are_counted() {
        let mended = |repairs: &[(Repair, u32)]| Turn { repairs: repairs.iter().copied().collect(), ..Turn::default() };
        let mut spending = Spending::default();
        spending.add(&mended(&[(Repair::TrailingCommas, 2), (Repair::LeakedCall, 1)]));
        spending.add(&Turn { estimated: true, retries: 3, ..mended(&[(Repair::LeakedCall, 1)]) });
        assert_eq!((spending.repaired(), spending.repairs[&Repair::LeakedCall]), (4, 2));
        assert_eq!((spending.estimated, spending.retries, spending.turns), (1, 3, 2));
    }

    #[test]
    fn what_nobody_counted_stands_apart_and_counts_against_limits() {
        let tokens = Tokens { hit: 0, miss: 10, write: 0, output: 1 };
        let mut spending = Spending::default();
        let turn = Turn { guessed: tokens, guessed_cost: Some(usd(0.5)), cost: Some(usd(0.1)), ..turn(tokens, None) };
        spending.add(&turn);
        assert_eq!((spending.tokens, spending.cost), (tokens, usd(0.1)));
        assert_eq!(spending.with_guesses(), (tokens + tokens, usd(0.6)));
        let text = serde_json::to_string(&turn).unwrap();
        assert_eq!(serde_json::from_str::<Turn>(&text).unwrap(), turn);
    }

    #[test]
    fn a_turn_of_an_older_journal_reads_and_one_without_news_writes_the_same_words() {
        let old = r#"{"task":"a","attempt":1,"turn":3,"tokens":{"hit":1,"miss":2,"output":3},"cost_usd":null}"#;
        let turn: Turn = serde_json::from_str(old).unwrap();
        assert_eq!((turn.turn, turn.tokens.total(), turn.model.as_str(), turn.estimated), (3, 6, "", false));
        assert_eq!(serde_json::to_string(&turn).unwrap(), old);
        let told = Turn { repairs: [(Repair::TrailingCommas, 1)].into(), model: "p/m".to_owned(), retries: 1, ..turn };
        let text = serde_json::to_string(&told).unwrap();
        assert!(text.ends_with(r#""model":"p/m","repairs":{"trailing_commas":1},"retries":1}"#), "{text}");
        assert_eq!(serde_json::from_str::<Turn>(&text).unwrap(), told);
    }
}
