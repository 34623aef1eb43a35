//! One batch: stacked, proved at its top, and bisected where that is red.
//!
//! **Invariant:** what is said to have passed ends with a tree whose own proof was green; the commits below it are steps on the way there.
//! **Invariant:** every landing of a batch gets exactly one answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use plans::event::{CommitId, Proof, RedVerdict};
use shared::{AttemptKey, Network, RepoPath, TaskId};
use tokio_util::sync::CancellationToken;

use super::{
    Landing, Lane,
    bisect::{Bisect, Next},
    blame::{Fault, Inquiry, Judgement},
    landing::cut,
    proof::{Finding, Flake, Prover},
    stack::Stack,
};
use crate::{
    error::Error,
    gate::{Claim, Gate},
};

/// Finished tasks that go to the run branch together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Counted within the process.
    pub number: u64,
    /// The tip of the run branch, or of the batch before, which is being proved.
    pub onto: CommitId,
    /// In the order in which they are to land.
    pub landings: Vec<Landing>,
    /// The gate.
    pub gate: Vec<String>,
    /// What the gate's commands can reach.
    pub network: Network,
    /// For each command.
    pub timeout: Duration,
    /// Commands of the gate that have failed since before the run.
    pub known_red: BTreeSet<String>,
    /// Tasks that have landed, with their commits, in landing order.
    pub landed: Vec<(TaskId, CommitId)>,
    /// How these are proved.
    pub landed_proofs: Vec<LandedProof>,
    /// Which of the two places it is proved in.
    pub place: usize,
    /// Nobody needs its verdict any more.
    pub cancel: CancellationToken,
}

/// How a task that has landed is proved: what is joined with it in one place has to pass that, too.
#[derive(Debug, Clone)]
pub struct LandedProof {
    /// The task.
    pub task: TaskId,
    /// Its own proof.
    pub verify: Vec<String>,
    /// What that can reach.
    pub network: Network,
}

impl LandedProof {
    /// As claims of a batch.
    pub(super) fn claims(&self, batch: &Batch) -> Vec<Claim> {
        let claim = |command: &String| Claim {
            proof: Proof::Task,
            of: Some(self.task.clone()),
            command: command.clone(),
            timeout: batch.timeout,
            network: self.network,
        };
        self.verify.iter().map(claim).collect()
    }
}

impl Batch {
    /// The ref that keeps what is being proved.
    pub(super) fn place_ref(&self, lane: &Lane) -> String {
        format!("refs/inspan/{}/_landing{}", lane.site.run(), if self.place == 0 { "" } else { "_ahead" })
    }

    /// What the gate asks for.
    pub(super) fn gate_claims(&self) -> impl Iterator<Item = Claim> {
        let claim = |command: &String| Claim {
            proof: Proof::Gate,
            of: None,
            command: command.clone(),
            timeout: self.timeout,
            network: self.network,
        };
        self.gate.iter().map(claim)
    }

    /// Whose landings they are.
    pub fn keys(&self) -> Vec<AttemptKey> {
        self.landings.iter().map(|landing| landing.key.clone()).collect()
    }
}

/// Tasks with their commits, each on top of the one before.
pub type Chain = Vec<(TaskId, CommitId)>;

/// A task that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The attempt.
    pub key: AttemptKey,
    /// The commit below.
    pub onto: CommitId,
    /// Its commit.
    pub commit: CommitId,
    /// Commands of the gate that failed on the base and pass here.
    pub mended: Vec<String>,
}

/// What becomes of a task that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The change and the run branch touch the same lines.
    Conflicted {
        /// The files.
        paths: Vec<RepoPath>,
        /// Tasks that touched them meanwhile.
        with: Vec<TaskId>,
        /// Both sides.
        detail: String,
    },
    /// The merged tree does not pass, and that is the task's own fault.
    Red(RedVerdict),
    /// It does not go together with a task that has landed, or lands with this batch.
    Clashed {
        /// Which.
        with: TaskId,
        /// What fails.
        verdict: RedVerdict,
    },
    /// It is to be tried again as it is, for this reason.
    PutBack(String),
}

/// What a batch came to.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Which.
    pub number: u64,
    /// What it was stacked on.
    pub onto: CommitId,
    /// What lands, in this order: a chain of commits.
    pub passed: Vec<Passed>,
    /// What does not, for now.
    pub fates: Vec<(AttemptKey, Fate)>,
    /// What was seen to be flaky.
    pub flakes: Vec<Flake>,
    /// Why the run cannot go on, if so.
    pub trouble: Option<String>,
}

impl Judged {
    /// All that it answers for.
    pub fn keys(&self) -> Vec<AttemptKey> {
        let passed = self.passed.iter().map(|passed| passed.key.clone());
        passed.chain(self.fates.iter().map(|(key, _)| key.clone())).collect()
    }

    /// Its highest commit.
    pub fn tip(&self) -> &CommitId {
        self.passed.last().map_or(&self.onto, |passed| &passed.commit)
    }
}

/// What is known of a stack so far.
#[derive(Default)]
struct Known {
    /// What is still red where a number of layers is green.
    green: BTreeMap<usize, BTreeSet<String>>,
    /// What fails where a number of layers is red.
    red: BTreeMap<usize, Fault>,
    /// Where nobody could tell, and it may have to do with the tree.
    silent: BTreeMap<usize, String>,
}

