//! What a document says, and where it says it.

use std::collections::HashMap;

use serde_json::Value;
use shared::TaskId;

use super::{
    json,
    node::{Data, Node, Syntax, item_path, key_path},
    read::{Fields, Reader},
    toml,
};
use crate::{
    plan::{Gate, Plan, PlanDraft},
    problem::{Place, Problem},
    task::Task,
};

/// The version of the form that is written, and the only one that is read.
pub(super) const VERSION: i64 = 1;

/// A document as far as it was understood.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What it says. Where a value was not understood, this holds the value's default.
    pub draft: PlanDraft,
    /// What was not understood.
    pub problems: Vec<Problem>,
    has_goal: bool,
    has_gate: bool,
    places: HashMap<String, Place>,
    /// The path of each task of the draft.
    task_paths: Vec<String>,
    faults: Vec<String>,
}

impl Reading {
    /// Reads a plan file, however broken.
    pub fn of_toml(text: &str) -> Self {
        match toml::node_of(text) {
            Ok(node) => Self::of_node(&node, Syntax::Toml),
            Err(problem) => Self::of_nothing(problem),
        }
    }

    /// Reads the JSON form, however broken.
    pub fn of_json(value: &Value) -> Self {
        Self::of_node(&json::node_of(value, ""), Syntax::Json)
    }

    /// Whether the document names a goal. Only JSON may leave it out: the harness knows it then.
    pub fn has_goal(&self) -> bool {
        self.has_goal
    }

    /// Whether the document names a gate with at least one command.
    pub fn has_gate(&self) -> bool {
        self.has_gate
    }

    /// Puts in the goal and the gate that the harness knows, each only where the document has none.
    pub fn fill(&mut self, goal: &str, gate: &Gate) {
        if !self.has_goal {
            goal.clone_into(&mut self.draft.goal);
            self.has_goal = true;
        }
        if !self.has_gate && !gate.commands.is_empty() {
            self.draft.gate = gate.clone();
            self.has_gate = true;
        }
    }

    /// The reading, unless something was not understood.
    pub(super) fn without_problems(self) -> Result<Self, Vec<Problem>> {
        if self.problems.is_empty() { Ok(self) } else { Err(self.problems) }
    }

    /// The plan, if it is one.
    ///
    /// # Errors
    /// What was not understood and what does not hold between the tasks, together and in the order of the document.
    pub fn plan(&self) -> Result<Plan, Vec<Problem>> {
        let found = match Plan::new(self.draft.clone()) {
            Ok(plan) if self.problems.is_empty() => return Ok(plan),
            Ok(_) => Vec::new(),
            Err(found) => found,
        };
        let mut problems = self.problems.clone();
        problems.extend(found.into_iter().filter(|problem| !self.follows_from_a_fault(problem)).map(|p| self.locate(p)));
        problems.sort_by_key(line_of);
        Err(problems)
    }

    /// The same problem, placed where the document says what it is about: at a line, or at a path of the JSON.
    #[must_use]
    pub fn locate(&self, problem: Problem) -> Problem {
        let Some(path) = self.path_of(&problem.place, problem.rule) else { return problem };
        let mut path = path.as_str();
        loop {
            if let Some(place) = self.places.get(path) {
                return Problem { place: place.clone(), ..problem };
            }
            let Some(end) = path.rfind(['.', '[']) else { break };
            path = &path[..end];
        }
        Problem { place: self.places.get("").cloned().unwrap_or(Place::Plan), ..problem }
    }

    fn path_of(&self, place: &Place, rule: &str) -> Option<String> {
        let task_path = |id: &TaskId| {
            let mut places = self.draft.tasks.iter().enumerate().filter(|(_, task)| task.id == *id).map(|(at, _)| at);
            // Of two tasks with one name it is the later that should change it.
            let at = if rule == "duplicate-id" { places.next_back() } else { places.next() };
            at.map(|at| self.task_paths[at].clone())
        };
        match place {
            Place::Line(_) => None,
            Place::Plan => Some(String::new()),
            Place::Path(path) => Some(path.clone()),
            Place::Task(id) => task_path(id),
            Place::Key { task, key, item } => {
                let path = key_path(&task_path(task)?, key);
                Some(item.map_or_else(|| path.clone(), |at| item_path(&path, at)))
            }
        }
    }

