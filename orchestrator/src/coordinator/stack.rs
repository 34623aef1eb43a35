//! A batch as a stack of commits: each task's change on top of the one before.
//!
//! **Invariant:** a conflict is one only with what has landed. A task that does not go together with one that lands beside it is put back,
//! for that one may yet be red; the rest of the stack goes on without it.

use shared::AttemptKey;

use super::{
    Batch, Fate, Landing, Lane,
    landing::Settled,
    proof::{Candidate, distinct},
};
use crate::{error::Error, gate::Claim};

/// One task's commit in a stack.
pub(super) struct Layer<'b> {
    pub(super) landing: &'b Landing,
    /// The commit, on top of the layer below.
    pub(super) candidate: Candidate,
}

/// What of a batch goes together.
pub(super) struct Stack<'b> {
    pub(super) batch: &'b Batch,
    pub(super) layers: Vec<Layer<'b>>,
    /// What became of the others.
    pub(super) fates: Vec<(AttemptKey, Fate)>,
}

impl<'b> Stack<'b> {
    /// Stacks the landings of a batch in their order.
    pub(super) async fn build(batch: &'b Batch, lane: &Lane) -> Result<Self, Error> {
        let mut stack = Self { batch, layers: Vec::new(), fates: Vec::new() };
        for landing in &batch.landings {
            if lane.cancel.is_cancelled() || batch.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            match landing.settle(lane, stack.tip()).await? {
                Settled::There(candidate) => stack.layers.push(Layer { landing, candidate }),
                Settled::Conflicted { tree, paths } => {
                    let fate = stack.fate_of_conflict(landing, lane, (tree, paths)).await?;
                    stack.fates.push((landing.key.clone(), fate));
                }
            }
        }
        Ok(stack)
    }

    async fn fate_of_conflict(
        &self,
        landing: &Landing,
        lane: &Lane,
        (tree, paths): (String, Vec<shared::RepoPath>),
    ) -> Result<Fate, Error> {
        if self.layers.is_empty() {
            return landing.conflict(self.batch, &lane.site, (&tree, paths)).await;
        }
        match landing.settle(lane, &self.batch.onto).await? {
            Settled::There(_) => Ok(Fate::PutBack("it is merged once what lands beside it has landed".to_owned())),
            Settled::Conflicted { tree, paths } => landing.conflict(self.batch, &lane.site, (&tree, paths)).await,
        }
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

    /// What has to hold of the lowest layers together: the proof of each of them, and the gate.
    pub(super) fn claims(&self, layers: usize) -> Vec<Claim> {
        let own = self.layers[..layers].iter().flat_map(|layer| layer.landing.own_claims(self.batch));
        distinct(own.chain(self.batch.gate_claims()))
    }
}
