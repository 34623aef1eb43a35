//! What the planner is shown, and what the next worker hears.
//!
//! **Invariant:** evidence, not logs: what fails has a name, and of what was said at length a few lines are shown. The text is bounded, however
//! many attempts there were and whatever they wrote.

use std::fmt::Write as _;

use shared::{Outcome, TaskId};

use super::{Class, Evidence, OwnProof, SHOWN, Setback, first_line, strategies};
use crate::{
    approval::{Request, Subject},
    failures::{FailingTest, Kind, cut, excerpt},
    run_state::{RunState, TaskRecord},
};

/// How many lines of an output are shown.
const LINES: usize = 20;
/// How many failures are named.
const NAMES: usize = 12;
/// How long a failure is told at most.
const LONGEST: usize = 240;

/// How every task stands, and what was observed of those in trouble: what the planner is shown.
pub fn account(state: &RunState) -> String {
    let mut text = String::from("Tasks:\n");
    for record in state.tasks() {
        let report = record.report.as_ref().filter(|_| record.state.name() == "landed").map(|report| first_line(&report.summary));
        let said = report.map(|said| format!(": {said}")).unwrap_or_default();
        say(&mut text, format_args!("- `{}` is {}{said}", record.id, record.state.name()));
    }
    for record in state.in_trouble() {
        trouble(&mut text, state, record);
    }
    joint_causes(&mut text, state);
    known_red(&mut text, state);
    flaky(&mut text, state);
    refused(&mut text, state);
    text
}

/// What the next worker hears of an attempt: the same, without what only a planner can do about it.
pub fn retold(evidence: &Evidence) -> String {
    let Evidence { attempt, setback } = evidence;
    let mut text = format!("attempt {attempt}: {}", setback.headline());
    let failing = setback.failing();
    for failing in failing.iter().take(NAMES) {
        write!(text, "\n   - {}", cut(&failing.in_words(), LONGEST)).expect("writing to a string");
    }
    let shown = shown_of(setback, failing.first());
    if !shown.is_empty() {
        write!(text, "\n{}", indented(&shown)).expect("writing to a string");
    }
    text
}

fn trouble(text: &mut String, state: &RunState, record: &TaskRecord) {
    let Some(last) = record.setbacks.last() else {
        return say(text, format_args!("\n## `{}` is in trouble", record.id));
    };
    let setback = &last.setback;
    let class = state.class_of(setback);
    say(text, format_args!("\n## `{}` is in trouble: {class}", record.id));
    say(text, format_args!("{}", setback.headline()));
    let failing = setback.failing();
    names(text, state, &failing);
    suspected(text, state, record, setback);
    tried(text, record);
    pair(text, state, record);
    say(text, format_args!("What fits:"));
    for strategy in strategies(class) {
        say(text, format_args!("- {strategy}"));
    }
    if record.repeats() {
        let rule = "this has come twice: `retry` is refused; take another way, or leave it to the person";
        say(text, format_args!("- {rule}"));
    }
    let shown = shown_of(setback, failing.first());
    if !shown.is_empty() {
        say(text, format_args!("What it said:\n{}", indented(&shown)));
    }
}

fn names(text: &mut String, state: &RunState, failing: &[FailingTest]) {
    if failing.is_empty() {
        return;
    }
    say(text, format_args!("What fails:"));
    for one in failing.iter().take(NAMES) {
        let before = if state.is_red_on_base(&one.name) { " [failed before the run, too]" } else { "" };
        say(text, format_args!("- {}{before}", cut(&one.in_words(), LONGEST)));
    }
    if failing.len() > NAMES {
        say(text, format_args!("- and {} more", failing.len() - NAMES));
    }
}

fn suspected(text: &mut String, state: &RunState, record: &TaskRecord, setback: &Setback) {
    let suspects = setback.verdict().map(|verdict| verdict.suspects.as_slice()).unwrap_or_default();
    if suspects.is_empty() {
        return;
    }
    say(text, format_args!("Suspects, by the files that the failure leads to:"));
    for suspect in suspects {
        let who = match state.task(&suspect.task) {
            _ if suspect.task == record.id => " itself".to_owned(),
            Some(other) => format!(", which is {}", other.state.name()),
            None => String::new(),
        };
        say(text, format_args!("- `{}`{who}: it changed {}", suspect.task, super::join(&suspect.paths)));
    }
}

/// What was tried, an attempt a line.
fn tried(text: &mut String, record: &TaskRecord) {
    say(text, format_args!("What was tried:"));
    let from = record.setbacks.len().saturating_sub(SHOWN);
    for (at, evidence) in record.setbacks.iter().enumerate().skip(from) {
        let signature = evidence.setback.signature();
        let same = record.setbacks[..at].iter().find(|earlier| earlier.setback.signature() == signature);
        let said = match same {
            Some(earlier) => format!("the same as attempt {}", earlier.attempt),
            None => cut(&evidence.setback.headline(), LONGEST).to_owned(),
        };
        say(text, format_args!("- attempt {}: {said} (signature {signature})", evidence.attempt));
    }
}

