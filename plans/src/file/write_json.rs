//! A plan in the form that a model submits, with every key present: the strict form of the schema in `schema`.

use serde_json::{Value, json};
use shared::{Limits, Money};

use super::reading::VERSION;
use crate::{
    plan::Plan,
    task::{Task, WorkerKind},
};

/// The plan as `submit_plan` takes it.
pub fn write_json(plan: &Plan) -> Value {
    json!({
        "version": VERSION,
        "goal": plan.goal(),
        "gate": {
            "commands": plan.gate().commands,
            "timeout": humantime::format_duration(plan.gate().timeout).to_string(),
            "network": plan.gate().network,
        },
        "tasks": plan.tasks().iter().map(task_json).collect::<Vec<_>>(),
    })
}

pub(crate) fn task_json(task: &Task) -> Value {
    json!({
        "id": task.id,
        "title": task.title,
        "instructions": task.instructions,
        "depends_on": task.depends_on,
        "write": task.scope.write,
        "shared": task.scope.shared,
        "network": task.network,
        "deliver": task.deliver,
        "verify": task.verify,
        "hand_off": task.hand_off,
        "worker": match &task.worker {
            WorkerKind::Agent => json!("agent"),
            WorkerKind::Command(command) => json!({ "command": command }),
        },
        "model": task.model,
        "limits": if task.limits == Limits::default() { Value::Null } else { limits_json(&task.limits) },
    })
}

pub(crate) fn limits_json(limits: &Limits) -> Value {
    json!({
        "turns": limits.turns,
        "tokens": limits.tokens,
        "cost_usd": limits.cost.map(Money::usd),
        "minutes": limits.minutes,
    })
}
