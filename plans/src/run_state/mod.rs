//! The state of a run: a fold of events, and from it, alone, what is owed now.
//!
//! [`RunState::apply`] changes the state (in `apply`); [`RunState::owed`] says what has to happen (in `owed`). Dispatcher, resume,
//! `status` and the simulation all stand on these two.
//!
//! **Invariant:** `apply` either accepts an event wholly or leaves the state as it was and says why.
//! **Invariant:** as long as a run is not over and no person holds it, something is alive (a worker, a landing, a re-plan) or something is owed.
//!
//! Why no clock: durations and deadlines belong to whoever waits; a fold that looked at times would decide differently on resume.

mod anew;
mod apply;
mod landing;
mod orders;
mod owed;
mod requests;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod story;
#[cfg(test)]
mod tests;
mod used_up;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shared::{Attempt, Glob, Report, TaskId};

pub use apply::IllegalEvent;
pub use owed::{Continuation, Finished, Owed};

use crate::{
    Plan, Problem, Task,
    approval::{Request, Standing},
    edit::{self, Change, PlanEdit, Progress, Repeated, Repeating},
    event::{CommitId, RedVerdict, RunLimit, RunStatus, Settings},
    evidence::{Class, Evidence, Setback},
    spending::Spending,
    task_state::TaskState,
};

/// Where the run as a whole stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is no plan yet.
    Planning,
    /// A plan waits for a person.
    Review,
    /// Tasks are carried out.
    Underway,
    /// The plan was rejected.
    Rejected,
    /// The run is over.
    Over(RunStatus),
}

/// What is known about one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Its name.
    pub id: TaskId,
    /// Where it stands.
    pub state: TaskState,
    /// Attempts so far, over the whole run. The next one is one more.
    pub attempts: u32,
    /// Attempts that failed since the task was last begun anew.
    pub tries: u32,
    /// Conflicts since then.
    pub conflicts: u32,
    /// Attempts that did not land, oldest first.
    pub setbacks: Vec<Evidence>,
    /// So many of them are of before it was begun anew in earnest: they say nothing about what is tried now.
    pub bygones: usize,
    /// What its last finished attempt reported.
    pub report: Option<Report>,
    /// The commit that its last attempt started from.
    pub base: Option<CommitId>,
    /// The commit that holds what its last attempt left.
    pub left: Option<CommitId>,
    /// How the next attempt can go on with the last one's conversation.
    pub continuation: Option<Continuation>,
    /// Turns of the attempt that is alive or was last.
    pub turns: u32,
    /// What all attempts took.
    pub spending: Spending,
    /// What each of them took.
    pub by_attempt: BTreeMap<Attempt, Spending>,
    /// Commands that failed on the base and pass on the commit that it is about to land as.
    pub mended: Vec<String>,
    /// Why it ended, if it did.
    pub why: String,
    /// Whether a person has given it up.
    pub given_up: bool,
    /// What a person has said to whoever does it, oldest first.
    pub words: Vec<String>,
    /// The attempt that a person wants the next one to go on from.
    pub wanted_from: Option<Attempt>,
    /// Where each attempt started and what it left.
    pub trail: BTreeMap<Attempt, Trail>,
    /// Whether the stronger model has been at it since it was last begun anew, if there is one.
    pub escalated: bool,
    /// The attempt that finished last and has not been judged red or conflicting since: taken rather than done again.
    pub finished: Option<Attempt>,
}

/// Where an attempt started and what it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// The commit that it started from.
    pub base: CommitId,
    /// What it was made from, as `attempt_started` says.
    pub content: String,
    /// The commit that holds what it left, once it has ended.
    pub left: Option<CommitId>,
}

impl TaskRecord {
    fn new(id: TaskId) -> Self {
        Self {
            id,
            state: TaskState::Waiting,
            attempts: 0,
            tries: 0,
            conflicts: 0,
            setbacks: Vec::new(),
            bygones: 0,
            report: None,
            base: None,
            left: None,
            continuation: None,
            turns: 0,
            spending: Spending::default(),
            by_attempt: BTreeMap::new(),
            mended: Vec::new(),
            why: String::new(),
            given_up: false,
            words: Vec::new(),
            wanted_from: None,
            trail: BTreeMap::new(),
            escalated: false,
            finished: None,
        }
    }

