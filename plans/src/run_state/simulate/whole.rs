//! A whole run as the dispatcher carries it out, in a simulated world on a virtual clock.
//!
//! Receive, journal, apply, act, as in the orchestrator: every event is applied and journaled, and then whatever the state owes is
//! announced and made, until nothing more is. What takes time lies in the clock's queue. A process can die before and after each event; then
//! its part of the queue is gone, and what is left is the journal, the repository and the person.
//!
//! **Invariant:** nothing here decides what the run does next: that is `owed()` alone.

use std::collections::{BTreeMap, BTreeSet};

use shared::{AttemptKey, Outcome, TaskId};

use super::{
    super::*,
    checks::Checks,
    class::Class,
    clock::Clock,
    coordinator::UnderWay,
    coverage,
    person::Order,
    truth::{Git, Truth},
    worker::Job,
};
use crate::event::{Approver, Author, Entry, Event, VERSION};

/// The process is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Killed;

pub(super) type Step = Result<(), Killed>;

/// What comes due.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Due {
    Drafted,
    Reviewed,
    BaseProved,
    /// A worker's turn comes back.
    Turn(AttemptKey),
    AttemptOver(AttemptKey),
    Judged(u64),
    Slow(u64),
    Moved(u64),
    Mended(u32),
    OutOfTime,
    /// The person does something.
    Person(Order),
    /// The process dies.
    Killed,
    /// A new process takes the run up.
    Resumed,
}

impl Due {
    /// Whether it happens though no process is at the run.
    fn outlives_the_process(&self) -> bool {
        matches!(self, Self::Person(_) | Self::Killed | Self::Resumed)
    }
}

/// What the process is at and would lose with its life.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that it is at or not")]
pub(super) struct Process {
    pub(super) alive: bool,
    pub(super) crew: BTreeMap<AttemptKey, Job>,
    pub(super) under_way: UnderWay,
    pub(super) drafting: bool,
    pub(super) reviewing: bool,
    pub(super) proving_base: bool,
    /// The edits that the planner will answer with.
    pub(super) thinking: Option<super::planner::Answer>,
    /// Tokens that are reserved for turns under way.
    pub(super) reserved: u64,
    pub(super) since: u64,
    /// Whether it still takes the run up.
    taking_up: bool,
}

/// The world.
pub(super) struct World {
    pub(super) class: Class,
    pub(super) seed: u64,
    pub(super) random: fastrand::Rng,
    pub(super) clock: Clock<Due>,
    pub(super) state: RunState,
    pub(super) journal: Vec<Entry>,
    pub(super) truth: Truth,
    pub(super) git: Git,
    pub(super) process: Process,
    pub(super) checks: Checks,
    pub(super) kills_left: u32,
    pub(super) reopens_left: u32,
    /// Seconds that processes have been at it.
    pub(super) worked: u64,
    /// Whether the events are told as they happen.
    pub(super) told: bool,
    /// Rare situations that this run has met.
    pub(super) met: BTreeSet<&'static str>,
}

impl World {
    pub(super) fn record(&mut self, event: Event) -> Step {
        self.record_all(vec![event])
    }

    /// All of them, or none.
    pub(super) fn record_all(&mut self, events: Vec<Event>) -> Step {
        if events.is_empty() {
            return Ok(());
        }
        self.may_die()?;
        for event in events {
            self.state.apply(&event).unwrap_or_else(|error| panic!("{event:?}: {error}"));
            self.append(event);
        }
        self.may_die()
    }

    pub(super) fn append(&mut self, event: Event) {
        if self.told {
            super::runs::tell(&format!("{:>8} {}", self.clock.now(), super::runs::in_words(&event)));
        }
        let (seq, time) = (self.journal.len() as u64 + 1, "2026-01-01T00:00:00Z".to_owned());
        coverage::met(&event, self.journal.last().map(|entry| &entry.event), &self.state, &mut self.met);
        self.checks.hear(&event, &self.state, &self.git, &self.truth);
        self.journal.push(Entry { version: VERSION, seq, time, run: shared::RunId::new("abcdefgh").unwrap(), event });
        assert!(self.journal.len() < 30_000, "the run does not end");
        self.assert_whole_or_nothing();
    }

    /// Now and then something that has happened before happens again: it is accepted wholly, or leaves the state as it was.
    fn assert_whole_or_nothing(&mut self) {
        if self.random.u32(0..40) == 0 {
            let again = &self.journal[self.random.usize(..self.journal.len())].event;
            let mut after = self.state.clone();
            assert!(after.apply(again).is_ok() || after == self.state, "{again:?} was refused and has left its mark");
        }
    }

