//! Tokens and money.
//!
//! Money is counted in billionths of a dollar: the cheapest token on the market costs three of them, so sums stay exact.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
};

use serde::{Deserialize, Serialize};

/// Tokens of one or more requests, as the provider counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Prompt tokens that the provider had cached.
    pub hit: u64,
    /// Prompt tokens that it had not, and did not put there at a price of their own.
    pub miss: u64,
    /// Prompt tokens that it had not and now has, where putting them into the cache is paid for (Anthropic).
    #[serde(default, skip_serializing_if = "is_none")]
    pub write: u64,
    /// Tokens that it wrote.
    pub output: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Tokens {
    /// All of them.
    pub fn total(self) -> u64 {
        self.prompt().saturating_add(self.output)
    }

    /// Those that were sent.
    pub fn prompt(self) -> u64 {
        self.hit.saturating_add(self.miss).saturating_add(self.write)
    }
}

/// `1 worker`, `2 workers`: a number with its noun, whose plural is regular.
pub fn counted(number: impl Into<u64>, noun: &str) -> String {
    let number = number.into();
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `950`, `12.3k`, `4.5M`.
pub fn short(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

impl Add for Tokens {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            hit: self.hit.saturating_add(other.hit),
            miss: self.miss.saturating_add(other.miss),
            write: self.write.saturating_add(other.write),
            output: self.output.saturating_add(other.output),
        }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// What a request to a model was for, or came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The next turn of a conversation.
    #[default]
    Turn,
    /// The same, but it brought no answer: what it took is paid for, and the turn is still to come.
    Lost,
    /// To make a conversation short.
    Summary,
    /// To warm the provider's cache.
    WarmUp,
}

impl Purpose {
    /// Whether a turn was taken.
    pub fn is_turn(&self) -> bool {
        matches!(self, Self::Turn)
    }
}

/// An amount in billionths of a US dollar. Written to files and events as dollars, which a float holds exactly enough: nine digits
/// after the point of up to four million dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Money {
    /// Billionths of a dollar.
    pub nano_usd: u64,
}

impl Money {
    /// From dollars, rounded to the nearest billionth. `None` for what is negative, not a number or above ten million dollars.
    pub fn from_usd(usd: f64) -> Option<Self> {
        if !(0.0..=1e7).contains(&usd) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked above")]
        Some(Self { nano_usd: (usd * 1e9).round() as u64 })
    }

    /// In dollars, for display and for files.
    pub fn usd(self) -> f64 {
        self.nano_usd as f64 / 1e9
    }

    /// What is left, or nothing.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self { nano_usd: self.nano_usd.saturating_sub(other.nano_usd) }
    }
}

impl From<Money> for f64 {
    fn from(money: Money) -> f64 {
        money.usd()
    }
}

impl TryFrom<f64> for Money {
    type Error = String;
    fn try_from(usd: f64) -> Result<Self, String> {
        Self::from_usd(usd).ok_or_else(|| format!("{usd} is not an amount of money"))
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { nano_usd: self.nano_usd.saturating_add(other.nano_usd) }
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// Four digits after the point below ten cents, else two: `$0.0042`, `$1.50`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.nano_usd != 0 && self.nano_usd < 100_000_000 { 4 } else { 2 };
        f.pad(&format!("${:.digits$}", self.usd()))
    }
}

/// What a million tokens of each kind cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Cached prompt tokens.
    pub hit: Money,
    /// Other prompt tokens.
    pub miss: Money,
    /// Prompt tokens that are put into the cache; none where they cost what others cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Money>,
    /// Written tokens.
    pub output: Money,
}

impl Price {
    /// What these tokens cost, rounded up to the next billionth.
    pub fn of(&self, tokens: Tokens) -> Money {
        let part = |price: Money, count: u64| u128::from(price.nano_usd) * u128::from(count);
        let write = self.write.unwrap_or(self.miss);
        let prompt =
            part(self.hit, tokens.hit).saturating_add(part(self.miss, tokens.miss)).saturating_add(part(write, tokens.write));
        let sum = prompt.saturating_add(part(self.output, tokens.output));
        Money { nano_usd: u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX) }
    }

    /// What a request of this size can cost at most, whatever of its prompt is cached or has to be put there.
    pub fn at_most(&self, tokens: Tokens) -> Money {
        let dearest = self.hit.max(self.miss).max(self.write.unwrap_or_default());
        let price = Self { hit: dearest, miss: dearest, write: None, output: self.output };
        price.of(tokens)
    }

    /// What they would have cost without any cache.
    pub fn uncached(&self, tokens: Tokens) -> Money {
        self.of(Tokens { hit: 0, miss: tokens.prompt(), write: 0, output: tokens.output })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_per_million_and_exact_down_to_one_cached_token() {
        let usd = |x| Money::from_usd(x).unwrap();
        let price = Price { hit: usd(0.003), miss: usd(0.15), write: None, output: usd(0.60) };
        assert_eq!(price.of(Tokens { hit: 1, miss: 0, write: 0, output: 0 }).nano_usd, 3);
        assert_eq!(price.of(Tokens { hit: 1_000_000, miss: 1_000_000, write: 0, output: 1_000_000 }), usd(0.753));
    }

    #[test]
    fn money_is_written_in_dollars_and_read_back_to_the_billionth() {
        for nano_usd in [0, 1, 3, 999_999_999, 1_234_567_890_123, 4_000_000_000_000_001] {
            let text = serde_json::to_string(&Money { nano_usd }).unwrap();
            assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), Money { nano_usd }, "{text}");
        }
        assert!(serde_json::from_str::<Money>("-1").is_err());
    }

    #[test]
    fn long_numbers_are_short() {
        assert_eq!([950, 12_345, 4_500_000].map(short), ["950", "12.3k", "4.5M"]);
    }

    #[test]
    fn money_reads_like_money() {
        for (usd, text) in [(0.0, "$0.00"), (0.0042, "$0.0042"), (1.5, "$1.50")] {
            assert_eq!(Money::from_usd(usd).unwrap().to_string(), text);
        }
        assert_eq!(Money::from_usd(-1.0), None);
        assert_eq!(Money::from_usd(f64::NAN), None);
    }
}
