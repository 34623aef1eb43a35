//! The books: what is decided when somebody asks for a request, in tokens and in money.
//!
//! Who asks for more than it may use gets what it may, if a useful answer fits into it; waits, if others may give something back; has a
//! last word out of what is kept for that; and is refused otherwise.
//!
//! **Invariant:** the sum of what is spent and what is reserved never passes a limit, as long as nobody uses more than was granted.
//! **Invariant:** nobody is refused who has used less than its share by as much as it asks for.
//! **Invariant:** nobody waits for nothing: whoever is told to wait waits for a reservation or for somebody at work who does not wait.
//!
//! Tokens are reserved as they are estimated; money for the whole prompt at the dearest that a prompt token can cost. A cache may have
//! expired, or another model may answer that has none, and then a prompt that was known costs up to fifty times as much. So with a small
//! limit fewer requests run at once, and its last part, as large as one prompt without a cache, goes to nobody but a last word; what
//! is not needed is given back with each answer. Whether a request is the last is judged by what it is expected to cost.
//!
//! Pure: who waits and what is answered is the actor's affair.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{Attempt, AttemptKey, Limit, Limits, Money, Price, Tokens};
use worker::budget::{OverBudget, Reservation};

use super::purse::{Account, Purse};

/// An answer shorter than this can hardly hold a thought and a call, in tokens.
pub(super) const LEAST_ANSWER: u64 = 1_024;
/// An answer of this length is rarely cut, in tokens.
const USUAL_ANSWER: u64 = 4_096;
/// What a turn adds to a conversation at the least, in tokens: a call, its result, a thought.
const GROWTH: u64 = 1_200;
/// How often an attempt may draw on what is kept: its last answer, and another try where `finish` was refused.
const LAST_WORDS: u32 = 2;

const NOTHING: Tokens = Tokens { hit: 0, miss: 0, write: 0, output: 0 };

/// What a request may take at most.
#[derive(Debug, Clone)]
pub(super) struct Need {
    /// Whose it is: none for the planner.
    pub(super) attempt: Option<AttemptKey>,
    /// Prompt, and the longest answer that would be of use.
    pub(super) estimate: Tokens,
    /// What its tokens cost at most, if anybody knows.
    pub(super) price: Option<Price>,
}

impl Need {
    /// The most billionths that such a request can take.
    fn money(&self, tokens: Tokens) -> u64 {
        self.price.map_or(0, |price| price.at_most(tokens).nano_usd)
    }

    pub(super) fn account(&self) -> Account {
        account(self.attempt.as_ref())
    }
}

fn account(attempt: Option<&AttemptKey>) -> Account {
    attempt.map_or(Account::Planner, |key| Account::Task(key.task.clone()))
}

/// What follows from a need.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It may have this.
    Grant {
        /// With an answer of this length at most.
        output: u64,
        /// Whether it is likely to be the last.
        last: bool,
        /// Whether it is paid for out of what is kept.
        kept: bool,
    },
    Wait,
    Refuse(OverBudget),
}

/// What a task may have of the run's limits, and whether it is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Whose.
    pub account: Account,
    /// Its weight where tokens are shared out; nothing for one that is done.
    pub tokens: u64,
    /// Its weight where money is.
    pub money: u64,
    /// Whether something is being done about it, so that it may give back what it does not need.
    pub at_work: bool,
}

#[derive(Debug)]
struct Open {
    account: Account,
    tokens: u64,
    money: u64,
}

/// What an attempt has had of the ledger.
#[derive(Debug, Default)]
struct Record {
    attempt: Option<Attempt>,
    answers: u32,
    last_words: u32,
}

/// The books.
#[derive(Debug)]
pub(super) struct Books {
    tokens: Purse,
    money: Purse,
    open: HashMap<u64, Open>,
    records: BTreeMap<Account, Record>,
    at_work: BTreeSet<Account>,
    next: u64,
}

