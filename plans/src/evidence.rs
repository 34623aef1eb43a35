//! Why an attempt did not land, as a value, and how that reads to the planner and to the next worker.
//!
//! Not here: telling whose fault a red is (flaky, red before, together red): the coordinator does. Evidence says what was observed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use shared::{Attempt, Outcome, RepoPath, TaskId};

use crate::{
    approval::{Request, Subject},
    event::{Proof, RedVerdict, TaskEnd},
    run_state::{RunState, TaskRecord},
};

/// One attempt that did not land.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which attempt.
    pub attempt: Attempt,
    /// What stopped it.
    pub setback: Setback,
}

/// What stopped an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setback {
    /// It ended by itself, not as done.
    Ended(Outcome),
    /// It was done, but the run branch had moved on in the same lines.
    Conflicted {
        /// The files.
        paths: Vec<RepoPath>,
        /// Tasks that touched them meanwhile.
        with: Vec<TaskId>,
        /// Both sides, with conflict markers.
        detail: String,
    },
    /// It was done, but the merged tree does not pass.
    Red(RedVerdict),
    /// It was done and green alone, and so was another task that landed, but the two together are red.
    Clashed {
        /// The other one.
        with: TaskId,
        /// What fails.
        verdict: RedVerdict,
    },
}

impl Setback {
    /// What the task ends as if nobody finds a way.
    pub fn end(&self) -> TaskEnd {
        match self {
            Setback::Conflicted { .. } | Setback::Clashed { .. } => TaskEnd::Conflict,
            Setback::Red(_) => TaskEnd::Failed,
            Setback::Ended(outcome) => match outcome {
                Outcome::Exhausted { .. } => TaskEnd::Exhausted,
                Outcome::ScopeViolation { .. } => TaskEnd::ScopeViolation,
                Outcome::Cancelled | Outcome::Superseded | Outcome::Interrupted | Outcome::OverBudget => TaskEnd::Cancelled,
                Outcome::Done { .. } | Outcome::Blocked { .. } | Outcome::Failed { .. } | Outcome::Unavailable { .. } => {
                    TaskEnd::Failed
                }
            },
        }
    }

    /// Whether the same task, tried again as it is, might land. A blocked worker or a scope that is too narrow will not change by
    /// itself, and a red merge is the planner's to judge where there is one.
    pub fn may_pass_again(&self) -> bool {
        matches!(self, Setback::Ended(Outcome::Failed { .. } | Outcome::Exhausted { .. }))
    }

    /// One line for a table or a list.
    pub fn headline(&self) -> String {
        match self {
            Setback::Conflicted { paths, with, .. } => {
                let tasks = if with.is_empty() { "the run branch".to_owned() } else { join(with) };
                format!("conflict with {tasks} in {}", join(paths))
            }
            Setback::Red(red) => {
                let before = if red.red_before == Some(true) { ", which is red without this task, too" } else { "" };
                format!("{}: `{}` {}{before}", red.proof, red.command, red.ended)
            }
            Setback::Clashed { with, verdict } => {
                format!("green alone, red together with {with}: {}: `{}` {}", verdict.proof, verdict.command, verdict.ended)
            }
            Setback::Ended(outcome) => match outcome {
                Outcome::Done { .. } => "done".to_owned(),
                Outcome::Blocked { report } => format!("blocked: {}", first_line(&report.summary)),
                Outcome::Exhausted { limit, .. } => format!("reached {limit}"),
                Outcome::Failed { why } | Outcome::Unavailable { why } => first_line(why).to_owned(),
                Outcome::ScopeViolation { paths } => format!("changed files outside its scope: {}", join(paths)),
                Outcome::OverBudget => "the run's budget is used up".to_owned(),
                Outcome::Cancelled => "stopped".to_owned(),
                Outcome::Superseded => "stopped, for the plan has changed".to_owned(),
                Outcome::Interrupted => "interrupted".to_owned(),
            },
        }
    }

