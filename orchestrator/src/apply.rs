//! Bringing a result into the person's branch: the only place that touches their checkout, and only at their command.
//!
//! What the branch will be is made first, as commits that nobody sees: a merge, a squashed commit, or the landed commits on top of
//! what the person has committed meanwhile. Then git fast-forwards the checkout to it, which it does wholly or not at all.
//!
//! **Invariant:** nothing of theirs is overwritten: no uncommitted change, no staged change, no file that git does not track, ignored
//! or not; and nothing is begun while a merge, a rebase or the like of theirs is under way.
//!
//! Why not `git merge`? It runs hooks in the middle, and a hook that edits files and then fails leaves a checkout that neither
//! `merge --abort` nor `reset --merge` can put back.

use std::{collections::BTreeSet, ffi::OsStr, os::unix::ffi::OsStrExt as _};

use plans::event::CommitId;
use shared::RunId;

use crate::{
    error::Error,
    git::{Call, Git, GitError, Merge, wait_for_locks},
    repository::Repository,
    tree_path::TreePath,
};

/// How the result is brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By a fast-forward where that is possible, else by a merge commit.
    Plain,
    /// By a merge commit.
    Merge,
    /// As one commit.
    Squash,
}

/// What is brought in.
#[derive(Debug)]
pub struct Result<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Its goal, which becomes the message of a merge or a squashed commit.
    pub goal: &'a str,
    /// Where the run started.
    pub base: &'a CommitId,
    /// Where the person's branch was, if `base` is a snapshot of uncommitted changes on top of it.
    pub snapshot: Option<&'a CommitId>,
    /// The tip of the run branch.
    pub tip: &'a CommitId,
}

type Outcome<T> = std::result::Result<T, Error>;

/// Brings the result in and returns the new tip of the person's branch.
pub async fn apply(repository: &Repository, result: &Result<'_>, how: How) -> Outcome<CommitId> {
    let git = &repository.git;
    if repository.branch.is_none() {
        let hint = format!("check out the branch that should have it, or make one: `git switch -c NAME inspan/{}`", result.run);
        return Err(refuse("HEAD is detached, so there is no branch to bring the result into", &hint));
    }
    if is_ancestor(git, result.tip, &repository.head).await {
        return Err(refuse("the current branch has this result already", ""));
    }
    nothing_under_way(repository).await?;
    let target = target(repository, result, how).await?;
    nothing_in_the_way(repository, result, &target).await?;
    nothing_is_locked(repository).await?;
    match here(repository).args(["merge", "--ff-only", "--quiet", &target.0]).bytes().await {
        Ok(_) => Ok(target),
        Err(GitError::Failed { said, .. }) => Err(refuse(&format!("git did not do it: {said}"), "")),
        Err(error) => Err(error.into()),
    }
}

/// The commit that the branch will be at.
async fn target(repository: &Repository, result: &Result<'_>, how: How) -> Outcome<CommitId> {
    let (git, head) = (&repository.git, &repository.head);
    let forward = is_ancestor(git, head, result.tip).await;
    if forward && how == How::Plain {
        return Ok(result.tip.clone());
    }
    let message = message(result);
    // The person has committed just what the snapshot held: the result continues that commit as it is.
    let committed = result.snapshot.is_some() && !forward && git.tree(head).await? == git.tree(result.base).await?;
    let tree = if forward || committed { git.tree(result.tip).await? } else { merged(repository, result).await? };
    // The commits of a snapshot are made anew on the person's own, so that history does not tell.
    if result.snapshot.is_some() && !forward && tree == git.tree(head).await? {
        return Err(refuse("the current branch has this result already", ""));
    }
    match how {
        How::Plain if committed => on_top_of(git, head, result).await,
        How::Squash => Ok(git.commit_tree(&tree, &[head], &message).await?),
        How::Plain | How::Merge => Ok(git.commit_tree(&tree, &[head, result.tip], &message).await?),
    }
}

