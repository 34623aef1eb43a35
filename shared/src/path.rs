//! A path inside a repository.
//!
//! **Invariant:** a [`RepoPath`] is relative, normalised, inside the repository and never inside a `.git`. Whether something on the
//! disk leads out of it all the same (a symbolic link) is a question for whoever touches the disk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a path inside the repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Nothing is left after normalising.
    #[error("the path is empty; name a file inside the repository")]
    Empty,
    /// It begins with `/`, `~` or a drive letter.
    #[error("`{0}` is absolute; give it relative to the root of the repository")]
    Absolute(String),
    /// A `..` climbs above the root.
    #[error("`{0}` leads out of the repository")]
    Escapes(String),
    /// A component is `.git`, in any case.
    #[error("`{0}` is inside git's own folder, which belongs to the harness")]
    Git(String),
    /// A NUL byte.
    #[error("`{0}` contains a NUL byte")]
    Nul(String),
}

/// A file or folder inside the repository, relative to its root, with `/` between components.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

impl RepoPath {
    /// Normalises `./a//b/../c` to `a/c`; refuses what is not inside the repository.
    pub fn new(text: &str) -> Result<Self, BadPath> {
        if text.contains('\0') {
            return Err(BadPath::Nul(text.replace('\0', "\\0")));
        }
        let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
        if text.starts_with(['/', '\\']) || text == "~" || text.starts_with("~/") || drive {
            return Err(BadPath::Absolute(text.to_owned()));
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(|| BadPath::Escapes(text.to_owned()))?;
                }
                git if git.eq_ignore_ascii_case(".git") => return Err(BadPath::Git(text.to_owned())),
                name => parts.push(name),
            }
        }
        if parts.is_empty() { Err(BadPath::Empty) } else { Ok(Self(parts.join("/"))) }
    }

    /// The path as text, never with a leading or trailing `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = BadPath;
    fn try_from(text: String) -> Result<Self, BadPath> {
        Self::new(&text)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (text, path) in [("a", "a"), ("./a//b", "a/b"), ("a/../b", "b"), ("a/b/", "a/b"), ("é/ü x", "é/ü x")] {
            assert_eq!(RepoPath::new(text).map(String::from), Ok(path.to_owned()));
        }
    }

    #[test]
    fn paths_that_leave_the_repository_are_refused() {
        for text in ["", ".", "/etc", "..", "a/../..", "~/x", "C:/x", ".git/config", "a/.GIT/x", "\\x", "a\0b"] {
            assert!(RepoPath::new(text).is_err(), "{text:?}");
        }
    }
}
