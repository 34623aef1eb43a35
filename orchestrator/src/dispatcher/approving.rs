//! Approvals on their way: from a tool that is about to do something over the rules, the person or the policy back to the tool.
//!
//! ```text
//! tool ─► Approvals (rules: nothing to say) ─────────────────────────────► go on
//!            └► Wanted ─► denied by rule ─► journal ─────────────────────► told
//!                  ├► nobody there ─► policy ─► journal ─────────────────► told
//!                  └► journal ─► queue ─► person, or Overdue ─► journal ─► told
//! ```
//!
//! **Invariant:** what was decided is in the journal before the worker hears of it. **Invariant:** every question that is shown has a
//! deadline, and each ends with its attempt; an attempt waits for one at a time, so there are never more than there are workers. **Invariant:** the dispatcher waits for nobody: person and clock answer with a message.
//!
//! Requests for scope are judged in `grants` and wait in the same queue.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{
    Task, WorkerKind,
    approval::{Answer, Decider, Decision, Standing, Subject, Verdict},
    event::Event,
};
use shared::AttemptKey;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use worker::tool::{Clearance, Cleared, ScopeAnswer, Wanted};

use super::{Dispatcher, ReviewPolicy};
use crate::{
    approvals::{Judgement, Matter, Queue, Rules, Waiting},
    error::Error,
    ui::question::{Question, Word},
};

/// Questions that wait for a person.
#[derive(Default)]
pub(super) struct Approving {
    queue: Queue<Ticket>,
    /// Takes the question that is shown away from the person.
    shown: Option<(u64, CancellationToken)>,
}

impl Approving {
    /// The questions that are about such a matter.
    pub(super) fn waiting(&self, is_such: impl Fn(&Matter) -> bool) -> Vec<u64> {
        self.queue.iter().filter(|waiting| is_such(&waiting.matter)).map(|waiting| waiting.number).collect()
    }
}

/// Who waits for an answer.
pub(super) enum Ticket {
    /// A tool.
    Tool(oneshot::Sender<Cleared>),
    /// A request for more scope; the matter holds what for.
    Scope(oneshot::Sender<ScopeAnswer>),
}

/// A tool is about to do something that a rule stands before.
struct ApprovalWanted {
    matter: Matter,
    verdict: Verdict,
    answer: oneshot::Sender<Cleared>,
}

impl Dispatcher {
    /// What an attempt asks before it does something.
    pub(super) fn approvals_of(&self, key: &AttemptKey, me: &ActorRef<Self>) -> Approvals {
        Approvals { dispatcher: me.clone(), key: key.clone(), rules: self.site.approvals.clone() }
    }

    /// Why a task is not begun whose own commands the rules stand before. A person who has approved the plan has approved its commands;
    /// a denial stands, and where no person reviews plans there is nobody to ask.
    pub(super) fn forbidden(&self, task: &Task) -> Option<String> {
        let own = match &task.worker {
            WorkerKind::Command(command) => Some(command),
            WorkerKind::Agent => None,
        };
        let mut why = own.into_iter().chain(&task.verify).filter_map(|command| self.forbids(command));
        why.next().map(|why| format!("{why}. Nothing of this task was done"))
    }

    /// Why no run goes on with this gate.
    pub(super) fn forbidden_gate(&self) -> Option<Error> {
        let gate = self.state().plan()?.gate();
        let why = gate.commands.iter().find_map(|command| self.forbids(command))?;
        Some(Error::Usage(format!(
            "the gate cannot be run, so nothing could land: {why}. Change the gate, or the rules in `[approvals]` of inspan.toml"
        )))
    }

    fn forbids(&self, command: &str) -> Option<String> {
        let Judgement { verdict, why, .. } = self.site.approvals.of_command(command, &[]);
        let unseen = self.policy.review == ReviewPolicy::Never;
        let (decision, by) = match verdict {
            Verdict::Deny => (Decision::Denied, Decider::Rule),
            Verdict::Ask if unseen => self.without_a_person(Decider::Unattended),
            Verdict::Ask | Verdict::Allow => return None,
        };
        (decision == Decision::Denied).then(|| format!("`{command}` is not run ({by}): {why}"))
    }

    fn hear_wanted(&mut self, wanted: ApprovalWanted, me: &ActorRef<Self>) -> Result<(), Error> {
        let ApprovalWanted { matter, verdict, answer } = wanted;
        if let Some(refused) = self.refused_before(&matter) {
            // A worker that has ended meanwhile needs no answer; so everywhere below.
            let _ = answer.send(Cleared::No(say_no(&refused)));
            return Ok(());
        }
        if self.stands(&matter, verdict) {
            let _ = answer.send(Cleared::Yes);
            return Ok(());
        }
        match verdict {
            Verdict::Ask if self.policy.attended => self.ask_about(matter, Ticket::Tool(answer), me),
            Verdict::Ask => self.decide(matter, Ticket::Tool(answer), self.without_a_person(Decider::Unattended)),
            verdict => {
                let decision = if verdict == Verdict::Deny { Decision::Denied } else { Decision::Allowed };
                self.decide(matter, Ticket::Tool(answer), (decision, Decider::Rule))
            }
        }
    }

