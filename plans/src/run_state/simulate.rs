//! Thousands of runs with random plans, random ends of whatever is under way, in random order, with kills in between: no clock, no world.
//!
//! A seed that fails is printed; `INSPAN_SEED=n` runs that one alone. Whole runs in a world on a virtual clock are in `whole` and tested in
//! `runs`.

mod checks;
mod class;
mod clock;
mod coordinator;
mod coverage;
mod person;
mod planner;
mod runs;
mod truth;
mod whole;
mod worker;

use std::collections::{BTreeMap, BTreeSet};

use shared::{Attempt, AttemptKey, Limit, Outcome, Report, TaskId};

use crate::Task;

use super::{
    story::{announce, commit, plan, red, started},
    *,
};
use crate::event::{Approver, Author, Entry, Event, VERSION};

struct World {
    seed: u64,
    random: fastrand::Rng,
    state: RunState,
    journal: Vec<Entry>,
    /// What is under way outside of the state: it will come back as an event.
    pending: Vec<Pending>,
    landed: BTreeMap<TaskId, CommitId>,
    started: BTreeSet<AttemptKey>,
    resumes_left: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Pending {
    Attempt(AttemptKey),
    Base,
    /// A batch, in order. A second one is stacked on the first.
    Landing(Vec<AttemptKey>),
    Replan,
    Draft,
    Review,
}

fn random_plan(random: &mut fastrand::Rng) -> Plan {
    let size = random.usize(1..=12);
    let line = |at: usize, random: &mut fastrand::Rng| {
        let after: Vec<String> = (0..at).filter(|_| random.f32() < 0.3).map(|before| format!("t{before}")).collect();
        format!("t{at} <- {}", after.join(" "))
    };
    let lines: Vec<String> = (0..size).map(|at| line(at, random)).collect();
    let gate = if random.bool() { "gate;" } else { "" };
    plan(&format!("{gate}{}", lines.join("; ")))
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let settings = Settings {
            workers: random.u32(1..=4),
            attempts: random.u32(1..=3),
            conflict_attempts: random.u32(1..=3),
            replans: random.u32(0..=3),
            batch: random.u32(1..=5),
            ..Settings::default()
        };
        let first = started(settings);
        let state = RunState::begin(&first).unwrap();
        let resumes_left = random.u32(0..=3);
        let mut world = Self {
            seed,
            random,
            state,
            journal: Vec::new(),
            pending: Vec::new(),
            landed: BTreeMap::new(),
            started: BTreeSet::new(),
            resumes_left,
        };
        world.journal(first);
        world
    }

    fn journal(&mut self, event: Event) {
        let (seq, time) = (self.journal.len() as u64 + 1, "2026-01-01T00:00:00Z".to_owned());
        self.journal.push(Entry { version: VERSION, seq, time, run: shared::RunId::new("abcdefgh").unwrap(), event });
    }

    fn record(&mut self, event: Event) {
        self.state.apply(&event).unwrap_or_else(|error| panic!("{event:?}: {error}"));
        self.journal(event);
        self.assert_invariants();
    }

    fn assert_invariants(&self) {
        let state = &self.state;
        assert!(state.running().count() <= state.settings().workers as usize + self.unwanted(), "more workers than allowed");
        let landing = state.tasks().iter().filter(|record| matches!(record.state, TaskState::Landing { .. })).count();
        assert!(landing <= 2 * state.settings().batch as usize, "more is landing than two batches hold");
        assert_eq!(landing, state.landings().count(), "what is landing has its place in the queue");
        let finished = state.tasks().iter().filter(|record| matches!(record.state, TaskState::Finished { .. })).count();
        assert_eq!(finished + landing, state.queue.len(), "whoever has finished waits in the queue, once");
        for (task, at) in &self.landed {
            assert_eq!(
                state.task(task).map(|record| &record.state),
                Some(&TaskState::Landed { commit: at.clone() }),
                "landed work is undone"
            );
        }
        assert!(state.replans() <= state.settings().replans, "more re-plans than allowed");
    }

    fn unwanted(&self) -> usize {
        self.state.running().filter(|(record, _)| matches!(record.state, TaskState::Running { unwanted: true, .. })).count()
    }

