//! `status`, `diff`, `log`: looking at runs. Nothing here changes anything.

use std::collections::BTreeMap;

use plans::{
    event::{CommitId, Entry, Event, Settings},
    render,
    run_state::{RunState, TaskRecord},
    spending::Spending,
    task_state::TaskState,
};
use shared::{Attempt, AttemptKey, RunId, TaskId};
use worker::transcript;

use super::{
    Here, entries,
    target::{Want, run_and_task},
};
use crate::{
    cli::{DiffArgs, GraphFormat, LogArgs, OutputFormat, StatusArgs},
    coordinator::ladder::Sides,
    error::Error,
    journal::{Journal, remains},
    kept::attempt_ref,
    lease::Lease,
    recorder::RecordError,
    repository::Repository,
    store::{RunFolder, Store},
    ui::{self, bill, words},
};

/// `inspan status`.
pub(super) async fn status(here: &Here, args: &StatusArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    if args.all {
        list(&repository)?;
        return Ok(0);
    }
    let folder = super::find(&repository, args.run.run.as_deref())?;
    let (all, state) = state_of(&folder)?;
    let alive = Lease::holder(&folder.path).is_some();
    match (args.graph, args.output_format) {
        (Some(format), _) => {
            let plan = state.plan().ok_or_else(|| Error::Usage(format!("run {} has no plan yet", folder.run)))?;
            let mark = |id: &TaskId| state.task(id).map(|record| record.state.name().to_owned());
            ui::print(&match format {
                GraphFormat::Text => render::graph(plan, ui::width(), mark),
                GraphFormat::Mermaid => render::mermaid(plan),
                GraphFormat::Dot => render::dot(plan),
            });
        }
        (None, OutputFormat::Json) => ui::print(&ui::status_json(&folder.run, &state, alive, &all).to_string()),
        (None, OutputFormat::Text) => {
            // Older journals do not say.
            let taken =
                Journal::read_only(&folder.path, folder.run.clone()).and_then(|journal| journal.taken()).unwrap_or_default();
            ui::print_words(&(ui::status_of_run(&folder.run, &state, alive) + &ui::what_became_of_it(&all, &taken)));
        }
    }
    Ok(0)
}

fn list(repository: &Repository) -> Result<(), Error> {
    let store = Store::new(&repository.state_dir());
    let meant = super::find(repository, None).ok().map(|folder| folder.run);
    let damaged = store.damaged();
    let mut runs = Vec::new();
    for (folder, first) in store.list() {
        if damaged.iter().all(|(other, _)| other.run != folder.run) {
            let alive = Lease::holder(&folder.path).is_some();
            runs.push((folder.run.clone(), state_of(&folder)?.1, first.time, alive));
        }
    }
    if runs.is_empty() && damaged.is_empty() {
        return Err(Error::NoRuns);
    }
    let damaged = damaged.into_iter().map(|(folder, error)| (folder.run, error.to_string())).collect::<Vec<_>>();
    ui::print_words(&ui::list_of_runs(&runs, &damaged, meant.as_ref()));
    Ok(())
}

pub(super) fn state_of(folder: &RunFolder) -> Result<(Vec<Entry>, RunState), Error> {
    let all = entries(folder)?;
    let state = RunState::fold(&all).map_err(RecordError::from)?;
    Ok((all, state))
}

/// `inspan diff`.
pub(super) async fn diff(here: &Here, args: &DiffArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let folder = super::find(&repository, args.run.run.as_deref())?;
    let (all, state) = state_of(&folder)?;
    let mut account = None;
    let (from, to) = match &args.task {
        None => (state.base().0.clone(), state.tip().0.clone()),
        Some(task) => {
            let id = known_task(&state, task)?;
            let record = state.task(&id).or_else(|| state.gone().iter().find(|record| record.id == id));
            let record = record.ok_or_else(|| unknown(task, &state))?;
            match (args.attempt, &record.state) {
                (None, TaskState::Landed { commit }) => {
                    let last = AttemptKey { task: record.id.clone(), attempt: Attempt(record.attempts) };
                    account = account_of(&repository, &folder, (&last, record.base.as_ref()), &commit.0).await?;
                    (format!("{commit}^"), commit.0.clone())
                }
                (attempt, _) => attempt_of(here, &repository, (&folder.run, record, &all), attempt).await?,
            }
        }
    };
    ui::print(&repository.git.patch(&from, &to, &[]).await?);
    if let Some(account) = account {
        ui::print(&account);
    }
    Ok(0)
}

