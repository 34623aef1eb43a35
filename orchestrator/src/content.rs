//! What an attempt is made from, as one name: attempts of the same content would do the same work, so what has finished is not done again.
//!
//! The name has four parts, so that where two differ it can be said in what:
//!
//! | part | what it is of |
//! |---|---|
//! | `task` | what the task says: everything in the plan but its limits and its scope |
//! | `inputs` | the commits as which the tasks that it depends on have landed |
//! | `models` | whoever may be asked to do it; nobody where a command does |
//! | `tools` | the standing orders of workers, and the schemas of their tools |
//!
//! **Invariant:** the same content has the same name in every process, on every machine: no clock, no path, no order of a hash map.
//!
//! The title is in it: a worker reads it, and it becomes the subject of the commit. Limits are not: what has finished within the old ones is
//! not better within others. The scope is not: a grant widens it while an attempt is at work, and what lands is held against the scope of
//! that moment anyway. What a person said meanwhile is not: an attempt hears it at its next turn; whoever wants finished work done otherwise
//! orders a retry. The tip is not: work is done again because of what it was handed, not because of what landed beside it.
//!
//! Why not the trees of the inputs? A landed commit has one tree, and its message is what was handed over with it.

use std::sync::LazyLock;

use plans::{Task, WorkerKind, event::CommitId};
use serde_json::json;
use shared::TaskId;

/// What an attempt is made from.
pub struct Content<'a> {
    /// The task.
    pub task: &'a Task,
    /// What it depends on, as it has landed.
    pub inputs: Vec<(&'a TaskId, &'a CommitId)>,
    /// The names of whoever may be asked.
    pub models: Vec<String>,
}

impl Content<'_> {
    /// Its name.
    pub fn name(mut self) -> String {
        let Task {
            id,
            title,
            instructions,
            network,
            deliver,
            verify,
            hand_off,
            worker,
            model,
            depends_on: _,
            scope: _,
            limits: _,
        } = self.task;
        self.inputs.sort_unstable_by_key(|(task, _)| *task);
        let task = json!([id, title, instructions, network, deliver, verify, hand_off, worker, model]);
        let models = if *worker == WorkerKind::Agent { self.models } else { Vec::new() };
        let tools = if *worker == WorkerKind::Agent { &*TOOLS } else { "" };
        let inputs: Vec<[&str; 2]> = self.inputs.iter().map(|(task, commit)| [task.as_str(), commit.0.as_str()]).collect();
        [digest(&task.to_string()), digest(&json!(inputs).to_string()), digest(&json!(models).to_string()), digest(tools)]
            .join("-")
    }
}

/// In what two contents differ, in words.
pub fn difference(then: &str, now: &str) -> String {
    const PARTS: [&str; 4] =
        ["what the task says", "what it depends on", "who may be asked", "the tools and standing orders of workers"];
    if then.is_empty() {
        return "nobody has kept what it was made from".to_owned();
    }
    let differs = PARTS.iter().zip(then.split('-').zip(now.split('-'))).filter(|(_, (then, now))| then != now);
    let parts: Vec<&str> = differs.map(|(part, _)| *part).collect();
    format!("this has changed since: {}", parts.join(", "))
}

/// What every agent begins with.
static TOOLS: LazyLock<String> = LazyLock::new(|| {
    let specs = worker::tool::worker_specs();
    let tools: Vec<_> = specs.iter().map(|spec| json!([spec.name, spec.description, spec.parameters])).collect();
    json!([worker::context::WORKER_SYSTEM, tools]).to_string()
});

/// Sixteen digits: enough for the attempts of one task.
fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let number = digest.as_ref().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016x}")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use plans::PlanDraft;

    use super::*;

    fn task(json: &str) -> Task {
        let text = format!(r#"{{"version":1,"goal":"g","gate":{{"commands":["true"]}},"tasks":[{json}]}}"#);
        let draft: PlanDraft = plans::file::parse_json(&serde_json::from_str(&text).unwrap()).unwrap().draft().clone();
        draft.tasks[0].clone()
    }

    const TASK: &str = r#"{"id":"a","title":"Do a","instructions":"All of a.","depends_on":[],"write":["a/**"],"shared":[],"deliver":[],
        "verify":[],"worker":"agent"}"#;

    fn name(task: &Task, models: &[&str], inputs: &[(&str, &str)]) -> String {
        let inputs: Vec<(TaskId, CommitId)> =
            inputs.iter().map(|(task, commit)| (TaskId::new(task).unwrap(), CommitId((*commit).to_owned()))).collect();
        let models = models.iter().map(|name| (*name).to_owned()).collect();
        Content { task, inputs: inputs.iter().map(|(task, commit)| (task, commit)).collect(), models }.name()
    }

    #[test]
    fn each_thing_that_it_is_made_from_changes_the_name_and_is_named() {
        let first = name(&task(TASK), &["p/m"], &[("x", "1"), ("y", "2")]);
        assert_eq!(first, name(&task(TASK), &["p/m"], &[("y", "2"), ("x", "1")]), "in whatever order they are told");
        let of = |changed: &str| difference(&first, changed);
        let said = [
            of(&name(&task(&TASK.replace("All of a", "Some of a")), &["p/m"], &[("x", "1"), ("y", "2")])),
            of(&name(&task(TASK), &["p/m"], &[("x", "3"), ("y", "2")])),
            of(&name(&task(TASK), &["p/other"], &[("x", "1"), ("y", "2")])),
            of(&name(&task(TASK), &["p/other"], &[])),
            difference("", &first),
        ];
        expect![[r#"
            this has changed since: what the task says
            this has changed since: what it depends on
            this has changed since: who may be asked
            this has changed since: what it depends on, who may be asked
            nobody has kept what it was made from"#]]
        .assert_eq(&said.join("\n"));
    }

    #[test]
    fn limits_and_a_wider_scope_do_not_change_it() {
        let plain = name(&task(TASK), &["p/m"], &[]);
        let wider = TASK.replace(r#"["a/**"]"#, r#"["a/**", "b/**"]"#).replace(r#""worker""#, r#""limits":{"turns":9},"worker""#);
        assert_eq!(name(&task(&wider), &["p/m"], &[]), plain);
    }

    #[test]
    fn who_may_be_asked_is_nothing_to_a_command() {
        let command = task(&TASK.replace(r#""agent""#, r#"{"command":"make"}"#));
        assert_eq!(name(&command, &["p/m"], &[]), name(&command, &["p/other"], &[]));
    }
}
