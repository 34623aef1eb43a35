//! How a run stands, as text and as JSON.

use std::{collections::BTreeSet, fmt::Write as _};

use plans::{
    approval::Request,
    event::{Entry, Event},
    run_state::{Phase, RunState, TaskRecord},
    task_state::TaskState,
    worked::time_at_work,
};
use serde_json::{Map, Value, json};
use shared::{Money, RunId};

use super::{
    bill,
    words::{clock, number},
};

/// A run in one word.
fn phase(state: &RunState, alive: bool) -> String {
    match state.phase() {
        Phase::Over(status) if state.waits_for_review() => format!("{status}, waits for review"),
        Phase::Over(status) => status.to_string(),
        Phase::Rejected => "rejected".to_owned(),
        Phase::Review => "waits for review".to_owned(),
        Phase::Planning | Phase::Underway if !alive && state.halted().is_some() => "halted".to_owned(),
        _ if alive && state.is_paused() => "PAUSED".to_owned(),
        Phase::Planning if alive => "planning".to_owned(),
        Phase::Underway if alive => "underway".to_owned(),
        Phase::Planning | Phase::Underway => "interrupted".to_owned(),
    }
}

/// All runs, a line each, the latest last; before them those whose journal does not read, and why. The one that a command without a run
/// means has a star.
pub fn list_of_runs(runs: &[(RunId, RunState, String, bool)], damaged: &[(RunId, String)], meant: Option<&RunId>) -> String {
    let star = |run: &RunId| if meant == Some(run) { "*" } else { " " };
    let mut text = String::new();
    for (run, why) in damaged {
        writeln!(text, "{} {run}  damaged: {why}", star(run)).expect("a string");
    }
    for (run, state, time, alive) in runs {
        let goal = state.goal().lines().next().unwrap_or_default();
        let counts = format!("{}/{}", state.landed().len(), state.tasks().len());
        let (when, how) = (time.get(..16).unwrap_or(time), phase(state, *alive));
        writeln!(text, "{} {run}  {when}  {how:16}  {counts:>7}  {goal}", star(run)).expect("a string");
    }
    text
}

/// How many of the last requests are shown.
const REQUESTS: usize = 12;

/// One run: how it stands, and each task.
pub fn status_of_run(run: &RunId, state: &RunState, alive: bool) -> String {
    let mut text = String::new();
    let mut say = |line: &str| writeln!(text, "{line}").expect("writing to a string");
    say(&format!("run      {run}: {}", phase(state, alive)));
    say(&format!("goal     {}", state.goal().lines().next().unwrap_or_default()));
    say(&format!(
        "base     {}{}",
        state.base().short(),
        if state.is_snapshot() { " (a snapshot of uncommitted changes)" } else { "" }
    ));
    say(&format!("branch   inspan/{run} at {}", state.tip().short()));
    say(&format!("spent    {}", bill::spent(state.spending())));
    for (word, text) in bill::lines(state) {
        say(&format!("{word:8} {text}"));
    }
    say(&format!("limits   {}", limits_of_run(state)));
    if state.revision() > 0 {
        let noun = if state.replans() == 1 { "re-plan" } else { "re-plans" };
        say(&format!("plan     revision {}, {} {noun}", state.revision(), state.replans()));
    }
    if let Some(why) = state.halted().or(state.over_budget()) {
        say(&format!("stopped  {why}"));
    }
    for (task, why) in state.exhausted() {
        say(&format!("limit    {task}: {why}"));
    }
    for red in state.known_red() {
        say(&format!("red      `{}` failed before the run and still does ({})", red.command, red.ended));
    }
    for command in state.flaky() {
        say(&format!("flaky    `{command}` failed and then passed on the same tree"));
    }
    if let Some(next) = next(run, state, alive) {
        say(&format!("next     {next}"));
    }
    let (landed, all) = (state.landed().len(), state.tasks().len());
    say(&format!("tasks    {landed}/{all} landed"));
    let width = state.tasks().iter().map(|record| record.id.as_str().len()).max().unwrap_or_default();
    for record in state.tasks().iter().chain(state.gone()) {
        let is_cut_short = !alive && matches!(record.state, TaskState::Running { .. });
        let name = if is_cut_short { "interrupted" } else { record.state.name() };
        say(format!("  {:width$}  {name:15}  {}", record.id, about(record)).trim_end());
    }
    if !state.requests().is_empty() {
        say("asked for");
    }
    let left_out = state.requests().len().saturating_sub(REQUESTS);
    if left_out > 0 {
        say(&format!("  {left_out} earlier ones, which `inspan log {run}` shows"));
    }
    for request in &state.requests()[left_out..] {
        say(&format!("  {}", request.in_words()));
    }
    text
}

