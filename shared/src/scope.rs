//! What a task may write.
//!
//! **Invariant:** a scope only ever grows by a grant that is journaled; nothing here widens one in passing.

use serde::{Deserialize, Serialize};

use crate::{Glob, RepoPath};

/// The files that a task owns (`write`), and those that several tasks may touch at once (`shared`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Owned: no other unordered task may own an overlapping pattern.
    pub write: Vec<Glob>,
    /// Touched by several; the coordinator merges them.
    #[serde(default)]
    pub shared: Vec<Glob>,
    /// What the person denies every task, within the others too. Never part of a plan: the run's rules put it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Glob>,
}

impl Scope {
    /// Whether a worker with this scope may create, change, move or delete the path.
    pub fn allows(&self, path: &RepoPath) -> bool {
        self.covers(path) && !self.denied.iter().any(|glob| glob.matches(path))
    }

    /// Whether its patterns name the path, denied or not.
    pub fn covers(&self, path: &RepoPath) -> bool {
        self.globs().any(|glob| glob.matches(path))
    }

    /// All patterns of what it may write, owned ones first.
    pub fn globs(&self) -> impl Iterator<Item = &Glob> {
        self.write.iter().chain(&self.shared)
    }

    /// The first pair of owned patterns, one of each side, that some path could match both of.
    pub fn contested<'a>(&'a self, other: &'a Scope) -> Option<(&'a Glob, &'a Glob)> {
        self.write.iter().find_map(|a| other.write.iter().find(|b| a.overlaps(b)).map(|b| (a, b)))
    }

    /// The patterns in one line, shared ones marked, for people and for models.
    pub fn in_words(&self) -> String {
        let owned = self.write.iter().map(Glob::to_string);
        let shared = self.shared.iter().map(|glob| format!("{glob} (shared)"));
        let denied = self.denied.iter().map(|glob| format!("never {glob}"));
        owned.chain(shared).chain(denied).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_outside_of_every_pattern() {
        let globs = |texts: &[&str]| texts.iter().map(|text| Glob::new(text).unwrap()).collect();
        let scope =
            Scope { write: globs(&["src/**"]), shared: globs(&["Cargo.lock"]), denied: globs(&["**/*.pem", "Cargo.lock"]) };
        for (path, covers, allows) in
            [("src/a.rs", true, true), ("src/a.pem", true, false), ("Cargo.lock", true, false), ("b.rs", false, false)]
        {
            let path = RepoPath::new(path).unwrap();
            assert_eq!((scope.covers(&path), scope.allows(&path)), (covers, allows), "{path}");
        }
        assert_eq!(scope.in_words(), "src/**, Cargo.lock (shared), never **/*.pem, never Cargo.lock");
    }
}
