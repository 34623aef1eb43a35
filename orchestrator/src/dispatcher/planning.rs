//! The first plan on its way to being in effect: drafted, reviewed, revised.
//!
//! **Invariant:** the dispatcher never waits for a person or a model; both answer with a message, also when they are interrupted.
//! **Invariant:** where nobody can be asked, a policy decides at once, and says so.
//!
//! Plans that change while the run is under way are in `replanning`.

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{
    Plan, edit,
    event::{Approver, Author, Event},
    run_state::Phase,
};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Dispatcher, Ending};
use crate::{
    error::Error,
    planner::{Draft, Drafted},
    ui::review::{Answer, Sheet},
};

/// Which plans a person sees before they take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReviewPolicy {
    /// Each revision.
    Always,
    /// The first; re-plans are shown, but not waited for.
    #[default]
    First,
    /// None.
    Never,
}

/// How plans are approved, and how far to go.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Which plans are reviewed.
    pub review: ReviewPolicy,
    /// Only draft a plan, and stop there.
    pub plan_only: bool,
    /// Whether a person is there who can be asked while the run goes on.
    pub attended: bool,
}

/// What is on its way, so that it is not asked for twice.
#[derive(Default)]
pub(super) struct Drafting {
    asked: bool,
    reviewing: Option<u32>,
    /// The plan that the person saw last, to show the difference.
    seen: Option<Plan>,
}

impl Dispatcher {
    pub(super) fn draft(&mut self, me: &ActorRef<Self>) {
        if !std::mem::replace(&mut self.drafting.asked, true) {
            self.ask_for_plan(None, me);
        }
    }

    fn ask_for_plan(&mut self, revise: Option<(Plan, String)>, me: &ActorRef<Self>) {
        let state = self.state();
        let rules = self.site.rules_now(state.settings());
        let draft = Draft { goal: state.goal().to_owned(), base: state.base().clone(), revise, rules };
        let (planner, me, bill) = (self.planner.clone(), me.clone(), self.bills.token());
        tokio::spawn(async move {
            let result = match planner {
                Some(planner) => planner.ask(draft).await.map_err(said),
                None => Err(no_planner()),
            };
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(PlanDrafted { result, bill }).await;
        });
    }

    /// Says whether the journal has moved on.
    pub(super) fn review(&mut self, revision: u32, me: &ActorRef<Self>) -> Result<bool, Error> {
        if self.policy.plan_only {
            self.finish(Ok(Ending::Planned));
            return Ok(false);
        }
        if let Some(error) = self.forbidden_gate() {
            return Err(error);
        }
        if self.policy.review == ReviewPolicy::Never {
            self.refuse_what_cannot_fit()?;
            if let Some(plan) = self.state().plan().cloned() {
                self.reviewer.show(&self.sheet(plan, None, None));
            }
            self.record(&Event::PlanApproved { revision, by: Approver::Policy })?;
            return Ok(true);
        }
        if self.drafting.reviewing == Some(revision) {
            return Ok(false);
        }
        self.drafting.reviewing = Some(revision);
        let plan = self.state().plan().cloned().ok_or_else(|| Error::Defect("a review without a plan".to_owned()))?;
        let difference = self.drafting.seen.as_ref().map(|seen| edit::diff(seen, &plan));
        self.drafting.seen = Some(plan.clone());
        let sheet = self.sheet(plan, difference, None);
        self.ask_person(sheet, me, move |answer| Reviewed { revision, answer });
        Ok(false)
    }

    pub(super) fn sheet(&self, plan: Plan, difference: Option<String>, cause: Option<String>) -> Sheet {
        let settled = self.state().settled();
        Sheet { difference, cause, settled, ..self.site.sheet(plan, self.state().settings()) }
    }

    /// Asks whoever reviews. The answer comes as a message that `tell` makes; there is none when the run is being stopped.
    pub(super) fn ask_person<M>(
        &self,
        sheet: Sheet,
        me: &ActorRef<Self>,
        tell: impl FnOnce(Option<Result<Answer, Error>>) -> M + Send + 'static,
    ) where
        Self: Message<M>,
        M: Send + 'static,
    {
        let (reviewer, me, stopped) = (self.reviewer.clone(), me.clone(), self.cancel.clone());
        tokio::spawn(async move {
            let answer = stopped.run_until_cancelled(reviewer.review(sheet)).await;
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(tell(answer)).await;
        });
    }

