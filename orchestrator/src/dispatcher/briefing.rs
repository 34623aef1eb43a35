//! What a worker is told when it starts: its brief, or how it goes on with an earlier conversation.

use std::path::Path;

use plans::{Task, evidence::Setback, run_state::Continuation};
use shared::{AttemptKey, Brief, TaskId, brief::HandOff};
use worker::{
    actor::Opening,
    context::{Conflict, conflict_notice},
    transcript::{self, Entry},
};

use super::Dispatcher;

/// How many earlier attempts a worker hears of.
const TOLD: usize = 3;

const AFTER_INTERRUPTION: &str = "The harness was interrupted and has started again. Your files are as you left them; commands that were \
                                  running have ended. Go on with your task.";

impl Dispatcher {
    pub(super) fn brief(&self, key: &AttemptKey, task: &Task) -> Brief {
        let state = self.state();
        let setbacks = state.task(&key.task).map(|record| record.setbacks.as_slice()).unwrap_or_default();
        let history = setbacks[setbacks.len().saturating_sub(TOLD)..].iter();
        Brief {
            run: self.site.run().clone(),
            key: key.clone(),
            goal: state.goal().to_owned(),
            title: task.title.clone(),
            instructions: task.instructions.clone(),
            scope: state.scope_of(task),
            deliver: task.deliver.clone(),
            verify: task.verify.clone(),
            hand_off: task.hand_off.clone(),
            received: self.handed_over(state.landed().iter().filter(|id| task.depends_on.contains(id))),
            notes: self.notes(key),
            history: history.map(|evidence| format!("attempt {}: {}", evidence.attempt, evidence.setback.in_full())).collect(),
            limits: task.limits.or(state.settings().task_limits),
        }
    }

    fn notes(&self, key: &AttemptKey) -> Vec<String> {
        let left = self.state().task(&key.task).and_then(|record| record.left.as_ref());
        let note =
            left.map(|_| "An interrupted attempt at this task has left changes in the worktree; look at them first.".to_owned());
        self.site.notes.iter().cloned().chain(note).collect()
    }

    /// How the conversation begins: anew, or where an earlier attempt left off, if that can be read and the model said something in it.
    pub(super) fn opening(&self, key: &AttemptKey, continuation: Option<Continuation>) -> Opening {
        let own = self.site.folder.transcript(key);
        let Some((continuation, transcript)) = continuation.and_then(|continuation| {
            let earlier = AttemptKey { task: key.task.clone(), attempt: continuation.of() };
            let transcript = self.site.folder.transcript(&earlier);
            holds_an_answer(&transcript).then_some((continuation, transcript))
        }) else {
            set_aside(&own);
            return Opening::Fresh { repository_brief: self.site.repository_brief.clone() };
        };
        let notice = match continuation {
            Continuation::AfterConflict(_) => self.about_conflict(key),
            Continuation::AfterInterruption(_) => AFTER_INTERRUPTION.to_owned(),
        };
        if transcript != own {
            set_aside(&own);
        }
        Opening::Continue { transcript, notice }
    }

    fn about_conflict(&self, key: &AttemptKey) -> String {
        let state = self.state();
        let last = state.task(&key.task).and_then(|record| record.setbacks.last());
        let Some(Setback::Conflicted { paths, with, detail }) = last.map(|evidence| &evidence.setback) else {
            return String::new();
        };
        let landed = self.handed_over(with.iter());
        let title = state.plan().and_then(|plan| plan.get(&key.task)).map(|task| task.title.clone()).unwrap_or_default();
        conflict_notice(&Conflict { title: &title, landed: &landed, paths, detail })
    }

    /// What landed tasks tell: their hand-off, or their summary where they gave none.
    fn handed_over<'a>(&self, tasks: impl Iterator<Item = &'a TaskId>) -> Vec<HandOff> {
        let state = self.state();
        let hand_off = |id: &TaskId| {
            let report = state.task(id)?.report.as_ref()?;
            let text = if report.hand_off.trim().is_empty() { &report.summary } else { &report.hand_off };
            Some(HandOff { from: id.clone(), title: state.plan()?.get(id)?.title.clone(), text: text.clone() })
        };
        tasks.filter_map(hand_off).collect()
    }
}

fn holds_an_answer(transcript: &Path) -> bool {
    let entries = transcript::read_entries(transcript).unwrap_or_default();
    entries.iter().any(|(_, entry)| matches!(entry, Entry::Answer(_)))
}

/// Moves a transcript that an attempt cannot go on with out of its way, for it is never written over.
fn set_aside(transcript: &Path) {
    let aside = |number: u32| transcript.with_extension(format!("torn-{number}.jsonl"));
    let free = (1..=u32::MAX).map(aside).find(|path| !path.exists());
    if let Some(path) = free.filter(|_| transcript.exists())
        && let Err(error) = std::fs::rename(transcript, path)
    {
        // The worker says so when it cannot begin.
        tracing::warn!(%error, transcript = %transcript.display(), "a torn transcript could not be moved");
    }
}
