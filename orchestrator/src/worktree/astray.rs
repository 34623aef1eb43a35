//! What differs from the base outside a scope, and putting it back.
//!
//! **Invariant:** after [`Worktree::put_back`] every file outside the scope is as the base has it, as far as git can tell (content, kind,
//! executable bit), or the error says what is not. What git ignores is left alone, and so is the scope.
//!
//! A look takes one process of git where nothing is astray: it holds the files against an index of its own, which is that of the base
//! and never anything else. So what was put back earlier, or what the harness's other index has seen, cannot be mistaken for the base.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use shared::{RepoPath, Scope};
use worker::beneath::Root;

use super::{Worktree, lock_of, remove_file};
use crate::{error::Error, git::Call, tree_path::TreePath};

/// A mended ignore file may bring out more, a removed link what it stood for. What is astray after that stays so.
const ROUNDS: usize = 5;
/// What git is asked: the files that differ from the index, and those that are neither in it nor ignored.
const LOOK: [&str; 6] = ["ls-files", "-z", "-t", "--modified", "--others", "--exclude-standard"];

/// A path outside the scope that is not as the base has it.
struct Stray {
    path: TreePath,
    /// Whether the base has something there.
    is_known: bool,
}

impl Worktree {
    /// Puts everything outside the scope back to what it is in the base, and returns what had to be.
    pub async fn put_back(&self, scope: &Scope) -> Result<Vec<RepoPath>, Error> {
        self.is_in_place()?;
        self.name_its_repository()?;
        let (mut put_back, mut failed) = (BTreeSet::new(), None);
        for _ in 0..ROUNDS {
            let strays = self.strays(scope).await?;
            if strays.is_empty() {
                return Ok(put_back.into_iter().collect());
            }
            if !put_back.is_empty() {
                // The first time did not do.
                self.open_up().await;
            }
            put_back.extend(strays.iter().map(|stray| stray.path.shown().clone()));
            self.remove_new(&strays).await;
            failed = self.restore_known(&strays).await.err();
        }
        let left: Vec<String> = self.strays(scope).await?.iter().take(20).map(|stray| stray.path.shown().to_string()).collect();
        match failed {
            _ if left.is_empty() => Ok(put_back.into_iter().collect()),
            Some(error) => Err(error),
            None => Err(Error::StillAstray { paths: left.join(", ") }),
        }
    }

    async fn strays(&self, scope: &Scope) -> Result<Vec<Stray>, Error> {
        let strays = self.outside_of(scope).await?;
        if !strays.iter().any(|stray| self.is_of_a_repository(stray)) {
            return Ok(strays);
        }
        self.set_nested_repositories_aside()?;
        self.outside_of(scope).await
    }

    async fn outside_of(&self, scope: &Scope) -> Result<Vec<Stray>, Error> {
        let mut strays = self.differing().await?;
        strays.retain(|stray| !stray.path.is_allowed_by(scope) && !is_of_a_repository_inside(stray, scope));
        Ok(strays)
    }

    async fn differing(&self) -> Result<Vec<Stray>, Error> {
        let mut out = self.look().await;
        if out.is_err() {
            // Whatever is wrong with the index is mended by a new one.
            remove_file(&self.base_index())?;
            out = self.look().await;
        }
        let out = out?;
        let stray = |line: &[u8]| Stray { path: TreePath::new(&line[2..]), is_known: line[0] != b'?' };
        Ok(out.split(|byte| *byte == 0).filter(|line| line.len() > 2).map(stray).collect())
    }

    async fn look(&self) -> Result<Vec<u8>, Error> {
        if !self.base_index().exists() {
            self.make_base_index().await?;
        }
        Ok(self.on_files(&self.base_index(), |call| call.args(LOOK)).await?)
    }

