//! A clock that moves only when nothing is left to do now: what is due lies in a queue, by time and then by the order in which it was put there.

use std::collections::BTreeMap;

/// The time in seconds and what is due.
pub(super) struct Clock<T> {
    now: u64,
    put: u64,
    due: BTreeMap<(u64, u64), T>,
}

impl<T> Clock<T> {
    pub(super) fn new() -> Self {
        Self { now: 0, put: 0, due: BTreeMap::new() }
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Something comes due in so many seconds.
    pub(super) fn put(&mut self, after: u64, what: T) {
        self.put += 1;
        self.due.insert((self.now + after, self.put), what);
    }

    /// The next thing that is due; by now it is that late.
    pub(super) fn next(&mut self) -> Option<T> {
        let ((at, _), what) = self.due.pop_first()?;
        self.now = at;
        Some(what)
    }

    /// What is not wanted any more never comes due.
    pub(super) fn keep(&mut self, wanted: impl Fn(&T) -> bool) {
        self.due.retain(|_, what| wanted(what));
    }
}
