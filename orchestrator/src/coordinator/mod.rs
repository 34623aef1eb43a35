//! The coordinator: the only writer of the run branch.
//!
//! Workers finish in any order, each in its own worktree. All that have finished land as one batch: their changes are stacked, one commit a
//! task, and only the top of the stack is proved. Where that is red, the stack is bisected: what is green lands, one task is judged, the
//! rest goes back to the queue. While a batch is being proved, the next one may be proved on top of it, in a place of its own.
//!
//! **Invariant:** the run branch moves only to a commit that has passed the verification of each task that lands and the gate, as that very
//! tree; but for commands of the gate that have failed since before the run, which are forgiven until they pass once.
//! **Invariant:** nothing else in this program moves the run branch, and it moves by compare-and-swap (`branch`), by a process that
//! nobody has fenced off.
//! **Invariant:** what was proved is journaled (by the dispatcher, in answer to [`LandingStep::Judged`]) before the branch moves.
//!
//! A conflict or a red is no error here; it is an outcome, and `plans::run_state` decides what follows. Batches are in `batch`, merges in
//! `landing` and `stack`, proofs in `proof`, whose fault a red is in `blame`, what is the machine's fault in `trouble`.
//!
//! Why not rebase the workers' branches? A rebase is one merge for each commit of a worker, and a worker's history is nobody's: what
//! lands is one commit a task.
//!
//! Why not one landing at a time? Then a gate of ten minutes lets six tasks land in an hour, however many workers there are.

mod base;
mod batch;
mod bisect;
mod blame;
pub mod branch;
pub mod ladder;
mod landing;
mod proof;
mod stack;
pub mod trouble;
mod verdicts;

use std::{sync::Arc, time::Duration};

use kameo::{
    Actor,
    actor::{ActorRef, Recipient},
    message::{Context, Message},
};
use plans::event::CommitId;
use shared::AttemptKey;
use tokio::{
    sync::{Mutex, MutexGuard, oneshot},
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

pub use base::{BaseJudged, ProveBase};
pub use batch::{Batch, Chain, Fate, Judged, LandedProof, Passed};
pub use landing::Landing;
pub use proof::{Candidate, Finding, Flake, Prover, distinct};
pub use verdicts::Verdicts;

use crate::{error::Error, gate::Gate, journal::Fence, site::Site};

/// The actor. Its work runs in a task, so that a stop is heard at once.
pub struct Coordinator {
    lane: Arc<Lane>,
    tell: Recipient<LandingStep>,
}

/// What landings need.
pub struct Lane {
    site: Arc<Site>,
    /// What the run started from, and the gate's worktrees with it.
    base: CommitId,
    /// Where proofs run, once something was to be proved: the usual place, and one for what is proved ahead.
    gates: [Mutex<Option<Gate>>; 2],
    /// Where tools make files anew: one at a time.
    workshop: Mutex<()>,
    /// What was proved.
    verdicts: Verdicts,
    /// What tells whether this process may still move the branch.
    fence: Option<Fence>,
    /// Ends whatever is under way.
    cancel: CancellationToken,
}

/// Whose directories the two places are.
const HOLDERS: [&str; 2] = ["_gate", "_gate_ahead"];

impl Lane {
    /// Nothing is opened yet: that takes a whole checkout, which is the first landing's work.
    pub fn new(site: Arc<Site>, base: CommitId, cancel: CancellationToken) -> Self {
        Self {
            site,
            base,
            gates: Default::default(),
            workshop: Mutex::default(),
            verdicts: Verdicts::default(),
            fence: None,
            cancel,
        }
    }

    /// The branch moves only as long as this stands.
    #[must_use]
    pub fn within(self, fence: Option<Fence>) -> Self {
        Self { fence, ..self }
    }

    /// A place to prove things in, open and for oneself.
    async fn gate(&self, place: usize, cancel: &CancellationToken) -> Result<MutexGuard<'_, Option<Gate>>, Error> {
        let mut held = self.gates[place].lock().await;
        let folder = self.site.worktrees.join(self.site.run().as_str()).join(HOLDERS[place]);
        // Somebody may have removed it.
        if held.is_none() || !folder.join("tree").is_dir() {
            let opening = cancel.run_until_cancelled(Gate::open(&self.site, HOLDERS[place], &self.base));
            *held = Some(opening.await.unwrap_or(Err(Error::Interrupted))?);
        }
        Ok(held)
    }

    /// Carries a batch out. A person's `git gc` takes away what has no ref yet, and they may remove the directory of a gate: what that has
    /// broken is put together once more.
    async fn carry_out(&self, batch: &Batch, mut stacked: impl FnMut(Chain)) -> Result<Judged, Error> {
        match batch.carry_out(self, &mut stacked).await {
            Err(Error::Git(_) | Error::Disk { .. }) if !batch.cancel.is_cancelled() && !self.cancel.is_cancelled() => {
                batch.carry_out(self, stacked).await
            }
            done => done,
        }
    }

    /// A token that ends with the lane's own.
    pub fn cancel(&self) -> CancellationToken {
        self.cancel.child_token()
    }
}

