//! A path as a tree of git has it: any bytes but NUL.
//!
//! Most are a `RepoPath`. The others (`~`, `c:x`, a name that is not UTF-8) are odd: a plan cannot name them and no glob is held
//! against them.
//!
//! **Invariant:** an odd path is never left out and is outside every scope: what nobody can be allowed to write, nobody wrote in good order.

use shared::{RepoPath, Scope};

/// A path in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreePath {
    /// One that everything here can name.
    Plain(RepoPath),
    /// One that cannot be named.
    Odd {
        /// As git has it.
        bytes: Vec<u8>,
        /// As it is shown to people and models: quoted, with escapes.
        shown: RepoPath,
    },
}

impl TreePath {
    /// The path with this name in git's `-z` output.
    pub fn new(bytes: &[u8]) -> Self {
        let plain =
            std::str::from_utf8(bytes).ok().and_then(|text| RepoPath::new(text).ok().filter(|path| path.as_str() == text));
        match plain {
            Some(path) => Self::Plain(path),
            None => Self::Odd { bytes: bytes.to_vec(), shown: quoted(bytes) },
        }
    }

    /// Whether a worker with this scope may touch it.
    pub fn is_allowed_by(&self, scope: &Scope) -> bool {
        match self {
            Self::Plain(path) => scope.allows(path),
            Self::Odd { .. } => false,
        }
    }

    /// How it is named in messages.
    pub fn shown(&self) -> &RepoPath {
        match self {
            Self::Plain(path) | Self::Odd { shown: path, .. } => path,
        }
    }

    /// How git names it.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(path) => path.as_str().as_bytes(),
            Self::Odd { bytes, .. } => bytes,
        }
    }
}

fn quoted(bytes: &[u8]) -> RepoPath {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", bytes.escape_ascii()),
    };
    // Without slashes nothing in it is a folder, so nothing in it can be refused.
    RepoPath::new(&text).unwrap_or_else(|_| RepoPath::new(&text.replace('/', "\\x2f")).expect("quotes make a name of it"))
}

#[cfg(test)]
mod tests {
    use shared::Glob;

    use super::*;

    #[test]
    fn a_name_that_no_plan_can_say_is_shown_in_quotes_and_outside_every_scope() {
        let all = Scope { write: vec![Glob::new("**").unwrap()], shared: vec![], ..Scope::default() };
        let cases: [(&[u8], &str, bool); 8] = [
            (b"src/a.rs", "src/a.rs", true),
            ("\u{e9}/~".as_bytes(), "\u{e9}/~", true),
            (b"~", "\"~\"", false),
            (b"\\x", "\"\\\\x\"", false),
            (b"c:y", "\"c:y\"", false),
            (b"a/\xff", "\"a/\\xff\"", false),
            (b"a//b", "\"a/b\"", false),
            (b"a/.git/b", "\"a\\x2f.git\\x2fb\"", false),
        ];
        for (bytes, shown, allowed) in cases {
            let path = TreePath::new(bytes);
            assert_eq!((path.shown().as_str(), path.is_allowed_by(&all), path.bytes()), (shown, allowed, bytes));
            assert_eq!(RepoPath::new(shown).as_ref(), Ok(path.shown()), "a journal with it can be read again");
        }
    }
}
