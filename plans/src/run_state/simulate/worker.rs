//! Workers: what an attempt will do is drawn when it starts; the harness around it sees through what it claims.
//!
//! A worker may be honest, break, loop, hang until its time is over, leave nothing, stray from its scope, or lie: say that it is done with
//! nothing delivered, or green when it is not. What the harness makes of each (DESIGN, invariants 3 and 5) is played here, so that a lie
//! reaches the state only as what it is.

use shared::{AttemptKey, Limit, Outcome, Report, TaskId, Tokens};

use super::{
    super::{Continuation, TaskState},
    truth::{Change, Need, extra, first_name},
    whole::{Due, Step, World},
};
use crate::{
    Task,
    event::{CommitId, Event},
    spending::Turn,
};

/// An attempt that is alive.
#[derive(Debug, Clone)]
pub(super) struct Job {
    base: CommitId,
    spec: Task,
    turns: u32,
    turns_left: u32,
    conduct: Conduct,
    stopping: bool,
    reserved: u64,
    broke: bool,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    /// What the task says, as well as that can be done.
    Honest,
    /// Says done and green, and is: but what it made is wrong together with the rest.
    Careless,
    Breaks,
    /// Runs a command that hangs until the attempt's time is over.
    Hangs,
    Loops,
    LeavesNothing,
    /// Writes where it must not.
    Strays,
    /// Says done with nothing delivered; its `finish` is refused until it may not ask again.
    ClaimsDone,
    /// Says that its own proof is green; the harness runs it and sees that it is not.
    ClaimsGreen,
    IsBlocked,
    /// No endpoint answers.
    Unavailable,
}

/// What no planner is needed for: another try is enough.
const PASSING: [Conduct; 6] =
    [Conduct::Breaks, Conduct::Hangs, Conduct::Loops, Conduct::LeavesNothing, Conduct::ClaimsDone, Conduct::ClaimsGreen];
const ROUGH: [Conduct; 10] = [
    Conduct::Breaks,
    Conduct::Hangs,
    Conduct::Loops,
    Conduct::LeavesNothing,
    Conduct::ClaimsDone,
    Conduct::ClaimsGreen,
    Conduct::Strays,
    Conduct::IsBlocked,
    Conduct::Careless,
    Conduct::Unavailable,
];

/// What a turn takes at most, and what is reserved for it.
const DEAREST: u64 = 2_000;

impl World {
    pub(super) fn start(&mut self, key: AttemptKey, continuation: Option<Continuation>) -> Step {
        let spec = self.state.plan().and_then(|plan| plan.get(&key.task)).cloned().expect("what starts is in the plan");
        let record = self.state.task(&key.task).expect("likewise").clone();
        let content = format!("{} {:?} {:?} {:?}", spec.instructions, spec.model, spec.limits, spec.scope);
        if let Some(attempt) = record.finished.filter(|_| continuation.is_none())
            && let Some(commit) = record.trail.get(&attempt).filter(|trail| trail.content == content).and_then(|t| t.left.clone())
        {
            return self.record(Event::AttemptReused { key: AttemptKey { attempt, ..key }, commit });
        }
        let tip = self.state.tip().clone();
        let base = match continuation {
            Some(Continuation::AfterInterruption(_)) => record.base.clone().unwrap_or(tip),
            Some(Continuation::FromAttempt(earlier)) => record.trail.get(&earlier).map_or(tip, |trail| trail.base.clone()),
            _ => tip,
        };
        let continues = continuation.map(Continuation::of);
        self.record(Event::AttemptStarted { key: key.clone(), base: base.clone(), continues, content })?;
        let conduct = self.conduct(record.tries);
        let turns_left = if conduct == Conduct::Loops { 3 } else { self.random.u32(1..12) };
        let job = Job { base, spec, turns: 0, turns_left, conduct, stopping: false, reserved: 0, broke: false };
        self.process.crew.insert(key.clone(), job);
        self.begin_turn(&key);
        Ok(())
    }

    fn conduct(&mut self, tries: u32) -> Conduct {
        let odds = self.class.misconduct();
        if self.random.f32() >= odds || (self.class.is_kind() && tries > 0) {
            return Conduct::Honest;
        }
        if self.class.is_kind() { PASSING[self.random.usize(..PASSING.len())] } else { ROUGH[self.random.usize(..ROUGH.len())] }
    }

    /// Reserves what a turn may take (invariant 9: before it is spent), or ends the attempt where that is not to be had.
    fn begin_turn(&mut self, key: &AttemptKey) {
        let spent = self.state.spending().tokens.total();
        let limit = self.state.settings().run_limits.tokens.unwrap_or(u64::MAX);
        let after = self.random.u64(20..150);
        let reserved = self.process.reserved;
        let Some(job) = self.process.crew.get_mut(key) else { return };
        if spent + reserved + DEAREST > limit {
            job.broke = true;
            self.clock.put(1, Due::AttemptOver(key.clone()));
            return;
        }
        job.reserved = DEAREST;
        self.process.reserved += DEAREST;
        self.clock.put(after, Due::Turn(key.clone()));
    }