/// How far a batch has come.
#[derive(Debug)]
pub enum LandingStep {
    /// Its proof takes long: the next batch may be proved on top of it meanwhile.
    Slow {
        /// Which.
        number: u64,
        /// What it will have landed when it is green.
        chain: Chain,
    },
    /// It was proved. Where something passed, the coordinator waits for [`MoveBranch`].
    Judged(Box<Judged>),
    /// The run branch has moved to its top.
    Moved(Box<Judged>),
    /// A batch could not be carried through, for a reason that is nobody's task.
    Broken {
        /// Which.
        number: u64,
        /// The attempts.
        keys: Vec<AttemptKey>,
        /// Why.
        error: Error,
    },
    /// The base was proved, or could not be.
    Base(Box<Result<BaseJudged, Error>>),
}

/// Land these.
pub struct Land(pub Box<Batch>);

/// What was proved is on disk: move the branch from where the batch was stacked to its top.
pub struct MoveBranch(pub Box<Judged>);

impl Coordinator {
    /// With the lane and whoever is to hear of its steps.
    pub fn new(lane: Lane, tell: Recipient<LandingStep>) -> Self {
        Self { lane: Arc::new(lane), tell }
    }
}

impl Actor for Coordinator {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(args)
    }
}

impl Message<Land> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, Land(batch): Land, _: &mut Context<Self, ()>) {
        let (lane, tell) = (self.lane.clone(), self.tell.clone());
        tokio::spawn(async move {
            let (number, keys) = (batch.number, batch.keys());
            let (stacked, chain) = oneshot::channel();
            let work = tokio::spawn(async move {
                let mut stacked = Some(stacked);
                // Nobody listens any more where it took no time.
                lane.carry_out(&batch, |chain| drop(stacked.take().map(|stacked| stacked.send(chain)))).await
            });
            let slow = tell_when_slow(number, chain, tell.clone());
            let step = match until_done(work, slow).await {
                Ok(Ok(judged)) => LandingStep::Judged(Box::new(judged)),
                Ok(Err(error)) => LandingStep::Broken { number, keys, error },
                Err(panic) => LandingStep::Broken { number, keys, error: Error::Defect(panic.to_string()) },
            };
            // The dispatcher is gone only when the whole run is.
            let _ = tell.tell(step).await;
        });
    }
}

/// How long a proof may take before the next batch is proved beside it. Small runs never open a second place.
const SLOW: Duration = Duration::from_secs(2);

async fn tell_when_slow(number: u64, chain: oneshot::Receiver<Chain>, tell: Recipient<LandingStep>) {
    let Ok(chain) = chain.await else { return };
    tokio::time::sleep(SLOW).await;
    // The dispatcher is gone only when the whole run is.
    let _ = tell.tell(LandingStep::Slow { number, chain }).await;
}

/// The end of the work, with something beside it that ends with it.
async fn until_done<T>(mut work: JoinHandle<T>, beside: impl Future<Output = ()>) -> Result<T, JoinError> {
    tokio::select! {
        done = &mut work => return done,
        () = beside => {}
    }
    work.await
}

impl Message<MoveBranch> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, MoveBranch(judged): MoveBranch, _: &mut Context<Self, ()>) {
        let (git, name) = (&self.lane.site.repository.git, self.lane.site.branch_ref());
        let fenced = self.lane.fence.as_ref().map_or(Ok(()), Fence::stands).map_err(Error::from);
        let moved = match fenced {
            Ok(()) => branch::advance(git, &name, judged.tip()).await,
            Err(error) => Err(error),
        };
        let step = match moved {
            Ok(()) => LandingStep::Moved(judged),
            Err(error) => LandingStep::Broken { number: judged.number, keys: judged.keys(), error },
        };
        // As above.
        let _ = self.tell.tell(step).await;
    }
}

#[cfg(test)]
mod tests;
