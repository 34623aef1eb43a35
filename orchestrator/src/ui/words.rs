//! Events in words, one line each, for the plain progress and for `inspan log`.

use plans::{
    approval::{Decider, Decision, Subject},
    event::{Approver, Entry, Event, RedVerdict, Settings},
    evidence::Setback,
};
use shared::{AttemptKey, Outcome, TaskId};

pub use shared::usage::{counted, short as count};

/// What an event says to a person; none for those that only the books need.
pub fn line(entry: &Entry) -> Option<String> {
    Some(match &entry.event {
        Event::RunStarted { base, snapshot, .. } => {
            let from = if *snapshot { "a snapshot of your uncommitted changes" } else { "HEAD" };
            format!("run {} starts from {from} ({})", entry.run, base.short())
        }
        Event::PlanProposed { revision, plan, author, warnings } => {
            format!("plan {revision} by {author}: {}{}", many(plan.tasks().len(), "task"), remarks(warnings.len()))
        }
        Event::PlanApproved { revision, by } => format!("plan {revision} approved by {}", approver(*by)),
        Event::PlanRejected { revision, why } => format!("plan {revision} rejected: {why}"),
        Event::AttemptStarted { key, continues, .. } => match continues {
            Some(attempt) if *attempt == key.attempt => format!("{key} goes on"),
            Some(attempt) => format!("{key} starts, going on from #{attempt}"),
            None => format!("{key} starts"),
        },
        Event::TurnTaken { .. } | Event::GatePassed { .. } => return None,
        Event::BaseProved { red } if red.is_empty() => return None,
        Event::ScopeGranted { key, globs, reason, shared, by } => {
            let (what, beside) =
                (Subject::Scope(globs.clone()), if *shared { ", shared with the task that owns it" } else { "" });
            format!("{key} may {}{beside} ({by}): {reason}", what.in_words())
        }
        Event::ScopeRefused { key, globs, why, by, .. } => {
            format!("{key} may not {} ({by}): {why}", Subject::Scope(globs.clone()).in_words())
        }
        Event::ApprovalAsked { key, what, why } => format!("{key} asks to {}: {why}", what.in_words()),
        Event::ApprovalDecided { key, what, decision, by, why } => decided(key, what, decision, (*by, why)),
        Event::AttemptEnded { key, outcome: Outcome::Done { report }, .. } => match report.unheard.as_slice() {
            [] => format!("{key} is done"),
            words => format!("{key} is done; it had finished before it could hear: {}", words.join(" / ")),
        },
        Event::AttemptEnded { key, outcome, .. } => format!("{key} ended: {}", Setback::Ended(outcome.clone()).headline()),
        Event::LandingStarted { key, .. } => format!("{key} is being merged and proved"),
        Event::LandingConflicted { key, paths, with, .. } => {
            let (paths, with) = (paths.clone(), with.clone());
            format!("{key}: {}", Setback::Conflicted { paths, with, detail: String::new() }.headline())
        }
        Event::LandingRefused { key, verdict, .. } => format!("{key} is {}", Setback::Red(verdict.clone()).headline()),
        Event::TasksClashed { key, with, verdict, .. } => {
            format!("{key} is {}", Setback::Clashed { with: with.clone(), verdict: verdict.clone() }.headline())
        }
        Event::BaseProved { red } => red_base(red),
        Event::FlakySeen { command, tasks, .. } => {
            let of = if tasks.is_empty() { "the base".to_owned() } else { join(tasks) };
            format!("flaky: `{command}` failed and then passed on the same tree ({of}); it counts as passed")
        }
        Event::LandingPutBack { key, why } => format!("{key} was not landed yet: {why}"),
        Event::TaskLanded { key, commit } => format!("{} landed as {}", key.task, commit.short()),
        Event::ReplanStarted { number, causes } => format!("re-plan {number} for {}", join(causes)),
        Event::PlanRevised { revision, difference, .. } => format!("plan {revision} is in effect:\n{}", difference.trim_end()),
        Event::ReplanFailed { number, why, cut_off: true } => format!("re-plan {number} was cut off: {why}"),
        Event::ReplanFailed { number, why, cut_off: false } => format!("re-plan {number} came to nothing: {why}"),
        Event::TaskEnded { task, end, why } => format!("{task} ends as {end}: {why}"),
        Event::AttemptReused { key, .. } => format!("{key} had finished already; it is not done again"),
        Event::RunPaused
        | Event::RunUnpaused
        | Event::Steered { .. }
        | Event::TaskCancelRequested { .. }
        | Event::RetryRequested { .. }
        | Event::ReplanRequested { .. }
        | Event::LimitsChanged { .. } => return order(&entry.event),
        Event::CancelRequested => "stopping: workers are ended and what they left is kept".to_owned(),
        Event::BudgetReached { why, .. } => format!("budget reached: {why}; nothing new starts"),
        Event::RunHalted { why } => format!("halted: {why}"),
        Event::RunResumed { .. } => "resumed".to_owned(),
        Event::RunEnded { status, tip } => format!("run {} is {status}, tip {}", entry.run, tip.short()),
        Event::ResultApplied { branch, commit } => format!("applied to {branch} as {}", commit.short()),
    })
}

