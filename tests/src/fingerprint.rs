//! A fingerprint of the person's checkout: everything that a run must not touch.

use std::{
    collections::BTreeMap,
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::Repository;

/// Files, index, HEAD, branches and tags that are not the run's, configuration, stash and hooks; line by line, so that a difference reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// Takes it.
    pub fn of(repository: &Repository) -> Self {
        let mut all = BTreeMap::new();
        let root = repository.path();
        let git_dir = PathBuf::from(repository.git(&["rev-parse", "--absolute-git-dir"]));
        for path in files_below(root, &git_dir) {
            all.insert(format!("file {}", relative(root, &path)), print_of(&path));
        }
        for name in ["HEAD", "index", "config", "config.worktree", "ORIG_HEAD", "MERGE_HEAD", "logs/HEAD", "logs/refs/stash"] {
            all.insert(format!("git {name}"), print_of(&git_dir.join(name)));
        }
        for folder in ["hooks", "info", "worktrees", "modules"] {
            for path in files_below(&git_dir.join(folder), Path::new("/nowhere")) {
                all.insert(format!("git {}", relative(&git_dir, &path)), print_of(&path));
            }
        }
        all.insert("staged".to_owned(), repository.git(&["ls-files", "--stage", "-v"]));
        let refs = repository.git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        for line in refs.lines().filter(|line| !line.contains("inspan/")) {
            let (name, commit) = line.split_once(' ').expect("two columns");
            all.insert(format!("ref {name}"), commit.to_owned());
        }
        Self(all)
    }

    /// The same without what git itself renews when it is only asked: the times in its index, and where HEAD was before a merge was tried.
    #[must_use]
    pub fn as_git_sees_it(mut self) -> Self {
        self.0.retain(|key, _| !["git ORIG_HEAD", "git index"].contains(&key.as_str()));
        self
    }

    /// Fails with what differs.
    #[track_caller]
    pub fn assert_is(&self, now: &Self) {
        let keys = self.0.keys().chain(now.0.keys());
        let differs: Vec<_> = keys.filter(|key| self.0.get(*key) != now.0.get(*key)).collect();
        assert!(differs.is_empty(), "these were touched: {differs:?}");
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Kind, mode and content. Times are not in it: to read a file is no sin.
fn print_of(path: &Path) -> String {
    let Ok(meta) = fs::symlink_metadata(path) else { return "not there".to_owned() };
    if meta.is_symlink() {
        return format!("link to {}", fs::read_link(path).unwrap_or_default().display());
    }
    let content = fs::read(path).unwrap_or_default();
    format!("{:o} {}", meta.permissions().mode(), content.escape_ascii())
}

fn files_below(folder: &Path, except: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.expect("a folder can be read").path()) {
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
        match is_folder {
            _ if path == except || path.file_name().is_some_and(|name| name == ".git") => {}
            true => found.extend(files_below(&path, except)),
            false => found.push(path),
        }
    }
    found
}
