//! What one attempt may spend.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Money;

/// The limits of one attempt. `None` means that the next wider limit (the run's) is the only one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Model turns.
    pub turns: Option<u32>,
    /// Tokens of all kinds.
    pub tokens: Option<u64>,
    /// Money.
    #[serde(rename = "cost_usd")]
    pub cost: Option<Money>,
    /// Minutes of wall time.
    pub minutes: Option<u32>,
}

impl Limits {
    /// These limits, and where one is missing the other's.
    #[must_use]
    pub fn or(self, other: Limits) -> Limits {
        Limits {
            turns: self.turns.or(other.turns),
            tokens: self.tokens.or(other.tokens),
            cost: self.cost.or(other.cost),
            minutes: self.minutes.or(other.minutes),
        }
    }
}

/// Which limit was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Model turns of the attempt.
    Turns,
    /// Tokens of the attempt.
    Tokens,
    /// Money of the attempt.
    Cost,
    /// Wall time of the attempt.
    Minutes,
    /// The model's context window.
    Context,
    /// How often `finish` may be refused.
    Finishes,
    /// The same call with the same result, again and again.
    Repetition,
    /// Answers without a tool call, again and again.
    Silence,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Limit::Turns => "the limit of turns",
            Limit::Tokens => "the limit of tokens",
            Limit::Cost => "the limit of money",
            Limit::Minutes => "the limit of minutes",
            Limit::Context => "the model's context window",
            Limit::Finishes => "the limit of refused finishes",
            Limit::Repetition => "the limit of identical calls",
            Limit::Silence => "the limit of answers without a tool call",
        })
    }
}
