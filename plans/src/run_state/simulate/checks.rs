//! The invariants of the design, watched at every event of a simulated run. Each is named by its number.
//!
//! | invariant | how it is watched here |
//! |---|---|
//! | 1 the checkout is not touched | nothing in this world has one |
//! | 2 isolation | every attempt starts from a commit that is or was the tip; a new one has all its dependencies in its base |
//! | 3 scope | what lands changes only files of its task's scope |
//! | 4 what is left is kept | an attempt ends with the commit under its ref, and the state knows it from then on |
//! | 5 done is observed | only what the harness has proved lands, and only from an attempt that is still wanted |
//! | 6 always green | no commit that passes is red with anything that was not red on the base and has not been mended |
//! | 7 nothing is dropped | every landed change is in every later tip, and no revision touches a landed task |
//! | 8 named ends | each task and the run, and only where it fits what happened |
//! | 9 limits | workers, tries, conflicts, re-plans, tokens; nothing begins while the run is held or stopped |
//! | 10 journal | fold and state are equal after each death (`whole`); nothing that landed starts or lands again; an order counts once |
//! | no blind retry | no attempt starts that says what the two before it said which came to one end, unless a person wants it |
//! | 11, 12 | there are no models and no secrets in this world |

use std::collections::{BTreeMap, BTreeSet};

use shared::{Attempt, AttemptKey, Outcome, TaskId};

use super::{
    super::*,
    truth::{Change, Git, Truth},
};
use crate::{
    Task,
    event::{CommitId, Event},
    evidence::Signature,
};

/// What has been seen of one task.
#[derive(Debug, Default)]
struct Seen {
    /// Tries and conflicts since it was begun anew.
    tries: u32,
    conflicts: u32,
    last: u32,
    /// The first attempt that counts since it was begun anew.
    wanted_since: u32,
    interrupted: bool,
    /// Whether the last one met a conflict, so that the next may go on from it.
    conflicted: bool,
    /// The attempt that a person wants the next one to go on from.
    from: Option<Attempt>,
    words: usize,
    /// What the last attempts that did not land were told and came to, since a person wanted it tried again.
    ends: Vec<(Task, Signature)>,
    /// What the one at work was told.
    told: Option<Task>,
    /// Whether the stronger model has been at it since it was begun anew.
    escalated: bool,
}

/// What has been seen of the run.
#[derive(Debug, Default)]
pub(super) struct Checks {
    tasks: BTreeMap<TaskId, Seen>,
    alive: BTreeSet<AttemptKey>,
    ended: BTreeMap<AttemptKey, CommitId>,
    done: BTreeSet<AttemptKey>,
    landed: Vec<TaskId>,
    tokens: u64,
    /// What a person wants of the planner and has not been answered.
    wishes: Vec<String>,
    answering: Option<Vec<String>>,
    own_replans: u32,
    is_own_replan: bool,
    was_cancelled: bool,
    was_over_budget: bool,
    most_tokens: u64,
    pub(super) most_replans: u32,
    pub(super) most_attempts: u32,
    pub(super) most_conflicts: u32,
    pub(super) orders: u32,
    pub(super) resumes: u32,
}

impl Checks {
    /// Looks at an event that has just been applied.
    pub(super) fn hear(&mut self, event: &Event, state: &RunState, git: &Git, truth: &Truth) {
        self.note_limits(state);
        match event {
            Event::AttemptStarted { key, base, continues, .. } => self.start(key, base, *continues, (state, git)),
            Event::AttemptReused { key, .. } => self.reuse(key),
            Event::AttemptEnded { key, commit, outcome } => self.end(key, commit.as_ref(), outcome, (state, git)),
            Event::LandingStarted { key, .. } => {
                assert!(self.done.contains(key), "I5: {key} lands and was not done");
                assert!(key.attempt.0 >= self.seen(&key.task).wanted_since, "I5: {key} lands and was superseded");
                assert!(!state.is_paused() && !state.is_cancelling(), "I9: {key} lands while the run is held or stopped");
            }
            Event::GatePassed { commit, .. } => {
                let known: BTreeSet<&str> = state.known_red().iter().map(|red| red.command.as_str()).collect();
                let red = truth.red(git.tree(commit));
                assert!(red.iter().all(|command| known.contains(command)), "I6: {commit} passed and {red:?} is red");
            }
            Event::TaskLanded { key, commit } => self.land(key, commit, state, git),
            Event::LandingConflicted { key, .. } | Event::TasksClashed { key, .. } => {
                let seen = self.seen(&key.task);
                (seen.conflicts, seen.conflicted) = (seen.conflicts + 1, true);
            }
            Event::LandingRefused { key, .. } => self.seen(&key.task).tries += 1,
            Event::TurnTaken(turn) => {
                self.tokens += turn.tokens.total();
                assert_eq!(state.spending().tokens.total(), self.tokens, "I9: what was spent is not what is counted");
                assert!(self.tokens <= self.most_tokens, "I9: {} tokens of {}", self.tokens, self.most_tokens);
            }
            Event::PlanRevised { fresh, dropped, .. } => self.revise(fresh, dropped, event, state),
            _ => self.hear_order(event, state),
        }
        self.note_end(event, state);
        self.look(state);
    }

