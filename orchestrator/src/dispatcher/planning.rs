//! Plans on their way to being in effect: drafted, reviewed, revised, mended.
//!
//! **Invariant:** the dispatcher never waits for a person or a model; both answer with a message.
//! **Invariant:** where nobody can be asked, a policy decides at once, and says so.

use std::collections::BTreeSet;

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{
    Plan,
    edit::{self, Revised},
    event::{Approver, Author, Event},
    run_state::Phase,
    task_state::TaskState,
};
use shared::TaskId;
use tokio_util::sync::CancellationToken;

use super::{Dispatcher, Ending, tip};
use crate::{
    error::Error,
    planner::{Draft, Drafted, Mend, Mended},
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
}

/// What is on its way, so that it is not asked for twice.
#[derive(Default)]
pub(super) struct Desk {
    drafting: bool,
    reviewing: Option<u32>,
    /// The plan that the person saw last, to show the difference.
    seen: Option<Plan>,
    waiting: CancellationToken,
}

impl Desk {
    /// Whoever waits for a person waits no longer.
    pub(super) fn interrupt(&self) {
        self.waiting.cancel();
    }
}

impl Dispatcher {
    pub(super) fn draft(&mut self, me: &ActorRef<Self>) {
        if !std::mem::replace(&mut self.desk.drafting, true) {
            self.ask_for_plan(None, me);
        }
    }

    fn ask_for_plan(&mut self, revise: Option<(Plan, String)>, me: &ActorRef<Self>) {
        let state = self.state();
        let draft = Draft { goal: state.goal().to_owned(), base: state.base().clone(), revise };
        let (planner, me) = (self.planner.clone(), me.clone());
        tokio::spawn(async move {
            let result = match planner {
                Some(planner) => planner.ask(draft).await.map_err(said),
                None => Err(no_planner()),
            };
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(PlanDrafted { result }).await;
        });
    }

    /// Says whether the journal has moved on.
    pub(super) fn review(&mut self, revision: u32, me: &ActorRef<Self>) -> Result<bool, Error> {
        if self.policy.plan_only {
            self.finish(Ok(Ending::Planned));
            return Ok(false);
        }
        if self.policy.review == ReviewPolicy::Never {
            if let Some(plan) = self.state().plan().cloned() {
                self.reviewer.show(&self.sheet(plan, None, None));
            }
            self.record(&Event::PlanApproved { revision, by: Approver::Policy })?;
            return Ok(true);
        }
        if self.desk.reviewing == Some(revision) {
            return Ok(false);
        }
        self.desk.reviewing = Some(revision);
        let plan = self.state().plan().cloned().ok_or_else(|| Error::Defect("a review without a plan".to_owned()))?;
        let difference = self.desk.seen.as_ref().map(|seen| edit::diff(seen, &plan));
        self.desk.seen = Some(plan.clone());
        let sheet = self.sheet(plan, difference, None);
        self.ask_person(sheet, Subject::FirstPlan { revision }, me);
        Ok(false)
    }

    fn sheet(&self, plan: Plan, difference: Option<String>, cause: Option<String>) -> Sheet {
        let settled = self.settled();
        Sheet { difference, cause, settled, ..self.site.sheet(plan, self.state().settings()) }
    }

    fn ask_person(&self, sheet: Sheet, subject: Subject, me: &ActorRef<Self>) {
        let (reviewer, me, waiting) = (self.reviewer.clone(), me.clone(), self.desk.waiting.clone());
        tokio::spawn(async move {
            let answer = waiting.run_until_cancelled(reviewer.review(sheet)).await;
            // Without an answer the run is being stopped; the dispatcher is gone only when the whole run is.
            if let Some(answer) = answer {
                let _ = me.tell(Reviewed { subject, answer }).await;
            }
        });
    }

