//! What has happened to a run, in the words of the journal.
//!
//! An [`Entry`] is a line of the journal and a line of `--output-format json`: a public interface with a version of its own.
//! `run_state` folds entries; nothing else may be needed to know what is owed now.
//!
//! **Invariant:** an event names what was decided or observed, with everything needed to fold it: no event's meaning depends on a
//! file that could be gone. Times are for people; the fold does not look at them.

use serde::{Deserialize, Serialize};
use shared::{Attempt, AttemptKey, Glob, Outcome, RepoPath, RunId, TaskId};

pub use crate::settings::Settings;
use crate::{
    approval::{Decider, Decision, Subject},
    plan::Plan,
    spending::Turn,
};

/// The version of the journal's lines that this program writes.
pub const VERSION: u32 = 1;

/// A commit, by its full hexadecimal name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommitId(pub String);

impl CommitId {
    /// Twelve digits, for people. Never for finding anything again.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl std::fmt::Display for CommitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// Counted from 1 within the run, without gaps.
    pub seq: u64,
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// The run.
    pub run: RunId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A run exists: its goal, where it starts, how it is to behave.
    RunStarted {
        /// The goal in the person's words.
        goal: String,
        /// The commit that the run starts from: HEAD, or a snapshot on top of it.
        base: CommitId,
        /// HEAD of the person's checkout at that moment.
        head: CommitId,
        /// Whether `base` is a snapshot of uncommitted changes.
        snapshot: bool,
        /// How the run is to behave.
        settings: Settings,
        /// The version of the program that began it.
        #[serde(default)]
        program: String,
    },
    /// A plan stands for review.
    PlanProposed {
        /// Counted from 1.
        revision: u32,
        /// The plan, as the JSON form of a plan file.
        plan: Box<Plan>,
        /// Who wrote it.
        author: Author,
        /// What the linter remarked.
        warnings: Vec<String>,
    },
    /// The plan may be carried out.
    PlanApproved {
        /// Which revision.
        revision: u32,
        /// By whom.
        by: Approver,
    },
    /// The plan may not be carried out; the run is over.
    PlanRejected {
        /// Which revision.
        revision: u32,
        /// Why.
        why: String,
    },
    /// A worker is about to start on a task.
    AttemptStarted {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// The commit that its worktree starts from.
        base: CommitId,
        /// The earlier attempt whose conversation it continues.
        continues: Option<Attempt>,
    },
    /// A model turn was paid for.
    TurnTaken(Turn),
    /// A worker may write more than its plan says.
    ScopeGranted {
        /// The attempt that asked.
        #[serde(flatten)]
        key: AttemptKey,
        /// What it may write in addition.
        globs: Vec<Glob>,
        /// Why it asked.
        reason: String,
        /// Whether another task owns some of it, so that the two share it and the coordinator merges.
        #[serde(default)]
        shared: bool,
        /// Who granted it.
        #[serde(default)]
        by: Decider,
    },
    /// A worker may not write more than its plan says.
    ScopeRefused {
        /// The attempt that asked.
        #[serde(flatten)]
        key: AttemptKey,
        /// What it wanted to write in addition.
        globs: Vec<Glob>,
        /// Why it asked.
        reason: String,
        /// Why not.
        why: String,
        /// Who refused it.
        by: Decider,
    },
    /// A person is asked before something is done.
    ApprovalAsked {
        /// The attempt that waits for the answer.
        #[serde(flatten)]
        key: AttemptKey,
        /// What it wants to do.
        what: Subject,
        /// Why a person is asked: the rule, or the worker's own reason.
        why: String,
    },
    /// Something that a rule stands before was allowed or not.
    ApprovalDecided {
        /// The attempt that wanted it.
        #[serde(flatten)]
        key: AttemptKey,
        /// What it wanted to do.
        what: Subject,
        /// What was decided.
        decision: Decision,
        /// By whom.
        by: Decider,
        /// The rule that stands before it.
        why: String,
    },
    /// An attempt is over, and whatever it left is safe.
    AttemptEnded {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// The commit that holds what it left, under `refs/inspan/<run>/<task>/<attempt>`. None if there was no worktree yet.
        commit: Option<CommitId>,
        /// How it ended.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// The coordinator takes up a finished task.
    LandingStarted {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// The tip that it is to land on.
        onto: CommitId,
    },
    /// The task's change and the run branch touch the same lines.
    LandingConflicted {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// The tip.
        onto: CommitId,
        /// The files.
        paths: Vec<RepoPath>,
        /// Tasks that landed since the attempt began and touched these files.
        with: Vec<TaskId>,
        /// Both sides, with conflict markers, cut to a readable size.
        detail: String,
    },
    /// The merged tree does not pass.
    LandingRefused {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// The tip.
        onto: CommitId,
        /// What was run and what it said.
        verdict: RedVerdict,
    },
    /// A landing was cut short for a reason that is nobody's task; it will be taken up again.
    LandingPutBack {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// Why.
        why: String,
    },
    /// The gate's commands were run on the commit that the run starts from.
    BaseProved {
        /// Those that fail there: no task's fault, as long as they fail.
        red: Vec<RedVerdict>,
    },
    /// A command failed, and passed when it was run once more on the same tree.
    FlakySeen {
        /// The command.
        command: String,
        /// The tasks whose landing it was to prove; none where it was the base.
        tasks: Vec<TaskId>,
        /// What it said when it failed.
        output: String,
    },
    /// Two tasks are green alone and red together. Nobody is blamed: the one that has not landed starts again after the other.
    TasksClashed {
        /// The attempt that did not land.
        #[serde(flatten)]
        key: AttemptKey,
        /// The tip.
        onto: CommitId,
        /// The task that landed.
        with: TaskId,
        /// What is red of the two together.
        verdict: RedVerdict,
    },
    /// The merged tree, or one that is stacked on it, passed; the run branch is about to move to this commit or past it.
    GatePassed {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// The commit below it: the tip, or the one of the task before in the batch.
        onto: CommitId,
        /// The commit.
        commit: CommitId,
        /// Commands of the gate that failed on the base and pass from here on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mended: Vec<String>,
    },
    /// The run branch has moved.
    TaskLanded {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// The new tip.
        commit: CommitId,
    },
    /// The planner is asked to mend the plan.
    ReplanStarted {
        /// Counted from 1.
        number: u32,
        /// The tasks in trouble.
        causes: Vec<TaskId>,
    },
    /// The plan has changed, and the change is in effect.
    PlanRevised {
        /// Counted on from the first plan's.
        revision: u32,
        /// Which re-plan, or none when a person changed it.
        replan: Option<u32>,
        /// The whole new plan.
        plan: Box<Plan>,
        /// Tasks that begin anew.
        fresh: Vec<TaskId>,
        /// Tasks that are no longer wanted.
        dropped: Vec<TaskId>,
        /// The difference and its cause, for people.
        difference: String,
    },
    /// A re-plan came to nothing.
    ReplanFailed {
        /// Which.
        number: u32,
        /// Why.
        why: String,
    },
    /// A task will not land in this run.
    TaskEnded {
        /// The task.
        task: TaskId,
        /// How.
        end: TaskEnd,
        /// Why.
        why: String,
    },
    /// Somebody wants the run to stop.
    CancelRequested,
    /// A budget is used up: nothing new starts, what is finished still lands.
    BudgetReached {
        /// Which.
        why: String,
        /// Whether everything is stopped at once: when time is up it is; when money is, what is under way ends by itself and lands.
        #[serde(default)]
        stop: bool,
    },
    /// The run cannot go on for a reason outside of it; `inspan resume` goes on.
    RunHalted {
        /// What happened and what to do.
        why: String,
    },
    /// A process has taken the run up again.
    RunResumed {
        /// How it is to behave from now on.
        settings: Settings,
        /// How many seconds earlier processes have been at it.
        #[serde(default)]
        worked_s: u64,
    },
    /// The run is over.
    RunEnded {
        /// How.
        status: RunStatus,
        /// The tip of the run branch.
        tip: CommitId,
    },
    /// A person has brought the result into a branch of theirs.
    ResultApplied {
        /// The branch.
        branch: String,
        /// Its new tip.
        commit: CommitId,
    },
}

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

/// A command that failed on a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedVerdict {
    /// Which proof it belongs to.
    pub proof: Proof,
    /// The command.
    pub command: String,
    /// How it ended: `exit 101`, `timed out after 20m`.
    pub ended: String,
    /// The end of its output.
    pub output: String,
    /// Whether it fails on the tip without this task, too. None where that was not asked.
    pub red_before: Option<bool>,
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
