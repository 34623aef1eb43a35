//! What a person orders while a run is under way, folded.
//!
//! **Invariant:** an order that comes too late (the task has landed, or lands now) is refused; it never takes back what is on the run branch.
//! **Invariant:** an order takes effect once: a wish for a re-plan is the next one's that begins, or, if that is cut off, the one's after it.
//! **Invariant:** words to a task are kept with it: an attempt that starts later hears them, too.
//!
//! Not here: a task that a person skips. That is a revision of the plan like another, with the edit `drop`.

use shared::{Attempt, AttemptKey, TaskId};

use super::{IllegalEvent, Phase, RunState, TaskRecord, Unanswered};
use crate::{
    event::{Event, RunLimit, Settings},
    task_state::TaskState,
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
            Event::LimitsChanged { settings } => self.change_limits(settings),
            _ => {}
        }
        Ok(())
    }

    /// A budget that was reached is over only when that very limit is raised.
    fn change_limits(&mut self, settings: &Settings) {
        let before = std::mem::replace(&mut self.settings, settings.clone());
        let is_raised = |limit: &RunLimit| limit.is_raised(&before, settings);
        let is_over =
            |limit: Option<RunLimit>| limit.map_or_else(|| RunLimit::ALL.iter().any(is_raised), |limit| is_raised(&limit));
        if !self.out_of_time && self.over_budget.as_ref().is_some_and(|budget| is_over(budget.limit)) {
            self.over_budget = None;
        }
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
}
