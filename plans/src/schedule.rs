//! In which order to start tasks that could all start now.
//!
//! A task with much work behind it goes first: the longest remaining path bounds the makespan from below, so every minute that it
//! waits is a minute that the run takes longer (list scheduling by critical path, at most twice the optimum, in practice within
//! a few percent).

use crate::{Plan, Task};

/// How much work a task is thought to be, in turns: its own limit is the planner's estimate.
pub fn weight(task: &Task) -> u64 {
    const USUAL: u32 = 40;
    u64::from(task.limits.turns.unwrap_or(USUAL).max(1))
}

/// For each task, the weight of the heaviest path that begins with it.
pub fn remaining(plan: &Plan) -> Vec<u64> {
    let mut heaviest = vec![0; plan.tasks().len()];
    for &at in plan.topological().iter().rev() {
        let behind = plan.dependents(at).map(|after| heaviest[after]).max().unwrap_or(0);
        heaviest[at] = behind + weight(&plan.tasks()[at]);
    }
    heaviest
}

/// The places of the tasks on the heaviest path, in order.
pub fn critical_path(plan: &Plan) -> Vec<usize> {
    let heaviest = remaining(plan);
    let heavier = |a: &usize, b: &usize| heaviest[*a].cmp(&heaviest[*b]).then(b.cmp(a));
    let mut path = Vec::new();
    let mut next = (0..plan.tasks().len()).max_by(heavier);
    while let Some(at) = next {
        path.push(at);
        next = plan.dependents(at).max_by(heavier);
    }
    path
}
