//! What the seeds have met, so that a world which became too tame is noticed.

use std::collections::BTreeSet;

use super::super::*;
use crate::event::{Event, RunStatus};

/// Situations that a run rarely gets into and that each have been, or could be, a defect. The seeds together have to meet all of them.
pub(super) const RARE: &[&str] = &[
    "a finished attempt is taken and not done again",
    "an attempt finishes though nobody wants it any more",
    "a running task is dropped",
    "a finished task is given up",
    "a task is given up while a re-plan is made",
    "a task is tried again while a re-plan is made",
    "a wish is said while a re-plan is made",
    "a re-plan is wanted and nothing is in trouble",
    "a re-plan ends while the run is held",
    "a task is in trouble while the run is held",
    "a budget is reached while the run is held",
    "the run is halted while it is held",
    "the run is cancelled while it is held",
    "fewer workers are allowed than run",
    "a batch is put back",
    "the process dies between the gate and the landing",
    "the process dies while it takes the run up",
    "a run that was over is taken up again for one task",
    "a task goes on from an older attempt",
    "a red base is mended",
    "a run ends as complete",
    "a run ends as incomplete",
    "a run ends as cancelled",
    "a run ends as over_budget",
];

/// The situations that an event, which has just been applied, shows.
pub(super) fn met(event: &Event, last: Option<&Event>, state: &RunState, met: &mut BTreeSet<&'static str>) {
    let is_in = |id: &shared::TaskId, is: fn(&TaskState) -> bool| state.task(id).is_some_and(|record| is(&record.state));
    let held = state.is_paused();
    let seen: &[(bool, usize)] = &match event {
        Event::AttemptReused { .. } => vec![(true, 0)],
        Event::AttemptEnded { key, outcome: shared::Outcome::Done { .. }, .. } => {
            vec![(!is_in(&key.task, |state| matches!(state, TaskState::Finished { .. })), 1)]
        }
        Event::AttemptEnded { .. } => vec![(held && state.in_trouble().next().is_some(), 9)],
        Event::PlanRevised { replan, .. } => {
            let is_alive = |record: &TaskRecord| matches!(record.state, TaskState::Running { .. });
            vec![(state.gone().iter().any(is_alive), 2), (held && replan.is_some(), 8)]
        }
        Event::ReplanFailed { .. } => vec![(held, 8)],
        Event::TaskCancelRequested { task } => {
            vec![(is_in(task, |state| matches!(state, TaskState::Finished { .. })), 3), (state.is_replanning(), 4)]
        }
        Event::RetryRequested { .. } => vec![(state.is_replanning(), 5)],
        Event::ReplanRequested { .. } => vec![(state.is_replanning(), 6)],
        Event::ReplanStarted { causes, .. } => vec![(causes.is_empty(), 7)],
        Event::BudgetReached { .. } => vec![(held, 10)],
        Event::RunHalted { .. } => vec![(held, 11)],
        Event::CancelRequested => vec![(held, 12)],
        Event::LimitsChanged { settings } => vec![(state.running().count() > settings.workers as usize, 13)],
        Event::LandingPutBack { .. } => vec![(true, 14)],
        Event::RunResumed { only, .. } => vec![(!only.is_empty() && matches!(last, Some(Event::RunEnded { .. })), 17)],
        Event::AttemptStarted { continues: Some(_), key, .. } => vec![(last.is_some() && key.attempt.0 > 2, 18)],
        Event::GatePassed { mended, .. } => vec![(!mended.is_empty(), 19)],
        Event::RunEnded { status, .. } => vec![
            (*status == RunStatus::Complete, 20),
            (*status == RunStatus::Incomplete, 21),
            (*status == RunStatus::Cancelled, 22),
            (*status == RunStatus::OverBudget, 23),
        ],
        _ => Vec::new(),
    };
    met.extend(seen.iter().filter(|(is_so, _)| *is_so).map(|(_, which)| RARE[*which]));
}

/// The two that no event shows.
pub(super) const DIED_BEFORE_LANDING: &str = RARE[15];
pub(super) const DIED_AGAIN: &str = RARE[16];
