//! A plan and what happens, as text; what is owed after each step, as a snapshot.
//!
//! Plan: `schema; api <- schema; ui <- schema`. What happens: `done api`, `fails api`, `exhausted api`, `blocked api`, `conflict api`,
//! `red api`, `clash api ui` (green alone, red with `ui`), `base` (followed by what is red there), `landed api` (`mending test`), `revised api` (begins anew), `dropped api`, `skipped api`, `no-replan`, `cut-off`, `cancel`, `over-budget` (`tokens`), `unavailable api`,
//! `stopped api`, `resumed` (followed by the tasks that are reopened), and what a person orders: `pause`, `unpause`, `steer api`, `give-up api`,
//! `retry api` (`from 1`), `replan-now`, `workers 3`, `tokens 9`. What had finished is taken rather than done again. Whatever is owed is announced at once, as the dispatcher does.

use std::fmt::Write as _;

use expect_test::Expect;
use shared::{Attempt, AttemptKey, Glob, Limit, Limits, Outcome, Report, Scope, TaskId};

use super::*;
use crate::{
    Gate, Plan, PlanDraft, Task, WorkerKind,
    event::{Approver, Author, Event, Proof, RedVerdict, RunLimit},
};

pub(super) fn plan(text: &str) -> Plan {
    let task = |line: &str| {
        let (id, after) = line.split_once("<-").unwrap_or((line, ""));
        let id = TaskId::new(id.trim()).unwrap();
        Task {
            title: id.to_string(),
            instructions: String::new(),
            depends_on: after.split_whitespace().map(|id| TaskId::new(id).unwrap()).collect(),
            scope: Scope { write: vec![Glob::new(&format!("{id}/**")).unwrap()], shared: Vec::new(), ..Scope::default() },
            network: shared::Network::default(),
            deliver: Vec::new(),
            verify: Vec::new(),
            hand_off: None,
            worker: WorkerKind::Agent,
            model: None,
            limits: Limits::default(),
            id,
        }
    };
    let (gate, text) = match text.strip_prefix("gate;") {
        Some(text) => (Gate { commands: vec!["make".to_owned()], ..Gate::default() }, text),
        None => (Gate::default(), text),
    };
    let tasks = text.split(';').map(task).collect();
    Plan::new(PlanDraft { goal: "goal".to_owned(), gate, tasks }).unwrap()
}

pub(super) fn commit(name: &str) -> CommitId {
    CommitId(name.to_owned())
}

pub(super) fn started(settings: Settings) -> Event {
    Event::RunStarted {
        goal: "goal".to_owned(),
        base: commit("base"),
        head: commit("base"),
        snapshot: false,
        settings,
        program: String::new(),
    }
}

/// The event that announces what is owed, and what is said of it in the snapshot.
pub(super) fn announce(state: &RunState, owed: &Owed) -> Vec<Event> {
    vec![match owed.clone() {
        Owed::Start { key, continuation: None } if finished(state, &key).is_some() => {
            let attempt = finished(state, &key).expect("it was just there");
            Event::AttemptReused { key: AttemptKey { attempt, ..key }, commit: commit("left") }
        }
        Owed::Start { key, continuation } => {
            let (base, continues) = (state.tip().clone(), continuation.map(Continuation::of));
            Event::AttemptStarted { key, base, continues, content: String::new() }
        }
        Owed::Land { batch } => {
            let started = |Finished { key, .. }| Event::LandingStarted { key, onto: state.tip().clone() };
            return batch.into_iter().map(started).collect();
        }
        Owed::Replan { number, causes, .. } => Event::ReplanStarted { number, causes },
        Owed::EndTask { task, end, why } => Event::TaskEnded { task, end, why },
        Owed::EndRun { status } => Event::RunEnded { status, tip: state.tip().clone() },
        Owed::Plan | Owed::Review { .. } | Owed::ProveBase | Owed::Stop { .. } | Owed::Halt { .. } => return Vec::new(),
    }]
}

fn finished(state: &RunState, key: &AttemptKey) -> Option<Attempt> {
    state.task(&key.task)?.finished
}

