//! A whole plan in the place of another, as a person writes it in an editor.

use std::collections::BTreeSet;

use shared::TaskId;

use super::Revised;
use crate::{
    plan::Plan,
    problem::{Place, Problem, Severity},
};

/// What follows from putting `new` in the place of `old`: tasks that differ begin anew, tasks that are gone are dropped.
///
/// # Errors
/// Every settled task (landed or landing) that `new` lacks or changes.
pub fn replace(old: &Plan, new: Plan, settled: &BTreeSet<TaskId>) -> Result<Revised, Vec<Problem>> {
    let changed = |id: &&TaskId| old.get(id) != new.get(id);
    let problem = |id: &TaskId| Problem {
        severity: Severity::Error,
        place: Place::Task(id.clone()),
        rule: "settled",
        message: format!("`{id}` has landed or is landing; leave it as it was"),
    };
    let problems: Vec<Problem> = settled.iter().filter(changed).map(problem).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let ids = |plan: &Plan| plan.tasks().iter().map(|task| task.id.clone()).collect::<Vec<_>>();
    let retried = ids(&new).into_iter().filter(|id| changed(&id)).collect();
    let dropped = ids(old).into_iter().filter(|id| new.get(id).is_none()).collect();
    Ok(Revised { plan: new, retried, dropped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tasks: &[(&str, &str)]) -> Plan {
        let task = |(id, title): &(&str, &str)| {
            format!("[[task]]\nid = \"{id}\"\ntitle = \"{title}\"\ninstructions = \"do\"\nwrite = [\"{id}\"]\n")
        };
        let head = "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n".to_owned();
        crate::file::parse_toml(&(head + &tasks.iter().map(task).collect::<String>())).unwrap()
    }

    #[test]
    fn what_differs_begins_anew_and_what_is_settled_stays() {
        let old = plan(&[("a", "A"), ("b", "B"), ("c", "C")]);
        let settled = BTreeSet::from([TaskId::new("a").unwrap()]);
        let revised = replace(&old, plan(&[("a", "A"), ("b", "other"), ("d", "D")]), &settled).unwrap();
        let names = |ids: &[TaskId]| ids.iter().map(TaskId::to_string).collect::<Vec<_>>();
        assert_eq!((names(&revised.retried), names(&revised.dropped)), (vec!["b".into(), "d".into()], vec!["c".into()]));
        assert_eq!(replace(&old, plan(&[("a", "other")]), &settled).unwrap_err().len(), 1);
        assert_eq!(replace(&old, plan(&[("b", "B")]), &settled).unwrap_err().len(), 1);
    }
}
