//! Which files of the worktree a listing or a search sees.
//!
//! What `.gitignore` names is left out unless it is asked for by its own path; hidden files are shown, `.git` never is. The user's
//! global ignore file plays no part: every worker of a run sees the same tree.
//!
//! **Invariant:** only what lies in the tree is seen: each folder is opened beneath the root when its turn comes, and read through that
//! descriptor. A folder that has become a link by then is left out.
//!
//! Why not the walker of `ignore`? It reads folders and ignore files by their paths: a swap leads it out of the tree, a pipe named
//! `.gitignore` keeps it waiting for good. Its reading of patterns is used.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use crate::beneath::{Folder, Kind, Root};

/// More of an ignore file is not read.
const LONGEST_IGNORE_FILE: u64 = 1024 * 1024;

/// Something in the tree.
pub(super) struct Entry {
    /// Where, from the root.
    pub(super) path: PathBuf,
    /// How many levels below where the walk began.
    pub(super) depth: usize,
    pub(super) kind: Kind,
    ignored: Arc<Level>,
}

/// What lies below a folder: a folder before what is in it, in the order of names.
pub(super) struct Walk<'a> {
    root: &'a Root,
    /// The next one last.
    ahead: Vec<Entry>,
    deepest: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Root, from: &Path) -> Self {
        let mut ignored = Arc::new(Level { patterns: Gitignore::empty(), above: None });
        for folder in from.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            if let Ok(opened) = root.folder(folder) {
                ignored = Level::of(&opened, folder, ignored);
            }
        }
        let start = Entry { path: from.to_owned(), depth: 0, kind: Kind::Folder, ignored };
        let mut walk = Self { root, ahead: Vec::new(), deepest: usize::MAX };
        walk.enter(&start);
        walk
    }

    /// Goes no deeper than so many levels, at least one.
    pub(super) fn deepest(mut self, deepest: Option<usize>) -> Self {
        self.deepest = deepest.unwrap_or(usize::MAX).max(1);
        self
    }

    fn enter(&mut self, entry: &Entry) {
        let Ok(folder) = self.root.folder(&entry.path) else { return };
        let ignored = Level::of(&folder, &entry.path, entry.ignored.clone());
        for (name, kind) in folder.entries().unwrap_or_default().into_iter().rev() {
            let path = entry.path.join(&name);
            if !name.eq_ignore_ascii_case(".git") && !ignored.leaves_out(&path, kind == Kind::Folder) {
                self.ahead.push(Entry { path, depth: entry.depth + 1, kind, ignored: ignored.clone() });
            }
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let entry = self.ahead.pop()?;
        if entry.kind == Kind::Folder && entry.depth < self.deepest {
            self.enter(&entry);
        }
        Some(entry)
    }
}

/// The ignore files of a folder, and of those above it.
struct Level {
    patterns: Gitignore,
    above: Option<Arc<Level>>,
}

impl Level {
    fn of(folder: &Folder, path: &Path, above: Arc<Self>) -> Arc<Self> {
        let mut builder = GitignoreBuilder::new(path);
        for name in [".gitignore", ".ignore"] {
            for line in text(folder, name).lines() {
                // A line that is no pattern ignores nothing, as with git.
                let _ = builder.add_line(None, line);
            }
        }
        match builder.build() {
            Ok(patterns) if !patterns.is_empty() => Arc::new(Self { patterns, above: Some(above) }),
            _ => above,
        }
    }

    /// The deepest ignore file that speaks of a path decides.
    fn leaves_out(&self, path: &Path, is_folder: bool) -> bool {
        match self.patterns.matched(path, is_folder) {
            Match::Ignore(_) => true,
            Match::Whitelist(_) => false,
            Match::None => self.above.as_ref().is_some_and(|above| above.leaves_out(path, is_folder)),
        }
    }
}

fn text(folder: &Folder, name: &str) -> String {
    let mut bytes = Vec::new();
    let file = folder.file(name.as_ref()).ok().filter(|file| file.metadata().is_ok_and(|data| data.is_file()));
    // What cannot be read ignores nothing.
    let _ = file.map(|file| file.take(LONGEST_IGNORE_FILE).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A pattern that files are chosen by: without a `/` it is about names, with one about paths.
pub(super) struct Choice(Option<GlobSet>);

impl Choice {
    pub(super) fn new(glob: Option<&str>) -> Result<Self, String> {
        let Some(glob) = glob else { return Ok(Self(None)) };
        if glob.starts_with('!') {
            return Err(format!("glob: `{glob}` says what to leave out; say what to look at instead, such as `*.rs`"));
        }
        let text = glob.trim_start_matches("./").trim_start_matches('/');
        let text = if text.ends_with('/') { format!("{text}**") } else { text.to_owned() };
        let text = if text.contains('/') { text } else { format!("**/{text}") };
        let explain = |error: globset::Error| format!("glob: `{glob}` is not a glob: {}; one is `src/**/*.rs`", error.kind());
        let pattern = GlobBuilder::new(&text).literal_separator(true).build().map_err(explain)?;
        GlobSetBuilder::new().add(pattern).build().map(|set| Self(Some(set))).map_err(explain)
    }

    /// Whether every file is chosen.
    pub(super) fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the file is chosen, by its path from the root or from the folder that was asked for.
    pub(super) fn has(&self, path: &Path, asked: &Path) -> bool {
        let below = path.strip_prefix(asked).unwrap_or(path);
        self.0.as_ref().is_none_or(|set| set.is_match(path) || set.is_match(below))
    }
}
