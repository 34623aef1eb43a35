//! What begins anew: by a revision of the plan, by a person's order, by a process that takes a run up.
//!
//! | who wants it | all its attempts again | setbacks so far count | a person's cancel |
//! |---|---|---|---|
//! | a person: `retry`, a skip or another plan of theirs | yes | no | is taken back |
//! | a process that takes up a run that was over | yes | no | stands, and so does what ended because of it |
//! | the planner, with a material edit | yes | no | stands |
//! | the planner, with any other | yes | yes | stands |
//! | the fold, for what had ended only because of another task | yes | yes | stands |
//!
//! "Count" is for the rule that nobody tries a third time what has come to the same end twice: what was tried before a task was begun anew in
//! earnest says nothing about what is tried now. It stays with the task as evidence all the same.

use std::collections::BTreeSet;

use shared::TaskId;

use super::{IllegalEvent, Phase, RunState, TaskRecord};
use crate::{
    Plan,
    event::{RunStatus, Settings, TaskEnd},
    task_state::{Step, TaskState},
};

impl RunState {
    pub(super) fn resume(&mut self, settings: &Settings, only: &[TaskId]) -> Result<(), IllegalEvent> {
        if matches!(self.phase, Phase::Rejected | Phase::Over(RunStatus::Complete)) {
            return Err(IllegalEvent::Phase { phase: self.phase, event: "run_resumed" });
        }
        if let Some(unknown) = only.iter().find(|id| self.task(id).is_none()) {
            return Err(IllegalEvent::UnknownTask(unknown.clone()));
        }
        let reopens = self.reopened_by(only);
        self.settings = settings.clone();
        self.forget_open_requests(None);
        (self.cancelling, self.over_budget, self.out_of_time, self.halted, self.paused) = (false, None, false, None, false);
        self.take_back_replan();
        if matches!(self.phase, Phase::Over(_)) {
            (self.replans, self.replans_wanted) = (0, 0);
            self.phase = match (&self.plan, self.approved) {
                (None, _) => Phase::Planning,
                (Some(_), None) => Phase::Review,
                (Some(_), Some(_)) => Phase::Underway,
            };
        }
        for record in &mut self.tasks {
            let state = std::mem::replace(&mut record.state, TaskState::Waiting);
            record.state = match state {
                TaskState::Landing { attempt, commit, .. } => TaskState::Finished { attempt, commit },
                TaskState::Ended { .. } if reopens.contains(&record.id) => {
                    (record.tries, record.conflicts, record.given_up) = (0, 0, false);
                    record.bygones = record.setbacks.len();
                    TaskState::Waiting
                }
                TaskState::Running { .. } => TaskState::Waiting,
                other => other,
            };
        }
        Ok(())
    }

    /// Whether the plan was never approved and can still be: also where the review was left by stopping the run.
    pub fn waits_for_review(&self) -> bool {
        let left = matches!(self.phase, Phase::Over(status) if status != RunStatus::Complete);
        self.phase == Phase::Review || (left && self.plan.is_some() && self.approved.is_none())
    }

    /// Tasks that a new process tries again in a run that is over, by the tasks that it is taken up for: they and what waits for them; all
    /// where none is named. What a person gave up stays as it is unless it is named, and so does what waits for it. None while the run goes on.
    pub fn reopened_by(&self, only: &[TaskId]) -> BTreeSet<TaskId> {
        let Some(plan) = self.plan.as_ref().filter(|_| matches!(self.phase, Phase::Over(_))) else { return BTreeSet::new() };
        let wanted: BTreeSet<TaskId> = only.iter().cloned().chain(self.waiting_for(only)).collect();
        let mut reopened = BTreeSet::new();
        for &at in plan.topological() {
            let record = &self.tasks[at];
            let is_lost = |before: usize| {
                let before = &self.tasks[before];
                matches!(before.state, TaskState::Ended { .. }) && !reopened.contains(&before.id)
            };
            let stays = |record: &TaskRecord| record.given_up || plan.dependencies(at).any(is_lost);
            let is_wanted = only.is_empty() || wanted.contains(&record.id);
            if matches!(record.state, TaskState::Ended { .. }) && (only.contains(&record.id) || (is_wanted && !stays(record))) {
                reopened.insert(record.id.clone());
            }
        }
        reopened
    }

    /// The tasks that wait for these, directly or not, in the plan's order.
    pub fn waiting_for(&self, tasks: &[TaskId]) -> Vec<TaskId> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let mut open: Vec<usize> = tasks.iter().filter_map(|id| plan.index_of(id)).collect();
        let mut waiting = BTreeSet::new();
        while let Some(at) = open.pop() {
            open.extend(plan.dependents(at).filter(|&after| waiting.insert(after)));
        }
        let names = waiting.into_iter().map(|at| plan.tasks()[at].id.clone());
        names.filter(|id| !tasks.contains(id)).collect()
    }

    /// The task begins anew because a person wants it, and with it what ended only because it did.
    pub(super) fn begin_anew(&mut self, task: &TaskId) -> Result<(), IllegalEvent> {
        let record = self.record(task)?;
        if record.state.is_settled() {
            return Err(IllegalEvent::TooLate(task.clone()));
        }
        renew(record);
        (record.given_up, record.bygones) = (false, record.setbacks.len());
        self.queue.retain(|queued| queued != task);
        for id in self.waiting_for(std::slice::from_ref(task)) {
            let record = self.record(&id)?;
            if matches!(record.state, TaskState::Ended { end: TaskEnd::Dropped }) && !record.given_up {
                record.state = record.state.clone().next(Step::Renew).unwrap_or(TaskState::Waiting);
            }
        }
        Ok(())
    }

    /// What had ended only because of a task that it waited for is tried once more where it waits for none any more that has ended.
    pub(super) fn bring_back(&mut self, plan: &Plan) {
        for &at in plan.topological() {
            let is_lost = |before: usize| matches!(self.tasks[before].state, TaskState::Ended { .. });
            let is_dropped = matches!(self.tasks[at].state, TaskState::Ended { end: TaskEnd::Dropped });
            if is_dropped && !self.tasks[at].given_up && !plan.dependencies(at).any(is_lost) {
                renew(&mut self.tasks[at]);
            }
        }
    }
}

/// The task has all its attempts again.
pub(super) fn renew(record: &mut TaskRecord) {
    if let Ok(state) = record.state.clone().next(Step::Renew) {
        record.state = state;
    }
    (record.tries, record.conflicts, record.continuation, record.finished, record.escalated) = (0, 0, None, None, false);
}
