//! The coordinator: the only writer of the run branch.
//!
//! Workers finish in any order, each in its own worktree. Two landings at a time would each be proved on a base that the other has
//! just changed, so this is one actor with one lane: the dispatcher sends one landing and waits for its end.
//!
//! **Invariant:** every commit on the run branch has passed the task's verification and the gate, as that very tree.
//! **Invariant:** nothing else in this program moves the run branch, and it moves by compare-and-swap.
//! **Invariant:** what was proved is journaled (by the dispatcher, in answer to [`LandingStep::Passed`]) before the branch moves.
//!
//! A conflict is no error here; it is an outcome, and `plans::run_state` decides what follows. How trees are merged and proved is
//! in `landing`.
//!
//! Why not rebase the workers' branches? A rebase is one merge for each commit of a worker, and a worker's history is nobody's: what
//! lands is one commit a task.

pub mod ladder;
mod landing;

use std::sync::Arc;

use kameo::{
    Actor,
    actor::{ActorRef, Recipient},
    message::{Context, Message},
};
use plans::event::{CommitId, RedVerdict};
use shared::{AttemptKey, RepoPath, TaskId};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use landing::Landing;

use crate::{
    error::Error,
    gate::Gate,
    git::{Git, Swap},
    site::Site,
};

/// The actor. Its work runs in a task, so that a stop is heard at once.
pub struct Coordinator {
    lane: Arc<Lane>,
    tell: Recipient<LandingStep>,
}

/// What a landing needs, one at a time.
pub struct Lane {
    site: Arc<Site>,
    /// What the run started from, and the gate's worktree with it.
    base: CommitId,
    /// Where proofs run, once something was to be proved.
    gate: Mutex<Option<Gate>>,
    /// Ends whatever is under way.
    cancel: CancellationToken,
}

impl Lane {
    /// Nothing is opened yet: that takes a whole checkout, which is the first landing's work.
    pub fn new(site: Arc<Site>, base: CommitId, cancel: CancellationToken) -> Self {
        Self { site, base, gate: Mutex::new(None), cancel }
    }
}

/// How far a landing has come.
#[derive(Debug)]
pub enum LandingStep {
    /// The merged tree passed. The coordinator waits for [`MoveBranch`].
    Passed {
        /// The attempt.
        key: AttemptKey,
        /// The commit that passed.
        commit: CommitId,
    },
    /// The run branch has moved.
    Moved {
        /// The attempt.
        key: AttemptKey,
        /// The new tip.
        commit: CommitId,
    },
    /// The change and the run branch touch the same lines.
    Conflicted {
        /// The attempt.
        key: AttemptKey,
        /// The files.
        paths: Vec<RepoPath>,
        /// Tasks that touched them meanwhile.
        with: Vec<TaskId>,
        /// Both sides.
        detail: String,
    },
    /// The merged tree does not pass.
    Red {
        /// The attempt.
        key: AttemptKey,
        /// What failed.
        verdict: RedVerdict,
    },
    /// The landing could not be carried through, for a reason that is nobody's task.
    Broken {
        /// The attempt.
        key: AttemptKey,
        /// Why.
        error: Error,
    },
}

/// Land this.
pub struct Land(pub Box<Landing>);

/// What was proved is on disk: move the branch.
pub struct MoveBranch {
    /// The attempt.
    pub key: AttemptKey,
    /// From here.
    pub onto: CommitId,
    /// To here.
    pub commit: CommitId,
}

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

    async fn handle(&mut self, Land(landing): Land, _: &mut Context<Self, ()>) {
        let (lane, tell, key) = (self.lane.clone(), self.tell.clone(), landing.key.clone());
        tokio::spawn(async move {
            let work = tokio::spawn(async move { landing.carry_out(&lane).await });
            let step = match work.await {
                Ok(Ok(step)) => step,
                Ok(Err(error)) => LandingStep::Broken { key, error },
                Err(panic) => LandingStep::Broken { key, error: Error::Defect(panic.to_string()) },
            };
            // The dispatcher is gone only when the whole run is.
            let _ = tell.tell(step).await;
        });
    }
}

impl Message<MoveBranch> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, MoveBranch { key, onto, commit }: MoveBranch, _: &mut Context<Self, ()>) {
        let git = &self.lane.site.repository.git;
        let branch = self.lane.site.branch_ref();
        if let Some(error) = checked_out(git, &branch).await {
            // The dispatcher is gone only when the whole run is.
            let _ = self.tell.tell(LandingStep::Broken { key, error }).await;
            return;
        }
        let swap = git.swap_ref(&branch, &commit, Some(&onto)).await;
        let step = match swap {
            Ok(Swap::Done) => LandingStep::Moved { key, commit },
            Ok(Swap::Lost) => {
                let (what, hint) = (
                    format!(
                        "{branch} was moved or deleted by somebody else while task {} was landing; nothing was overwritten",
                        key.task
                    ),
                    format!("put it back to {onto}, or copy it away and delete it"),
                );
                LandingStep::Broken { key, error: Error::Refused { what, hint } }
            }
            Err(error) => LandingStep::Broken { key, error: error.into() },
        };
        // As above.
        let _ = self.tell.tell(step).await;
    }
}

#[cfg(test)]
mod tests;

/// A branch that moves under a checkout would make the person's next commit undo what landed.
async fn checked_out(git: &Git, branch: &str) -> Option<Error> {
    let place = git.text(["for-each-ref", "--format=%(worktreepath)", branch]).await.ok().filter(|place| !place.is_empty())?;
    let what = format!("the run branch is checked out in {place}, so it was not moved; nothing is lost");
    Some(Error::Refused { what, hint: "switch to another branch there".to_owned() })
}
