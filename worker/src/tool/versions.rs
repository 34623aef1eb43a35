//! Which content of which file this worker has seen.
//!
//! An edit of a file that changed since it was read would be an edit of something else: by a command, a formatter, a code generator.
//!
//! **Invariant:** a file counts as seen only with the content that was shown to, or written by, this worker.
//!
//! A worker that is interrupted goes on with the same conversation, and still knows what it saw: each entry has a line in a file beside the
//! worktree, where no command may write. A line that could not be written, or is torn, costs one more look at the file.
//!
//! Why a hash and not the time of modification? Tools set times as they like, and some file systems count in seconds.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::Write as _,
    path::Path,
};

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
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
pub(super) struct Versions {
    seen: DashMap<RepoPath, Version>,
    kept: Option<File>,
}

/// Length and hash.
type Version = (usize, u64);

/// What has become known of a file: nothing, where it is gone.
#[derive(Serialize, Deserialize)]
struct Line {
    path: RepoPath,
    version: Option<Version>,
}

impl Versions {
    /// What stands in a file, which is gone on with.
    pub(super) fn kept(path: &Path) -> Self {
        let versions = Self { seen: DashMap::new(), kept: File::options().create(true).append(true).open(path).ok() };
        let text = fs::read(path).unwrap_or_default();
        for Line { path, version } in text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()) {
            match version {
                Some(version) => versions.seen.insert(path, version),
                None => versions.seen.remove(&path).map(|(_, version)| version),
            };
        }
        versions
    }

    /// In one write, begun on a line of its own: what a killed process has left of its last one is no part of it.
    fn keep(&self, path: &RepoPath, version: Option<Version>) {
        let line = Line { path: path.clone(), version };
        if let Some((mut file, line)) = self.kept.as_ref().zip(serde_json::to_string(&line).ok()) {
            // What is not kept is read once more.
            let _ = file.write_all(format!("\n{line}\n").as_bytes());
        }
    }

    /// This content has been shown or written.
    pub(super) fn saw(&self, path: &RepoPath, content: &[u8]) {
        let version = version(content);
        if self.seen.insert(path.clone(), version) != Some(version) {
            self.keep(path, Some(version));
        }
    }

    /// Whether this content is what was seen last.
    pub(super) fn compare(&self, path: &RepoPath, content: &[u8]) -> Seen {
        match self.seen.get(path) {
            None => Seen::Never,
            Some(seen) if *seen == version(content) => Seen::Same,
            Some(_) => Seen::Changed,
        }
    }

    /// The file has another name now.
    pub(super) fn moved(&self, from: &RepoPath, to: &RepoPath) {
        if let Some((_, seen)) = self.seen.remove(from) {
            self.keep(from, None);
            self.keep(to, Some(seen));
            self.seen.insert(to.clone(), seen);
        }
    }

    /// The file is gone.
    pub(super) fn forget(&self, path: &RepoPath) {
        if self.seen.remove(path).is_some() {
            self.keep(path, None);
        }
    }
}

fn version(content: &[u8]) -> Version {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    (content.len(), hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    #[test]
    fn what_was_seen_is_known_again_after_an_interruption_but_for_what_is_gone_or_torn() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("seen");
        let before = Versions::kept(&kept);
        for name in ["a", "b", "c", "d"] {
            before.saw(&path(name), b"one");
        }
        before.saw(&path("a"), b"two");
        before.moved(&path("b"), &path("e"));
        before.forget(&path("c"));
        let whole = fs::read(&kept).unwrap();
        fs::write(&kept, [whole, b"{\"path\":\"d\",\"vers".to_vec()].concat()).unwrap();
        Versions::kept(&kept).saw(&path("f"), b"one");
        let after = Versions::kept(&kept);
        let seen = |name: &str, content: &[u8]| after.compare(&path(name), content);
        assert_eq!([seen("a", b"two"), seen("a", b"one")], [Seen::Same, Seen::Changed]);
        assert_eq!([seen("b", b"one"), seen("e", b"one")], [Seen::Never, Seen::Same]);
        assert_eq!([seen("c", b"one"), seen("d", b"one"), seen("f", b"one")], [Seen::Never, Seen::Same, Seen::Same]);
    }
}
