//! Runs played at random: tasks that ask, take and end in any order, under any limits.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, PartialEq)]
enum Doing {
    NotBegun,
    Thinking,
    Waiting,
    Asking { id: u64, granted: Tokens, last: bool },
    Over,
}

/// A run in which nobody uses more than was granted.
struct Play {
    books: Books,
    caps: (Option<u64>, Option<u64>),
    random: fastrand::Rng,
    weights: BTreeMap<String, u64>,
    doing: BTreeMap<String, Doing>,
    prompts: BTreeMap<String, u64>,
    queue: Vec<Need>,
    workers: usize,
    refused: u32,
}

impl Play {
    fn new(seed: u64, tokens: Option<u64>, cost: Option<u64>) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let names: Vec<String> = (0..random.usize(1..7)).map(|number| format!("t{number}")).collect();
        let limits = Limits { tokens, cost: cost.map(|nano_usd| Money { nano_usd }), ..Limits::default() };
        let mut play = Self {
            books: Books::new(limits),
            caps: (tokens, cost),
            weights: names.iter().map(|name| (name.clone(), random.u64(1..1_000))).collect(),
            doing: names.iter().map(|name| (name.clone(), Doing::NotBegun)).collect(),
            prompts: names.iter().map(|name| (name.clone(), random.u64(100..20_000))).collect(),
            queue: Vec::new(),
            workers: random.usize(1..4),
            random,
            refused: 0,
        };
        play.begin();
        play
    }

    fn is_at_work(doing: &Doing) -> bool {
        !matches!(doing, Doing::NotBegun | Doing::Over)
    }

    /// Fills the places of workers, and says who shares what.
    fn begin(&mut self) {
        let free = self.workers.saturating_sub(self.doing.values().filter(|doing| Self::is_at_work(doing)).count());
        for doing in self.doing.values_mut().filter(|doing| **doing == Doing::NotBegun).take(free) {
            *doing = Doing::Thinking;
        }
        let share = |(task, doing): (&String, &Doing)| {
            let weight = if *doing == Doing::Over { 0 } else { self.weights[task] };
            Share { account: account(task), tokens: weight, money: weight, at_work: Self::is_at_work(doing) }
        };
        self.books.share_out(&self.doing.iter().map(share).collect::<Vec<_>>());
        self.serve();
    }

    fn serve(&mut self) {
        while let Some((at, decision)) = self.books.answerable(self.queue.iter()) {
            let need = self.queue.remove(at);
            let task = need.attempt.as_ref().unwrap().task.to_string();
            let doing = match decision {
                Decision::Wait => unreachable!("it was answerable"),
                Decision::Grant { output, last, kept } => {
                    let reservation = self.books.grant(&need, output, kept);
                    Doing::Asking { id: reservation.id, granted: reservation.estimate, last }
                }
                Decision::Refuse(_) => {
                    self.assert_has_used_its_share(&need);
                    self.refused += 1;
                    Doing::Over
                }
            };
            let is_over = doing == Doing::Over;
            self.doing.insert(task, doing);
            self.assert_within_limits();
            if is_over {
                return self.begin();
            }
        }
    }

    /// One step of somebody; false when everybody is done.
    fn step(&mut self) -> bool {
        let can_move = |doing: &Doing| matches!(doing, Doing::Thinking | Doing::Asking { .. });
        let movable: Vec<String> = self.doing.iter().filter(|(_, doing)| can_move(doing)).map(|(task, _)| task.clone()).collect();
        let Some(task) = self.random.choice(movable) else {
            assert!(self.doing.values().all(|doing| *doing == Doing::Over), "somebody waits for nothing: {:?}", self.doing);
            return false;
        };
        match self.doing[&task].clone() {
            Doing::Thinking => {
                self.queue.push(need(&task, self.prompts[&task], self.random.u64(100..20_000)));
                self.doing.insert(task, Doing::Waiting);
                self.serve();
            }
            Doing::Asking { id, granted, last } => self.answer(task, id, granted, last),
            Doing::NotBegun | Doing::Waiting | Doing::Over => unreachable!("it can move"),
        }
        true
    }

    fn answer(&mut self, task: String, id: u64, granted: Tokens, last: bool) {
        let hit = self.random.u64(0..=granted.miss);
        let output = self.random.u64(0..=granted.output);
        let taken = Tokens { hit, miss: granted.miss - hit, write: 0, output };
        self.books.settle(id, taken, Some(price().of(taken)));
        self.assert_within_limits();
        *self.prompts.get_mut(&task).unwrap() += output + self.random.u64(0..3_000);
        let is_over = (last && self.random.bool()) || self.random.u8(0..8) == 0;
        self.doing.insert(task, if is_over { Doing::Over } else { Doing::Thinking });
        self.begin();
    }

    fn assert_within_limits(&self) {
        let (tokens, money) = self.books.used();
        assert!(self.caps.0.is_none_or(|cap| tokens <= cap), "{tokens} tokens of {:?}", self.caps);
        assert!(self.caps.1.is_none_or(|cap| money <= cap), "{money} billionths of {:?}", self.caps);
    }

    /// Whether what was promised does not even hold the smallest useful request of this kind.
    fn assert_has_used_its_share(&self, need: &Need) {
        let (tokens, money) = self.books.promised(&need.account());
        let least = Tokens { output: need.estimate.output.min(books::LEAST_ANSWER), ..need.estimate };
        let enough_tokens = self.caps.0.is_none() || tokens >= least.total();
        let enough_money = self.caps.1.is_none() || money >= price().of(least).nano_usd;
        assert!(
            !(enough_tokens && enough_money),
            "{need:?} was refused with {tokens} tokens and {money} billionths left of its share"
        );
    }
}

fn played(seed: u64, tokens: Option<u64>, cost: Option<u64>) -> Play {
    let mut play = Play::new(seed, tokens, cost);
    let steps = (0..100_000).take_while(|_| play.step()).count();
    assert!(steps < 100_000, "it comes to an end");
    play
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_limit_is_passed_nobody_loses_its_share_and_everybody_is_answered(
        seed in any::<u64>(),
        tokens in proptest::option::of(0_u64..800_000),
        cost in proptest::option::of(0_u64..2_000_000_000),
    ) {
        played(seed, tokens, cost);
    }
}

#[test]
fn tight_limits_are_really_met_in_these_plays() {
    let refused: u32 = (0..50).map(|seed| played(seed, Some(60_000), None).refused).sum();
    assert!(refused > 20, "{refused}");
    assert_eq!(played(1, None, None).refused, 0);
}
