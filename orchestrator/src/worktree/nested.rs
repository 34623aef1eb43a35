//! Repositories that a command made inside the tree of its attempt.
//!
//! Git would commit such a repository as a bare reference to a commit that exists nowhere else, and every file in it would be lost.
//!
//! **Invariant:** the files of a repository that the base does not have as it is are committed as files. A reference that the base has, a submodule
//! of the person's, stays as it is as long as its commit does.

use std::path::{Path, PathBuf};

use super::Worktree;
use crate::error::Error;

/// The mode of a reference to another repository's commit.
const REFERENCE: &str = "160000";

impl Worktree {
    /// Where the index holds a reference that the base does not have.
    pub(super) async fn new_repositories(&self) -> Result<Vec<Vec<u8>>, Error> {
        let tree = self.call(["write-tree"]).await?;
        let changes = self.changes(&tree).await?;
        Ok(changes.iter().filter(|change| change.mode == REFERENCE).map(|change| change.path.bytes().to_vec()).collect())
    }

    /// Takes new references out of the index: git keeps one that it knows, whatever stands in its place.
    pub(super) async fn forget_new_repositories(&self) -> Result<(), Error> {
        let known = self.new_repositories().await?;
        if known.is_empty() {
            return Ok(());
        }
        let paths = [known.join(&0_u8), vec![0]].concat();
        self.on_files(&self.index(), |call| call.args(["update-index", "--force-remove", "-z", "--stdin"]).input(paths.clone()))
            .await?;
        Ok(())
    }

    /// Moves the `.git` of every repository in the tree out of it, so that the files are files. So is a `.gitmodules` that is a link,
    /// which git refuses to add.
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

#[cfg(test)]
mod tests {
    use crate::worktree::tests::{Bench, bench, sh};

    use super::*;

    const OWN: &str = "git init -q; echo precious > q; git add q; git -c user.name=a -c user.email=b commit -qm q";

    /// What is committed of a tree in which a command ran, as `mode path`.
    async fn check(command: &str) -> Vec<String> {
        let Bench { git, owner, place, _folder, .. } = bench().await;
        let worktree = Worktree::create(&git, place, owner.clone(), &owner.base).await.unwrap();
        sh(&worktree.tree(), command);
        let looked_at = worktree.snapshot().await.unwrap();
        let commit = worktree.commit("refs/inspan/abcdefgh/t/1", "left").await.unwrap();
        assert_eq!(git.tree(&commit).await.unwrap(), looked_at, "what was looked at is what is committed");
        let changes = worktree.changes(&commit.0).await.unwrap();
        changes.iter().map(|change| format!("{} {}", change.mode, change.path.shown())).collect()
    }

    #[tokio::test]
    async fn a_repository_with_a_commit_of_its_own_is_committed_as_files() {
        assert_eq!(check(&format!("mkdir -p lib/thing; cd lib/thing; {OWN}")).await, ["100644 lib/thing/q"]);
        assert_eq!(
            check(&format!("mkdir src/own; cd src/own; {OWN}; echo more > r")).await,
            ["100644 src/own/q", "100644 src/own/r"]
        );
    }

    #[tokio::test]
    async fn so_is_a_clone_and_a_repository_in_a_repository() {
        let clone = format!("mkdir $TMPDIR/x.$$; (cd $TMPDIR/x.$$; {OWN}); git clone -q $TMPDIR/x.$$ c/n");
        assert_eq!(check(&format!("export TMPDIR=\"${{TMPDIR:-/tmp}}\"; {clone}; rm -rf $TMPDIR/x.$$")).await, ["100644 c/n/q"]);
        assert_eq!(
            check(&format!("mkdir -p a/b/c; (cd a/b/c; {OWN}); (cd a/b; {OWN}); cd a; {OWN}")).await,
            ["100644 a/b/c/q", "100644 a/b/q", "100644 a/q"]
        );
    }

    #[tokio::test]
    async fn a_submodule_of_the_base_stays_as_it_is() {
        let mut bench = bench().await;
        sh(
            &bench.repository,
            &format!("mkdir sub; (cd sub; {OWN}); git add sub 2> hint; git commit -qm sub; rm -rf hint sub/.git sub/q"),
        );
        bench.owner.base = bench.git.commit("main").await.unwrap();
        let Bench { git, owner, place, _folder, .. } = bench;
        let worktree = Worktree::create(&git, place, owner.clone(), &owner.base).await.unwrap();
        sh(&worktree.tree(), &format!("mkdir own; cd own; {OWN}"));
        let tree = worktree.snapshot().await.unwrap();
        assert_eq!(
            sh(&worktree.tree(), &format!("git ls-tree -r --format='%(objecttype) %(path)' {tree} own sub")),
            "blob own/q\ncommit sub"
        );
    }

    #[tokio::test]
    async fn a_repository_made_where_a_submodule_was_loses_nothing() {
        let mut bench = bench().await;
        sh(&bench.repository, &format!("mkdir sub; (cd sub; {OWN}); git add sub 2> hint; git commit -qm sub; rm -rf hint sub"));
        bench.owner.base = bench.git.commit("main").await.unwrap();
        let Bench { git, owner, place, _folder, .. } = bench;
        let worktree = Worktree::create(&git, place, owner.clone(), &owner.base).await.unwrap();
        sh(&worktree.tree(), &format!("cd sub; {OWN}; echo another > q; git -c user.name=a -c user.email=b commit -qam r"));
        let tree = worktree.snapshot().await.unwrap();
        assert_eq!(sh(&worktree.tree(), &format!("git show {tree}:sub/q")), "another");
    }
}
