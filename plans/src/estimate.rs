//! What a task will probably take, for the review: a guess that says which tasks are dear, not what the bill will be.
//!
//! A worker sends its whole conversation each turn, and it grows by what it reads and writes. All but what is new was sent before, so
//! the provider has it cached.

use shared::{Limits, Money, Price, Tokens};

use crate::{
    Plan, Task, WorkerKind,
    render::{Expected, TableFacts},
};

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

/// What these tokens will probably cost: where putting prompts into the cache is paid for, what is not cached yet is put there.
pub fn cost(tokens: Tokens, price: Price) -> Money {
    let Tokens { hit, miss, write, output } = tokens;
    match price.write {
        Some(_) => price.of(Tokens { hit, miss: 0, write: write + miss, output }),
        None => price.of(tokens),
    }
}

/// What the table of a plan shows: tokens of each agent's task, and money where the price of its model is known.
pub fn facts(plan: &Plan, limits: Limits, opening: u64, price: impl Fn(&Task) -> Option<Price>) -> TableFacts {
    let agents = plan.tasks().iter().filter(|task| task.worker == WorkerKind::Agent);
    let expected = agents.map(|task| {
        let tokens = tokens(task, limits, opening);
        (task.id.clone(), Expected { tokens: tokens.total(), cost: price(task).map(|price| cost(tokens, price)) })
    });
    TableFacts { expected: expected.collect(), ..TableFacts::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(turns: u32, worker: &str) -> Plan {
        let text = format!(
            "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"do\"\n\
             write = [\"a\"]\nworker = {worker}\nlimits = {{ turns = {turns} }}\n"
        );
        crate::file::parse_toml(&text).unwrap()
    }

    #[test]
    fn a_task_with_more_turns_is_thought_to_take_more_and_a_command_nothing() {
        let of = |turns, worker| total(&plan(turns, worker), Limits::default(), 4_000);
        assert!(of(40, "\"agent\"").total() > 2 * of(10, "\"agent\"").total());
        assert_eq!(of(40, "{ command = \"true\" }"), Tokens::default());
        assert!(facts(&plan(40, "{ command = \"true\" }"), Limits::default(), 4_000, |_| None).expected.is_empty());
    }

    #[test]
    fn a_known_price_gives_money_and_an_unknown_one_tokens_alone() {
        let usd = |usd| Money::from_usd(usd).unwrap();
        let price = Price { hit: usd(0.1), miss: usd(1.0), write: None, output: usd(5.0) };
        let of = |price: Option<Price>| {
            let facts = facts(&plan(20, "\"agent\""), Limits::default(), 4_000, |_| price);
            facts.expected.into_values().next().unwrap()
        };
        let known = of(Some(price)).cost.unwrap();
        assert!(known < price.uncached(total(&plan(20, "\"agent\""), Limits::default(), 4_000)), "most of it is cached");
        let written = of(Some(Price { write: Some(usd(1.25)), ..price })).cost.unwrap();
        assert!(known < written, "filling the cache is paid for: {known} {written}");
        assert_eq!((of(None).cost, of(None).tokens), (None, of(Some(price)).tokens));
    }
}