    /// An attempt does not ask twice for what it was refused.
    pub(super) fn refused_before(&self, matter: &Matter) -> Option<Answer> {
        // The journal knows what was wanted without the secrets in it.
        let what = match &matter.what {
            Subject::Command(command) => Subject::Command(self.site.secrecy.mask(command).into_owned()),
            other => other.clone(),
        };
        let same = self.state().requests().iter().rev().find(|one| one.key == matter.key && one.what == what)?;
        // Who did not answer in time has refused nothing.
        same.answer.clone().filter(|answer| !answer.granted && answer.by != Decider::Deadline)
    }

    /// Whether the person has allowed it for the rest of the run.
    fn stands(&self, matter: &Matter, verdict: Verdict) -> bool {
        let (rules, standing) = (&self.site.approvals, self.state().standing());
        let judgement = match &matter.what {
            Subject::Command(command) => rules.of_command(command, standing),
            Subject::Write(path) => rules.of_path(path, standing),
            Subject::Scope(_) => return false,
        };
        verdict == Verdict::Ask && judgement.verdict == Verdict::Allow
    }

    /// What becomes of a question that nobody answers.
    pub(super) fn without_a_person(&self, by: Decider) -> (Decision, Decider) {
        let allows = self.site.approvals.unattended == Verdict::Allow;
        (if allows { Decision::Allowed } else { Decision::Denied }, by)
    }

    /// Puts a question into the queue.
    pub(super) fn ask_about(&mut self, matter: Matter, ticket: Ticket, me: &ActorRef<Self>) -> Result<(), Error> {
        let Matter { key, what, why, .. } = &matter;
        self.record(&Event::ApprovalAsked { key: key.clone(), what: what.clone(), why: why.clone() })?;
        self.site.board.says(key, "waits for your approval");
        self.approving.queue.enter(matter, ticket);
        self.show_next(me);
        Ok(())
    }

    /// The time to answer runs from when a question is shown; `away` ends it.
    fn count_down(&self, number: u64, away: CancellationToken, me: &ActorRef<Self>) {
        let (me, deadline) = (me.downgrade(), self.site.approvals.deadline);
        tokio::spawn(async move {
            let passed = away.run_until_cancelled(tokio::time::sleep(deadline)).await.is_some();
            if let Some(me) = me.upgrade().filter(|_| passed) {
                // A dispatcher that is gone asks nobody.
                let _ = me.tell(Overdue { number }).await;
            }
        });
    }

    fn show_next(&mut self, me: &ActorRef<Self>) {
        let behind = self.approving.queue.behind();
        let Some(waiting) = self.approving.queue.show() else { return };
        let (number, matter) = (waiting.number, waiting.matter.clone());
        let away = self.cancel.child_token();
        self.approving.shown = Some((number, away.clone()));
        self.count_down(number, away.clone(), me);
        let task = self.state().plan().and_then(|plan| plan.get(&matter.key.task));
        let question = Question {
            title: task.map(|task| task.title.clone()).unwrap_or_default(),
            scope: task.map(|task| task.scope.in_words()).unwrap_or_default(),
            matter,
            behind,
        };
        let (reviewer, me) = (self.reviewer.clone(), me.clone());
        tokio::spawn(async move {
            let word = reviewer.ask(question, away).await;
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(Answered { number, word }).await;
        });
    }

    /// Journals what was decided and tells whoever waits.
    pub(super) fn decide(&mut self, matter: Matter, ticket: Ticket, decided: (Decision, Decider)) -> Result<(), Error> {
        match ticket {
            Ticket::Scope(answer) => self.decide_scope(matter, answer, decided),
            Ticket::Tool(answer) => {
                let (decision, by) = decided;
                let Matter { key, what, why, .. } = matter;
                let granted = decision != Decision::Denied;
                self.record(&Event::ApprovalDecided { key, what, decision, by, why: why.clone() })?;
                let _ = answer.send(if granted { Cleared::Yes } else { Cleared::No(say_no(&Answer { granted, by, why })) });
                Ok(())
            }
        }
    }