    /// What an attempt came to counts for the next ones, unless it says nothing about the task.
    fn note_end(&mut self, event: &Event, state: &RunState) {
        let (Event::AttemptEnded { key, .. }
        | Event::LandingRefused { key, .. }
        | Event::TasksClashed { key, .. }
        | Event::LandingConflicted { key, .. }) = event
        else {
            return;
        };
        let record = state.tasks().iter().chain(state.gone()).find(|record| record.id == key.task);
        let Some(last) = record.and_then(|record| record.setbacks.last()).filter(|last| last.attempt == key.attempt) else {
            return;
        };
        let seen = self.seen(&key.task);
        // A conflict in text is tried again from another tip, and what is flaky is nobody's.
        match last.setback.class() {
            Class::Flaky | Class::Conflict => seen.ends.clear(),
            _ => seen.ends.extend(seen.told.clone().map(|told| (told, last.setback.signature()))),
        }
    }

    fn hear_order(&mut self, event: &Event, state: &RunState) {
        match event {
            Event::ReplanStarted { .. } => self.begin_replan(state),
            Event::ReplanFailed { .. } => self.end_replan(),
            Event::RetryRequested { task, from } => {
                self.renew(task);
                self.seen(task).ends.clear();
                self.seen(task).from = *from;
                self.orders += 1;
            }
            Event::Steered { task, .. } => {
                self.seen(task).words += 1;
                self.orders += 1;
            }
            Event::ReplanRequested { comment } => {
                self.wishes.push(comment.clone());
                self.orders += 1;
            }
            Event::TaskCancelRequested { .. } | Event::LimitsChanged { .. } | Event::RunPaused => self.orders += 1,
            Event::CancelRequested => self.was_cancelled = true,
            Event::BudgetReached { .. } => self.was_over_budget = true,
            Event::RunResumed { .. } => self.resume(state),
            Event::RunEnded { status, .. } => self.end_run(*status, state),
            _ => {}
        }
    }

    fn seen(&mut self, task: &TaskId) -> &mut Seen {
        self.tasks.entry(task.clone()).or_default()
    }

    fn note_limits(&mut self, state: &RunState) {
        let settings = state.settings();
        self.most_attempts = self.most_attempts.max(settings.attempts);
        self.most_conflicts = self.most_conflicts.max(settings.conflict_attempts);
        self.most_replans = self.most_replans.max(settings.possible_replans());
        self.most_tokens = self.most_tokens.max(settings.run_limits.tokens.unwrap_or(u64::MAX));
    }

    /// What holds after every event.
    fn look(&self, state: &RunState) {
        for task in &self.landed {
            let is_landed = state.task(task).is_some_and(|record| matches!(record.state, TaskState::Landed { .. }));
            assert!(is_landed, "I7: {task} had landed");
        }
        assert_eq!(state.running().count(), self.alive.len(), "I9: who runs is not who was started");
        let waiting = |state: &TaskState| matches!(state, TaskState::Finished { .. } | TaskState::Landing { .. });
        let waiting = state.tasks().iter().filter(|record| waiting(&record.state)).count();
        assert_eq!(waiting, state.queue.len(), "whoever has finished waits in the queue, once");
    }