/// Both sides of a clash in their own words: neither is wrong by itself, so the plan has to bring them together.
fn pair(text: &mut String, state: &RunState, record: &TaskRecord) {
    let Some(Setback::Clashed { with, .. }) = record.setbacks.last().map(|evidence| &evidence.setback) else { return };
    for id in [with, &record.id] {
        let Some(report) = state.task(id).and_then(|record| record.report.as_ref()) else { continue };
        let said = if report.hand_off.trim().is_empty() { &report.summary } else { &report.hand_off };
        say(text, format_args!("What `{id}` hands on: {}", said.trim()));
    }
}

/// The same red of two tasks is no accident.
fn joint_causes(text: &mut String, state: &RunState) {
    let open = |record: &&TaskRecord| !record.state.is_over() && !record.state.is_settled();
    let last = |record: &'_ TaskRecord| Some((record.id.clone(), record.setbacks.last()?.setback.clone()));
    let is_red = |class: Class| matches!(class, Class::RedAlone | Class::RedOnBase | Class::RedTogether | Class::Broke);
    let seen: Vec<(TaskId, Setback)> = state.tasks().iter().filter(open).filter_map(last).collect();
    let reds = seen.iter().filter(|(_, setback)| is_red(setback.class()) && setback.has_names());
    let mut groups: Vec<(std::collections::BTreeSet<String>, Vec<&TaskId>)> = Vec::new();
    for (task, setback) in reds {
        let cause = setback.cause();
        match groups.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, tasks)) => tasks.push(task),
            None => groups.push((cause, vec![task])),
        }
    }
    for (cause, tasks) in groups.iter().filter(|(_, tasks)| tasks.len() > 1) {
        let tasks: Vec<String> = tasks.iter().map(|task| format!("`{task}`")).collect();
        let names: Vec<&String> = cause.iter().collect();
        say(
            text,
            format_args!(
                "\n## A joint cause\n{} fail in the same way ({}). Look for what is behind both: mend it once, in a task of its own that lands \
                 before them, or `merge` them",
                tasks.join(" and "),
                super::join(&names)
            ),
        );
    }
}

fn known_red(text: &mut String, state: &RunState) {
    if state.known_red().is_empty() {
        return;
    }
    say(text, format_args!("\n## Red since before the run; no task is held back by it"));
    for red in state.known_red() {
        let names: Vec<&str> = red.failing.iter().map(|failing| failing.name.as_str()).collect();
        let failing = if names.is_empty() { String::new() } else { format!(", failing: {}", super::join(&names)) };
        say(text, format_args!("- `{}` {}{failing}", red.command, red.ended));
    }
}

fn flaky(text: &mut String, state: &RunState) {
    if state.flaky().is_empty() {
        return;
    }
    say(text, format_args!("\n## Flaky: failed and then passed on the same tree; no task is at fault"));
    for command in state.flaky().iter().take(SHOWN) {
        say(text, format_args!("- `{command}`"));
    }
    for name in state.flaky_tests().iter().take(SHOWN) {
        say(text, format_args!("- {name}"));
    }
}

/// What was asked for and refused: the plan may have to give it.
fn refused(text: &mut String, state: &RunState) {
    let refused = |request: &&Request| request.answer.as_ref().is_some_and(|answer| !answer.granted);
    let lines: Vec<String> = state.requests().iter().filter(refused).map(refusal_in_words).collect();
    if lines.is_empty() {
        return;
    }
    say(text, format_args!("\n## Asked for and refused"));
    for line in &lines[lines.len().saturating_sub(2 * SHOWN)..] {
        say(text, format_args!("- {line}"));
    }
}

fn refusal_in_words(request: &Request) -> String {
    let reason = match &request.what {
        Subject::Scope(_) => format!(" (its reason: {})", first_line(&request.reason)),
        Subject::Command(_) | Subject::Write(_) => String::new(),
    };
    format!("{}{reason}", request.in_words())
}

/// The few lines that are shown of what was said at length.
fn shown_of(setback: &Setback, first: Option<&FailingTest>) -> String {
    let detail = setback.detail();
    let said = match (OwnProof::read(detail), setback) {
        (Some(proof), _) => proof.output,
        // The first line of these is the headline.
        (None, Setback::Ended(Outcome::Failed { .. } | Outcome::Blocked { .. })) => {
            detail.trim_start().split_once('\n').map_or("", |(_, rest)| rest)
        }
        (None, _) => detail,
    };
    match setback {
        // The lines in conflict, rather than where the file ends.
        Setback::Conflicted { .. } => excerpt(said, Some(&named("<<<<<<<")), LINES),
        _ => excerpt(said, first, LINES),
    }
}

fn named(name: &str) -> FailingTest {
    FailingTest { name: name.to_owned(), kind: Kind::Test, path: None, line: None, message: None }
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn say(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string");
}
