//! Whose fault a red is: the task's own, or that of two tasks together, which is nobody's.
//!
//! ```text
//! red on the stack ─► alone on the tip? ─ green ─► clash with a task of the same stack
//!                                        └ red ──► alone on its own base? ─ green ─► clash with a task that landed since
//!                                                                         └ red ──► refused: its own fault
//! ```
//!
//! The partner is the first task, in landing order, with which the command fails; it is found by halving.
//!
//! What is said of a red names, beside whoever is to blame, the tasks whose changes its stack traces lead to: a clash with what landed long ago
//! shows there first.
//!
//! **Invariant:** the partner of a clash has landed, or lands with this very batch.

use plans::{
    event::{CommitId, RedVerdict},
    evidence::suspects::{Changed, suspects},
};
use shared::{RepoPath, TaskId};

use super::{
    Fate, Landing, Lane,
    bisect::{Bisect, Next},
    landing::{Settled, with_readable_output},
    proof::{Candidate, Finding, Prover},
    stack::Stack,
};
use crate::{
    error::Error,
    gate::{Claim, Red},
    git::Git,
};

/// What became of a task, or that the machine kept it from being told.
pub(super) enum Judgement {
    /// It is this.
    Fate(Fate),
    /// What happened and what to do.
    Trouble(String),
}

/// A red, and what it was to prove.
#[derive(Clone)]
pub(super) struct Fault {
    pub(super) red: Red,
    pub(super) claim: Claim,
}

/// Commits of which each is grown from the one before by one task's landing.
struct Line {
    /// What none of these tasks is in.
    from: CommitId,
    /// Each with the task that it landed.
    steps: Vec<(TaskId, CommitId)>,
}

/// The search for whoever is to blame.
pub(super) struct Inquiry<'a, 'b> {
    pub(super) lane: &'a Lane,
    pub(super) stack: &'a Stack<'b>,
    pub(super) prover: &'a mut Prover<'b>,
}

impl Inquiry<'_, '_> {
    /// Judges the layer at this place, which is red on top of the green ones below it.
    pub(super) async fn judge(&mut self, at: usize, fault: Fault) -> Result<Judgement, Error> {
        Ok(match self.find(at, fault).await? {
            Judgement::Fate(Fate::Red(verdict)) => Judgement::Fate(Fate::Red(self.with_suspects(at, verdict).await?)),
            Judgement::Fate(Fate::Clashed { with, verdict }) => {
                Judgement::Fate(Fate::Clashed { with, verdict: self.with_suspects(at, verdict).await? })
            }
            other => other,
        })
    }

    /// Who has changed what the failure leads to: the landing itself, what lies below it in the stack, and what landed last.
    async fn with_suspects(&self, at: usize, verdict: RedVerdict) -> Result<RedVerdict, Error> {
        const MOST: usize = 64;
        let (batch, layers, git) = (self.stack.batch, &self.stack.layers, &self.lane.site.repository.git);
        let files = verdict.files();
        if files.is_empty() {
            return Ok(verdict);
        }
        let below = layers[..at].iter().map(|layer| (&layer.landing.key.task, &layer.candidate.commit));
        let landed: Vec<_> = batch.landed.iter().map(|(task, commit)| (task, commit)).chain(below).collect();
        let mut changed = Vec::new();
        for (task, commit) in &landed[landed.len().saturating_sub(MOST)..] {
            changed
                .push(Changed { task: (*task).clone(), paths: Self::changed_between(git, &format!("{commit}^"), commit).await? });
        }
        let landing = layers[at].landing;
        let paths = Self::changed_between(git, &landing.base.0, &landing.commit).await?;
        let suspects = suspects(&files, &changed, &Changed { task: landing.key.task.clone(), paths });
        Ok(RedVerdict { suspects, ..verdict })
    }

    async fn changed_between(git: &Git, from: &str, to: &CommitId) -> Result<Vec<RepoPath>, Error> {
        Ok(git.changes(from, &to.0).await?.iter().map(|change| change.path.shown().clone()).collect())
    }

    async fn find(&mut self, at: usize, fault: Fault) -> Result<Judgement, Error> {
        let (landing, batch) = (self.stack.layers[at].landing, self.stack.batch);
        // The proof of a task that has landed was green with it.
        if let Some(owner) = fault.claim.of.as_ref().filter(|owner| batch.landed.iter().any(|(task, _)| task == *owner)) {
            return Ok(Judgement::Fate(self.clash(owner.clone(), &fault)));
        }
        let alone = if at == 0 {
            Some(fault.clone())
        } else {
            match landing.settle(self.lane, &batch.onto).await? {
                Settled::Conflicted { .. } => {
                    return Ok(Judgement::Fate(Fate::PutBack("it needs what lands beside it".to_owned())));
                }
                Settled::There(candidate, _) => match self.prover.prove(&candidate, &landing.claims(batch)).await? {
                    Finding::Green { .. } => None,
                    Finding::Red { red, claim } => Some(Fault { red, claim }),
                    Finding::Trouble(silence) => return Ok(Judgement::Trouble(silence.why)),
                },
            }
        };
        match alone {
            None => self.clash_within(at, fault).await,
            Some(own) => self.fault_or_clash(landing, own).await,
        }
    }

