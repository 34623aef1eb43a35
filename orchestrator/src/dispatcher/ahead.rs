//! Speculation: while a batch is being proved and that takes long, the next one is proved on top of it.
//!
//! ```text
//! first ─ slow ─► the next is stacked on its top and proved in the other place
//!   └ landed as a whole ─► the next is the first now; its verdict stands, or is still to come
//!   └ anything else ─────► the next is discarded and put back in its order
//! ```
//!
//! **Invariant:** there is at most one batch ahead. **Invariant:** what is ahead moves nothing before the first has landed as a whole, and
//! what it was told to be red before is still what is red.

use std::collections::BTreeSet;

use kameo::actor::ActorRef;
use plans::event::{CommitId, Event};
use shared::AttemptKey;
use tokio_util::sync::CancellationToken;

use super::Dispatcher;
use crate::{
    coordinator::{Batch, Chain, Judged},
    error::Error,
};

/// The batches that the coordinator is at.
#[derive(Default)]
pub(super) struct UnderWay {
    first: Option<Proof>,
    ahead: Option<Proof>,
}

/// Whose turn it is to land.
pub(super) enum Turn {
    /// It lands next.
    First,
    /// It is proved on top of the first.
    Ahead,
}

/// A batch that is being proved, or was.
struct Proof {
    number: u64,
    place: usize,
    onto: CommitId,
    known_red: BTreeSet<String>,
    keys: Vec<AttemptKey>,
    cancel: CancellationToken,
    /// What it will have landed, once its proof has turned out to take long.
    slow: Option<Chain>,
    /// The verdict, which waits for the first.
    judged: Option<Box<Judged>>,
}

impl Proof {
    fn of(batch: &Batch) -> Self {
        Self {
            number: batch.number,
            place: batch.place,
            onto: batch.onto.clone(),
            known_red: batch.known_red.clone(),
            keys: batch.keys(),
            cancel: batch.cancel.clone(),
            slow: None,
            judged: None,
        }
    }
}

impl UnderWay {
    /// A batch is about to be proved that lands next.
    pub(super) fn begin(&mut self, batch: &Batch) {
        self.first = Some(Proof::of(batch));
    }

    /// Whose turn the batch of this number is; none where it was discarded.
    pub(super) fn whose(&self, number: u64) -> Option<Turn> {
        let is = |proof: &Option<Proof>| proof.as_ref().is_some_and(|proof| proof.number == number);
        is(&self.first).then_some(Turn::First).or_else(|| is(&self.ahead).then_some(Turn::Ahead))
    }

    /// A proof takes long.
    pub(super) fn is_slow(&mut self, number: u64, chain: Chain) {
        let proofs = [&mut self.first, &mut self.ahead].into_iter().flatten();
        if let Some(proof) = proofs.into_iter().find(|proof| proof.number == number) {
            proof.slow = Some(chain);
        }
    }

    /// A verdict: it is returned if it is that of the first. What is ahead has to wait, and what was discarded is forgotten.
    pub(super) fn hear(&mut self, judged: Box<Judged>) -> Option<Box<Judged>> {
        match self.whose(judged.number)? {
            Turn::First => return Some(judged),
            Turn::Ahead => self.ahead.as_mut().expect("it is there").judged = Some(judged),
        }
        None
    }

    /// What was ahead is not any more.
    pub(super) fn drop_ahead(&mut self) {
        self.ahead = None;
    }
}

impl Dispatcher {
    /// Takes up the next batch on top of one whose proof takes long, if there is one to take up.
    pub(super) async fn look_ahead(&mut self, me: &ActorRef<Self>) -> Result<(), Error> {
        let under_way = &self.landings.under_way;
        let first = under_way.first.as_ref().filter(|_| under_way.ahead.is_none() && self.state().settings().speculate);
        let Some((place, chain)) = first.and_then(|first| Some((first.place, first.slow.clone()?))) else { return Ok(()) };
        let (finished, tip) = (self.state().next_batch(), self.state().tip().clone());
        let Some((_, onto)) = chain.last().cloned().filter(|_| !finished.is_empty() && self.end.is_some()) else { return Ok(()) };
        self.announce(&finished, &tip)?;
        let mut batch = Batch { place: 1 - place, ..self.batch(finished, onto)? };
        // Whoever lands before it may be its partner in a clash, and what it met in one file has to hold.
        batch.landed_proofs.extend(self.proofs_of(chain.iter().map(|(task, _)| task)));
        batch.landed.extend(chain);
        self.landings.under_way.ahead = Some(Proof::of(&batch));
        self.send(batch, me).await
    }

    /// The first is over: what was proved on top of it is the first now, or was proved for nothing.
    pub(super) async fn take_up_what_is_ahead(&mut self, me: &ActorRef<Self>) -> Result<(), Error> {
        self.landings.under_way.first = None;
        let Some(mut ahead) = self.landings.under_way.ahead.take() else { return Ok(()) };
        if ahead.onto == *self.state().tip() && ahead.known_red == self.known_red() && self.state().halted().is_none() {
            let judged = ahead.judged.take();
            self.landings.under_way.first = Some(ahead);
            return match judged {
                Some(judged) => Box::pin(self.judged(judged, me)).await,
                None => Ok(()),
            };
        }
        ahead.cancel.cancel();
        let why = "it was proved on top of a batch that did not land as a whole";
        for key in ahead.keys {
            self.record(&Event::LandingPutBack { key, why: why.to_owned() })?;
        }
        Ok(())
    }
}
