//! The ladder: how a task's change and the run branch become one tree, the cheapest way that loses nothing.
//!
//! Rung 1 is git's own merge of trees, with renames (`trees`). Each file that it leaves in conflict and that is text goes to the
//! crate `merge`: lines, items, tokens, formats (rungs 2 and 3, `files`). What is then left is a value with its kind in words, and may
//! have mechanical candidates (rung 4, `proposals`) that somebody has to prove. Redoing, re-planning and the person (rungs 5 to 7) get
//! what `handing_on` writes down for them.
//!
//! **Invariant:** a clean tree has every hunk of both sides, also where git merged it (`ledger` of hunks: `accounts`); a merge that
//! would lose one is a conflict.
//! **Invariant:** no work tree, index, ref or configuration of anybody is touched: objects are read and made, nothing else.
//! **Invariant:** it ends: an engine that takes too long or panics leaves a conflict.
//!
//! Not here: proofs, the run branch, and what a conflict means for the run.

mod accounts;
mod files;
mod handing_on;
mod kind;
mod objects;
mod proposals;
mod trees;

pub use accounts::{FileAccount, Way};
pub use handing_on::{evidence, keep_for_person, where_it_is_kept};
pub use kind::{Kind, Side};
pub use proposals::Proposal;

use plans::event::CommitId;

use self::{files::Outcome, objects::Objects, trees::Unmerged};
use crate::{
    git::{Git, GitError},
    tree_path::TreePath,
};

/// What is to be joined.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// What both grew from.
    pub base: &'a CommitId,
    /// The tip of the run branch, or of the stack on it.
    pub ours: &'a CommitId,
    /// What the task made.
    pub theirs: &'a CommitId,
    /// What stands after `>>>>>>>`: the task.
    pub task: &'a str,
}

/// What a join came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// One tree with every hunk of both sides.
    Clean {
        /// The tree.
        tree: String,
        /// The files that both sides changed, with what became of every hunk.
        accounts: Vec<FileAccount>,
    },
    /// Some files need a decision.
    Conflicted(Box<Conflicted>),
}

/// What is left where some files need a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicted {
    /// A tree with all that could be merged, and conflict markers in the text that could not.
    pub tree: String,
    /// The files that need one.
    pub conflicts: Vec<Conflict>,
    /// The files that both sides changed and that could be merged.
    pub accounts: Vec<FileAccount>,
}

/// A file that needs a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where it is in the tree.
    pub path: TreePath,
    /// What stands against it.
    pub kind: Kind,
    /// The text in all versions, where it is text.
    pub versions: Option<Texts>,
}

/// A file's mode and its text in the base and on both sides.
#[derive(Clone, PartialEq, Eq)]
pub struct Texts {
    /// Of the result, six octal digits.
    pub mode: String,
    /// Empty where both sides added the file.
    pub base: Vec<u8>,
    /// The run branch's.
    pub ours: Vec<u8>,
    /// The task's.
    pub theirs: Vec<u8>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}/{} bytes", self.mode, self.base.len(), self.ours.len(), self.theirs.len())
    }
}

impl Texts {
    pub(super) fn versions<'a>(&'a self, path: &'a str) -> merge::Versions<'a> {
        merge::Versions { path, base: &self.base, ours: &self.ours, theirs: &self.theirs }
    }
}

impl Sides<'_> {
    /// What stands after the markers.
    fn labels(&self) -> merge::Labels<'_> {
        merge::Labels { ours: "landed", base: "before", theirs: self.task }
    }
}

/// Joins a task's change to the run branch.
pub async fn join(git: &Git, sides: &Sides<'_>) -> Result<Joined, GitError> {
    let merged = trees::merge(git, sides).await?;
    let mut objects = Objects::new(git);
    let outcome = files::merge_all(&mut objects, sides, merged.unmerged).await?;
    let Outcome { changed, mut conflicts, mut accounts } = outcome;
    let tree = objects.tree_with(&merged.tree, &changed).await?;
    let taken: Vec<&TreePath> = conflicts.iter().map(|conflict| &conflict.path).chain(changed.iter().map(|c| &c.path)).collect();
    for (account, texts) in accounts::of_git_merges(&objects, sides, &tree, &taken).await? {
        match account.account.complaint() {
            None => accounts.push(account),
            Some(why) => conflicts.push(Conflict { path: account.path, kind: Kind::Unaccounted(why), versions: Some(texts) }),
        }
    }
    if conflicts.is_empty() {
        return Ok(Joined::Clean { tree, accounts });
    }
    Ok(Joined::Conflicted(Box::new(Conflicted { tree, conflicts, accounts })))
}

#[cfg(test)]
mod tests;
