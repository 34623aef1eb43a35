//! The fold of what the coordinator says, and what a setback means for a task.
//!
//! **Invariant:** a task keeps its place in the queue until it has landed or was set back: a batch that is put back is in order.
//! **Invariant:** a command that failed on the base is forgiven only until it has passed on the tip once.
//! **Invariant:** what has come to the same end twice since it was begun anew in earnest, by its signature, is not tried a third time in the same way: it goes to the planner, and
//! where there is none, once to the stronger model.
//! **Invariant:** a clash blames nobody: it costs a try at conflicts, and puts an order between the two into the plan.

use shared::{AttemptKey, TaskId};

use super::{Continuation, IllegalEvent, RunState};
use crate::{
    Plan,
    event::{CommitId, Event},
    evidence::{Class, Evidence, Setback},
    schedule,
    task_state::Step,
};

impl RunState {
    pub(super) fn apply_landing(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        match event {
            Event::LandingStarted { key, .. } => self.step(&key.task, Step::Land(key.attempt))?,
            Event::LandingConflicted { key, paths, with, detail, .. } => {
                let setback = Setback::Conflicted { paths: paths.clone(), with: with.clone(), detail: detail.clone() };
                self.set_back(key, setback)?;
            }
            Event::LandingRefused { key, verdict, .. } => self.set_back(key, Setback::Red(verdict.clone()))?,
            Event::TasksClashed { key, with, verdict, .. } => {
                self.set_back(key, Setback::Clashed { with: with.clone(), verdict: verdict.clone() })?;
                self.put_in_order(with, &key.task);
            }
            Event::LandingPutBack { key, .. } => self.step(&key.task, Step::PutBack)?,
            Event::GatePassed { key, commit, mended, .. } => {
                self.step(&key.task, Step::Pass(key.attempt, commit.clone()))?;
                self.record(&key.task)?.mended.clone_from(mended);
            }
            Event::TaskLanded { key, commit } => self.land(key, commit)?,
            Event::BaseProved { red } => self.red = Some(red.clone()),
            Event::FlakySeen { command, failing, .. } => {
                if !self.flaky.contains(command) {
                    self.flaky.push(command.clone());
                }
                self.flaky_tests.extend(failing.iter().map(|failing| failing.name.clone()));
            }
            _ => {}
        }
        Ok(())
    }

    fn land(&mut self, key: &AttemptKey, commit: &CommitId) -> Result<(), IllegalEvent> {
        self.step(&key.task, Step::Landed(key.attempt, commit.clone()))?;
        let mended = std::mem::take(&mut self.record(&key.task)?.mended);
        self.red.iter_mut().for_each(|red| red.retain(|red| !mended.contains(&red.command)));
        self.queue.retain(|queued| queued != &key.task);
        self.landed.push(key.task.clone());
        self.tip = commit.clone();
        Ok(())
    }

    /// An attempt did not land: is the task tried again, or does it wait for the planner?
    pub(super) fn set_back(&mut self, key: &AttemptKey, setback: Setback) -> Result<(), IllegalEvent> {
        let settings = self.settings.clone();
        let planner_left = self.replans_left() > 0;
        let is_agent = self.is_agent(&key.task);
        let can_escalate = self.can_escalate(&key.task);
        let Some(record) = self.any_record(&key.task) else { return Err(IllegalEvent::UnknownTask(key.task.clone())) };
        let conflict = setback.is_conflict();
        let (tries, conflicts) = (record.tries + u32::from(!conflict), record.conflicts + u32::from(conflict));
        let repeats = record.recent().last().is_some_and(|last| last.setback.signature() == setback.signature());
        // After a conflict in text the next attempt begins from another tip, and what is flaky is nobody's.
        let is_new = !repeats || matches!(setback.class(), Class::Flaky | Class::Conflict);
        let again = if conflict {
            conflicts < settings.conflict_attempts && is_new
        } else {
            let may = setback.may_pass_again() || (matches!(setback, Setback::Red(_)) && !planner_left);
            let differs = is_new || (!planner_left && can_escalate && !record.escalated);
            tries < settings.attempts && may && differs
        };
        let step = if again { Step::TryAgain(key.attempt) } else { Step::GiveUp(key.attempt, setback.end()) };
        self.step_any(&key.task, step)?;
        self.queue.retain(|queued| queued != &key.task);
        let Some(record) = self.any_record(&key.task) else { return Ok(()) };
        (record.tries, record.conflicts, record.finished) = (tries, conflicts, None);
        record.continuation = (again && conflict && is_agent).then_some(Continuation::AfterConflict(key.attempt));
        record.setbacks.push(Evidence { attempt: key.attempt, setback });
        Ok(())
    }

    /// Whether a stronger model may come in for a task.
    pub(super) fn can_escalate(&self, task: &TaskId) -> bool {
        let names_none = |plan: &Plan| plan.get(task).is_some_and(|task| task.model.is_none());
        self.settings.escalation && self.is_agent(task) && self.plan.as_ref().is_some_and(names_none)
    }

    /// The plan says from now on what has been seen: the one goes before the other.
    fn put_in_order(&mut self, before: &TaskId, after: &TaskId) {
        let Some(plan) = &self.plan else { return };
        let mut draft = plan.draft().clone();
        let is_known = draft.tasks.iter().any(|task| task.id == *before);
        let task = draft.tasks.iter_mut().find(|task| task.id == *after && !task.depends_on.contains(before));
        let Some(task) = task.filter(|_| is_known) else { return };
        task.depends_on.push(before.clone());
        // What has landed waits for nobody, so this makes no circle; a plan that is one all the same stays as it was.
        if let Ok(plan) = Plan::new(draft) {
            self.remaining = schedule::remaining(&plan);
            self.plan = Some(plan);
        }
    }
}