    /// Between any two effects the process may die.
    pub(super) fn may_die(&mut self) -> Step {
        if self.kills_left == 0 || self.random.u32(0..120) != 0 {
            return Ok(());
        }
        self.kills_left -= 1;
        Err(Killed)
    }

    pub(super) fn run(&mut self) {
        self.begin_process();
        let mut step = self.pursue();
        loop {
            if step == Err(Killed) {
                self.die();
            }
            if matches!(self.state.phase(), Phase::Over(_) | Phase::Rejected) && !self.reopen() {
                break;
            }
            let Some(due) = self.clock.next() else { break };
            step = self.happen(due);
        }
        self.assert_end();
    }

    fn begin_process(&mut self) {
        self.process = Process { alive: true, since: self.clock.now(), ..Process::default() };
        if let Some(minutes) = self.state.settings().run_limits.minutes {
            self.clock.put((60 * u64::from(minutes)).saturating_sub(self.worked), Due::OutOfTime);
        }
    }

    /// The process is gone with all that it was at. What it had journaled is what it knew.
    pub(super) fn die(&mut self) {
        if self.told {
            super::runs::tell(&format!("{:>8} -- the process is gone", self.clock.now()));
        }
        if self.process.taking_up {
            self.met.insert(coverage::DIED_AGAIN);
        }
        self.worked += self.clock.now() - self.process.since;
        self.leave_files();
        self.process = Process::default();
        self.clock.keep(Due::outlives_the_process);
        let after = self.random.u64(1..900);
        self.clock.put(after, Due::Resumed);
    }

    /// A run that is over and not complete is taken up again now and then.
    fn reopen(&mut self) -> bool {
        let is_over = matches!(self.state.phase(), Phase::Over(status) if status != RunStatus::Complete);
        if !is_over || self.reopens_left == 0 {
            return false;
        }
        self.reopens_left -= 1;
        self.die();
        true
    }

    fn happen(&mut self, due: Due) -> Step {
        if !self.process.alive && due != Due::Resumed {
            return Ok(());
        }
        match due {
            Due::Drafted => self.drafted(),
            Due::Reviewed => self.reviewed(),
            Due::BaseProved => self.base_proved(),
            Due::Turn(key) => self.turn(&key),
            Due::AttemptOver(key) => self.attempt_over(&key),
            Due::Judged(number) => self.heard_verdict(number),
            Due::Slow(number) => {
                self.process.under_way.is_slow(number);
                Ok(())
            }
            Due::Moved(number) => self.move_branch(number),
            Due::Mended(number) => self.mended(number),
            Due::OutOfTime => {
                self.record(Event::BudgetReached { why: "minutes".to_owned(), stop: true, limit: None })?;
                self.interrupt()
            }
            Due::Person(order) => self.person(order),
            Due::Killed if self.kills_left == 0 => Ok(()),
            Due::Killed => {
                self.kills_left -= 1;
                Err(Killed)
            }
            Due::Resumed if self.process.alive => Ok(()),
            Due::Resumed => self.resume(),
        }?;
        self.pursue()
    }

    /// Does what is owed until nothing more is.
    fn pursue(&mut self) -> Step {
        for _ in 0..500 {
            let mut announced = false;
            for owed in self.state.owed() {
                if !self.process.alive {
                    return Ok(());
                }
                announced |= self.act(owed)?;
            }
            if !announced {
                return self.look_ahead();
            }
        }
        panic!("something is owed again and again: {:?}", self.state.owed());
    }

    /// Makes one thing that is owed, and says whether it was announced.
    fn act(&mut self, owed: Owed) -> Result<bool, Killed> {
        match owed {
            Owed::Plan => {
                if !std::mem::replace(&mut self.process.drafting, true) {
                    self.clock.put(60, Due::Drafted);
                }
            }
            Owed::Review { .. } => {
                if !self.process.drafting && !std::mem::replace(&mut self.process.reviewing, true) {
                    self.clock.put(300, Due::Reviewed);
                }
            }
            Owed::ProveBase => {
                if !std::mem::replace(&mut self.process.proving_base, true) {
                    self.clock.put(120, Due::BaseProved);
                }
            }
            Owed::Stop { key } => self.stop(&key),
            Owed::Start { key, continuation } => return self.start(key, continuation).map(|()| true),
            Owed::Land { batch } => return self.land(&batch).map(|()| true),
            Owed::Replan { number, causes, comment } => {
                self.checks.replan_is_owed(comment.as_deref());
                self.record(Event::ReplanStarted { number, causes: causes.clone() })?;
                self.ask_planner(number, &causes);
                return Ok(true);
            }
            Owed::EndTask { task, end, why } => return self.record(Event::TaskEnded { task, end, why }).map(|()| true),
            Owed::Halt { .. } => return Err(Killed),
            Owed::EndRun { status } => {
                let tip = self.state.tip().clone();
                self.record(Event::RunEnded { status, tip })?;
                self.process.alive = false;
            }
        }
        Ok(false)
    }