    fn start(&mut self, key: &AttemptKey, base: &CommitId, continues: Option<Attempt>, (state, git): (&RunState, &Git)) {
        assert!(!self.landed.contains(&key.task), "I10: {key} starts and its task has landed");
        assert!(git.is_on_branch(base), "I2: {key} starts from {base}, which was never the tip");
        assert!(!state.is_paused() && !state.is_cancelling(), "I9: {key} starts while the run is held or stopped");
        assert!(state.over_budget().is_none() && state.halted().is_none(), "I9: {key} starts while the run is stopped");
        assert!(state.running().count() <= state.settings().workers as usize, "I9: more workers than allowed");
        let plan = state.plan().expect("it is approved");
        let at = plan.index_of(&key.task).expect("it is in the plan");
        for before in plan.dependencies(at).map(|before| &plan.tasks()[before].id) {
            assert!(self.landed.contains(before), "{key} starts and {before} has not landed");
            let is_there = git.tree(base).iter().any(|change| change.key.task == *before);
            assert!(is_there || continues.is_some(), "I2: {key} starts and its base lacks {before}");
        }
        let (attempts, conflicts, record) = (self.most_attempts, self.most_conflicts, state.task(&key.task).unwrap());
        let seen = self.seen(&key.task);
        assert!(seen.tries < attempts && seen.conflicts < conflicts, "I9: {key} is a try too many: {seen:?}");
        assert_eq!(record.words.len(), seen.words, "I10: {key} hears every word once");
        let goes_on = key.attempt.0 == seen.last;
        assert!(if goes_on { seen.interrupted } else { key.attempt.0 == seen.last + 1 }, "I10: {key} after {}", seen.last);
        assert!(seen.from.is_none() || seen.from == continues, "I10: {key} was to go on from {:?}", seen.from);
        let may_continue = goes_on || seen.from.is_some() || seen.conflicted;
        assert!(continues.is_none() || may_continue, "I10: {key} goes on from {continues:?} and nobody wants that");
        (seen.last, seen.interrupted, seen.conflicted, seen.from) = (key.attempt.0, false, false, None);
        let spec = plan.tasks()[at].clone();
        if let [.., (before, one), (last, other)] = seen.ends.as_slice() {
            let is_same = |told: &Task| edit::is_same_matter(told, &spec);
            let blind = one == other && is_same(before) && is_same(last) && !goes_on;
            let is_stronger = record.escalated && !std::mem::replace(&mut seen.escalated, true);
            assert!(!blind || is_stronger, "{key} is the same try a third time");
        }
        seen.escalated = record.escalated;
        seen.told = Some(spec);
        assert!(self.alive.insert(key.clone()), "I10: {key} is alive twice");
    }

    fn reuse(&mut self, key: &AttemptKey) {
        assert!(self.done.contains(key), "I5: {key} is taken and was never done");
        let seen = self.seen(&key.task);
        assert!(key.attempt.0 >= seen.wanted_since, "I10: {key} is taken though its task was begun anew since");
        assert!(seen.from.is_none(), "I10: {key} is taken though a person wants another attempt");
    }

    fn end(&mut self, key: &AttemptKey, commit: Option<&CommitId>, outcome: &Outcome, (state, git): (&RunState, &Git)) {
        assert!(self.alive.remove(key), "I10: {key} ends and was not alive");
        assert_eq!(commit, git.refs.get(key), "I4: what {key} left is not under its ref");
        let record = state.tasks().iter().chain(state.gone()).find(|record| record.id == key.task).expect("it is known");
        let known = record.trail.get(&key.attempt).and_then(|trail| trail.left.as_ref());
        assert_eq!(known, commit, "I4: what {key} left is not known");
        if let Some(commit) = commit {
            self.ended.insert(key.clone(), commit.clone());
        }
        if let Outcome::Done { .. } = outcome {
            self.done.insert(key.clone());
        }
        let seen = self.seen(&key.task);
        let counts = key.attempt.0 >= seen.wanted_since;
        match outcome {
            Outcome::Done { .. } => {}
            Outcome::Unavailable { .. }
            | Outcome::OverBudget
            | Outcome::Cancelled
            | Outcome::Superseded
            | Outcome::Interrupted => {
                seen.interrupted = true;
            }
            _ => seen.tries += u32::from(counts),
        }
        assert!(record.tries <= seen.tries, "I9: the end of {key} counts against a task that was begun anew since");
    }

    fn land(&mut self, key: &AttemptKey, commit: &CommitId, state: &RunState, git: &Git) {
        assert!(!self.landed.contains(&key.task), "I10: {key} lands a second time");
        assert!(git.is_on_branch(commit), "I10: {key} is said to have landed and the branch does not have it");
        let change: &Change = git.own(key, commit).unwrap_or_else(|| panic!("I7: {commit} lacks what {key} made"));
        assert!(change.proved, "I5: {key} lands on its word alone");
        let task = state.plan().and_then(|plan| plan.get(&key.task)).expect("what lands is in the plan");
        assert!(change.files.iter().all(|file| task.scope.allows(file)), "I3: {key} lands files outside its scope");
        let said = |task: &crate::Task| (task.instructions.clone(), task.model.clone(), task.verify.clone());
        assert_eq!(said(&change.spec), said(task), "I5: {key} lands what its task does not say any more");
        self.landed.push(key.task.clone());
        let there = |id: &TaskId| git.tree(commit).iter().any(|change| change.key.task == *id);
        assert!(self.landed.iter().all(there), "I7: {commit} lacks what landed before");
        assert_eq!(state.tip(), commit);
    }

