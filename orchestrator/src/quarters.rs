//! Where the commands of a run's workers and of its gate live: the sandbox that was chosen for the run, and what it shows them.
//!
//! **Invariant:** every command of a run that is not the harness's own git comes through here.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::Read as _,
    path::{Path, PathBuf},
};

use shared::Network;
use worker::{
    beneath::Root,
    process::{Permits, Shell},
    sandbox::{Chosen, CommandLimits, Enclosure, Ground, Writes},
};

use crate::{git::Git, worktree::Worktree};

/// What all holders of a run share.
#[derive(Clone)]
pub struct Quarters {
    /// The sandbox.
    pub chosen: Chosen,
    /// What may be read besides system, toolchains and the worktree.
    pub read: Vec<PathBuf>,
    /// What may be written besides, by all of them.
    pub write: Vec<PathBuf>,
    /// Folders of the repository that builds write into, beside those that git ignores.
    pub build: Vec<PathBuf>,
    /// For each command.
    pub limits: CommandLimits,
    /// For all of them.
    pub permits: Permits,
    /// The person's home directory.
    pub home: Option<PathBuf>,
}

/// Whose commands they are.
pub struct Holder<'a> {
    /// Where they run.
    pub worktree: &'a Worktree,
    /// Their environment.
    pub env: Vec<(OsString, OsString)>,
    /// What of the tree they may write.
    pub writes: Writes,
    /// What they can reach.
    pub network: Network,
}

impl Quarters {
    /// A shell for somebody.
    pub fn shell(&self, git: &Git, holder: Holder<'_>) -> Shell {
        let Holder { worktree, env, writes, network } = holder;
        let folder = worktree.folder();
        let mut read = self.read.clone();
        read.extend(objects(git.dir()));
        read.extend([worktree.records(), folder.join("brief.md")]);
        let ground = Ground {
            tree: worktree.tree(),
            own: Worktree::OWN.iter().map(|name| folder.join(name)).chain(self.write.clone()).collect(),
            build: self.build.iter().cloned().chain(ignored_folders(&worktree.tree())).collect(),
            read,
            home: self.home.clone(),
            network,
            limits: self.limits,
        };
        let enclosure = Enclosure::new(self.chosen.sandbox.clone(), ground, writes);
        Shell { cwd: worktree.tree(), env, spill_dir: folder.join("spill"), enclosure, permits: self.permits.clone() }
    }

    /// None, for tests.
    #[cfg(test)]
    pub fn open() -> Self {
        Self {
            chosen: Chosen::none(),
            read: Vec::new(),
            write: Vec::new(),
            build: Vec::new(),
            limits: CommandLimits::default(),
            permits: Permits::default(),
            home: None,
        }
    }
}

/// The object stores that a repository reads: its own, and those it borrows from.
fn objects(git_dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![git_dir.join("objects")];
    let mut at = 0;
    while let Some(store) = found.get(at).cloned() {
        let borrowed = std::fs::read_to_string(store.join("info/alternates")).unwrap_or_default();
        let named = borrowed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| store.join(line));
        found.extend(named.filter(|path| path.is_dir()).collect::<Vec<_>>());
        at += 1;
        if at > 8 {
            break;
        }
    }
    found
}

/// Folders at the top of a tree that its `.gitignore` names plainly: where builds put what they make. One that the Makefile makes by
/// that name is left to it, for `make` takes a folder that is there for one that is made.
fn ignored_folders(tree: &Path) -> BTreeSet<PathBuf> {
    let read = |name: &str| read_small(tree, name).unwrap_or_default();
    let (ignored, makefile) = (read(".gitignore"), read("Makefile"));
    let folders = ignored.lines().filter_map(|line| folder_of(line.trim()));
    let is_made =
        |name: &str| makefile.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(':')));
    folders.filter(|name| !is_made(name)).map(PathBuf::from).collect()
}

/// A file of a tree in which a command may have put a pipe or a link in its place.
fn read_small(tree: &Path, name: &str) -> Option<String> {
    const LARGEST: u64 = 1 << 20;
    let file = Root::open(tree).ok()?.file(Path::new(name)).ok()?;
    let is_file = file.metadata().is_ok_and(|data| data.is_file());
    let mut text = String::new();
    (is_file && file.take(LARGEST).read_to_string(&mut text).is_ok()).then_some(text)
}

/// The folder that a line names, if it names nothing else.
fn folder_of(line: &str) -> Option<&str> {
    const USUAL: &[&str] = &[
        "node_modules",
        "target",
        "build",
        "dist",
        "out",
        "coverage",
        ".next",
        ".nuxt",
        ".turbo",
        ".cache",
        ".venv",
        "venv",
        ".tox",
        ".nox",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        "__pycache__",
        ".gradle",
        "obj",
        "_build",
        ".eggs",
        "htmlcov",
    ];
    let name = line.strip_prefix('/').unwrap_or(line);
    let is_plain =
        |name: &str| !name.is_empty() && !name.starts_with(['#', '!']) && !name.contains(['*', '?', '[', '\\', '/', ' ']);
    let folder = name.strip_suffix('/').or_else(|| USUAL.contains(&name).then_some(name))?;
    (is_plain(folder) && !folder.starts_with(".git") && folder != "." && folder != "..").then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_folders_are_those_that_git_ignores_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let ignored = "# build/\n/target\nnode_modules/\n*.o\n!dist/\nlogs\ndocs/_build/\n.git/\n../\nbuild/\nout\n";
        std::fs::write(dir.path().join(".gitignore"), ignored).unwrap();
        std::fs::write(dir.path().join("Makefile"), "all: build\nbuild: x\n\tmkdir build\n").unwrap();
        let found: Vec<_> = ignored_folders(dir.path()).into_iter().map(|path| path.display().to_string()).collect();
        assert_eq!(found, ["node_modules", "out", "target"]);
    }
}
