//! Bringing a result into the person's branch: the only place that touches their checkout, and only at their command.
//!
//! **Invariant:** nothing of theirs is overwritten: git's own rules for merges hold (a file with uncommitted changes is never
//! replaced), staged changes are never swept into a commit, and what cannot be merged cleanly is not begun.

use plans::event::CommitId;
use shared::RunId;

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
        return Err(refuse(
            "there are staged changes, which a merge would mix up with the result; nothing was changed",
            "commit, unstage or stash them first",
        ));
    }
    let forward = is_ancestor(git, &repository.head, result.tip).await;
    if !forward {
        merges_cleanly(git, repository, result).await?;
    }
    let message = message(result);
    let tip = &result.tip.0;
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
    git_head(repository).await
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
        Merge::Conflicted { paths, .. } => {
            let list: Vec<String> = paths.iter().map(ToString::to_string).collect();
            let what = format!("your branch and the result changed the same lines of {}; nothing was changed", list.join(", "));
            Err(refuse(&what, &format!("merge it yourself: `git merge inspan/{}`", result.run)))
        }
    }
}

async fn step(repository: &Repository, args: &[&str]) -> Result<(), Error> {
    match here(repository).args(args).bytes().await {
        Ok(_) => Ok(()),
        Err(GitError::Failed { said, .. }) => {
            let overwrites = said.contains("would be overwritten");
            let hint = if overwrites { "commit or stash these files, then apply again" } else { "" };
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
