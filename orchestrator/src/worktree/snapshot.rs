//! What is in a worktree, as a tree in git's object store, whatever a command has made of it.
//!
//! **Invariant:** every file that is not ignored is in it, and what was not ignored when the run began is not ignored later.

use std::path::{Path, PathBuf};

use super::{Worktree, pipes, remove_file};
use crate::{
    error::Error,
    git::{Call, GitError},
};

impl Worktree {
    /// The tree of all files that are not ignored, as they are now, in git's object store.
    pub async fn snapshot(&self) -> Result<String, Error> {
        self.is_in_place()?;
        let added = self.add_all().await;
        if added.is_err() {
            self.open_up().await;
            pipes::remove_what_is_no_file(&self.tree()).await;
        }
        if added.is_err() || self.holds_new_repositories().await? {
            self.set_nested_repositories_aside()?;
            if self.add_all().await.is_err() {
                self.add_as_it_is().await?;
            }
        }
        match self.call(["write-tree"]).await {
            Ok(tree) => Ok(tree),
            Err(_) => self.snapshot_anew().await,
        }
    }

    /// Every file that is not ignored; also one that is ignored only since the run began.
    async fn add_all(&self) -> Result<(), GitError> {
        self.call(["add", "--all", "--", "."]).await?;
        let Some(ignoring) = self.git.ignoring_as_before().await else { return Ok(()) };
        let look = |call: Call| call.args(["ls-files", "--others", "-z"]).args(&ignoring);
        let left_out = self.on_files(&self.index(), look).await?;
        if left_out.is_empty() {
            return Ok(());
        }
        let add = ["--literal-pathspecs", "add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul"];
        self.on_files(&self.index(), |call| call.args(add).input(left_out.clone())).await.map(drop)
    }

    /// What only this index named, a person's `git gc --prune=now` may have taken away: every file is read once more.
    pub(super) async fn snapshot_anew(&self) -> Result<String, Error> {
        remove_file(&self.index())?;
        self.call(["read-tree", &self.owner.base.0]).await?;
        if self.add_all().await.is_err() {
            self.add_as_it_is().await?;
        }
        Ok(self.call(["write-tree"]).await?)
    }

    /// Attributes in the tree may ask for a conversion that fails (`working-tree-encoding`). What an attempt left is kept all the same.
    async fn add_as_it_is(&self) -> Result<(), Error> {
        let nothing = self.git.text(["hash-object", "-t", "tree", "/dev/null"]).await?;
        self.call([&format!("--attr-source={nothing}"), "add", "--all", "--", "."]).await?;
        Ok(())
    }

    async fn holds_new_repositories(&self) -> Result<bool, Error> {
        let tree = self.call(["write-tree"]).await?;
        let changes = self.changes(&tree).await?;
        Ok(changes.iter().any(|change| change.mode == "160000"))
    }

    /// A repository that a worker made inside its tree would be committed as a bare reference, and its files lost: its `.git` is
    /// moved out, so that the files are files. So is a `.gitmodules` that is a link, which git refuses to add.
    pub(super) fn set_nested_repositories_aside(&self) -> Result<(), Error> {
        let (tree, aside) = (self.tree(), self.folder.join("nested"));
        let walk = ignore::WalkBuilder::new(&tree)
            .standard_filters(false)
            .filter_entry(|entry| entry.depth() < 2 || entry.path().parent().and_then(Path::file_name) != Some(".git".as_ref()))
            .build();
        let nested: Vec<PathBuf> = walk
            .filter_map(Result::ok)
            .filter(|entry| match entry.file_name() {
                name if name == ".gitmodules" => entry.path_is_symlink(),
                name => name.eq_ignore_ascii_case(".git") && (entry.depth() > 1 || name != ".git"),
            })
            .map(ignore::DirEntry::into_path)
            .collect();
        // Git refuses such a name in any spelling.
        std::fs::create_dir_all(&aside).map_err(Error::disk(&aside))?;
        let taken = std::fs::read_dir(&aside).map_err(Error::disk(&aside))?.count();
        for (number, path) in nested.iter().enumerate() {
            std::fs::rename(path, aside.join((taken + number).to_string())).map_err(Error::disk(path))?;
        }
        Ok(())
    }
}
