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
use plans::{Plan, edit::PlanEdit, event::Event, task_state::TaskState};
use shared::{AttemptKey, TaskId};
use tokio::sync::mpsc::{OwnedPermit, error::TrySendError};

use super::Dispatcher;
use crate::{
    control::{
        Order, Refused, Reply,
        rules::{self, Granted, Means},
    },
    disk::Places,
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
        let taken = taken_for(&order, self.site.places()).await;
        let Granted { events, words } = self.weigh(&order, taken)?;
        let ear = self.ear_for(&events)?;
        let had_bound = self.state().settings().max_disk.is_some();
        self.take_down(&events)?;
        self.act_on(&events, ear);
        if !had_bound {
            self.watch_the_disk(&me);
        }
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

/// How much of the disk the run takes, where the order is about that.
async fn taken_for(order: &Order, places: Places) -> u64 {
    if !matches!(order, Order::Limits(limiting) if limiting.max_disk.is_some()) {
        return 0;
    }
    tokio::task::spawn_blocking(move || places.taken()).await.unwrap_or_default()
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
    fn weigh(&self, order: &Order, taken: u64) -> Result<Granted, Refused> {
        if self.end.is_none() {
            return Err(leaving());
        }
        let state = self.state();
        let rules = self.site.rules_now(state.settings());
        let (progress, survey) = (state.progress().for_person(), &self.site.survey);
        let edit = |plan: &Plan, edits: &[PlanEdit]| rules.mended(plan, edits, &progress, survey);
        let unpriced = self.site.models.unpriced();
        let (run, planner, worked) = (self.site.run().as_str(), self.planner.is_some(), self.terms.worked());
        rules::weigh(order, state, &Means { run, carried: true, planner, worked, edit: &edit, taken, unpriced })
    }

    /// A place for the words that are about to be said, where somebody is at the task who can hear them.
    fn ear_for(&self, events: &[Event]) -> Result<Option<OwnedPermit<String>>, Refused> {
        let [Event::Steered { task, .. }] = events else { return Ok(None) };
        let live = self.alive(task).and_then(|key| self.crew.get(&key));
        let Some((live, ear)) = live.and_then(|live| Some((live, live.ear()?))) else { return Ok(None) };
        match ear.clone().try_reserve_owned() {
            Ok(place) => Ok(Some(place)),
            // Its conversation has ended; whoever goes on hears it.
            Err(TrySendError::Closed(_)) if live.leaves_it_to_others() => Ok(None),
            Err(TrySendError::Closed(_)) => Err(Refused {
                what: format!("whoever was at `{task}` has just ended and hears nobody; nothing was said"),
                hint: "`inspan status` shows what became of it".to_owned(),
            }),
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