    /// Made of the index that the checkout left, for the sake of what it knows of the files on the disk.
    async fn make_base_index(&self) -> Result<(), Error> {
        let making = self.folder.join("base.index.new");
        copy_with_time(&self.index(), &making)?;
        let fill = || self.on_files(&making, |call| call.args(["read-tree", "--reset", &self.owner.base.0]));
        if fill().await.is_err() {
            remove_file(&making)?;
            remove_file(&lock_of(&making))?;
            fill().await?;
        }
        std::fs::rename(&making, self.base_index()).map_err(Error::disk(&making))
    }

    fn base_index(&self) -> PathBuf {
        self.folder.join("base.index")
    }

    /// A repository that a command made hides its files from git, unless its `.git` goes.
    fn is_of_a_repository(&self, stray: &Stray) -> bool {
        let bytes = stray.path.bytes();
        let mut names = bytes.split(|byte| *byte == b'/');
        let inside = Path::new(OsStr::from_bytes(bytes)).join(".git");
        bytes.ends_with(b"/")
            || names.any(|name| name.eq_ignore_ascii_case(b".git"))
            || self.tree().join(inside).symlink_metadata().is_ok()
    }

    /// Removes what the base does not have, and the folders that are empty then. What cannot be removed is found by the next look.
    async fn remove_new(&self, strays: &[Stray]) {
        let new = strays.iter().filter(|stray| !stray.is_known);
        let new: Vec<PathBuf> = new.map(|stray| OsStr::from_bytes(stray.path.bytes()).into()).collect();
        let tree = self.tree();
        let removing = tokio::task::spawn_blocking(move || {
            let Ok(root) = Root::open(&tree) else { return };
            for path in &new {
                remove_with_folders(&root, path);
            }
        });
        let _ = removing.await;
    }

    async fn restore_known(&self, strays: &[Stray]) -> Result<(), Error> {
        let known: Vec<&[u8]> = strays.iter().filter(|stray| stray.is_known).map(|stray| stray.path.bytes()).collect();
        if known.is_empty() {
            return Ok(());
        }
        remove_file(&lock_of(&self.base_index()))?;
        let paths = known.join(&0_u8);
        let call = |call: Call| call.args(["checkout-index", "--force", "-u", "-q", "-z", "--stdin"]).input(paths.clone());
        self.on_files(&self.base_index(), call).await?;
        Ok(())
    }
}

/// Whether it belongs to a repository that a command made where it may make files: that one is left to it until the attempt is
/// committed.
fn is_of_a_repository_inside(stray: &Stray, scope: &Scope) -> bool {
    let Ok(path) = std::str::from_utf8(stray.path.bytes()) else { return false };
    let folder = match path.split('/').position(|name| name.eq_ignore_ascii_case(".git")) {
        Some(at) => path.split('/').take(at).collect::<Vec<_>>().join("/"),
        None if path.ends_with('/') => path.trim_end_matches('/').to_owned(),
        None => return false,
    };
    RepoPath::new(format!("{folder}/file").trim_start_matches('/')).is_ok_and(|file| scope.allows(&file))
}

fn remove_with_folders(root: &Root, path: &Path) {
    let mut above = path.ancestors();
    let (Some(path), Some(parent)) = (above.next(), path.parent()) else { return };
    if let (Ok(folder), Some(name)) = (root.folder(parent), path.file_name()) {
        let _ = folder.remove(name);
    }
    for folder in above {
        let (Some(name), Some(parent)) = (folder.file_name(), folder.parent()) else { return };
        if root.folder(parent).and_then(|parent| parent.remove_folder(name)).is_err() {
            return;
        }
    }
}

/// The time of an index says which files could have changed unseen since.
fn copy_with_time(from: &Path, to: &Path) -> Result<(), Error> {
    let copy = || {
        std::fs::copy(from, to)?;
        let time = std::fs::metadata(from)?.modified()?;
        File::options().write(true).open(to)?.set_modified(time)
    };
    copy().map_err(Error::disk(to))
}

#[cfg(test)]
mod tests;
