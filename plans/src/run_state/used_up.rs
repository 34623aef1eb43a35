//! Which of the run's limits is used up, in words.
//!
//! Whoever is refused a request knows only that it was. Both of the limits that requests are held to are in the settings, and what was
//! taken is in the state; the one of which less is left is the one that was lacking.

use shared::{Limits, usage::short};

use super::RunState;

impl RunState {
    /// What was lacking when a request of a worker's or the planner's did not fit any more.
    pub fn used_up(&self) -> String {
        let Limits { tokens, cost, .. } = self.settings.run_limits;
        let (taken, paid) = self.spending.with_guesses();
        let share = |part: u64, whole: u64| u128::from(part) * 1_000_000 / u128::from(whole.max(1));
        let of_tokens = tokens.map(|limit| {
            let words = format!("the run's limit of {} tokens (--max-tokens): {} are spent", short(limit), short(taken.total()));
            (share(taken.total(), limit), words)
        });
        let of_money = cost.map(|limit| {
            (share(paid.nano_usd, limit.nano_usd), format!("the run's limit of {limit} (--max-cost): {paid} is spent"))
        });
        match of_tokens.into_iter().chain(of_money).max() {
            Some((_, words)) => format!("{words}, and the next request could pass it"),
            None => "the run's budget is used up".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::{Money, Tokens};

    use crate::{
        event::{CommitId, Event, Settings},
        run_state::RunState,
        spending::Turn,
    };

    fn used_up(tokens: Option<u64>, usd: Option<f64>) -> String {
        let base = CommitId("b".repeat(40));
        let money = |usd| Money::from_usd(usd).unwrap();
        let run_limits = shared::Limits { tokens, cost: usd.map(money), ..shared::Limits::default() };
        let settings = Settings { run_limits, ..Settings::default() };
        let (goal, program) = (String::new(), String::new());
        let first = Event::RunStarted { goal, head: base.clone(), base, snapshot: false, settings, program };
        let mut state = RunState::begin(&first).unwrap();
        let tokens = Tokens { miss: 50_000, ..Tokens::default() };
        state.apply(&Event::TurnTaken(Turn { tokens, cost: Some(money(0.4)), ..Turn::default() })).unwrap();
        state.used_up()
    }

    #[test]
    fn the_limit_of_which_less_is_left_is_named_with_its_flag() {
        let tokens = "the run's limit of 60.0k tokens (--max-tokens): 50.0k are spent, and the next request could pass it";
        let money = "the run's limit of $0.45 (--max-cost): $0.40 is spent, and the next request could pass it";
        assert_eq!(used_up(Some(60_000), None), tokens);
        assert_eq!(used_up(Some(60_000), Some(9.0)), tokens);
        assert_eq!(used_up(None, Some(0.45)), money);
        assert_eq!(used_up(Some(60_000), Some(0.45)), money);
        assert_eq!(used_up(None, None), "the run's budget is used up");
    }
}
