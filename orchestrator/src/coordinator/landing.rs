//! One landing: its change is merged onto a commit, and becomes a commit there.
//!
//! **Invariant:** what lands of a task is one commit, within its scope, with all that it has to deliver, whatever it was merged with.
//!
//! Nothing is proved here; that is `proof`. Which landings are stacked on each other is in `stack`. How two trees are merged stands
//! behind `ladder::join`, and nowhere else.

use std::collections::BTreeSet;

use plans::event::{CommitId, Proof, RedVerdict};
use shared::{AttemptKey, Network, RepoPath, Scope, Secrecy, TaskId};

use super::{
    Batch, Fate, Lane,
    ladder::{self, Joined, Sides},
    proof::{Candidate, distinct},
};
use crate::{error::Error, gate::Claim, git::Git, site::Site};

/// A finished task on its way to the run branch.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The attempt.
    pub key: AttemptKey,
    /// What it made.
    pub commit: CommitId,
    /// What it started from.
    pub base: CommitId,
    /// The task's title, which becomes the subject of its commit.
    pub title: String,
    /// What its worker reported.
    pub summary: String,
    /// What it may write, and what must be there afterwards: also in the merged tree.
    pub scope: Scope,
    /// Likewise.
    pub deliver: Vec<RepoPath>,
    /// The task's own proof.
    pub verify: Vec<String>,
    /// What the task's proof can reach.
    pub network: Network,
    /// Tasks that it was seen not to go together with: what it is now has to pass their proofs, too.
    pub clashed_with: Vec<TaskId>,
}

/// What a landing is on top of a commit.
pub(super) enum Settled {
    /// A commit that may be proved.
    There(Candidate, Joined),
    /// Its change does not fit.
    Conflicted(Box<Misfit>),
}

/// Why a change does not fit on a commit.
pub(super) struct Misfit {
    /// That commit.
    pub(super) onto: CommitId,
    /// What the ladder left; none where what it merged is outside the task's scope.
    pub(super) joined: Option<Joined>,
    /// The files.
    pub(super) paths: Vec<RepoPath>,
}

impl Landing {
    /// Puts the change onto a commit. The branch does not move here.
    pub(super) async fn settle(&self, lane: &Lane, onto: &CommitId) -> Result<Settled, Error> {
        let git = &lane.site.repository.git;
        let joined = ladder::join(git, &self.sides(onto)).await?;
        let tree = match &joined {
            Joined::Clean(clean) => clean.tree.clone(),
            Joined::Conflicted(left) => {
                let paths = left.conflicts.iter().map(|conflict| conflict.path.shown().clone()).collect();
                return Ok(Settled::Conflicted(Box::new(Misfit { onto: onto.clone(), joined: Some(joined), paths })));
            }
        };
        Ok(match self.commit_on(lane, onto, tree).await? {
            Ok(candidate) => Settled::There(candidate, joined),
            Err(paths) => Settled::Conflicted(Box::new(Misfit { onto: onto.clone(), joined: None, paths })),
        })
    }

    /// What the ladder is to join.
    pub(super) fn sides<'a>(&'a self, onto: &'a CommitId) -> Sides<'a> {
        Sides { base: &self.base, ours: onto, theirs: &self.commit, task: self.key.task.as_str() }
    }

    /// Makes a commit of a tree, if all of it is where this task may write; else the files that are not.
    pub(super) async fn commit_on(
        &self,
        lane: &Lane,
        onto: &CommitId,
        tree: String,
    ) -> Result<Result<Candidate, Vec<RepoPath>>, Error> {
        let git = &lane.site.repository.git;
        let message = self.message(lane);
        let (astray, parents) = (self.astray(git, onto, &tree), [onto]);
        let (astray, commit) = tokio::join!(astray, git.commit_tree(&tree, &parents, &message));
        let paths = astray?;
        Ok(if paths.is_empty() { Ok(Candidate { commit: commit?, tree }) } else { Err(paths) })
    }

    /// Files that the merge, following a rename on the run branch, put where this task may not write, or took from where it must deliver.
    async fn astray(&self, git: &Git, onto: &CommitId, tree: &str) -> Result<Vec<RepoPath>, Error> {
        let changes = git.changes(&onto.0, tree).await?;
        let outside = changes.iter().filter(|change| !change.path.is_allowed_by(&self.scope));
        let mut astray: Vec<RepoPath> = outside.map(|change| change.path.shown().clone()).collect();
        for path in &self.deliver {
            // What the change itself brings is there; of the rest git is asked.
            let is_brought = changes.iter().any(|change| change.path.shown() == path && change.kind != 'D');
            if !is_brought && !git.has(tree, path).await {
                astray.push(path.clone());
            }
        }
        Ok(astray)
    }

