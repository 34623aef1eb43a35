//! Edits that try the same again though it has come to the same end twice.
//!
//! **Invariant:** what is refused here would start an attempt that differs from the last one in nothing that a worker or a proof sees: not in its
//! instructions, its files, its model, its limits, nor in what it builds on. Under another name, or beside other tasks in a split, it is the
//! same attempt still.
//!
//! A new title is no other way, and neither is another order of what a task waits for. That the model may guess differently this time is what
//! the two attempts before were for.

use std::collections::{BTreeMap, BTreeSet};

use shared::TaskId;

use super::{Change, PlanEdit, apply};
use crate::{
    plan::Plan,
    problem::{Place, Problem, Severity},
    task::Task,
};

/// A task whose last two attempts had one signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeated {
    /// What it says.
    pub task: Task,
    /// What the two ended with.
    pub ended: String,
}

/// All of these, also those that the plan has no more.
pub type Repeating = BTreeMap<TaskId, Repeated>;

/// All edits that are blind.
///
/// # Errors
/// Each with every way that is open.
pub fn refuse_blind(plan: &Plan, edits: &[PlanEdit], repeating: &Repeating) -> Result<(), Vec<Problem>> {
    let changes = |task: &TaskId| edits.iter().any(|edit| matters(edit, task, plan));
    let same = |new: &Task| {
        let builds_on = |id: &TaskId| new.depends_on.contains(id);
        let is_other = |edit: &PlanEdit| gains(edit, &new.id, &builds_on) || builds_on_other(edit, plan, &builds_on);
        let found = repeating.iter().find(|(_, repeated)| is_same_matter(&repeated.task, new));
        found.filter(|_| !edits.iter().any(is_other))
    };
    let mut refused = Vec::new();
    for (at, edit) in edits.iter().enumerate() {
        if let Change::Retry { task } | Change::Rewrite { task, .. } = &edit.change
            && let Some(repeated) = repeating.get(task).filter(|_| !changes(task))
        {
            let what = format!("`{task}` has come to the same end twice ({})", repeated.ended);
            refused.push(refusal(format!("edits[{at}].task"), &what));
        }
        for (key, new) in brought_in(&edit.change, plan) {
            if let Some((id, Repeated { ended, .. })) = same(&new) {
                let what = format!("`{}` says what `{id}` said, which has come to the same end twice ({ended})", new.id);
                refused.push(refusal(format!("edits[{at}].{key}"), &what));
            }
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// The tasks that an edit brings into the plan, with all that they inherit.
fn brought_in(change: &Change, plan: &Plan) -> Vec<(&'static str, Task)> {
    match change {
        Change::Add { new } => vec![("new", (**new).clone())],
        Change::Split { task, into } => {
            let part = |part: &Task| plan.get(task).map_or_else(|| part.clone(), |whole| apply::part_of(whole, part));
            into.iter().map(|new| ("into", part(new))).collect()
        }
        Change::Merge { tasks, into } => {
            let gone: Vec<Task> = plan.tasks().iter().filter(|task| tasks.contains(&task.id)).cloned().collect();
            let mut whole = apply::united(into, &gone);
            whole.depends_on.retain(|id| !tasks.contains(id));
            vec![("into", whole)]
        }
        _ => Vec::new(),
    }
}

/// Whether two tasks are the same to their workers and their proofs, whatever they are called.
pub fn is_same_matter(one: &Task, other: &Task) -> bool {
    fn set<T: ToString>(items: &[T]) -> BTreeSet<String> {
        items.iter().map(T::to_string).collect()
    }
    let words = |task: &Task| task.instructions.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    words(one) == words(other)
        && set(&one.depends_on) == set(&other.depends_on)
        && set(&one.scope.write) == set(&other.scope.write)
        && set(&one.scope.shared) == set(&other.scope.shared)
        && set(&one.deliver) == set(&other.deliver)
        && (one.network, &one.verify, &one.worker) == (other.network, &other.verify, &other.worker)
        && (&one.model, one.limits) == (&other.model, other.limits)
}

fn refusal(place: String, what: &str) -> Problem {
    let message = format!(
        "{what}, so the same try once more is refused. Take another way: `rewrite` it with other \
         instructions, another `model`, other `limits` or another proof; `split` it; `order` it after the task that it collides with, or \
         after one that you `add`; `merge` it into a joint task; `widen` its scope; or leave it as it is, and the run ends with this told to \
         the person"
    );
    Problem { severity: Severity::Error, place: Place::Path(place), rule: "blind-retry", message }
}

/// Whether an edit changes what the task's next attempt is made from.
fn matters(edit: &PlanEdit, task: &TaskId, plan: &Plan) -> bool {
    let builds_on = |other: &TaskId| plan.get(task).is_some_and(|task| task.depends_on.contains(other));
    let own = match &edit.change {
        Change::Rewrite { task: other, .. } => other == task && rewrites(edit, plan),
        Change::Split { task: other, .. } => other == task,
        Change::Merge { tasks, into } => into.id == *task || tasks.contains(task),
        // What is added takes effect on this task only where it waits for it, and that is an order.
        _ => gains(edit, task, &builds_on),
    };
    own || builds_on_other(edit, plan, &builds_on)
}

/// Whether an edit gives a task more files, or something else to wait for.
fn gains(edit: &PlanEdit, task: &TaskId, builds_on: &impl Fn(&TaskId) -> bool) -> bool {
    match &edit.change {
        Change::Widen { task: other, .. } => other == task,
        Change::Order { after, before } => after == task && !builds_on(before),
        _ => false,
    }
}

/// Whether what a task builds on is another work afterwards.
fn builds_on_other(edit: &PlanEdit, plan: &Plan, builds_on: &impl Fn(&TaskId) -> bool) -> bool {
    match &edit.change {
        Change::Rewrite { task, .. } => builds_on(task) && rewrites(edit, plan),
        Change::Split { task, .. } => builds_on(task),
        Change::Merge { tasks, .. } => tasks.iter().any(builds_on),
        _ => false,
    }
}

/// Whether a rewritten task says something else afterwards that its worker or its proof sees.
fn rewrites(edit: &PlanEdit, plan: &Plan) -> bool {
    let Change::Rewrite { task, with } = &edit.change else { return false };
    plan.get(task).is_some_and(|known| {
        let mut rewritten = known.clone();
        apply::rewrite(&mut rewritten, with);
        !is_same_matter(known, &rewritten)
    })
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
        let a = TaskId::new("a").unwrap();
        let repeated = Repeated { task: plan.get(&a).unwrap().clone(), ended: "red alone".to_owned() };
        let repeating = BTreeMap::from([(a, repeated)]);
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
            json!([{ "edit": "drop", "task": "a", "because": "b" }, { "edit": "add", "new": task("a2", "do a otherwise"), "because": "b" }]),
            json!([
                { "edit": "drop", "task": "a", "because": "b" },
                { "edit": "add", "new": task("a2", "do a"), "because": "b" },
                { "edit": "order", "before": "b", "after": "a2", "because": "b" },
            ]),
            json!([{ "edit": "merge", "tasks": ["a", "b"], "into": task("ab", "do both"), "because": "b" }]),
        ] {
            check(&edits, &expect![[r#""#]]);
        }
    }

    fn task(id: &str, instructions: &str) -> Value {
        json!({ "id": id, "title": "Another", "instructions": instructions, "write": ["a"], "verify": ["true"] })
    }

    #[test]
    fn the_same_under_another_name_is_the_same() {
        let drop = json!({ "edit": "drop", "task": "a", "because": "b" });
        check(&json!([drop, { "edit": "add", "new": task("a2", "do a"), "because": "b" }]), &expect!["edits[1].new blind-retry"]);
        let rest = json!({ "id": "rest", "title": "R", "instructions": "the rest", "write": ["r"], "verify": ["true"] });
        for name in ["a", "a2"] {
            let into = [task(name, "do  a"), rest.clone()];
            check(
                &json!([{ "edit": "split", "task": "a", "into": into, "because": "b" }]),
                &expect!["edits[0].into blind-retry"],
            );
        }
        check(
            &json!([{ "edit": "merge", "tasks": ["a", "b"], "into": task("ab", "do a"), "because": "b" }]),
            &expect!["edits[0].into blind-retry"],
        );
    }

    #[test]
    fn another_order_of_what_a_task_waits_for_is_no_other_way() {
        let after = PLAN.replace(
            "[[task]]\nid = 'b'",
            "[[task]]\nid = 'c'\ntitle = 'C'\ninstructions = 'do c'\nwrite = ['c']\n[[task]]\nid = 'b'",
        );
        let plan = file::parse_toml(&after.replace("write = ['a']", "write = ['a']\ndepends_on = ['b', 'c']")).unwrap();
        let rewrite = |ids: &[&str]| {
            let edits = json!({ "edits": [{ "edit": "rewrite", "task": "a", "depends_on": ids, "because": "b" }] });
            let a = TaskId::new("a").unwrap();
            let repeated = Repeated { task: plan.get(&a).unwrap().clone(), ended: "red".to_owned() };
            refuse_blind(&plan, &read_edits(&edits).unwrap(), &BTreeMap::from([(a, repeated)])).is_err()
        };
        assert!(rewrite(&["c", "b"]));
        assert!(!rewrite(&["c"]));
    }
}