    fn revise(&mut self, fresh: &[TaskId], dropped: &[TaskId], event: &Event, state: &RunState) {
        let is_settled = |id: &TaskId| state.task(id).is_some_and(|record| record.state.is_settled());
        assert!(!fresh.iter().any(is_settled), "I7: a task that has landed or is landing begins anew");
        for id in dropped {
            assert!(
                state.task(id).is_none() && state.gone().iter().any(|record| record.id == *id),
                "{id} is dropped and forgotten"
            );
        }
        for task in fresh {
            self.renew(task);
            if matches!(event, Event::PlanRevised { replan: None, .. }) {
                self.seen(task).ends.clear();
            }
        }
        if matches!(event, Event::PlanRevised { replan: Some(_), .. }) {
            fresh.iter().filter_map(|id| state.plan()?.get(id)).for_each(|task| self.look_for_another_name(task));
            self.end_replan();
        }
    }

    /// What has come to one end twice does not come again under another name.
    fn look_for_another_name(&self, task: &Task) {
        for (id, seen) in self.tasks.iter().filter(|(id, _)| **id != task.id) {
            if let [.., (before, one), (last, other)] = seen.ends.as_slice() {
                let is_same = |told: &Task| edit::is_same_matter(told, task);
                assert!(one != other || !is_same(before) || !is_same(last), "{} is {id} under another name", task.id);
            }
        }
    }

    fn renew(&mut self, task: &TaskId) {
        let seen = self.seen(task);
        (seen.tries, seen.conflicts, seen.wanted_since) = (0, 0, seen.last + 1);
    }

    /// What the planner is told when a person wants it asked.
    pub(super) fn replan_is_owed(&mut self, comment: Option<&str>) {
        if let Some(comment) = comment {
            let said = |wish: &String| comment.lines().any(|line| line == wish);
            assert!(self.wishes.iter().all(said), "I10: a wish is not passed on: {:?}, {comment:?}", self.wishes);
            assert_eq!(comment.lines().count(), self.wishes.len(), "I10: a wish is passed on twice");
            self.answering = Some(self.wishes.clone());
        }
    }

    fn begin_replan(&mut self, state: &RunState) {
        self.is_own_replan = self.answering.is_none();
        self.own_replans += u32::from(self.is_own_replan);
        assert!(self.own_replans <= self.most_replans, "I9: re-plan {} of {}", self.own_replans, self.most_replans);
        assert!(!state.is_paused() && state.is_replanning());
    }

    fn end_replan(&mut self) {
        if let Some(answered) = self.answering.take() {
            self.wishes.retain(|wish| !answered.contains(wish));
        }
        self.is_own_replan = false;
    }

    /// A re-plan that was cut off counts for nothing.
    fn resume(&mut self, state: &RunState) {
        self.resumes += 1;
        self.own_replans -= u32::from(std::mem::take(&mut self.is_own_replan));
        self.answering = None;
        (self.was_cancelled, self.was_over_budget) = (false, false);
        if state.replans() == 0 {
            self.own_replans = 0;
        }
        // Where the run was over, what had ended begins anew; where it was not, nothing has.
        let anew = state.tasks().iter().filter(|record| record.tries == 0 && record.conflicts == 0);
        for record in anew {
            let seen = self.tasks.entry(record.id.clone()).or_default();
            (seen.tries, seen.conflicts) = (0, 0);
            if record.bygones == record.setbacks.len() {
                seen.ends.clear();
            }
        }
    }

    fn end_run(&self, status: RunStatus, state: &RunState) {
        assert!(self.alive.is_empty(), "I8: the run ends and {:?} is alive", self.alive);
        let all = state.tasks().iter().all(|record| matches!(record.state, TaskState::Landed { .. }));
        assert_eq!(status == RunStatus::Complete, all && state.known_red().is_empty(), "I8: {status}");
        assert!(status != RunStatus::Cancelled || self.was_cancelled, "I8: nobody cancelled it");
        assert!(status != RunStatus::OverBudget || state.over_budget().is_some(), "I8: no budget was reached");
        let was_stopped = self.was_cancelled || state.over_budget().is_some();
        assert!(was_stopped || self.wishes.is_empty(), "I10: the run ends and nobody has heard {:?}", self.wishes);
        let named = |record: &TaskRecord| matches!(record.state, TaskState::Landed { .. } | TaskState::Ended { .. });
        assert!(state.tasks().iter().chain(state.gone()).all(named), "I8: a task without a named end");
    }

    pub(super) fn at_the_end(&self, state: &RunState, git: &Git) {
        for (key, commit) in &self.ended {
            assert_eq!(git.refs.get(key), Some(commit), "I4: {key}");
            let record = state.tasks().iter().chain(state.gone()).find(|record| record.id == key.task);
            assert!(record.is_some_and(|record| record.trail.contains_key(&key.attempt)), "I4: {key} is forgotten");
        }
        assert!(state.tip() == &git.branch, "I6: the branch is not where the journal says");
    }
}
