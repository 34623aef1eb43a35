//! A batch as a stack of commits: each task's change on top of the one before.
//!
//! **Invariant:** a conflict is one only with what has landed. A task that does not go together with one that lands beside it is put back,
//! for that one may yet be red; the rest of the stack goes on without it.
//! **Invariant:** what the ladder can only propose is in the stack once it was proved with the claims of all that it was joined from.

use std::collections::BTreeSet;

use shared::AttemptKey;

use super::{
    Batch, Fate, Landing, Lane,
    ladder::{Joined, regenerate::Workshop},
    landing::{Misfit, Settled},
    proof::{Candidate, Finding, Flake, Prover, distinct},
};
use crate::{error::Error, gate::Claim};

/// One task's commit in a stack.
pub(super) struct Layer<'b> {
    pub(super) landing: &'b Landing,
    /// The commit, on top of the layer below.
    pub(super) candidate: Candidate,
    /// How it was joined; none where it was proposed, and is proved, or where a tool made what was in conflict.
    pub(super) joined: Option<Joined>,
    /// The proofs of tasks that have landed since its work began and that changed the same files.
    pub(super) met: Vec<Claim>,
}

/// What of a batch goes together.
pub(super) struct Stack<'b> {
    pub(super) batch: &'b Batch,
    pub(super) layers: Vec<Layer<'b>>,
    /// What became of the others.
    pub(super) fates: Vec<(AttemptKey, Fate)>,
    /// What was seen to be flaky while proposals were proved.
    pub(super) flakes: Vec<Flake>,
    /// Why proposals could not be proved.
    pub(super) trouble: Option<String>,
}

/// How many proposals are proved on top of what is not proved itself.
const ON_A_STACK: usize = 2;

impl<'b> Stack<'b> {
    /// Stacks the landings of a batch in their order.
    pub(super) async fn build(batch: &'b Batch, lane: &Lane) -> Result<Self, Error> {
        let mut stack = Self { batch, layers: Vec::new(), fates: Vec::new(), flakes: Vec::new(), trouble: None };
        for landing in &batch.landings {
            if lane.cancel.is_cancelled() || batch.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            match landing.settle(lane, stack.tip()).await? {
                Settled::There(candidate, joined) => {
                    let met = landing.proofs_met(batch, &lane.site.repository.git, &joined).await?;
                    stack.layers.push(Layer { landing, candidate, joined: Some(joined), met });
                }
                Settled::Conflicted(misfit) => {
                    let candidate = match made_anew(batch, landing, lane, &misfit).await? {
                        Some(candidate) => Some(candidate),
                        None => stack.proposed(landing, lane, &misfit).await?,
                    };
                    if let Some(candidate) = candidate {
                        stack.layers.push(Layer { landing, candidate, joined: None, met: Vec::new() });
                        continue;
                    }
                    let fate = stack.fate_of_conflict(landing, lane, *misfit).await?;
                    stack.fates.push((landing.key.clone(), fate));
                }
            }
        }
        Ok(stack)
    }

    async fn fate_of_conflict(&self, landing: &Landing, lane: &Lane, misfit: Misfit) -> Result<Fate, Error> {
        if self.trouble.is_some() {
            return Ok(Fate::PutBack("what could be its merge could not be proved".to_owned()));
        }
        if self.layers.is_empty() {
            return landing.conflict(self.batch, &lane.site, misfit).await;
        }
        match landing.settle(lane, &self.batch.onto).await? {
            Settled::Conflicted(misfit) if !may_be_proposed(&misfit) => landing.conflict(self.batch, &lane.site, *misfit).await,
            _ => Ok(Fate::PutBack("it is merged once what lands beside it has landed".to_owned())),
        }
    }

