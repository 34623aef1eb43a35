//! Bringing a result into the person's branch: the only place that touches their checkout, and only at their command.
//!
//! **Invariant:** nothing of theirs is overwritten: git's own rules for merges hold (a file with uncommitted changes is never
//! replaced), staged changes are never swept into a commit, and what cannot be merged cleanly is not begun.
//!
//! A run that started from uncommitted changes holds them, in a commit that the person's branch does not know. Once the person has
//! committed them too, both sides hold the same change; then that commit, and not the older HEAD, is what both grew from. Taken so,
//! nothing is merged twice, and what the workers built on a changed line is no conflict with that change.

use plans::event::CommitId;
use shared::{RepoPath, RunId};

use crate::{
    error::Error,
    git::{Call, Git, GitError, Merge},
    repository::Repository,
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
pub struct Outcome<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Its goal, which becomes the message of a merge or a squashed commit.
    pub goal: &'a str,
    /// The tip of the run branch.
    pub tip: &'a CommitId,
    /// The uncommitted changes that the run started from, if there were any.
    pub snapshot: Option<Snapshot<'a>>,
}

/// Uncommitted changes of the person's, as a run took them along.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// HEAD at that moment.
    pub head: &'a CommitId,
    /// The commit on top of it that holds them.
    pub commit: &'a CommitId,
}

/// Brings the result in and returns the new tip of the person's branch.
pub async fn apply(repository: &Repository, result: &Outcome<'_>, how: How) -> Result<CommitId, Error> {
    let git = &repository.git;
    if repository.branch.is_none() {
        let hint = format!("check out the branch that should have it, or make one: `git switch -c NAME inspan/{}`", result.run);
        return Err(refuse("HEAD is detached, so there is no branch to bring the result into; nothing was changed", &hint));
    }
    if is_ancestor(git, result.tip, &repository.head).await {
        return Err(refuse("the current branch has this result already; nothing was changed", ""));
    }
    let staged = here(repository).args(["diff", "--cached", "--quiet"]).output().await?;
    if !staged.status.success() {
        let hint = hint_for_changes(repository, result, "commit, unstage or stash them first").await?;
        return Err(refuse("there are staged changes, which a merge would mix up with the result; nothing was changed", &hint));
    }
    let brought = bring_in(repository, result, how).await;
    if let Err(Error::Refused { what, hint }) = brought {
        let overwrites = what.contains(OVERWRITES);
        let hint = if overwrites { hint_for_changes(repository, result, &hint).await? } else { hint };
        return Err(Error::Refused { what, hint });
    }
    brought?;
    git_head(repository).await
}

async fn bring_in(repository: &Repository, result: &Outcome<'_>, how: How) -> Result<(), Error> {
    let git = &repository.git;
    let (message, tip) = (message(result), &result.tip.0);
    let forward = is_ancestor(git, &repository.head, result.tip).await;
    if !forward {
        if let Some(snapshot) = result.snapshot
            && is_committed(repository, snapshot).await?
        {
            return merge_from(repository, snapshot, result, how).await;
        }
        merges_cleanly(git, repository, result).await?;
    }
    match how {
        How::Plain if forward => step(repository, &["merge", "--ff-only", tip]).await?,
        How::Plain | How::Merge => {
            if let Err(error) = step(repository, &["merge", "--no-ff", "-m", &message, tip]).await {
                // A hook may have stopped it half way. If no merge was begun, there is nothing to abort.
                let _ = here(repository).args(["merge", "--abort"]).output().await;
                return Err(error);
            }
        }
        How::Squash => squash(repository, tip, &message).await?,
    }
    Ok(())
}

/// Whether the person's branch holds the snapshot's changes, by a commit of its own.
async fn is_committed(repository: &Repository, snapshot: Snapshot<'_>) -> Result<bool, Error> {
    let (git, head) = (&repository.git, &repository.head);
    // With the snapshot itself in their branch, git finds the right base.
    if !is_ancestor(git, snapshot.head, head).await || is_ancestor(git, snapshot.commit, head).await {
        return Ok(false);
    }
    let tree = git.tree(snapshot.commit).await?;
    let since = git.text(["log", "--format=%T", &format!("{}..{head}", snapshot.head)]).await?;
    if since.lines().any(|other| other == tree) {
        return Ok(true);
    }
    // Committed together with more: then it adds nothing to their branch.
    let merged = git.merge_trees(snapshot.head, head, snapshot.commit).await?;
    Ok(merged == Merge::Clean { tree: git.tree(head).await? })
}

