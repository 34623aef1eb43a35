//! What a worker is told when it starts: its brief, or how it goes on with an earlier conversation.

use std::path::{Path, PathBuf};

use plans::{Task, event::RedVerdict, evidence::Setback, run_state::Continuation};
use shared::{AttemptKey, Brief, Glob, RepoPath, TaskId, brief::HandOff};
use worker::{
    actor::Opening,
    context::{Clash, Conflict, clash_notice, conflict_notice},
    steering,
    transcript::{self, Entry},
};

use super::Dispatcher;
use crate::survey::Focus;

/// How many earlier attempts a worker hears of.
const TOLD: usize = 3;

const AFTER_INTERRUPTION: &str = "The harness was interrupted and has started again. Your files are as you left them; commands that were \
                                  running have ended. Go on with your task.";

const FROM_ATTEMPT: &str = "A person wants you to go on from here. Your files are as this attempt left them; commands that were running have \
                            ended. Look at what is there before you change more, and finish your task.";

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
            scope: task.scope.clone(),
            deliver: task.deliver.clone(),
            verify: task.verify.clone(),
            hand_off: task.hand_off.clone(),
            received: self.handed_over(state.landed().iter().filter(|id| task.depends_on.contains(id))),
            around: self.around(task),
            notes: self.notes(key),
            history: history.map(plans::evidence::retold).collect(),
            limits: task.limits.or(state.settings().task_limits),
        }
    }

    /// The same for every attempt: it tells of the base commit.
    fn around(&self, task: &Task) -> String {
        let words = format!("{}\n{}", task.title, task.instructions);
        let focus = Focus { words: &words, budget: self.site.map_bytes / 4 * 3 };
        let is_own = |path: &RepoPath| task.scope.covers(path) || task.deliver.contains(path);
        self.site.secrecy.mask(&self.site.map.around(is_own, &focus)).into_owned()
    }

    fn notes(&self, key: &AttemptKey) -> Vec<String> {
        let left = self.state().task(&key.task).and_then(|record| record.left.as_ref());
        let note =
            left.map(|_| "An interrupted attempt at this task has left changes in the worktree; look at them first.".to_owned());
        let denied = &self.site.approvals.paths.deny;
        let names: Vec<&str> = denied.iter().map(Glob::as_str).collect();
        let denied = (!denied.is_empty()).then(|| format!("No task may change these files: {}.", names.join(", ")));
        self.site.notes.iter().cloned().chain(denied).chain(note).collect()
    }

    /// How the conversation begins: anew, or where an earlier attempt left off, if that can be read and the model said something in it; and
    /// the person's words that it has not heard.
    pub(super) fn opening(&self, key: &AttemptKey, continuation: Option<Continuation>) -> (Opening, Vec<String>) {
        let words = self.state().task(&key.task).map(|record| record.words.clone()).unwrap_or_default();
        let earlier = continuation.map(|continuation| AttemptKey { task: key.task.clone(), attempt: continuation.of() });
        let earlier = earlier.map(|earlier| self.site.folder.transcript(&earlier));
        let transcript = to_go_on_in(earlier, &self.site.folder.transcript(key));
        let Some((transcript, continuation)) = transcript.zip(continuation) else {
            return (Opening::Fresh { repository_brief: self.site.repository_brief.clone() }, words);
        };
        // It was read a moment ago; what cannot be read now is told once more rather than never.
        let conversation = transcript::read_entries(&transcript).unwrap_or_default();
        let unheard = steering::unheard(&words, &conversation).to_vec();
        let notice = match continuation {
            Continuation::AfterConflict(_) => self.about_conflict(key),
            Continuation::AfterInterruption(_) => AFTER_INTERRUPTION.to_owned(),
            Continuation::FromAttempt(_) => FROM_ATTEMPT.to_owned(),
        };
        (Opening::Continue { transcript, notice }, unheard)
    }

    fn about_conflict(&self, key: &AttemptKey) -> String {
        let state = self.state();
        let last = state.task(&key.task).and_then(|record| record.setbacks.last());
        let title = state.plan().and_then(|plan| plan.get(&key.task)).map(|task| task.title.clone()).unwrap_or_default();
        match last.map(|evidence| &evidence.setback) {
            Some(Setback::Conflicted { paths, with, detail }) => {
                let landed = self.handed_over(with.iter());
                conflict_notice(&Conflict { title: &title, landed: &landed, paths, detail })
            }
            Some(Setback::Clashed { with, verdict }) => {
                let RedVerdict { command, ended, output, .. } = verdict;
                let (landed, own) = (self.handed_over(std::iter::once(with)), self.handed_over(std::iter::once(&key.task)));
                let own = own.first().map(|hand_off| hand_off.text.as_str()).unwrap_or_default();
                clash_notice(&Clash { title: &title, with: with.as_str(), landed: &landed, own, command, ended, output })
            }
            _ => String::new(),
        }
    }

    /// What finished tasks tell: their hand-off, or their summary where they gave none.
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

/// The earlier transcript, if there is something to go on with. An attempt's own that is not gone on with is moved out of its way.
fn to_go_on_in(earlier: Option<PathBuf>, own: &Path) -> Option<PathBuf> {
    let transcript = earlier.filter(|transcript| holds_an_answer(transcript));
    if transcript.as_deref() != Some(own) {
        set_aside(own);
    }
    transcript
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

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"{"version":1,"turn":1,"message":{"role":"user","content":"u"}}"#;
    const ANSWERED: &str = r#"{"version":1,"turn":1,"answer":{"max_tokens":9,"finish":"stop","usage":{"hit":0,"miss":0,"output":0},"estimated":false}}"#;

    #[test]
    fn only_a_transcript_with_an_answer_is_gone_on_with_and_another_one_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let (own, earlier) = (folder.path().join("2.jsonl"), folder.path().join("1.jsonl"));
        let answered = format!("{SAID}\n{ANSWERED}\n");
        let torn = [String::new(), "{".to_owned(), format!("{SAID}\n"), format!("{{\n{answered}")];
        for (number, text) in torn.iter().enumerate() {
            std::fs::write(&own, text).unwrap();
            assert_eq!(to_go_on_in(Some(own.clone()), &own), None, "{text}");
            assert!(!own.exists());
            let aside = folder.path().join(format!("2.torn-{}.jsonl", number + 1));
            assert_eq!(std::fs::read_to_string(aside).unwrap(), *text, "it is kept");
        }
        std::fs::write(&own, format!("{answered}{{\"torn")).unwrap();
        assert_eq!(to_go_on_in(Some(own.clone()), &own), Some(own.clone()));
        assert_eq!(to_go_on_in(Some(earlier.clone()), &own), None, "there is no earlier one");
        std::fs::write(&earlier, answered).unwrap();
        assert_eq!(to_go_on_in(Some(earlier.clone()), &own), Some(earlier));
    }
}
