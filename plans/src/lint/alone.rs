//! What can be said of a draft without a repository, and even of one that is not a plan yet.

use std::fmt::Display;

use shared::{Limits, Money};

use super::{GateRule, LintRules, at_key};
use crate::{
    plan::PlanDraft,
    problem::{Place, Problem, Severity},
    task::{Task, WorkerKind},
};

pub(super) fn problems(draft: &PlanDraft, rules: &LintRules) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_plan(draft, rules, &mut problems);
    for task in &draft.tasks {
        check_texts(task, &mut problems);
        check_limits(task, &rules.run_limits, &mut problems);
        check_deliver(task, &mut problems);
    }
    check_whole_repository(draft, &mut problems);
    problems
}

fn of_plan(path: &str, rule: &'static str, message: &str) -> Problem {
    Problem { severity: Severity::Error, place: Place::Path(path.to_owned()), rule, message: message.to_owned() }
}

fn check_plan(draft: &PlanDraft, rules: &LintRules, problems: &mut Vec<Problem>) {
    if draft.tasks.is_empty() {
        problems.push(of_plan("tasks", "no-tasks", "the plan has no task; add at least one"));
    }
    if draft.gate.commands.is_empty() && rules.gate == GateRule::Required {
        let message =
            "the plan has no gate, so nothing would tell green from red; name the commands that test the whole repository";
        problems.push(of_plan("gate", "no-gate", message));
    }
    if draft.gate.commands.iter().any(|command| is_blank(command)) {
        problems.push(of_plan("gate.commands", "blank", "a command of the gate is blank; write it out or remove it"));
    }
    if draft.gate.timeout.is_zero() && !draft.gate.commands.is_empty() {
        problems.push(of_plan(
            "gate.timeout",
            "bad-limit",
            "a gate that must end at once can only fail; give it time, such as \"20m\"",
        ));
    }
}

/// Blank to a shell or to a reader.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn check_texts(task: &Task, problems: &mut Vec<Problem>) {
    let mut blank = |key, what: &str| {
        let message = format!("{what} of `{}` is blank; write it out", task.id);
        problems.push(at_key(Severity::Error, task, key, "blank", message));
    };
    if is_blank(&task.title) {
        blank("title", "the title");
    }
    if task.verify.iter().any(|command| is_blank(command)) {
        blank("verify", "a command in `verify`");
    }
    match &task.worker {
        WorkerKind::Agent if is_blank(&task.instructions) => blank("instructions", "the text of the instructions"),
        WorkerKind::Command(command) if is_blank(command) => blank("worker", "the worker's command"),
        _ => {}
    }
}

fn check_limits(task: &Task, run: &Limits, problems: &mut Vec<Problem>) {
    let mine = &task.limits;
    let mut report = |message| problems.push(at_key(Severity::Error, task, "limits", "bad-limit", message));
    let mut compare = |name: &str, mine: Option<u64>, run: Option<u64>| {
        if mine == Some(0) {
            report(format!("`{}` is allowed 0 {name}, so it cannot begin; raise the limit or leave it out", task.id));
        }
        if let Some(message) = above(task, name, mine, run) {
            report(message);
        }
    };
    compare("turns", mine.turns.map(u64::from), run.turns.map(u64::from));
    compare("tokens", mine.tokens, run.tokens);
    compare("minutes", mine.minutes.map(u64::from), run.minutes.map(u64::from));
    if let Some(message) = above::<Money>(task, "of money", mine.cost, run.cost) {
        report(message);
    }
}

fn above<T: PartialOrd + Display>(task: &Task, name: &str, mine: Option<T>, run: Option<T>) -> Option<String> {
    let (mine, run) = mine.zip(run).filter(|(mine, run)| mine > run)?;
    let id = &task.id;
    Some(format!(
        "an attempt at `{id}` is allowed {mine} {name}, more than the {run} of the whole run; lower it or raise the run's limit"
    ))
}

fn check_deliver(task: &Task, problems: &mut Vec<Problem>) {
    for path in task.deliver.iter().filter(|path| path.as_str().contains('*')) {
        let message = format!("`{}` must deliver `{path}`, but `deliver` names files, not patterns; name each file", task.id);
        problems.push(at_key(Severity::Error, task, "deliver", "deliver-pattern", message));
    }
}

fn check_whole_repository(draft: &PlanDraft, problems: &mut Vec<Problem>) {
    if draft.tasks.len() < 2 {
        return;
    }
    for task in &draft.tasks {
        let Some(glob) = task.scope.write.iter().find(|glob| matches!(glob.as_str(), "**" | "**/*" | "**/**" | "*")) else {
            continue;
        };
        let message =
            format!("`{}` owns the whole repository (`{glob}`), so no other task can run beside it; name its folders", task.id);
        problems.push(at_key(Severity::Warning, task, "write", "owns-everything", message));
    }
}