    /// Green alone on the tip: it does not go together with a layer below it.
    async fn clash_within(&mut self, at: usize, fault: Fault) -> Result<Judgement, Error> {
        let layers = &self.stack.layers[..at];
        // A command that proves one task alone names it.
        let has = |landing: &Landing| landing.verify.contains(&fault.claim.command);
        let mut owners = layers.iter().filter(|layer| has(layer.landing));
        if let (Some(owner), None, false) = (owners.next(), owners.next(), has(self.stack.layers[at].landing)) {
            return Ok(Judgement::Fate(self.clash(owner.landing.key.task.clone(), &fault)));
        }
        let steps = layers.iter().map(|layer| (layer.landing.key.task.clone(), layer.candidate.commit.clone())).collect();
        let line = Line { from: self.stack.batch.onto.clone(), steps };
        self.partner(self.stack.layers[at].landing, line, &fault).await
    }

    /// Red alone on the tip: its own fault, unless it was green where it was made.
    async fn fault_or_clash(&mut self, landing: &Landing, own: Fault) -> Result<Judgement, Error> {
        let line = self.landed_since(landing);
        if !line.steps.is_empty() {
            match self.holds(landing, &line.from, &own.claim).await? {
                Ok(true) => return self.partner(landing, line, &own).await,
                Ok(false) => {}
                Err(why) => return Ok(Judgement::Trouble(why)),
            }
        }
        self.refuse(own).await
    }

    /// What has landed since the task's work began.
    fn landed_since(&self, landing: &Landing) -> Line {
        let batch = self.stack.batch;
        let begin = batch.landed.iter().position(|(_, commit)| *commit == landing.base).map(|at| at + 1);
        let begin = begin.or((landing.base == self.lane.base).then_some(0));
        let steps = begin.map(|begin| batch.landed[begin..].to_vec()).unwrap_or_default();
        Line { from: landing.base.clone(), steps }
    }

    /// The first task of a line with which the change fails; it does not at the line's beginning, and it does at its end.
    async fn partner(&mut self, landing: &Landing, line: Line, fault: &Fault) -> Result<Judgement, Error> {
        let mut bisect = Bisect::below(line.steps.len());
        loop {
            match bisect.next() {
                Next::Prove(at) => match self.holds(landing, &line.steps[at - 1].1, &fault.claim).await? {
                    Ok(is_green) => bisect.take(at, is_green),
                    Err(why) => return Ok(Judgement::Trouble(why)),
                },
                Next::Culprit(at) => return Ok(Judgement::Fate(self.clash(line.steps[at - 1].0.clone(), fault))),
                Next::Whole => return self.refuse(fault.clone()).await,
            }
        }
    }

    /// Whether a claim holds of the change on top of a commit; or why nobody can tell. Where the two cannot even be merged, it does not.
    async fn holds(&mut self, landing: &Landing, onto: &CommitId, claim: &Claim) -> Result<Result<bool, String>, Error> {
        let Settled::There(candidate, _) = landing.settle(self.lane, onto).await? else { return Ok(Ok(false)) };
        self.passes(&candidate, claim).await
    }

    /// Whether a claim holds of a tree, after those that come before it in its proof.
    async fn passes(&mut self, candidate: &Candidate, claim: &Claim) -> Result<Result<bool, String>, Error> {
        let claims = self.leading_to(claim);
        Ok(match self.prover.prove(candidate, &claims).await? {
            Finding::Green { .. } => Ok(true),
            Finding::Red { .. } => Ok(false),
            Finding::Trouble(silence) => Err(silence.why),
        })
    }

    /// A claim with those before it in the same proof, whose builds it may need.
    fn leading_to(&self, claim: &Claim) -> Vec<Claim> {
        let batch = self.stack.batch;
        let whole: Vec<Claim> = match &claim.of {
            None => batch.gate_claims().collect(),
            Some(task) => {
                let own =
                    batch.landings.iter().find(|landing| landing.key.task == *task).map(|landing| landing.own_claims(batch));
                let landed = || batch.landed_proofs.iter().find(|proof| proof.task == *task).map(|proof| proof.claims(batch));
                own.or_else(landed).unwrap_or_default()
            }
        };
        let before = whole.into_iter().take_while(|other| other.command != claim.command);
        before.chain([claim.clone()]).collect()
    }

    async fn refuse(&mut self, Fault { red, claim }: Fault) -> Result<Judgement, Error> {
        let mut verdict = red.verdict;
        if claim.of.is_none() {
            let onto = self.stack.batch.onto.clone();
            let tip = Candidate { tree: self.lane.site.repository.git.tree(&onto).await?, commit: onto };
            match self.passes(&tip, &claim).await? {
                Ok(passes) => verdict.red_before = Some(!passes),
                Err(why) => return Ok(Judgement::Trouble(why)),
            }
        }
        Ok(Judgement::Fate(Fate::Red(with_readable_output(verdict, &self.lane.site.secrecy))))
    }

    fn clash(&self, with: TaskId, fault: &Fault) -> Fate {
        let verdict = with_readable_output(fault.red.verdict.clone(), &self.lane.site.secrecy);
        Fate::Clashed { with, verdict }
    }
}