/// The landed commits once more, on another commit with the tree of their base.
async fn on_top_of(git: &Git, head: &CommitId, result: &Result<'_>) -> Outcome<CommitId> {
    let range = format!("{}..{}", result.base, result.tip);
    let list = git.text(["rev-list", "--reverse", "--first-parent", &range]).await?;
    let mut tip = head.clone();
    for commit in list.lines() {
        let commit = CommitId(commit.to_owned());
        let message = git.text(["show", "-s", "--format=%B", &commit.0]).await?;
        tip = git.commit_tree(&git.tree(&commit).await?, &[&tip], &message).await?;
    }
    Ok(tip)
}

async fn merged(repository: &Repository, result: &Result<'_>) -> Outcome<String> {
    let (git, head) = (&repository.git, &repository.head);
    let no_history = "check out the branch that the run started from";
    let base = if holds_snapshot(git, head, result).await? {
        result.base.clone()
    } else {
        let base = git.text(["merge-base", &head.0, &result.tip.0]).await;
        CommitId(base.map_err(|_| refuse("the current branch and the run have no common history", no_history))?)
    };
    match git.merge_trees(&base, head, result.tip).await? {
        Merge::Clean { tree } => Ok(tree),
        Merge::Conflicted { paths, .. } => {
            let list: Vec<String> = paths.iter().map(ToString::to_string).collect();
            let what = format!("your branch and the result changed the same lines of {}", list.join(", "));
            Err(refuse(&what, &format!("merge it yourself: `git merge inspan/{}`", result.run)))
        }
    }
}

/// Whether the person has committed what the snapshot held, and perhaps more: then the snapshot is what both sides grew from.
async fn holds_snapshot(git: &Git, head: &CommitId, result: &Result<'_>) -> Outcome<bool> {
    let Some(before) = result.snapshot else { return Ok(false) };
    let tree = git.tree(head).await?;
    Ok(git.merge_trees(before, head, result.base).await? == Merge::Clean { tree })
}