    /// The attempts that did not land of those that say something about what is tried now.
    pub fn recent(&self) -> &[Evidence] {
        self.setbacks.get(self.bygones..).unwrap_or_default()
    }

    /// Whether its last two attempts came to the same end, by their signatures: the same try once more is no use.
    pub fn repeats(&self) -> bool {
        let [.., before, last] = self.recent() else { return false };
        last.setback.class() != Class::Flaky && before.setback.signature() == last.setback.signature()
    }
}

/// Where a run started from.
#[derive(Debug, Clone, PartialEq)]
struct Origin {
    base: CommitId,
    head: CommitId,
    snapshot: bool,
}

/// A re-plan without an answer so far.
#[derive(Debug, Clone, PartialEq)]
struct Unanswered {
    /// What a person wanted of it; none where it is the run's own.
    wish: Option<String>,
    /// Whether somebody is at it: not after the run was halted.
    is_being_made: bool,
}

/// A budget that is used up.
#[derive(Debug, Clone, PartialEq)]
struct Budget {
    why: String,
    /// Which limit was reached; none in journals that are older than its name there.
    limit: Option<RunLimit>,
}

/// How a task comes to more scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Widening {
    /// Alone: no task that could run at the same time owns the files.
    Owned,
    /// Beside a task that owns them; the coordinator merges.
    Shared,
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    goal: String,
    origin: Origin,
    settings: Settings,
    phase: Phase,
    plan: Option<Plan>,
    revision: u32,
    /// Which revision was approved, if one was: without it nothing is carried out.
    approved: Option<u32>,
    /// One for each task of the plan, in its order.
    tasks: Vec<TaskRecord>,
    /// Tasks that a re-plan removed.
    gone: Vec<TaskRecord>,
    /// What they said.
    removed: BTreeMap<TaskId, Task>,
    /// The weight of the longest path that begins with each task.
    remaining: Vec<u64>,
    /// Tasks that have finished or are landing, in the order in which they finished: what is put back has never lost its place.
    queue: VecDeque<TaskId>,
    /// Landed tasks, in landing order.
    landed: Vec<TaskId>,
    tip: CommitId,
    /// Commands of the gate that have failed since before the run. None until the base was proved.
    red: Option<Vec<RedVerdict>>,
    /// Commands that failed and passed on the same tree, in the order in which they were seen first.
    flaky: Vec<String>,
    /// What failed then, by name.
    flaky_tests: BTreeSet<String>,
    replans: u32,
    /// How many of them a person wanted.
    replans_wanted: u32,
    /// What a person wants of the planner, if they want it asked and it has not been yet.
    replan_wanted: Option<String>,
    /// The re-plan that was begun and is not answered, if there is one: also when the run has been halted meanwhile.
    unanswered: Option<Unanswered>,
    paused: bool,
    cancelling: bool,
    over_budget: Option<Budget>,
    /// Whether workers are to be stopped because a budget is used up.
    out_of_time: bool,
    halted: Option<String>,
    spending: Spending,
    /// By the model that answered; without a name in journals that are older than it.
    models: BTreeMap<String, Spending>,
    planner: Spending,
    /// What workers wanted beyond the plan and the rules, oldest first.
    requests: Vec<Request>,
    /// What a person has allowed for the rest of the run.
    standing: Vec<Standing>,
}

impl RunState {
    /// The goal in the person's words.
    pub fn goal(&self) -> &str {
        &self.goal
    }

    /// The commit that the run started from.
    pub fn base(&self) -> &CommitId {
        &self.origin.base
    }

    /// HEAD of the person's checkout when the run started.
    pub fn head(&self) -> &CommitId {
        &self.origin.head
    }

    /// Whether the base is a snapshot of uncommitted changes.
    pub fn is_snapshot(&self) -> bool {
        self.origin.snapshot
    }

    /// How the run is to behave.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where the run as a whole stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The plan, once there is one.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Which revision of the plan stands.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// The tasks of the plan, in its order.
    pub fn tasks(&self) -> &[TaskRecord] {
        &self.tasks
    }