    /// Does what is owed, as the dispatcher would.
    fn act(&mut self) {
        for owed in self.state.owed() {
            let events = announce(&self.state, &owed);
            if events.is_empty() {
                self.take_up(owed);
                continue;
            }
            match &owed {
                Owed::Start { .. } if matches!(events[..], [Event::AttemptReused { .. }]) => {}
                Owed::Start { key, continuation } => {
                    let goes_on = *continuation == Some(Continuation::AfterInterruption(key.attempt));
                    assert!(self.started.insert(key.clone()) != goes_on, "{key} started twice");
                    let plan = self.state.plan().unwrap();
                    let at = plan.index_of(&key.task).unwrap();
                    assert!(plan.gate().commands.is_empty() || self.base_is_known(), "{key} started on an unknown base");
                    for before in plan.dependencies(at) {
                        assert!(
                            self.landed.contains_key(&plan.tasks()[before].id),
                            "{key} started before its dependencies landed"
                        );
                    }
                    self.pending.push(Pending::Attempt(key.clone()));
                }
                Owed::Land { batch } => {
                    assert!(!self.pending.iter().any(|pending| matches!(pending, Pending::Landing(_))), "two batches at once");
                    self.begin_landing(batch.clone());
                }
                Owed::Replan { .. } => self.pending.push(Pending::Replan),
                _ => {}
            }
            for event in events {
                self.record(event);
            }
        }
    }

    fn base_is_known(&self) -> bool {
        let proved = |entry: &Entry| matches!(entry.event, Event::BaseProved { .. });
        !self.landed.is_empty() || self.journal.iter().any(proved)
    }

    fn begin_landing(&mut self, batch: Vec<Finished>) {
        assert!(!batch.is_empty() && batch.len() <= self.state.settings().batch as usize);
        self.pending.push(Pending::Landing(batch.into_iter().map(|finished| finished.key).collect()));
    }

    /// The next batch is taken up on top of the one that is being proved.
    fn speculate(&mut self) {
        let under_way = self.pending.iter().filter(|pending| matches!(pending, Pending::Landing(_))).count();
        let batch = self.state.next_batch();
        if under_way == 1 && !batch.is_empty() {
            let onto = self.state.tip().clone();
            for finished in &batch {
                self.record(Event::LandingStarted { key: finished.key.clone(), onto: onto.clone() });
            }
            self.begin_landing(batch);
        }
    }

    /// What is owed without being announced.
    fn take_up(&mut self, owed: Owed) {
        let pending = match owed {
            Owed::Stop { key } => {
                let (pending, commit) = (Pending::Attempt(key.clone()), Some(commit("left")));
                return self.come_back(&pending, Event::AttemptEnded { key, commit, outcome: Outcome::Cancelled });
            }
            Owed::Plan => Pending::Draft,
            Owed::ProveBase => Pending::Base,
            Owed::Review { .. } if !self.pending.contains(&Pending::Draft) => Pending::Review,
            _ => return,
        };
        if !self.pending.contains(&pending) {
            self.pending.push(pending);
        }
    }

    fn come_back(&mut self, pending: &Pending, event: Event) {
        if let Some(at) = self.pending.iter().position(|other| other == pending) {
            self.pending.swap_remove(at);
            self.record(event);
        }
    }

    /// One of the things under way comes to its end.
    fn happen(&mut self) {
        let pending = self.pending[self.random.usize(..self.pending.len())].clone();
        match &pending {
            Pending::Attempt(key) => {
                let outcome = self.random_outcome();
                let event = Event::AttemptEnded { key: key.clone(), commit: Some(commit("left")), outcome };
                self.come_back(&pending, event);
            }
            Pending::Base => {
                let failing = if self.random.u32(0..4) == 0 { vec![red("make")] } else { Vec::new() };
                self.come_back(&pending, Event::BaseProved { red: failing });
            }
            Pending::Landing(keys) => self.end_batch(&pending, keys),
            Pending::Replan => self.end_replan(),
            Pending::Draft => {
                let (revision, plan) = (self.state.revision() + 1, Box::new(random_plan(&mut self.random)));
                self.come_back(&pending, Event::PlanProposed { revision, plan, author: Author::Planner, warnings: Vec::new() });
            }
            Pending::Review => self.end_review(),
        }
    }

    fn random_outcome(&mut self) -> Outcome {
        match self.random.u32(0..20) {
            0..13 => Outcome::Done { report: Report::default() },
            13 => Outcome::Blocked { report: Report::default() },
            14 => Outcome::Exhausted { limit: Limit::Turns, last: String::new() },
            15 | 16 => Outcome::Failed { why: "broke".to_owned() },
            17 => Outcome::ScopeViolation { paths: Vec::new() },
            18 => Outcome::Unavailable { why: "gone".to_owned() },
            _ => Outcome::Cancelled,
        }
    }

