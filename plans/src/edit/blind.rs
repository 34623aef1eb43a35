//! Edits that try the same again though it has come to the same end twice.
//!
//! **Invariant:** what is refused here would start an attempt that differs from the last one in nothing that a worker or a proof sees: not in its
//! instructions, its files, its model, its limits, nor in what it builds on.
//!
//! A new title is no other way. That the model may guess differently this time is what the two attempts before were for.

use std::collections::BTreeMap;

use shared::TaskId;

use super::{Change, PlanEdit, Rewrite};
use crate::{
    plan::Plan,
    problem::{Place, Problem, Severity},
    task::Task,
};

/// All edits that are blind. `repeating` names the tasks whose last two attempts had one signature, and what they ended with.
///
/// # Errors
/// Each with every way that is open.
pub fn refuse_blind(plan: &Plan, edits: &[PlanEdit], repeating: &BTreeMap<TaskId, String>) -> Result<(), Vec<Problem>> {
    let is_blind = |task: &TaskId| repeating.contains_key(task) && !edits.iter().any(|edit| matters(edit, task, plan));
    let refusal = |(at, edit): (usize, &PlanEdit)| match &edit.change {
        Change::Retry { task } | Change::Rewrite { task, .. } if is_blind(task) => Some(refusal(at, task, &repeating[task])),
        _ => None,
    };
    let refused: Vec<Problem> = edits.iter().enumerate().filter_map(refusal).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

fn refusal(at: usize, task: &TaskId, ended: &str) -> Problem {
    let message = format!(
        "`{task}` has come to the same end twice ({ended}), so the same try once more is refused. Take another way: `rewrite` it with other \
         instructions, another `model`, other `limits` or another proof; `split` it; `order` it after the task that it collides with, or \
         after one that you `add`; `merge` it into a joint task; `widen` its scope; or leave it as it is, and the run ends with this told to \
         the person"
    );
    Problem { severity: Severity::Error, place: Place::Path(format!("edits[{at}].task")), rule: "blind-retry", message }
}

/// Whether an edit changes what the task's next attempt is made from.
fn matters(edit: &PlanEdit, task: &TaskId, plan: &Plan) -> bool {
    let builds_on = |other: &TaskId| plan.get(task).is_some_and(|task| task.depends_on.contains(other));
    match &edit.change {
        Change::Widen { task: other, .. } => other == task,
        Change::Order { after, before } => after == task && !builds_on(before),
        Change::Rewrite { task: other, with } => match plan.get(other) {
            Some(known) if other == task || builds_on(other) => is_material(known, with),
            _ => false,
        },
        Change::Split { task: other, .. } => other == task || builds_on(other),
        Change::Merge { tasks, into } => into.id == *task || tasks.iter().any(|other| other == task || builds_on(other)),
        // What is added takes effect on this task only where it waits for it, and that is an order.
        Change::Add { .. } | Change::Drop { .. } | Change::Retry { .. } => false,
    }
}

/// Whether a task says something else afterwards that its worker or its proof sees.
fn is_material(task: &Task, with: &Rewrite) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let differs = [
        with.instructions.as_ref().is_some_and(|text| words(text) != words(&task.instructions)),
        with.depends_on.as_ref().is_some_and(|ids| *ids != task.depends_on),
        with.network.is_some_and(|network| network != task.network),
        with.deliver.as_ref().is_some_and(|paths| *paths != task.deliver),
        with.verify.as_ref().is_some_and(|commands| *commands != task.verify),
        with.model.as_ref().is_some_and(|model| task.model.as_ref() != Some(model)),
        with.limits.is_some_and(|limits| limits != task.limits),
    ];
    differs.contains(&true)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;
    use crate::{edit::read_edits, file};

    const PLAN: &str = "version = 1\ngoal = 'g'\n[gate]\ncommands = ['true']\n\
        [[task]]\nid = 'a'\ntitle = 'A'\ninstructions = 'do a'\nwrite = ['a']\nverify = ['true']\n\
        [[task]]\nid = 'b'\ntitle = 'B'\ninstructions = 'do b'\nwrite = ['b']\nverify = ['true']\n";

    fn check(edits: &Value, expected: &Expect) {
        let plan = file::parse_toml(PLAN).unwrap();
        let edits = read_edits(&json!({ "edits": edits })).unwrap();
        let repeating = BTreeMap::from([(TaskId::new("a").unwrap(), "red alone".to_owned())]);
        let refused = refuse_blind(&plan, &edits, &repeating).err().unwrap_or_default();
        let said: Vec<String> = refused.iter().map(|problem| format!("{} {}", problem.place, problem.rule)).collect();
        expected.assert_eq(&said.join(", "));
    }

    #[test]
    fn the_same_once_more_is_refused_in_whatever_words() {
        let because = "b";
        check(&json!([{ "edit": "retry", "task": "a", "because": because }]), &expect!["edits[0].task blind-retry"]);
        check(
            &json!([{ "edit": "rewrite", "task": "a", "title": "Another", "because": because }]),
            &expect!["edits[0].task blind-retry"],
        );
        check(
            &json!([{ "edit": "rewrite", "task": "a", "instructions": "do  a\n", "because": because }]),
            &expect!["edits[0].task blind-retry"],
        );
        check(
            &json!([{ "edit": "retry", "task": "b", "because": because }, { "edit": "retry", "task": "a", "because": because }]),
            &expect!["edits[1].task blind-retry"],
        );
    }

    #[test]
    fn another_way_is_not_refused() {
        for edits in [
            json!([{ "edit": "rewrite", "task": "a", "instructions": "do it otherwise", "because": "b" }]),
            json!([{ "edit": "rewrite", "task": "a", "limits": { "turns": 9 }, "because": "b" }]),
            json!([{ "edit": "widen", "task": "a", "write": ["c"], "because": "b" }, { "edit": "retry", "task": "a", "because": "b" }]),
            json!([{ "edit": "order", "before": "b", "after": "a", "because": "b" }, { "edit": "retry", "task": "a", "because": "b" }]),
            json!([{ "edit": "drop", "task": "a", "because": "b" }]),
            json!([{ "edit": "retry", "task": "b", "because": "b" }]),
        ] {
            check(&edits, &expect![[r#""#]]);
        }
    }
}