    /// Tasks that a re-plan removed.
    pub fn gone(&self) -> &[TaskRecord] {
        &self.gone
    }

    /// The record of a task of the plan.
    pub fn task(&self, id: &TaskId) -> Option<&TaskRecord> {
        self.index(id).map(|at| &self.tasks[at])
    }

    /// Landed tasks, in landing order.
    pub fn landed(&self) -> &[TaskId] {
        &self.landed
    }

    /// The tip of the run branch, as far as the journal knows.
    pub fn tip(&self) -> &CommitId {
        &self.tip
    }

    /// How many re-plans were begun.
    pub fn replans(&self) -> u32 {
        self.replans
    }

    /// How many re-plans the run may still begin by itself.
    pub fn replans_left(&self) -> u32 {
        (self.settings.possible_replans() + self.replans_wanted).saturating_sub(self.replans)
    }

    /// Whether a re-plan is being made.
    pub fn is_replanning(&self) -> bool {
        self.unanswered.as_ref().is_some_and(|replan| replan.is_being_made)
    }

    /// Whether somebody asked the run to stop.
    pub fn is_cancelling(&self) -> bool {
        self.cancelling
    }

    /// Whether a person holds the run.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Why the run cannot go on by itself, if so.
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Which budget is used up, if one is.
    pub fn over_budget(&self) -> Option<&str> {
        self.over_budget.as_ref().map(|budget| budget.why.as_str())
    }

    /// Which limit of the run was reached, if one was and the journal names it.
    pub fn limit_reached(&self) -> Option<RunLimit> {
        self.over_budget.as_ref()?.limit
    }

    /// Whether workers are to be stopped because a budget is used up.
    pub fn is_out_of_time(&self) -> bool {
        self.out_of_time
    }

    /// What all workers and the planner took.
    pub fn spending(&self) -> &Spending {
        &self.spending
    }

    /// The same by the model that answered. Turns of an older journal have no name of a model.
    pub fn models(&self) -> &BTreeMap<String, Spending> {
        &self.models
    }

    /// What the planner took.
    pub fn planner(&self) -> &Spending {
        &self.planner
    }

    /// What workers wanted beyond the plan and the rules, and what became of it, oldest first.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// What a person has allowed for the rest of the run.
    pub fn standing(&self) -> &[Standing] {
        &self.standing
    }

    /// Attempts that are alive.
    pub fn running(&self) -> impl Iterator<Item = (&TaskRecord, Attempt)> {
        self.tasks.iter().chain(&self.gone).filter_map(|record| match record.state {
            TaskState::Running { attempt, .. } => Some((record, attempt)),
            _ => None,
        })
    }

    /// The tasks that the coordinator is at, in the order in which they are to land.
    pub fn landings(&self) -> impl Iterator<Item = &TaskRecord> {
        let records = self.queue.iter().filter_map(|id| self.task(id));
        records.filter(|record| matches!(record.state, TaskState::Landing { .. }))
    }

    /// Commands of the gate that have failed since before the run: they keep no task from landing until they have passed once.
    pub fn known_red(&self) -> &[RedVerdict] {
        self.red.as_deref().unwrap_or_default()
    }

    /// Commands that failed and then passed on the same tree.
    pub fn flaky(&self) -> &[String] {
        &self.flaky
    }

    /// Tests that failed and then passed on the same tree.
    pub fn flaky_tests(&self) -> &BTreeSet<String> {
        &self.flaky_tests
    }

    /// Whether a test failed before the run.
    pub fn is_red_on_base(&self, name: &str) -> bool {
        self.known_red().iter().any(|red| red.failing.iter().any(|failing| failing.name == name))
    }

    /// A verdict in the light of what this run has seen: whether all that fails failed before it, or is flaky.
    pub fn in_view_of_the_run(&self, verdict: RedVerdict) -> RedVerdict {
        let all = |is_known: &dyn Fn(&str) -> bool| {
            !verdict.failing.is_empty() && verdict.failing.iter().all(|failing| is_known(&failing.name))
        };
        let (on_base, flaky) = (all(&|name| self.is_red_on_base(name)), all(&|name| self.flaky_tests.contains(name)));
        let red_before = if on_base { verdict.red_before.or(Some(true)) } else { verdict.red_before };
        RedVerdict { red_before, flaky, ..verdict }
    }

