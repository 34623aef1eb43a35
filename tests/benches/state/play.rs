//! A run on a virtual clock: what is owed is announced at once, as the dispatcher does, and comes to its end when its time has come.

use std::{cmp::Reverse, collections::BinaryHeap};

use plans::{
    Plan,
    event::{Approver, Author, CommitId, Event, Settings},
    run_state::{Continuation, Owed, RunState},
    spending::Turn,
};
use shared::{AttemptKey, Money, Outcome, RepoPath, Report, Tokens};

/// How long things take, and how they go.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// An attempt at each task, in the plan's order.
    pub tasks: Vec<u64>,
    /// A landing.
    pub landing: u64,
    /// Turns that each attempt journals.
    pub turns: u32,
    /// Landings of each task that end in a conflict before one does not.
    pub conflicts: u32,
}

/// What comes due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Turn(AttemptKey, u32),
    End(AttemptKey),
    Landing(Vec<AttemptKey>),
}

/// A run while it lasts.
pub struct World<'a> {
    pace: &'a Pace,
    state: RunState,
    events: Vec<Event>,
    now: u64,
    drawn: u64,
    due: BinaryHeap<Reverse<(u64, u64, Due)>>,
}

/// A run that is over.
pub struct Played {
    pub state: RunState,
    pub events: Vec<Event>,
    /// How long it took.
    pub makespan: u64,
}

/// The state of a run whose plan has just been approved and whose base is green, and the events that led there.
pub fn approved(plan: &Plan, settings: Settings) -> (RunState, Vec<Event>) {
    let (goal, base) = (plan.goal().to_owned(), commit(0));
    let first = Event::RunStarted { goal, base: base.clone(), head: base, snapshot: false, settings, program: String::new() };
    let proposed = Event::PlanProposed { revision: 1, plan: Box::new(plan.clone()), author: Author::File, warnings: Vec::new() };
    let mut state = RunState::begin(&first).expect("the first event is a beginning");
    let approved = Event::PlanApproved { revision: 1, by: Approver::Policy };
    let events = vec![first, proposed, approved, Event::BaseProved { red: Vec::new() }];
    for event in &events[1..] {
        state.apply(event).expect("a plan is proposed, then approved, and its base is green");
    }
    (state, events)
}

/// A commit's name from a number.
pub fn commit(number: u64) -> CommitId {
    CommitId(format!("{number:040x}"))
}

/// Plays a run to its end.
pub fn play(plan: &Plan, settings: Settings, pace: &Pace) -> Played {
    let (state, events) = approved(plan, settings);
    let mut world = World { pace, state, events, now: 0, drawn: 0, due: BinaryHeap::new() };
    world.announce();
    while let Some(Reverse((at, _, due))) = world.due.pop() {
        world.now = at;
        world.happen(due);
        world.announce();
    }
    Played { state: world.state, events: world.events, makespan: world.now }
}

impl World<'_> {
    fn record(&mut self, event: Event) {
        self.state.apply(&event).expect("only what is owed happens");
        self.events.push(event);
    }

    fn later(&mut self, wait: u64, due: Due) {
        self.drawn += 1;
        self.due.push(Reverse((self.now + wait, self.drawn, due)));
    }

    fn announce(&mut self) {
        for owed in self.state.owed() {
            let tip = self.state.tip().clone();
            match owed {
                Owed::Start { key, continuation } => {
                    self.start(&key);
                    self.record(Event::AttemptStarted {
                        key,
                        base: tip,
                        continues: continuation.map(Continuation::of),
                        content: String::new(),
                    });
                }
                Owed::Land { batch } => {
                    self.later(self.pace.landing, Due::Landing(batch.iter().map(|finished| finished.key.clone()).collect()));
                    for finished in batch {
                        self.record(Event::LandingStarted { key: finished.key, onto: tip.clone() });
                    }
                }
                Owed::EndRun { status } => self.record(Event::RunEnded { status, tip }),
                other => panic!("nothing goes wrong here, and yet this is owed: {other:?}"),
            }
        }
    }

    fn start(&mut self, key: &AttemptKey) {
        let at = self.state.plan().and_then(|plan| plan.index_of(&key.task)).expect("it is in the plan");
        let (length, turns) = (self.pace.tasks[at], self.pace.turns);
        for turn in 1..=turns {
            self.later(length * u64::from(turn) / u64::from(turns + 1), Due::Turn(key.clone(), turn));
        }
        self.later(length, Due::End(key.clone()));
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Turn(key, turn) => {
                let tokens = Tokens { hit: 20_000, miss: 1_200, write: 0, output: 300 };
                let cost = Some(Money { nano_usd: 420_000 });
                let (task, attempt, model) = (Some(key.task), Some(key.attempt), "deepseek/deepseek-flash".to_owned());
                self.record(Event::TurnTaken(Turn { task, attempt, turn, tokens, cost, model, ..Turn::default() }));
            }
            Due::End(key) => {
                let outcome = Outcome::Done { report: report() };
                self.record(Event::AttemptEnded { key, commit: Some(commit(self.drawn)), outcome });
            }
            Due::Landing(batch) => batch.into_iter().for_each(|key| self.land(key)),
        }
    }

    fn land(&mut self, key: AttemptKey) {
        let onto = self.state.tip().clone();
        if key.attempt.0 <= self.pace.conflicts {
            let paths = vec![RepoPath::new("Cargo.lock").expect("a path")];
            let with = self.state.landed().last().cloned().into_iter().collect();
            let detail = "<<<<<<< landed\none line\n=======\nanother line\n>>>>>>> yours\n".repeat(20);
            return self.record(Event::LandingConflicted { key, onto, paths, with, detail });
        }
        self.drawn += 1;
        let commit = commit(self.drawn);
        self.record(Event::GatePassed { key: key.clone(), onto, commit: commit.clone(), mended: Vec::new() });
        self.record(Event::TaskLanded { key, commit });
    }
}

fn report() -> Report {
    let summary = "Every amount of this part carries a currency; its constructors take one. ".repeat(4);
    Report {
        hand_off: summary.clone(),
        summary,
        follow_ups: vec!["The documentation of the old constructors".to_owned()],
        ..Report::default()
    }
}
