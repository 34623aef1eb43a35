//! What kind of setback it is.
//!
//! **Invariant:** every setback has exactly one class, and it follows from the setback alone: the journal, the log and the planner never
//! disagree about it.
//!
//! | what was seen                                                          | class            |
//! |------------------------------------------------------------------------|------------------|
//! | a proof fails on it with nothing else beside it                        | `red_alone`      |
//! | green alone, red with another task                                     | `red_together`   |
//! | fails without it, too                                                  | `red_on_base`    |
//! | only what fails and passes on one tree                                 | `flaky`          |
//! | the machine, the network or the model is not there                     | `infrastructure` |
//! | changes outside the scope                                              | `scope`          |
//! | turns, tokens, money, time, context, repetition                        | `limit`          |
//! | does not merge                                                         | `conflict`       |
//! | the worker says that it cannot be done as written                      | `blocked`        |
//! | the worker broke                                                       | `broke`          |
//! | it was stopped, which says nothing about it                            | `stopped`        |

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::{Limit, Outcome};

use super::{OwnProof, Setback};
use crate::event::Event;

/// See the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the table above says what each means")]
pub enum Class {
    RedAlone,
    RedTogether,
    RedOnBase,
    Flaky,
    Infrastructure,
    Scope,
    Limit,
    Conflict,
    Blocked,
    Broke,
    Stopped,
}

impl Class {
    /// What is shown in the list of all classes.
    pub const ALL: [Class; 11] = [
        Class::RedAlone,
        Class::RedTogether,
        Class::RedOnBase,
        Class::Flaky,
        Class::Infrastructure,
        Class::Scope,
        Class::Limit,
        Class::Conflict,
        Class::Blocked,
        Class::Broke,
        Class::Stopped,
    ];

    /// Of an event, if it tells of a setback.
    pub fn of(event: &Event) -> Option<Class> {
        match event {
            Event::AttemptEnded { outcome, .. } => {
                Some(Setback::Ended(outcome.clone()).class()).filter(|class| *class != Class::Stopped)
            }
            Event::LandingConflicted { .. } => Some(Class::Conflict),
            Event::LandingRefused { verdict, .. } => Some(Setback::Red(verdict.clone()).class()),
            Event::TasksClashed { .. } => Some(Class::RedTogether),
            Event::FlakySeen { .. } => Some(Class::Flaky),
            Event::BaseProved { red } if !red.is_empty() => Some(Class::RedOnBase),
            Event::BudgetReached { .. } => Some(Class::Limit),
            Event::RunHalted { .. } => Some(Class::Infrastructure),
            Event::ScopeRefused { .. } => Some(Class::Scope),
            _ => None,
        }
    }
}

impl Setback {
    /// Its class.
    pub fn class(&self) -> Class {
        match self {
            Setback::Conflicted { .. } => Class::Conflict,
            Setback::Clashed { .. } => Class::RedTogether,
            Setback::Red(red) if red.flaky => Class::Flaky,
            Setback::Red(red) if red.red_before == Some(true) => Class::RedOnBase,
            Setback::Red(_) => Class::RedAlone,
            Setback::Ended(outcome) => match outcome {
                Outcome::Blocked { .. } => Class::Blocked,
                // Whose finish was refused until there was no patience left has a red proof, and all the turns it needs.
                Outcome::Exhausted { limit: Limit::Finishes, last: said } | Outcome::Failed { why: said }
                    if OwnProof::read(said).is_some() =>
                {
                    Class::RedAlone
                }
                Outcome::Exhausted { .. } | Outcome::OverBudget => Class::Limit,
                Outcome::Failed { .. } => Class::Broke,
                Outcome::ScopeViolation { .. } => Class::Scope,
                Outcome::Unavailable { .. } => Class::Infrastructure,
                Outcome::Done { .. } | Outcome::Cancelled | Outcome::Superseded | Outcome::Interrupted => Class::Stopped,
            },
        }
    }
}

/// In words.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::RedAlone => "red alone",
            Class::RedTogether => "red together",
            Class::RedOnBase => "red on the base",
            Class::Flaky => "flaky",
            Class::Infrastructure => "infrastructure",
            Class::Scope => "scope",
            Class::Limit => "limit",
            Class::Conflict => "conflict",
            Class::Blocked => "blocked",
            Class::Broke => "broke",
            Class::Stopped => "stopped",
        })
    }
}
