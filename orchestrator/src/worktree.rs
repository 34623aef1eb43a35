//! The directory of one attempt: its files, its scratch space, and the proof that they are its own.
//!
//! ```text
//! <worktrees>/<run>/<task>/<attempt>/
//!     owner.json   run, task, attempt, base, repository: the ownership record
//!     index        the harness's index of `tree`
//!     tree/        the files at the base commit, with a git repository of their own
//!     target/ tmp/ spill/
//! ```
//!
//! **Invariant:** a worker starts only in a directory that was made for this attempt and holds the tree of its base commit.
//! **Invariant:** whatever is in `tree` is committed under the attempt's ref before the directory may go, and only a directory with
//! the right ownership record goes.
//!
//! `tree/.git` borrows the person's objects, read-only in effect, and has refs, index and configuration of its own: a build that
//! asks git for a version works, and whatever a worker does with git is lost on nobody. Why not `git worktree add`: it gives every
//! command of a worker the person's refs, configuration and stash to play with, takes turns on `.git/config.lock`, and shows up in
//! the person's `git worktree list`.

use std::path::{Path, PathBuf};

use plans::event::CommitId;
use serde::{Deserialize, Serialize};
use shared::{AttemptKey, RepoPath, RunId, Scope};

use crate::{
    error::Error,
    git::{Change, Git, GitError},
};

/// Whose directory this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The common git directory of the repository.
    pub repository: PathBuf,
    /// The run.
    pub run: RunId,
    /// What it is for: a task's attempt, or the gate.
    pub holder: String,
    /// The commit that its tree started from.
    pub base: CommitId,
}

/// A directory with the files of one commit.
#[derive(Debug, Clone)]
pub struct Worktree {
    git: Git,
    folder: PathBuf,
    owner: Owner,
}

impl Worktree {
    /// Makes the directory and fills it. `files` is the commit whose files it starts with, `owner.base` the one that changes are
    /// counted from; they differ only where an interrupted attempt goes on.
    pub async fn create(git: &Git, folder: PathBuf, owner: Owner, files: &CommitId) -> Result<Self, Error> {
        if folder.exists() {
            // A left-over of the same attempt: a process died between making it and journaling its end.
            Self::remove_folder(&folder, &owner)?;
        }
        let tree = folder.join("tree");
        for dir in [&tree, &folder.join("target"), &folder.join("tmp"), &folder.join("spill")] {
            std::fs::create_dir_all(dir).map_err(Error::disk(dir))?;
        }
        let record = folder.join("owner.json");
        let text = serde_json::to_string_pretty(&owner).expect("an ownership record is plain data");
        std::fs::write(&record, text).map_err(Error::disk(&record))?;
        let worktree = Self { git: git.clone(), folder, owner };
        worktree.check_out(files).await?;
        worktree.give_it_a_repository(files).await?;
        worktree.prove(files).await?;
        Ok(worktree)
    }

    /// The directory of an attempt as an earlier process left it, if its ownership record says so.
    pub fn reopen(git: &Git, folder: PathBuf, owner: Owner) -> Option<Self> {
        (read_owner(&folder)? == owner).then(|| Self { git: git.clone(), folder, owner })
    }

    /// Where an attempt's directory is.
    pub fn folder_of(worktrees: &Path, run: &RunId, key: &AttemptKey) -> PathBuf {
        worktrees.join(run.as_str()).join(key.task.as_str()).join(key.attempt.to_string())
    }

    /// The files.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// The directory around them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts other files in place of those that are there, as one commit has them. Ignored files (build output) stay.
    pub async fn check_out(&self, commit: &CommitId) -> Result<(), Error> {
        self.call(["-c", "checkout.workers=4", "read-tree", "--reset", "-u", &commit.0]).await?;
        self.call(["clean", "-ffdq", "-e", ".git"]).await?;
        Ok(())
    }