    /// Whether the problem is only there because a value was not understood: a scope is empty because its pattern is none.
    pub(crate) fn follows_from_a_fault(&self, problem: &Problem) -> bool {
        let keys: &[&str] = match problem.rule {
            "empty-scope" | "deliver-outside-scope" => &["write", "shared"],
            "no-gate" => return self.faults.iter().any(|fault| fault.starts_with("gate")),
            "no-tasks" => return !self.problems.is_empty(),
            "blank" => &["title", "instructions"],
            "unproved" | "untested" => &["verify", "deliver"],
            _ => return false,
        };
        let (Place::Task(id) | Place::Key { task: id, .. }) = &problem.place else { return false };
        let Some(at) = self.draft.tasks.iter().position(|task| task.id == *id) else { return false };
        let task = &self.task_paths[at];
        let is_about = |fault: &String| fault == task || keys.iter().any(|key| fault.starts_with(&key_path(task, key)));
        self.faults.iter().any(is_about)
    }

    fn of_nothing(problem: Problem) -> Self {
        Self {
            draft: PlanDraft::default(),
            problems: vec![problem],
            has_goal: false,
            has_gate: false,
            places: HashMap::new(),
            task_paths: Vec::new(),
            faults: vec![String::new()],
        }
    }

    fn of_node(node: &Node, syntax: Syntax) -> Self {
        let mut reader = Reader::new(syntax);
        let mut draft = PlanDraft::default();
        let (mut has_goal, mut has_gate) = (false, false);
        let mut task_paths = Vec::new();
        if let Some(fields) = reader.fields(node, "a plan", syntax.plan_keys()) {
            check_version(&mut reader, fields);
            let goal = match syntax {
                Syntax::Toml => reader.required(fields, "goal", "the plan"),
                Syntax::Json => fields.get("goal"),
            };
            has_goal = goal.is_some();
            draft.goal = goal.and_then(|node| reader.text(node)).unwrap_or_default();
            draft.gate = fields.get("gate").map(|node| reader.gate(node)).unwrap_or_default();
            has_gate = !draft.gate.commands.is_empty();
            (task_paths, draft.tasks) = tasks(&mut reader, fields.get(syntax.tasks_key())).into_iter().unzip();
        }
        let mut places = HashMap::new();
        node.walk(&mut |path, place| {
            places.insert(path.to_owned(), place.clone());
        });
        reader.problems.sort_by_key(line_of);
        Self { draft, problems: reader.problems, has_goal, has_gate, places, task_paths, faults: reader.faults }
    }
}

/// Where the problem stands in a file; what stands nowhere comes first, and equals keep their order.
pub(crate) fn line_of(problem: &Problem) -> usize {
    match problem.place {
        Place::Line(line) => line,
        _ => 0,
    }
}

fn check_version(reader: &mut Reader, fields: Fields<'_>) {
    match fields.get("version") {
        None => {}
        Some(Node { data: Data::Whole(whole), .. }) if *whole == i128::from(VERSION) => {}
        Some(node @ Node { data: Data::Whole(other), .. }) => {
            let message = format!("version {other} is not known; this program reads version {VERSION}");
            reader.fault(node, "unknown-version", message);
        }
        Some(node) => reader.wrong_type(node, "the number 1"),
    }
}

/// Each task with the path where it stands.
fn tasks(reader: &mut Reader, node: Option<&Node>) -> Vec<(String, Task)> {
    let Some(node) = node else { return Vec::new() };
    if matches!(node.data, Data::Table(_)) && reader.syntax == Syntax::Toml {
        reader.fault(node, "wrong-type", "a task begins with `[[task]]`, in two brackets".to_owned());
        return Vec::new();
    }
    if let Data::List(items) = &node.data {
        reader.note_bad_ids(items);
    }
    let mut at = 0;
    reader.list(Some(node), |reader, node| {
        at += 1;
        let unnamed = TaskId::new(&format!("unnamed-{at}")).expect("letters, a dash and a number");
        reader.task(node, &unnamed).map(|task| (node.path.clone(), task))
    })
}
