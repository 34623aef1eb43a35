//! The plan as shares of the run's limits: what each task that is not done is expected to take.
//!
//! A task that is tried again weighs as much as its tries together, for what the earlier ones took counts as its own. As long as there may
//! be re-plans the planner has the share of an average task.
//!
//! Pure: a state in, weights out.

use plans::{
    Task, WorkerKind, estimate,
    run_state::{Phase, RunState, TaskRecord},
    task_state::TaskState,
};
use shared::{Limits, Price, Tokens};

use super::{Share, purse::Account};

/// Who may have how much from now on. `opening` is how many tokens every conversation begins with; `price` says what a task's model costs.
pub fn shares(state: &RunState, opening: u64, price: impl Fn(&Task) -> Option<Price>) -> Vec<Share> {
    let Some(plan) = state.plan().filter(|_| state.phase() == Phase::Underway) else { return Vec::new() };
    let limits = state.settings().task_limits;
    let share = |record: &TaskRecord| {
        let task = plan.get(&record.id)?;
        let (tokens, money) = if record.state.is_over() { (0, 0) } else { weight(task, record, (limits, opening), price(task)) };
        Some(Share { account: Account::Task(record.id.clone()), tokens, money, at_work: is_at_work(record) })
    };
    let mut shares: Vec<Share> = state.tasks().iter().filter_map(share).collect();
    let gone = state.gone().iter().filter(|record| is_at_work(record));
    shares.extend(gone.map(|record| Share { account: Account::Task(record.id.clone()), tokens: 0, money: 0, at_work: true }));
    shares.push(planner(state, &shares));
    shares
}

/// Whether its worker or its landing will come to an end by itself.
fn is_at_work(record: &TaskRecord) -> bool {
    matches!(record.state, TaskState::Running { .. } | TaskState::Finished { .. } | TaskState::Landing { .. })
}

fn weight(task: &Task, record: &TaskRecord, (limits, opening): (Limits, u64), price: Option<Price>) -> (u64, u64) {
    if task.worker != WorkerKind::Agent {
        return (0, 0);
    }
    let expected = estimate::tokens(task, limits, opening);
    let own = task.limits.or(limits);
    let tries = u64::from(record.attempts.max(1)) + u64::from(record.attempts > 0 && record.state == TaskState::Waiting);
    let tokens = own.tokens.map_or(expected.total(), |most| most.min(expected.total()));
    let money = expected_money(expected, price);
    let money = own.cost.map_or(money, |most| most.nano_usd.min(money));
    (tokens.saturating_mul(tries).max(1), money.saturating_mul(tries).max(1))
}

/// Without a price tokens tell tasks apart as well.
fn expected_money(expected: Tokens, price: Option<Price>) -> u64 {
    price.map_or(expected.total(), |price| estimate::cost(expected, price).nano_usd)
}

fn planner(state: &RunState, tasks: &[Share]) -> Share {
    let may_be_asked = state.is_replanning() || state.replans() < state.settings().possible_replans();
    let average = |weight: fn(&Share) -> u64| {
        let weights: Vec<u64> = tasks.iter().map(weight).filter(|weight| *weight > 0).collect();
        let sum = weights.iter().fold(0, |sum: u64, more| sum.saturating_add(*more));
        sum.checked_div(weights.len() as u64).unwrap_or_default() * u64::from(may_be_asked)
    };
    let (tokens, money) = (average(|share| share.tokens), average(|share| share.money));
    Share { account: Account::Planner, tokens, money, at_work: state.is_replanning() }
}
