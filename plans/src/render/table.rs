//! The table that a person reviews: who does what, where, after whom, proved by what, at what price.

use std::{collections::BTreeMap, fmt::Write as _};

use shared::{Money, TaskId, usage::short};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    plan::Plan,
    task::{Task, WorkerKind},
    visible::in_line,
};

/// What the table needs besides the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// Columns of the screen.
    pub width: usize,
    /// What each task is expected to take, where that was estimated.
    pub expected: BTreeMap<TaskId, Expected>,
    /// The model of a task that names none; a task that names the same is not said to have one of its own.
    pub usual_model: Option<String>,
}

impl Default for TableFacts {
    fn default() -> Self {
        Self { width: 100, expected: BTreeMap::new(), usual_model: None }
    }
}

/// What a task is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Tokens of all kinds.
    pub tokens: u64,
    /// Money, where the price of its model is known.
    pub cost: Option<Money>,
}

impl Expected {
    /// Where no price is known there are tokens, and no guess.
    fn shown(self) -> String {
        self.cost.map_or_else(|| format!("{} tokens", short(self.tokens)), |cost| cost.to_string())
    }
}

const GAP: usize = 2;
const NARROWEST: usize = 8;

/// The tasks in the order of the file, then what concerns the whole plan: files shared by several tasks, the gate, the sum.
pub fn table(plan: &Plan, facts: &TableFacts) -> String {
    let mut header = vec!["task", "depends on", "may write", "proof", "worker"];
    if !facts.expected.is_empty() {
        header.push("est. cost");
    }
    let rows: Vec<Vec<Vec<String>>> = plan.tasks().iter().map(|task| row(task, facts)).collect();
    let widths = fit(&header, &rows, facts.width);
    let mut out = String::new();
    let titles: Vec<Vec<String>> = header.iter().map(|&title| vec![title.to_owned()]).collect();
    write_row(&mut out, &titles, &widths);
    let rules: Vec<Vec<String>> = widths.iter().map(|&width| vec!["─".repeat(width)]).collect();
    write_row(&mut out, &rules, &widths);
    for row in &rows {
        write_row(&mut out, row, &widths);
        out.push('\n');
    }
    for line in summary(plan, facts) {
        writeln!(out, "{line}").expect("writing to a string");
    }
    out
}

/// The cells of a task, each a list of paragraphs.
fn row(task: &Task, facts: &TableFacts) -> Vec<Vec<String>> {
    let shared = task.scope.shared.iter().map(|glob| format!("{glob} (shared)"));
    let made = task.deliver.iter().map(|path| format!("makes {path}"));
    let worker = match &task.worker {
        WorkerKind::Agent => "agent".to_owned(),
        WorkerKind::Command(command) => format!("$ {command}"),
    };
    let mut cells = vec![
        vec![task.id.to_string(), task.title.clone()],
        task.depends_on.iter().map(TaskId::to_string).collect(),
        task.scope.write.iter().map(ToString::to_string).chain(shared).collect(),
        task.verify.iter().map(|command| format!("$ {command}")).chain(made).collect(),
        std::iter::once(worker).chain(own_model(task, facts)).collect(),
    ];
    if !facts.expected.is_empty() {
        cells.push(facts.expected.get(&task.id).map(|expected| expected.shown()).into_iter().collect());
    }
    let visible = |paragraphs: Vec<String>| paragraphs.iter().map(|text| in_line(text)).collect();
    cells.into_iter().map(visible).collect()
}

fn own_model(task: &Task, facts: &TableFacts) -> Option<String> {
    let model = task.model.as_ref().filter(|model| facts.usual_model.as_ref() != Some(model))?;
    Some(format!("with {model}"))
}

/// Each column as wide as its widest paragraph; the widest columns give way until all fit the screen.
fn fit(header: &[&str], rows: &[Vec<Vec<String>>], screen: usize) -> Vec<usize> {
    let widest = |at: usize| rows.iter().flat_map(|row| &row[at]).map(|text| text.width()).max().unwrap_or(0);
    let mut widths: Vec<usize> = header.iter().enumerate().map(|(at, title)| widest(at).max(title.width())).collect();
    let room = screen.saturating_sub(GAP * (header.len() - 1));
    while widths.iter().sum::<usize>() > room {
        let widest = widths.iter_mut().max().expect("a table has columns");
        if *widest <= NARROWEST {
            break;
        }
        *widest -= 1;
    }
    widths
}

fn write_row(out: &mut String, cells: &[Vec<String>], widths: &[usize]) {
    let wrapped: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(paragraphs, &width)| paragraphs.iter().flat_map(|text| wrap(text, width)).collect())
        .collect();
    for at in 0..wrapped.iter().map(Vec::len).max().unwrap_or(0) {
        let mut line = String::new();
        for (cell, width) in wrapped.iter().zip(widths) {
            let text = cell.get(at).map_or("", String::as_str);
            line.push_str(text);
            line.push_str(&" ".repeat(width.saturating_sub(text.width()) + GAP));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// The text in lines of at most this width, broken after a space, a comma, a `/` or a hyphen within a word where there is one, else
/// anywhere.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.width() > width {
        let end = line_end(rest, width);
        lines.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    if !rest.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

/// How many bytes of a text that is too wide go into the line. At least one character does.
fn line_end(text: &str, width: usize) -> usize {
    let (mut used, mut good, mut last) = (0, None, ' ');
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return good.unwrap_or(if at == 0 { c.len_utf8() } else { at });
        }
        if matches!(c, ' ' | ',' | '/') || (c == '-' && last.is_alphanumeric()) {
            good = Some(at + c.len_utf8());
        }
        last = c;
    }
    text.len()
}

fn summary(plan: &Plan, facts: &TableFacts) -> Vec<String> {
    let mut lines = Vec::new();
    let mut sharing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for task in plan.tasks() {
        for glob in &task.scope.shared {
            sharing.entry(glob.as_str()).or_default().push(task.id.as_str());
        }
    }
    for (glob, tasks) in sharing.iter().filter(|(_, tasks)| tasks.len() > 1) {
        lines.push(format!("shared  {} by {}", in_line(glob), tasks.join(", ")));
    }
    let timeout = humantime::format_duration(plan.gate().timeout);
    lines.extend(plan.gate().commands.iter().map(|command| format!("gate    $ {} (at most {timeout})", in_line(command))));
    if plan.gate().commands.is_empty() {
        lines.push("gate    none: nothing tells green from red".to_owned());
    }
    lines.push(sum(plan, facts));
    lines
}

fn sum(plan: &Plan, facts: &TableFacts) -> String {
    let count = plan.tasks().len();
    let mut text = format!("{count} task{}, {} in the longest chain", if count == 1 { "" } else { "s" }, longest_chain(plan));
    if !facts.expected.is_empty() {
        let tokens = facts.expected.values().map(|expected| expected.tokens).sum();
        let cost = facts.expected.values().map(|expected| expected.cost).sum();
        write!(text, ", estimated {}", Expected { tokens, cost }.shown()).expect("writing to a string");
    }
    text
}

fn longest_chain(plan: &Plan) -> usize {
    super::layout::levels(plan).into_iter().max().map_or(0, |level| level + 1)
}
