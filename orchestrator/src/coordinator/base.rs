//! What fails before the first task starts: the gate on the commit that the run starts from.
//!
//! **Invariant:** what fails here is no task's fault. What the machine lacks is found here, before a worker is paid.
//!
//! The gate's worktree is warm afterwards: its first landing builds only what has changed.

use std::collections::BTreeSet;

use kameo::message::{Context, Message};
use plans::event::{Proof, RedVerdict};
use shared::Network;

use super::{
    Coordinator, LandingStep, Lane,
    landing::{cut, with_readable_output},
    proof::{Candidate, Flake, Prover},
};
use crate::{error::Error, gate::Claim};

/// Prove the base.
#[derive(Debug, Clone)]
pub struct ProveBase(pub plans::Gate);

/// What the proof of the base came to.
#[derive(Debug)]
pub struct BaseJudged {
    /// What fails.
    pub red: Vec<RedVerdict>,
    /// What was seen to be flaky.
    pub flakes: Vec<Flake>,
    /// Why the run cannot go on, if so.
    pub trouble: Option<String>,
}

impl Message<ProveBase> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, ProveBase(gate): ProveBase, _: &mut Context<Self, ()>) {
        let (lane, tell) = (self.lane.clone(), self.tell.clone());
        tokio::spawn(async move {
            let work = tokio::spawn(async move { lane.prove_base(&gate).await });
            let judged = work.await.unwrap_or_else(|panic| Err(Error::Defect(panic.to_string())));
            // The dispatcher is gone only when the whole run is.
            let _ = tell.tell(LandingStep::Base(Box::new(judged))).await;
        });
    }
}

impl Lane {
    /// Runs every command of the gate, whatever the others say.
    async fn prove_base(&self, plan: &plans::Gate) -> Result<BaseJudged, Error> {
        let (commit, tree) = (self.base.clone(), self.site.repository.git.tree(&self.base).await?);
        let base = Candidate { commit, tree };
        let held = self.gate(0, &self.cancel).await?;
        let gate = held.as_ref().expect("it was opened");
        let mut prover = Prover::new(gate, &self.verdicts, BTreeSet::new(), self.cancel());
        let claims: Vec<Claim> = plan.commands.iter().map(|command| claim(command, plan.timeout, plan.network)).collect();
        let (red, silence) = prover.each(&base, &claims).await?;
        let red = red.into_iter().map(|red| with_readable_output(red.verdict, &self.site.secrecy)).collect();
        let mut judged = BaseJudged { red, flakes: Vec::new(), trouble: silence.map(|silence| silence.why) };
        let mask = |flake: Flake| Flake { output: cut(&self.site.secrecy.mask(&flake.output), 4 << 10), ..flake };
        judged.flakes = prover.flakes.into_iter().map(mask).collect();
        Ok(judged)
    }
}

fn claim(command: &str, timeout: std::time::Duration, network: Network) -> Claim {
    Claim { proof: Proof::Gate, of: None, command: command.to_owned(), timeout, network }
}
