//! The named things that events speak of: who wrote and approved a plan, what failed, how tasks and runs end, at which limit.

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// Who wrote a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The planner.
    Planner,
    /// A plan file.
    File,
    /// A person, in the review.
    Person,
    /// Nobody: `--solo` makes the goal the only task.
    Solo,
}

/// Who approved a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// A person, in the review.
    Person,
    /// The flag `--yes` or the policy `--review never`.
    Policy,
}

/// What a command proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// One task: its `verify`.
    Task,
    /// The merged tree: the gate.
    Gate,
}

/// How a task ends that does not land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEnd {
    /// Its proof or the gate stayed red, its worker broke or said that it is blocked.
    Failed,
    /// It hit a limit.
    Exhausted,
    /// It changed files outside its scope.
    ScopeViolation,
    /// Its change could not be merged.
    Conflict,
    /// A re-plan removed it, or a task that it depends on did not land.
    Dropped,
    /// The run was cancelled, or ended before its turn came.
    Cancelled,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Every task of the plan has landed.
    Complete,
    /// Some have; the run branch holds them, green.
    Incomplete,
    /// A person stopped it.
    Cancelled,
    /// It spent what it was allowed to.
    OverBudget,
}

/// A limit of a whole run that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunLimit {
    /// Tokens.
    Tokens,
    /// Money.
    Cost,
    /// Wall time.
    Minutes,
    /// Room on the disk.
    Disk,
}

impl RunLimit {
    /// All of them.
    pub const ALL: [RunLimit; 4] = [RunLimit::Tokens, RunLimit::Cost, RunLimit::Minutes, RunLimit::Disk];

    /// How it is typed, with what it takes.
    pub fn flag(self) -> &'static str {
        match self {
            RunLimit::Tokens => "--max-tokens N",
            RunLimit::Cost => "--max-cost USD",
            RunLimit::Minutes => "--max-minutes N",
            RunLimit::Disk => "--max-disk MB",
        }
    }

    /// Whether the one settings allow more of it than the others.
    pub fn is_raised(self, before: &Settings, after: &Settings) -> bool {
        fn more<T: PartialOrd>(before: Option<T>, after: Option<T>) -> bool {
            before.is_some_and(|before| after.is_none_or(|after| after > before))
        }
        let (one, other) = (&before.run_limits, &after.run_limits);
        match self {
            RunLimit::Tokens => more(one.tokens, other.tokens),
            RunLimit::Cost => more(one.cost.map(|cost| cost.nano_usd), other.cost.map(|cost| cost.nano_usd)),
            RunLimit::Minutes => more(one.minutes, other.minutes),
            RunLimit::Disk => more(before.max_disk, after.max_disk),
        }
    }
}

macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal),* $(,)? }) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),* })
            }
        }
    };
}
words!(TaskEnd {
    Failed => "failed", Exhausted => "exhausted", ScopeViolation => "scope_violation",
    Conflict => "conflict", Dropped => "dropped", Cancelled => "cancelled",
});
words!(RunStatus { Complete => "complete", Incomplete => "incomplete", Cancelled => "cancelled", OverBudget => "over_budget" });
words!(Proof { Task => "verification of the task", Gate => "gate" });
words!(Author { Planner => "the planner", File => "a plan file", Person => "a person", Solo => "--solo" });