    /// Some of a batch pass, one is red or clashes, the rest goes back. The batch that is stacked on another waits for it.
    fn end_batch(&mut self, pending: &Pending, keys: &[AttemptKey]) {
        let first = self.pending.iter().find(|pending| matches!(pending, Pending::Landing(_))).cloned();
        if first.as_ref() != Some(pending) {
            return;
        }
        let passing = if self.random.bool() { keys.len() } else { self.random.usize(..=keys.len()) };
        for key in &keys[..passing] {
            let (onto, landed) = (self.state.tip().clone(), commit(&format!("{}-{}", key.task, key.attempt)));
            let mended = if self.random.bool() { vec!["make".to_owned()] } else { Vec::new() };
            self.record(Event::GatePassed { key: key.clone(), onto, commit: landed, mended });
        }
        // The branch moves at once to the last of them; the journal follows.
        let passed = self.state.landings().filter_map(|record| match &record.state {
            TaskState::Landing { passed: Some(passed), .. } => Some((record.id.clone(), passed.clone())),
            _ => None,
        });
        self.landed.extend(passed.collect::<Vec<_>>());
        if passing > 0 && self.random.u32(0..40) == 0 && self.resumes_left > 0 {
            self.resumes_left -= 1;
            return self.die_and_resume();
        }
        keys[..passing].iter().for_each(|key| self.tell_landed(key));
        let onto = self.state.tip().clone();
        for (at, key) in keys[passing..].iter().enumerate() {
            let event = if at == 0 { self.setback(key.clone(), &onto) } else { put_back(key) };
            self.record(event);
        }
        self.pending.retain(|other| other != pending);
        if passing < keys.len() {
            self.discard_what_is_ahead();
        }
    }

    fn tell_landed(&mut self, key: &AttemptKey) {
        let commit = self.landed[&key.task].clone();
        self.state.apply(&Event::TaskLanded { key: key.clone(), commit: commit.clone() }).unwrap();
        self.journal(Event::TaskLanded { key: key.clone(), commit });
    }

    /// What was stacked on a batch that did not land as a whole was proved on a tip that never comes.
    fn discard_what_is_ahead(&mut self) {
        let ahead = self.pending.iter().find_map(|pending| match pending {
            Pending::Landing(keys) => Some(keys.clone()),
            _ => None,
        });
        ahead.iter().flatten().for_each(|key| self.record(put_back(key)));
        self.pending.retain(|pending| !matches!(pending, Pending::Landing(_)));
    }

    fn setback(&mut self, key: AttemptKey, onto: &CommitId) -> Event {
        let (onto, landed) = (onto.clone(), self.state.landed().to_vec());
        match self.random.u32(0..4) {
            0 => put_back(&key),
            1 => Event::LandingConflicted { key, onto, paths: Vec::new(), with: Vec::new(), detail: String::new() },
            2 if !landed.is_empty() => {
                let with = landed[self.random.usize(..landed.len())].clone();
                Event::TasksClashed { key, onto, with, verdict: red("make") }
            }
            _ => Event::LandingRefused { key, onto, verdict: red("make") },
        }
    }

    fn end_review(&mut self) {
        let revision = self.state.revision();
        match self.random.u32(0..10) {
            0 => self.come_back(&Pending::Review, Event::PlanRejected { revision, why: String::new() }),
            1..4 => {
                // A comment: the planner thinks again.
                self.pending.retain(|pending| *pending != Pending::Review);
                self.pending.push(Pending::Draft);
            }
            _ => self.come_back(&Pending::Review, Event::PlanApproved { revision, by: Approver::Person }),
        }
    }

    fn end_replan(&mut self) {
        let number = self.state.replans();
        if self.random.u32(0..4) == 0 {
            return self.come_back(&Pending::Replan, Event::ReplanFailed { number, why: "no idea".to_owned(), cut_off: false });
        }
        let old = self.state.plan().unwrap();
        let kept: Vec<Task> = old.tasks().iter().filter(|task| self.keeps(task)).cloned().collect();
        let mut draft = crate::PlanDraft { tasks: kept, ..old.draft().clone() };
        let ids: BTreeSet<TaskId> = draft.tasks.iter().map(|task| task.id.clone()).collect();
        draft.tasks.iter_mut().for_each(|task| task.depends_on.retain(|id| ids.contains(id)));
        let fresh = ids.into_iter().filter(|_| self.random.bool()).collect();
        let (revision, replan, plan) = (self.state.revision() + 1, Some(number), Box::new(Plan::new(draft).unwrap()));
        let (dropped, difference) = (Vec::new(), String::new());
        self.come_back(&Pending::Replan, Event::PlanRevised { revision, replan, plan, fresh, dropped, difference });
    }

    /// A re-plan drops a task now and then, but never one that has landed or is landing.
    fn keeps(&self, task: &Task) -> bool {
        let state = &self.state.task(&task.id).unwrap().state;
        let protected = matches!(state, TaskState::Landed { .. } | TaskState::Landing { .. });
        protected || task.id.as_str() == "t0" || !(self.journal.len() + task.id.as_str().len()).is_multiple_of(5)
    }

