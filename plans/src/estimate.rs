//! What a task will probably take, for the review: a guess that says which tasks are dear, not what the bill will be.
//!
//! A worker sends its whole conversation each turn, and it grows by what it reads and writes. All but what is new was sent before, so
//! the provider has it cached.

use shared::{Limits, Price, TaskId, Tokens};
use std::collections::BTreeMap;

use crate::{Plan, Task, WorkerKind, render::TableFacts};

/// What one turn adds to the conversation, in tokens: a call, its result, a thought.
const GROWTH: u64 = 1_200;
/// What a model writes in one turn.
const WRITTEN: u64 = 350;
/// Turns of a task whose plan does not say.
const USUAL_TURNS: u64 = 20;

/// The tokens of a task. `opening` is how many tokens every worker's conversation begins with.
pub fn tokens(task: &Task, limits: Limits, opening: u64) -> Tokens {
    if task.worker != WorkerKind::Agent {
        return Tokens::default();
    }
    // A limit is set so that it is rarely hit: half of it is the expectation.
    let turns = task.limits.turns.map_or(USUAL_TURNS, |turns| (u64::from(turns) / 2).clamp(1, USUAL_TURNS * 4));
    let turns = turns.min(limits.turns.map_or(u64::MAX, u64::from));
    let hit = (1..turns).map(|turn| opening + turn * GROWTH).sum();
    Tokens { hit, miss: opening + turns * GROWTH, write: 0, output: turns * WRITTEN }
}

/// The tokens of all tasks together.
pub fn total(plan: &Plan, limits: Limits, opening: u64) -> Tokens {
    plan.tasks().iter().map(|task| tokens(task, limits, opening)).sum()
}

/// What the table of a plan shows: costs only where the price of the task's model is known.
pub fn facts(plan: &Plan, limits: Limits, opening: u64, price: impl Fn(&Task) -> Option<Price>) -> TableFacts {
    let cost = |task: &Task| Some((task.id.clone(), price(task)?.of(tokens(task, limits, opening))));
    let agents = plan.tasks().iter().filter(|task| task.worker == WorkerKind::Agent);
    let costs: BTreeMap<TaskId, _> = agents.filter_map(cost).collect();
    TableFacts { costs, ..TableFacts::default() }
}

#[cfg(test)]
mod tests {
    use shared::Money;

    use super::*;

    #[test]
    fn a_task_with_more_turns_is_thought_to_take_more_and_a_command_nothing() {
        let text = |turns: u32, worker: &str| {
            format!(
                "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"do\"\n\
                 write = [\"a\"]\nworker = {worker}\nlimits = {{ turns = {turns} }}\n"
            )
        };
        let of = |turns, worker| {
            let plan = crate::file::parse_toml(&text(turns, worker)).unwrap();
            total(&plan, Limits::default(), 4_000)
        };
        assert!(of(40, "\"agent\"").total() > 2 * of(10, "\"agent\"").total());
        assert_eq!(of(40, "{ command = \"true\" }"), Tokens::default());
        let price = Price {
            hit: Money { nano_usd: 1 },
            miss: Money { nano_usd: 1_000_000_000 },
            write: None,
            output: Money { nano_usd: 0 },
        };
        let plan = crate::file::parse_toml(&text(2, "\"agent\"")).unwrap();
        assert_eq!(facts(&plan, Limits::default(), 4_000, |_| Some(price)).costs.len(), 1);
        assert!(facts(&plan, Limits::default(), 4_000, |_| None).costs.is_empty());
    }
}
