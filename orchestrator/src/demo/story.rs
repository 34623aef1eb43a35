//! What happened in a run, as a short story for somebody who sees one for the first time.
//!
//! **Invariant:** every sentence is taken from the journal; what did not happen is not told.

use std::{collections::BTreeSet, fmt::Write as _};

use plans::{
    Plan,
    event::{Entry, Event, RedVerdict},
};
use shared::{AttemptKey, RepoPath, TaskId};

/// The story.
pub(super) fn story(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut plan: Option<&Plan> = None;
    if let Some(names) = together(entries) {
        tell(&mut text, "At once", &format!("{names} were worked on at the same time, each in a worktree of its own."));
    }
    for (at, entry) in entries.iter().enumerate() {
        let later = &entries[at + 1..];
        match &entry.event {
            Event::PlanProposed { plan: proposed, .. } => plan = Some(proposed.as_ref()),
            Event::LandingConflicted { key, paths, with, .. } => tell(&mut text, "Conflict", &conflict(key, paths, with, later)),
            Event::LandingRefused { key, verdict, .. } => tell(&mut text, "Red", &red(key, verdict)),
            Event::PlanRevised { plan: revised, difference, .. } => {
                tell(&mut text, "Re-plan", &mended(plan, revised, difference, later));
                plan = Some(revised.as_ref());
            }
            _ => {}
        }
    }
    tell(&mut text, "Result", &result(entries));
    text
}

/// A heading and what belongs to it, wrapped and set in.
fn tell(text: &mut String, heading: &str, body: &str) {
    const WIDTH: usize = 100;
    let mut lines = vec![String::new()];
    for word in body.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    for (at, line) in lines.iter().enumerate() {
        let heading = if at == 0 { heading } else { "" };
        writeln!(text, "  {heading:9} {line}").expect("writing to a string");
    }
}

/// The most tasks that were worked on at the same time, if that was ever more than one.
fn together(entries: &[Entry]) -> Option<String> {
    let (mut alive, mut most) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries {
        match &entry.event {
            Event::AttemptStarted { key, .. } => drop(alive.insert(key.task.clone())),
            Event::AttemptEnded { key, .. } => drop(alive.remove(&key.task)),
            _ => {}
        }
        if alive.len() > most.len() {
            most.clone_from(&alive);
        }
    }
    let names: Vec<&TaskId> = most.iter().collect();
    (names.len() > 1).then(|| list(&names))
}

fn conflict(key: &AttemptKey, paths: &[RepoPath], with: &[TaskId], later: &[Entry]) -> String {
    let task = &key.task;
    let others = if with.is_empty() { "another task".to_owned() } else { list(with) };
    let mut text = format!("{task} and {others} had changed the same lines of {}; {others} had landed first.", list(paths));
    let again = later.iter().find_map(|entry| match &entry.event {
        Event::AttemptStarted { key: next, continues: Some(_), .. } if next.task == *task => Some(next.attempt),
        _ => None,
    });
    if let Some(attempt) = again {
        let landed = landing(task, later).map(|commit| format!("; it landed as {commit}")).unwrap_or_default();
        write!(
            text,
            " The worker of {task} was shown both sides and did its change again in the same conversation (#{attempt}){landed}."
        )
        .expect("writing to a string");
    }
    text
}

fn red(key: &AttemptKey, verdict: &RedVerdict) -> String {
    let RedVerdict { command, ended, proof, output, .. } = verdict;
    let cause = output.lines().map(str::trim).find(|line| line.starts_with("error")).unwrap_or_default();
    let cause = if cause.is_empty() { String::new() } else { format!(" ({cause})") };
    format!(
        "{} was green in its own worktree, but with everything together the {proof}, `{command}`, was not: {ended}{cause}. \
         It did not land, and the run branch stayed as it was.",
        key.task
    )
}

fn mended(old: Option<&Plan>, new: &Plan, difference: &str, later: &[Entry]) -> String {
    let is_new = |id: &&TaskId| old.is_some_and(|old| old.get(id).is_none());
    let added: Vec<&TaskId> = new.tasks().iter().map(|task| &task.id).filter(is_new).collect();
    let changes = difference.split("\n\n").next().unwrap_or_default().lines().collect::<Vec<_>>().join("; ");
    let mut text = format!("The planner got that output as evidence and edited the plan: {changes}.");
    for task in added {
        if let Some(commit) = landing(task, later) {
            write!(text, " The new task, {task}, landed as {commit}.").expect("writing to a string");
        }
    }
    text
}

fn result(entries: &[Entry]) -> String {
    let count = |wanted: fn(&Event) -> bool| entries.iter().filter(|entry| wanted(&entry.event)).count();
    let attempts = count(|event| matches!(event, Event::AttemptStarted { .. }));
    let landed = count(|event| matches!(event, Event::TaskLanded { .. }));
    let end = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::RunEnded { status, tip } => Some(format!("The run is {status}, at {}", tip.short())),
        _ => None,
    });
    let end = end.unwrap_or_else(|| "The run has not ended".to_owned());
    if landed == 0 {
        return format!("{end}; nothing landed.");
    }
    format!("{end}: {landed} tasks landed after {attempts} attempts, each proved on the merged tree before the run branch moved.")
}

fn landing(task: &TaskId, later: &[Entry]) -> Option<String> {
    later.iter().find_map(|entry| match &entry.event {
        Event::TaskLanded { key, commit } if key.task == *task => Some(commit.short().to_owned()),
        _ => None,
    })
}

/// `a`, `a and b`, `a, b and c`.
fn list<T: ToString>(all: &[T]) -> String {
    let names: Vec<String> = all.iter().map(T::to_string).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
