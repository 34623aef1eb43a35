//! Landings: what goes to the coordinator, and what its steps mean for the journal.

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::event::{CommitId, Event};
use shared::AttemptKey;

use super::Dispatcher;
use crate::{
    coordinator::{Land, Landing, LandingStep, MoveBranch},
    error::Error,
};

impl Dispatcher {
    pub(super) async fn land(&mut self, key: AttemptKey, commit: CommitId, me: &ActorRef<Self>) -> Result<(), Error> {
        let onto = self.state().tip().clone();
        self.record(&Event::LandingStarted { key: key.clone(), onto })?;
        if self.coordinator.is_none() {
            self.coordinator = Some(self.coordinator(me));
        }
        let landing = self.landing(key, commit)?;
        let coordinator = self.coordinator.as_ref().expect("it was made above");
        coordinator.tell(Land(Box::new(landing))).await.map_err(|error| Error::Defect(error.to_string()))
    }

    fn landing(&self, key: AttemptKey, commit: CommitId) -> Result<Landing, Error> {
        let state = self.state();
        let known = state.plan().and_then(|plan| Some((plan, plan.get(&key.task)?))).zip(state.task(&key.task));
        let ((plan, task), record) = known.ok_or_else(|| Error::Defect(format!("{key} lands without a task")))?;
        let landed = state.landed().iter().filter_map(|id| match &state.task(id)?.state {
            plans::task_state::TaskState::Landed { commit } => Some((id.clone(), commit.clone())),
            _ => None,
        });
        let verify_of = state.landed().iter().filter_map(|id| plan.get(id));
        Ok(Landing {
            verify_of: verify_of.map(|task| (task.id.clone(), task.verify.clone(), task.network)).collect(),
            run: self.site.run().clone(),
            commit,
            base: record.base.clone().unwrap_or_else(|| state.base().clone()),
            onto: state.tip().clone(),
            title: task.title.clone(),
            summary: record.report.as_ref().map(|report| report.summary.clone()).unwrap_or_default(),
            scope: task.scope.clone(),
            deliver: task.deliver.clone(),
            verify: task.verify.clone(),
            gate: if state.settings().no_gate { Vec::new() } else { plan.gate().commands.clone() },
            task_network: task.network,
            gate_network: plan.gate().network,
            timeout: plan.gate().timeout,
            landed: landed.collect(),
            key,
        })
    }
}

impl Message<LandingStep> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, step: LandingStep, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let onto = self.state().tip().clone();
        match step {
            LandingStep::Passed { key, commit } => {
                let passed = Event::GatePassed { key: key.clone(), onto: onto.clone(), commit: commit.clone() };
                if let Err(error) = self.record(&passed) {
                    return self.finish(Err(error));
                }
                let coordinator = self.coordinator.as_ref().expect("a landing has a coordinator");
                if let Err(error) = coordinator.tell(MoveBranch { key, onto, commit }).await {
                    self.finish(Err(Error::Defect(error.to_string())));
                }
            }
            LandingStep::Moved { key, commit } => {
                self.record_and_pursue(&Event::TaskLanded { key, commit }, &me).await;
                if let Err(error) = self.grant_what_is_free_now() {
                    self.finish(Err(error));
                }
            }
            LandingStep::Conflicted { key, paths, with, detail } => {
                self.record_and_pursue(&Event::LandingConflicted { key, onto, paths, with, detail }, &me).await;
            }
            LandingStep::Red { key, verdict } => self.record_and_pursue(&Event::LandingRefused { key, onto, verdict }, &me).await,
            LandingStep::Broken { key, error } => {
                let why = error.to_string();
                let interrupted = matches!(error, Error::Interrupted);
                if let Err(error) = self.record(&Event::LandingPutBack { key, why: why.clone() }) {
                    return self.finish(Err(error));
                }
                if interrupted {
                    return self.pursue(&me).await;
                }
                let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                self.record_and_pursue(
                    &Event::RunHalted { why: format!("a landing could not be carried out: {why}{hint}") },
                    &me,
                )
                .await;
            }
        }
    }
}
