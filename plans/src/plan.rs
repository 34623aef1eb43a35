//! A plan: a directed acyclic graph of tasks, valid by construction.
//!
//! **Invariant:** in a [`Plan`], ids are unique, every dependency exists, there is no cycle, no two unordered tasks own overlapping
//! files, and everything that is to be delivered lies within the scope of its task.
//!
//! Everything beyond these (does the scope match a file? is there a gate? does a chain leave no parallelism?) depends on the
//! repository or on the run and is `lint`'s affair.

use std::{collections::HashMap, time::Duration};

use petgraph::{
    algo::{tarjan_scc, toposort},
    graph::{DiGraph, NodeIndex},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::{Network, TaskId};

use crate::{
    overlap,
    problem::{Place, Problem, Severity},
    spelling,
    task::Task,
};

/// What must pass on the merged tree before the run branch moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Shell commands, in order. Empty only where the user said `--no-gate`.
    pub commands: Vec<String>,
    /// For each command.
    pub timeout: Duration,
    /// Which network they reach.
    #[serde(default)]
    pub network: Network,
}

impl Default for Gate {
    fn default() -> Self {
        Self { commands: Vec::new(), timeout: Duration::from_secs(20 * 60), network: Network::default() }
    }
}

/// A plan before it is known to be one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanDraft {
    /// The goal in the person's words.
    pub goal: String,
    /// The gate.
    pub gate: Gate,
    /// The tasks, in the order of the file.
    pub tasks: Vec<Task>,
}

/// A valid plan. It is serialised as the JSON form of a plan file, a document with a version of its own, and checked again when read.
#[derive(Debug, Clone)]
pub struct Plan {
    draft: PlanDraft,
    /// An edge leads from a task to each that depends on it. Node i is task i.
    graph: DiGraph<(), ()>,
    by_id: HashMap<TaskId, usize>,
    order: Vec<usize>,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.draft == other.draft
    }
}

impl Plan {
    /// Returns every problem rather than the first: the reader is usually a model, which can then mend the whole plan in one turn.
    ///
    /// # Errors
    /// All problems, each placed at its task; `file` moves them to lines.
    pub fn new(draft: PlanDraft) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut by_id = HashMap::new();
        for (at, task) in draft.tasks.iter().enumerate() {
            if by_id.insert(task.id.clone(), at).is_some() {
                let message = format!("the id `{}` is used twice; rename one of the tasks", task.id);
                problems.push(problem(task, ("id", None), "duplicate-id", message));
            }
        }
        let graph = graph_of(&draft.tasks, &by_id, &mut problems);
        check_each_task(&draft.tasks, &mut problems);
        report_overlaps(&draft.tasks, &graph, &mut problems);
        let Ok(order) = toposort(&graph, None) else {
            report_cycles(&draft.tasks, &graph, &mut problems);
            return Err(problems);
        };
        let order: Vec<usize> = order.into_iter().map(NodeIndex::index).collect();
        if problems.is_empty() { Ok(Self { draft, graph, by_id, order }) } else { Err(problems) }
    }

    /// The goal in the person's words.
    pub fn goal(&self) -> &str {
        &self.draft.goal
    }

    /// The gate.
    pub fn gate(&self) -> &Gate {
        &self.draft.gate
    }

    /// The tasks, in the order of the file.
    pub fn tasks(&self) -> &[Task] {
        &self.draft.tasks
    }

    /// The plan as plain data, to change and validate anew.
    pub fn draft(&self) -> &PlanDraft {
        &self.draft
    }

    /// The task of that name.
    pub fn get(&self, id: &TaskId) -> Option<&Task> {
        self.by_id.get(id).map(|&at| &self.draft.tasks[at])
    }

    /// The place of a task in [`Plan::tasks`].
    pub fn index_of(&self, id: &TaskId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Places of the tasks that the task at this place depends on directly.
    pub fn dependencies(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        self.graph.neighbors_directed(NodeIndex::new(at), petgraph::Incoming).map(NodeIndex::index)
    }

    /// Places of the tasks that depend directly on the task at this place.
    pub fn dependents(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        self.graph.neighbors_directed(NodeIndex::new(at), petgraph::Outgoing).map(NodeIndex::index)
    }

    /// Places of all tasks, dependencies before dependents.
    pub fn topological(&self) -> &[usize] {
        &self.order
    }

    /// Whether one of the two must land before the other starts.
    pub fn ordered(&self, a: usize, b: usize) -> bool {
        self.reaches(a, b) || self.reaches(b, a)
    }

    /// Whether `to` is `from` or depends on it, directly or not.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        petgraph::algo::has_path_connecting(&self.graph, NodeIndex::new(from), NodeIndex::new(to), None)
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::file::write_json(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = serde_json::Value::deserialize(deserializer)?;
        let all = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
        crate::file::parse_json(&document).map_err(|problems| serde::de::Error::custom(all(problems)))
    }
}

