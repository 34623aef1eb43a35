//! Names of runs, tasks and attempts.
//!
//! **Invariant:** a name is used whole wherever it becomes a ref, a directory or a journal key. Nothing is ever found again by a
//! shortened name: two tasks that share eight letters once cost another tool its parent folder.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: use {rule}")]
pub struct BadName {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

/// The name of a task within one run: 1 to 40 of `a-z`, `0-9` and `-`, not beginning or ending with `-`.
///
/// It becomes a ref, a directory and a journal key, so its alphabet is what all three accept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

impl TaskId {
    /// Checks the alphabet and the length.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let edges = text.starts_with('-') || text.ends_with('-');
        if letters && !edges && (1..=40).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(BadName { text: text.to_owned(), kind: "a task id", rule: "1 to 40 of a-z, 0-9 and -, with no - at either end" })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a run: 8 of `a-z` and `0-9`, drawn at random, unique within a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

    /// Checks the alphabet and the length.
    pub fn new(text: &str) -> Result<Self, BadName> {
        if text.len() == 8 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        Err(BadName { text: text.to_owned(), kind: "a run id", rule: "8 of a-z and 0-9" })
    }

    /// Spells 40 of the given bits with letters and digits that are hard to mistake for each other. It begins with a letter, so
    /// that no tool takes it for a number.
    pub fn from_bits(bits: u64) -> Self {
        let spell = |place: usize| {
            let digit = (bits >> (5 * place)).to_le_bytes()[0] & 31;
            let letters_only = if place == 0 { digit % 24 } else { digit };
            char::from(Self::ALPHABET[usize::from(letters_only)])
        };
        Self((0..8).map(spell).collect())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which try at a task, counted from 1 over the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt(pub u32);

/// One try at one task: what a worktree, a transcript and a ref belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The task.
    pub task: TaskId,
    /// The try.
    pub attempt: Attempt,
}

macro_rules! named {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(&text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    )*};
}
named!(TaskId, RunId);

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.task, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_is_what_refs_directories_and_keys_accept() {
        for good in ["a", "money-type", "0", &"x".repeat(40)] {
            assert!(TaskId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a_b", "a/b", "..", "-a", "a-", "é", &"x".repeat(41)] {
            assert!(TaskId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_id_spelled_from_any_bits_is_a_run_id_that_begins_with_a_letter() {
        for bits in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let id = RunId::from_bits(bits);
            assert_eq!(RunId::new(id.as_str()), Ok(id.clone()));
            assert!(id.as_str().as_bytes()[0].is_ascii_lowercase());
        }
    }
}
