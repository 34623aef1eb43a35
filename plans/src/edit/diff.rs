//! The difference between two revisions of a plan, for a person.
//!
//! **Invariant:** it is empty only for equal plans, and holds no character that a terminal would act upon.

use std::fmt::Write as _;

use shared::Network;
use similar::{ChangeTag, DiffOp, capture_diff_slices, group_diff_ops};

use crate::{
    file::write::limits,
    plan::{Gate, Plan},
    task::{Task, WorkerKind},
    visible::{in_line, visible},
};

/// A key and its value, in lines.
type Field = (&'static str, Vec<String>);

/// What changed from the one plan to the other: tasks that came, went or changed, key by key and line by line. No colour.
pub fn diff(old: &Plan, new: &Plan) -> String {
    let mut out = String::new();
    let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
    write_field(&mut out, "", "goal", &lines(old.goal()), &lines(new.goal()));
    write_field(&mut out, "", "gate", &gate(old), &gate(new));
    for task in old.tasks().iter().filter(|task| new.get(&task.id).is_none()) {
        line(&mut out, &format!("- task {}: {}", task.id, in_line(&task.title)));
    }
    for task in new.tasks() {
        match old.get(&task.id) {
            None => {
                line(&mut out, &format!("+ task {}: {}", task.id, in_line(&task.title)));
                for (key, value) in fields(task).into_iter().filter(|(key, _)| *key != "title") {
                    write_field(&mut out, "    ", key, &[], &value);
                }
            }
            Some(before) if before != task => {
                line(&mut out, &format!("~ task {}", task.id));
                for ((key, old), (_, new)) in fields(before).into_iter().zip(fields(task)) {
                    write_field(&mut out, "    ", key, &old, &new);
                }
            }
            Some(_) => {}
        }
    }
    if common(old, new) != common(new, old) {
        line(&mut out, "the tasks are listed in another order");
    }
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("writing to a string");
}

/// The tasks of the one plan that the other has too.
fn common<'p>(plan: &'p Plan, other: &Plan) -> Vec<&'p shared::TaskId> {
    plan.tasks().iter().map(|task| &task.id).filter(|id| other.get(id).is_some()).collect()
}

fn gate(plan: &Plan) -> Vec<String> {
    let Gate { commands, timeout, network } = plan.gate();
    let timeout = format!("timeout {}", humantime::format_duration(*timeout));
    commands.iter().cloned().chain([timeout]).chain(network_in_words(*network)).collect()
}

fn network_in_words(network: Network) -> Option<String> {
    (!network.is_default()).then(|| format!("network {network}"))
}

fn fields(task: &Task) -> Vec<Field> {
    fn list<T: ToString>(items: &[T]) -> Vec<String> {
        items.iter().map(T::to_string).collect()
    }
    fn lines(text: &str) -> Vec<String> {
        if text.is_empty() { Vec::new() } else { text.split('\n').map(str::to_owned).collect() }
    }
    let worker = match &task.worker {
        WorkerKind::Agent => Vec::new(),
        WorkerKind::Command(command) => vec![command.clone()],
    };
    vec![
        ("title", lines(&task.title)),
        ("instructions", lines(&task.instructions)),
        ("depends_on", list(&task.depends_on)),
        ("write", list(&task.scope.write)),
        ("shared", list(&task.scope.shared)),
        ("network", if task.network.is_default() { Vec::new() } else { vec![task.network.to_string()] }),
        ("deliver", list(&task.deliver)),
        ("verify", list(&task.verify)),
        ("hand_off", task.hand_off.iter().flat_map(|text| text.split('\n')).map(str::to_owned).collect()),
        ("command", worker),
        ("model", task.model.iter().cloned().collect()),
        ("limits", if task.limits == shared::Limits::default() { Vec::new() } else { vec![limits(&task.limits)] }),
    ]
}

/// What changed in one value, with a line around each change so that a person finds the place.
fn write_field(out: &mut String, indent: &str, key: &str, old: &[String], new: &[String]) {
    if old == new {
        return;
    }
    line(out, &format!("{indent}{key}:"));
    let mut left_out = false;
    for group in group_diff_ops(capture_diff_slices(similar::Algorithm::Myers, old, new), 1) {
        if std::mem::replace(&mut left_out, true) {
            line(out, &format!("{indent}    …"));
        }
        for change in group.iter().flat_map(|op: &DiffOp| op.iter_changes(old, new)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let text = visible(&change.value()).replace('\n', "\\n");
            line(out, format!("{indent}  {sign} {text}").trim_end());
        }
    }
}
