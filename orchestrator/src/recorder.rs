//! The journal and the state that it folds to, kept in step.
//!
//! **Invariant:** the journal has no holes: after an event that could not be written, none is.
//! **Invariant:** no event that is folded or written holds a secret in its texts; see [`masked`].
//! **Invariant:** no event is written that does not read again: one such event would make the whole journal unreadable.
//! **Invariant:** [`Recorder::record`] returns only after the event is on disk; whoever acts on an event acts after that.
//!
//! Listeners (the screen, `--output-format json`) get every entry through a channel that drops the oldest when they are slow; they
//! read what they missed from the journal. They can never hold up a run.

mod masked;

use std::{borrow::Cow, path::Path, sync::Arc, time::Duration};

use plans::{
    event::{Entry, Event},
    run_state::{IllegalEvent, RunState},
    worked::time_at_work,
};
use shared::{RunId, Secrecy};
use tokio::sync::broadcast;

use crate::journal::{Fence, Journal, JournalError};

/// Why an event could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk says no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An earlier event could not be written.
    #[error("the journal could not be written before, so nothing more is recorded")]
    Closed,
    /// An event holds a secret where something else has to stand.
    #[error(
        "a secret stands where a name or an address belongs, and without it the event is none: {0}; nothing of it was written and the run \
         is kept as it was. Take the secret out of the plan and the configuration"
    )]
    Unmasked(serde_json::Error),
    /// What would be written does not read, and with it the whole journal would not.
    #[error("an event that does not read again was not written, and the run is kept as it was: {0}; please report this")]
    Unreadable(serde_json::Error),
    /// The event does not follow from what has happened.
    #[error("this cannot have happened: {0}; the run is kept as it was, please report this")]
    Illegal(#[from] IllegalEvent),
}

/// Writes events and folds them.
#[derive(Debug)]
pub struct Recorder {
    journal: Journal,
    state: RunState,
    /// The state is ahead of the journal: nothing may be written any more, or the journal would have a hole.
    closed: bool,
    secrecy: Arc<Secrecy>,
    listeners: broadcast::Sender<Arc<Entry>>,
    worked: Duration,
}

impl Recorder {
    /// Begins a run with its first event.
    pub fn begin(folder: &Path, run: RunId, first: &Event, secrecy: Arc<Secrecy>) -> Result<Self, RecordError> {
        let first = &*fit(first, &secrecy)?;
        let state = RunState::begin(first)?;
        let mut journal = Journal::open(folder, run)?;
        journal.append(first)?;
        Ok(Self { journal, state, closed: false, secrecy, listeners: broadcast::channel(1024).0, worked: Duration::ZERO })
    }

    /// Takes up a run where its journal ends.
    pub fn take_up(folder: &Path, run: RunId, secrecy: Arc<Secrecy>) -> Result<Self, RecordError> {
        // A journal that has lost its events is damaged, and not to be begun anew.
        Journal::read_only(folder, run.clone())?;
        let journal = Journal::open(folder, run)?;
        let entries = journal.after(0)?;
        let (state, worked) = (RunState::fold(&entries)?, time_at_work(&entries, &journal.taken()?));
        Ok(Self { journal, state, closed: false, secrecy, listeners: broadcast::channel(1024).0, worked })
    }

    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.journal.last()
    }

    /// What tells whether this process may still act for the run.
    pub fn fence(&self) -> Option<Fence> {
        self.journal.fence()
    }

    /// How long earlier processes were at this run.
    pub fn worked(&self) -> Duration {
        self.worked
    }

    /// The state now.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Masks the event, folds it, writes it and tells the listeners.
    pub fn record(&mut self, event: &Event) -> Result<(), RecordError> {
        if self.closed {
            return Err(RecordError::Closed);
        }
        let event = &*fit(event, &self.secrecy)?;
        self.state.apply(event)?;
        let entry = self.journal.append(event).inspect_err(|_| self.closed = true)?;
        // Nobody listening is fine.
        let _ = self.listeners.send(Arc::new(entry));
        Ok(())
    }

    /// The same of several events that belong together: all of them, or none.
    pub fn record_all(&mut self, events: &[Event]) -> Result<(), RecordError> {
        if self.closed {
            return Err(RecordError::Closed);
        }
        let events = events.iter().map(|event| fit(event, &self.secrecy).map(Cow::into_owned));
        let events = events.collect::<Result<Vec<Event>, _>>()?;
        let mut state = self.state.clone();
        for event in &events {
            state.apply(event)?;
        }
        let entries = self.journal.append_all(&events).inspect_err(|_| self.closed = true)?;
        self.state = state;
        for entry in entries {
            // Nobody listening is fine.
            let _ = self.listeners.send(Arc::new(entry));
        }
        Ok(())
    }

    /// A channel of the entries from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.listeners.subscribe()
    }
}

/// The event as it may be written: masked, and read back once.
fn fit<'a>(event: &'a Event, secrecy: &Secrecy) -> Result<Cow<'a, Event>, RecordError> {
    let event = masked::masked(event, secrecy).map_err(RecordError::Unmasked)?;
    let text = serde_json::to_string(&*event).map_err(RecordError::Unreadable)?;
    serde_json::from_str::<Event>(&text).map_err(RecordError::Unreadable)?;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use plans::{
        event::{Author, Settings},
        file,
    };
    use shared::Money;

    use super::*;

    fn recorder(folder: &Path) -> Recorder {
        let commit = plans::event::CommitId("c".repeat(40));
        let (base, head) = (commit.clone(), commit);
        let settings = Settings::default();
        let first = Event::RunStarted { goal: "g".to_owned(), base, head, snapshot: false, settings, program: String::new() };
        Recorder::begin(folder, RunId::new("abcdefgh").unwrap(), &first, Arc::default()).unwrap()
    }

    fn proposed(limits: shared::Limits) -> Event {
        let plan = "version = 1\ngoal = 'g'\n[[task]]\nid = 't'\ntitle = 't'\ninstructions = 'i'\nwrite = ['a']\n";
        let mut draft = file::parse_toml(plan).unwrap().draft().clone();
        draft.tasks[0].limits = limits;
        let plan = Box::new(plans::Plan::new(draft).unwrap());
        Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: vec![] }
    }

    #[test]
    fn an_event_that_does_not_read_again_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = recorder(folder.path());
        let endless = shared::Limits { cost: Some(Money { nano_usd: u64::MAX }), ..shared::Limits::default() };
        for refused in [recorder.record(&proposed(endless)), recorder.record_all(&[proposed(endless)])] {
            assert!(matches!(refused, Err(RecordError::Unreadable(_))), "{refused:?}");
        }
        let many = shared::Limits { tokens: Some(u64::MAX), ..shared::Limits::default() };
        recorder.record(&proposed(many)).unwrap();
        drop(recorder);
        let again = Recorder::take_up(folder.path(), RunId::new("abcdefgh").unwrap(), Arc::default()).unwrap();
        assert_eq!(again.state().plan().unwrap().tasks()[0].limits, many);
    }
}
