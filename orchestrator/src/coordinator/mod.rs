//! The coordinator: the only writer of the run branch.
//!
//! Workers finish in any order, each in its own worktree. All that have finished land as one batch: their changes are stacked, one commit a
//! task, and only the top of the stack is proved. Where that is red, the stack is bisected: what is green lands, one task is judged, the
//! rest goes back to the queue. While a batch is being proved, the next one may be proved on top of it, in a place of its own.
//!
//! **Invariant:** the run branch moves only to a commit that has passed the verification of each task that lands and the gate, as that very
//! tree; but for commands of the gate that have failed since before the run, which are forgiven until they pass once.
//! **Invariant:** nothing else in this program moves the run branch, and it moves by compare-and-swap, by a process that
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

use self::verdicts::Verdicts;
use crate::{
    crash_point::{self, Point},
    error::Error,
    gate::Gate,
    git::{Git, Swap},
    journal::Fence,
    site::Site,
};

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
        if held.is_none() {
            let opening = cancel.run_until_cancelled(Gate::open(&self.site, HOLDERS[place], &self.base));
            *held = Some(opening.await.unwrap_or(Err(Error::Interrupted))?);
        }
        Ok(held)
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
                // Nobody listens any more where it took no time.
                batch.carry_out(&lane, |chain| drop(stacked.send(chain))).await
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
        let (git, branch) = (&self.lane.site.repository.git, self.lane.site.branch_ref());
        let fenced = self.lane.fence.as_ref().map_or(Ok(()), Fence::stands).map_err(Error::from);
        let moved = match fenced {
            Ok(()) => move_branch(git, &branch, &judged).await,
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

async fn move_branch(git: &Git, branch: &str, judged: &Judged) -> Result<(), Error> {
    if let Some(error) = checked_out(git, branch).await {
        return Err(error);
    }
    match git.swap_ref(branch, judged.tip(), Some(&judged.onto)).await? {
        Swap::Done => {
            crash_point::pass(Point::BranchMoved);
            Ok(())
        }
        // A call of git that outlived its process, which was killed, has done it already.
        Swap::Lost if git.commit(branch).await.as_ref() == Some(judged.tip()) => Ok(()),
        Swap::Lost => {
            let names: Vec<&str> = judged.passed.iter().map(|passed| passed.key.task.as_str()).collect();
            let what = format!(
                "{branch} was moved or deleted by somebody else while {} was landing; nothing was overwritten",
                names.join(", ")
            );
            let hint = format!("put it back to {}, or copy it away and delete it", judged.onto);
            Err(Error::Refused { what, hint })
        }
    }
}

#[cfg(test)]
mod tests;

/// A branch that moves under a checkout would make the person's next commit undo what landed.
async fn checked_out(git: &Git, branch: &str) -> Option<Error> {
    let place = match git.text(["for-each-ref", "--format=%(worktreepath)", branch]).await {
        Ok(place) if place.is_empty() => return None,
        Ok(place) => place,
        // Whoever cannot look must not move it.
        Err(error) => return Some(error.into()),
    };
    let what = format!("the run branch is checked out in {place}, so it was not moved; nothing is lost");
    Some(Error::Refused { what, hint: "switch to another branch there".to_owned() })
}