/// Merges from the snapshot on, and steps forward to what that gives.
async fn merge_from(repository: &Repository, snapshot: Snapshot<'_>, result: &Outcome<'_>, how: How) -> Result<(), Error> {
    let (git, head) = (&repository.git, &repository.head);
    let tree = match git.merge_trees(snapshot.commit, head, result.tip).await? {
        Merge::Clean { tree } => tree,
        Merge::Conflicted { paths, .. } => return Err(conflict(&paths, result)),
    };
    let parents = if how == How::Squash { vec![head] } else { vec![head, result.tip] };
    let merged = git.commit_tree(&tree, &parents, &message(result)).await?;
    step(repository, &["merge", "--ff-only", &merged.0]).await
}

/// What to do where uncommitted changes are in the way. Those that the run started from are in the result as well.
async fn hint_for_changes(repository: &Repository, result: &Outcome<'_>, otherwise: &str) -> Result<String, Error> {
    let Some(Snapshot { head, commit }) = result.snapshot else { return Ok(otherwise.to_owned()) };
    let changes = repository.git.changes(&head.0, &commit.0).await?;
    let new: Vec<String> =
        changes.iter().filter(|change| change.kind == 'A').map(|change| quoted(change.path.as_str())).collect();
    let add = if new.is_empty() { String::new() } else { format!("git add -- {} && ", new.join(" ")) };
    Ok(format!(
        "the run started from your uncommitted changes; commit them as they are (`{add}git commit -am \"Work in progress\"`), then apply \
         again: both sides then hold the same change, and they merge cleanly"
    ))
}

/// As a shell takes it for one word.
fn quoted(path: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./+:@%".contains(letter);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

async fn squash(repository: &Repository, tip: &str, message: &str) -> Result<(), Error> {
    step(repository, &["merge", "--squash", "--quiet", tip]).await?;
    let committed = step(repository, &["commit", "--quiet", "-m", message]).await;
    if committed.is_err() {
        // The index was clean before: whatever is in it is ours. `--merge` keeps uncommitted changes of other files.
        let _ = here(repository).args(["reset", "--merge"]).output().await;
    }
    committed
}

async fn merges_cleanly(git: &Git, repository: &Repository, result: &Outcome<'_>) -> Result<(), Error> {
    let base = git.text(["merge-base", &repository.head.0, &result.tip.0]).await;
    let base = base.map(CommitId).map_err(|_| {
        refuse(
            "the current branch and the run have no common history; nothing was changed",
            "check out the branch that the run started from",
        )
    })?;
    match git.merge_trees(&base, &repository.head, result.tip).await? {
        Merge::Clean { .. } => Ok(()),
        Merge::Conflicted { paths, .. } => Err(conflict(&paths, result)),
    }
}

fn conflict(paths: &[RepoPath], result: &Outcome<'_>) -> Error {
    let list: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let what = format!("your branch and the result changed the same lines of {}; nothing was changed", list.join(", "));
    refuse(&what, &format!("merge it yourself: `git merge inspan/{}`", result.run))
}

/// How git says that it would lose changes.
const OVERWRITES: &str = "would be overwritten";

async fn step(repository: &Repository, args: &[&str]) -> Result<(), Error> {
    match here(repository).args(args).bytes().await {
        Ok(_) => Ok(()),
        Err(GitError::Failed { said, .. }) => {
            let hint = if said.contains(OVERWRITES) { "commit or stash these files, then apply again" } else { "" };
            Err(refuse(&format!("git did not do it, and nothing was changed: {said}"), hint))
        }
        Err(error) => Err(error.into()),
    }
}

fn here(repository: &Repository) -> Call {
    Call::as_the_person().dir(&repository.root)
}

async fn git_head(repository: &Repository) -> Result<CommitId, Error> {
    Ok(CommitId(here(repository).args(["rev-parse", "HEAD"]).text().await?))
}

async fn is_ancestor(git: &Git, older: &CommitId, newer: &CommitId) -> bool {
    git.text(["merge-base", "--is-ancestor", &older.0, &newer.0]).await.is_ok()
}

fn message(result: &Outcome<'_>) -> String {
    let goal = result.goal.trim();
    let subject: String = goal.lines().next().unwrap_or("Apply a run").chars().take(72).collect();
    let rest = if goal.len() > subject.len() { format!("{goal}\n\n") } else { String::new() };
    format!("{subject}\n\n{rest}Inspan-Run: {}\n", result.run)
}

fn refuse(what: &str, hint: &str) -> Error {
    Error::Refused { what: what.to_owned(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests;
