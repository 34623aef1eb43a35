//! What a run took, in words and as data: tokens by kind, money, what the cache saved, what was mended and sent again, by model.
//!
//! **Invariant:** where a price is not known that is said, and no amount stands in its place.

use plans::{run_state::RunState, spending::Spending};
use serde_json::{Value, json};
use shared::{Money, Tokens, usage::short};

/// `12.3k tokens, $0.42`.
pub fn spent(spending: &Spending) -> String {
    let tokens = short(spending.tokens.total());
    let more = match spending.known_cost() {
        _ if spending.tokens == Tokens::default() => String::new(),
        None => ", price not known".to_owned(),
        Some(cost) if spending.unpriced == 0 => format!(", {cost}"),
        Some(cost) => format!(", {cost} and {} tokens of unknown price", short(spending.unpriced)),
    };
    format!("{tokens} tokens{more}")
}

/// The same of somebody who is at work.
pub fn spent_so_far(tokens: Tokens, cost: Option<Money>) -> String {
    let cost = cost.map_or(String::new(), |cost| format!(", {cost}"));
    format!("{} tokens{cost}", short(tokens.total()))
}

/// The lines that `status` and the end of a run show beside what was spent in total, each with a word before it.
pub fn lines(state: &RunState) -> Vec<(&'static str, String)> {
    let spending = state.spending();
    let mut lines = Vec::new();
    if spending.tokens.total() > 0 {
        lines.push(("tokens", tokens(spending)));
        lines.extend(cache(spending).map(|text| ("cache", text)));
    }
    if spending.repaired() > 0 {
        lines.push(("repairs", repairs(spending)));
    }
    if spending.retries > 0 {
        lines.push(("retries", count(spending.retries, "request was sent again", "requests were sent again")));
    }
    if spending.guessed.total() > 0 {
        let about = short(spending.guessed.total());
        lines.push(("broken", format!("about {about} tokens of broken answers were not counted by the provider")));
    }
    let failed = spending.stood_in_for.iter();
    lines.extend(failed.map(|who| ("stand-in", format!("another model answered instead of {who}"))));
    if state.planner().tokens.total() > 0 {
        lines.push(("planner", about(state.planner())));
    }
    let named = state.models().iter().filter(|(name, _)| !name.is_empty());
    lines.extend(named.map(|(name, spending)| ("model", format!("{name}: {}", about(spending)))));
    lines
}

/// `12 turns, 34.5k tokens, $0.02`.
pub fn about(spending: &Spending) -> String {
    format!("{}, {}", count(spending.turns, "turn", "turns"), spent(spending))
}

fn count(number: u64, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}

fn tokens(spending: &Spending) -> String {
    let Tokens { hit, miss, write, output } = spending.tokens;
    let filled = if write > 0 { format!("{} put into the cache, ", short(write)) } else { String::new() };
    let guessed = match spending.estimated {
        0 => String::new(),
        some => format!("; {} not counted by the provider but estimated", count(some, "turn was", "turns were")),
    };
    format!("{} cached, {} not cached, {filled}{} written{guessed}", short(hit), short(miss), short(output))
}

fn cache(spending: &Spending) -> Option<String> {
    let rate = format!("{:.1} % of all prompt tokens were cached", 100.0 * spending.hit_rate()?);
    let saved = match spending.saved_usd() {
        _ if spending.uncached == Money::default() => return Some(rate),
        saved if saved < 0.0 => format!("which cost {} more than it saved", Money::from_usd(-saved).unwrap_or_default()),
        saved => format!("which saved {} of {}", Money::from_usd(saved).unwrap_or_default(), spending.uncached),
    };
    Some(format!("{rate}, {saved}"))
}

fn repairs(spending: &Spending) -> String {
    let kinds: Vec<String> = spending.repairs.iter().map(|(repair, times)| format!("{repair} {times}")).collect();
    format!("{}: {}", count(spending.repaired().into(), "tool call did not read", "tool calls did not read"), kinds.join(", "))
}

