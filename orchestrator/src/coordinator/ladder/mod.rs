//! The ladder: how a task's change and the run branch become one tree, the cheapest way that loses nothing.
//!
//! Rung 1 is git's own merge of trees, with renames (`trees`). Each file that it leaves in conflict and that is text goes to the
//! crate `merge`: lines, items, tokens, formats (rungs 2 and 3, `files`); what a tool makes is made anew (`regenerate`). What is then left is a value with its kind in words, and may
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
pub mod regenerate;
mod trees;

pub use accounts::{FileAccount, Way};
pub use handing_on::{both_sides, evidence, keep_for_person, where_it_is_kept};
pub use kind::Kind;
pub use proposals::Proposal;

use plans::event::CommitId;

use self::{
    files::Outcome,
    objects::Objects,
    proposals::Open,
    regenerate::{Workshop, regenerate},
    trees::Unmerged,
};
use crate::{
    error::Error,
    git::{Git, GitError},
    tree_path::TreePath,
};

/// The stack of a thread that merges: source code can be nested deeply.
pub const STACK: usize = 64 << 20;

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
    Clean(Box<Clean>),
    /// Some files need a decision.
    Conflicted(Box<Conflicted>),
}

/// One tree with every hunk of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clean {
    /// The tree.
    pub tree: String,
    /// The files that both sides changed, with what became of every hunk.
    pub accounts: Vec<FileAccount>,
    /// The files that took more than git, for which other texts may be proposed.
    merged: Vec<(TreePath, Texts)>,
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
    /// As in [`Clean`].
    merged: Vec<(TreePath, Texts)>,
}

impl Conflicted {
    /// The tree with all that is in conflict made anew by tools; none where a file is not made by one, or where one fails.
    pub async fn made_anew(&self, git: &Git, sides: &Sides<'_>, workshop: &Workshop<'_>) -> Result<Option<String>, Error> {
        let mut versions = Vec::new();
        for conflict in &self.conflicts {
            let Some(texts) = &conflict.versions else { return Ok(None) };
            versions.push(texts.versions(conflict.path.shown().as_str()));
        }
        let (ours, theirs) =
            tokio::try_join!(git.changes(&sides.base.0, &sides.ours.0), git.changes(&sides.base.0, &sides.theirs.0))?;
        let [ours, theirs] =
            [&ours, &theirs].map(|all| all.iter().map(|change| change.path.shown().as_str()).collect::<Vec<_>>());
        let Some(stale) = workshop.stale(&versions, [&ours, &theirs]) else { return Ok(None) };
        let done = regenerate(workshop, &self.tree, &stale).await?;
        if !done.left.is_empty() {
            return Ok(None);
        }
        let mode_of = |path: &shared::RepoPath| {
            let conflict = self.conflicts.iter().find(|conflict| conflict.path.shown() == path)?;
            Some((conflict.path.clone(), conflict.versions.as_ref()?.mode.clone()))
        };
        let made = done.made.into_iter().filter_map(|made| mode_of(&made.path).map(|(path, mode)| (path, mode, made.blob)));
        Ok(Some(Objects::new(git).tree_of(&self.tree, made.collect()).await?))
    }

    /// Whether all that is in conflict is text, of which a merge could be proposed.
    pub fn may_be_proposed(&self) -> bool {
        self.conflicts.iter().all(|conflict| conflict.versions.is_some() && proposals::may_be_proposed(&conflict.kind))
    }
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

/// Joins a task's change to the run branch.
pub async fn join(git: &Git, sides: &Sides<'_>) -> Result<Joined, GitError> {
    let trees = trees::merge(git, sides).await?;
    let mut objects = Objects::new(git);
    let outcome = files::merge_all(&mut objects, sides, trees.unmerged).await?;
    let Outcome { changed, mut conflicts, mut accounts, merged } = outcome;
    let tree = objects.tree_with(&trees.tree, &changed).await?;
    let taken: Vec<&TreePath> = conflicts.iter().map(|conflict| &conflict.path).chain(changed.iter().map(|c| &c.path)).collect();
    for (account, texts) in accounts::of_git_merges(&objects, sides, &tree, &taken).await? {
        match account.account.complaint() {
            None => accounts.push(account),
            Some(why) => conflicts.push(Conflict { path: account.path, kind: Kind::Unaccounted(why), versions: Some(texts) }),
        }
    }
    if conflicts.is_empty() {
        return Ok(Joined::Clean(Box::new(Clean { tree, accounts, merged })));
    }
    Ok(Joined::Conflicted(Box::new(Conflicted { tree, conflicts, accounts, merged })))
}

/// What became of every hunk in a tree that a join has once given.
pub async fn accounts_of(git: &Git, sides: &Sides<'_>, tree: &str) -> Result<Vec<FileAccount>, GitError> {
    let joined = join(git, sides).await?;
    if let Joined::Clean(clean) = &joined
        && clean.tree == tree
    {
        return Ok(clean.accounts.clone());
    }
    if let Some(proposal) = joined.proposals(git).await?.into_iter().find(|proposal| proposal.tree == tree) {
        let others = match joined {
            Joined::Clean(clean) => clean.accounts,
            Joined::Conflicted(left) => left.accounts,
        };
        let others = others.into_iter().filter(|file| proposal.accounts.iter().all(|own| own.path != file.path));
        return Ok(others.chain(proposal.accounts.iter().cloned()).collect());
    }
    let met = accounts::of_git_merges(&Objects::new(git), sides, tree, &[]).await?;
    let way = |file: &FileAccount| {
        if merge::format::regenerator(file.path.shown().as_str()).is_some() { Way::Tool } else { Way::Unknown }
    };
    Ok(met.into_iter().map(|(file, _)| FileAccount { way: way(&file), ..file }).collect())
}

impl Clean {
    /// The files that took more than git: what does not pass may pass with other texts of them.
    pub fn merged(&self) -> Vec<shared::RepoPath> {
        self.merged.iter().map(|(path, _)| path.shown().clone()).collect()
    }
}

impl Joined {
    /// Other trees that could be the join, likeliest first: for a conflict, or for a clean tree that does not pass the proofs. None
    /// where git alone merged, or where something stands against it that no text can solve.
    pub async fn proposals(&self, git: &Git) -> Result<Vec<Proposal>, GitError> {
        let (tree, conflicts, merged) = match self {
            Joined::Clean(clean) => (&clean.tree, &[][..], &clean.merged),
            Joined::Conflicted(left) => (&left.tree, left.conflicts.as_slice(), &left.merged),
        };
        let mut open = Vec::new();
        for conflict in conflicts {
            let texts = conflict.versions.as_ref().filter(|_| proposals::may_be_proposed(&conflict.kind));
            let Some(texts) = texts else { return Ok(Vec::new()) };
            open.push(Open { path: &conflict.path, texts, is_merged: false });
        }
        open.extend(merged.iter().map(|(path, texts)| Open { path, texts, is_merged: true }));
        proposals::propose(git, tree, &open).await
    }
}

#[cfg(test)]
mod tests;