    /// What this task alone has to hold.
    pub(super) fn own_claims(&self, batch: &Batch) -> Vec<Claim> {
        let claim = |command: &String| Claim {
            proof: Proof::Task,
            of: Some(self.key.task.clone()),
            command: command.clone(),
            timeout: batch.timeout,
            network: self.network,
        };
        self.verify.iter().map(claim).collect()
    }

    /// What this task has to hold with nothing beside it: its own proof and the gate.
    pub(super) fn claims(&self, batch: &Batch) -> Vec<Claim> {
        distinct(self.own_claims(batch).into_iter().chain(batch.gate_claims()))
    }

    /// The change and a commit that has landed do not go together. Both sides are kept for the person.
    pub(super) async fn conflict(&self, batch: &Batch, site: &Site, misfit: Misfit) -> Result<Fate, Error> {
        let git = &site.repository.git;
        let with = self.met(batch, git, &misfit.paths).await?;
        let mut detail = String::new();
        if let Some(Joined::Conflicted(left)) = &misfit.joined {
            let sides = self.sides(&misfit.onto);
            ladder::keep_for_person(git, (site.run(), &self.key.task), &sides, left).await?;
            detail = ladder::evidence(git, &sides, left, &site.secrecy).await?;
        }
        Ok(Fate::Conflicted { paths: misfit.paths, with, detail })
    }

    /// The proofs of tasks that have landed since this one began and changed the same files: what git can merge can be wrong together. Of
    /// many, those that landed last.
    pub(super) async fn proofs_met(&self, batch: &Batch, git: &Git, joined: &Joined) -> Result<Vec<Claim>, Error> {
        const MOST: usize = 8;
        let Joined::Clean(clean) = joined else { return Ok(Vec::new()) };
        let paths: Vec<RepoPath> = clean.accounts.iter().map(|file| file.path.shown().clone()).collect();
        let mut with = if paths.is_empty() { Vec::new() } else { self.met(batch, git, &paths).await? };
        with.extend(self.clashed_with.iter().cloned());
        let last = with.iter().rev().take(MOST);
        let proofs = last.filter_map(|task| batch.landed_proofs.iter().find(|proof| proof.task == *task));
        Ok(proofs.flat_map(|proof| proof.claims(batch)).collect())
    }

    /// Tasks that have landed since this one began and touched these files.
    pub(super) async fn met(&self, batch: &Batch, git: &Git, paths: &[RepoPath]) -> Result<Vec<TaskId>, Error> {
        let range = format!("{}..{}", self.base, batch.onto);
        let since: BTreeSet<String> = git.text(["rev-list", &range]).await?.lines().map(str::to_owned).collect();
        let mut with = Vec::new();
        for (task, commit) in batch.landed.iter().filter(|(_, commit)| since.contains(&commit.0)) {
            let touched = git.changes(&format!("{commit}^"), &commit.0).await?;
            if touched.iter().any(|change| paths.contains(change.path.shown())) {
                with.push(task.clone());
            }
        }
        Ok(with)
    }

    fn message(&self, lane: &Lane) -> String {
        let summary = self.summary.trim();
        let body = if summary.is_empty() { String::new() } else { format!("{summary}\n\n") };
        let subject = self.title.lines().next().unwrap_or_default();
        let (run, AttemptKey { task, attempt }) = (lane.site.run(), &self.key);
        format!("{subject}\n\n{body}Inspan-Run: {run}\nInspan-Task: {task}\nInspan-Attempt: {attempt}\n")
    }
}

/// Keeps the end of a long output, which is where test runners sum up, and some of its beginning, without the secrets in it.
pub(super) fn with_readable_output(verdict: RedVerdict, secrecy: &Secrecy) -> RedVerdict {
    RedVerdict { output: cut(&secrecy.mask(&verdict.output), 12 << 10), ..verdict }
}

pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head_end = (0..=most / 4).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let tail_start = (text.len() - most * 3 / 4..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head_end], tail_start - head_end, &text[tail_start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_evidence_keeps_its_beginning_and_more_of_its_end_and_never_splits_a_letter() {
        let text = "é".repeat(10_000);
        let short = cut(&text, 100);
        assert!(short.len() < 200 && short.starts_with('é') && short.ends_with('é'), "{short}");
    }
}
