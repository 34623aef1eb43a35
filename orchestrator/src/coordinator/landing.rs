//! One landing: merge, prove, and say what came of it.

use std::time::Duration;

use plans::event::{CommitId, Proof, RedVerdict};
use shared::{AttemptKey, Network, RepoPath, RunId, Scope, Secrecy, TaskId};

use super::{
    LandingStep, Lane,
    ladder::{self, Conflicted, Joined, Sides},
};
use crate::{
    error::Error,
    gate::{Claim, Gate},
    git::Git,
    site::Site,
};

/// A finished task on its way to the run branch.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub key: AttemptKey,
    /// What it made.
    pub commit: CommitId,
    /// What it started from.
    pub base: CommitId,
    /// The tip of the run branch.
    pub onto: CommitId,
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
    /// The gate.
    pub gate: Vec<String>,
    /// What the task's proof can reach.
    pub task_network: Network,
    /// What the gate's commands can reach.
    pub gate_network: Network,
    /// For each command.
    pub timeout: Duration,
    /// Tasks that have landed, with their commits, in landing order.
    pub landed: Vec<(TaskId, CommitId)>,
    /// How these are proved, and what that can reach.
    pub verify_of: Vec<(TaskId, Vec<String>, Network)>,
}

impl Landing {
    /// Merges and proves. The branch does not move here.
    pub async fn carry_out(&self, lane: &Lane) -> Result<LandingStep, Error> {
        let git = &lane.site.repository.git;
        let sides = Sides { base: &self.base, ours: &self.onto, theirs: &self.commit, task: self.key.task.as_str() };
        let joined = ladder::join(git, &sides).await?;
        let first = match &joined {
            Joined::Clean(clean) => self.prove_tree(lane, &clean.tree, &[]).await?,
            Joined::Conflicted(left) => self.conflict(&lane.site, &sides, left).await?,
        };
        if matches!(first, LandingStep::Passed { .. } | LandingStep::Broken { .. }) {
            return Ok(first);
        }
        let with = match &first {
            LandingStep::Conflicted { with, .. } => with.clone(),
            _ => self.landed.iter().map(|(task, _)| task.clone()).collect(),
        };
        for proposal in joined.proposals(git).await? {
            let step = self.prove_tree(lane, &proposal.tree, &with).await?;
            if matches!(step, LandingStep::Passed { .. }) {
                return Ok(step);
            }
        }
        Ok(first)
    }

    /// Proves a tree with the claims of this task and of these others.
    async fn prove_tree(&self, lane: &Lane, tree: &str, with: &[TaskId]) -> Result<LandingStep, Error> {
        let git = &lane.site.repository.git;
        let astray = self.astray(git, tree).await?;
        if !astray.is_empty() {
            return Ok(LandingStep::Conflicted { key: self.key.clone(), paths: astray, with: Vec::new(), detail: String::new() });
        }
        let commit = git.commit_tree(tree, &[&self.onto], &self.message()).await?;
        // A person's `git gc` must not take it away while it is proved.
        git.set_ref(&format!("refs/inspan/{}/_landing", self.run), &commit).await?;
        self.prove(lane, commit, with).await
    }

    /// Files that the merge, following a rename on the run branch, put where this task may not write, or took from where it must deliver.
    async fn astray(&self, git: &Git, tree: &str) -> Result<Vec<RepoPath>, Error> {
        let changes = git.changes(&self.onto.0, tree).await?;
        let outside = changes.iter().filter(|change| !change.path.is_allowed_by(&self.scope));
        let mut astray: Vec<RepoPath> = outside.map(|change| change.path.shown().clone()).collect();
        for path in &self.deliver {
            if !git.has(tree, path).await {
                astray.push(path.clone());
            }
        }
        Ok(astray)
    }

    async fn prove(&self, lane: &Lane, commit: CommitId, with: &[TaskId]) -> Result<LandingStep, Error> {
        let mut held = lane.gate.lock().await;
        let gate = match &mut *held {
            Some(gate) => gate,
            none => none.insert(self.open_gate(lane).await?),
        };
        let others = self.verify_of.iter().filter(|(task, ..)| with.contains(task));
        let others = others.map(|(_, commands, network)| (Proof::Task, commands, *network));
        let own = [(Proof::Task, &self.verify, self.task_network), (Proof::Gate, &self.gate, self.gate_network)];
        let proofs: Vec<_> = others.chain(own).collect();
        for (proof, commands, network) in proofs {
            let claim = Claim { proof, commands, timeout: self.timeout, network };
            let Some(mut verdict) = gate.check(&commit, claim.clone(), &lane.cancel).await? else { continue };
            if proof == Proof::Gate {
                verdict.red_before = Some(!gate.passes(&self.onto, &verdict.command, claim, &lane.cancel).await?);
            }
            return Ok(LandingStep::Red { key: self.key.clone(), verdict: with_readable_output(verdict, &lane.site.secrecy) });
        }
        Ok(LandingStep::Passed { key: self.key.clone(), commit })
    }

    async fn open_gate(&self, lane: &Lane) -> Result<Gate, Error> {
        lane.cancel.run_until_cancelled(Gate::open(&lane.site, &lane.base)).await.unwrap_or(Err(Error::Interrupted))
    }

    async fn conflict(&self, site: &Site, sides: &Sides<'_>, left: &Conflicted) -> Result<LandingStep, Error> {
        let git = &site.repository.git;
        let paths: Vec<RepoPath> = left.conflicts.iter().map(|conflict| conflict.path.shown().clone()).collect();
        let mut with = Vec::new();
        for (task, commit) in &self.landed {
            let touched = git.changes(&format!("{commit}^"), &commit.0).await?;
            let since = git.text(["merge-base", "--is-ancestor", &commit.0, &self.base.0]).await.is_err();
            if since && touched.iter().any(|change| paths.contains(change.path.shown())) {
                with.push(task.clone());
            }
        }
        ladder::keep_for_person(git, (&self.run, &self.key.task), sides, left).await?;
        let detail = ladder::evidence(git, sides, left, &site.secrecy).await?;
        Ok(LandingStep::Conflicted { key: self.key.clone(), paths, with, detail })
    }

    fn message(&self) -> String {
        let summary = self.summary.trim();
        let body = if summary.is_empty() { String::new() } else { format!("{summary}\n\n") };
        let subject = self.title.lines().next().unwrap_or_default();
        let (run, AttemptKey { task, attempt }) = (&self.run, &self.key);
        format!("{subject}\n\n{body}Inspan-Run: {run}\nInspan-Task: {task}\nInspan-Attempt: {attempt}\n")
    }
}

/// Keeps the end of a long output, which is where test runners sum up, and some of its beginning, without the secrets in it.
fn with_readable_output(verdict: RedVerdict, secrecy: &Secrecy) -> RedVerdict {
    RedVerdict { output: cut(&secrecy.mask(&verdict.output), 12 << 10), ..verdict }
}

fn cut(text: &str, most: usize) -> String {
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