    /// Decides all other questions that what the person has just allowed covers, too.
    fn decide_covered(&mut self) -> Result<(), Error> {
        let (rules, standing) = (self.site.approvals.clone(), self.state().standing().to_vec());
        let covered = |matter: &Matter| match &matter.what {
            Subject::Command(command) => rules.of_command(command, &standing).verdict == Verdict::Allow,
            Subject::Write(path) => rules.of_path(path, &standing).verdict == Verdict::Allow,
            Subject::Scope(_) => false,
        };
        for number in self.approving.waiting(covered) {
            self.decide_without_asking(number, (Decision::Allowed, Decider::Person))?;
        }
        Ok(())
    }

    fn hear_answer(&mut self, number: u64, word: Word) -> Result<(), Error> {
        self.approving.queue.cleared(number);
        self.approving.shown = self.approving.shown.take().filter(|(shown, _)| *shown != number);
        let decision = |offer: &[Standing]| match word {
            Word::Once => Some(Decision::Allowed),
            Word::Always if offer.is_empty() => Some(Decision::Allowed),
            Word::Always => Some(Decision::Always(offer.to_vec())),
            Word::Deny => Some(Decision::Denied),
            Word::Nobody => None,
        };
        let Some(Waiting { matter, ticket, .. }) = self.approving.queue.leave(number) else { return Ok(()) };
        let decided = match decision(&matter.offer) {
            Some(decision) => (decision, Decider::Person),
            None => self.without_a_person(Decider::Unattended),
        };
        self.decide(matter, ticket, decided)?;
        if word == Word::Always { self.decide_covered() } else { Ok(()) }
    }

    /// Decides a question that waits, and takes it away from the person if it is shown; one that has left is decided already.
    pub(super) fn decide_without_asking(&mut self, number: u64, decided: (Decision, Decider)) -> Result<(), Error> {
        let Some(Waiting { matter, ticket, .. }) = self.approving.queue.leave(number) else { return Ok(()) };
        self.take_away(number);
        self.decide(matter, ticket, decided)
    }

    /// An attempt that is over needs no answers.
    pub(super) fn ask_no_more_for(&mut self, key: &AttemptKey) {
        for Waiting { number, .. } in self.approving.queue.leave_all(|matter| matter.key == *key) {
            self.take_away(number);
        }
    }

    fn take_away(&mut self, number: u64) {
        if let Some((shown, away)) = &self.approving.shown
            && *shown == number
        {
            away.cancel();
        }
    }
}

/// A refusal as an instruction to the worker.
fn say_no(Answer { by, why, .. }: &Answer) -> String {
    format!(
        "not allowed ({by}): {why}. Nothing was done. Do the task without it; where that cannot be, finish as `blocked` and say what it needs"
    )
}

impl Message<ApprovalWanted> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, wanted: ApprovalWanted, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        if let Err(error) = self.hear_wanted(wanted, &me) {
            self.finish(Err(error));
        }
    }
}

/// A person has answered a question, or there is nobody.
struct Answered {
    number: u64,
    word: Word,
}

impl Message<Answered> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Answered { number, word }: Answered, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        if self.cancel.is_cancelled() {
            // Whoever waited ends with the run.
            return;
        }
        match self.hear_answer(number, word) {
            Ok(()) => self.show_next(&me),
            Err(error) => self.finish(Err(error)),
        }
    }
}

/// A question has waited long enough.
struct Overdue {
    number: u64,
}

impl Message<Overdue> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Overdue { number }: Overdue, _: &mut Context<Self, ()>) {
        let decided = self.without_a_person(Decider::Deadline);
        if let Err(error) = self.decide_without_asking(number, decided) {
            self.finish(Err(error));
        }
    }
}

/// A worker's way to ask before it does something. What no rule stands before is answered here, at once.
pub(super) struct Approvals {
    dispatcher: ActorRef<Dispatcher>,
    key: AttemptKey,
    rules: Arc<Rules>,
}

impl Clearance for Approvals {
    fn clear<'a>(&'a self, wanted: Wanted<'a>) -> BoxFuture<'a, Cleared> {
        let (judgement, what) = match wanted {
            Wanted::Command(command) => (self.rules.of_command(command, &[]), Subject::Command(command.to_owned())),
            Wanted::Write(path) => (self.rules.of_path(path, &[]), Subject::Write(path.clone())),
        };
        let Judgement { verdict, why, offer } = judgement;
        if verdict == Verdict::Allow {
            return Box::pin(std::future::ready(Cleared::Yes));
        }
        let (answer, hear) = oneshot::channel();
        let wanted =
            ApprovalWanted { matter: Matter { key: self.key.clone(), what, why, reason: String::new(), offer }, verdict, answer };
        Box::pin(async move {
            let gone = || Cleared::No("the run is ending; nothing is begun any more".to_owned());
            if self.dispatcher.tell(wanted).await.is_err() {
                return gone();
            }
            hear.await.unwrap_or_else(|_| gone())
        })
    }
}