fn say(owed: &Owed) -> String {
    match owed {
        Owed::Plan => "plan".to_owned(),
        Owed::Review { .. } => "review".to_owned(),
        Owed::Start { key, continuation: None } => format!("start {key}"),
        Owed::Start { key, continuation: Some(Continuation::AfterConflict(at)) } => {
            format!("start {key} after conflict of #{at}")
        }
        Owed::Start { key, continuation: Some(Continuation::AfterInterruption(at)) } => format!("start {key} where #{at} was"),
        Owed::Start { key, continuation: Some(Continuation::FromAttempt(at)) } => format!("start {key} from #{at}"),
        Owed::Stop { key } => format!("stop {key}"),
        Owed::ProveBase => "prove the base".to_owned(),
        Owed::Land { batch } => {
            format!("land {}", batch.iter().map(|finished| finished.key.task.to_string()).collect::<Vec<_>>().join(" "))
        }
        Owed::Replan { number, causes, comment } => {
            let wanted = comment.as_ref().map(|comment| format!(" as wanted: {comment}")).unwrap_or_default();
            format!("re-plan {number} for {}{wanted}", causes.iter().map(TaskId::to_string).collect::<Vec<_>>().join(" "))
        }
        Owed::EndTask { task, end, .. } => format!("end {task} as {end}"),
        Owed::Halt { why } => format!("halt: {why}"),
        Owed::EndRun { status } => format!("end the run as {status}"),
    }
}

/// A command of the gate that fails.
pub(super) fn red(command: &str) -> RedVerdict {
    RedVerdict::new(Proof::Gate, command, "exit 1", "")
}

fn alive(state: &RunState, task: &str) -> AttemptKey {
    let id = TaskId::new(task).unwrap();
    let record = state.tasks().iter().chain(state.gone()).find(|record| record.id == id).unwrap();
    AttemptKey { task: id, attempt: Attempt(record.attempts) }
}

fn happening(state: &RunState, what: &str) -> Vec<Event> {
    let (verb, task) = what.split_once(' ').unwrap_or((what, ""));
    let ended = |outcome| vec![Event::AttemptEnded { key: alive(state, task), commit: Some(commit("left")), outcome }];
    let revised = |text: String, fresh: Vec<TaskId>| {
        let plan = Box::new(plan(&text));
        let (revision, replan) = (state.revision() + 1, Some(state.replans()));
        vec![Event::PlanRevised { revision, replan, plan, fresh, dropped: Vec::new(), difference: String::new() }]
    };
    match verb {
        "done" => ended(Outcome::Done { report: Report::default() }),
        "fails" => ended(Outcome::Failed { why: "broke".to_owned() }),
        "exhausted" => ended(Outcome::Exhausted { limit: Limit::Turns, last: String::new() }),
        "blocked" => ended(Outcome::Blocked { report: Report::default() }),
        "unavailable" => ended(Outcome::Unavailable { why: "no endpoint".to_owned() }),
        "stopped" => ended(Outcome::Cancelled),
        "conflict" => {
            let (key, onto) = (alive(state, task), state.tip().clone());
            vec![Event::LandingConflicted { key, onto, paths: Vec::new(), with: Vec::new(), detail: String::new() }]
        }
        "red" => {
            vec![Event::LandingRefused { key: alive(state, task), onto: state.tip().clone(), verdict: red("make") }]
        }
        "clash" => {
            let (task, with) = task.split_once(' ').expect("two tasks");
            let (key, onto, with) = (alive(state, task), state.tip().clone(), TaskId::new(with).unwrap());
            vec![Event::TasksClashed { key, onto, with, verdict: red("make") }]
        }
        "base" => vec![Event::BaseProved { red: task.split_whitespace().map(red).collect() }],
        "put-back" => vec![Event::LandingPutBack { key: alive(state, task), why: String::new() }],
        "landed" => {
            let (task, mended) = task.split_once(" mending ").unwrap_or((task, ""));
            let (key, onto, passed) = (alive(state, task), state.tip().clone(), commit(&format!("{task}-landed")));
            let mended = mended.split_whitespace().map(str::to_owned).collect();
            vec![
                Event::GatePassed { key: key.clone(), onto, commit: passed.clone(), mended },
                Event::TaskLanded { key, commit: passed },
            ]
        }
        "revised" => revised(text_of(state, ""), vec![TaskId::new(task).unwrap()]),
        "dropped" => revised(text_of(state, task), Vec::new()),
        "no-replan" => vec![Event::ReplanFailed { number: state.replans(), why: String::new(), cut_off: false }],
        "halt" => vec![Event::RunHalted { why: "no disk".to_owned() }],
        "cancel" => vec![Event::CancelRequested],
        "over-budget" => {
            let limit = if task.is_empty() { None } else { Some(RunLimit::Tokens) };
            vec![Event::BudgetReached { why: String::new(), stop: false, limit }]
        }
        "cut-off" => vec![Event::ReplanFailed { number: state.replans(), why: String::new(), cut_off: true }],
        "out-of-time" => vec![Event::BudgetReached { why: String::new(), stop: true, limit: None }],
        "resumed" => {
            let only = task.split_whitespace().map(|id| TaskId::new(id).unwrap()).collect();
            vec![Event::RunResumed { settings: state.settings().clone(), worked_s: 0, only }]
        }
        _ => ordered(state, verb, task),
    }
}

