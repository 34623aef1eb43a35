//! The files of one checked-out tree: which there are, and what they say.
//!
//! A file counts when git tracks it (the caller's blob ids) or would offer to (an ignore-aware walk). Folders that are repositories
//! of their own, submodules among them, are left out with everything below.
//!
//! **Invariant:** nothing outside the root is read: symbolic links are listed, never followed.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use ignore::{DirEntry, WalkBuilder};
use shared::RepoPath;

use super::{BlobId, SurveyError};

/// Larger files are listed, but not read: they are generated, or data.
const MAX_READ: u64 = 1 << 20;

/// The place of a file in [`Tree::files`].
pub(super) type FileAt = usize;

/// One file.
pub(super) struct File {
    pub(super) path: RepoPath,
    pub(super) size: u64,
    /// A symbolic link has a name, but no text of its own.
    is_link: bool,
}

/// All files below one root, sorted by path.
pub(super) struct Tree {
    root: PathBuf,
    files: Vec<File>,
    by_path: HashMap<String, FileAt>,
    by_folder: HashMap<String, Vec<FileAt>>,
}

impl Tree {
    /// Lists the files below `root`. What cannot be looked at, or is not named in UTF-8, is skipped.
    pub(super) fn list(root: &Path, tracked: &BTreeMap<RepoPath, BlobId>) -> Result<Self, SurveyError> {
        fs::read_dir(root).map_err(|source| SurveyError::Root { path: root.to_owned(), source })?;
        let mut files: BTreeMap<RepoPath, File> = BTreeMap::new();
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .parents(false)
            .ignore(false)
            .require_git(false)
            .filter_entry(|entry| entry.depth() == 0 || is_ours(entry))
            .build();
        for entry in walk.flatten() {
            let path = entry.path().strip_prefix(root).ok().and_then(Path::to_str).and_then(|text| RepoPath::new(text).ok());
            if let Some(file) = path.and_then(|path| File::at(root, path)) {
                files.insert(file.path.clone(), file);
            }
        }
        for path in tracked.keys() {
            if !files.contains_key(path)
                && let Some(file) = File::at(root, path.clone())
            {
                files.insert(path.clone(), file);
            }
        }
        Ok(Self::index(root, files.into_values().collect()))
    }

    fn index(root: &Path, files: Vec<File>) -> Self {
        let by_path = files.iter().enumerate().map(|(at, file)| (file.path.to_string(), at)).collect();
        let mut by_folder: HashMap<String, Vec<FileAt>> = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            by_folder.entry(folder(file.path.as_str()).to_owned()).or_default().push(at);
        }
        Self { root: root.to_owned(), files, by_path, by_folder }
    }

    /// All files, sorted by path.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The path of a file.
    pub(super) fn path(&self, at: FileAt) -> &str {
        self.files[at].path.as_str()
    }

    /// The file of that path.
    pub(super) fn find(&self, path: &str) -> Option<FileAt> {
        self.by_path.get(path).copied()
    }

    /// The first of these paths that is a file.
    pub(super) fn first<'a>(&self, paths: impl IntoIterator<Item = &'a String>) -> Option<FileAt> {
        paths.into_iter().find_map(|path| self.find(path))
    }

    /// The files directly in a folder; the root is `""`.
    pub(super) fn in_folder(&self, path: &str) -> &[FileAt] {
        self.by_folder.get(path).map_or(&[], Vec::as_slice)
    }

    /// Every file below a folder, however deep.
    pub(super) fn below<'a>(&'a self, path: &str) -> impl Iterator<Item = FileAt> + use<'a> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let start = self.files.partition_point(|file| file.path.as_str() < prefix.as_str());
        let rest = self.files[start..].iter().enumerate();
        rest.take_while(move |(_, file)| file.path.as_str().starts_with(&prefix)).map(move |(at, _)| start + at)
    }

    /// Every file of that name, the nearest to the root first.
    pub(super) fn named(&self, name: &str) -> Vec<FileAt> {
        let mut found: Vec<FileAt> = (0..self.files.len()).filter(|&at| file_name(self.path(at)) == name).collect();
        found.sort_by_key(|&at| (self.path(at).matches('/').count(), at));
        found
    }

    /// What a file says. `None` for what is too large, a link, gone or not UTF-8.
    pub(super) fn text(&self, at: FileAt) -> Option<String> {
        let file = &self.files[at];
        if file.is_link || file.size > MAX_READ {
            return None;
        }
        fs::read_to_string(self.root.join(file.path.as_str())).ok()
    }
}

impl File {
    fn at(root: &Path, path: RepoPath) -> Option<Self> {
        let meta = fs::symlink_metadata(root.join(path.as_str())).ok()?;
        (meta.is_file() || meta.is_symlink()).then(|| Self { path, size: meta.len(), is_link: meta.is_symlink() })
    }
}

/// Neither git's own folder, nor a repository within the repository.
fn is_ours(entry: &DirEntry) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    entry.file_name() != ".git" && !(is_folder && entry.path().join(".git").exists())
}

/// The folder of a path; `""` at the root.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last component.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What follows the last `.` of the file's name; nothing where there is none.
pub(super) fn ending(path: &str) -> &str {
    file_name(path).rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// A path seen from a folder. `None` where it leaves the repository.
pub(super) fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The folder, and all that hold it, the nearest first, the root (`""`) last.
pub(super) fn upward(start: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(start), |path| (!path.is_empty()).then(|| folder(path)))
}