    /// The tree of all files that are not ignored, as they are now, in git's object store.
    pub async fn snapshot(&self) -> Result<String, Error> {
        let added = self.call(["add", "--all", "--", "."]).await;
        if added.is_err() || self.holds_new_repositories().await? {
            self.set_nested_repositories_aside()?;
            self.call(["add", "--all", "--", "."]).await?;
        }
        Ok(self.call(["write-tree"]).await?)
    }

    /// What differs from the base.
    pub async fn changes(&self, tree: &str) -> Result<Vec<Change>, Error> {
        Ok(self.git.changes(&self.owner.base.0, tree).await?)
    }

    /// Changed paths that a scope does not allow.
    pub async fn outside(&self, tree: &str, scope: &Scope) -> Result<Vec<RepoPath>, Error> {
        let changes = self.changes(tree).await?;
        Ok(changes.into_iter().map(|change| change.path).filter(|path| !scope.allows(path)).collect())
    }

    /// Whether a tree of this worktree holds something at a path.
    pub async fn has(&self, tree: &str, path: &RepoPath) -> bool {
        self.git.has(tree, path).await
    }

    /// Commits everything that is not ignored under a ref, on top of the base, and returns the commit.
    pub async fn commit(&self, name: &str, message: &str) -> Result<CommitId, Error> {
        let tree = self.snapshot().await?;
        let before = self.git.commit(name).await;
        if let Some(before) = &before
            && self.git.tree(before).await? == tree
        {
            return Ok(before.clone());
        }
        // What an interrupted attempt had left before stays reachable, as a second parent.
        let parents: Vec<&CommitId> = std::iter::once(&self.owner.base).chain(&before).collect();
        let commit = self.git.commit_tree(&tree, &parents, message).await?;
        self.git.set_ref(name, &commit).await?;
        Ok(commit)
    }

    /// Removes the directory. Its content must be safe under a ref by now.
    pub fn remove(self) -> Result<(), Error> {
        Self::remove_folder(&self.folder, &self.owner)
    }

    /// Removes a directory if its ownership record names the same repository and run.
    pub fn remove_if_ours(folder: &Path, owner: &Owner) -> Result<(), Error> {
        if folder.exists() { Self::remove_folder(folder, owner) } else { Ok(()) }
    }

    fn remove_folder(folder: &Path, owner: &Owner) -> Result<(), Error> {
        let known = read_owner(folder).is_some_and(|found| found.repository == owner.repository && found.run == owner.run);
        let empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if !known && !empty {
            return Err(Error::NotOurs { path: folder.to_owned() });
        }
        std::fs::remove_dir_all(folder).map_err(Error::disk(folder))
    }

    async fn prove(&self, files: &CommitId) -> Result<(), Error> {
        let real = self.tree().canonicalize().map_err(Error::disk(&self.tree()))?;
        let inside = self.folder.canonicalize().map_err(Error::disk(&self.folder))?.join("tree");
        let tree = self.call(["write-tree"]).await?;
        if real != inside || tree != self.git.tree(files).await? {
            return Err(Error::NotIsolated { path: self.tree() });
        }
        Ok(())
    }

    async fn call<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String, GitError> {
        let call = self.git.call().env("GIT_WORK_TREE", self.tree()).env("GIT_INDEX_FILE", self.folder.join("index"));
        call.dir(&self.tree()).args(args).text().await
    }