/// What an attempt started from and what it left; where its ref is gone, as the journal knows it.
async fn attempt_of(
    here: &Here,
    repository: &Repository,
    (run, record, entries): (&RunId, &TaskRecord, &[Entry]),
    attempt: Option<u32>,
) -> Result<(String, String), Error> {
    let attempt = tried(record, attempt).map_err(Error::Usage)?;
    let key = AttemptKey { task: record.id.clone(), attempt };
    let trail = record.trail.get(&attempt);
    let left = match repository.git.commit(&attempt_ref(run, &key)).await {
        None => trail.and_then(|trail| trail.left.clone()),
        there => there,
    };
    let Some(left) = left else {
        let what = format!("attempt {attempt} at {} left nothing, or has not ended", record.id);
        return Err(Error::Usage(what));
    };
    let base = trail.map_or_else(|| format!("{left}^"), |trail| trail.base.0.clone());
    let went_on = |entry: &Entry| match &entry.event {
        Event::AttemptStarted { key: started, continues: Some(from), .. } if *started == key && *from != attempt => Some(*from),
        _ => None,
    };
    if let Some(from) = entries.iter().rev().find_map(went_on).filter(|from| {
        let base_of = |attempt: &Attempt| record.trail.get(attempt).map(|trail| &trail.base);
        base_of(from) == base_of(&attempt)
    }) {
        let name = |attempt| attempt_ref(run, &AttemptKey { task: record.id.clone(), attempt });
        here.screen.say(&format!(
            "It went on from #{from}, whose changes are in this, too; `git diff {} {}` shows its own.",
            name(from),
            name(attempt)
        ));
    }
    Ok((base, left.0))
}

/// The attempt that is meant, the last where none is named.
fn tried(record: &TaskRecord, wanted: Option<u32>) -> Result<Attempt, String> {
    let (id, last) = (&record.id, record.attempts);
    let attempt = wanted.unwrap_or(last);
    match last {
        0 => Err(format!("nobody has been at {id} ({}), so it has changed nothing", record.state.name())),
        _ if (1..=last).contains(&attempt) => Ok(Attempt(attempt)),
        1 => Err(format!("there is no attempt {attempt} at {id}; there is only attempt 1")),
        _ => {
            let all: Vec<String> = (1..=last).map(|attempt| attempt.to_string()).collect();
            Err(format!("there is no attempt {attempt} at {id}; its attempts are {}", all.join(", ")))
        }
    }
}

/// What became of the change that an attempt made from a base; none where it is gone.
async fn account_of(
    repository: &Repository,
    folder: &RunFolder,
    (attempt, base): (&AttemptKey, Option<&CommitId>),
    landed: &str,
) -> Result<Option<String>, Error> {
    let git = &repository.git;
    let name = attempt_ref(&folder.run, attempt);
    let (Some(base), Some(theirs), Some(ours)) = (base, git.commit(&name).await, git.commit(&format!("{landed}^")).await) else {
        return Ok(None);
    };
    let sides = Sides { base, ours: &ours, theirs: &theirs, task: attempt.task.as_str() };
    Ok(Some(super::account::of(git, &sides, landed).await?))
}

/// What each attempt has taken so far, while a journal is read.
#[derive(Default)]
struct Taken(BTreeMap<AttemptKey, Spending>);

impl Taken {
    /// What an attempt had taken when it ended. One that goes on later ends again.
    fn when(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::TurnTaken(turn) => {
                let (task, attempt) = (turn.task.clone()?, turn.attempt?);
                self.0.entry(AttemptKey { task, attempt }).or_default().add(turn);
                None
            }
            Event::AttemptEnded { key, .. } => self.0.get(key).map(bill::about),
            _ => None,
        }
    }
}

fn known_task(state: &RunState, task: &str) -> Result<TaskId, Error> {
    let id = TaskId::new(task).map_err(|_| unknown(task, state))?;
    let known = state.tasks().iter().chain(state.gone()).any(|record| record.id == id);
    if known { Ok(id) } else { Err(unknown(task, state)) }
}

fn unknown(task: &str, state: &RunState) -> Error {
    let all: Vec<&str> = state.tasks().iter().map(|record| record.id.as_str()).collect();
    Error::Usage(format!("there is no task `{task}` in this run; its tasks are: {}", all.join(", ")))
}

