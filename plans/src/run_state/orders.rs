//! What a person orders while a run is under way, folded.
//!
//! **Invariant:** an order that comes too late (the task has landed, or lands now) is refused; it never takes back what is on the run branch.
//! **Invariant:** an order takes effect once: a wish for a re-plan is the next one's that begins, or, if that is cut off, the one's after it.
//! **Invariant:** words to a task are kept with it: an attempt that starts later hears them, too.
//!
//! Not here: a task that a person skips. That is a revision of the plan like another, with the edit `drop`.

use std::collections::BTreeSet;

use shared::{Attempt, AttemptKey, TaskId};

use super::{IllegalEvent, Phase, RunState, TaskRecord, Unanswered, apply::renew};
use crate::{
    event::{Event, TaskEnd},
    task_state::{Step, TaskState},
};

/// Where a wish stands among others.
#[derive(Clone, Copy)]
enum Place {
    First,
    Last,
}

impl RunState {
    pub(super) fn apply_order(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if matches!(self.phase, Phase::Rejected | Phase::Over(_)) {
            return Err(IllegalEvent::Phase { phase: self.phase, event: "an order to a run that goes on" });
        }
        match event {
            Event::RunPaused => self.paused = true,
            Event::RunUnpaused => self.paused = false,
            Event::Steered { task, text } => self.hear(task, text)?,
            Event::TaskCancelRequested { task } => self.give_up(task)?,
            Event::RetryRequested { task, from } => self.try_again(task, *from)?,
            Event::ReplanRequested { comment } => self.want_replan(comment, Place::Last),
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

    /// Wishes that have not been passed on yet are passed on together, in the order in which they were said.
    fn want_replan(&mut self, wish: &str, place: Place) {
        let other = self.replan_wanted.take().unwrap_or_default();
        let said = match place {
            Place::First => [wish, &other],
            Place::Last => [&other, wish],
        };
        let said: Vec<&str> = said.into_iter().filter(|text| !text.trim().is_empty()).collect();
        self.replan_wanted = Some(said.join("\n"));
    }

    /// The wish is the re-plan's now: one that is said while the planner thinks is for the next.
    pub(super) fn begin_replan(&mut self, number: u32) {
        let wish = self.replan_wanted.take();
        self.replans = number;
        self.replans_wanted += u32::from(wish.is_some());
        self.unanswered = Some(Unanswered { wish, is_being_made: true });
    }

    pub(super) fn replan_is_over(&mut self) {
        self.unanswered = None;
    }

    /// Nobody waits for its answer any more.
    pub(super) fn leave_replan(&mut self) {
        if let Some(replan) = &mut self.unanswered {
            replan.is_being_made = false;
        }
    }

    /// One that a process has begun and not ended is begun again, with the same wish, and counts once.
    pub(super) fn take_back_replan(&mut self) {
        let Some(Unanswered { wish, .. }) = self.unanswered.take() else { return };
        self.replans = self.replans.saturating_sub(1);
        if let Some(wish) = wish {
            self.replans_wanted = self.replans_wanted.saturating_sub(1);
            self.want_replan(&wish, Place::First);
        }
    }

    /// The record of a task that an order can be about. Before a plan is approved another may take its place, and orders would go with it.
    fn ordered(&mut self, task: &TaskId) -> Result<&mut TaskRecord, IllegalEvent> {
        match self.phase {
            Phase::Underway => self.record(task),
            phase => Err(IllegalEvent::Phase { phase, event: "an order about a task" }),
        }
    }

    /// Also of a task that has ended: it may be tried again. Only what has landed has nobody left who could hear.
    fn hear(&mut self, task: &TaskId, text: &str) -> Result<(), IllegalEvent> {
        let record = self.ordered(task)?;
        if matches!(record.state, TaskState::Landed { .. }) {
            return Err(IllegalEvent::TooLate(task.clone()));
        }
        record.words.push(text.to_owned());
        Ok(())
    }

    fn try_again(&mut self, task: &TaskId, from: Option<Attempt>) -> Result<(), IllegalEvent> {
        let record = self.ordered(task)?;
        if let Some(attempt) = from.filter(|from| !record.trail.contains_key(from)) {
            return Err(IllegalEvent::UnknownAttempt(AttemptKey { task: task.clone(), attempt }));
        }
        self.begin_anew(task)?;
        self.record(task)?.wanted_from = from;
        Ok(())
    }

    fn give_up(&mut self, task: &TaskId) -> Result<(), IllegalEvent> {
        let record = self.ordered(task)?;
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
