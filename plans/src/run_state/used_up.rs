//! Which of the run's limits is used up, in words.
//!
//! Whoever is refused a request knows only that it was. Both of the limits that requests are held to are in the settings, and what was
//! taken is in the state; the one of which less is left is the one that was lacking.

use shared::{
    Limit, Limits, Outcome, TaskId,
    usage::{counted, short},
};

use super::{RunState, TaskRecord};
use crate::{
    event::{RunLimit, TaskEnd},
    evidence::Setback,
    task_state::TaskState,
};

impl RunState {
    /// What was lacking when a request of a worker's or the planner's did not fit any more.
    pub fn used_up(&self) -> String {
        self.least_left().map_or_else(|| "the run's budget is used up".to_owned(), |(_, words)| words)
    }

    /// The limit that was lacking then.
    pub fn lacking(&self) -> Option<RunLimit> {
        self.least_left().map(|(limit, _)| limit)
    }

    fn least_left(&self) -> Option<(RunLimit, String)> {
        let Limits { tokens, cost, .. } = self.settings.run_limits;
        let (taken, paid) = self.spending.with_guesses();
        let share = |part: u64, whole: u64| u128::from(part) * 1_000_000 / u128::from(whole.max(1));
        let of_tokens = tokens.map(|limit| {
            let words = format!("the run's limit of {} tokens (--max-tokens): {} are spent", short(limit), short(taken.total()));
            (share(taken.total(), limit), RunLimit::Tokens, words)
        });
        let of_money = cost.map(|limit| {
            let words = format!("the run's limit of {limit} (--max-cost): {paid} is spent");
            (share(paid.nano_usd, limit.nano_usd), RunLimit::Cost, words)
        });
        let (_, limit, words) = of_tokens.into_iter().chain(of_money).max()?;
        Some((limit, format!("{words}, and the next request could pass it")))
    }

    /// Tasks that ended at a limit: which, and what allows more.
    pub fn exhausted(&self) -> Vec<(TaskId, String)> {
        let words = |record: &TaskRecord| Some((record.id.clone(), self.exhausted_in_words(record)?));
        self.tasks.iter().filter_map(words).collect()
    }

    fn exhausted_in_words(&self, record: &TaskRecord) -> Option<String> {
        let is_over = matches!(record.state, TaskState::Ended { end: TaskEnd::Exhausted });
        let last = record.setbacks.last().filter(|_| is_over)?;
        let Setback::Ended(Outcome::Exhausted { limit, .. }) = &last.setback else { return None };
        let own = self.plan.as_ref()?.get(&record.id)?.limits.or(self.settings.task_limits);
        let (held_to, (key, own_flag), flag) = match limit {
            Limit::Turns => (own.turns.map(|turns| counted(turns, "turn")), ("turns", "--turns"), None),
            Limit::Tokens => {
                (own.tokens.map(|tokens| format!("{} tokens", short(tokens))), ("tokens", "--tokens"), Some("--max-tokens"))
            }
            Limit::Cost => (own.cost.map(|cost| cost.to_string()), ("cost_usd", "--cost"), Some("--max-cost")),
            Limit::Minutes => (own.minutes.map(|minutes| counted(minutes, "minute")), ("minutes", "--minutes"), None),
            Limit::Context | Limit::Finishes | Limit::Repetition | Limit::Silence => return None,
        };
        Some(match (held_to, flag) {
            (Some(held_to), _) => format!(
                "an attempt has {held_to}; `inspan retry {} {own_flag} N` tries it again with more, and `[task] {key}` in inspan.toml gives \
                 more in later runs",
                record.id
            ),
            (None, Some(flag)) => {
                format!("its share of what the run has left is used up; `inspan resume` with a larger {flag} allows more")
            }
            (None, None) => return None,
        })
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
