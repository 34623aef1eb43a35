//! Typed edits of a plan: what a re-plan may change, and how.
//!
//! A planner that is shown evidence answers with edits and not with a new plan: what has landed stays, every change has a name and
//! a cause, and a person can see what follows from it before it takes effect.
//!
//! **Invariant:** the edits of one call take effect together or not at all, and what comes out is a valid [`Plan`].
//! **Invariant:** a task that has landed is never changed, dropped or made to wait.
//! **Invariant:** no edit gives a task the host's network that replaces none which had it: that is for a plan that a person reviews.
//!
//! Not here: when a plan is edited, how often, and who has to agree (`run_state`, and the orchestrator).

mod apply;
mod blind;
mod diff;
mod forgive;
mod progress;
mod read;
mod replace;
mod schema;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Value, json};
use shared::{Glob, Limits, Network, RepoPath, TaskId};

use crate::{
    file::write_json::{limits_json, task_json},
    plan::Plan,
    problem::Problem,
    task::Task,
};

pub use apply::apply;
pub use blind::{Repeated, Repeating, is_same_matter, refuse_blind};
pub use diff::diff;
pub use progress::Progress;
pub use read::read_edits;
pub use replace::replace;
pub use schema::edit_plan_schema;

/// One change and the evidence that caused it. Serialised in the form that a model sends.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanEdit {
    /// What changes.
    pub change: Change,
    /// Why, in the planner's words.
    pub because: String,
}

/// What an edit changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new task.
    Add {
        /// The task.
        new: Box<Task>,
    },
    /// A task is given up. What depends on it then depends on what it depended on.
    Drop {
        /// Which.
        task: TaskId,
    },
    /// Several tasks instead of one. A part that names no dependency has those of the whole; what depended on the whole depends on
    /// every part that no other part waits for.
    Split {
        /// Which.
        task: TaskId,
        /// The parts.
        into: Vec<Task>,
    },
    /// One task instead of several, with all their dependencies. Where it names no scope, proof or file it has theirs.
    Merge {
        /// Which.
        tasks: Vec<TaskId>,
        /// The whole.
        into: Box<Task>,
    },
    /// One task waits for another.
    Order {
        /// The one that lands first.
        before: TaskId,
        /// The one that waits.
        after: TaskId,
    },
    /// A task may write more.
    Widen {
        /// Which.
        task: TaskId,
        /// Patterns that it owns as well.
        write: Vec<Glob>,
        /// Patterns that it shares as well.
        shared: Vec<Glob>,
    },
    /// A task says something else than before.
    Rewrite {
        /// Which.
        task: TaskId,
        /// What it says now.
        with: Rewrite,
    },
    /// The same task once more.
    Retry {
        /// Which.
        task: TaskId,
    },
}

/// New values of a task's keys; a key that is missing stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rewrite {
    /// One line for people.
    pub title: Option<String>,
    /// What to do.
    pub instructions: Option<String>,
    /// All its dependencies.
    pub depends_on: Option<Vec<TaskId>>,
    /// Which network its commands reach.
    pub network: Option<Network>,
    /// All files that must exist afterwards.
    pub deliver: Option<Vec<RepoPath>>,
    /// All its commands.
    pub verify: Option<Vec<String>>,
    /// What its report must tell.
    pub hand_off: Option<String>,
    /// Which model does it.
    pub model: Option<String>,
    /// What each attempt may spend.
    pub limits: Option<Limits>,
}

/// A plan after its edits.
#[derive(Debug, Clone, PartialEq)]
pub struct Revised {
    /// The plan.
    pub plan: Plan,
    /// Tasks that begin anew, with all their attempts: new ones and those that were changed or sent again. In the plan's order.
    pub retried: Vec<TaskId>,
    /// Tasks that the plan no longer has, in the old plan's order.
    pub dropped: Vec<TaskId>,
}

impl Change {
    /// The name that a model gives it.
    pub fn name(&self) -> &'static str {
        match self {
            Change::Add { .. } => "add",
            Change::Drop { .. } => "drop",
            Change::Split { .. } => "split",
            Change::Merge { .. } => "merge",
            Change::Order { .. } => "order",
            Change::Widen { .. } => "widen",
            Change::Rewrite { .. } => "rewrite",
            Change::Retry { .. } => "retry",
        }
    }

    fn keys(&self) -> Value {
        match self {
            Change::Add { new } => json!({ "new": task_json(new) }),
            Change::Drop { task } | Change::Retry { task } => json!({ "task": task }),
            Change::Split { task, into } => json!({ "task": task, "into": into.iter().map(task_json).collect::<Vec<_>>() }),
            Change::Merge { tasks, into } => json!({ "tasks": tasks, "into": task_json(into) }),
            Change::Order { before, after } => json!({ "before": before, "after": after }),
            Change::Widen { task, write, shared } => json!({ "task": task, "write": write, "shared": shared }),
            Change::Rewrite { task, with } => json!({
                "task": task, "title": with.title, "instructions": with.instructions, "depends_on": with.depends_on,
                "network": with.network, "deliver": with.deliver, "verify": with.verify, "hand_off": with.hand_off,
                "model": with.model, "limits": with.limits.map(|limits| limits_json(&limits)),
            }),
        }
    }
}

impl Serialize for PlanEdit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut edit = self.change.keys();
        edit["edit"] = json!(self.change.name());
        edit["because"] = json!(self.because);
        edit.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PlanEdit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        read::read_edit(&value)
            .map_err(|problems| D::Error::custom(problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")))
    }
}
