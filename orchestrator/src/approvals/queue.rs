//! The one queue in which questions wait for a person.
//!
//! **Invariant:** at most one question is shown at a time, the oldest first. **Invariant:** who enters leaves exactly once: by an answer, past
//! a deadline, or because nobody needs the answer any more.

use std::collections::VecDeque;

use plans::approval::{Standing, Subject};
use shared::AttemptKey;

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    /// Who wants it.
    pub key: AttemptKey,
    /// What.
    pub what: Subject,
    /// Which rule stands before it, or who owns it.
    pub why: String,
    /// Why it is wanted, in the worker's words; empty where it did not say.
    pub reason: String,
    /// What the person can allow for the rest of the run.
    pub offer: Vec<Standing>,
}

/// A question in the queue, and whoever waits for its answer.
#[derive(Debug)]
pub struct Waiting<T> {
    /// Its number in this process.
    pub number: u64,
    /// The question.
    pub matter: Matter,
    /// Who waits.
    pub ticket: T,
}

/// The queue. It knows no clock: whoever waits for a deadline says when it is over.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: VecDeque<Waiting<T>>,
    last: u64,
    shown: Option<u64>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), last: 0, shown: None }
    }
}

impl<T> Queue<T> {
    /// Enters a question; returns its number.
    pub fn enter(&mut self, matter: Matter, ticket: T) -> u64 {
        self.last += 1;
        self.waiting.push_back(Waiting { number: self.last, matter, ticket });
        self.last
    }

    /// The question that is to be shown now: the oldest, unless one is shown already.
    pub fn show(&mut self) -> Option<&Waiting<T>> {
        if self.shown.is_some() {
            return None;
        }
        let first = self.waiting.front()?;
        self.shown = Some(first.number);
        Some(first)
    }

    /// The person has looked away from the question that was shown, answered or not.
    pub fn cleared(&mut self, number: u64) {
        if self.shown == Some(number) {
            self.shown = None;
        }
    }

    /// Takes a question out; none if it has left already.
    pub fn leave(&mut self, number: u64) -> Option<Waiting<T>> {
        let at = self.waiting.iter().position(|waiting| waiting.number == number)?;
        self.waiting.remove(at)
    }

    /// All questions, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting<T>> {
        self.waiting.iter()
    }

    /// Takes out all questions that somebody has no more use for.
    pub fn leave_all(&mut self, needless: impl Fn(&Matter) -> bool) -> Vec<Waiting<T>> {
        let (gone, kept) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| needless(&waiting.matter));
        self.waiting = kept;
        Vec::from(gone)
    }

    /// How many wait besides the first.
    pub fn behind(&self) -> usize {
        self.waiting.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use shared::{Attempt, TaskId};

    use super::*;

    fn matter(task: &str) -> Matter {
        let key = AttemptKey { task: TaskId::new(task).unwrap(), attempt: Attempt(1) };
        Matter {
            key,
            what: Subject::Command("git push".to_owned()),
            why: String::new(),
            reason: String::new(),
            offer: Vec::new(),
        }
    }

    #[test]
    fn one_question_is_shown_at_a_time_and_each_leaves_once() {
        let mut queue = Queue::default();
        let numbers: Vec<u64> = ["a", "b", "a"].iter().enumerate().map(|(at, task)| queue.enter(matter(task), at)).collect();
        assert_eq!(queue.show().map(|waiting| waiting.ticket), Some(0));
        assert_eq!((queue.show().is_none(), queue.behind()), (true, 2));
        assert_eq!(queue.leave(numbers[0]).map(|waiting| waiting.ticket), Some(0));
        assert!(queue.leave(numbers[0]).is_none() && queue.show().is_none(), "the person still looks at it");
        queue.cleared(numbers[0]);
        assert_eq!(queue.show().map(|waiting| waiting.ticket), Some(1));
        let gone: Vec<usize> =
            queue.leave_all(|matter| matter.key.task.as_str() == "a").into_iter().map(|waiting| waiting.ticket).collect();
        assert_eq!((gone, queue.iter().map(|waiting| waiting.number).collect()), (vec![2], vec![numbers[1]]));
        queue.cleared(numbers[2]);
        assert!(queue.show().is_none(), "only the question that is shown can be cleared");
    }
}