    async fn give_it_a_repository(&self, head: &CommitId) -> Result<(), Error> {
        let dot_git = self.tree().join(".git");
        let format = self.git.text(["rev-parse", "--show-object-format"]).await?;
        let format = if format == "sha1" { "0\n" } else { "1\n[extensions]\n\tobjectFormat = sha256\n[core]\n" };
        let config =
            format!("[core]\n\trepositoryformatversion = {format}\tbare = false\n\thooksPath = /dev/null\n\tautocrlf = false\n");
        let objects = self.git.dir().join("objects");
        let write = |name: &str, text: String| {
            let path = dot_git.join(name);
            let parent = path.parent().expect("a file in a folder");
            std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text)).map_err(Error::disk(&path))
        };
        write("HEAD", format!("{head}\n"))?;
        write("config", config)?;
        write("objects/info/alternates", format!("{}\n", objects.display()))?;
        std::fs::create_dir_all(dot_git.join("refs")).map_err(Error::disk(&dot_git))?;
        for (from, to) in [(self.folder.join("index"), "index"), (self.git.dir().join("shallow"), "shallow")] {
            if from.exists() {
                std::fs::copy(&from, dot_git.join(to)).map_err(Error::disk(&from))?;
            }
        }
        Ok(())
    }

    async fn holds_new_repositories(&self) -> Result<bool, Error> {
        let tree = self.call(["write-tree"]).await?;
        let changes = self.changes(&tree).await?;
        Ok(changes.iter().any(|change| change.mode == "160000"))
    }

    /// A repository that a worker made inside its tree would be committed as a bare reference, and its files lost: its `.git` is
    /// moved out, so that the files are files.
    fn set_nested_repositories_aside(&self) -> Result<(), Error> {
        let (tree, aside) = (self.tree(), self.folder.join("nested"));
        let walk = ignore::WalkBuilder::new(&tree)
            .standard_filters(false)
            .filter_entry(|entry| entry.depth() < 2 || entry.path().parent().and_then(Path::file_name) != Some(".git".as_ref()))
            .build();
        let nested: Vec<PathBuf> = walk
            .filter_map(Result::ok)
            .filter(|entry| entry.depth() > 1 && entry.file_name() == ".git")
            .map(ignore::DirEntry::into_path)
            .collect();
        std::fs::create_dir_all(&aside).map_err(Error::disk(&aside))?;
        let taken = std::fs::read_dir(&aside).map_err(Error::disk(&aside))?.count();
        for (number, path) in nested.iter().enumerate() {
            std::fs::rename(path, aside.join((taken + number).to_string())).map_err(Error::disk(path))?;
        }
        Ok(())
    }
}

