//! Plans that change while the run is under way: evidence goes to the planner, typed edits come back.
//!
//! **Invariant:** edits are applied to the plan as it stands when they take effect, however long planner and person thought about them;
//! what has landed meanwhile is never touched.
//! **Invariant:** a whole plan of a person's takes the place of the very plan that they saw: where that has moved meanwhile, they are shown what
//! theirs would undo, and asked again.
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
        self.show(number, proposal, cause, me)
    }

    /// Shows what a proposal would make of the plan as it stands.
    fn show(&mut self, number: u32, proposal: Proposal, cause: String, me: &ActorRef<Self>) -> Result<(), Error> {
        let Some((before, revised)) = self.state().plan().cloned().zip(self.revised(proposal.clone()).ok()) else {
            return self.take_effect(number, proposal, &cause);
        };
        let difference = edit::diff(&before, &revised.plan);
        let sheet = self.sheet(revised.plan, Some(difference), Some(cause.clone()));
        let seen = Box::new(before);
        self.ask_person(sheet, me, move |answer| RevisionReviewed { number, proposal, cause, seen, answer });
        Ok(())
    }

    /// A person's plan takes effect, unless it would undo what they have not seen.
    fn put_in_place(&mut self, number: u32, plans: [Box<Plan>; 2], cause: &str, me: &ActorRef<Self>) -> Result<(), Error> {
        let [new, seen] = plans;
        match self.state().plan().and_then(|stands| moved(&seen, stands)) {
            None => self.take_effect(number, Proposal::Whole(new), cause),
            Some(words) => self.show(number, Proposal::Whole(new), format!("{cause}\n{words}"), me),
        }
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
                return self.record(&Event::ReplanFailed { number, why, cut_off: false });
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
        let RevisionReviewed { number, proposal, cause, seen, answer } = reviewed;
        let refused = |why: &str| Event::ReplanFailed { number, why: why.to_owned(), cut_off: false };
        match answer.transpose()? {
            None => self.record(&refused("the run is being stopped")),
            Some(Answer::Approve) => match proposal {
                Proposal::Whole(new) => self.put_in_place(number, [new, seen], &cause, me),
                edits @ Proposal::Edits(_) => self.take_effect(number, edits, &cause),
            },
            Some(Answer::Reject) => self.record(&refused("a person rejected it")),
            Some(Answer::Nobody) => self.record(&refused("it waits for a review, and this is not a terminal")),
            Some(Answer::Edited(admitted)) => {
                let cause = format!("{cause}\nedited by a person");
                self.put_in_place(number, [Box::new(admitted.plan), seen], &cause, me)
            }
            Some(Answer::Comment(comment)) => {
                self.replan(number, Some(comment), me);
                Ok(())
            }
        }
    }

    /// A planner that cannot be had halts the run, and one that the money is lacking for waits until there is more; one that has no answer has
    /// used up a re-plan.
    fn without_answer(&mut self, number: u32, error: &Error) -> Result<(), Error> {
        let why = error.to_string();
        let failed = |cut_off| Event::ReplanFailed { number, why: why.clone(), cut_off };
        match error {
            Error::NoPlan { .. } | Error::InvalidPlan { .. } | Error::Interrupted => self.record(&failed(false)),
            Error::OverBudget(_) => {
                let (limit, words) = (self.state().lacking(), format!("{why}: {}", self.state().used_up()));
                self.record_all(&[failed(true), Event::BudgetReached { why: words, stop: false, limit }])
            }
            _ => self.record(&Event::RunHalted { why }),
        }
    }
}

/// What has become of the plan since a person was shown it, if anything has, in words for them.
fn moved(seen: &Plan, stands: &Plan) -> Option<String> {
    if seen == stands {
        return None;
    }
    let since = edit::diff(seen, stands);
    Some(format!(
        "The plan has changed while you looked at it. Yours was not put in its place, which would undo this:\n{}\nWhat you see is what yours makes \
         of the plan as it stands now: approve it if that is meant, or edit it once more.",
        since.trim_end()
    ))
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
    /// The plan that stood when it was shown.
    seen: Box<Plan>,
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_plan_that_has_moved_while_a_person_edited_it_is_not_replaced_unseen() {
        let plan = |write: &str| {
            let task = format!("[[task]]\nid = 'a'\ntitle = 'A'\ninstructions = 'do'\nwrite = [{write}]\n");
            plans::file::parse_toml(&format!("version = 1\ngoal = 'g'\n[gate]\ncommands = ['true']\n{task}")).unwrap()
        };
        let (seen, stands) = (plan("'a'"), plan("'a', 'granted'"));
        assert_eq!(moved(&seen, &seen), None);
        expect![[r#"
            The plan has changed while you looked at it. Yours was not put in its place, which would undo this:
            ~ task a
                write:
                    a
                  + granted
            What you see is what yours makes of the plan as it stands now: approve it if that is meant, or edit it once more."#]]
        .assert_eq(&moved(&seen, &stands).unwrap());
    }
}