    fn drafted(&mut self) -> Step {
        self.process.drafting = false;
        let (revision, plan) = (self.state.revision() + 1, Box::new(Class::plan(self.seed)));
        self.record(Event::PlanProposed { revision, plan, author: Author::Planner, warnings: Vec::new() })
    }

    fn reviewed(&mut self) -> Step {
        self.process.reviewing = false;
        if self.state.phase() != Phase::Review {
            return Ok(());
        }
        let revision = self.state.revision();
        match self.random.u32(0..40) {
            0 if self.class.is_wild() => self.record(Event::PlanRejected { revision, why: String::new() }),
            1 | 2 => {
                self.process.drafting = true;
                self.clock.put(60, Due::Drafted);
                Ok(())
            }
            _ => self.record(Event::PlanApproved { revision, by: Approver::Person }),
        }
    }

    fn base_proved(&mut self) -> Step {
        self.process.proving_base = false;
        let red = self.truth.red(&[]).into_iter().map(super::super::story::red).collect();
        self.record(Event::BaseProved { red })
    }

    /// Whatever waits for a model or a command comes back at once.
    pub(super) fn interrupt(&mut self) -> Step {
        self.clock.keep(|due| !matches!(due, Due::BaseProved));
        self.process.proving_base = false;
        if self.process.thinking.take().is_some() {
            let number = self.state.replans();
            self.clock.keep(|due| !matches!(due, Due::Mended(_)));
            self.record(Event::ReplanFailed { number, why: "the run is being stopped".to_owned(), cut_off: false })?;
        }
        self.break_off()
    }

    /// Another process takes the run up: it looks what the branch says, salvages what attempts left, and goes on.
    fn resume(&mut self) -> Step {
        let folded = RunState::fold(&self.journal).unwrap();
        assert!(folded == self.state, "I10: the fold of the journal is not the state that the process had");
        self.begin_process();
        self.process.taking_up = true;
        let landed = self.state.landings().filter_map(|record| match &record.state {
            TaskState::Landing { attempt, passed: Some(passed), .. } if self.git.is_on_branch(passed) => {
                Some((AttemptKey { task: record.id.clone(), attempt: *attempt }, passed.clone()))
            }
            _ => None,
        });
        for (key, commit) in landed.collect::<Vec<_>>() {
            self.met.insert(coverage::DIED_BEFORE_LANDING);
            self.record(Event::TaskLanded { key, commit })?;
        }
        let alive = self.state.running().map(|(record, attempt)| AttemptKey { task: record.id.clone(), attempt });
        for key in alive.collect::<Vec<_>>() {
            let commit = self.git.refs.get(&key).cloned();
            self.record(Event::AttemptEnded { key, commit, outcome: Outcome::Interrupted })?;
        }
        let only = if self.class.is_wild() && self.random.u32(0..4) == 0 { self.some_task() } else { None };
        let (settings, worked_s) = (self.state.settings().clone(), self.worked);
        let only: Vec<TaskId> = only.into_iter().collect();
        self.record(Event::RunResumed { settings, worked_s, only })?;
        self.process.taking_up = false;
        Ok(())
    }

    /// A task, and rather one that something happens to.
    pub(super) fn some_task(&mut self) -> Option<TaskId> {
        let is_at_it = |record: &&TaskRecord| record.state != TaskState::Waiting && !record.state.is_over();
        let busy: Vec<TaskId> = self.state.tasks().iter().filter(is_at_it).map(|record| record.id.clone()).collect();
        if !busy.is_empty() && self.random.u32(0..3) > 0 {
            return Some(busy[self.random.usize(..busy.len())].clone());
        }
        let tasks = self.state.tasks();
        tasks.get(self.random.usize(..tasks.len().max(1))).map(|record| record.id.clone())
    }

    fn assert_end(&self) {
        let over = matches!(self.state.phase(), Phase::Over(_) | Phase::Rejected);
        assert!(over, "liveness: nothing is due and nothing is owed, and the run is {:?}", self.state.phase());
        assert!(self.clock.now() < Class::horizon(&self.checks), "liveness: the run ended after {} s only", self.clock.now());
        self.checks.at_the_end(&self.state, &self.git);
        if !self.seed.is_multiple_of(8) {
            return assert!(
                RunState::fold(&self.journal).unwrap() == self.state,
                "I10: the fold of the journal is not the state"
            );
        }
        let lines: Vec<String> = self.journal.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        let read: Vec<Entry> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(RunState::fold(&read).unwrap() == self.state, "I10: the journal does not read back as the state");
    }
}