fn read_owner(folder: &Path) -> Option<Owner> {
    serde_json::from_str(&std::fs::read_to_string(folder.join("owner.json")).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, process::Command};

    use shared::{Attempt, Glob, TaskId};

    use super::*;

    fn sh(dir: &Path, script: &str) -> String {
        let out = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    struct Bench {
        _folder: tempfile::TempDir,
        repository: PathBuf,
        git: Git,
        owner: Owner,
        place: PathBuf,
    }

    async fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("répo with spaces");
        std::fs::create_dir(&repository).unwrap();
        sh(
            &repository,
            "git init -q -b main; git config user.name A; git config user.email a@localhost; printf 'target\\n' > .gitignore
             mkdir src; echo one > src/a.txt; echo two > 'src/b ü.txt'; ln -s a.txt src/link; printf '#!/bin/sh\\n' > run; chmod +x run
             git add .; git commit -qm base",
        );
        let git = Git::new(repository.join(".git"));
        let base = git.commit("main").await.unwrap();
        let run = RunId::new("abcdefgh").unwrap();
        let key = AttemptKey { task: TaskId::new("t").unwrap(), attempt: Attempt(1) };
        let place = Worktree::folder_of(&folder.path().join("trees"), &run, &key);
        let owner = Owner { repository: git.dir().to_owned(), run, holder: key.to_string(), base };
        Bench { _folder: folder, repository, git, owner, place }
    }

    fn fingerprint(repository: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let walk = ignore::WalkBuilder::new(repository).standard_filters(false).build();
        let files = walk.filter_map(Result::ok).map(ignore::DirEntry::into_path);
        let ours = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "objects" || part.as_os_str() == "inspan");
        files.filter(|path| path.is_file() && !ours(path)).map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
    }

    #[tokio::test]
    async fn a_worktree_holds_the_files_of_its_base_and_its_changes_are_committed_under_its_ref() {
        let Bench { repository, git, owner, place, _folder } = bench().await;
        let before = fingerprint(&repository);
        let worktree = Worktree::create(&git, place.clone(), owner.clone(), &owner.base).await.unwrap();
        let tree = worktree.tree();
        assert_eq!(
            sh(&tree, "git status --porcelain; git log --format=%s; cat 'src/b ü.txt' src/link; ls -l run | cut -c4"),
            "base\ntwo\none\nx"
        );
        sh(
            &tree,
            "echo 1 > src/a.txt; rm run; mkdir target; echo x > target/x; echo new > new.txt; git add -A; git commit -qm 'on its own' || true",
        );
        let snapshot = worktree.snapshot().await.unwrap();
        let scope = Scope { write: vec![Glob::new("src/**").unwrap()], shared: vec![] };
        let outside: Vec<String> = worktree.outside(&snapshot, &scope).await.unwrap().into_iter().map(String::from).collect();
        assert_eq!(outside, ["new.txt", "run"]);
        assert_eq!(fingerprint(&repository), before, "nothing of the person's has changed");
        let commit = worktree.commit("refs/inspan/abcdefgh/t/1", "left").await.unwrap();
        assert_eq!(git.commit("refs/inspan/abcdefgh/t/1").await, Some(commit.clone()));
        let changes: Vec<String> =
            worktree.changes(&commit.0).await.unwrap().iter().map(|c| format!("{}{}", c.kind, c.path)).collect();
        assert_eq!(changes, ["Anew.txt", "Drun", "Msrc/a.txt"]);
        assert_eq!(worktree.commit("refs/inspan/abcdefgh/t/1", "again").await.unwrap(), commit, "nothing new, no new commit");
        sh(&tree, "echo 2 > src/a.txt");
        let later = worktree.commit("refs/inspan/abcdefgh/t/1", "later").await.unwrap();
        assert_eq!(
            git.text(["merge-base", "--is-ancestor", &commit.0, &later.0]).await.unwrap(),
            "",
            "the earlier one stays reachable"
        );
        assert_eq!(git.commit(&format!("{later}^")).await, Some(owner.base.clone()));
        worktree.remove().unwrap();
        assert!(!place.exists());
    }

    #[tokio::test]
    async fn repositories_made_inside_a_worktree_are_committed_as_files() {
        let Bench { git, owner, place, _folder, .. } = bench().await;
        let worktree = Worktree::create(&git, place, owner.clone(), &owner.base).await.unwrap();
        sh(
            &worktree.tree(),
            "git init -q empty; echo x > empty/x; git init -q full; cd full; echo y > y; git add .; git -c user.name=a -c user.email=b commit -qm y",
        );
        let commit = worktree.commit("refs/inspan/abcdefgh/t/1", "left").await.unwrap();
        let changes: Vec<String> = worktree.changes(&commit.0).await.unwrap().iter().map(|c| c.path.to_string()).collect();
        assert_eq!(changes, ["empty/x", "full/y"]);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_ours_is_never_removed() {
        let Bench { git, owner, place, _folder, .. } = bench().await;
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("precious"), "x").unwrap();
        let error = Worktree::create(&git, place.clone(), owner.clone(), &owner.base).await.unwrap_err();
        assert!(matches!(error, Error::NotOurs { .. }), "{error}");
        assert!(place.join("precious").exists());
    }

    #[tokio::test]
    async fn other_files_can_be_checked_out_in_place() {
        let Bench { repository, git, owner, place, _folder } = bench().await;
        sh(&repository, "echo later > src/a.txt; git rm -q run; git commit -qam later");
        let later = git.commit("main").await.unwrap();
        let worktree = Worktree::create(&git, place, owner.clone(), &owner.base).await.unwrap();
        sh(&worktree.tree(), "echo junk > src/a.txt; echo junk > junk; mkdir target; echo kept > target/kept");
        worktree.check_out(&later).await.unwrap();
        assert_eq!(sh(&worktree.tree(), "cat src/a.txt; ls; cat target/kept"), "later\nsrc\ntarget\nkept");
        assert_eq!(worktree.snapshot().await.unwrap(), git.tree(&later).await.unwrap());
    }
}