/// For programs. An amount that nobody knows is null.
pub fn json(spending: &Spending) -> Value {
    let Tokens { hit, miss, write, output } = spending.tokens;
    let is_priced = spending.uncached != Money::default();
    json!({
        "turns": spending.turns,
        "tokens": { "hit": hit, "miss": miss, "write": write, "output": output, "total": spending.tokens.total() },
        "hit_rate": spending.hit_rate(),
        "cost_usd": spending.known_cost().map(Money::usd),
        "unpriced_tokens": spending.unpriced,
        "saved_usd": is_priced.then(|| spending.saved_usd()),
        "estimated_turns": spending.estimated,
        "guessed_tokens": spending.guessed.total(),
        "repairs": spending.repairs,
        "retries": spending.retries,
        "stood_in_for": spending.stood_in_for,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use plans::{
        event::{CommitId, Event, Settings},
        spending::Turn,
    };
    use shared::{Price, Repair};

    use super::*;

    fn state(turns: &[Turn]) -> RunState {
        let (base, settings) = (CommitId("b".repeat(40)), Settings::default());
        let (goal, program) = (String::new(), String::new());
        let first = Event::RunStarted { goal, head: base.clone(), base, snapshot: false, settings, program };
        let mut state = RunState::begin(&first).unwrap();
        for turn in turns {
            state.apply(&Event::TurnTaken(turn.clone())).unwrap();
        }
        state
    }

    fn turn(model: &str, tokens: (u64, u64, u64, u64), price: Option<(f64, f64, f64)>) -> Turn {
        let usd = |usd| Money::from_usd(usd).unwrap();
        let (hit, miss, write, output) = tokens;
        let tokens = Tokens { hit, miss, write, output };
        let price = price.map(|(hit, miss, output)| Price { hit: usd(hit), miss: usd(miss), write: None, output: usd(output) });
        let (cost, uncached) = (price.map(|price| price.of(tokens)), price.map(|price| price.uncached(tokens)));
        Turn { turn: 1, tokens, cost, uncached, model: model.to_owned(), ..Turn::default() }
    }

    fn shown(turns: &[Turn]) -> String {
        let state = state(turns);
        let lines: Vec<String> = lines(&state).iter().map(|(word, text)| format!("{word:8} {text}\n")).collect();
        format!("spent    {}\n{}", spent(state.spending()), lines.concat())
    }

    #[test]
    fn a_bill_says_what_is_known_and_what_is_not() {
        let known = Some((0.1, 1.0, 5.0));
        let mended =
            Turn { repairs: [(Repair::TrailingCommas, 2), (Repair::LeakedCall, 1)].into(), retries: 2, ..Turn::default() };
        let turns = [
            turn("p/known", (0, 40_000, 0, 500), known),
            Turn { repairs: mended.repairs, retries: 2, ..turn("p/known", (40_000, 2_000, 0, 500), known) },
            Turn { estimated: true, ..turn("p/other", (0, 1_000, 200, 100), None) },
        ];
        expect![[r#"
            spent    84.3k tokens, $0.0510 and 1.3k tokens of unknown price
            tokens   40.0k cached, 43.0k not cached, 200 put into the cache, 1.1k written; 1 turn was not counted by the provider but estimated
            cache    48.1 % of all prompt tokens were cached, which saved $0.0360 of $0.0870
            repairs  3 tool calls did not read: trailing commas 2, leaked call 1
            retries  2 requests were sent again
            planner  3 turns, 84.3k tokens, $0.0510 and 1.3k tokens of unknown price
            model    p/known: 2 turns, 83.0k tokens, $0.0510
            model    p/other: 1 turn, 1.3k tokens, price not known
        "#]]
        .assert_eq(&shown(&turns));
    }

    #[test]
    fn without_a_price_there_are_tokens_and_without_turns_there_is_nothing() {
        expect![[r#"
            spent    1.1k tokens, price not known
            tokens   0 cached, 1.0k not cached, 100 written
            cache    0.0 % of all prompt tokens were cached
            planner  1 turn, 1.1k tokens, price not known
        "#]]
        .assert_eq(&shown(&[turn("", (0, 1_000, 0, 100), None)]));
        assert_eq!(shown(&[]), "spent    0 tokens\n");
    }

    #[test]
    fn programs_read_null_where_nobody_knows() {
        let json = json(state(&[turn("p/other", (0, 1_000, 0, 100), None)]).spending());
        assert!(json["cost_usd"].is_null() && json["saved_usd"].is_null(), "{json}");
        assert_eq!((json["tokens"]["total"].as_u64(), json["unpriced_tokens"].as_u64()), (Some(1_100), Some(1_100)));
    }
}