impl Batch {
    /// Merges and proves. The branch does not move here. `stacked` is told of the stack before it is proved.
    pub(super) async fn carry_out(&self, lane: &Lane, stacked: impl FnOnce(Chain)) -> Result<Judged, Error> {
        let mut stack = Stack::build(self, lane).await?;
        let mut judged = Judged {
            number: self.number,
            onto: self.onto.clone(),
            passed: Vec::new(),
            fates: std::mem::take(&mut stack.fates),
            flakes: Vec::new(),
            trouble: None,
        };
        let mask = |flake: Flake| Flake { output: cut(&lane.site.secrecy.mask(&flake.output), 4 << 10), ..flake };
        judged.flakes = std::mem::take(&mut stack.flakes).into_iter().map(mask).collect();
        if let Some(why) = stack.trouble.take() {
            put_all_back(&stack, why, &mut judged);
            return Ok(judged);
        }
        if stack.layers.is_empty() {
            return Ok(judged);
        }
        // A person's `git gc` must not take it away while it is proved.
        lane.site.repository.git.set_ref(&self.place_ref(lane), stack.tip()).await?;
        stacked(stack.layers.iter().map(|layer| (layer.landing.key.task.clone(), layer.candidate.commit.clone())).collect());
        let held = lane.gate(self.place, &self.cancel).await?;
        let gate: &Gate = held.as_ref().expect("it was opened");
        let mut prover = Prover::new(gate, &lane.verdicts, self.known_red.clone(), self.cancel.clone());
        self.judge(lane, &mut stack, &mut prover, &mut judged).await?;
        judged.flakes.extend(prover.flakes.into_iter().map(mask));
        Ok(judged)
    }

    async fn judge<'b>(
        &'b self,
        lane: &'b Lane,
        stack: &mut Stack<'b>,
        prover: &mut Prover<'b>,
        judged: &mut Judged,
    ) -> Result<(), Error> {
        let (mut bisect, mut known) = (Bisect::new(stack.layers.len()), Known::default());
        let culprit = loop {
            match bisect.next() {
                Next::Whole => break None,
                Next::Culprit(at) => break Some(at),
                Next::Prove(at) => match prover.prove(&stack.layers[at - 1].candidate, &stack.claims(at)).await? {
                    Finding::Green { still_red } => {
                        bisect.take(at, true);
                        known.green.insert(at, still_red);
                    }
                    Finding::Red { red, claim } => {
                        bisect.take(at, false);
                        known.red.insert(at, Fault { red, claim });
                    }
                    // What hangs with everybody's work may not with less of it, and that can land.
                    Finding::Trouble(silence) if silence.may_be_the_tree => {
                        bisect.take(at, false);
                        known.silent.insert(at, silence.why);
                    }
                    Finding::Trouble(silence) => {
                        put_all_back(stack, silence.why, judged);
                        return Ok(());
                    }
                },
            }
        };
        let mut green = bisect.green();
        let mut culprit = culprit;
        if let Some(why) = culprit.and_then(|at| known.silent.remove(&at)) {
            judged.passed = self.chain(stack, green, known.green.get(&green));
            put_back(stack, green, "it could not be proved", judged);
            judged.trouble = Some(why);
            return Ok(());
        }
        if let Some(at) = culprit
            && let Some((candidate, still_red)) = stack.otherwise(at, lane, prover).await?
        {
            stack.layers[at - 1].candidate = candidate;
            known.green.insert(at, still_red);
            (green, culprit) = (at, None);
        }
        let mut rest = green;
        if let Some((at, fault)) = culprit.and_then(|at| Some((at, known.red.remove(&at)?))) {
            let mut inquiry = Inquiry { lane, stack, prover };
            match inquiry.judge(at - 1, fault).await? {
                Judgement::Fate(fate) => judged.fates.push((stack.layers[at - 1].landing.key.clone(), fate)),
                Judgement::Trouble(why) => {
                    put_all_back(stack, why, judged);
                    return Ok(());
                }
            }
            rest = at;
        }
        judged.passed = self.chain(stack, green, known.green.get(&green));
        put_back(stack, rest, "what was to land before it did not; it is proved again on the new tip", judged);
        Ok(())
    }

    /// The green layers as what lands. What they mend, they mend at the top: nothing is known about the commits below.
    fn chain(&self, stack: &Stack<'_>, green: usize, still_red: Option<&BTreeSet<String>>) -> Vec<Passed> {
        let mended = || self.known_red.iter().filter(|command| !still_red.is_some_and(|red| red.contains(*command))).cloned();
        let passed = |(at, layer): (usize, &super::stack::Layer<'_>)| Passed {
            key: layer.landing.key.clone(),
            onto: stack.below(at).clone(),
            commit: layer.candidate.commit.clone(),
            mended: if at + 1 == green { mended().collect() } else { Vec::new() },
        };
        stack.layers[..green].iter().enumerate().map(passed).collect()
    }
}

fn put_back(stack: &Stack<'_>, from: usize, why: &str, judged: &mut Judged) {
    let back = |layer: &super::stack::Layer<'_>| (layer.landing.key.clone(), Fate::PutBack(why.to_owned()));
    judged.fates.extend(stack.layers[from..].iter().map(back));
}

/// The machine failed: nothing is known, and nobody is to blame.
fn put_all_back(stack: &Stack<'_>, trouble: String, judged: &mut Judged) {
    put_back(stack, 0, "it could not be proved", judged);
    judged.trouble = Some(trouble);
}
