//! Which files of the worktree a listing or a search sees.
//!
//! What `.gitignore` names is left out unless it is asked for by its own path; hidden files are shown, `.git` never is. The user's
//! global ignore file plays no part: every worker of a run sees the same tree.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::WalkBuilder;

/// Walks what lies below, in the order of names.
pub(super) fn walk(from: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(from);
    builder
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .filter_entry(|entry| entry.depth() == 0 || !entry.file_name().eq_ignore_ascii_case(".git"))
        .sort_by_file_name(Ord::cmp);
    builder
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
    pub(super) fn has(&self, path: &Path, root: &Path, asked: &Path) -> bool {
        let matches = |set: &GlobSet, base: &Path| path.strip_prefix(base).is_ok_and(|relative| set.is_match(relative));
        self.0.as_ref().is_none_or(|set| matches(set, root) || matches(set, asked))
    }
}
