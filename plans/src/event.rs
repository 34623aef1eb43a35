//! What has happened to a run, in the words of the journal.
//!
//! An [`Entry`] is a line of the journal and a line of `--output-format json`: a public interface with a version of its own.
//! `run_state` folds entries; nothing else may be needed to know what is owed now.
//!
//! **Invariant:** an event names what was decided or observed, with everything needed to fold it: no event's meaning depends on a
//! file that could be gone. Times are for people; the fold does not look at them.

mod named;
mod verdict;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{Attempt, AttemptKey, Glob, Outcome, RepoPath, RunId, TaskId};

pub use crate::settings::Settings;
use crate::{
    approval::{Decider, Decision, Subject},
    evidence::Class,
    failures::FailingTest,
    plan::Plan,
    spending::Turn,
};
pub use named::{Approver, Author, Proof, RunLimit, RunStatus, TaskEnd};
pub use verdict::{RedVerdict, Suspect};

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

impl Entry {
    /// As a line of `--output-format json`: with the class of the setback that it tells of, which follows from the event.
    pub fn line(&self) -> String {
        let line = serde_json::to_string(self).unwrap_or_default();
        match (Class::of(&self.event), line.strip_suffix('}')) {
            (Some(class), Some(members)) => format!("{members},\"class\":{}}}", json!(class)),
            _ => line,
        }
    }
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
        /// What it is made from, as one name: what the task says, what it was handed, who thinks and with which tools. Attempts of the
        /// same content would do the same work. Empty where nobody has reckoned it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        content: String,
    },
    /// An attempt that had finished and could not land before the run stopped is taken as it is: the same work is not done twice.
    AttemptReused {
        /// The attempt.
        #[serde(flatten)]
        key: AttemptKey,
        /// What it made.
        commit: CommitId,
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
        /// What failed then, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failing: Vec<FailingTest>,
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
        /// Whether it was cut off, so that it is owed again as soon as the run can go on, and counts once.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut_off: bool,
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
    /// A person holds the run: nothing begins and no model is asked until they let it go on.
    RunPaused,
    /// A person lets a run go on that they held.
    RunUnpaused,
    /// A person said something to whoever does a task: heard at the next turn, and by every later attempt.
    Steered {
        /// The task.
        task: TaskId,
        /// Their words.
        text: String,
    },
    /// A person gives a task up; what its worker has done is kept.
    TaskCancelRequested {
        /// The task.
        task: TaskId,
    },
    /// A person wants a task tried again, with all its attempts.
    RetryRequested {
        /// The task.
        task: TaskId,
        /// The attempt whose files, and conversation where it had one, it goes on from.
        from: Option<Attempt>,
    },
    /// A person wants the planner to look at the plan now.
    ReplanRequested {
        /// What they want of it, in their words; may be empty.
        comment: String,
    },
    /// A person has changed what the run may take.
    LimitsChanged {
        /// How it is to behave from now on.
        settings: Settings,
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
        /// The limit that was reached, where it has a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<RunLimit>,
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
        /// Of a run that was over, the tasks that are tried again with what waits for them; all that did not land where none is named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<TaskId>,
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
