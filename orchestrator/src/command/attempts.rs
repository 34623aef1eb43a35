//! `log --attempts`: every attempt of a run, how it ended, what it took and changed, and where that is.

use std::collections::BTreeMap;

use plans::{
    event::{CommitId, Entry, Event},
    evidence::Setback,
    run_state::RunState,
    spending::Spending,
};
use serde_json::json;
use shared::{Attempt, AttemptKey, Money, Outcome, RunId, TaskId};

use crate::{
    cli::OutputFormat,
    error::Error,
    git::Git,
    kept::attempt_ref,
    ui::{
        self,
        attempts::{Change, Row},
        bill,
    },
};

/// Lists them, of a task or of all.
pub(super) async fn list(
    git: &Git,
    run: &RunId,
    (entries, state): (&[Entry], &RunState),
    (task, format): (Option<&TaskId>, OutputFormat),
) -> Result<(), Error> {
    let mut rows = rows(entries, state);
    rows.retain(|row| task.is_none_or(|task| row.key.task == *task));
    for row in &mut rows {
        row.name = attempt_ref(run, &row.key);
        row.is_there = git.commit(&row.name).await.is_some();
        row.change = match &row.commit {
            Some(commit) => change(git, &row.base, commit).await,
            None => None,
        };
    }
    match format {
        OutputFormat::Json => rows.iter().for_each(|row| ui::print(&in_json(run, row))),
        OutputFormat::Text => ui::print_words(&ui::attempts::table(run, &rows)),
    }
    Ok(())
}

/// What is known of each attempt from the journal alone, in the order in which they began.
fn rows(entries: &[Entry], state: &RunState) -> Vec<Row> {
    let mut places: BTreeMap<AttemptKey, usize> = BTreeMap::new();
    let mut rows: Vec<Row> = Vec::new();
    for entry in entries {
        if let Event::AttemptStarted { key, base, continues, .. } = &entry.event {
            let at = *places.entry(key.clone()).or_insert_with(|| {
                rows.push(Row::new(key.clone(), base.clone()));
                rows.len() - 1
            });
            let row = &mut rows[at];
            "running".clone_into(&mut row.class);
            row.why.clear();
            row.base.clone_from(base);
            row.from = continues.filter(|from| *from != key.attempt).or(row.from);
            row.went_on += u32::from(*continues == Some(key.attempt));
            continue;
        }
        let Some((key, told)) = told(&entry.event) else { continue };
        let Some(row) = places.get(key).map(|at| &mut rows[*at]) else { continue };
        match told {
            Told::Ended(commit, outcome) => {
                row.commit = commit.cloned().or(row.commit.take());
                (row.class, row.why) = (class(outcome), Setback::Ended(outcome.clone()).headline());
            }
            Told::Landed(commit) => row.fate = format!("landed as {}", commit.short()),
            Told::SetBack(setback) => row.fate = setback.headline(),
        }
    }
    for row in &mut rows {
        let record = state.tasks().iter().chain(state.gone()).find(|record| record.id == row.key.task);
        row.spending = record.and_then(|record| record.by_attempt.get(&row.key.attempt).cloned()).unwrap_or_default();
        row.can_be_retried = record.is_some_and(|record| !record.state.is_settled() && state.task(&record.id).is_some());
    }
    rows
}

enum Told<'a> {
    Ended(Option<&'a CommitId>, &'a Outcome),
    Landed(&'a CommitId),
    SetBack(Setback),
}

fn told(event: &Event) -> Option<(&AttemptKey, Told<'_>)> {
    Some(match event {
        Event::AttemptEnded { key, commit, outcome } => (key, Told::Ended(commit.as_ref(), outcome)),
        Event::TaskLanded { key, commit } => (key, Told::Landed(commit)),
        Event::LandingConflicted { key, paths, with, .. } => {
            let (paths, with) = (paths.clone(), with.clone());
            (key, Told::SetBack(Setback::Conflicted { paths, with, detail: String::new() }))
        }
        Event::LandingRefused { key, verdict, .. } => (key, Told::SetBack(Setback::Red(verdict.clone()))),
        Event::TasksClashed { key, with, verdict, .. } => {
            (key, Told::SetBack(Setback::Clashed { with: with.clone(), verdict: verdict.clone() }))
        }
        _ => return None,
    })
}

/// The word of the journal.
fn class(outcome: &Outcome) -> String {
    let value = serde_json::to_value(outcome).unwrap_or_default();
    value["outcome"].as_str().unwrap_or("ended").to_owned()
}

/// None where one of the two is not there any more.
async fn change(git: &Git, base: &CommitId, commit: &CommitId) -> Option<Change> {
    let text = git.text(["diff-tree", "-r", "--numstat", "--no-renames", &base.0, &commit.0]).await.ok()?;
    let mut change = Change::default();
    for line in text.lines() {
        let mut numbers = line.split('\t').map(|number| number.parse::<u64>().unwrap_or(0));
        change.files += 1;
        change.added += numbers.next().unwrap_or(0);
        change.removed += numbers.next().unwrap_or(0);
    }
    Some(change)
}

fn in_json(run: &RunId, row: &Row) -> String {
    json!({
        "version": 1,
        "run": run,
        "task": row.key.task,
        "attempt": row.key.attempt,
        "ended": row.class,
        "why": row.why,
        "then": row.fate,
        "from": row.from,
        "went_on": row.went_on,
        "base": row.base,
        "commit": row.commit,
        "ref": row.is_there.then_some(&row.name),
        "files": row.change.as_ref().map(|change| change.files),
        "added": row.change.as_ref().map(|change| change.added),
        "removed": row.change.as_ref().map(|change| change.removed),
        "turns": row.spending.turns,
        "tokens": row.spending.tokens.total(),
        "cost_usd": row.spending.known_cost().map(Money::usd),
        "spending": bill::json(&row.spending),
    })
    .to_string()
}

impl Row {
    fn new(key: AttemptKey, base: CommitId) -> Self {
        Self {
            key,
            base,
            class: String::new(),
            why: String::new(),
            fate: String::new(),
            from: None::<Attempt>,
            went_on: 0,
            commit: None,
            name: String::new(),
            is_there: false,
            change: None,
            spending: Spending::default(),
            can_be_retried: false,
        }
    }
}
