//! Landings: what goes to the coordinator, and what its steps mean for the journal.
//!
//! **Invariant:** every landing that was announced is answered in the journal: landed, set back, or put back.
//! **Invariant:** what passed is journaled before the branch moves, and what landed after it has.

use std::collections::BTreeSet;

use kameo::{
    actor::{ActorRef, Spawn as _},
    message::{Context, Message},
};
use plans::{
    event::{CommitId, Event},
    evidence::{Evidence, Setback},
    run_state::Finished,
    task_state::TaskState,
};
use shared::{AttemptKey, TaskId};

use super::{
    Dispatcher,
    ahead::{Turn, UnderWay},
};
use crate::{
    coordinator::{
        BaseJudged, Batch, Coordinator, Fate, Flake, Judged, Land, LandedProof, Landing, LandingStep, Lane, MoveBranch, Passed,
        ProveBase,
    },
    error::Error,
};

/// What the coordinator is at.
#[derive(Default)]
pub(super) struct Landings {
    coordinator: Option<ActorRef<Coordinator>>,
    /// Whether the base is being proved.
    proving_base: bool,
    /// Batches so far.
    batches: u64,
    /// The batch that lands next, and the one that is proved on top of it.
    pub(super) under_way: UnderWay,
}

impl Dispatcher {
    fn coordinator(&mut self, me: &ActorRef<Self>) -> ActorRef<Coordinator> {
        let (site, base, cancel) = (self.site.clone(), self.state().base().clone(), self.cancel.child_token());
        let fence = self.recorder.fence();
        let make = || Coordinator::spawn(Coordinator::new(Lane::new(site, base, cancel).within(fence), me.clone().recipient()));
        self.landings.coordinator.get_or_insert_with(make).clone()
    }

    /// Has the gate run on the base, once.
    pub(super) async fn prove_base(&mut self, me: &ActorRef<Self>) -> Result<(), Error> {
        if let Some(error) = self.forbidden_gate() {
            return Err(error);
        }
        if std::mem::replace(&mut self.landings.proving_base, true) {
            return Ok(());
        }
        let gate = self.state().plan().map(|plan| plan.gate().clone()).unwrap_or_default();
        self.coordinator(me).tell(ProveBase(gate)).await.map_err(|error| Error::Defect(error.to_string()))
    }

    pub(super) fn announce(&mut self, finished: &[Finished], onto: &CommitId) -> Result<(), Error> {
        let start = |finished: &Finished| Event::LandingStarted { key: finished.key.clone(), onto: onto.clone() };
        self.record_all(&finished.iter().map(start).collect::<Vec<_>>())
    }

    pub(super) async fn send(&mut self, batch: Batch, me: &ActorRef<Self>) -> Result<(), Error> {
        self.coordinator(me).tell(Land(Box::new(batch))).await.map_err(|error| Error::Defect(error.to_string()))
    }

    /// Has the coordinator land these, when nothing else is landing.
    pub(super) async fn land(&mut self, finished: Vec<Finished>, me: &ActorRef<Self>) -> Result<(), Error> {
        let onto = self.state().tip().clone();
        self.announce(&finished, &onto)?;
        let batch = self.batch(finished, onto)?;
        self.landings.under_way.begin(&batch);
        self.send(batch, me).await
    }

    pub(super) fn batch(&mut self, finished: Vec<Finished>, onto: CommitId) -> Result<Batch, Error> {
        self.landings.batches += 1;
        let landings = finished.into_iter().map(|finished| self.landing(finished)).collect::<Result<_, _>>()?;
        let state = self.state();
        let gate = state.plan().map(|plan| plan.gate().clone()).unwrap_or_default();
        Ok(Batch {
            number: self.landings.batches,
            onto,
            landings,
            gate: if state.settings().no_gate { Vec::new() } else { gate.commands },
            network: gate.network,
            timeout: gate.timeout,
            known_red: self.known_red(),
            landed: self.landed(),
            landed_proofs: self.proofs_of(state.landed().iter()),
            place: 0,
            cancel: self.cancel.child_token(),
        })
    }

    pub(super) fn known_red(&self) -> BTreeSet<String> {
        self.state().known_red().iter().map(|red| red.command.clone()).collect()
    }