/// What the run as a whole may take.
pub fn limits_of_run(state: &RunState) -> String {
    let settings = state.settings();
    format!(
        "{}; up to {} at once, {} at a task, {}",
        super::review::say_limits(&settings.run_limits, settings.max_disk),
        number(settings.workers, "worker"),
        number(settings.attempts, "attempt"),
        number(settings.replans, "re-plan"),
    )
}

/// How long a run was worked at, and where its result went. `taken` are the events with which another process began to write.
pub fn what_became_of_it(entries: &[Entry], taken: &BTreeSet<u64>) -> String {
    let mut text = format!("time     {} at work\n", clock(time_at_work(entries, taken)));
    for entry in entries {
        if let Event::ResultApplied { branch, commit } = &entry.event {
            writeln!(text, "applied  to {branch} as {}", commit.short()).expect("a string");
        }
    }
    text
}

/// What goes on with a run that does not go on by itself.
fn next(run: &RunId, state: &RunState, alive: bool) -> Option<String> {
    match state.phase() {
        Phase::Planning | Phase::Underway if alive && state.is_paused() => Some(format!("inspan resume {run} lets it go on")),
        _ if state.waits_for_review() && !alive => Some(format!("inspan review {run}")),
        Phase::Planning | Phase::Underway if !alive => Some(format!("inspan resume {run}")),
        _ => None,
    }
}

fn about(record: &TaskRecord) -> String {
    let attempts = match record.attempts {
        0 => String::new(),
        1 => "1 attempt".to_owned(),
        more => format!("{more} attempts"),
    };
    let last = record.setbacks.last().map(|evidence| evidence.setback.headline()).unwrap_or_default();
    let detail = match &record.state {
        TaskState::Landed { commit } => format!("as {}", commit.short()),
        TaskState::Ended { .. } => record.why.clone(),
        TaskState::Running { .. } => format!("turn {}", record.turns),
        TaskState::InTrouble { .. } | TaskState::Waiting => last,
        TaskState::Finished { .. } | TaskState::Landing { .. } => String::new(),
    };
    let spent = if record.spending.tokens.total() > 0 { bill::spent(&record.spending) } else { String::new() };
    [attempts, detail, spent].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// One run, for programs.
pub fn status_json(run: &RunId, state: &RunState, alive: bool, entries: &[Entry]) -> Value {
    let task = |record: &TaskRecord| {
        json!({
            "task": record.id,
            "state": record.state.name().replace(' ', "_"),
            "attempts": record.attempts,
            "tokens": record.spending.tokens.total(),
            "cost_usd": record.spending.known_cost().map(Money::usd),
            "spending": bill::json(&record.spending),
            "by_attempt": record.by_attempt.iter().map(|(attempt, spending)| (attempt.to_string(), bill::json(spending))).collect::<Map<_, _>>(),
            "commit": match &record.state { TaskState::Landed { commit } => Some(commit), _ => None },
            "why": record.why,
            "class": record.setbacks.last().map(|evidence| evidence.setback.class()),
        })
    };
    let request = |request: &Request| {
        json!({
            "task": request.key.task,
            "attempt": request.key.attempt,
            "what": request.what,
            "reason": request.reason,
            "granted": request.answer.as_ref().map(|answer| answer.granted),
            "by": request.answer.as_ref().map(|answer| answer.by),
            "why": request.answer.as_ref().map(|answer| answer.why.as_str()),
        })
    };
    let applied = entries.iter().any(|entry| matches!(entry.event, Event::ResultApplied { .. }));
    json!({
        "version": 1,
        "run": run,
        "status": match state.phase() {
            Phase::Over(status) => status.to_string(),
            _ => phase(state, alive),
        }.replace(' ', "_").to_lowercase(),
        "goal": state.goal(),
        "base": state.base(),
        "branch": format!("inspan/{run}"),
        "tip": state.tip(),
        "revision": state.revision(),
        "replans": state.replans(),
        "tokens": state.spending().tokens.total(),
        "cost_usd": state.spending().known_cost().map(Money::usd),
        "spending": bill::json(state.spending()),
        "planner": bill::json(state.planner()),
        "models": state.models().iter().map(|(name, spending)| (name.clone(), bill::json(spending))).collect::<Map<_, _>>(),
        "red": state.known_red(),
        "flaky": state.flaky(),
        "stopped": state.halted().or(state.over_budget()),
        "applied": applied,
        "requests": state.requests().iter().map(request).collect::<Vec<_>>(),
        "tasks": state.tasks().iter().chain(state.gone()).map(task).collect::<Vec<_>>(),
    })
}