    fn heard_of_first_plan(&mut self, revision: u32, answer: Answer, me: &ActorRef<Self>) -> Result<(), Error> {
        match answer {
            Answer::Approve => self.record(&Event::PlanApproved { revision, by: Approver::Person })?,
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

    fn propose(&mut self, plan: Plan, author: Author, warnings: Vec<String>) -> Result<(), Error> {
        let revision = self.state().revision() + 1;
        self.desk.reviewing = None;
        self.record(&Event::PlanProposed { revision, plan: Box::new(plan), author, warnings })
    }

    pub(super) fn replan(&self, number: u32, comment: Option<String>, me: &ActorRef<Self>) {
        let state = self.state();
        let (planner, me) = (self.planner.clone(), me.clone());
        let Some(plan) = state.plan().cloned() else { return };
        let mend = Mend { plan, tip: tip(state), landed: self.settled(), evidence: plans::evidence::account(state), comment };
        tokio::spawn(async move {
            let result = match planner {
                Some(planner) => planner.ask(mend).await.map_err(said),
                None => Err(no_planner()),
            };
            // As above.
            let _ = me.tell(PlanMended { number, result }).await;
        });
    }

    /// What no edit may touch.
    fn settled(&self) -> BTreeSet<TaskId> {
        let settled = |state: &TaskState| matches!(state, TaskState::Landed { .. } | TaskState::Landing { .. });
        self.state().tasks().iter().filter(|record| settled(&record.state)).map(|record| record.id.clone()).collect()
    }

    fn heard_of_mended_plan(&mut self, number: u32, mended: &Mended, me: &ActorRef<Self>) -> Result<(), Error> {
        let state = self.state();
        let Some(plan) = state.plan() else { return Ok(()) };
        let revised = match self.site.rules.mended(plan, &mended.edits, &self.settled(), &self.site.survey) {
            Ok(revised) => revised,
            Err(problems) => {
                let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let why = format!("the plan had moved on when the answer came: {}", list.join("; "));
                return self.record(&Event::ReplanFailed { number, why });
            }
        };
        let cause =
            mended.edits.iter().map(|edit| format!("{}: {}", edit.change.name(), edit.because)).collect::<Vec<_>>().join("\n");
        if self.policy.review != ReviewPolicy::Always {
            return self.take_effect(number, revised, &cause);
        }
        let difference = edit::diff(plan, &revised.plan);
        let sheet = self.sheet(revised.plan.clone(), Some(difference), Some(cause.clone()));
        self.ask_person(sheet, Subject::Revision { number, revised: Box::new(revised), cause }, me);
        Ok(())
    }

    fn take_effect(&mut self, number: u32, revised: Revised, cause: &str) -> Result<(), Error> {
        let state = self.state();
        let before = state.plan().map(|plan| edit::diff(plan, &revised.plan)).unwrap_or_default();
        let difference = format!("{}\n\n{}", cause.trim_end(), before.trim_end());
        let Revised { plan, retried: fresh, dropped } = revised;
        let (revision, replan) = (state.revision() + 1, Some(number));
        self.record(&Event::PlanRevised { revision, replan, plan: Box::new(plan), fresh, dropped, difference })
    }

    fn heard_of_revision(
        &mut self,
        number: u32,
        revised: Revised,
        cause: &str,
        answer: Answer,
        me: &ActorRef<Self>,
    ) -> Result<(), Error> {
        let refused = |why: &str| Event::ReplanFailed { number, why: why.to_owned() };
        match answer {
            Answer::Approve => self.take_effect(number, revised, cause),
            Answer::Reject => self.record(&refused("a person rejected it")),
            Answer::Nobody => self.record(&refused("it waits for a review, and this is not a terminal")),
            Answer::Comment(comment) => {
                self.replan(number, Some(comment), me);
                Ok(())
            }
            Answer::Edited(edited) => {
                let plan = edited.plan;
                let old = self.state().plan().cloned();
                let same = |id: &TaskId| old.as_ref().and_then(|old| old.get(id)) == plan.get(id);
                let touched = |id: &TaskId| revised.retried.contains(id) || !same(id);
                let fresh = plan.tasks().iter().map(|task| task.id.clone()).filter(touched).collect();
                let gone =
                    |old: &Plan| old.tasks().iter().map(|task| task.id.clone()).filter(|id| plan.get(id).is_none()).collect();
                let dropped = old.as_ref().map(gone).unwrap_or_default();
                self.take_effect(number, Revised { plan, retried: fresh, dropped }, &format!("{cause}\nedited by a person"))
            }
        }
    }
}

fn no_planner() -> Error {
    Error::NoModel { what: "plan".to_owned() }
}

fn said<M>(error: kameo::error::SendError<M, Error>) -> Error {
    match error {
        kameo::error::SendError::HandlerError(error) => error,
        other => Error::Defect(format!("the planner does not answer: {other}")),
    }
}

/// What a review is about.
enum Subject {
    FirstPlan { revision: u32 },
    Revision { number: u32, revised: Box<Revised>, cause: String },
}

/// The planner has answered.
struct PlanDrafted {
    result: Result<Drafted, Error>,
}

impl Message<PlanDrafted> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, PlanDrafted { result }: PlanDrafted, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        self.desk.drafting = false;
        if !matches!(self.state().phase(), Phase::Planning | Phase::Review) || self.state().is_cancelling() {
            return;
        }
        let proposed = result.and_then(|Drafted { plan, warnings }| self.propose(plan, Author::Planner, warnings));
        match proposed {
            Ok(()) => self.pursue(&me).await,
            Err(Error::OverBudget(why)) => self.record_and_pursue(&Event::BudgetReached { why }, &me).await,
            Err(error) => self.finish(Err(error)),
        }
    }
}

/// The planner has answered on evidence.
struct PlanMended {
    number: u32,
    result: Result<Mended, Error>,
}

impl Message<PlanMended> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, PlanMended { number, result }: PlanMended, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let heard = match result {
            Ok(mended) => self.heard_of_mended_plan(number, &mended, &me),
            Err(Error::Model { what, .. }) => self.record(&Event::RunHalted { why: what }),
            Err(error) => {
                let over = matches!(error, Error::OverBudget(_));
                let failed = self.record(&Event::ReplanFailed { number, why: error.to_string() });
                if over { failed.and_then(|()| self.record(&Event::BudgetReached { why: error.to_string() })) } else { failed }
            }
        };
        match heard {
            Ok(()) => self.pursue(&me).await,
            Err(error) => self.finish(Err(error)),
        }
    }
}

/// A person has answered.
struct Reviewed {
    subject: Subject,
    answer: Result<Answer, Error>,
}

impl Message<Reviewed> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Reviewed { subject, answer }: Reviewed, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let heard = match (answer, subject) {
            (Err(error), _) => Err(error),
            (Ok(answer), Subject::FirstPlan { revision }) => self.heard_of_first_plan(revision, answer, &me),
            (Ok(answer), Subject::Revision { number, revised, cause }) => {
                self.heard_of_revision(number, *revised, &cause, answer, &me)
            }
        };
        match heard {
            Ok(()) => self.pursue(&me).await,
            Err(error) => self.finish(Err(error)),
        }
    }
}
