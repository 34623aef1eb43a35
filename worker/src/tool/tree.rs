//! From what a model calls a file to the opened file.
//!
//! **Invariant:** what [`Tree::open`] returns lies inside the worktree (or is saved output of this attempt) and never in `.git`, also
//! where symbolic links lead there: they are read, and the place that they lead to is opened by its own name, where no component is a
//! link. What [`Tree::to_write`] returns is in scope as well, and no part of it is a link.
//! **Invariant:** nothing is looked at by one path and used by another: between the two stands an open descriptor
//! ([`crate::beneath`]). A command that swaps folders for links meanwhile gets an error told, or its own files read.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs::{File, Metadata},
    io::{self, Read},
    path::{Component, Path, PathBuf},
    sync::OnceLock,
};

use rustix::io::Errno;
use shared::{RepoPath, Scope, path::BadPath};

use super::walk::Walk;
use crate::beneath::{Folder, Kind, Root};

/// A larger file is for other tools.
pub(super) const LARGEST: u64 = 32 * 1024 * 1024;
/// How many links lead on from one path.
const LINKS: usize = 40;
/// How often a path is opened that changes while it is.
const TRIES: usize = 8;

/// A worktree and the folder of its attempt's saved output.
pub(super) struct Tree {
    root: Root,
    real: PathBuf,
    /// The root as it was given; models repeat that spelling.
    given: PathBuf,
    spill_dir: PathBuf,
    spilled: OnceLock<Root>,
}

/// Something that may be read, opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) data: Metadata,
    /// What it is called in answers.
    pub(super) shown: String,
    /// Its own path in the repository, links followed; empty for the root.
    pub(super) place: PathBuf,
    /// The same for whoever remembers what was read; none of the root and of saved output.
    pub(super) path: Option<RepoPath>,
}

impl Opened {
    /// All bytes of a file.
    pub(super) fn content(self) -> Result<Vec<u8>, String> {
        content(self.file, &self.shown)
    }
}

/// All bytes of a file that is not too large.
pub(super) fn content(file: File, shown: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    match read {
        Err(error) => Err(format!("`{shown}` cannot be read: {error}")),
        Ok(_) if bytes.len() as u64 > LARGEST => {
            Err(format!("`{shown}` has more than {LARGEST} bytes, too many to read; use run_command"))
        }
        Ok(_) => Ok(bytes),
    }
}

/// The place of a file that may be written: the folder, opened, and the name.
#[derive(Debug)]
pub(super) struct ToWrite {
    pub(super) folder: Folder,
    pub(super) path: RepoPath,
}

impl ToWrite {
    /// Its name in its folder.
    pub(super) fn name(&self) -> &OsStr {
        Path::new(self.path.as_str()).file_name().unwrap_or_default()
    }

    /// What lies there; none if nothing does.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.folder.kind(self.name()).ok()
    }

    /// All bytes of the file there.
    pub(super) fn content(&self) -> Result<Vec<u8>, String> {
        let file = self.folder.file(self.name()).map_err(|error| format!("`{}` cannot be read: {error}", self.path))?;
        content(file, self.path.as_str())
    }
}

/// What a file is to be written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It need not exist; folders on the way are made.
    Create,
    /// It exists.
    Change,
    /// It exists; a link itself is deleted, what it leads to is not.
    Delete,
}

impl Tree {
    pub(super) fn new(root: PathBuf, spill_dir: PathBuf) -> io::Result<Self> {
        let real = root.canonicalize()?;
        Ok(Self { root: Root::open(&real)?, real, given: root, spill_dir, spilled: OnceLock::new() })
    }

    /// The files.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// Where saved output goes.
    pub(super) fn spill_dir(&self) -> &Path {
        &self.spill_dir
    }

