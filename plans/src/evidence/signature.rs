//! Whether the same has been seen before.
//!
//! A signature is made of the class, the command and the names of what fails. Where nothing has a name it is made of the end of what was said,
//! without whatever differs from one try to the next: numbers, addresses, times, temporary paths, commits, the order of lines.
//!
//! **Invariant:** it is the same in every process and version that knows the same names: it stands in no journal, but a run that is taken up
//! compares what it folds.

use std::{collections::BTreeSet, fmt};

use shared::{Outcome, RepoPath, TaskId};

use super::{Class, OwnProof, Setback};
use crate::failures::{Kind, cleaned};

/// What is the same about two setbacks that are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(String);

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How many of the last lines count.
const LINES: usize = 20;

impl Setback {
    /// Its signature.
    pub fn signature(&self) -> Signature {
        let mut hash = Hash::new();
        hash.put(&self.class().to_string());
        match self {
            Setback::Conflicted { paths, with, .. } => {
                for name in paths.iter().map(RepoPath::as_str).chain(with.iter().map(TaskId::as_str)) {
                    hash.put(name);
                }
            }
            Setback::Red(red) => hash.put(&red.command),
            Setback::Clashed { with, verdict } => {
                hash.put(with.as_str());
                hash.put(&verdict.command);
            }
            Setback::Ended(Outcome::Exhausted { limit, .. }) => hash.put(&limit.to_string()),
            Setback::Ended(Outcome::ScopeViolation { paths }) => paths.iter().for_each(|path| hash.put(path.as_str())),
            Setback::Ended(_) => hash.put(OwnProof::read(self.detail()).map_or("", |proof| proof.command)),
        }
        self.cause().iter().for_each(|part| hash.put(part));
        hash.finish()
    }

    /// What seems to be behind it, whatever command has shown it: the names of what fails, or else the end of what was said.
    pub(super) fn cause(&self) -> BTreeSet<String> {
        let named: BTreeSet<String> = self.failing().into_iter().map(|failing| failing.name).collect();
        let by_what_it_is = matches!(self.class(), Class::Limit | Class::Scope | Class::Conflict);
        if !named.is_empty() || by_what_it_is { named } else { normalised(self.detail()) }
    }

    /// Whether its cause has names, so that two tasks with the same one are no accident.
    pub(super) fn has_names(&self) -> bool {
        self.failing().iter().any(|failing| !failing.name.is_empty() && (failing.kind == Kind::Test || failing.path.is_some()))
    }
}

/// The last lines without what differs by accident, in no order.
fn normalised(said: &str) -> BTreeSet<String> {
    let text = cleaned(said);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.rev().take(LINES).map(|line| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")).collect()
}

fn word(word: &str) -> String {
    if ["/tmp", "/var/folders/", ".tmp", "/worktrees/"].iter().any(|part| word.contains(part)) {
        return "<path>".to_owned();
    }
    let mut plain = String::new();
    for part in word.split_inclusive(|sign: char| !sign.is_ascii_alphanumeric()) {
        let name = part.trim_end_matches(|sign: char| !sign.is_ascii_alphanumeric());
        let is_hash = name.len() >= 7
            && name.chars().all(|sign| sign.is_ascii_hexdigit())
            && name.chars().any(|sign| sign.is_ascii_digit());
        let is_address = name.strip_prefix("0x").is_some_and(|rest| rest.chars().all(|sign| sign.is_ascii_hexdigit()));
        if is_hash || is_address {
            plain.push('#');
        } else {
            let mut after_digit = false;
            for sign in name.chars() {
                if !sign.is_ascii_digit() {
                    plain.push(sign);
                } else if !after_digit {
                    plain.push('#');
                }
                after_digit = sign.is_ascii_digit();
            }
        }
        plain.push_str(&part[name.len()..]);
    }
    plain
}

/// FNV-1a: short, and the same everywhere. Nobody gains anything by making two of them equal.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn put(&mut self, part: &str) {
        for byte in part.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(self) -> Signature {
        Signature(format!("{:016x}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_accident_is_no_difference() {
        let one = "error at 0x7fd58fc42dd0 in 0.31s\nleft: 12ms, commit 1a2b3c4d5e\nopen /tmp/x1/y: no such file\n";
        let other = "left: 7ms, commit 99ffee00aa\r\nerror at 0x55 in 12.5s\nopen /tmp/zz/y: no such file\n\n";
        assert_eq!(normalised(one), normalised(other));
        assert_ne!(normalised(one), normalised("error at 0x1 in 1.1s"));
        assert_ne!(normalised("no such field"), normalised("no such file"));
    }
}
