//! What has to happen now, derived from the state alone.
//!
//! What begins, lands or ends something is announced to the journal before it is made, and by that very event is owed no longer. What asks
//! somebody or waits for somebody is owed until the answer is in the journal, and may be said any number of times: [`Owed::Plan`],
//! [`Owed::Review`], [`Owed::ProveBase`] and [`Owed::Stop`]. **Whoever acts on these takes care not to do them twice.** [`Owed::Halt`] is
//! owed for as long as the process lasts.

use shared::{Attempt, AttemptKey, TaskId};

use super::{Phase, RunState, TaskRecord};
use crate::{
    event::{CommitId, RunStatus, TaskEnd},
    task_state::TaskState,
};

/// Something that has to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owed {
    /// The planner has to be asked for a plan.
    Plan,
    /// A person has to look at the plan.
    Review {
        /// Which revision.
        revision: u32,
    },
    /// A worker has to start.
    Start {
        /// The attempt.
        key: AttemptKey,
        /// How it goes on with an earlier attempt's conversation.
        continuation: Option<Continuation>,
    },
    /// A worker has to be stopped.
    Stop {
        /// The attempt.
        key: AttemptKey,
    },
    /// The gate has to be run on the base, before anybody is paid for work that it is to judge.
    ProveBase,
    /// The coordinator has to land finished tasks, in this order.
    Land {
        /// At least one.
        batch: Vec<Finished>,
    },
    /// The planner has to mend the plan.
    Replan {
        /// Counted from 1.
        number: u32,
        /// The tasks in trouble.
        causes: Vec<TaskId>,
        /// What a person wants of it, if one asked for it.
        comment: Option<String>,
    },
    /// A task has to be given up.
    EndTask {
        /// The task.
        task: TaskId,
        /// How it ends.
        end: TaskEnd,
        /// Why.
        why: String,
    },
    /// The run cannot go on by itself: the process has to say so and leave.
    Halt {
        /// What happened and what to do.
        why: String,
    },
    /// The run is over.
    EndRun {
        /// How.
        status: RunStatus,
    },
}

/// A task that is done in its own worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The attempt.
    pub key: AttemptKey,
    /// What it made.
    pub commit: CommitId,
}

/// How an attempt goes on with the conversation of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// From the new tip, told of both sides of the conflict.
    AfterConflict(Attempt),
    /// The same attempt goes on, with the files as it left them: an interruption is nobody's try.
    AfterInterruption(Attempt),
    /// Another attempt goes on from where this one was, with its files: a person wants it.
    FromAttempt(Attempt),
}

impl Continuation {
    /// The earlier attempt.
    pub fn of(self) -> Attempt {
        match self {
            Self::AfterConflict(attempt) | Self::AfterInterruption(attempt) | Self::FromAttempt(attempt) => attempt,
        }
    }
}

impl RunState {
    /// What has to happen now.
    pub fn owed(&self) -> Vec<Owed> {
        match self.phase {
            Phase::Planning if self.cancelling => vec![Owed::EndRun { status: RunStatus::Cancelled }],
            Phase::Planning if self.over_budget.is_some() => vec![Owed::EndRun { status: RunStatus::OverBudget }],
            Phase::Planning if self.paused => self.halt().into_iter().collect(),
            Phase::Planning => self.halt().map_or_else(|| vec![Owed::Plan], |halt| vec![halt]),
            Phase::Review if self.cancelling || self.over_budget.is_some() => self.owed_underway(),
            Phase::Review => vec![Owed::Review { revision: self.revision }],
            Phase::Rejected | Phase::Over(_) => Vec::new(),
            Phase::Underway => self.owed_underway(),
        }
    }

    fn owed_underway(&self) -> Vec<Owed> {
        let mut owed = self.stops();
        if self.must_prove_base() && !self.is_stopping() && !self.paused {
            owed.push(Owed::ProveBase);
        }
        owed.extend(self.next_landing());
        owed.extend(self.starts());
        owed.extend(self.replan());
        owed.extend(self.ends());
        if owed.is_empty() && self.is_quiet() {
            owed.extend(self.conclusion());
        }
        owed
    }

