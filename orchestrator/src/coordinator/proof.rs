//! Proving one tree with a list of claims: a list that is known is not run again, and a red is believed only when it comes twice.
//!
//! **Invariant:** the commands run in their order, all of them or none: one may need what another has built.
//!
//! **Invariant:** a tree is green only if every claim about it passed, on that very tree, but for commands of the gate that have failed
//! since before the run.
//!
//! It does not matter here where a tree comes from: a stack of landings, one landing alone, or a candidate for a conflict, which has to be
//! proved with the claims of both tasks.

use std::collections::BTreeSet;

use plans::{
    event::{CommitId, Proof},
    failures::FailingTest,
};
use tokio_util::sync::CancellationToken;

use super::verdicts::{Known, Verdicts};
use crate::{
    error::Error,
    gate::{Claim, Gate, Red, Said, Silence},
};

/// A tree that might land, as a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The commit.
    pub commit: CommitId,
    /// Its tree.
    pub tree: String,
}

/// What the proof of a tree came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It may land.
    Green {
        /// Commands of the gate that fail here as they have failed since before the run.
        still_red: BTreeSet<String>,
    },
    /// It may not.
    Red {
        /// What fails.
        red: Red,
        /// What it was to prove.
        claim: Claim,
    },
    /// Nobody knows: the machine failed.
    Trouble(Silence),
}

/// A command that failed and then passed on the same tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flake {
    /// The command.
    pub command: String,
    /// What it said when it failed.
    pub output: String,
    /// What failed then, by name.
    pub failing: Vec<FailingTest>,
}

/// Somebody who proves trees, one after another.
pub struct Prover<'a> {
    /// Where.
    pub gate: &'a Gate,
    /// What is known.
    pub verdicts: &'a Verdicts,
    /// Commands of the gate that have failed since before the run.
    pub known_red: BTreeSet<String>,
    /// Ends it.
    pub cancel: CancellationToken,
    /// What was seen to be flaky.
    pub flakes: Vec<Flake>,
}

impl<'a> Prover<'a> {
    /// With these commands known to be red.
    pub fn new(gate: &'a Gate, verdicts: &'a Verdicts, known_red: BTreeSet<String>, cancel: CancellationToken) -> Self {
        Self { gate, verdicts, known_red, cancel, flakes: Vec::new() }
    }

    /// Proves a tree, as far as the first claim that fails.
    pub async fn prove(&mut self, candidate: &Candidate, claims: &[Claim]) -> Result<Finding, Error> {
        if let Some(known) = self.known(candidate, claims) {
            return Ok(known);
        }
        let mut still_red = BTreeSet::new();
        self.gate.begin()?;
        for (at, claim) in claims.iter().enumerate() {
            let is_known_red = self.is_known_red(claim);
            match self.run(candidate, claim).await? {
                // Of what comes behind a red that is forgiven nothing is known without it.
                Said::Green if still_red.is_empty() => self.verdicts.put(&candidate.tree, &claims[..=at], Known::Green),
                Said::Green => {}
                Said::Nothing(silence) => return Ok(Finding::Trouble(silence)),
                Said::Red(_) if is_known_red => drop(still_red.insert(claim.command.clone())),
                Said::Red(red) => {
                    if red.may_be_flaky && still_red.is_empty() {
                        self.verdicts.put(&candidate.tree, &claims[..=at], Known::Red(red.clone()));
                    }
                    return Ok(Finding::Red { red, claim: claim.clone() });
                }
            }
        }
        Ok(Finding::Green { still_red })
    }

    /// Runs every claim of a tree in its order, whatever the others say: those that fail, and why nobody knows more.
    pub async fn each(&mut self, candidate: &Candidate, claims: &[Claim]) -> Result<(Vec<Red>, Option<Silence>), Error> {
        let mut all = Vec::new();
        self.gate.begin()?;
        for (at, claim) in claims.iter().enumerate() {
            match self.run(candidate, claim).await? {
                Said::Green if all.is_empty() => self.verdicts.put(&candidate.tree, &claims[..=at], Known::Green),
                Said::Green => {}
                Said::Red(red) => all.push(red),
                Said::Nothing(silence) => return Ok((all, Some(silence))),
            }
        }
        Ok((all, None))
    }

    /// What is known of all of them.
    fn known(&self, candidate: &Candidate, claims: &[Claim]) -> Option<Finding> {
        for (at, claim) in claims.iter().enumerate() {
            match self.verdicts.get(&candidate.tree, &claims[..=at])? {
                Known::Green => {}
                Known::Red(red) if !self.is_known_red(claim) => return Some(Finding::Red { red, claim: claim.clone() }),
                Known::Red(_) => return None,
            }
        }
        Some(Finding::Green { still_red: BTreeSet::new() })
    }

    fn is_known_red(&self, claim: &Claim) -> bool {
        claim.proof == Proof::Gate && self.known_red.contains(&claim.command)
    }

    /// Runs a command, and once more where it fails: what passes then is flaky, and green.
    async fn run(&mut self, candidate: &Candidate, claim: &Claim) -> Result<Said, Error> {
        let mut said = self.gate.run(&candidate.commit, claim, &self.cancel).await?;
        if let Said::Red(red) = &said
            && red.may_be_flaky
            && !self.is_known_red(claim)
        {
            let (output, failing) = (red.verdict.output.clone(), red.verdict.failing.clone());
            said = self.gate.run(&candidate.commit, claim, &self.cancel).await?;
            if said == Said::Green {
                self.flakes.push(Flake { command: claim.command.clone(), output, failing });
            }
        }
        Ok(said)
    }
}

/// Claims without those that say the same: a command that two tasks are proved by runs once.
pub fn distinct(claims: impl IntoIterator<Item = Claim>) -> Vec<Claim> {
    let mut seen = BTreeSet::new();
    claims.into_iter().filter(|claim| seen.insert((claim.command.clone(), claim.network))).collect()
}