    /// The first proposal of the ladder for a landing on top of this stack that passes: the proofs of all that it is joined from, and the
    /// gate. Without anything to prove it by there is none.
    async fn proposed(&mut self, landing: &Landing, lane: &Lane, misfit: &Misfit) -> Result<Option<Candidate>, Error> {
        let batch = self.batch;
        let git = &lane.site.repository.git;
        let Some(joined) = misfit.joined.as_ref().filter(|_| may_be_proposed(misfit)) else { return Ok(None) };
        let with = landing.met(batch, git, &misfit.paths).await?;
        let others = batch.landed_proofs.iter().filter(|proof| with.contains(&proof.task)).flat_map(|proof| proof.claims(batch));
        let own = landing.own_claims(batch).into_iter().chain(self.claims(self.layers.len()));
        let claims = distinct(others.chain(own));
        let most = if self.layers.is_empty() { usize::MAX } else { ON_A_STACK };
        if claims.is_empty() || self.trouble.is_some() {
            return Ok(None);
        }
        let held = lane.gate(batch.place, &batch.cancel).await?;
        let gate = held.as_ref().expect("it was opened");
        let mut prover = Prover::new(gate, &lane.verdicts, batch.known_red.clone(), batch.cancel.clone());
        let mut found = None;
        for proposal in joined.proposals(git).await?.into_iter().take(most) {
            let Ok(candidate) = landing.commit_on(lane, &misfit.onto, proposal.tree).await? else { continue };
            // As for a stack: a person's `git gc` must not take it away while it is proved.
            git.set_ref(&batch.place_ref(lane), &candidate.commit).await?;
            match prover.prove(&candidate, &claims).await? {
                Finding::Green { .. } => {
                    found = Some(candidate);
                    break;
                }
                Finding::Red { .. } => {}
                Finding::Trouble(silence) if silence.may_be_the_tree => {}
                Finding::Trouble(silence) => {
                    self.trouble = Some(silence.why);
                    break;
                }
            }
        }
        self.flakes.append(&mut prover.flakes);
        Ok(found)
    }

    /// Another tree for the layer at this place, counted from 1, that passes where the first one does not; only where the ladder merged it by
    /// more than git, so that its texts were a choice.
    pub(super) async fn otherwise(
        &self,
        at: usize,
        lane: &Lane,
        prover: &mut Prover<'_>,
    ) -> Result<Option<(Candidate, BTreeSet<String>)>, Error> {
        let Layer { landing, joined, .. } = &self.layers[at - 1];
        let git = &lane.site.repository.git;
        let Some(joined) = joined else { return Ok(None) };
        let Joined::Clean(clean) = joined else { return Ok(None) };
        let paths = clean.merged();
        if paths.is_empty() {
            return Ok(None);
        }
        let with = landing.met(self.batch, git, &paths).await?;
        let others = self.batch.landed_proofs.iter().filter(|proof| with.contains(&proof.task));
        let claims = distinct(others.flat_map(|proof| proof.claims(self.batch)).chain(self.claims(at)));
        for proposal in joined.proposals(git).await? {
            let Ok(candidate) = landing.commit_on(lane, self.below(at - 1), proposal.tree).await? else { continue };
            git.set_ref(&self.batch.place_ref(lane), &candidate.commit).await?;
            if let Finding::Green { still_red } = prover.prove(&candidate, &claims).await? {
                return Ok(Some((candidate, still_red)));
            }
        }
        Ok(None)
    }

    /// The commit on top; the tip of the run branch where there is none.
    pub(super) fn tip(&self) -> &plans::event::CommitId {
        self.below(self.layers.len())
    }

    /// The commit below a layer.
    pub(super) fn below(&self, at: usize) -> &plans::event::CommitId {
        match at.checked_sub(1) {
            Some(at) => &self.layers[at].candidate.commit,
            None => &self.batch.onto,
        }
    }

    /// What has to hold of the lowest layers together: the proof of each of them, and of what they met, and the gate.
    pub(super) fn claims(&self, layers: usize) -> Vec<Claim> {
        let layers = &self.layers[..layers];
        let own = layers.iter().flat_map(|layer| layer.landing.own_claims(self.batch));
        let met = layers.iter().flat_map(|layer| layer.met.iter().cloned());
        distinct(own.chain(self.batch.gate_claims()).chain(met))
    }
}

/// A landing whose conflicts are all in files that tools make, with these made anew.
async fn made_anew(batch: &Batch, landing: &Landing, lane: &Lane, misfit: &Misfit) -> Result<Option<Candidate>, Error> {
    let Some(Joined::Conflicted(left)) = &misfit.joined else { return Ok(None) };
    let _alone = lane.workshop.lock().await;
    let (network, timeout, cancel) = (batch.network, batch.timeout, batch.cancel.clone());
    let workshop = Workshop { site: &lane.site, onto: &misfit.onto, network, timeout, cancel };
    let tree = left.made_anew(&lane.site.repository.git, &landing.sides(&misfit.onto), &workshop).await?;
    Ok(match tree {
        Some(tree) => landing.commit_on(lane, &misfit.onto, tree).await?.ok(),
        None => None,
    })
}

/// Whether the ladder has something to propose.
fn may_be_proposed(misfit: &Misfit) -> bool {
    matches!(&misfit.joined, Some(Joined::Conflicted(left)) if left.may_be_proposed())
}
