//! One limit of the run, in tokens or in billionths of a dollar: what everybody has used of it, and what is promised to whom.
//!
//! A part is kept for last words: for each attempt that is at work one more request with a short answer, and never less than a fiftieth
//! of the limit. The rest belongs to the tasks that are not done, by their weights. Who has used less than that share is promised what
//! is missing; what nobody is promised, everybody may use.
//!
//! **Invariant:** what is used, kept and promised together never passes the limit, as long as nobody uses more than was granted.
//! **Invariant:** whoever has used less than its share can have the rest of it.

use std::collections::BTreeMap;

use shared::TaskId;

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// The planner's.
    Planner,
    /// A task's, of all its attempts.
    Task(TaskId),
}

/// What is kept for last words is at least this part of the limit,
const LEAST_KEPT: u64 = 50;
/// and at most this one.
const MOST_KEPT: u64 = 4;

/// One limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Purse {
    cap: Option<u64>,
    pages: BTreeMap<Account, Page>,
}

/// What is known about one account.
#[derive(Debug, Clone, Default)]
struct Page {
    /// Its part of what is shared out; nothing for a task that is done.
    weight: u64,
    spent: u64,
    reserved: u64,
    /// What its last word would take.
    word: u64,
}

impl Page {
    fn used(&self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }
}

impl Purse {
    pub(super) fn new(cap: Option<u64>) -> Self {
        Self { cap, pages: BTreeMap::new() }
    }

    /// Another limit, or none.
    pub(super) fn limit(&mut self, cap: Option<u64>) {
        self.cap = cap;
    }

    /// Whether there is a limit at all.
    pub(super) fn is_limited(&self) -> bool {
        self.cap.is_some()
    }

    pub(super) fn spend(&mut self, who: &Account, amount: u64) {
        let page = self.page(who);
        page.spent = page.spent.saturating_add(amount);
    }

    pub(super) fn reserve(&mut self, who: &Account, amount: u64) {
        let page = self.page(who);
        page.reserved = page.reserved.saturating_add(amount);
    }

    pub(super) fn release(&mut self, who: &Account, amount: u64) {
        let page = self.page(who);
        page.reserved = page.reserved.saturating_sub(amount);
    }

    /// What the next last word of an attempt would take.
    pub(super) fn expect_word(&mut self, who: &Account, amount: u64) {
        self.page(who).word = amount;
    }

    /// What is shared out from now on. Who is not named has no share; who is not at work has no last word.
    pub(super) fn share_out(&mut self, weights: &BTreeMap<Account, u64>, is_at_work: impl Fn(&Account) -> bool) {
        for who in weights.keys() {
            self.page(who);
        }
        for (who, page) in &mut self.pages {
            page.weight = weights.get(who).copied().unwrap_or_default();
            if !is_at_work(who) {
                page.word = 0;
            }
        }
    }

    /// What somebody may use.
    pub(super) fn free(&self, who: &Account) -> u64 {
        let Some(cap) = self.cap else { return u64::MAX };
        cap.saturating_sub(self.used()).saturating_sub(self.kept(cap)).saturating_sub(self.promised_to_others(who))
    }

    /// What there would be if nothing were promised to anybody else.
    pub(super) fn unpromised(&self) -> u64 {
        self.cap.map_or(u64::MAX, |cap| cap.saturating_sub(self.used()).saturating_sub(self.kept(cap)))
    }

    /// What somebody may use for a last word: also of what is kept, as far as others do not need it for theirs.
    pub(super) fn free_for_last_word(&self, who: &Account) -> u64 {
        let Some(cap) = self.cap else { return u64::MAX };
        let words = self.pages.values().map(|page| page.word).fold(0, u64::saturating_add);
        let others = words.saturating_sub(self.pages.get(who).map_or(0, |page| page.word));
        let kept = u128::from(self.kept(cap)) * u128::from(others) / u128::from(words.max(1));
        let kept = u64::try_from(kept).unwrap_or(u64::MAX);
        cap.saturating_sub(self.used()).saturating_sub(kept).saturating_sub(self.promised_to_others(who))
    }

    /// What is used and reserved together.
    pub(super) fn used(&self) -> u64 {
        self.pages.values().map(Page::used).fold(0, u64::saturating_add)
    }

    /// What is missing to its share.
    #[cfg(test)]
    pub(super) fn promised(&self, who: &Account) -> u64 {
        self.promises().get(who).copied().unwrap_or_default()
    }

    fn page(&mut self, who: &Account) -> &mut Page {
        self.pages.entry(who.clone()).or_default()
    }

