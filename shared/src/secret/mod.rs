//! What is a secret: files by their names, texts by their shape, and the keys that the harness itself holds.
//!
//! Three things follow from one [`Secrecy`]: files with such names are given to nobody, whatever is about to be shown to a model or kept
//! in a journal has secrets masked, and a change that would bring one into the repository is stopped.
//!
//! **Invariant:** masking is idempotent, changes no number of lines, and gives the same marker for the same kind wherever it happens.
//! **Invariant:** the time of a scan is linear in the length of the text, whatever the text is: each place is looked at with a bounded
//! view, and nothing backtracks.
//! **Invariant:** a [`Finding`] has a kind and a place, never the value: it can be shown to anybody.
//!
//! Rather one secret too few than many false alarms: a masked piece of code cannot be edited, and a refused commit costs a turn. So a hash,
//! a UUID or a placeholder is no secret, and a value without a shape of its own must both be named as one and look random.
//!
//! Not here: which texts are masked (`worker`, `orchestrator`), and what a person excepts (`[secrets]` in `inspan.toml`).
//!
//! Why not a set of regular expressions? With the counted repetitions that keys need, they are slow to build and slow to run; one automaton
//! for the words that announce a secret, and a table for what must follow, reads better and scans a tool result in microseconds.

mod assignment;
mod mask;
mod name;
mod private_key;
mod random;
mod scan;
mod shape;
#[cfg(test)]
mod testing;
mod url;

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    sync::{PoisonError, RwLock},
};

use aho_corasick::{AhoCorasick, MatchKind};

pub use self::{
    mask::count_markers,
    scan::{Finding, Kind},
};
use crate::{Glob, RepoPath};

/// What is secret in one run.
#[derive(Default)]
pub struct Secrecy {
    deny: Vec<Glob>,
    allow: Vec<Glob>,
    held: Option<AhoCorasick>,
    /// Values of files that the person excepted: no secrets wherever they turn up.
    excepted: RwLock<BTreeSet<Box<[u8]>>>,
}

impl Secrecy {
    /// The built-in rules, with names that are denied in addition, paths that are excepted from all rules, and the keys that the harness
    /// holds, which are masked wherever they stand.
    pub fn new<'a>(deny: Vec<Glob>, allow: Vec<Glob>, held: impl IntoIterator<Item = &'a str>) -> Self {
        let mut held: Vec<&str> = held.into_iter().filter(|key| random::is_key_like(key)).collect();
        held.sort_unstable();
        held.dedup();
        let automaton = || AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&held).ok();
        let held = if held.is_empty() { None } else { automaton() };
        Self { deny, allow, held, excepted: RwLock::default() }
    }

    /// The pattern of a configuration file: one without a `/` is about names in any folder.
    pub fn pattern(text: &str) -> Result<Vec<Glob>, crate::glob::BadGlob> {
        let own = Glob::new(text)?;
        if text.contains('/') { Ok(vec![own]) } else { Ok(vec![own, Glob::new(&format!("**/{text}"))?]) }
    }

    /// Whether a file is a secret by its name.
    pub fn denies(&self, path: &RepoPath) -> bool {
        !self.allows(path) && (name::is_secret(path.as_str()) || self.deny.iter().any(|glob| glob.matches(path)))
    }

    /// Whether the person excepted a file: neither its name nor what it holds is a secret.
    pub fn allows(&self, path: &RepoPath) -> bool {
        self.allow.iter().any(|glob| glob.matches(path))
    }

    /// All secrets in a text, in order, none overlapping another.
    pub fn find(&self, text: &[u8]) -> Vec<Finding> {
        let mut found = scan::scan(text);
        if let Some(held) = &self.held {
            let ours = held.find_iter(text).map(|hit| Finding { start: hit.start(), end: hit.end(), kind: Kind::HELD });
            found = scan::merged(ours.collect(), found);
        }
        if !found.is_empty() {
            let excepted = self.excepted.read().unwrap_or_else(PoisonError::into_inner);
            found.retain(|finding| finding.kind == Kind::HELD || !excepted.contains(&text[finding.start..finding.end]));
        }
        found
    }

    /// The text with a marker in the place of each secret.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        mask::mask(text, &self.find(text.as_bytes()))
    }

    /// From now on what this text holds is no secret. It is the text of a file that the person excepted.
    pub fn except(&self, text: &[u8]) {
        let found = scan::scan(text);
        if !found.is_empty() {
            let mut excepted = self.excepted.write().unwrap_or_else(PoisonError::into_inner);
            excepted.extend(found.iter().map(|finding| Box::from(&text[finding.start..finding.end])));
        }
    }
}

impl fmt::Debug for Secrecy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrecy").field("deny", &self.deny).field("allow", &self.allow).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::github, *};

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    #[test]
    fn a_person_adds_names_and_excepts_paths() {
        let globs = |text| Secrecy::pattern(text).unwrap();
        let secrecy = Secrecy::new(globs("*.secret"), globs("tests/fixtures/"), []);
        for (name, denied) in [
            ("deep/a.secret", true),
            ("a.secret", true),
            ("server.key", true),
            ("tests/fixtures/server.key", false),
            ("tests/fixtures/a.secret", false),
            ("src/main.rs", false),
        ] {
            assert_eq!(secrecy.denies(&path(name)), denied, "{name}");
        }
        assert!(Secrecy::pattern("../x").is_err());
    }

    #[test]
    fn a_key_that_the_harness_holds_is_masked_wherever_it_stands_and_a_word_is_not() {
        let secrecy = Secrecy::new(vec![], vec![], ["hush-hush-not-a-real-one", "ollama", "lm-studio", "none"]);
        let text = "Bearer hush-hush-not-a-real-one, ollama or lm-studio, none";
        assert_eq!(secrecy.mask(text), "Bearer [masked: key of a model], ollama or lm-studio, none");
    }

    #[test]
    fn what_an_excepted_file_holds_is_a_secret_nowhere() {
        let secrecy = Secrecy::default();
        let text = format!("key = {}", github());
        assert_eq!(secrecy.mask(&text), "key = [masked: GitHub token]");
        secrecy.except(text.as_bytes());
        assert_eq!(secrecy.mask(&text), text);
        assert!(secrecy.find(github().as_bytes()).is_empty());
    }
}
