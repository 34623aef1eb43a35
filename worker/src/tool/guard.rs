//! What a command did outside the scope, and what the model hears of it.
//!
//! **Invariant:** after every command somebody looks, however the command ended. What could not be looked at is said.
//!
//! Not here: how the tree is looked at and put back (`orchestrator`), and what keeps a command inside in the first place
//! ([`crate::process`]).

use futures_util::future::BoxFuture;
use shared::RepoPath;

/// More paths are only counted.
const SHOWN: usize = 20;

/// What was found outside the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strayed {
    /// Nothing has changed there.
    Nowhere,
    /// These files had changed and are again as they were.
    PutBack(Vec<RepoPath>),
    /// It cannot be told, for this reason.
    Unknown(String),
}

/// Whoever compares the tree with the scope and puts back what is changed outside it.
pub trait ScopeGuard: Send + Sync {
    /// Looks now, when a command has ended.
    fn after_command(&self) -> BoxFuture<'_, Strayed>;
}

impl Strayed {
    /// What the model is told below the output of its command; none where there is nothing to tell.
    pub fn in_words(&self) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::PutBack(paths) => Some(format!(
                "[this command changed {}. {}. What it changed inside your scope stays. If the task needs such a change, call \
                 request_scope with the path and the reason, and run the command again; otherwise keep it from writing there]",
                outside(paths),
                if paths.len() == 1 { "It was put back as it was" } else { "They were put back as they were" },
            )),
            Self::Unknown(why) => Some(format!(
                "[whether this command changed anything outside your scope could not be found out or not be mended: {why}. If it did, \
                 undo it: what is still changed there when you finish ends the attempt, and nothing of it lands]"
            )),
        }
    }
}

/// Such as `2 files outside your scope: a, b`.
pub fn outside(paths: &[RepoPath]) -> String {
    let files = if paths.len() == 1 { "a file" } else { &format!("{} files", paths.len()) };
    let list: Vec<&str> = paths.iter().take(SHOWN).map(RepoPath::as_str).collect();
    let more = match paths.len() - list.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{files} outside your scope: {}{more}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_first_paths_are_named_and_the_others_counted() {
        let paths = |count: usize| (0..count).map(|n| RepoPath::new(&format!("f{n}")).unwrap()).collect();
        let words = |count| Strayed::PutBack(paths(count)).in_words().unwrap();
        expect!["[this command changed a file outside your scope: f0. It was put back as it was. What it changed inside your scope stays. If the task needs such a change, call request_scope with the path and the reason, and run the command again; otherwise keep it from writing there]"].assert_eq(&words(1));
        assert!(words(20).contains("20 files outside your scope: f0, f1, ") && words(20).contains(", f18, f19. They were"));
        assert!(words(23).contains("23 files outside your scope: f0, f1, ") && words(23).contains(", f19 and 3 more. They"));
        assert_eq!(Strayed::Nowhere.in_words(), None);
    }
}
