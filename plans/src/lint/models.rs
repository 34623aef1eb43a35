//! Models that tasks name: each must be usable, priced where money is limited, and be the person's choice where only a model wrote the plan.
//! Where a task limits its money and names none, all that may carry it out must be priced: such a limit would silently never be kept.

use super::{HostRule, LintRules, at_key};
use crate::{
    catalogue::ModelFacts,
    plan::PlanDraft,
    problem::{Problem, Severity},
    task::{Task, WorkerKind},
};

pub(super) fn problems(draft: &PlanDraft, rules: &LintRules) -> Vec<Problem> {
    let of_task = |task: &Task| {
        let (key, (rule, message)) = match task.model.as_deref() {
            Some(name) => ("model", problem(task, name, rules)?),
            None => ("limits", unpriced(task, rules)?),
        };
        Some(at_key(Severity::Error, task, key, rule, message))
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

/// A limit in money on whichever model is usual, where its price is not known.
fn unpriced(task: &Task, rules: &LintRules) -> Option<(&'static str, String)> {
    let is_limited = task.limits.cost.is_some() && task.worker == WorkerKind::Agent;
    let model = rules.models.as_ref().filter(|_| is_limited)?.unpriced()?;
    let message = format!(
        "`{}` has a limit in money, and `{model}`, whose price nobody knows, may carry it out; set its price under [providers], or \
         limit the tokens instead",
        task.id
    );
    Some(("unknown-price", message))
}

/// What is said of a model that only another model has chosen.
pub(crate) fn stranger(task: &Task, name: &str) -> String {
    format!(
        "`{}` names the model `{name}`, which the configuration gives to no role, and no person reviews this; leave `model` out",
        task.id
    )
}
