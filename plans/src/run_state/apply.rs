//! The fold: one event at a time.
//!
//! The state of a single task changes only through the table in `task_state`; what is decided here is which step an event means:
//! what the end of an attempt means, and what a revised plan does to what is under way. Landings are in `landing`, what a person orders in
//! `orders`, what begins anew in `anew`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shared::{Attempt, AttemptKey, Outcome, Report, TaskId};

use super::{Budget, Continuation, Origin, Phase, RunState, TaskRecord, Trail, Widening, anew::renew};
use crate::{
    Plan, Task, WorkerKind, edit,
    event::{Author, CommitId, Entry, Event, TaskEnd},
    evidence::Setback,
    schedule,
    spending::{Spending, Turn},
    task_state::{IllegalStep, Step, TaskState},
};

/// An event that cannot have happened in this state: the journal is not this program's, or this program has a defect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The first event of a run is `run_started`, and only the first.
    #[error("a run begins with one `run_started`")]
    NotABeginning,
    /// No such task.
    #[error("task `{0}` is not in the plan")]
    UnknownTask(TaskId),
    /// The task cannot do that now.
    #[error("task `{task}`: {step}")]
    Step {
        /// The task.
        task: TaskId,
        /// What was tried.
        step: IllegalStep,
    },
    /// The run cannot do that now.
    #[error("the run is {phase:?}, where `{event}` cannot happen")]
    Phase {
        /// Where the run stands.
        phase: Phase,
        /// What was tried.
        event: &'static str,
    },
    /// A revision touches a task that has landed or is landing.
    #[error("the revised plan changes or lacks `{0}`, which has landed or is landing")]
    SettledTask(TaskId),
    /// A person's order came too late.
    #[error("`{0}` has landed, is landing or is over already")]
    TooLate(TaskId),
    /// A person wants a task to go on from an attempt that there never was.
    #[error("there is no attempt {0}")]
    UnknownAttempt(AttemptKey),
    /// A scope was widened that another task owns.
    #[error("a scope was granted that cannot be: {0}")]
    Grant(String),
    /// Another revision than the one that stands was approved.
    #[error("revision {approved} was approved while {stands} stands")]
    Revision {
        /// What was approved.
        approved: u32,
        /// What stands.
        stands: u32,
    },
}

impl RunState {
    /// The state after the first event.
    pub fn begin(event: &Event) -> Result<Self, IllegalEvent> {
        let Event::RunStarted { goal, base, head, snapshot, settings, .. } = event else {
            return Err(IllegalEvent::NotABeginning);
        };
        Ok(Self {
            goal: goal.clone(),
            origin: Origin { base: base.clone(), head: head.clone(), snapshot: *snapshot },
            settings: settings.clone(),
            phase: Phase::Planning,
            plan: None,
            revision: 0,
            approved: None,
            tasks: Vec::new(),
            gone: Vec::new(),
            removed: BTreeMap::new(),
            remaining: Vec::new(),
            queue: VecDeque::new(),
            landed: Vec::new(),
            tip: base.clone(),
            red: None,
            flaky: Vec::new(),
            flaky_tests: BTreeSet::new(),
            replans: 0,
            replans_wanted: 0,
            replan_wanted: None,
            unanswered: None,
            paused: false,
            cancelling: false,
            over_budget: None,
            out_of_time: false,
            halted: None,
            spending: Spending::default(),
            models: BTreeMap::new(),
            planner: Spending::default(),
            requests: Vec::new(),
            standing: Vec::new(),
        })
    }