    pub(super) fn turn(&mut self, key: &AttemptKey) -> Step {
        let tokens =
            Tokens { hit: self.random.u64(0..DEAREST / 2), output: self.random.u64(1..DEAREST / 2), ..Tokens::default() };
        let Some(job) = self.process.crew.get_mut(key) else { return Ok(()) };
        job.turns += 1;
        self.process.reserved -= std::mem::take(&mut job.reserved);
        let is_last = job.turns_left <= 1;
        job.turns_left = job.turns_left.saturating_sub(1);
        let (turn, hangs) = (job.turns, job.conduct == Conduct::Hangs);
        let (task, attempt) = (Some(key.task.clone()), Some(key.attempt));
        self.record(Event::TurnTaken(Turn { task, attempt, turn, tokens, model: "p/m".to_owned(), ..Turn::default() }))?;
        if is_last {
            self.clock.put(if hangs { 1_800 } else { 1 }, Due::AttemptOver(key.clone()));
        } else {
            self.begin_turn(key);
        }
        Ok(())
    }

    /// A worker hears at its next breath that it is to stop; one that has just finished has finished.
    pub(super) fn stop(&mut self, key: &AttemptKey) {
        let Some(job) = self.process.crew.get_mut(key).filter(|job| !job.stopping) else { return };
        job.stopping = true;
        self.process.reserved -= std::mem::take(&mut job.reserved);
        let wins = self.random.u32(0..4) == 0;
        if wins {
            job.stopping = false;
            job.turns_left = 0;
        }
        self.clock.keep(|due| !matches!(due, Due::Turn(other) | Due::AttemptOver(other) if other == key));
        self.clock.put(2, Due::AttemptOver(key.clone()));
    }

    pub(super) fn attempt_over(&mut self, key: &AttemptKey) -> Step {
        let Some(job) = self.process.crew.get(key).cloned() else { return Ok(()) };
        let (outcome, change) = self.judge(key, &job);
        let commit = self.keep(key, &job, change);
        // Between the commit under the attempt's ref and the journal the process may die: then it is salvaged once more.
        self.may_die()?;
        self.process.crew.remove(key);
        self.record(Event::AttemptEnded { key: key.clone(), commit: Some(commit), outcome })
    }

    /// What an attempt left goes under its ref, whatever it is.
    fn keep(&mut self, key: &AttemptKey, job: &Job, change: Option<Change>) -> CommitId {
        let mut tree = self.git.tree(&job.base).to_vec();
        tree.extend(change);
        let commit = self.git.commit(tree);
        self.git.refs.insert(key.clone(), commit.clone());
        commit
    }

    /// The process is gone: what its workers have written is still in their worktrees.
    pub(super) fn leave_files(&mut self) {
        for (key, job) in std::mem::take(&mut self.process.crew) {
            let half = Change { proved: false, ..self.change(&key, &job) };
            self.keep(&key, &job, Some(half));
        }
    }

    fn change(&self, key: &AttemptKey, job: &Job) -> Change {
        let own = shared::RepoPath::new(&format!("{}/f", first_name(&key.task))).unwrap();
        let is_wide = self.truth.needs.get(&key.task) == Some(&Need::MoreScope);
        let files = [Some(own), is_wide.then(|| extra(&key.task))].into_iter().flatten().collect();
        let saw = self.git.tree(&job.base).iter().map(|change| change.key.task.clone()).collect();
        Change { key: key.clone(), spec: job.spec.clone(), files, right: true, proved: true, saw }
    }

    /// What the harness observes, and what the attempt made. Half of it need not be red: nothing but the harness keeps it from landing.
    fn judge(&mut self, key: &AttemptKey, job: &Job) -> (Outcome, Option<Change>) {
        let made = self.change(key, job);
        let half = Change { proved: false, ..made.clone() };
        let exhausted = |limit| (Outcome::Exhausted { limit, last: String::new() }, Some(half.clone()));
        if job.broke {
            return (Outcome::OverBudget, Some(half));
        }
        if job.stopping {
            return (if self.is_unwanted(&key.task) { Outcome::Superseded } else { Outcome::Cancelled }, Some(half));
        }
        let report = Report::default();
        match job.conduct {
            Conduct::Honest if self.truth.is_met(&job.spec) => (Outcome::Done { report }, Some(made)),
            Conduct::Honest => match self.truth.needs[&key.task] {
                Need::MoreScope => (Outcome::ScopeViolation { paths: vec![extra(&key.task)] }, Some(half)),
                Need::MoreRoom => exhausted(Limit::Turns),
                Need::BetterModel => (Outcome::Failed { why: "it is too hard".to_owned() }, Some(half)),
                Need::BetterWords => (Outcome::Done { report }, Some(Change { right: false, ..made })),
                Need::Impossible | Need::Nothing => (Outcome::Blocked { report }, Some(half)),
            },
            Conduct::Careless => (Outcome::Done { report }, Some(Change { right: false, ..made })),
            Conduct::Breaks => (Outcome::Failed { why: "exit 3".to_owned() }, Some(half)),
            Conduct::Hangs => exhausted(Limit::Minutes),
            Conduct::Loops => exhausted(Limit::Repetition),
            Conduct::LeavesNothing => (Outcome::Failed { why: "nothing was changed".to_owned() }, None),
            Conduct::Strays => {
                let paths = vec![shared::RepoPath::new("elsewhere").unwrap()];
                (Outcome::ScopeViolation { paths: paths.clone() }, Some(Change { files: paths, ..half }))
            }
            Conduct::ClaimsDone | Conduct::ClaimsGreen => exhausted(Limit::Finishes),
            Conduct::IsBlocked => (Outcome::Blocked { report }, Some(half)),
            Conduct::Unavailable => (Outcome::Unavailable { why: "no endpoint".to_owned() }, Some(half)),
        }
    }

    fn is_unwanted(&self, task: &TaskId) -> bool {
        let unwanted = |state: &TaskState| matches!(state, TaskState::Running { unwanted: true, .. });
        self.state.running().any(|(record, _)| record.id == *task && unwanted(&record.state))
    }
}