    /// Whether nothing new is to begin.
    fn is_stopping(&self) -> bool {
        self.cancelling || self.over_budget.is_some() || self.halted.is_some()
    }

    /// Whether nothing is alive.
    fn is_quiet(&self) -> bool {
        self.running().next().is_none() && self.landings().next().is_none() && !self.is_replanning()
    }

    fn stops(&self) -> Vec<Owed> {
        let wanted = |record: &TaskRecord| {
            let is_wanted = matches!(record.state, TaskState::Running { unwanted: false, .. }) && !record.given_up;
            is_wanted && !self.cancelling && !self.out_of_time
        };
        let stop = |(record, attempt): (&TaskRecord, Attempt)| Owed::Stop { key: key(record, attempt) };
        self.running().filter(|(record, _)| !wanted(record)).map(stop).collect()
    }

    fn next_landing(&self) -> Option<Owed> {
        let batch = if self.landings().next().is_none() { self.next_batch() } else { Vec::new() };
        (!batch.is_empty()).then_some(Owed::Land { batch })
    }

    /// What the coordinator can take up now: the finished tasks that have waited longest. Empty where nothing may land any more.
    ///
    /// It is owed only while nothing is landing; to take it up before that, on top of what is landing, is a speculation.
    pub fn next_batch(&self) -> Vec<Finished> {
        if self.cancelling || self.out_of_time || self.halted.is_some() || self.paused {
            return Vec::new();
        }
        let finished = |id: &TaskId| match self.task(id).map(|record| (record, &record.state)) {
            Some((record, TaskState::Finished { attempt, commit })) if !record.given_up => {
                Some(Finished { key: key(record, *attempt), commit: commit.clone() })
            }
            _ => None,
        };
        let bound = usize::try_from(self.settings.batch.max(1)).unwrap_or(usize::MAX);
        self.queue.iter().filter_map(finished).take(bound).collect()
    }

    /// What fails before the first task starts is no task's fault, so it has to be known by then. Where a task has landed, the tip has passed.
    fn must_prove_base(&self) -> bool {
        let has_gate = self.plan.as_ref().is_some_and(|plan| !plan.gate().commands.is_empty());
        has_gate && !self.settings.no_gate && self.red.is_none() && self.landed.is_empty()
    }

    fn starts(&self) -> Vec<Owed> {
        let alive = self.running().count();
        let free = usize::try_from(self.settings.workers).unwrap_or(usize::MAX).saturating_sub(alive);
        if free == 0 || self.is_stopping() || self.paused || self.must_prove_base() {
            return Vec::new();
        }
        let mut ready: Vec<usize> = (0..self.tasks.len()).filter(|&at| self.is_ready(at)).collect();
        ready.sort_by_key(|&at| (std::cmp::Reverse(self.remaining[at]), at));
        let start = |at: usize| {
            let record = &self.tasks[at];
            let continuation = record.wanted_from.map(Continuation::FromAttempt).or(record.continuation);
            let attempt = match continuation {
                Some(Continuation::AfterInterruption(attempt)) => attempt,
                Some(Continuation::AfterConflict(_) | Continuation::FromAttempt(_)) | None => Attempt(record.attempts + 1),
            };
            Owed::Start { key: key(record, attempt), continuation }
        };
        ready.into_iter().take(free).map(start).collect()
    }

    fn is_ready(&self, at: usize) -> bool {
        let Some(plan) = &self.plan else { return false };
        let landed = |dependency: usize| matches!(self.tasks[dependency].state, TaskState::Landed { .. });
        let record = &self.tasks[at];
        record.state == TaskState::Waiting && !record.given_up && plan.dependencies(at).all(landed)
    }

    /// A re-plan is worth its cost once nothing that finished is still to be judged and a worker would be idle. One that a person wants
    /// waits for nothing and counts against no limit.
    fn replan(&self) -> Option<Owed> {
        if self.is_replanning() || self.is_stopping() || self.paused {
            return None;
        }
        let number = self.replans + 1;
        let causes: Vec<TaskId> = self.in_trouble().filter(|record| !record.given_up).map(|record| record.id.clone()).collect();
        if let Some(comment) = &self.replan_wanted {
            return Some(Owed::Replan { number, causes, comment: Some(comment.clone()) });
        }
        let allowed = self.replans_left() > 0 && self.queue.is_empty();
        let worth_it = allowed && self.running().count() < self.settings.workers as usize && !causes.is_empty();
        worth_it.then_some(Owed::Replan { number, causes, comment: None })
    }

