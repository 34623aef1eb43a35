//! Models that tasks name: each must be usable, priced where money is limited, and be the person's choice where only a model wrote the plan.

use super::{HostRule, LintRules, at_key};
use crate::{
    catalogue::ModelFacts,
    plan::PlanDraft,
    problem::{Problem, Severity},
    task::{Task, WorkerKind},
};

pub(super) fn problems(draft: &PlanDraft, rules: &LintRules) -> Vec<Problem> {
    let of_task = |task: &Task| {
        let (rule, message) = problem(task, task.model.as_deref()?, rules)?;
        Some(at_key(Severity::Error, task, "model", rule, message))
    };
    draft.tasks.iter().filter_map(of_task).collect()
}

fn problem(task: &Task, name: &str, rules: &LintRules) -> Option<(&'static str, String)> {
    let id = &task.id;
    if matches!(task.worker, WorkerKind::Command(_)) {
        return Some(("model-of-command", format!("`{id}` is done by a command, which uses no model; take `model` out")));
    }
    // Without a catalogue nobody knows any model, and nobody could use one.
    let facts = match rules.models.as_ref()?.look_up(name) {
        Ok(facts) => facts,
        Err(why) => return Some(("unknown-model", format!("`{id}` names the model `{}`: {why}", name.escape_debug()))),
    };
    match facts {
        ModelFacts { configured: false, .. } if rules.host == HostRule::Refused => Some(("stranger-model", stranger(task, name))),
        ModelFacts { price: None, .. } if rules.run_limits.cost.is_some() || task.limits.cost.is_some() => {
            let message = format!(
                "`{id}` names the model `{name}`, whose price nobody knows, so no limit in money can be kept; set its price under \
                 [providers], or leave the limit out"
            );
            Some(("unknown-price", message))
        }
        _ => None,
    }
}

/// What is said of a model that only another model has chosen.
pub(crate) fn stranger(task: &Task, name: &str) -> String {
    format!(
        "`{}` names the model `{name}`, which the configuration gives to no role, and no person reviews this; leave `model` out",
        task.id
    )
}
