//! Plans in a few words, for tests.

use shared::{Glob, Limits, Network, RepoPath, Scope, TaskId};

use crate::{
    plan::{Gate, Plan, PlanDraft},
    task::{Task, WorkerKind},
};

/// One task a line: `ID owns GLOB GLOB after ID makes FILE`, with `proved` if it has a command of its own and
/// `as TITLE` at its end.
pub(crate) fn plan(text: &str) -> Plan {
    let tasks = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(task).collect();
    Plan::new(PlanDraft { goal: "g".to_owned(), gate: Gate { commands: vec!["true".to_owned()], ..Gate::default() }, tasks })
        .unwrap()
}

pub(crate) fn task(line: &str) -> Task {
    let (line, title) = line.split_once(" as ").unwrap_or((line, "t"));
    let mut words = line.split_whitespace();
    let mut task = Task {
        id: TaskId::new(words.next().unwrap()).unwrap(),
        title: title.to_owned(),
        instructions: "i".to_owned(),
        depends_on: Vec::new(),
        scope: Scope::default(),
        network: Network::default(),
        deliver: Vec::new(),
        verify: Vec::new(),
        hand_off: None,
        worker: WorkerKind::Agent,
        model: None,
        limits: Limits::default(),
    };
    let mut key = "";
    for word in words {
        match (key, word) {
            (_, "proved") => task.verify.push("true".to_owned()),
            (_, "owns" | "after" | "makes" | "shares") => key = word,
            ("owns", glob) => task.scope.write.push(Glob::new(glob).unwrap()),
            ("shares", glob) => task.scope.shared.push(Glob::new(glob).unwrap()),
            ("after", id) => task.depends_on.push(TaskId::new(id).unwrap()),
            ("makes", path) => task.deliver.push(RepoPath::new(path).unwrap()),
            _ => panic!("{line}"),
        }
    }
    task
}