    /// The process dies and another one takes the run up: attempts are salvaged, everything else is in the journal.
    fn die_and_resume(&mut self) {
        // The branch says which landings have happened.
        let unsaid: Vec<AttemptKey> = self.state.landings().filter_map(has_landed).collect();
        for key in &unsaid {
            self.tell_landed(key);
        }
        let alive: Vec<AttemptKey> =
            self.state.running().map(|(record, attempt)| AttemptKey { task: record.id.clone(), attempt }).collect();
        for key in alive {
            let event = Event::AttemptEnded { key, commit: Some(commit("left")), outcome: Outcome::Cancelled };
            self.record(event);
        }
        self.pending.clear();
        self.state = RunState::fold(&self.journal).unwrap();
        self.record(Event::RunResumed { settings: self.state.settings().clone(), worked_s: 0, only: Vec::new() });
    }

    fn run(&mut self) {
        for _ in 0..2_000 {
            self.act();
            match self.state.phase() {
                Phase::Over(_) if self.resumes_left > 0 && self.state.phase() != Phase::Over(RunStatus::Complete) => {
                    self.resumes_left -= 1;
                    self.die_and_resume();
                }
                Phase::Over(status) => return self.assert_end(status),
                Phase::Rejected => return,
                _ if self.state.owed().iter().any(|owed| matches!(owed, Owed::Halt { .. })) => self.die_and_resume(),
                _ if !self.pending.is_empty() => self.shake(),
                _ => assert!(!self.state.owed().is_empty(), "nothing is alive and nothing is owed: {:#?}", self.state),
            }
        }
        panic!("the run does not end: {:#?}", self.state);
    }

    fn shake(&mut self) {
        match self.random.u32(0..120) {
            0 if self.resumes_left > 0 => {
                self.resumes_left -= 1;
                self.die_and_resume();
                // `inspan cancel` of a run whose process is gone.
                if self.random.u32(0..4) == 0 {
                    self.record(Event::CancelRequested);
                }
            }
            1 => self.record(Event::CancelRequested),
            2 => {
                let stop = self.random.bool();
                self.record(Event::BudgetReached { why: "spent".to_owned(), stop, limit: None });
            }
            3..12 => self.speculate(),
            _ => self.happen(),
        }
    }

    fn assert_end(&self, status: RunStatus) {
        assert!(self.state.tasks().iter().all(|record| record.state.is_over()), "a task without a named end");
        let all = self.state.tasks().iter().all(|record| matches!(record.state, TaskState::Landed { .. }));
        let is_whole = all && self.state.plan().is_some() && self.state.known_red().is_empty();
        assert_eq!(status == RunStatus::Complete, is_whole);
        assert_eq!(self.state.landed().len(), self.landed.len());
        if !self.seed.is_multiple_of(8) {
            return;
        }
        let lines: Vec<String> = self.journal.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        let read: Vec<Entry> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, self.journal, "the journal reads back as it was written");
        assert_eq!(RunState::fold(&read).unwrap(), self.state, "the fold of the journal is the state");
    }
}

fn put_back(key: &AttemptKey) -> Event {
    Event::LandingPutBack { key: key.clone(), why: String::new() }
}

fn has_landed(record: &TaskRecord) -> Option<AttemptKey> {
    match &record.state {
        TaskState::Landing { attempt, passed: Some(_), .. } => Some(AttemptKey { task: record.id.clone(), attempt: *attempt }),
        _ => None,
    }
}

#[test]
fn every_run_ends_in_a_named_state_whatever_happens_in_whatever_order() {
    let one = std::env::var("INSPAN_SEED").ok().map(|seed| seed.parse().expect("INSPAN_SEED is a number"));
    let seeds = one.map_or(0..2_000, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| World::new(seed).run());
        assert!(outcome.is_ok(), "seed {seed} fails");
    }
}

#[test]
fn attempts_at_a_task_are_numbered_over_the_whole_run_without_gaps() {
    let mut seen = 0;
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.run();
        let mut numbers: BTreeMap<TaskId, Vec<u32>> = BTreeMap::new();
        for AttemptKey { task, attempt: Attempt(number) } in world.started {
            numbers.entry(task).or_default().push(number);
        }
        for (task, numbers) in numbers {
            seen = seen.max(numbers.len());
            assert!(numbers.iter().copied().eq((1..).take(numbers.len())), "seed {seed}, {task}: {numbers:?}");
        }
    }
    assert!(seen > 2, "the seeds hold a task that was tried several times");
}
