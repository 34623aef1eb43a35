//! Why an attempt did not land, as a value, and how that reads to the planner and to the next worker.
//!
//! Every setback has one [`Class`], which says what kind of answer fits it, and one [`Signature`], which says whether the same has been seen
//! before. The planner is shown both, the failing tests by name and the [`suspects`], and of the log only a few lines.
//!
//! Not here: telling whose fault a red is (flaky, red before, together red): the coordinator does. Evidence says what was observed.

mod account;
mod class;
mod own_proof;
mod signature;
mod strategies;
pub mod suspects;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use shared::{Attempt, Limit, Outcome, RepoPath, TaskId};

use crate::{
    event::{Proof, RedVerdict, TaskEnd},
    failures::{self, FailingTest},
};

pub use account::{account, retold};
pub use class::Class;
pub use own_proof::OwnProof;
pub use signature::Signature;
pub use strategies::strategies;

/// One attempt that did not land.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which attempt.
    pub attempt: Attempt,
    /// What stopped it.
    pub setback: Setback,
}

/// What stopped an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setback {
    /// It ended by itself, not as done.
    Ended(Outcome),
    /// It was done, but the run branch had moved on in the same lines.
    Conflicted {
        /// The files.
        paths: Vec<RepoPath>,
        /// Tasks that touched them meanwhile.
        with: Vec<TaskId>,
        /// Both sides, with conflict markers.
        detail: String,
    },
    /// It was done, but the merged tree does not pass.
    Red(RedVerdict),
    /// It was done and green alone, and so was another task that landed, but the two together are red.
    Clashed {
        /// The other one.
        with: TaskId,
        /// What fails.
        verdict: RedVerdict,
    },
}

impl Setback {
    /// What the task ends as if nobody finds a way.
    pub fn end(&self) -> TaskEnd {
        match self {
            Setback::Conflicted { .. } | Setback::Clashed { .. } => TaskEnd::Conflict,
            Setback::Red(_) => TaskEnd::Failed,
            Setback::Ended(outcome) => match outcome {
                Outcome::Exhausted { .. } => TaskEnd::Exhausted,
                Outcome::ScopeViolation { .. } => TaskEnd::ScopeViolation,
                Outcome::Cancelled | Outcome::Superseded | Outcome::Interrupted | Outcome::OverBudget => TaskEnd::Cancelled,
                Outcome::Done { .. } | Outcome::Blocked { .. } | Outcome::Failed { .. } | Outcome::Unavailable { .. } => {
                    TaskEnd::Failed
                }
            },
        }
    }

    /// Whether the same task, tried again as it is, might land. A blocked worker or a scope that is too narrow will not change by
    /// itself, and a red merge is the planner's to judge where there is one.
    pub fn may_pass_again(&self) -> bool {
        matches!(self, Setback::Ended(Outcome::Failed { .. } | Outcome::Exhausted { .. }))
    }

    /// One line for a table or a list: what class it is of, and what was seen.
    pub fn headline(&self) -> String {
        let class = self.class();
        match self {
            Setback::Conflicted { paths, with, .. } => {
                let tasks = if with.is_empty() { "the run branch".to_owned() } else { join(with) };
                format!("conflict with {tasks} in {}", join(paths))
            }
            Setback::Red(red) => format!("{class}: {}", red_in_words(red)),
            Setback::Clashed { with, verdict } => format!("green alone, red together with {with}: {}", red_in_words(verdict)),
            Setback::Ended(Outcome::Exhausted { limit: Limit::Finishes, last }) if class == Class::RedAlone => {
                format!("{class}: {}, until {}", first_line(last).trim_end_matches(':'), Limit::Finishes)
            }
            Setback::Ended(outcome) => match outcome {
                Outcome::Done { .. } => "done".to_owned(),
                Outcome::Blocked { report } => format!("{class}: {}", first_line(&report.summary)),
                Outcome::Exhausted { limit, .. } => format!("{class}: reached {limit}"),
                Outcome::Failed { why } | Outcome::Unavailable { why } => format!("{class}: {}", first_line(why)),
                Outcome::ScopeViolation { paths } => format!("{class}: changed files outside its scope: {}", join(paths)),
                Outcome::OverBudget => "the run's budget is used up".to_owned(),
                Outcome::Cancelled => "stopped".to_owned(),
                Outcome::Superseded => "stopped, for the plan has changed".to_owned(),
                Outcome::Interrupted => "interrupted".to_owned(),
            },
        }
    }

    /// All that was observed, for a person who asks for it.
    pub fn in_full(&self) -> String {
        let (headline, detail) = (self.headline(), self.detail());
        if detail.trim().is_empty() || headline.ends_with(detail.trim()) {
            headline
        } else {
            format!("{headline}\n{}", detail.trim_end())
        }
    }

    /// What a command, a merge or a worker said at length.
    fn detail(&self) -> &str {
        match self {
            Setback::Conflicted { detail, .. } => detail.as_str(),
            Setback::Red(red) | Setback::Clashed { verdict: red, .. } => red.output.as_str(),
            Setback::Ended(Outcome::Exhausted { last, .. }) => last.as_str(),
            Setback::Ended(Outcome::Failed { why }) => why.as_str(),
            Setback::Ended(Outcome::Blocked { report }) => report.summary.as_str(),
            Setback::Ended(_) => "",
        }
    }

    /// What the coordinator has found red, if that is what stopped it.
    pub fn verdict(&self) -> Option<&RedVerdict> {
        match self {
            Setback::Red(verdict) | Setback::Clashed { verdict, .. } => Some(verdict),
            Setback::Conflicted { .. } | Setback::Ended(_) => None,
        }
    }

    /// What fails, by name. Of what ran under a worker the text is all there is.
    pub fn failing(&self) -> Vec<FailingTest> {
        match self {
            Setback::Red(red) | Setback::Clashed { verdict: red, .. } => red.failing.clone(),
            Setback::Ended(Outcome::Exhausted { .. } | Outcome::Failed { .. }) => failures::read(self.detail(), &[]).failing,
            Setback::Conflicted { .. } | Setback::Ended(_) => Vec::new(),
        }
    }

    /// Whether the run branch had moved on so that the change does not fit any more: in text, or in what it means.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Setback::Conflicted { .. } | Setback::Clashed { .. })
    }

    /// Whether it came from the gate rather than from the task's own proof.
    pub fn is_red_gate(&self) -> bool {
        matches!(self, Setback::Red(RedVerdict { proof: Proof::Gate, .. }))
    }
}

/// `gate: `make` exit 2, failing: money::adds, money::holds`.
fn red_in_words(red: &RedVerdict) -> String {
    let names: Vec<&str> = red.failing.iter().map(|failing| failing.name.as_str()).collect();
    let failing = if names.is_empty() { String::new() } else { format!(", failing: {}", join(&names)) };
    let before = if red.red_before == Some(true) { ", which is red without this task, too" } else { "" };
    format!("{}: `{}` {}{before}{failing}", red.proof, red.command, red.ended)
}

/// How many attempts at a task, and how many names in a list, are shown.
const SHOWN: usize = 5;

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

fn join<T: ToString>(all: &[T]) -> String {
    let mut names: Vec<String> = all.iter().take(SHOWN).map(T::to_string).collect();
    if all.len() > SHOWN {
        names.push(format!("{} more", all.len() - SHOWN));
    }
    names.join(", ")
}