    /// The class of a setback in the light of the run: what failed under a worker with nothing but what failed before the run, or comes and
    /// goes, is not its fault either.
    pub fn class_of(&self, setback: &Setback) -> Class {
        let (class, failing) = (setback.class(), setback.failing());
        let all = |is_known: &dyn Fn(&str) -> bool| !failing.is_empty() && failing.iter().all(|failing| is_known(&failing.name));
        match setback {
            Setback::Ended(_) if class == Class::RedAlone && all(&|name| self.flaky_tests.contains(name)) => Class::Flaky,
            Setback::Ended(_) if class == Class::RedAlone && all(&|name| self.is_red_on_base(name)) => Class::RedOnBase,
            _ => class,
        }
    }

    /// Tasks whose last two attempts came to the same end, also those that the plan has no more: nobody tries them again as they are.
    pub fn repeating(&self) -> Repeating {
        let said = |id: &TaskId| self.plan.as_ref().and_then(|plan| plan.get(id)).or_else(|| self.removed.get(id));
        let repeats = self.tasks.iter().chain(&self.gone).filter(|record| record.repeats());
        let of = |record: &TaskRecord| {
            let ended = record.setbacks.last()?.setback.headline();
            Some((record.id.clone(), Repeated { task: said(&record.id)?.clone(), ended }))
        };
        repeats.filter_map(of).collect()
    }

    /// Tasks that wait for the planner.
    pub fn in_trouble(&self) -> impl Iterator<Item = &TaskRecord> {
        self.tasks.iter().filter(|record| matches!(record.state, TaskState::InTrouble { .. }))
    }

    /// The plan with a wider scope for one task, if that is possible: if no task that could run at the same time owns the files.
    ///
    /// A grant becomes part of the plan, so that no later edit can give the same files to somebody else unnoticed.
    ///
    /// # Errors
    /// Says who owns what.
    pub fn widened(&self, id: &TaskId, globs: &[Glob], how: Widening) -> Result<Plan, String> {
        let plan = self.plan.as_ref().ok_or("there is no plan yet")?;
        let (write, shared) = match how {
            Widening::Owned => (globs.to_vec(), Vec::new()),
            Widening::Shared => (Vec::new(), globs.to_vec()),
        };
        let has = |globs: &[Glob], wanted: &[Glob]| wanted.iter().all(|glob| globs.contains(glob));
        if plan.get(id).is_some_and(|task| has(&task.scope.write, &write) && has(&task.scope.shared, &shared)) {
            return Ok(plan.clone());
        }
        let change = Change::Widen { task: id.clone(), write, shared };
        let landed: BTreeSet<TaskId> = self.landed.iter().cloned().collect();
        let widen = [PlanEdit { change, because: String::new() }];
        let say = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; ");
        edit::apply(plan, &widen, &Progress::from(landed)).map(|revised| revised.plan).map_err(say)
    }

    /// How far the tasks have come, as far as an edit of the plan has to know.
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for record in &self.tasks {
            match &record.state {
                TaskState::Landed { .. } => drop(progress.landed.insert(record.id.clone())),
                TaskState::Landing { .. } => drop(progress.landing.insert(record.id.clone())),
                TaskState::Ended { end } => drop(progress.ended.insert(record.id.clone(), *end)),
                _ => {}
            }
        }
        let given_up = self.tasks.iter().chain(&self.gone).filter(|record| record.given_up);
        progress.given_up = given_up.map(|record| record.id.clone()).collect();
        progress
    }

    /// Tasks that no edit of the plan may touch: they have landed or are landing.
    pub fn settled(&self) -> BTreeSet<TaskId> {
        self.progress().settled()
    }

    fn index(&self, id: &TaskId) -> Option<usize> {
        self.plan.as_ref().and_then(|plan| plan.index_of(id))
    }
}
