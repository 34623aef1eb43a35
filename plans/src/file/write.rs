//! A plan as the file that people review.
//!
//! Keys come in one order and empty ones are left out, so that two revisions of a plan differ only where the plan does.

use std::fmt::{Display, Write as _};

use shared::{Limits, Money, Network};

use super::text;
use crate::{
    plan::{Gate, Plan},
    task::{Task, WorkerKind},
};

/// Past this a list is written over several lines.
const WIDTH: usize = 100;

/// The plan as TOML, to be read by people and by [`read_toml`](super::read_toml).
pub fn write_toml(plan: &Plan) -> String {
    let mut out = format!("version = {}\n", super::reading::VERSION);
    key(&mut out, "goal", text::spelled(plan.goal()));
    gate(&mut out, plan.gate());
    for task in plan.tasks() {
        write_task(&mut out, task);
    }
    out
}

fn gate(out: &mut String, gate: &Gate) {
    out.push_str("\n# Run on the merged tree; the run branch moves only when all of it passes.\n[gate]\n");
    key(out, "commands", list(&gate.commands));
    key(out, "timeout", text::in_line(&humantime::format_duration(gate.timeout).to_string()));
    network(out, gate.network);
}

fn write_task(out: &mut String, task: &Task) {
    out.push_str("\n[[task]]\n");
    key(out, "id", text::in_line(task.id.as_str()));
    key(out, "title", text::in_line(&task.title));
    if !task.instructions.is_empty() || task.worker == WorkerKind::Agent {
        key(out, "instructions", text::spelled(&task.instructions));
    }
    list_key(out, "depends_on", &task.depends_on);
    list_key(out, "write", &task.scope.write);
    list_key(out, "shared", &task.scope.shared);
    network(out, task.network);
    list_key(out, "deliver", &task.deliver);
    list_key(out, "verify", &task.verify);
    if let Some(hand_off) = &task.hand_off {
        key(out, "hand_off", text::spelled(hand_off));
    }
    if let WorkerKind::Command(command) = &task.worker {
        key(out, "worker", format!("{{ command = {} }}", text::in_line(command)));
    }
    if let Some(model) = &task.model {
        key(out, "model", text::in_line(model));
    }
    if task.limits != Limits::default() {
        key(out, "limits", limits(&task.limits));
    }
}

fn network(out: &mut String, network: Network) {
    if !network.is_default() {
        key(out, "network", text::in_line(network.as_str()));
    }
}

fn key(out: &mut String, name: &str, value: impl Display) {
    writeln!(out, "{name} = {value}").expect("writing to a string");
}

fn list_key<T: ToString>(out: &mut String, name: &str, items: &[T]) {
    if !items.is_empty() {
        key(out, name, list(items));
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| text::in_line(&item.to_string())).collect();
    let line = format!("[{}]", items.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    format!("[\n    {},\n]", items.join(",\n    "))
}

/// The limits as an inline table, exact to the billionth of a dollar.
pub(crate) fn limits(limits: &Limits) -> String {
    let parts = [
        limits.turns.map(|turns| format!("turns = {}", grouped(turns.into()))),
        // TOML has no greater number, and no run ever takes as many.
        limits.tokens.map(|tokens| format!("tokens = {}", grouped(tokens.min(i64::MAX.cast_unsigned())))),
        limits.cost.map(|cost| format!("cost_usd = {}", dollars(cost))),
        limits.minutes.map(|minutes| format!("minutes = {}", grouped(minutes.into()))),
    ];
    format!("{{ {} }}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// `600000` as `600_000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

/// All nine digits after the point, but for zeros at the end; never fewer than two.
fn dollars(money: Money) -> String {
    let fraction = format!("{:09}", money.nano_usd % 1_000_000_000);
    let (cents, rest) = fraction.split_at(2);
    format!("{}.{cents}{}", money.nano_usd / 1_000_000_000, rest.trim_end_matches('0'))
}