    /// All that was observed, for the planner and for the next worker.
    pub fn in_full(&self) -> String {
        let headline = self.headline();
        let detail = match self {
            Setback::Conflicted { detail, .. } => detail.as_str(),
            Setback::Red(red) | Setback::Clashed { verdict: red, .. } => red.output.as_str(),
            Setback::Ended(Outcome::Exhausted { last, .. }) => last.as_str(),
            Setback::Ended(Outcome::Failed { why }) if why != &headline => why.as_str(),
            Setback::Ended(Outcome::Blocked { report }) => report.summary.as_str(),
            Setback::Ended(_) => "",
        };
        if detail.trim().is_empty() { headline } else { format!("{headline}\n{}", detail.trim_end()) }
    }

    /// Whether the run branch had moved on so that the change does not fit any more: in text, or in what it means.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Setback::Conflicted { .. } | Setback::Clashed { .. })
    }

    /// Whether it came from the gate rather than from the task's own proof.
    pub fn is_red_gate(&self) -> bool {
        matches!(self, Setback::Red(RedVerdict { proof: Proof::Gate, .. }))
    }
}

/// How every task stands, and all that was observed of those in trouble: what the planner is shown.
pub fn account(state: &RunState) -> String {
    let mut text = String::from("Tasks:\n");
    for record in state.tasks() {
        let report = record.report.as_ref().filter(|_| record.state.name() == "landed").map(|report| first_line(&report.summary));
        let said = report.map(|said| format!(": {said}")).unwrap_or_default();
        writeln!(text, "- `{}` is {}{said}", record.id, record.state.name()).expect("writing to a string");
    }
    for record in state.in_trouble() {
        writeln!(text, "\n## `{}` is in trouble", record.id).expect("writing to a string");
        for evidence in &record.setbacks[record.setbacks.len().saturating_sub(SHOWN)..] {
            writeln!(text, "Attempt {}: {}", evidence.attempt, evidence.setback.in_full()).expect("writing to a string");
        }
        write_pair(&mut text, state, record);
    }
    write_known_red(&mut text, state);
    write_refused(&mut text, state);
    text
}

/// Both sides of a clash in their own words: neither is wrong by itself, so the plan has to bring them together.
fn write_pair(text: &mut String, state: &RunState, record: &TaskRecord) {
    let Some(Setback::Clashed { with, .. }) = record.setbacks.last().map(|evidence| &evidence.setback) else { return };
    for id in [with, &record.id] {
        let Some(report) = state.task(id).and_then(|record| record.report.as_ref()) else { continue };
        let said = if report.hand_off.trim().is_empty() { &report.summary } else { &report.hand_off };
        writeln!(text, "What `{id}` hands on: {}", said.trim()).expect("writing to a string");
    }
}

fn write_known_red(text: &mut String, state: &RunState) {
    if state.known_red().is_empty() {
        return;
    }
    writeln!(text, "\n## Red since before the run; no task is held back by it").expect("writing to a string");
    for red in state.known_red() {
        writeln!(text, "- `{}` {}", red.command, red.ended).expect("writing to a string");
    }
}

/// What was asked for and refused: the plan may have to give it.
fn write_refused(text: &mut String, state: &RunState) {
    let refused = |request: &&Request| request.answer.as_ref().is_some_and(|answer| !answer.granted);
    let lines: Vec<String> = state.requests().iter().filter(refused).map(refusal_in_words).collect();
    if lines.is_empty() {
        return;
    }
    writeln!(text, "\n## Asked for and refused").expect("writing to a string");
    for line in &lines[lines.len().saturating_sub(2 * SHOWN)..] {
        writeln!(text, "- {line}").expect("writing to a string");
    }
}

fn refusal_in_words(request: &Request) -> String {
    let reason = match &request.what {
        Subject::Scope(_) => format!(" (its reason: {})", first_line(&request.reason)),
        Subject::Command(_) | Subject::Write(_) => String::new(),
    };
    format!("{}{reason}", request.in_words())
}

/// How many attempts at a task, and how many names in a list, are shown.
const SHOWN: usize = 5;

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

fn join<T: ToString>(all: &[T]) -> String {
    let mut names: Vec<String> = all.iter().take(SHOWN).map(T::to_string).collect();
    if all.len() > SHOWN {
        names.push(format!("{} more", all.len() - SHOWN));
    }
    names.join(", ")
}
