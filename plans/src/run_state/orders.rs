//! What a person orders while a run is under way, folded.
//!
//! **Invariant:** an order that comes too late (the task has landed, or lands now) is refused; it never takes back what is on the run branch.
//! **Invariant:** words to a task are kept with it: an attempt that starts later hears them, too.
//!
//! Not here: a task that a person skips. That is a revision of the plan like another, with the edit `drop`.

use std::collections::BTreeSet;

use shared::TaskId;

use super::{IllegalEvent, Phase, RunState, apply::renew};
use crate::{
    event::{Event, TaskEnd},
    task_state::{Step, TaskState},
};

impl RunState {
    pub(super) fn apply_order(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if matches!(self.phase, Phase::Rejected | Phase::Over(_)) {
            return Err(IllegalEvent::Phase { phase: self.phase, event: "an order to a run that goes on" });
        }
        match event {
            Event::RunPaused => self.paused = true,
            Event::RunUnpaused => self.paused = false,
            Event::Steered { task, text } => self.record(task)?.words.push(text.clone()),
            Event::TaskCancelRequested { task } => self.give_up(task)?,
            Event::RetryRequested { task, from } => {
                self.begin_anew(task)?;
                self.record(task)?.wanted_from = *from;
            }
            Event::ReplanRequested { comment } => self.replan_wanted = Some(comment.clone()),
            Event::LimitsChanged { settings } => {
                self.settings = settings.clone();
                if !self.out_of_time {
                    self.over_budget = None;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn give_up(&mut self, task: &TaskId) -> Result<(), IllegalEvent> {
        let record = self.record(task)?;
        if record.state.is_settled() || record.state.is_over() {
            return Err(IllegalEvent::TooLate(task.clone()));
        }
        record.given_up = true;
        Ok(())
    }

    /// The task begins anew, and with it what ended only because it did.
    fn begin_anew(&mut self, task: &TaskId) -> Result<(), IllegalEvent> {
        let record = self.record(task)?;
        if record.state.is_settled() {
            return Err(IllegalEvent::TooLate(task.clone()));
        }
        renew(record);
        record.given_up = false;
        self.queue.retain(|queued| queued != task);
        for id in self.reopened_by(std::slice::from_ref(task)) {
            let record = self.record(&id)?;
            if matches!(record.state, TaskState::Ended { end: TaskEnd::Dropped }) {
                record.state = record.state.clone().next(Step::Renew).unwrap_or(TaskState::Waiting);
            }
        }
        Ok(())
    }

    /// The tasks that are tried again when these are: they themselves and what waits for them; all where none is named.
    pub(super) fn reopened_by(&self, only: &[TaskId]) -> BTreeSet<TaskId> {
        let Some(plan) = self.plan.as_ref().filter(|_| !only.is_empty()) else {
            return self.tasks.iter().map(|record| record.id.clone()).collect();
        };
        let mut reopened: BTreeSet<TaskId> = only.iter().cloned().collect();
        loop {
            let waits =
                |task: &&crate::Task| !reopened.contains(&task.id) && task.depends_on.iter().any(|id| reopened.contains(id));
            let more: Vec<TaskId> = plan.tasks().iter().filter(waits).map(|task| task.id.clone()).collect();
            if more.is_empty() {
                return reopened;
            }
            reopened.extend(more);
        }
    }
}
