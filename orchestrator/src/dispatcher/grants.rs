//! Requests for more scope: granted at once where no task that could run at the same time owns the files and no rule stands before
//! it, else for the person to decide, where one is there.
//!
//! **Invariant:** a grant is in the journal before the worker hears of it, and so is a refusal: the planner is shown it at the next
//! re-plan. **Invariant:** a file that another task owns comes to a second one only by a person's word, and then both share it, so that the
//! coordinator merges their changes.

use futures_util::future::BoxFuture;
use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{
    approval::{Answer, Decider, Decision, Subject, Verdict},
    event::Event,
    run_state::Widening,
};
use shared::{AttemptKey, Glob, Scope};
use tokio::sync::oneshot;
use worker::tool::{ScopeAnswer, ScopeOffice};

use super::{Dispatcher, approving::Ticket};
use crate::{
    approvals::{Judgement, Matter, of_request},
    error::Error,
};

/// A worker wants to write more than its plan says.
struct ScopeWanted {
    key: AttemptKey,
    globs: Vec<Glob>,
    reason: String,
    answer: oneshot::Sender<ScopeAnswer>,
}

impl Dispatcher {
    /// A task's scope with what the person denies every task.
    pub(super) fn bounded(&self, scope: Scope) -> Scope {
        Scope { denied: self.site.approvals.paths.deny.clone(), ..scope }
    }

    fn hear_scope_wanted(&mut self, wanted: ScopeWanted, me: &ActorRef<Self>) -> Result<(), Error> {
        let ScopeWanted { key, globs, reason, answer } = wanted;
        let judgement = self.judge_request(&key, &globs);
        let contested = self.contested(&key, &globs);
        let (verdict, why) = match (judgement.verdict, contested) {
            (Verdict::Allow | Verdict::Ask, Some(owner)) => (Verdict::Ask, owner),
            (verdict, _) => (verdict, judgement.why),
        };
        let (matter, ticket) =
            (Matter { key, what: Subject::Scope(globs), why, reason, offer: Vec::new() }, Ticket::Scope(answer));
        match verdict {
            Verdict::Allow => self.decide(matter, ticket, (Decision::Allowed, Decider::Rule)),
            Verdict::Deny => self.decide(matter, ticket, (Decision::Denied, Decider::Rule)),
            Verdict::Ask if self.policy.attended => match self.refused_before(&matter) {
                // A person is not asked twice by the same attempt.
                Some(Answer { by, why, .. }) => self.decide(Matter { why, ..matter }, ticket, (Decision::Denied, by)),
                None => self.ask_about(matter, ticket, me),
            },
            Verdict::Ask => self.decide(matter, ticket, self.without_a_person(Decider::Unattended)),
        }
    }

    /// A task has landed: what waited because the task owned it may be free now.
    pub(super) fn grant_what_is_free_now(&mut self) -> Result<(), Error> {
        let free = |matter: &Matter| match &matter.what {
            Subject::Scope(globs) => {
                let is_allowed = self.judge_request(&matter.key, globs).verdict == Verdict::Allow;
                is_allowed && self.contested(&matter.key, globs).is_none()
            }
            Subject::Command(_) | Subject::Write(_) => false,
        };
        for number in self.approving.waiting(free) {
            self.decide_without_asking(number, (Decision::Allowed, Decider::Rule))?;
        }
        Ok(())
    }

    /// Why a task cannot own these files alone, in words for the worker and for the person.
    fn contested(&self, key: &AttemptKey, globs: &[Glob]) -> Option<String> {
        let why = self.state().widened(&key.task, globs, Widening::Owned).err()?;
        let owners = self.state().owners(&key.task, globs);
        let mut names: Vec<String> = owners.iter().take(3).map(|(task, glob)| format!("`{task}` owns {glob}")).collect();
        if owners.len() > names.len() {
            names.push(format!("{} more tasks own some of it", owners.len() - names.len()));
        }
        Some(if names.is_empty() { why } else { names.join(", ") })
    }

    fn judge_request(&self, key: &AttemptKey, globs: &[Glob]) -> Judgement {
        let task = self.state().plan().and_then(|plan| plan.get(&key.task));
        let own = task.map(|task| task.scope.clone()).unwrap_or_default();
        of_request(&self.site.approvals, globs, &own, &self.site.survey.files)
    }

    fn refuse_scope(&mut self, refusal: Event, answer: oneshot::Sender<ScopeAnswer>) -> Result<(), Error> {
        self.record(&refusal)?;
        if let Event::ScopeRefused { why, by, .. } = refusal {
            // A worker that has ended meanwhile needs no answer; so below.
            let _ = answer
                .send(ScopeAnswer::Refused(format!("not granted ({by}): {why}. The planner will see that it was asked for")));
        }
        Ok(())
    }

    /// What was decided of a request takes effect, if it still can.
    pub(super) fn decide_scope(
        &mut self,
        matter: Matter,
        answer: oneshot::Sender<ScopeAnswer>,
        (decision, by): (Decision, Decider),
    ) -> Result<(), Error> {
        let Matter { key, what: Subject::Scope(globs), why: rule, reason, .. } = matter else { return Ok(()) };
        let fits = |how| self.state().widened(&key.task, &globs, how);
        let how = match (decision, by, fits(Widening::Owned)) {
            (Decision::Denied, ..) => Err(if rule.is_empty() { "it was not wanted".to_owned() } else { rule }),
            (_, _, Ok(_)) => Ok(Widening::Owned),
            // What another task owns is never given by a policy.
            (_, Decider::Person, Err(_)) => fits(Widening::Shared).map(|_| Widening::Shared),
            (_, _, Err(why)) => Err(self.contested(&key, &globs).unwrap_or(why)),
        };
        let how = match how {
            Ok(how) => how,
            Err(why) => return self.refuse_scope(Event::ScopeRefused { key, globs, reason, why, by }, answer),
        };
        let task = key.task.clone();
        self.record(&Event::ScopeGranted { key, globs, reason, shared: how == Widening::Shared, by })?;
        let scope = self.state().plan().and_then(|plan| plan.get(&task)).map(|task| task.scope.clone());
        let _ = answer.send(ScopeAnswer::Granted(self.bounded(scope.unwrap_or_default())));
        Ok(())
    }
}

impl Message<ScopeWanted> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, wanted: ScopeWanted, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        if let Err(error) = self.hear_scope_wanted(wanted, &me) {
            self.finish(Err(error));
        }
    }
}

/// A worker's way to ask for scope.
pub(super) struct ScopeRequests {
    pub(super) dispatcher: ActorRef<Dispatcher>,
    pub(super) key: AttemptKey,
}

impl ScopeOffice for ScopeRequests {
    fn request(&self, globs: Vec<Glob>, reason: String) -> BoxFuture<'_, ScopeAnswer> {
        let (answer, hear) = oneshot::channel();
        let wanted = ScopeWanted { key: self.key.clone(), globs, reason, answer };
        Box::pin(async move {
            let gone = || ScopeAnswer::Refused("the run is ending; nothing is granted any more".to_owned());
            if self.dispatcher.tell(wanted).await.is_err() {
                return gone();
            }
            hear.await.unwrap_or_else(|_| gone())
        })
    }
}
