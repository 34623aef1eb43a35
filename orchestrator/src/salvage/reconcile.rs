//! The journal against the refs: what it says to be kept is made to be there again, or is done again.
//!
//! **Invariant:** a run whose refs somebody removed goes on: a commit that is still in the repository gets its ref back, and work whose commit
//! is gone is done anew.
//!
//! A ref that the journal does not know needs nothing: it is of an attempt that was saved and whose end was not written, and the attempt
//! is saved once more, as the same commit where nothing has changed since.

use plans::{
    event::Event,
    run_state::{Phase, TaskRecord},
    task_state::TaskState,
};
use shared::{Attempt, AttemptKey};

use crate::{error::Error, kept, recorder::Recorder, site::Site};

/// Makes refs again that somebody removed, and has done again what is lost with them and the run goes on from.
pub(super) async fn restore(recorder: &mut Recorder, site: &Site) -> Result<(), Error> {
    let expected = kept::expected(site.run(), recorder.state());
    let lost = kept::put_back(&site.repository.git, site.run(), expected).await?;
    let mut again = Vec::new();
    for record in recorder.state().tasks() {
        let attempts = record.trail.keys().filter(|attempt| is_needed(record, **attempt));
        let keys = attempts.map(|attempt| AttemptKey { task: record.id.clone(), attempt: *attempt });
        again.extend(keys.filter(|key| lost.contains(&site.attempt_ref(key))));
    }
    again.iter().try_for_each(|key| do_again(recorder, key))
}

/// Whether the run goes on from what the attempt left, by itself or as a person has ordered.
fn is_needed(record: &TaskRecord, attempt: Attempt) -> bool {
    let is_last = record.attempts == attempt.0;
    match &record.state {
        TaskState::Finished { attempt: at, .. } | TaskState::Landing { attempt: at, .. } => *at == attempt,
        TaskState::Waiting => match record.wanted_from {
            Some(from) => from == attempt,
            None => is_last && record.continuation.is_some(),
        },
        _ => false,
    }
}

/// In a run that is over, the start of the next attempt looks for itself.
fn do_again(recorder: &mut Recorder, key: &AttemptKey) -> Result<(), Error> {
    if recorder.state().phase() != Phase::Underway {
        return Ok(());
    }
    tracing::error!(%key, "the commit that held its work is gone from the repository; the task is done again");
    let is_landing = recorder.state().landings().any(|record| record.id == key.task);
    if is_landing {
        let why = "the commit that held its work is gone from the repository".to_owned();
        recorder.record(&Event::LandingPutBack { key: key.clone(), why })?;
    }
    Ok(recorder.record(&Event::RetryRequested { task: key.task.clone(), from: None })?)
}