impl Books {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            tokens: Purse::new(limits.tokens),
            money: Purse::new(limits.cost.map(|cost| cost.nano_usd)),
            open: HashMap::new(),
            records: BTreeMap::new(),
            at_work: BTreeSet::new(),
            next: 1,
        }
    }

    /// Other limits, in the middle of it all.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.tokens.limit(limits.tokens);
        self.money.limit(limits.cost.map(|cost| cost.nano_usd));
    }

    /// What was spent before.
    pub(super) fn carry(&mut self, who: &Account, tokens: u64, money: Money) {
        self.tokens.spend(who, tokens);
        self.money.spend(who, money.nano_usd);
    }

    /// Shares the limits out.
    pub(super) fn share_out(&mut self, shares: &[Share]) {
        self.at_work = shares.iter().filter(|share| share.at_work).map(|share| share.account.clone()).collect();
        let weights = |weight: fn(&Share) -> u64| shares.iter().map(|share| (share.account.clone(), weight(share))).collect();
        self.tokens.share_out(&weights(|share| share.tokens), |who| self.at_work.contains(who));
        self.money.share_out(&weights(|share| share.money), |who| self.at_work.contains(who));
    }

    /// The first of those who wait that can be answered, and how.
    pub(super) fn answerable<'a>(&self, waiting: impl Iterator<Item = &'a Need> + Clone) -> Option<(usize, Decision)> {
        let accounts = waiting.clone().map(Need::account).collect();
        let mut decisions = waiting.map(|need| self.decide(need, &accounts)).enumerate();
        decisions.find(|(_, decision)| *decision != Decision::Wait)
    }

    /// What follows, while these wait.
    fn decide(&self, need: &Need, waiting: &BTreeSet<Account>) -> Decision {
        let who = &need.account();
        let wanted = need.estimate.output;
        let free = self.room(need, NOTHING, |purse| purse.free(who));
        let alone = !self.may_give_back(who, waiting);
        if free.tokens >= wanted.min(USUAL_ANSWER) || (alone && free.tokens >= wanted.min(LEAST_ANSWER)) {
            let output = wanted.min(free.tokens);
            return Decision::Grant { output, last: alone && !self.has_another(need, output), kept: false };
        }
        if !alone {
            return Decision::Wait;
        }
        let kept = self.room(need, NOTHING, |purse| purse.free_for_last_word(who)).tokens;
        if self.has_last_word(need) && kept >= wanted.min(LEAST_ANSWER) {
            return Decision::Grant { output: wanted.min(kept).min(USUAL_ANSWER), last: true, kept: true };
        }
        let is_promised = self.room(need, NOTHING, Purse::unpromised).tokens >= wanted.min(LEAST_ANSWER);
        Decision::Refuse(if is_promised { OverBudget::Share(free.limit) } else { OverBudget::Run })
    }

    /// Writes a decision down.
    pub(super) fn grant(&mut self, need: &Need, output: u64, kept: bool) -> Reservation {
        let id = self.next;
        self.next += 1;
        let (account, estimate) = (need.account(), Tokens { output, ..need.estimate });
        let money = need.money(estimate);
        self.tokens.reserve(&account, estimate.total());
        self.money.reserve(&account, money);
        self.open.insert(id, Open { account: account.clone(), tokens: estimate.total(), money });
        let word = Tokens { output: LEAST_ANSWER, ..need.estimate };
        self.tokens.expect_word(&account, word.total());
        self.money.expect_word(&account, need.money(word));
        let record = self.record(need.attempt.as_ref());
        record.last_words += u32::from(kept);
        Reservation { id, estimate, last: false }
    }

    /// Writes down what a reservation came to, once. Of an unknown price the reservation's counts, for it must not seem free.
    pub(super) fn settle(&mut self, id: u64, used: Tokens, cost: Option<Money>) {
        let Some(Open { account, tokens, money }) = self.open.remove(&id) else { return };
        self.tokens.release(&account, tokens);
        self.money.release(&account, money);
        self.tokens.spend(&account, used.total());
        if used.total() > 0 {
            self.money.spend(&account, cost.map_or(money, |cost| cost.nano_usd));
            self.records.entry(account).or_default().answers += 1;
        }
    }

    /// What is spent and reserved together: tokens, and billionths of a dollar.
    #[cfg(test)]
    pub(super) fn used(&self) -> (u64, u64) {
        (self.tokens.used(), self.money.used())
    }

    #[cfg(test)]
    pub(super) fn promised(&self, who: &Account) -> (u64, u64) {
        (self.tokens.promised(who), self.money.promised(who))
    }

    fn record(&mut self, key: Option<&AttemptKey>) -> &mut Record {
        let record = self.records.entry(account(key)).or_default();
        let attempt = key.map(|key| key.attempt);
        if record.attempt != attempt {
            *record = Record { attempt, ..Record::default() };
        }
        record
    }

    /// A last word is for somebody who has begun.
    fn has_last_word(&self, need: &Need) -> bool {
        let record = self.records.get(&need.account());
        let same = |record: &&Record| record.attempt == need.attempt.as_ref().map(|key| key.attempt);
        record.filter(same).is_some_and(|record| record.answers > 0 && record.last_words < LAST_WORDS)
    }

    /// Whether anybody else may give something back who does not wait itself.
    fn may_give_back(&self, who: &Account, waiting: &BTreeSet<Account>) -> bool {
        self.open.values().any(|open| open.account != *who)
            || self.at_work.iter().any(|other| other != who && !waiting.contains(other))
    }

    /// Whether a request after this one would find room, if this one's answer is as short as most are.
    fn has_another(&self, need: &Need, output: u64) -> bool {
        let said = output.min(LEAST_ANSWER);
        let this = Tokens { output: said, ..need.estimate };
        let next = Tokens { miss: this.total() + GROWTH, ..NOTHING };
        let next = Need { estimate: next, ..need.clone() };
        self.room(&next, this, |purse| purse.free(&need.account())).tokens >= LEAST_ANSWER
    }

    /// How long an answer may be, once what comes `before` it and the prompt are paid for, and which limit says so.
    fn room(&self, need: &Need, before: Tokens, free: impl Fn(&Purse) -> u64) -> Room {
        let prompt = Tokens { output: 0, ..need.estimate };
        let sent = before.total().saturating_add(prompt.total());
        let by_tokens = if self.tokens.is_limited() { free(&self.tokens).saturating_sub(sent) } else { u64::MAX };
        let by_money = match need.price.filter(|_| self.money.is_limited()) {
            Some(price) => affordable(free(&self.money).saturating_sub(price.of(before).nano_usd), prompt, price),
            None => u64::MAX,
        };
        let limit = if by_money < by_tokens { Limit::Cost } else { Limit::Tokens };
        Room { tokens: by_tokens.min(by_money), limit }
    }
}

/// How many tokens an answer may have.
#[derive(Debug, Clone, Copy)]
struct Room {
    tokens: u64,
    limit: Limit,
}

/// How many tokens an answer may have that is paid for with what the prompt leaves of an amount of billionths.
fn affordable(free: u64, prompt: Tokens, price: Price) -> u64 {
    let left = free.saturating_sub(price.at_most(prompt).nano_usd);
    u128::from(left)
        .saturating_mul(1_000_000)
        .checked_div(u128::from(price.output.nano_usd))
        .map_or(u64::MAX, |tokens| u64::try_from(tokens).unwrap_or(u64::MAX))
}