    fn kept(&self, cap: u64) -> u64 {
        let words = self.pages.values().map(|page| page.word).fold(0, u64::saturating_add);
        words.max(cap / LEAST_KEPT).min(cap / MOST_KEPT)
    }

    fn promised_to_others(&self, who: &Account) -> u64 {
        self.promises()
            .iter()
            .filter(|(other, _)| **other != who)
            .map(|(_, amount)| amount)
            .fold(0, |sum, more| sum.saturating_add(*more))
    }

    /// Shares are poured out like water: who has used more than its share has no claim, and what it used beyond is missing to the others.
    fn promises(&self) -> BTreeMap<&Account, u64> {
        let Some(cap) = self.cap else { return BTreeMap::new() };
        let mut sharing: Vec<(&Account, &Page)> = self.pages.iter().filter(|(_, page)| page.weight > 0).collect();
        let elsewhere = self.pages.values().filter(|page| page.weight == 0).map(Page::used).fold(0, u64::saturating_add);
        let mut pot = cap.saturating_sub(self.kept(cap)).saturating_sub(elsewhere);
        loop {
            let weights: u128 = sharing.iter().map(|(_, page)| u128::from(page.weight)).sum();
            let share = |page: &Page| {
                let share = u128::from(pot) * u128::from(page.weight) / weights.max(1);
                u64::try_from(share).unwrap_or(u64::MAX)
            };
            match sharing.iter().position(|(_, page)| page.used() > share(page)) {
                Some(at) => pot = pot.saturating_sub(sharing.swap_remove(at).1.used()),
                None => return sharing.into_iter().map(|(who, page)| (who, share(page) - page.used())).collect(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> Account {
        Account::Task(TaskId::new(name).unwrap())
    }

    fn purse(cap: u64, weights: &[(&str, u64)]) -> Purse {
        let mut purse = Purse::new(Some(cap));
        let weights = weights.iter().map(|(name, weight)| (task(name), *weight)).collect();
        purse.share_out(&weights, |_| true);
        purse
    }

    #[test]
    fn what_is_not_kept_is_shared_out_by_weight() {
        let purse = purse(1_000, &[("a", 3), ("b", 1)]);
        assert_eq!((purse.promised(&task("a")), purse.promised(&task("b"))), (735, 245), "a fiftieth is kept");
        assert_eq!((purse.free(&task("a")), purse.free(&task("b")), purse.free(&Account::Planner)), (735, 245, 0));
        assert_eq!((purse.unpromised(), purse.free_for_last_word(&Account::Planner)), (980, 20));
    }

    #[test]
    fn who_is_done_gives_back_what_it_did_not_use_and_who_used_more_takes_it_from_what_is_left() {
        let mut purse = purse(1_000, &[("a", 1), ("b", 1), ("c", 2)]);
        purse.spend(&task("a"), 100);
        purse.share_out(&[(task("b"), 1), (task("c"), 2)].into(), |_| true);
        assert_eq!((purse.promised(&task("b")), purse.promised(&task("c"))), (293, 586));
        purse.spend(&task("b"), 380);
        assert_eq!((purse.promised(&task("b")), purse.promised(&task("c"))), (0, 500));
        assert_eq!((purse.free(&task("b")), purse.free(&task("c"))), (0, 500));
    }

    #[test]
    fn a_last_word_may_take_what_is_kept_but_not_the_last_words_of_others() {
        let mut purse = purse(1_000, &[("a", 1), ("b", 1)]);
        purse.expect_word(&task("a"), 60);
        purse.expect_word(&task("b"), 40);
        assert_eq!(purse.free(&task("a")), 450, "a hundred are kept");
        purse.spend(&task("a"), 450);
        assert_eq!((purse.free(&task("a")), purse.free_for_last_word(&task("a"))), (0, 60));
        assert_eq!((purse.free(&task("b")), purse.free_for_last_word(&task("b"))), (450, 490));
        purse.expect_word(&task("b"), 900_000);
        assert_eq!(purse.unpromised(), 300, "no more than a quarter is ever kept");
        purse.share_out(&[(task("a"), 1), (task("b"), 1)].into(), |who| *who == task("a"));
        assert_eq!(purse.unpromised(), 490, "who is not at work has no last word");
    }

    #[test]
    fn where_nothing_is_limited_everything_is_free() {
        let mut purse = Purse::new(None);
        purse.spend(&Account::Planner, u64::MAX);
        assert_eq!(
            (purse.free(&Account::Planner), purse.free_for_last_word(&Account::Planner), purse.is_limited()),
            (u64::MAX, u64::MAX, false)
        );
    }
}
