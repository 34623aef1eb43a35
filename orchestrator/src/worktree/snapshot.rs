//! What is in a worktree, as a tree in git's object store, whatever a command has made of it.
//!
//! **Invariant:** every file that is not ignored is in it, and what was not ignored when the run began is not ignored later.

use super::{Worktree, pipes, remove_file};
use crate::{
    error::Error,
    git::{Call, GitError},
};

impl Worktree {
    /// The tree of all files that are not ignored, as they are now, in git's object store.
    pub async fn snapshot(&self) -> Result<String, Error> {
        self.is_in_place()?;
        // Nobody else works on this index, and whoever asks waits for every call before the next.
        self.unlock()?;
        match self.written().await {
            Ok(tree) => Ok(tree),
            Err(_) => self.snapshot_anew().await,
        }
    }

    /// The same, with every file read once more: what only this index named, a person's `git gc --prune=now` may have taken away.
    pub async fn snapshot_anew(&self) -> Result<String, Error> {
        self.is_in_place()?;
        remove_file(&self.index())?;
        self.call(["read-tree", &self.owner.base.0]).await?;
        self.written().await
    }

    /// Whether all of a tree of this worktree is still in the object store.
    pub async fn is_whole(&self, tree: &str) -> bool {
        self.git.is_whole(tree, &self.owner.base).await
    }

    async fn written(&self) -> Result<String, Error> {
        let added = self.add_all().await;
        if added.is_err() {
            self.open_up().await;
            pipes::remove_what_is_no_file(&self.tree()).await;
        }
        if added.is_err() || !self.new_repositories().await?.is_empty() {
            self.set_nested_repositories_aside()?;
            self.forget_new_repositories().await?;
            if self.add_all().await.is_err() {
                self.add_as_it_is().await?;
            }
        }
        Ok(self.call(["write-tree"]).await?)
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

    /// Attributes in the tree may ask for a conversion that fails (`working-tree-encoding`). What an attempt left is kept all the same.
    async fn add_as_it_is(&self) -> Result<(), Error> {
        let nothing = self.git.text(["hash-object", "-t", "tree", "/dev/null"]).await?;
        self.call([&format!("--attr-source={nothing}"), "add", "--all", "--", "."]).await?;
        Ok(())
    }
}
