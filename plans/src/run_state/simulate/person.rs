//! The person of a simulated world: gives orders at random times, some of which come too late or make no sense.
//!
//! **Invariant:** an order that the state refuses leaves it as it was, and is not journaled.

use shared::{Attempt, Glob, TaskId};

use super::{
    super::Phase,
    planner::because,
    truth::{CLEAR, extra},
    whole::{Due, Step, World},
};
use crate::{
    edit::{Change, Rewrite},
    event::{Event, Settings},
};

/// What the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Pause,
    Unpause,
    Steer,
    Retry,
    RetryFrom,
    ReplanNow,
    MoreWorkers,
    OtherLimits,
    GiveUp,
    Drop,
    Edit,
    Cancel,
}

/// Orders that take nothing out of the run.
const KIND: [Order; 6] = [Order::Pause, Order::Steer, Order::Retry, Order::RetryFrom, Order::ReplanNow, Order::MoreWorkers];
const WILD: [Order; 14] = [
    Order::Pause,
    Order::Pause,
    Order::Pause,
    Order::Steer,
    Order::Retry,
    Order::RetryFrom,
    Order::ReplanNow,
    Order::MoreWorkers,
    Order::OtherLimits,
    Order::GiveUp,
    Order::Drop,
    Order::Edit,
    Order::Edit,
    Order::Cancel,
];

impl World {
    /// The person makes up their mind before the run begins.
    pub(super) fn expect_orders(&mut self) {
        let (orders, wild) = (self.class.orders(), self.class.is_wild());
        for _ in 0..orders {
            let order = if wild { WILD[self.random.usize(..WILD.len())] } else { KIND[self.random.usize(..KIND.len())] };
            let at = self.random.u64(1..14_400);
            self.clock.put(at, Due::Person(order));
            if order == Order::Pause {
                let until = at + self.random.u64(1..7_200);
                self.clock.put(until, Due::Person(Order::Unpause));
            }
        }
    }

    /// So is what pulls the plug.
    pub(super) fn expect_kills(&mut self) {
        for _ in 0..self.kills_left / 2 {
            let at = self.random.u64(1..7_200);
            self.clock.put(at, Due::Killed);
        }
    }

    pub(super) fn person(&mut self, order: Order) -> Step {
        let task = self.some_task().unwrap_or_else(|| TaskId::new("nobody").unwrap());
        let number = self.journal.len();
        let event = match order {
            Order::Pause => Event::RunPaused,
            Order::Unpause => Event::RunUnpaused,
            Order::Steer => Event::Steered { task, text: format!("words {number}") },
            Order::Retry => Event::RetryRequested { task, from: None },
            Order::RetryFrom => {
                let last = self.state.task(&task).map_or(0, |record| record.attempts);
                Event::RetryRequested { task, from: Some(Attempt(self.random.u32(0..=last + 1))) }
            }
            Order::ReplanNow => Event::ReplanRequested { comment: format!("wish {number}") },
            Order::MoreWorkers => {
                let settings = self.state.settings().clone();
                Event::LimitsChanged { settings: Settings { workers: self.random.u32(1..=5), ..settings } }
            }
            Order::OtherLimits => Event::LimitsChanged { settings: self.other_limits() },
            Order::GiveUp => Event::TaskCancelRequested { task },
            Order::Drop | Order::Edit => {
                if self.state.phase() != Phase::Underway {
                    return Ok(());
                }
                let change = if order == Order::Drop { Change::Drop { task } } else { self.edit(task) };
                return self.revise(None, &[because(change)]);
            }
            Order::Cancel => {
                self.record(Event::CancelRequested)?;
                return self.interrupt();
            }
        };
        let mut after = self.state.clone();
        if after.apply(&event).is_err() {
            assert!(after == self.state, "an order that was refused has left its mark: {event:?}");
            return Ok(());
        }
        self.record(event)
    }

    /// Another change of the plan than to drop a task, on whatever task: it begins anew.
    fn edit(&mut self, task: TaskId) -> Change {
        let before = self.some_task().unwrap_or_else(|| task.clone());
        match self.random.u32(0..4) {
            0 => Change::Retry { task },
            1 => Change::Order { before, after: task },
            2 => Change::Widen { write: vec![Glob::new(extra(&task).as_str()).unwrap()], task, shared: Vec::new() },
            _ => {
                let instructions = Some(format!("{CLEAR}, as of event {}", self.journal.len()));
                Change::Rewrite { task, with: Rewrite { instructions, ..Rewrite::default() } }
            }
        }
    }

    fn other_limits(&mut self) -> Settings {
        let settings = self.state.settings().clone();
        let tokens = settings.run_limits.tokens.map(|tokens| tokens * self.random.u64(1..40) / 10);
        let run_limits = shared::Limits { tokens, ..settings.run_limits };
        let (attempts, replans) = (self.random.u32(1..4), self.random.u32(0..5));
        Settings { attempts, replans, run_limits, ..settings }
    }
}
