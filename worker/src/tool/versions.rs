//! Which content of which file this worker has seen.
//!
//! An edit of a file that changed since it was read would be an edit of something else: by a command, a formatter, a code generator.
//!
//! **Invariant:** a file counts as seen only with the content that was shown to, or written by, this worker.
//!
//! Why a hash and not the time of modification? Tools set times as they like, and some file systems count in seconds.

use std::hash::{DefaultHasher, Hash, Hasher};

use dashmap::DashMap;
use shared::RepoPath;

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was never shown.
    Never,
    /// It was shown, and is different now.
    Changed,
    /// It is as it was shown.
    Same,
}

/// The contents seen. Read by many calls at once.
#[derive(Default)]
pub(super) struct Versions(DashMap<RepoPath, (usize, u64)>);

impl Versions {
    /// This content has been shown or written.
    pub(super) fn saw(&self, path: &RepoPath, content: &[u8]) {
        self.0.insert(path.clone(), version(content));
    }

    /// Whether this content is what was seen last.
    pub(super) fn compare(&self, path: &RepoPath, content: &[u8]) -> Seen {
        match self.0.get(path) {
            None => Seen::Never,
            Some(seen) if *seen == version(content) => Seen::Same,
            Some(_) => Seen::Changed,
        }
    }

    /// The file has another name now.
    pub(super) fn moved(&self, from: &RepoPath, to: &RepoPath) {
        if let Some((_, seen)) = self.0.remove(from) {
            self.0.insert(to.clone(), seen);
        }
    }

    /// The file is gone.
    pub(super) fn forget(&self, path: &RepoPath) {
        self.0.remove(path);
    }
}

fn version(content: &[u8]) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    (content.len(), hasher.finish())
}
