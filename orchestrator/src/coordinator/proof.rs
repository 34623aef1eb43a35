//! Proving one tree with a list of claims: what is known is not run again, and a red is believed only when it comes twice.
//!
//! **Invariant:** a tree is green only if every claim about it passed, on that very tree, but for commands of the gate that have failed
//! since before the run.
//!
//! It does not matter here where a tree comes from: a stack of landings, one landing alone, or a candidate for a conflict, which has to be
//! proved with the claims of both tasks.

use std::collections::BTreeSet;

use plans::event::{CommitId, Proof};
use tokio_util::sync::CancellationToken;

use super::verdicts::{Known, Verdicts};
use crate::{
    error::Error,
    gate::{Claim, Gate, Red, Said},
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
    /// Nobody knows: the machine failed. What happened and what to do.
    Trouble(String),
}

/// A command that failed and then passed on the same tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flake {
    /// The command.
    pub command: String,
    /// What it said when it failed.
    pub output: String,
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
    /// What failed last, which is what fails next, if anything does.
    suspect: Option<String>,
}

impl<'a> Prover<'a> {
    /// With these commands known to be red.
    pub fn new(gate: &'a Gate, verdicts: &'a Verdicts, known_red: BTreeSet<String>, cancel: CancellationToken) -> Self {
        Self { gate, verdicts, known_red, cancel, flakes: Vec::new(), suspect: None }
    }

    /// Proves a tree, as far as the first claim that fails.
    pub async fn prove(&mut self, candidate: &Candidate, claims: &[Claim]) -> Result<Finding, Error> {
        let mut order: Vec<&Claim> = claims.iter().collect();
        order.sort_by_key(|claim| self.suspect.as_ref() != Some(&claim.command));
        let (mut still_red, mut began) = (BTreeSet::new(), false);
        for claim in order {
            let is_known_red = claim.proof == Proof::Gate && self.known_red.contains(&claim.command);
            let said = match self.verdicts.get(&candidate.tree, claim) {
                Some(Known::Green) => Said::Green,
                Some(Known::Red(red)) => Said::Red(red),
                None => {
                    if !std::mem::replace(&mut began, true) {
                        self.gate.begin()?;
                    }
                    self.run(candidate, claim, is_known_red).await?
                }
            };
            match said {
                Said::Green => {}
                Said::Nothing(why) => return Ok(Finding::Trouble(why)),
                Said::Red(_) if is_known_red => drop(still_red.insert(claim.command.clone())),
                Said::Red(red) => {
                    self.suspect = Some(claim.command.clone());
                    return Ok(Finding::Red { red, claim: claim.clone() });
                }
            }
        }
        Ok(Finding::Green { still_red })
    }

    /// Runs a command, and once more where it fails: what passes then is flaky, and green.
    async fn run(&mut self, candidate: &Candidate, claim: &Claim, is_known_red: bool) -> Result<Said, Error> {
        let mut said = self.gate.run(&candidate.commit, claim, &self.cancel).await?;
        if let Said::Red(red) = &said
            && red.may_be_flaky
            && !is_known_red
        {
            let output = red.verdict.output.clone();
            said = self.gate.run(&candidate.commit, claim, &self.cancel).await?;
            if said == Said::Green {
                self.flakes.push(Flake { command: claim.command.clone(), output });
            }
        }
        match &said {
            Said::Green => self.verdicts.put(&candidate.tree, claim, Known::Green),
            Said::Red(red) => self.verdicts.put(&candidate.tree, claim, Known::Red(red.clone())),
            Said::Nothing(_) => {}
        }
        Ok(said)
    }
}

/// Claims without those that say the same: a command that two tasks are proved by runs once.
pub fn distinct(claims: impl IntoIterator<Item = Claim>) -> Vec<Claim> {
    let mut seen = BTreeSet::new();
    claims.into_iter().filter(|claim| seen.insert((claim.command.clone(), claim.network))).collect()
}