/// A merge, a rebase or the like of the person's is theirs to end.
async fn nothing_under_way(repository: &Repository) -> Outcome<()> {
    for (mark, name) in [
        ("MERGE_HEAD", "a merge"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase"),
    ] {
        let path = here(repository).args(["rev-parse", "--path-format=absolute", "--git-path", mark]).text().await?;
        if std::path::Path::new(&path).exists() {
            return Err(refuse(&format!("{name} of yours is under way"), "finish or abort it first (`git status` shows it)"));
        }
    }
    let staged = here(repository).args(["diff", "--cached", "--quiet"]).output().await?;
    if staged.status.success() {
        return Ok(());
    }
    Err(refuse("there are staged changes, which would be mixed up with the result", "commit, unstage or stash them first"))
}

/// No file that the result changes has uncommitted changes, and none that it adds is there already.
async fn nothing_in_the_way(repository: &Repository, result: &Result<'_>, target: &CommitId) -> Outcome<()> {
    let changes = repository.git.changes(&repository.head.0, &target.0).await?;
    let list = here(repository).args(["diff", "--name-only", "--no-renames", "-z", "HEAD"]).bytes().await?;
    let dirty: BTreeSet<&[u8]> = list.split(|byte| *byte == 0).collect();
    let there = |path: &TreePath| {
        let path = repository.root.join(OsStr::from_bytes(path.bytes()));
        path.symlink_metadata().is_ok_and(|meta| !meta.is_dir())
    };
    let in_the_way: Vec<&str> = changes
        .iter()
        .filter(|change| dirty.contains(change.path.bytes()) || (change.kind == 'A' && there(&change.path)))
        .map(|change| change.path.shown().as_str())
        .collect();
    if in_the_way.is_empty() {
        return Ok(());
    }
    let shown = in_the_way.iter().take(10).copied().collect::<Vec<_>>().join(", ");
    let what = format!("the result changes files that you have changed or made and not committed: {shown}");
    let hint = if result.snapshot.is_some() {
        "the run took your uncommitted changes along: commit them as they are (`git add -A && git commit`), then apply again; nothing is lost or doubled"
    } else {
        "commit, stash or move these files, then apply again"
    };
    Err(refuse(&what, hint))
}

/// Files, index and branch change one after the other: a lock on the branch would be met when the files have changed already.
async fn nothing_is_locked(repository: &Repository) -> Outcome<()> {
    let branch = repository.branch.as_ref().map(|branch| format!("refs/heads/{branch}.lock"));
    let mut locks = Vec::new();
    for name in ["index.lock".to_owned(), "HEAD.lock".to_owned()].into_iter().chain(branch) {
        let path = here(repository).args(["rev-parse", "--path-format=absolute", "--git-path", &name]).text().await?;
        locks.push(path.into());
    }
    let said = |locked: GitError| refuse(&locked.to_string(), "then apply again");
    wait_for_locks(&locks).await.map_err(said)
}

/// Git in the person's checkout, in their name.
fn here(repository: &Repository) -> Call {
    Call::as_the_person().dir(&repository.root)
}

async fn is_ancestor(git: &Git, older: &CommitId, newer: &CommitId) -> bool {
    git.text(["merge-base", "--is-ancestor", &older.0, &newer.0]).await.is_ok()
}

fn message(result: &Result<'_>) -> String {
    let goal = result.goal.trim();
    let subject: String = goal.lines().next().unwrap_or("Apply a run").chars().take(72).collect();
    let rest = if goal.len() > subject.len() { format!("{goal}\n\n") } else { String::new() };
    format!("{subject}\n\n{rest}Inspan-Run: {}\n", result.run)
}

fn refuse(what: &str, hint: &str) -> Error {
    Error::Refused { what: format!("{what}; nothing was changed"), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sh(dir: &Path, script: &str) -> String {
        let out = std::process::Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    struct Bench {
        folder: tempfile::TempDir,
        base: CommitId,
        tip: CommitId,
        snapshot: Option<CommitId>,
    }

    /// A repository and a run that changed `a` and added `new`.
    fn bench(before: &str, snapshot: bool) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        sh(
            dir,
            "git init -q -b main; git config user.name A; git config user.email a@localhost
             echo 1 > a; echo 1 > b; echo ignored > .gitignore; git add .; git commit -qm base",
        );
        sh(dir, before);
        let base = if snapshot {
            sh(dir, "git add -A; t=$(git write-tree); git reset -q; git commit-tree $t -p HEAD -m snapshot")
        } else {
            sh(dir, "git rev-parse HEAD")
        };
        let tree = tempfile::tempdir().unwrap();
        let make = format!(
            "git worktree add -q --detach {0} {base}; cd {0}; echo 2 >> a; echo n > new; git add .; git commit -qm landed; git rev-parse HEAD",
            tree.path().join("w").display()
        );
        let tip = sh(dir, &make);
        sh(dir, &format!("git worktree remove --force {}", tree.path().join("w").display()));
        let snapshot = snapshot.then(|| CommitId(sh(dir, "git rev-parse HEAD")));
        Bench { folder, base: CommitId(base), tip: CommitId(tip), snapshot }
    }

    impl Bench {
        fn sh(&self, script: &str) -> String {
            sh(self.folder.path(), script)
        }

        async fn apply(&self, how: How) -> Outcome<CommitId> {
            let repository = Repository::find(self.folder.path()).await.unwrap();
            let run = RunId::new("abcdefgh").unwrap();
            let result =
                Result { run: &run, goal: "The goal", base: &self.base, snapshot: self.snapshot.as_ref(), tip: &self.tip };
            apply(&repository, &result, how).await
        }

        /// It refuses, says why, and everything is as it was.
        async fn refuses(&self, how: How, why: &str) {
            let look = "git rev-parse HEAD; git status --porcelain --ignored; ls -A .git; git stash list; tail -n +1 a b new ignored 2>/dev/null || true";
            let before = self.sh(look);
            let error = self.apply(how).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert_eq!(self.sh(look), before);
        }
    }

    const RESULT: &str = "cat a new; git status --porcelain";

    #[tokio::test]
    async fn a_result_is_brought_in_by_fast_forward_merge_or_as_one_commit() {
        for (how, history) in [(How::Plain, "landed base"), (How::Merge, "The goal base"), (How::Squash, "The goal base")] {
            let bench = bench("", false);
            bench.apply(how).await.unwrap();
            assert_eq!(bench.sh(RESULT), "1\n2\nn", "{how:?}");
            assert_eq!(bench.sh("git log --first-parent --format=%s | tr '\\n' ' '"), history, "{how:?}");
        }
    }

    #[tokio::test]
    async fn a_branch_that_went_on_is_merged_and_a_hook_that_fails_is_not_in_the_way() {
        for how in [How::Plain, How::Squash] {
            let bench = bench("", false);
            bench.sh("echo 2 >> b; git commit -qam meanwhile; printf '#!/bin/sh\\necho x >> a\\nexit 1\\n' > .git/hooks/pre-commit; cp .git/hooks/pre-commit .git/hooks/pre-merge-commit; chmod +x .git/hooks/*");
            bench.apply(how).await.unwrap();
            assert_eq!(bench.sh("cat a b new; git status --porcelain"), "1\n2\n1\n2\nn");
        }
    }

    #[tokio::test]
    async fn whatever_could_be_lost_is_a_reason_to_refuse() {
        for (before, why) in [
            ("echo x >> a", "not committed: a"),
            ("echo x > new", "not committed: new"),
            ("echo x >> b; git add b", "staged"),
            ("git checkout -q --detach", "detached"),
            ("echo 9 > a; git commit -qam other", "the same lines of a"),
            (
                "git checkout -q -b other; echo 3 > b; git commit -qam o; git checkout -q main; git merge -q --no-ff --no-commit other",
                "a merge of yours",
            ),
        ] {
            for how in [How::Plain, How::Merge, How::Squash] {
                let bench = bench("", false);
                bench.sh(before);
                bench.refuses(how, why).await;
            }
        }
        let ignored = bench("", false);
        ignored.sh("echo new >> .git/info/exclude; echo precious > new");
        ignored.refuses(How::Plain, "not committed: new").await;
        let twice = bench("", false);
        twice.apply(How::Plain).await.unwrap();
        twice.refuses(How::Plain, "has this result already").await;
    }

    #[tokio::test]
    async fn uncommitted_changes_of_other_files_stay() {
        let bench = bench("", false);
        bench.sh("echo mine >> b; echo u > untracked");
        bench.apply(How::Plain).await.unwrap();
        assert_eq!(bench.sh("cat a b untracked; git status --porcelain"), "1\n2\n1\nmine\nu\n M b\n?? untracked");
    }

    #[tokio::test]
    async fn a_run_that_took_uncommitted_changes_along_continues_their_commit() {
        for (how, history) in [(How::Plain, "landed mine base"), (How::Squash, "The goal mine base")] {
            let bench = bench("echo mine >> a; echo u > untracked", true);
            bench.refuses(how, "not committed: a").await;
            bench.sh("git add -A; git commit -qm mine");
            bench.apply(how).await.unwrap();
            assert_eq!(bench.sh("cat a new untracked; git status --porcelain"), "1\nmine\n2\nn\nu", "{how:?}");
            assert_eq!(bench.sh("git log --first-parent --format=%s | tr '\\n' ' '"), history, "{how:?}");
            bench.refuses(how, "has this result already").await;
        }
    }

    #[tokio::test]
    async fn what_was_committed_besides_the_uncommitted_changes_is_merged() {
        let bench = bench("echo mine >> a", true);
        bench.sh("git add -A; git commit -qm mine; echo more >> b; git commit -qam more");
        bench.apply(How::Plain).await.unwrap();
        assert_eq!(bench.sh("cat a b new; git status --porcelain"), "1\nmine\n2\n1\nmore\nn");
    }
}
