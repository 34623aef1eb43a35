//! Plans that change while the run is under way: evidence goes to the planner, typed edits come back.
//!
//! **Invariant:** edits are applied to the plan as it stands when they take effect, however long planner and person thought about them;
//! what has landed meanwhile is never touched.
//! **Invariant:** a re-plan that was begun is ended in the journal, by a revision or by saying why there is none.

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{
    Plan, Problem,
    edit::{self, PlanEdit, Revised},
    event::Event,
};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{
    Dispatcher,
    planning::{ReviewPolicy, no_planner, said},
    tip,
};
use crate::{
    error::Error,
    planner::{Mend, Mended},
    ui::review::Answer,
};

/// A change of the plan that was agreed on and has not taken effect yet.
#[derive(Clone)]
enum Proposal {
    /// The planner's.
    Edits(Vec<PlanEdit>),
    /// A person's, in the place of the planner's.
    Whole(Box<Plan>),
}

impl Dispatcher {
    pub(super) fn replan(&self, number: u32, comment: Option<String>, me: &ActorRef<Self>) {
        let state = self.state();
        let (planner, me) = (self.planner.clone(), me.clone());
        let Some(plan) = state.plan().cloned() else { return };
        let (evidence, repeating) = (plans::evidence::account(state), state.repeating());
        let rules = self.site.rules_now(state.settings());
        let mend = Mend { plan, tip: tip(state), progress: state.progress(), repeating, evidence, comment, rules };
        let bill = self.bills.token();
        tokio::spawn(async move {
            let result = match planner {
                Some(planner) => planner.ask(mend).await.map_err(said),
                None => Err(no_planner()),
            };
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(PlanMended { number, result, bill }).await;
        });
    }

    fn heard_of_mended_plan(&mut self, number: u32, edits: Vec<PlanEdit>, me: &ActorRef<Self>) -> Result<(), Error> {
        let cause = edits.iter().map(|edit| format!("{}: {}", edit.change.name(), edit.because)).collect::<Vec<_>>().join("\n");
        let proposal = Proposal::Edits(edits);
        if self.policy.review != ReviewPolicy::Always {
            return self.take_effect(number, proposal, &cause);
        }
        let Some((before, revised)) = self.state().plan().cloned().zip(self.revised(proposal.clone()).ok()) else {
            return self.take_effect(number, proposal, &cause);
        };
        let difference = edit::diff(&before, &revised.plan);
        let sheet = self.sheet(revised.plan, Some(difference), Some(cause.clone()));
        self.ask_person(sheet, me, move |answer| RevisionReviewed { number, proposal, cause, answer });
        Ok(())
    }

    fn revised(&self, proposal: Proposal) -> Result<Revised, Vec<Problem>> {
        let state = self.state();
        let Some(plan) = state.plan() else { return Err(Vec::new()) };
        match proposal {
            Proposal::Edits(edits) => {
                edit::refuse_blind(plan, &edits, &state.repeating())?;
                let rules = self.site.rules_now(state.settings());
                rules.mended(plan, &edits, &state.progress(), &self.site.survey)
            }
            Proposal::Whole(new) => edit::replace(plan, *new, &state.settled()),
        }
    }

    /// Applies a proposal to the plan as it stands now.
    fn take_effect(&mut self, number: u32, proposal: Proposal, cause: &str) -> Result<(), Error> {
        let revised = match self.revised(proposal) {
            Ok(revised) => revised,
            Err(problems) => {
                let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let why = format!("the plan had moved on when the change was to take effect: {}", list.join("; "));
                return self.record(&Event::ReplanFailed { number, why });
            }
        };
        let state = self.state();
        let before = state.plan().map(|plan| edit::diff(plan, &revised.plan)).unwrap_or_default();
        let difference = format!("{}\n\n{}", cause.trim_end(), before.trim_end());
        let Revised { plan, retried: fresh, dropped } = revised;
        let (revision, replan) = (state.revision() + 1, Some(number));
        self.record(&Event::PlanRevised { revision, replan, plan: Box::new(plan), fresh, dropped, difference })
    }

    fn heard_of_revision(&mut self, reviewed: RevisionReviewed, me: &ActorRef<Self>) -> Result<(), Error> {
        let RevisionReviewed { number, proposal, cause, answer } = reviewed;
        let refused = |why: &str| Event::ReplanFailed { number, why: why.to_owned() };
        match answer.transpose()? {
            None => self.record(&refused("the run is being stopped")),
            Some(Answer::Approve) => self.take_effect(number, proposal, &cause),
            Some(Answer::Reject) => self.record(&refused("a person rejected it")),
            Some(Answer::Nobody) => self.record(&refused("it waits for a review, and this is not a terminal")),
            Some(Answer::Edited(admitted)) => {
                self.take_effect(number, Proposal::Whole(Box::new(admitted.plan)), &format!("{cause}\nedited by a person"))
            }
            Some(Answer::Comment(comment)) => {
                self.replan(number, Some(comment), me);
                Ok(())
            }
        }
    }

    /// A planner that cannot be had halts the run; one that has no answer has used up a re-plan.
    fn without_answer(&mut self, number: u32, error: &Error) -> Result<(), Error> {
        let why = error.to_string();
        let failed = Event::ReplanFailed { number, why: why.clone() };
        match error {
            Error::NoPlan { .. } | Error::InvalidPlan { .. } | Error::Interrupted => self.record(&failed),
            Error::OverBudget(_) => {
                self.record(&failed)?;
                let why = format!("{why}: {}", self.state().used_up());
                self.record(&Event::BudgetReached { why, stop: false })
            }
            _ => self.record(&Event::RunHalted { why }),
        }
    }
}

/// The planner has answered on evidence.
struct PlanMended {
    number: u32,
    result: Result<Mended, Error>,
    bill: TaskTrackerToken,
}

impl Message<PlanMended> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, PlanMended { number, result, bill }: PlanMended, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        drop(bill);
        let heard = match result {
            // The next process begins it again.
            Err(Error::Interrupted) if self.state().halted().is_some() => Ok(()),
            Ok(Mended { edits }) => self.heard_of_mended_plan(number, edits, &me),
            Err(error) => self.without_answer(number, &error),
        };
        match heard {
            Ok(()) => self.pursue(&me).await,
            Err(error) => self.finish(Err(error)),
        }
    }
}

/// A person has answered on a revision, unless the run is being stopped.
struct RevisionReviewed {
    number: u32,
    proposal: Proposal,
    cause: String,
    answer: Option<Result<Answer, Error>>,
}

impl Message<RevisionReviewed> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, reviewed: RevisionReviewed, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        match self.heard_of_revision(reviewed, &me) {
            Ok(()) => self.pursue(&me).await,
            Err(error) => self.finish(Err(error)),
        }
    }
}
