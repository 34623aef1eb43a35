//! Which source set a value. A later source goes before an earlier one.

use std::{fmt, path::PathBuf};

/// Where a value comes from, in ascending order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// The user's own configuration file.
    User {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The repository's `inspan.toml`.
    Repository {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A variable of the environment, by its name.
    Environment(String),
    /// A flag of the command line, by its name.
    Flag(String),
}

impl Origin {
    /// The layer alone, without the place in it.
    pub(super) fn layer(&self) -> usize {
        match self {
            Self::Default => 0,
            Self::User { .. } => 1,
            Self::Repository { .. } => 2,
            Self::Environment(_) => 3,
            Self::Flag(_) => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::User { path, line } | Self::Repository { path, line } => f.pad(&format!("{}:{line}", path.display())),
            Self::Environment(name) | Self::Flag(name) => f.pad(name),
        }
    }
}
