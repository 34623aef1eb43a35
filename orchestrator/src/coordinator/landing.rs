//! One landing: merge, prove, and say what came of it.

use std::time::Duration;

use plans::event::{CommitId, Proof, RedVerdict};
use shared::{AttemptKey, Network, RepoPath, RunId, Scope, Secrecy, TaskId};

use super::{LandingStep, Lane};
use crate::{
    error::Error,
    gate::{Claim, Gate},
    git::{Git, Merge},
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
}

impl Landing {
    /// Merges and proves. The branch does not move here.
    pub async fn carry_out(&self, lane: &Lane) -> Result<LandingStep, Error> {
        let git = &lane.site.repository.git;
        match git.merge_trees(&self.base, &self.onto, &self.commit).await? {
            Merge::Conflicted { tree, paths } => self.conflict(&lane.site, &tree, paths).await,
            Merge::Clean { tree } => {
                let astray = self.astray(git, &tree).await?;
                if !astray.is_empty() {
                    return self.conflict(&lane.site, &tree, astray).await;
                }
                let commit = git.commit_tree(&tree, &[&self.onto], &self.message()).await?;
                // A person's `git gc` must not take it away while it is proved.
                git.set_ref(&format!("refs/inspan/{}/_landing", self.run), &commit).await?;
                self.prove(lane, commit).await
            }
        }
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

    async fn prove(&self, lane: &Lane, commit: CommitId) -> Result<LandingStep, Error> {
        let mut held = lane.gate.lock().await;
        let gate = match &mut *held {
            Some(gate) => gate,
            none => none.insert(self.open_gate(lane).await?),
        };
        let proofs = [(Proof::Task, &self.verify, self.task_network), (Proof::Gate, &self.gate, self.gate_network)];
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

    async fn conflict(&self, site: &Site, tree: &str, paths: Vec<RepoPath>) -> Result<LandingStep, Error> {
        let git = &site.repository.git;
        let mut with = Vec::new();
        for (task, commit) in &self.landed {
            let touched = git.changes(&format!("{commit}^"), &commit.0).await?;
            let since = git.text(["merge-base", "--is-ancestor", &commit.0, &self.base.0]).await.is_err();
            if since && touched.iter().any(|change| paths.contains(change.path.shown())) {
                with.push(task.clone());
            }
        }
        let mut detail = String::new();
        for path in &paths {
            let text = git.file(tree, path).await.unwrap_or_default();
            // Masked before anything is cut out of it: half a key cannot be told.
            let text = String::from_utf8_lossy(&text);
            detail.push_str(&conflicted_parts(path, &site.secrecy.mask(&text)));
        }
        Ok(LandingStep::Conflicted { key: self.key.clone(), paths, with, detail: cut(&detail, 16 << 10) })
    }

    fn message(&self) -> String {
        let summary = self.summary.trim();
        let body = if summary.is_empty() { String::new() } else { format!("{summary}\n\n") };
        let subject = self.title.lines().next().unwrap_or_default();
        let (run, AttemptKey { task, attempt }) = (&self.run, &self.key);
        format!("{subject}\n\n{body}Inspan-Run: {run}\nInspan-Task: {task}\nInspan-Attempt: {attempt}\n")
    }
}

/// The parts of a file between conflict markers, each with a few lines around it.
fn conflicted_parts(path: &RepoPath, text: &str) -> String {
    const AROUND: usize = 5;
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = vec![false; lines.len()];
    let mut inside = false;
    for (at, line) in lines.iter().enumerate() {
        let opens = line.starts_with("<<<<<<< ");
        let closes = line.starts_with(">>>>>>> ");
        inside = inside || opens;
        if inside {
            let end = (at + AROUND + 1).min(lines.len());
            shown[at.saturating_sub(AROUND)..end].iter_mut().for_each(|line| *line = true);
        }
        inside = inside && !closes;
    }
    let mut out = format!("--- {path}\n");
    if !shown.contains(&true) {
        out.push_str("(one side changed this file, the other deleted, moved or replaced it, or its folder; or it is not text)\n");
    }
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| shown[*at]) {
        if at > 0 && !shown[at - 1] {
            out.push_str("...\n");
        }
        let label = match line.split(' ').next() {
            Some("<<<<<<<") => "<<<<<<< on the run branch now",
            Some(">>>>>>>") => ">>>>>>> your change",
            _ => line,
        };
        out.push_str(label);
        out.push('\n');
    }
    out
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
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_conflict_is_shown_with_both_sides_and_a_little_around() {
        let lines: Vec<String> = (0..20).map(|n| format!("line {n}")).collect();
        let mut text = lines.join("\n") + "\n";
        text.push_str("<<<<<<< abc\nours\n=======\ntheirs\n>>>>>>> def\nafter\n");
        expect![[r"
            --- a.rs
            ...
            line 15
            line 16
            line 17
            line 18
            line 19
            <<<<<<< on the run branch now
            ours
            =======
            theirs
            >>>>>>> your change
            after
        "]]
        .assert_eq(&conflicted_parts(&RepoPath::new("a.rs").unwrap(), &text));
    }

    #[test]
    fn long_evidence_keeps_its_beginning_and_more_of_its_end_and_never_splits_a_letter() {
        let text = "é".repeat(10_000);
        let short = cut(&text, 100);
        assert!(short.len() < 200 && short.starts_with('é') && short.ends_with('é'), "{short}");
    }
}