/// What a person orders.
fn ordered(state: &RunState, verb: &str, task: &str) -> Vec<Event> {
    match verb {
        "pause" => vec![Event::RunPaused],
        "unpause" => vec![Event::RunUnpaused],
        "steer" => vec![Event::Steered { task: TaskId::new(task).unwrap(), text: "quick".to_owned() }],
        "give-up" => vec![Event::TaskCancelRequested { task: TaskId::new(task).unwrap() }],
        "retry" => {
            let (task, from) = task.split_once(" from ").unwrap_or((task, ""));
            vec![Event::RetryRequested { task: TaskId::new(task).unwrap(), from: from.parse().ok().map(Attempt) }]
        }
        "replan-now" => vec![Event::ReplanRequested { comment: task.to_owned() }],
        "workers" => {
            let settings = Settings { workers: task.parse().unwrap(), ..state.settings().clone() };
            vec![Event::LimitsChanged { settings }]
        }
        "tokens" => {
            let run_limits = Limits { tokens: Some(task.parse().unwrap()), ..state.settings().run_limits };
            vec![Event::LimitsChanged { settings: Settings { run_limits, ..state.settings().clone() } }]
        }
        "skipped" => {
            let (revision, plan) = (state.revision() + 1, Box::new(plan(&text_of(state, task))));
            let (fresh, dropped, difference) = (Vec::new(), Vec::new(), String::new());
            vec![Event::PlanRevised { revision, replan: None, plan, fresh, dropped, difference }]
        }
        other => panic!("no such happening: {other}"),
    }
}

/// The plan as text, without one task; whoever depended on it depends on nothing in its place.
fn text_of(state: &RunState, without: &str) -> String {
    let keep = |id: &&TaskId| id.as_str() != without;
    let line = |task: &Task| {
        let after: Vec<&str> = task.depends_on.iter().filter(keep).map(TaskId::as_str).collect();
        format!("{} <- {}", task.id, after.join(" "))
    };
    let tasks = state.plan().unwrap().tasks();
    tasks.iter().filter(|task| keep(&&task.id)).map(line).collect::<Vec<_>>().join("; ")
}

pub(super) fn check(plan_text: &str, workers: u32, happenings: &str, expected: &Expect) {
    check_with(Settings { workers, ..Settings::default() }, plan_text, happenings, expected);
}

/// The same with other settings. A plan that begins with `gate;` has one.
pub(super) fn check_with(settings: Settings, plan_text: &str, happenings: &str, expected: &Expect) {
    let mut story = String::new();
    tell(settings, plan_text, happenings, &mut story);
    let trimmed: Vec<&str> = story.lines().map(str::trim_end).collect();
    expected.assert_eq(&(trimmed.join("\n") + "\n"));
}

/// The state after all that, and what was owed on the way.
pub(super) fn tell(settings: Settings, plan_text: &str, happenings: &str, story: &mut String) -> RunState {
    let mut state = RunState::begin(&started(settings)).unwrap();
    let plan = Box::new(plan(plan_text));
    state.apply(&Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() }).unwrap();
    state.apply(&Event::PlanApproved { revision: 1, by: Approver::Policy }).unwrap();
    for what in std::iter::once("-").chain(happenings.split(',').map(str::trim).filter(|what| !what.is_empty())) {
        if what != "-" {
            for event in happening(&state, what) {
                state.apply(&event).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
        }
        let said = do_what_is_owed(&mut state);
        writeln!(story, "{what:15} {}", said.join(", ")).unwrap();
    }
    state
}

/// Announces all that is owed until nothing more is.
fn do_what_is_owed(state: &mut RunState) -> Vec<String> {
    let mut said = Vec::new();
    for _ in 0..100 {
        let owed = state.owed();
        said.extend(owed.iter().map(say));
        let announced: Vec<Event> = owed.iter().flat_map(|owed| announce(state, owed)).collect();
        if announced.is_empty() {
            break;
        }
        for event in &announced {
            state.apply(event).unwrap();
        }
    }
    said
}