    /// How tasks are proved.
    pub(super) fn proofs_of<'t>(&self, tasks: impl Iterator<Item = &'t TaskId>) -> Vec<LandedProof> {
        let plan = self.state().plan();
        let tasks = tasks.filter_map(|id| plan?.get(id));
        let proof =
            |task: &plans::Task| LandedProof { task: task.id.clone(), verify: task.verify.clone(), network: task.network };
        tasks.map(proof).collect()
    }

    fn landed(&self) -> Vec<(TaskId, CommitId)> {
        let state = self.state();
        let landed = state.landed().iter().filter_map(|id| match &state.task(id)?.state {
            TaskState::Landed { commit } => Some((id.clone(), commit.clone())),
            _ => None,
        });
        landed.collect()
    }

    fn landing(&self, Finished { key, commit }: Finished) -> Result<Landing, Error> {
        let state = self.state();
        let known = state.plan().and_then(|plan| plan.get(&key.task)).zip(state.task(&key.task));
        let (task, record) = known.ok_or_else(|| Error::Defect(format!("{key} lands without a task")))?;
        let clash = |evidence: &Evidence| match &evidence.setback {
            Setback::Clashed { with, .. } => Some(with.clone()),
            _ => None,
        };
        Ok(Landing {
            clashed_with: record.setbacks.iter().filter_map(clash).collect(),
            commit,
            base: record.base.clone().unwrap_or_else(|| state.base().clone()),
            title: task.title.clone(),
            summary: record.report.as_ref().map(|report| report.summary.clone()).unwrap_or_default(),
            scope: task.scope.clone(),
            deliver: task.deliver.clone(),
            verify: task.verify.clone(),
            network: task.network,
            key,
        })
    }

    async fn hear_of_landing(&mut self, step: LandingStep, me: &ActorRef<Self>) -> Result<(), Error> {
        match step {
            LandingStep::Slow { number, chain } => self.landings.under_way.is_slow(number, chain),
            LandingStep::Judged(judged) => match self.landings.under_way.hear(judged) {
                Some(judged) => self.judged(judged, me).await?,
                None => return Ok(()),
            },
            LandingStep::Moved(judged) => {
                let landed = |passed: &Passed| Event::TaskLanded { key: passed.key.clone(), commit: passed.commit.clone() };
                self.record_all(&judged.passed.iter().map(landed).collect::<Vec<_>>())?;
                self.set_back(*judged)?;
                self.grant_what_is_free_now()?;
                self.take_up_what_is_ahead(me).await?;
            }
            LandingStep::Broken { number, keys, error } => match self.landings.under_way.whose(number) {
                Some(Turn::First) => {
                    self.broken(keys, &error)?;
                    self.take_up_what_is_ahead(me).await?;
                }
                Some(Turn::Ahead) => {
                    self.landings.under_way.drop_ahead();
                    self.broken(keys, &error)?;
                }
                None => return Ok(()),
            },
            LandingStep::Base(judged) => self.base_judged(*judged)?,
        }
        self.pursue(me).await;
        Ok(())
    }

    pub(super) async fn judged(&mut self, judged: Box<Judged>, me: &ActorRef<Self>) -> Result<(), Error> {
        let tasks: Vec<TaskId> = judged.keys().into_iter().map(|key| key.task).collect();
        for flake in &judged.flakes {
            let Flake { command, output, failing } = flake.clone();
            self.record(&Event::FlakySeen { command, tasks: tasks.clone(), output, failing })?;
        }
        if judged.passed.is_empty() {
            self.set_back(*judged)?;
            // What is ahead of it was proved on a tip that never comes, or on this one.
            return Box::pin(self.take_up_what_is_ahead(me)).await;
        }
        let gate_passed = |passed: &Passed| {
            let Passed { key, onto, commit, mended } = passed.clone();
            Event::GatePassed { key, onto, commit, mended }
        };
        self.record_all(&judged.passed.iter().map(gate_passed).collect::<Vec<_>>())?;
        self.coordinator(me).tell(MoveBranch(judged)).await.map_err(|error| Error::Defect(error.to_string()))
    }

    /// What of a batch did not land, once the rest has.
    fn set_back(&mut self, judged: Judged) -> Result<(), Error> {
        let onto = self.state().tip().clone();
        for (key, fate) in judged.fates {
            let onto = onto.clone();
            self.record(&match fate {
                Fate::Conflicted { paths, with, detail } => Event::LandingConflicted { key, onto, paths, with, detail },
                Fate::Red(verdict) => {
                    let verdict = self.state().in_view_of_the_run(verdict);
                    Event::LandingRefused { key, onto, verdict }
                }
                Fate::Clashed { with, verdict } => Event::TasksClashed { key, onto, with, verdict },
                Fate::PutBack(why) => Event::LandingPutBack { key, why },
            })?;
        }
        match judged.trouble {
            Some(why) => self.record(&Event::RunHalted { why }),
            None => Ok(()),
        }
    }

    fn broken(&mut self, keys: Vec<AttemptKey>, error: &Error) -> Result<(), Error> {
        let why = error.to_string();
        for key in keys {
            self.record(&Event::LandingPutBack { key, why: why.clone() })?;
        }
        if matches!(error, Error::Interrupted) {
            return Ok(());
        }
        self.record(&Event::RunHalted { why: format!("a landing could not be carried out: {}", with_hint(error)) })
    }

    fn base_judged(&mut self, judged: Result<BaseJudged, Error>) -> Result<(), Error> {
        self.landings.proving_base = false;
        let judged = match judged {
            Ok(judged) => judged,
            Err(Error::Interrupted) => return Ok(()),
            Err(error) => {
                let why = format!("the gate could not be run on the base: {}", with_hint(&error));
                return self.record(&Event::RunHalted { why });
            }
        };
        for flake in judged.flakes {
            let Flake { command, output, failing } = flake;
            self.record(&Event::FlakySeen { command, tasks: Vec::new(), output, failing })?;
        }
        match judged.trouble {
            Some(why) => self.record(&Event::RunHalted { why }),
            None => self.record(&Event::BaseProved { red: judged.red }),
        }
    }
}

fn with_hint(error: &Error) -> String {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{error}{hint}")
}

impl Message<LandingStep> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, step: LandingStep, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        if let Err(error) = self.hear_of_landing(step, &me).await {
            self.finish(Err(error));
        }
    }
}