    /// Opens something that may be read, of whatever kind.
    pub(super) fn open(&self, text: &str) -> Result<Opened, String> {
        if let Some(opened) = self.saved_output(text) {
            return opened;
        }
        let asked = self.repo_path(text)?;
        let asked = asked.as_ref().map_or("", RepoPath::as_str);
        let mut place = PathBuf::from(asked);
        for _ in 0..TRIES {
            match self.root.file(&place) {
                Ok(file) => return opened(file, place, asked),
                // A link, or a file with something below it.
                Err(error) if is_astray(&error) => place = self.follow(asked)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.missing(asked)),
                Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                    return Err(format!("`{asked}` is no regular file; it cannot be read"));
                }
                Err(error) => return Err(format!("`{asked}` cannot be read: {error}")),
            }
        }
        match self.root.file(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(self.missing(asked)),
            _ => Err(format!("`{asked}` changes while it is opened; try again when the command that changes it has ended")),
        }
    }

    /// The place of a file that may be written.
    pub(super) fn to_write(&self, text: &str, scope: &Scope, purpose: Purpose) -> Result<ToWrite, String> {
        let path = self.repo_path(text)?.ok_or_else(|| "the path is empty; name a file".to_owned())?;
        if !scope.allows(&path) {
            return Err(format!(
                "`{path}` is outside your scope, so nothing was changed. You may write: {}. If the task needs this file, call \
                 request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish",
                scope.in_words()
            ));
        }
        let parent = Path::new(path.as_str()).parent().unwrap_or(Path::new(""));
        let folder = match purpose {
            Purpose::Create => self.root.make_folder(parent),
            Purpose::Change | Purpose::Delete => self.root.folder(parent),
        };
        let place = match folder {
            Ok(folder) => ToWrite { folder, path },
            Err(error) => return Err(self.no_folder(&path, &error, purpose)),
        };
        match place.kind() {
            Some(Kind::Link) if purpose != Purpose::Delete => Err(not_through(place.path.as_str())),
            None if purpose != Purpose::Create => Err(self.missing(place.path.as_str())),
            _ => Ok(place),
        }
    }

    fn no_folder(&self, path: &RepoPath, error: &io::Error, purpose: Purpose) -> String {
        match (self.link_above(path), purpose) {
            (Some(link), Purpose::Delete) => {
                format!("`{link}` is a symbolic link; delete the file by its own path, or delete the link")
            }
            (Some(link), _) => not_through(link),
            (None, Purpose::Create) => {
                format!("the folder of `{path}` cannot be made: {error}; is a part of the path a file?")
            }
            (None, _) => self.missing(path.as_str()),
        }
    }

    /// A path inside the repository; none is the root.
    pub(super) fn repo_path(&self, text: &str) -> Result<Option<RepoPath>, String> {
        let inside = [&self.real, &self.given].into_iter().find_map(|root| Path::new(text).strip_prefix(root).ok());
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

    /// The first folder on the way to a path that is a symbolic link.
    fn link_above<'a>(&self, path: &'a RepoPath) -> Option<&'a str> {
        let mut parts = path.as_str().match_indices('/').map(|(end, _)| &path.as_str()[..end]);
        parts.find(|part| matches!(self.root.link(Path::new(part)), Ok(Some(_))))
    }

    /// Where a path leads to, following links as they are now. What is not there is taken for what it is called.
    fn follow(&self, asked: &str) -> Result<PathBuf, String> {
        let out = || format!("`{asked}` leads through a symbolic link out of your worktree, where nothing is read or written");
        let mut ahead: VecDeque<PathBuf> = parts(Path::new(asked)).collect();
        let (mut place, mut links, mut ends_in_link) = (PathBuf::new(), 0, false);
        while let Some(part) = ahead.pop_front() {
            if part.as_os_str() == ".." {
                if !place.pop() {
                    return Err(out());
                }
                continue;
            }
            place.push(part);
            refuse_git(asked, &place, &ahead)?;
            let Ok(Some(target)) = self.root.link(&place) else { continue };
            links += 1;
            if links > LINKS {
                return Err(format!("`{asked}` leads through a circle of symbolic links"));
            }
            ends_in_link |= ahead.is_empty();
            place.pop();
            let target = match target.strip_prefix(&self.real) {
                Ok(inside) => {
                    place = PathBuf::new();
                    inside
                }
                Err(_) if target.is_absolute() => return Err(out()),
                Err(_) => &target,
            };
            for part in parts(target).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(part);
            }
        }
        if ends_in_link && self.root.file(&place).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(format!("`{asked}` is a symbolic link that leads nowhere"));
        }
        Ok(place)
    }

    /// Saved output, by its absolute path.
    fn saved_output(&self, text: &str) -> Option<Result<Opened, String>> {
        let real = self.spill_dir.canonicalize().unwrap_or_default();
        let mut spill_dirs = [&self.spill_dir, &real].into_iter().filter(|dir| dir.is_absolute());
        let inside = spill_dirs.find_map(|dir| Path::new(text).strip_prefix(dir).ok())?;
        let inside = RepoPath::new(inside.to_str()?).ok()?;
        if self.spilled.get().is_none() {
            let _ = self.spilled.set(Root::open(&self.spill_dir).ok()?);
        }
        let file = self.spilled.get()?.file(Path::new(inside.as_str())).ok()?;
        Some(opened(file, PathBuf::new(), text).map(|opened| Opened { path: None, ..opened }))
    }

    /// What to say of a file that is not there: where files of that name are.
    pub(super) fn missing(&self, asked: &str) -> String {
        let name = Path::new(asked).file_name().unwrap_or_default();
        let entries = Walk::new(&self.root, Path::new("")).take(50_000);
        let same_name = entries.filter(|entry| entry.path.file_name() == Some(name) && entry.path != Path::new(asked));
        let found: Vec<String> = same_name.take(5).map(|entry| format!("`{}`", entry.path.display())).collect();
        if found.is_empty() {
            return format!("`{asked}` does not exist; list_files shows what does");
        }
        format!("`{asked}` does not exist; there is {}", found.join(", "))
    }
}

fn opened(file: File, place: PathBuf, asked: &str) -> Result<Opened, String> {
    let shown = if asked.is_empty() { "." } else { asked }.to_owned();
    let data = file.metadata().map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let path = place.to_str().and_then(|place| RepoPath::new(place).ok());
    Ok(Opened { file, data, shown, place, path })
}

/// Refuses git's own folder, however it is reached.
fn refuse_git(asked: &str, place: &Path, ahead: &VecDeque<PathBuf>) -> Result<(), String> {
    if !place.file_name().is_some_and(|name| name.eq_ignore_ascii_case(".git")) {
        return Ok(());
    }
    let whole: PathBuf = std::iter::once(place).chain(ahead.iter().map(PathBuf::as_path)).collect();
    Err(format!("`{asked}` leads through a symbolic link: {}", BadPath::Git(whole.to_string_lossy().into_owned())))
}

/// Names and `..`, in order.
fn parts(path: &Path) -> impl Iterator<Item = PathBuf> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| PathBuf::from(part.as_os_str()))
}

/// Whether a path could not be opened because a component is a link, or no folder.
fn is_astray(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::LOOP.raw_os_error()) || error.kind() == io::ErrorKind::NotADirectory
}

fn not_through(link: &str) -> String {
    format!("`{link}` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path")
}
