//! One landing: its change is merged onto a commit, and becomes a commit there.
//!
//! **Invariant:** what lands of a task is one commit, within its scope, with all that it has to deliver, whatever it was merged with.
//!
//! Nothing is proved here; that is `proof`. Which landings are stacked on each other is in `stack`. How two trees are merged stands
//! behind [`join`], and nowhere else.

use std::collections::BTreeSet;

use plans::event::{CommitId, Proof, RedVerdict};
use shared::{AttemptKey, Network, RepoPath, Scope, Secrecy};

use super::{
    Batch, Fate, Lane,
    proof::{Candidate, distinct},
};
use crate::{
    error::Error,
    gate::Claim,
    git::{Git, Merge},
    site::Site,
};

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
}

/// What the merge of a change with what is there came to.
pub(super) enum Joined {
    /// One tree that holds both.
    Clean {
        /// The tree.
        tree: String,
    },
    /// Some files need a decision.
    Conflicted {
        /// The tree, with both sides between markers.
        tree: String,
        /// The files.
        paths: Vec<RepoPath>,
    },
}

/// Merges a task's change onto a commit.
pub(super) async fn join(lane: &Lane, landing: &Landing, onto: &CommitId) -> Result<Joined, Error> {
    Ok(match lane.site.repository.git.merge_trees(&landing.base, onto, &landing.commit).await? {
        Merge::Clean { tree } => Joined::Clean { tree },
        Merge::Conflicted { tree, paths } => Joined::Conflicted { tree, paths },
    })
}

/// What a landing is on top of a commit.
pub(super) enum Settled {
    /// A commit that may be proved.
    There(Candidate),
    /// Its change does not fit.
    Conflicted {
        /// The tree, with both sides between markers.
        tree: String,
        /// The files.
        paths: Vec<RepoPath>,
    },
}

impl Landing {
    /// Puts the change onto a commit. The branch does not move here.
    pub(super) async fn settle(&self, lane: &Lane, onto: &CommitId) -> Result<Settled, Error> {
        let git = &lane.site.repository.git;
        let tree = match join(lane, self, onto).await? {
            Joined::Clean { tree } => tree,
            Joined::Conflicted { tree, paths } => return Ok(Settled::Conflicted { tree, paths }),
        };
        let message = self.message(lane);
        let (astray, parents) = (self.astray(git, onto, &tree), [onto]);
        let (astray, commit) = tokio::join!(astray, git.commit_tree(&tree, &parents, &message));
        let paths = astray?;
        if paths.is_empty() {
            Ok(Settled::There(Candidate { commit: commit?, tree }))
        } else {
            Ok(Settled::Conflicted { tree, paths })
        }
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

    /// The change and a commit that has landed do not go together.
    pub(super) async fn conflict(&self, batch: &Batch, site: &Site, (tree, paths): (&str, Vec<RepoPath>)) -> Result<Fate, Error> {
        let git = &site.repository.git;
        let range = format!("{}..{}", self.base, batch.onto);
        let since: BTreeSet<String> = git.text(["rev-list", &range]).await?.lines().map(str::to_owned).collect();
        let mut with = Vec::new();
        for (task, commit) in batch.landed.iter().filter(|(_, commit)| since.contains(&commit.0)) {
            let touched = git.changes(&format!("{commit}^"), &commit.0).await?;
            if touched.iter().any(|change| paths.contains(change.path.shown())) {
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
        Ok(Fate::Conflicted { paths, with, detail: cut(&detail, 16 << 10) })
    }

    fn message(&self, lane: &Lane) -> String {
        let summary = self.summary.trim();
        let body = if summary.is_empty() { String::new() } else { format!("{summary}\n\n") };
        let subject = self.title.lines().next().unwrap_or_default();
        let (run, AttemptKey { task, attempt }) = (lane.site.run(), &self.key);
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
