//! From what a model calls a file to a place on the disk.
//!
//! **Invariant:** what [`Tree::readable`] returns lies inside the worktree (or is saved output of this attempt), also after following
//! symbolic links, and never in `.git`. What [`Tree::writable`] returns is in scope as well, and no part of it is a symbolic link.
//!
//! Links are looked at anew on every call: a command may have made one since the last. What changes between the look and the use is
//! for the sandbox and for the harness's own diff to find.

use std::{
    io,
    path::{Path, PathBuf},
};

use shared::{RepoPath, Scope, path::BadPath};

use super::walk::walk;

/// A worktree and the folder of its attempt's saved output.
pub(super) struct Tree {
    root: PathBuf,
    /// The root as it was given; models repeat that spelling.
    given: PathBuf,
    spill_dir: PathBuf,
}

/// Something that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Readable {
    /// Where it is, links followed.
    pub(super) absolute: PathBuf,
    /// What it is called in answers.
    pub(super) shown: String,
    /// Its path in the repository; none of the root itself and of saved output.
    pub(super) path: Option<RepoPath>,
}

/// A file that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writable {
    pub(super) absolute: PathBuf,
    pub(super) path: RepoPath,
}

impl Tree {
    pub(super) fn new(root: PathBuf, spill_dir: PathBuf) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()?, given: root, spill_dir })
    }

    /// The root, without links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where saved output goes.
    pub(super) fn spill_dir(&self) -> &Path {
        &self.spill_dir
    }

    /// The place of something that may be read. It need not exist.
    pub(super) fn readable(&self, text: &str) -> Result<Readable, String> {
        if let Some(absolute) = self.saved_output(text) {
            return Ok(Readable { absolute, shown: text.to_owned(), path: None });
        }
        let Some(path) = self.repo_path(text)? else {
            return Ok(Readable { absolute: self.root.clone(), shown: ".".to_owned(), path: None });
        };
        let absolute = self.root.join(path.as_str());
        let absolute = if self.link_in(&path).is_some() { self.follow(&path, &absolute)? } else { absolute };
        Ok(Readable { absolute, shown: path.to_string(), path: Some(path) })
    }

    /// The place of a file that may be written. It need not exist.
    pub(super) fn writable(&self, text: &str, scope: &Scope) -> Result<Writable, String> {
        let place = self.in_scope(text, scope)?;
        match self.link_in(&place.path) {
            Some(link) => Err(format!(
                "`{link}` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path"
            )),
            None => Ok(place),
        }
    }

    /// The place of something that may be deleted: a link itself is, what it leads to is not.
    pub(super) fn removable(&self, text: &str, scope: &Scope) -> Result<Writable, String> {
        let place = self.in_scope(text, scope)?;
        match self.link_in(&place.path) {
            Some(link) if link != place.path.as_str() => {
                Err(format!("`{link}` is a symbolic link; delete the file by its own path, or delete the link"))
            }
            _ => Ok(place),
        }
    }

    fn in_scope(&self, text: &str, scope: &Scope) -> Result<Writable, String> {
        let path = self.repo_path(text)?.ok_or_else(|| "the path is empty; name a file".to_owned())?;
        if !scope.allows(&path) {
            return Err(format!(
                "`{path}` is outside your scope, so nothing was changed. You may write: {}. If the task needs this file, call \
                 request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish",
                scope.in_words()
            ));
        }
        Ok(Writable { absolute: self.root.join(path.as_str()), path })
    }

    /// A path inside the repository; none is the root.
    pub(super) fn repo_path(&self, text: &str) -> Result<Option<RepoPath>, String> {
        let inside = [&self.root, &self.given].into_iter().find_map(|root| Path::new(text).strip_prefix(root).ok());
        let relative = inside.and_then(Path::to_str).unwrap_or(text);
        match RepoPath::new(relative) {
            Ok(path) => Ok(Some(path)),
            Err(BadPath::Empty) => Ok(None),
            Err(BadPath::Absolute(_)) => {
                Err(format!("`{text}` is not in your worktree; give a path relative to its root, {}", self.given.display()))
            }
            Err(problem) => Err(problem.to_string()),
        }
    }

    /// The first part of the path that is a symbolic link.
    fn link_in(&self, path: &RepoPath) -> Option<String> {
        let ends = path.as_str().match_indices('/').map(|(at, _)| at).chain([path.as_str().len()]);
        ends.map(|end| &path.as_str()[..end])
            .find(|part| self.root.join(part).symlink_metadata().is_ok_and(|data| data.is_symlink()))
            .map(str::to_owned)
    }

    fn follow(&self, path: &RepoPath, absolute: &Path) -> Result<PathBuf, String> {
        let target = deepest(absolute).map_err(|_| format!("`{path}` is a symbolic link that leads nowhere"))?;
        let inside = target.strip_prefix(&self.root).ok().and_then(Path::to_str).map(RepoPath::new);
        match inside {
            Some(Ok(_) | Err(BadPath::Empty)) => Ok(target),
            Some(Err(problem)) => Err(format!("`{path}` leads through a symbolic link: {problem}")),
            None => Err(format!("`{path}` leads through a symbolic link out of your worktree, where nothing is read or written")),
        }
    }

    fn saved_output(&self, text: &str) -> Option<PathBuf> {
        let path = Path::new(text);
        if !path.is_absolute() {
            return None;
        }
        let (path, dir) = (path.canonicalize().ok()?, self.spill_dir.canonicalize().ok()?);
        (path != dir && path.starts_with(dir)).then_some(path)
    }

    /// What to say of a file that is not there: where files of that name are.
    pub(super) fn missing(&self, place: &Readable) -> String {
        let name = place.absolute.file_name().unwrap_or_default();
        let entries = walk(&self.root).build().flatten().take(50_000);
        let same_name = entries.filter(|entry| entry.file_name() == name && entry.path() != place.absolute);
        let found: Vec<String> = same_name.take(5).map(|entry| format!("`{}`", self.show(entry.path()))).collect();
        if found.is_empty() {
            return format!("`{}` does not exist; list_files shows what does", place.shown);
        }
        format!("`{}` does not exist; there is {}", place.shown, found.join(", "))
    }

    /// A place in the tree as models call it.
    pub(super) fn show(&self, absolute: &Path) -> String {
        absolute.strip_prefix(&self.root).unwrap_or(absolute).to_string_lossy().into_owned()
    }
}

/// Follows all links of the part that exists, and appends what does not.
fn deepest(path: &Path) -> io::Result<PathBuf> {
    let is_missing = |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if is_missing(path) => Ok(deepest(parent)?.join(name)),
        _ => path.canonicalize(),
    }
}
