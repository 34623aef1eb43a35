//! The person's checkout, looked at before it changes: nothing of theirs may be in the way.

use std::{collections::BTreeSet, ffi::OsStr, os::unix::ffi::OsStrExt as _, path::PathBuf};

use super::{Outcome, Result, refuse};
use crate::{
    git::{Call, GitError, wait_for_locks},
    repository::Repository,
    tree_path::TreePath,
};

/// Git in the person's checkout, in their name.
pub(super) fn here(repository: &Repository) -> Call {
    Call::as_the_person().dir(&repository.root)
}

/// A merge, a rebase or the like of the person's is theirs to end; and a branch that is checked out twice would move under the other one.
pub(super) async fn nothing_under_way(repository: &Repository, branch: &str) -> Outcome<()> {
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
    if let Some(place) = elsewhere(repository, branch).await? {
        let what = format!("{branch} is checked out in {place}, too, where the next commit would undo the result");
        return Err(refuse(&what, "switch to another branch in one of the two"));
    }
    let staged = here(repository).args(["diff", "--cached", "--quiet"]).output().await?;
    if staged.status.success() {
        return Ok(());
    }
    Err(refuse("there are staged changes, which would be mixed up with the result", "commit, unstage or stash them first"))
}

/// Another worktree that has the branch checked out.
async fn elsewhere(repository: &Repository, branch: &str) -> Outcome<Option<String>> {
    let list = repository.git.call().args(["worktree", "list", "--porcelain", "-z"]).bytes().await?;
    let list = String::from_utf8_lossy(&list).into_owned();
    let (wanted, own) = (format!("branch refs/heads/{branch}"), repository.root.canonicalize());
    let records = repository.git.dir().canonicalize();
    let mut place = "";
    for line in list.split('\0') {
        if let Some(path) = line.strip_prefix("worktree ") {
            place = path;
        }
        // A submodule is listed by its git directory.
        let is = |place: &std::path::Path, known: &std::io::Result<PathBuf>| matches!((place.canonicalize(), known), (Ok(one), Ok(other)) if one == *other);
        let is_other = || !is(place.as_ref(), &own) && !is(place.as_ref(), &records);
        if line == wanted && is_other() {
            return Ok(Some(place.to_owned()));
        }
    }
    Ok(None)
}

/// The person may have gone on while the merged tree was proved.
pub(super) async fn is_as_it_was(repository: &Repository) -> Outcome<()> {
    let head = here(repository).args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).text().await.unwrap_or_default();
    let branch = here(repository).args(["symbolic-ref", "--quiet", "--short", "HEAD"]).text().await.ok();
    if head == repository.head.0 && branch == repository.branch {
        return Ok(());
    }
    Err(refuse("your branch has moved, or you are on another one, since this began", "apply again"))
}

/// No file that the result changes has uncommitted changes, and none that it adds is there already.
pub(super) async fn nothing_in_the_way(repository: &Repository, result: &Result<'_>, tree: &str) -> Outcome<()> {
    let changes = repository.git.changes(&repository.head.0, tree).await?;
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
pub(super) async fn nothing_is_locked(repository: &Repository) -> Outcome<()> {
    let branch = repository.branch.as_ref().map(|branch| format!("refs/heads/{branch}.lock"));
    let mut locks = Vec::new();
    for name in ["index.lock".to_owned(), "HEAD.lock".to_owned()].into_iter().chain(branch) {
        let path = here(repository).args(["rev-parse", "--path-format=absolute", "--git-path", &name]).text().await?;
        locks.push(path.into());
    }
    let said = |locked: GitError| refuse(&locked.to_string(), "then apply again");
    wait_for_locks(&locks).await.map_err(said)
}