/// An error at a key of a task and, in a list, at one of its items.
fn problem(task: &Task, (key, item): (&'static str, Option<usize>), rule: &'static str, message: String) -> Problem {
    Problem { severity: Severity::Error, place: Place::Key { task: task.id.clone(), key, item }, rule, message }
}

fn graph_of(tasks: &[Task], by_id: &HashMap<TaskId, usize>, problems: &mut Vec<Problem>) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(tasks.len(), tasks.len());
    for _ in tasks {
        graph.add_node(());
    }
    for (at, task) in tasks.iter().enumerate() {
        for (item, dependency) in task.depends_on.iter().enumerate() {
            let Some(&from) = by_id.get(dependency) else {
                let advice = match spelling::nearest(dependency.as_str(), tasks.iter().map(|task| task.id.as_str())) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "add that task, or take it out of `depends_on`".to_owned(),
                };
                let message = format!("`{}` depends on `{dependency}`, which is not in the plan; {advice}", task.id);
                problems.push(problem(task, ("depends_on", Some(item)), "unknown-dependency", message));
                continue;
            };
            graph.update_edge(NodeIndex::new(from), NodeIndex::new(at), ());
        }
    }
    graph
}

fn check_each_task(tasks: &[Task], problems: &mut Vec<Problem>) {
    for task in tasks {
        if task.scope.globs().next().is_none() {
            let message = format!("`{}` may write nothing; give it `write` patterns", task.id);
            problems.push(problem(task, ("write", None), "empty-scope", message));
        }
        for (item, path) in task.deliver.iter().enumerate().filter(|(_, path)| !task.scope.allows(path)) {
            let message =
                format!("`{}` must deliver `{path}`, which its scope does not let it write; add it to `write`", task.id);
            problems.push(problem(task, ("deliver", Some(item)), "deliver-outside-scope", message));
        }
    }
}

fn report_cycles(tasks: &[Task], graph: &DiGraph<(), ()>, problems: &mut Vec<Problem>) {
    for knot in tarjan_scc(graph) {
        let is_loop = knot.len() > 1 || graph.contains_edge(knot[0], knot[0]);
        if !is_loop {
            continue;
        }
        let mut places: Vec<usize> = knot.iter().map(|node| node.index()).collect();
        places.sort_unstable();
        let names: Vec<String> = places.iter().map(|&at| format!("`{}`", tasks[at].id)).collect();
        let message = match names.as_slice() {
            [own] => format!("{own} waits for itself; take it out of its `depends_on`"),
            _ => format!("these tasks wait for each other: {}; remove one of their `depends_on`", names.join(", ")),
        };
        problems.push(problem(&tasks[places[0]], ("depends_on", None), "cycle", message));
    }
}

/// Asks the graph only where patterns truly overlap: that is the dear question.
fn report_overlaps(tasks: &[Task], graph: &DiGraph<(), ()>, problems: &mut Vec<Problem>) {
    for (a, b) in overlap::neighbours(tasks) {
        let (left, right) = (&tasks[a], &tasks[b]);
        let Some((mine, yours)) = left.scope.contested(&right.scope) else { continue };
        let item = right.scope.write.iter().position(|glob| glob == yours);
        let path = |x, y| petgraph::algo::has_path_connecting(graph, NodeIndex::new(x), NodeIndex::new(y), None);
        if !path(a, b) && !path(b, a) {
            let message = format!(
                "`{}` owns `{mine}` and `{}` owns `{yours}`, and neither waits for the other; order them with `depends_on`, narrow one, \
                 or move the file to `shared` in both",
                left.id, right.id
            );
            problems.push(problem(right, ("write", item), "overlap", message));
        }
    }
}
