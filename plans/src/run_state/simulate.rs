//! Thousands of runs with random plans, random ends of whatever is under way, in random order, with kills in between.
//!
//! A seed that fails is printed; `INSPAN_SEED=n` runs that one alone.

use std::collections::{BTreeMap, BTreeSet};

use shared::{Attempt, AttemptKey, Limit, Outcome, Report, TaskId};

use crate::Task;

use super::{
    story::{announce, commit, plan, started},
    *,
};
use crate::event::{Approver, Author, Entry, Event, Proof, RedVerdict, VERSION};

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
    Landing(AttemptKey),
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
    plan(&lines.join("; "))
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let settings = Settings {
            workers: random.u32(1..=4),
            attempts: random.u32(1..=3),
            conflict_attempts: random.u32(1..=3),
            replans: random.u32(0..=3),
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
        assert!(landing <= 1, "two landings at once");
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
            let Some(event) = announce(&self.state, &owed) else {
                self.take_up(owed);
                continue;
            };
            match &owed {
                Owed::Start { key, continuation } => {
                    let goes_on = *continuation == Some(Continuation::AfterInterruption(key.attempt));
                    assert!(self.started.insert(key.clone()) != goes_on, "{key} started twice");
                    let plan = self.state.plan().unwrap();
                    let at = plan.index_of(&key.task).unwrap();
                    for before in plan.dependencies(at) {
                        assert!(
                            self.landed.contains_key(&plan.tasks()[before].id),
                            "{key} started before its dependencies landed"
                        );
                    }
                    self.pending.push(Pending::Attempt(key.clone()));
                }
                Owed::Land { key, .. } => self.pending.push(Pending::Landing(key.clone())),
                Owed::Replan { .. } => self.pending.push(Pending::Replan),
                _ => {}
            }
            self.record(event);
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
            Pending::Landing(key) => self.end_landing(&pending, key.clone()),
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

    fn end_landing(&mut self, pending: &Pending, key: AttemptKey) {
        let onto = self.state.tip().clone();
        match self.random.u32(0..10) {
            0..6 => {
                let landed = commit(&format!("{}-{}", key.task, key.attempt));
                self.record(Event::GatePassed { key: key.clone(), onto, commit: landed.clone() });
                self.landed.insert(key.task.clone(), landed.clone());
                self.pending.retain(|other| other != pending);
                self.state.apply(&Event::TaskLanded { key: key.clone(), commit: landed.clone() }).unwrap();
                self.journal(Event::TaskLanded { key, commit: landed });
                self.assert_invariants();
            }
            6 => self.come_back(pending, Event::LandingPutBack { key, why: String::new() }),
            7 => {
                let event = Event::LandingConflicted { key, onto, paths: Vec::new(), with: Vec::new(), detail: String::new() };
                self.come_back(pending, event);
            }
            _ => {
                let (command, ended, output) = ("make".to_owned(), "exit 1".to_owned(), String::new());
                let verdict = RedVerdict { proof: Proof::Gate, command, ended, output, red_before: None };
                self.come_back(pending, Event::LandingRefused { key, onto, verdict });
            }
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
            return self.come_back(&Pending::Replan, Event::ReplanFailed { number, why: "no idea".to_owned() });
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
        let alive: Vec<AttemptKey> =
            self.state.running().map(|(record, attempt)| AttemptKey { task: record.id.clone(), attempt }).collect();
        for key in alive {
            let event = Event::AttemptEnded { key, commit: Some(commit("left")), outcome: Outcome::Cancelled };
            self.record(event);
        }
        self.pending.clear();
        self.state = RunState::fold(&self.journal).unwrap();
        self.record(Event::RunResumed { settings: self.state.settings().clone() });
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
                self.record(Event::BudgetReached { why: "spent".to_owned(), stop });
            }
            _ => self.happen(),
        }
    }

    fn assert_end(&self, status: RunStatus) {
        assert!(self.state.tasks().iter().all(|record| record.state.is_over()), "a task without a named end");
        let all = self.state.tasks().iter().all(|record| matches!(record.state, TaskState::Landed { .. }));
        assert_eq!(status == RunStatus::Complete, all && self.state.plan().is_some());
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
