//! What a person orders from another terminal: weighed, journaled, done, and answered in words.
//!
//! **Invariant:** what is refused changes nothing, and ends no run. **Invariant:** words that were taken are heard: a word has its place
//! in the worker's ear before it stands in the journal.
//!
//! What an order comes to is decided in `control::rules`; what follows from its events, as ever, in `plans::run_state`.

use std::time::Duration;

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{Plan, admission::PlanRules, edit::PlanEdit, event::Event, task_state::TaskState};
use shared::{AttemptKey, Limits, Money, TaskId};
use tokio::sync::mpsc::{OwnedPermit, error::TrySendError};

use super::Dispatcher;
use crate::{
    control::{
        Order, Refused, Reply,
        rules::{self, Granted, Means},
    },
    error::Error,
    launch,
    recorder::RecordError,
};

/// A person's order.
pub struct Ordered(pub Order);

impl Message<Ordered> for Dispatcher {
    type Reply = Reply;

    async fn handle(&mut self, Ordered(order): Ordered, ctx: &mut Context<Self, Reply>) -> Reply {
        if order == (Order::Cancel { task: None }) && self.state().is_cancelling() {
            return Ok(leave_soon());
        }
        let me = ctx.actor_ref().clone();
        let Granted { events, words } = self.weigh(&order)?;
        let ear = self.ear_for(&events)?;
        self.take_down(&events)?;
        self.act_on(&events, ear);
        self.pursue(&me).await;
        Ok(words)
    }
}

/// Asks a dispatcher, which may be about to leave.
pub async fn ordered(dispatcher: ActorRef<Dispatcher>, order: Order) -> Reply {
    use kameo::error::SendError::HandlerError;
    dispatcher.ask(Ordered(order)).await.map_err(|error| match error {
        HandlerError(refused) => refused,
        _ => leaving(),
    })
}

/// A second order to stop is one to stop at once, as a second Ctrl-C is: what the first one waits for may never come. The answer goes
/// first.
fn leave_soon() -> String {
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        launch::leave();
    });
    launch::STOPPED_AT_ONCE.to_owned()
}

fn leaving() -> Refused {
    let hint = "`inspan status` shows how it ended; give the order again then";
    Refused { what: "the run is coming to its end; nothing was done".to_owned(), hint: hint.to_owned() }
}

impl Dispatcher {
    fn weigh(&self, order: &Order) -> Result<Granted, Refused> {
        if self.end.is_none() {
            return Err(leaving());
        }
        let state = self.state();
        let rules = PlanRules { run_limits: state.settings().run_limits, ..self.site.rules.clone() };
        let (progress, survey) = (state.progress(), &self.site.survey);
        let edit = |plan: &Plan, edits: &[PlanEdit]| rules.mended(plan, edits, &progress, survey);
        let in_money = Limits { cost: Some(Money { nano_usd: 1 }), ..Limits::default() };
        let unpriced = match self.site.models.can_keep(&in_money) {
            Err(Error::UnknownPrice { model }) => Some(model),
            _ => None,
        };
        let (run, planner, worked) = (self.site.run().as_str(), self.planner.is_some(), self.terms.worked());
        rules::weigh(order, state, &Means { run, carried: true, planner, worked, edit: &edit, unpriced })
    }

    /// A place for the words that are about to be said, where somebody is at the task who can hear them.
    fn ear_for(&self, events: &[Event]) -> Result<Option<OwnedPermit<String>>, Refused> {
        let [Event::Steered { task, .. }] = events else { return Ok(None) };
        let line = self.alive(task).and_then(|key| self.crew.get(&key)?.line());
        let Some(line) = line else { return Ok(None) };
        match line.say.clone().try_reserve_owned() {
            Ok(place) => Ok(Some(place)),
            // Its conversation has just ended; whoever goes on hears it.
            Err(TrySendError::Closed(_)) => Ok(None),
            Err(TrySendError::Full(_)) => Err(Refused {
                what: format!(
                    "{} words wait to be heard at the worker's next turn, and there is no room for more; nothing was said",
                    worker::steering::ROOM
                ),
                hint: "wait until it has heard them, and say the rest in one".to_owned(),
            }),
        }
    }

    fn alive(&self, task: &TaskId) -> Option<AttemptKey> {
        match self.state().task(task)?.state {
            TaskState::Running { attempt, .. } => Some(AttemptKey { task: task.clone(), attempt }),
            _ => None,
        }
    }

    /// Journals what was ordered. What does not fit the state after all is refused; a journal that cannot be written ends the process.
    fn take_down(&mut self, events: &[Event]) -> Result<(), Refused> {
        let Err(error) = self.record_all(events) else { return Ok(()) };
        let refused = Refused { what: format!("{error}; nothing was done"), hint: String::new() };
        if !matches!(error, Error::Record(RecordError::Illegal(_) | RecordError::Unmasked(_) | RecordError::Unreadable(_))) {
            self.finish(Err(error));
        }
        Err(refused)
    }

    fn act_on(&mut self, events: &[Event], ear: Option<OwnedPermit<String>>) {
        if events.contains(&Event::CancelRequested) {
            self.cancel.cancel();
        }
        if let Some((ear, word)) = ear.zip(self.last_word(events)) {
            ear.send(word);
        }
        self.tell_terms();
    }

    /// What was just said, as the journal has it: without the secrets in it.
    fn last_word(&self, events: &[Event]) -> Option<String> {
        let [Event::Steered { task, .. }] = events else { return None };
        self.state().task(task)?.words.last().cloned()
    }
}