    fn heard_of_first_plan(&mut self, revision: u32, answer: Answer, me: &ActorRef<Self>) -> Result<(), Error> {
        match answer {
            Answer::Approve => {
                self.refuse_what_cannot_fit()?;
                self.record(&Event::PlanApproved { revision, by: Approver::Person })?;
            }
            Answer::Reject => {
                self.record(&Event::PlanRejected { revision, why: "a person rejected it".to_owned() })?;
                self.finish(Err(Error::Rejected));
            }
            Answer::Edited(edited) => self.propose(edited.plan, Author::Person, edited.warnings)?,
            Answer::Comment(comment) => {
                let plan = self.state().plan().cloned();
                self.ask_for_plan(plan.map(|plan| (plan, comment)), me);
            }
            Answer::Nobody => {
                let run = self.site.run().to_string();
                self.finish(Err(Error::NobodyToReview { run }));
            }
        }
        Ok(())
    }

    /// A task whose model could not even answer once would only cost its attempts.
    fn refuse_what_cannot_fit(&self) -> Result<(), Error> {
        let misfits = self.state().plan().map(|plan| self.site.misfits(plan)).unwrap_or_default();
        match misfits.iter().find(|misfit| misfit.hopeless) {
            None => Ok(()),
            Some(misfit) => Err(Error::Usage(format!(
                "{misfit}. Choose a model with a larger window (or correct `context_window` of its provider), or shorten the task's instructions"
            ))),
        }
    }

    fn propose(&mut self, plan: Plan, author: Author, warnings: Vec<String>) -> Result<(), Error> {
        let revision = self.state().revision() + 1;
        self.drafting.reviewing = None;
        self.record(&Event::PlanProposed { revision, plan: Box::new(plan), author, warnings })
    }
}

pub(super) fn no_planner() -> Error {
    Error::NoModel { what: "plan".to_owned() }
}

pub(super) fn said<M>(error: kameo::error::SendError<M, Error>) -> Error {
    match error {
        kameo::error::SendError::HandlerError(error) => error,
        other => Error::Defect(format!("the planner does not answer: {other}")),
    }
}

/// The planner has answered.
struct PlanDrafted {
    result: Result<Drafted, Error>,
    bill: TaskTrackerToken,
}

impl Message<PlanDrafted> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, PlanDrafted { result, bill }: PlanDrafted, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        drop(bill);
        self.drafting.asked = false;
        let state = self.state();
        let is_wanted = matches!(state.phase(), Phase::Planning | Phase::Review) && !state.is_cancelling();
        let is_leaving = state.halted().is_some() || state.over_budget().is_some();
        if !is_wanted || (is_leaving && matches!(result, Err(Error::Interrupted))) {
            // The end may have waited for it.
            return self.pursue(&me).await;
        }
        let proposed = result.and_then(|Drafted { plan, warnings }| self.propose(plan, Author::Planner, warnings));
        match proposed {
            Ok(()) => self.pursue(&me).await,
            Err(error @ (Error::NoModel { .. } | Error::NoPlan { .. } | Error::Model { .. }))
                if self.state().phase() == Phase::Review =>
            {
                self.reviewer.say(&error);
                self.drafting.reviewing = None;
                self.pursue(&me).await;
            }
            Err(Error::OverBudget(why)) => {
                let why = format!("{why}: {}", self.state().used_up());
                let limit = self.state().lacking();
                self.record_and_pursue(&Event::BudgetReached { why, stop: false, limit }, &me).await;
            }
            Err(error) => self.finish(Err(error)),
        }
    }
}

/// A person has answered, unless the run is being stopped.
struct Reviewed {
    revision: u32,
    answer: Option<Result<Answer, Error>>,
}

impl Message<Reviewed> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Reviewed { revision, answer }: Reviewed, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let heard = match answer {
            None => Ok(()),
            Some(answer) => answer.and_then(|answer| self.heard_of_first_plan(revision, answer, &me)),
        };
        match heard {
            Ok(()) => self.pursue(&me).await,
            Err(error) => self.finish(Err(error)),
        }
    }
}