fn approver(by: Approver) -> &'static str {
    match by {
        Approver::Person => "a person",
        Approver::Policy => "policy",
    }
}

/// The same of things that were counted here.
fn many(count: usize, noun: &str) -> String {
    counted(u64::try_from(count).unwrap_or(u64::MAX), noun)
}

fn remarks(count: usize) -> String {
    if count == 0 { String::new() } else { format!(", {}", many(count, "warning")) }
}

/// What a person has ordered.
fn order(event: &Event) -> Option<String> {
    Some(match event {
        Event::RunPaused => "paused: nothing begins and no model is asked; `inspan resume` lets it go on".to_owned(),
        Event::RunUnpaused => "goes on after the pause".to_owned(),
        Event::Steered { task, text } => format!("to {task}: {text}"),
        Event::TaskCancelRequested { task } => format!("{task} is given up by a person"),
        Event::RetryRequested { task, from: None } => format!("{task} is tried again, as a person wants"),
        Event::RetryRequested { task, from: Some(attempt) } => {
            format!("{task} is tried again from #{attempt}, as a person wants")
        }
        Event::ReplanRequested { comment } if comment.trim().is_empty() => "a person wants a re-plan".to_owned(),
        Event::ReplanRequested { comment } => format!("a person wants a re-plan: {comment}"),
        Event::LimitsChanged { .. } => "a person has changed the limits".to_owned(),
        _ => return None,
    })
}

fn red_base(red: &[RedVerdict]) -> String {
    let list: Vec<String> = red.iter().map(|red| format!("`{}` ({})", red.command, red.ended)).collect();
    format!("the base fails the gate: {}. No task is blamed for it; the run is complete only once it passes", list.join(", "))
}

fn decided(key: &AttemptKey, what: &Subject, decision: &Decision, (by, why): (Decider, &str)) -> String {
    let what = what.in_words();
    match decision {
        Decision::Allowed => format!("{key} may {what} ({by})"),
        Decision::Denied => format!("{key} may not {what} ({by}): {why}"),
        Decision::Always(standing) => {
            let standing: Vec<String> = standing.iter().map(ToString::to_string).collect();
            format!("{key} may {what} ({by}), and for the rest of the run {}", standing.join(", "))
        }
    }
}

/// What an event holds beyond its line, for whoever wants to know why: the output of what failed, both sides of a conflict.
pub fn detail(event: &Event) -> Option<String> {
    let setback = match event {
        Event::AttemptEnded { outcome: Outcome::Done { report }, .. } => return Some(report.summary.clone()),
        Event::AttemptEnded { outcome, .. } => Setback::Ended(outcome.clone()),
        Event::LandingRefused { verdict, .. } => Setback::Red(verdict.clone()),
        Event::TasksClashed { with, verdict, .. } => Setback::Clashed { with: with.clone(), verdict: verdict.clone() },
        Event::FlakySeen { output, .. } => return Some(output.clone()),
        Event::BaseProved { red } if !red.is_empty() => {
            return Some(red.iter().map(|red| format!("$ {}\n{}", red.command, red.output)).collect::<Vec<_>>().join("\n"));
        }
        Event::LandingConflicted { paths, with, detail, .. } => {
            Setback::Conflicted { paths: paths.clone(), with: with.clone(), detail: detail.clone() }
        }
        _ => return None,
    };
    let (full, headline) = (setback.in_full(), setback.headline());
    Some(full.strip_prefix(&headline).unwrap_or(&full).trim().to_owned())
}

/// Which limits a person has changed, and to what.
pub fn limits_changed(before: &Settings, now: &Settings) -> String {
    let (most, old) = (now.run_limits, before.run_limits);
    let parts = [
        most.cost.filter(|_| most.cost != old.cost).map(|cost| cost.to_string()),
        most.tokens.filter(|_| most.tokens != old.tokens).map(|tokens| format!("{} tokens", count(tokens))),
        most.minutes.filter(|_| most.minutes != old.minutes).map(|minutes| number(minutes, "minute")),
        (now.workers != before.workers).then(|| format!("{} at once", number(now.workers, "worker"))),
        (now.attempts != before.attempts).then(|| format!("{} at a task", number(now.attempts, "attempt"))),
        (now.replans != before.replans).then(|| number(now.replans, "re-plan")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

/// `1 minute`, `2 minutes`.
pub fn number(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `0:07`, `12:30`, `1:02:03`.
pub fn clock(time: std::time::Duration) -> String {
    let (hours, minutes, seconds) = (time.as_secs() / 3600, time.as_secs() / 60 % 60, time.as_secs() % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Every line two columns to the right.
pub fn indent(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect::<Vec<_>>().join("\n")
}

fn join(tasks: &[TaskId]) -> String {
    tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_of_limits_names_what_changed_alone() {
        let before = Settings { workers: 4, ..Settings::default() };
        let mut now = Settings { workers: 1, ..before.clone() };
        now.run_limits.minutes = Some(90);
        assert_eq!(limits_changed(&before, &now), ": 90 minutes, 1 worker at once");
        assert_eq!(limits_changed(&now, &now), "");
    }

    #[test]
    fn times_read_like_clocks() {
        assert_eq!([7, 750, 3723].map(|s| clock(Duration::from_secs(s))), ["0:07", "12:30", "1:02:03"]);
    }
}