    fn ends(&self) -> Vec<Owed> {
        if (self.halted.is_some() && !self.cancelling) || self.is_replanning() {
            return Vec::new();
        }
        let closing = self.is_stopping() && self.is_quiet() && (self.cancelling || self.out_of_time || self.queue.is_empty());
        // A re-plan that a person wants may still find a way.
        let hopeless = (self.replans_left() == 0 && self.replan_wanted.is_none()) || closing;
        let end = |(at, record): (usize, &TaskRecord)| {
            let (end, why) = self.end_of(at, record, closing, hopeless)?;
            Some(Owed::EndTask { task: record.id.clone(), end, why })
        };
        self.tasks.iter().enumerate().filter_map(end).collect()
    }

    fn end_of(&self, at: usize, record: &TaskRecord, closing: bool, hopeless: bool) -> Option<(TaskEnd, String)> {
        let is_idle = matches!(record.state, TaskState::Waiting | TaskState::Finished { .. } | TaskState::InTrouble { .. });
        if record.given_up && is_idle {
            return Some((TaskEnd::Cancelled, "a person gave it up".to_owned()));
        }
        let headline = || record.setbacks.last().map(|evidence| evidence.setback.headline()).unwrap_or_default();
        match &record.state {
            TaskState::InTrouble { end } if hopeless => {
                let rule = if self.is_cut_short(record) {
                    "; that was the same end twice, so it was not tried once more as it is, although it had attempts left"
                } else {
                    ""
                };
                Some((*end, headline() + rule))
            }
            TaskState::Waiting => {
                let lost = |&at: &usize| matches!(self.tasks[at].state, TaskState::Ended { .. });
                let lost = self.plan.as_ref().and_then(|plan| plan.dependencies(at).find(lost));
                match lost {
                    Some(cause) => {
                        let cause = &self.tasks[cause];
                        Some((TaskEnd::Dropped, format!("it depends on {}, which ended as {}", cause.id, cause.state.name())))
                    }
                    None if record.attempts > 0 => closing.then(|| (TaskEnd::Cancelled, "stopped with the run".to_owned())),
                    None => closing.then(|| (TaskEnd::Cancelled, "the run stopped before its turn came".to_owned())),
                }
            }
            TaskState::Finished { .. } if closing => {
                Some((TaskEnd::Cancelled, "the run stopped before it could land".to_owned()))
            }
            _ => None,
        }
    }

    /// Whether a task in trouble was tried less often than it might have been, because it came to the same end twice.
    pub fn is_cut_short(&self, record: &TaskRecord) -> bool {
        let had_more = match record.setbacks.last() {
            Some(last) if last.setback.is_conflict() => record.conflicts < self.settings.conflict_attempts,
            _ => record.tries < self.settings.attempts,
        };
        had_more && record.repeats()
    }

    fn conclusion(&self) -> Option<Owed> {
        if let Some(halt) = self.halt().filter(|_| !self.cancelling) {
            return Some(halt);
        }
        if self.paused && !self.is_stopping() && self.replan_wanted.is_some() {
            return None;
        }
        if !self.tasks.iter().all(|record| record.state.is_over()) {
            return None;
        }
        let complete =
            self.known_red().is_empty() && self.tasks.iter().all(|record| matches!(record.state, TaskState::Landed { .. }));
        let status = match (complete, self.cancelling, &self.over_budget) {
            (true, ..) => RunStatus::Complete,
            (_, true, _) => RunStatus::Cancelled,
            (_, _, Some(_)) => RunStatus::OverBudget,
            _ => RunStatus::Incomplete,
        };
        Some(Owed::EndRun { status })
    }

    fn halt(&self) -> Option<Owed> {
        self.halted.clone().map(|why| Owed::Halt { why })
    }
}

fn key(record: &TaskRecord, attempt: Attempt) -> AttemptKey {
    AttemptKey { task: record.id.clone(), attempt }
}