    /// Folds a whole journal.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, IllegalEvent> {
        let mut entries = entries.into_iter();
        let mut state = Self::begin(&entries.next().ok_or(IllegalEvent::NotABeginning)?.event)?;
        for entry in entries {
            state.apply(&entry.event)?;
        }
        Ok(state)
    }

    /// The state after one more event; unchanged where the event cannot have happened.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        match event {
            Event::RunStarted { .. } => Err(IllegalEvent::NotABeginning),
            Event::PlanProposed { revision, plan, .. } => self.propose(*revision, plan),
            Event::PlanApproved { revision, .. } if *revision != self.revision => {
                Err(IllegalEvent::Revision { approved: *revision, stands: self.revision })
            }
            Event::PlanApproved { revision, .. } => {
                self.leave(Phase::Review, Phase::Underway, "plan_approved")?;
                self.approved = Some(*revision);
                Ok(())
            }
            Event::PlanRejected { .. } => self.leave(Phase::Review, Phase::Rejected, "plan_rejected"),
            Event::AttemptStarted { key, base, content, .. } => self.start(key, base, content),
            Event::AttemptReused { key, commit } => self.reuse(key, commit),
            Event::AttemptEnded { key, commit, outcome } => self.end_attempt(key, commit.as_ref(), outcome),
            Event::TurnTaken { .. } | Event::ScopeGranted { .. } | Event::TaskEnded { .. } => self.apply_to_task(event),
            Event::LandingStarted { .. }
            | Event::LandingConflicted { .. }
            | Event::LandingRefused { .. }
            | Event::LandingPutBack { .. }
            | Event::TasksClashed { .. }
            | Event::BaseProved { .. }
            | Event::FlakySeen { .. }
            | Event::GatePassed { .. }
            | Event::TaskLanded { .. } => self.apply_landing(event),
            Event::PlanRevised { revision, replan, plan, fresh, .. } => {
                let author = if replan.is_some() { Author::Planner } else { Author::Person };
                self.revise(*revision, plan, fresh, author)?;
                if replan.is_some() {
                    self.replan_is_over();
                }
                Ok(())
            }
            Event::RunResumed { settings, only, .. } => self.resume(settings, only),
            Event::RunPaused
            | Event::RunUnpaused
            | Event::Steered { .. }
            | Event::TaskCancelRequested { .. }
            | Event::RetryRequested { .. }
            | Event::ReplanRequested { .. }
            | Event::LimitsChanged { .. } => self.apply_order(event),
            Event::ReplanStarted { .. }
            | Event::ReplanFailed { .. }
            | Event::CancelRequested
            | Event::BudgetReached { .. }
            | Event::RunHalted { .. }
            | Event::RunEnded { .. } => self.apply_to_run(event),
            Event::ScopeRefused { .. } | Event::ApprovalAsked { .. } | Event::ApprovalDecided { .. } => {
                self.hear_of_request(event);
                Ok(())
            }
            Event::ResultApplied { .. } => Ok(()),
        }
    }

    fn apply_to_task(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        match event {
            Event::TurnTaken(turn) => self.count(turn),
            Event::ScopeGranted { key, globs, shared, .. } => {
                let how = if *shared { Widening::Shared } else { Widening::Owned };
                let plan = self.widened(&key.task, globs, how).map_err(IllegalEvent::Grant)?;
                self.remaining = schedule::remaining(&plan);
                self.plan = Some(plan);
                self.hear_of_request(event);
            }
            Event::TaskEnded { task, end, why } => {
                self.step(task, Step::End(*end))?;
                self.queue.retain(|queued| queued != task);
                self.record(task)?.why.clone_from(why);
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts a turn where it belongs: to the run, to its model, to its task and attempt or to the planner.
    fn count(&mut self, turn: &Turn) {
        self.spending.add(turn);
        match self.models.get_mut(&turn.model) {
            Some(spending) => spending.add(turn),
            None => self.models.entry(turn.model.clone()).or_default().add(turn),
        }
        let Some(task) = &turn.task else { return self.planner.add(turn) };
        if let Some(record) = self.any_record(task) {
            record.turns = turn.turn;
            record.spending.add(turn);
            record.by_attempt.entry(turn.attempt.unwrap_or(Attempt(record.attempts))).or_default().add(turn);
        }
    }

    fn apply_to_run(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if matches!(self.phase, Phase::Rejected | Phase::Over(_)) {
            return Err(IllegalEvent::Phase { phase: self.phase, event: "an event of a run that goes on" });
        }
        match event {
            Event::ReplanStarted { number, .. } => self.begin_replan(*number),
            Event::ReplanFailed { cut_off: true, .. } => self.take_back_replan(),
            Event::ReplanFailed { .. } => self.replan_is_over(),
            Event::CancelRequested => self.cancelling = true,
            Event::BudgetReached { why, stop, limit } => {
                let budget = || Budget { why: why.clone(), limit: *limit };
                match &mut self.over_budget {
                    // What stops everything at once is what has to be raised.
                    Some(reached) if *stop && !self.out_of_time => *reached = budget(),
                    reached => drop(reached.get_or_insert_with(budget)),
                }
                self.out_of_time |= stop;
            }
            Event::RunHalted { why } => {
                self.halted.get_or_insert_with(|| why.clone());
                self.leave_replan();
            }
            Event::RunEnded { status, .. } => self.phase = Phase::Over(*status),
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, from: Phase, to: Phase, event: &'static str) -> Result<(), IllegalEvent> {
        if self.phase != from {
            return Err(IllegalEvent::Phase { phase: self.phase, event });
        }
        self.phase = to;
        Ok(())
    }

    fn propose(&mut self, revision: u32, plan: &Plan) -> Result<(), IllegalEvent> {
        if !matches!(self.phase, Phase::Planning | Phase::Review) {
            return Err(IllegalEvent::Phase { phase: self.phase, event: "plan_proposed" });
        }
        self.phase = Phase::Review;
        self.revision = revision;
        self.tasks = plan.tasks().iter().map(|task| TaskRecord::new(task.id.clone())).collect();
        self.remaining = schedule::remaining(plan);
        self.plan = Some(plan.clone());
        Ok(())
    }

    fn start(&mut self, key: &AttemptKey, base: &CommitId, content: &str) -> Result<(), IllegalEvent> {
        self.step(&key.task, Step::Start(key.attempt))?;
        let can_escalate = self.can_escalate(&key.task);
        let record = self.record(&key.task)?;
        let redone = record.setbacks.last().is_some_and(|last| last.setback.is_conflict()) && record.conflicts > 0;
        record.escalated |= can_escalate && record.tries > 0 && !redone;
        if record.attempts != key.attempt.0 {
            (record.turns, record.left) = (0, None);
        }
        record.attempts = key.attempt.0;
        record.base = Some(base.clone());
        (record.continuation, record.wanted_from) = (None, None);
        let trail = Trail { base: base.clone(), content: content.to_owned(), left: record.left.clone() };
        record.trail.insert(key.attempt, trail);
        Ok(())
    }

    /// What had finished before the run stopped waits for the coordinator again.
    fn reuse(&mut self, key: &AttemptKey, commit: &CommitId) -> Result<(), IllegalEvent> {
        self.step(&key.task, Step::Reuse(key.attempt, commit.clone()))?;
        let record = self.record(&key.task)?;
        record.left = Some(commit.clone());
        record.base = record.trail.get(&key.attempt).map(|trail| trail.base.clone());
        self.queue.push_back(key.task.clone());
        Ok(())
    }

    fn end_attempt(&mut self, key: &AttemptKey, commit: Option<&CommitId>, outcome: &Outcome) -> Result<(), IllegalEvent> {
        let unwanted = |record: &mut TaskRecord| matches!(record.state, TaskState::Running { unwanted: true, .. });
        let was_unwanted = self.any_record(&key.task).is_some_and(unwanted);
        let was_given_up = self.any_record(&key.task).is_some_and(|record| record.given_up);
        match (outcome, commit) {
            (Outcome::Done { report }, Some(commit)) => self.finish(key, commit, report)?,
            _ if was_unwanted || is_nobodys_try(outcome) => {
                self.step_any(&key.task, Step::TryAgain(key.attempt))?;
                // However it ended: what was tried is wanted no more, so it says nothing about what is.
                let goes_on = !was_unwanted && commit.is_some() && self.is_agent(&key.task);
                if let Some(record) = self.any_record(&key.task) {
                    record.continuation = goes_on.then_some(Continuation::AfterInterruption(key.attempt));
                }
            }
            _ => self.set_back(key, Setback::Ended(outcome.clone()))?,
        }
        self.forget_open_requests(Some(key));
        match outcome {
            // What nobody wants any more keeps nobody else from going on, where what it left is safe.
            Outcome::Unavailable { .. } if (was_unwanted || was_given_up) && commit.is_some() => {}
            Outcome::Unavailable { why } => drop(self.halted.get_or_insert_with(|| why.clone())),
            Outcome::OverBudget => {
                let budget = Budget { why: self.used_up(), limit: self.lacking() };
                self.over_budget.get_or_insert(budget);
            }
            _ => {}
        }
        if let Some(record) = self.any_record(&key.task) {
            record.left = commit.cloned();
            leave(record, key.attempt);
        }
        Ok(())
    }

    fn finish(&mut self, key: &AttemptKey, commit: &CommitId, report: &Report) -> Result<(), IllegalEvent> {
        self.step_any(&key.task, Step::Finish(key.attempt, commit.clone()))?;
        let Some(record) = self.any_record(&key.task) else { return Ok(()) };
        record.report = Some(report.clone());
        // What nobody wants any more was done for another order or another text: it is kept, and never taken for what is wanted now.
        if matches!(record.state, TaskState::Finished { .. }) {
            record.finished = Some(key.attempt);
            self.queue.push_back(key.task.clone());
        }
        Ok(())
    }

    fn revise(&mut self, revision: u32, plan: &Plan, fresh: &[TaskId], author: Author) -> Result<(), IllegalEvent> {
        let before = self.plan.clone();
        let is_material = |task: &Task| author == Author::Person || self.has_changed_matter(plan, task);
        let in_earnest: BTreeSet<TaskId> =
            plan.tasks().iter().filter(|task| is_material(task)).map(|task| task.id.clone()).collect();
        let changed = |id: &TaskId| before.as_ref().and_then(|before| before.get(id)) != plan.get(id);
        if let Some(lost) = self.tasks.iter().find(|record| record.state.is_settled() && changed(&record.id)) {
            return Err(IllegalEvent::SettledTask(lost.id.clone()));
        }
        let leave = |record: &mut TaskRecord| drop_from_plan(record, author);
        self.tasks.iter_mut().filter(|record| plan.get(&record.id).is_none()).for_each(leave);
        self.removed.extend(before.iter().flat_map(Plan::tasks).map(|task| (task.id.clone(), task.clone())));
        self.removed.retain(|id, _| plan.get(id).is_none());
        let mut known: std::collections::HashMap<TaskId, TaskRecord> =
            self.tasks.drain(..).chain(self.gone.drain(..)).map(|record| (record.id.clone(), record)).collect();
        for task in plan.tasks() {
            let mut record = known.remove(&task.id).unwrap_or_else(|| TaskRecord::new(task.id.clone()));
            if fresh.contains(&task.id) && !record.state.is_settled() {
                renew(&mut record);
                // A person's word stands until a person says otherwise.
                record.given_up &= author != Author::Person;
                if in_earnest.contains(&task.id) {
                    record.bygones = record.setbacks.len();
                }
                self.queue.retain(|queued| queued != &task.id);
            }
            self.tasks.push(record);
        }
        self.gone = known.into_values().collect();
        self.gone.sort_by(|a, b| a.id.cmp(&b.id));
        self.queue.retain(|queued| plan.get(queued).is_some());
        self.remaining = schedule::remaining(plan);
        self.revision = revision;
        self.plan = Some(plan.clone());
        self.bring_back(plan);
        Ok(())
    }

    pub(super) fn step(&mut self, task: &TaskId, step: Step) -> Result<(), IllegalEvent> {
        let record = self.record(task)?;
        take_step(record, step)
    }

    /// Like `step`, for events about attempts, whose task may have left the plan meanwhile.
    pub(super) fn step_any(&mut self, task: &TaskId, step: Step) -> Result<(), IllegalEvent> {
        if self.index(task).is_some() {
            return self.step(task, step);
        }
        let record = self.any_record(task).ok_or_else(|| IllegalEvent::UnknownTask(task.clone()))?;
        take_step(record, step)?;
        record.state = TaskState::Ended { end: TaskEnd::Dropped };
        Ok(())
    }

    /// Only an agent can go on where it was; a command begins again from clean files.
    pub(super) fn is_agent(&self, task: &TaskId) -> bool {
        self.plan.as_ref().and_then(|plan| plan.get(task)).is_some_and(|task| task.worker == WorkerKind::Agent)
    }

    /// Whether a task of a new plan, or what it builds on, says something else than when it was tried last.
    fn has_changed_matter(&self, plan: &Plan, task: &Task) -> bool {
        let before = |id: &TaskId| self.plan.as_ref().and_then(|plan| plan.get(id)).or_else(|| self.removed.get(id));
        let builds_on = task.depends_on.iter().filter_map(|id| plan.get(id));
        std::iter::once(task)
            .chain(builds_on)
            .any(|task| !before(&task.id).is_some_and(|before| edit::is_same_matter(before, task)))
    }

    pub(super) fn record(&mut self, task: &TaskId) -> Result<&mut TaskRecord, IllegalEvent> {
        let at = self.index(task).ok_or_else(|| IllegalEvent::UnknownTask(task.clone()))?;
        Ok(&mut self.tasks[at])
    }

    pub(super) fn any_record(&mut self, task: &TaskId) -> Option<&mut TaskRecord> {
        match self.index(task) {
            Some(at) => self.tasks.get_mut(at),
            None => self.gone.iter_mut().find(|record| &record.id == task),
        }
    }
}

fn take_step(record: &mut TaskRecord, step: Step) -> Result<(), IllegalEvent> {
    record.state = record.state.clone().next(step).map_err(|step| IllegalEvent::Step { task: record.id.clone(), step })?;
    Ok(())
}

/// Whether an attempt that ended so says nothing about its task.
fn is_nobodys_try(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Unavailable { .. } | Outcome::OverBudget | Outcome::Cancelled | Outcome::Superseded | Outcome::Interrupted => {
            true
        }
        Outcome::Done { .. }
        | Outcome::Blocked { .. }
        | Outcome::Exhausted { .. }
        | Outcome::Failed { .. }
        | Outcome::ScopeViolation { .. } => false,
    }
}

/// What an attempt left stays known after the next one has started.
fn leave(record: &mut TaskRecord, attempt: Attempt) {
    let left = record.left.clone();
    if let Some(trail) = record.trail.get_mut(&attempt) {
        trail.left = left;
    }
}

fn drop_from_plan(record: &mut TaskRecord, author: Author) {
    let is_news = !matches!(record.state, TaskState::Ended { .. });
    record.state = match std::mem::replace(&mut record.state, TaskState::Waiting) {
        TaskState::Running { attempt, .. } => TaskState::Running { attempt, unwanted: true },
        TaskState::Ended { end } => TaskState::Ended { end },
        _ => TaskState::Ended { end: TaskEnd::Dropped },
    };
    if is_news {
        let why = if author == Author::Person { "a person skipped it" } else { "a re-plan removed it" };
        why.clone_into(&mut record.why);
    }
}