/// `inspan log`.
pub(super) async fn log(here: &Here, args: &LogArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let (folder, task) = run_and_task(here, &repository, (args.run.run.as_deref(), args.task.as_deref()), Want::Look)?;
    let (all, state) = state_of(&folder).inspect_err(|error| print_remains(error, &folder))?;
    let task = task.map(|task| known_task(&state, task)).transpose()?;
    if args.attempts {
        let (git, run) = (&repository.git, &folder.run);
        super::attempts::list(git, run, (&all, &state), (task.as_ref(), args.output_format)).await?;
        return Ok(0);
    }
    let (mut taken, mut settings) = (Taken::default(), None);
    for entry in &all {
        let changed = limits_by(&mut settings, &entry.event);
        let took = taken.when(&entry.event).map(|took| format!(" ({took})")).unwrap_or_default();
        if task.as_ref().is_some_and(|task| !concerns(&entry.event, task)) {
            continue;
        }
        match args.output_format {
            OutputFormat::Json => ui::print(&entry.line()),
            OutputFormat::Text => {
                if let Some(line) = words::line(entry) {
                    ui::print_words(&format!("{}  {line}{changed}{took}", entry.time.get(11..19).unwrap_or(&entry.time)));
                }
                // Of one task everything is told; of a whole run only what went wrong, and of that the end.
                let shown = if task.is_some() { usize::MAX } else { 6 };
                let detail = words::detail(&entry.event).filter(|_| task.is_some() || !is_success(&entry.event));
                if let Some(detail) = detail.filter(|detail| !detail.is_empty()) {
                    ui::print_words(&tail(&detail, shown));
                }
            }
        }
    }
    if let (Some(task), OutputFormat::Text) = (task, args.output_format) {
        let record = state.task(&task).map_or(0, |record| record.attempts);
        (1..=record).for_each(|attempt| conversation(&folder, &AttemptKey { task: task.clone(), attempt: Attempt(attempt) }));
    }
    Ok(0)
}

/// What a change of limits comes to against the settings before; nothing of any other event.
fn limits_by<'a>(settings: &mut Option<&'a Settings>, event: &'a Event) -> String {
    let (Event::RunStarted { settings: now, .. }
    | Event::RunResumed { settings: now, .. }
    | Event::LimitsChanged { settings: now }) = event
    else {
        return String::new();
    };
    let before = settings.replace(now).filter(|_| matches!(event, Event::LimitsChanged { .. }));
    before.map(|before| words::limits_changed(before, now)).unwrap_or_default()
}

/// Of a journal that is damaged, what reads.
fn print_remains(error: &Error, folder: &RunFolder) {
    if !matches!(error, Error::Journal(error) if error.is_damage()) {
        return;
    }
    let mut next = 1;
    for entry in remains(&folder.path, &folder.run) {
        if entry.seq > next {
            ui::print_words(&format!("          events {next} to {} do not read", entry.seq - 1));
        }
        next = entry.seq + 1;
        if let Some(line) = words::line(&entry) {
            ui::print_words(&format!("{}  {line}", entry.time.get(11..19).unwrap_or(&entry.time)));
        }
    }
    ui::print_words(&format!("          events from {next} on do not read, if there were any"));
}

fn is_success(event: &Event) -> bool {
    matches!(event, Event::AttemptEnded { outcome: shared::Outcome::Done { .. }, .. })
}

/// The last lines of a text, set in below a line of the log.
fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let left_out = all.len().saturating_sub(lines);
    let more =
        if left_out == 0 { String::new() } else { format!("          […] {left_out} lines; `inspan log RUN TASK` has them\n") };
    more + &all[left_out..].iter().map(|line| format!("          {line}")).collect::<Vec<_>>().join("\n")
}

fn concerns(event: &Event, task: &TaskId) -> bool {
    let value = serde_json::to_value(event).unwrap_or_default();
    let named = |key: &str| value.get(key).is_some_and(|name| name == task.as_str());
    let listed = |key: &str| {
        value.get(key).and_then(|list| list.as_array()).is_some_and(|list| list.iter().any(|name| name == task.as_str()))
    };
    named("task") || listed("causes") || listed("fresh") || listed("dropped") || listed("with")
}

/// An attempt's transcript in short.
fn conversation(folder: &RunFolder, key: &AttemptKey) {
    const SHOWN: usize = 600;
    let path = folder.transcript(key);
    let Ok(messages) = transcript::read(&path) else { return };
    ui::print_words(&format!("\n== {key} ({})", path.display()));
    for message in messages {
        let (who, text) = match message {
            worker::model::Message::System { .. } => continue,
            worker::model::Message::User { content } => ("harness".to_owned(), content),
            worker::model::Message::Assistant(turn) => {
                let calls = turn.calls.iter().map(|call| format!("{} {}", call.name, call.arguments));
                let said = (!turn.text.trim().is_empty()).then(|| turn.text.trim().to_owned());
                ("worker".to_owned(), said.into_iter().chain(calls).collect::<Vec<_>>().join("\n"))
            }
            worker::model::Message::Tool { name, content, .. } => (name, content),
        };
        let short: String = text.chars().take(SHOWN).collect();
        let more = if short.len() < text.len() { " […]" } else { "" };
        ui::print_words(&format!("-- {who}\n{}", words::indent(&format!("{}{more}", short.trim_end()))));
    }
}
