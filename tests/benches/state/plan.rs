//! Random plans of a size and a shape.

use plans::{Gate, Plan, PlanDraft, Task, WorkerKind};
use shared::{Glob, Limits, RepoPath, Scope, TaskId};

/// How the tasks of a plan wait for each other.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Nobody waits.
    Free,
    /// Each waits for one earlier task.
    Tree,
    /// Each waits for up to three of the thirty before it.
    Window,
    /// Layers of sixteen; each waits for one to three of the layer before.
    Layers,
}

impl Shape {
    pub const ALL: [Shape; 4] = [Shape::Free, Shape::Tree, Shape::Window, Shape::Layers];

    fn dependencies(self, at: usize, random: &mut fastrand::Rng) -> Vec<usize> {
        let (count, from, to) = match self {
            Shape::Free => return Vec::new(),
            Shape::Tree => (1, 0, at),
            Shape::Window => (random.usize(0..=3), at.saturating_sub(30), at),
            Shape::Layers => (random.usize(1..=3), (at / 16).saturating_sub(1) * 16, at / 16 * 16),
        };
        let mut places: Vec<usize> = (0..count).filter(|_| from < to).map(|_| random.usize(from..to)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// A plan before it is checked. Each task owns a folder and shares the lock file with all others.
pub fn draft(size: usize, shape: Shape, random: &mut fastrand::Rng) -> PlanDraft {
    let tasks = (0..size).map(|at| task(at, shape.dependencies(at, random), random.u32(10..=120))).collect();
    let gate = Gate { commands: vec!["cargo test --workspace".to_owned()], ..Gate::default() };
    PlanDraft { goal: "Give every money value a currency".to_owned(), gate, tasks }
}

/// A plan.
pub fn plan(size: usize, shape: Shape, random: &mut fastrand::Rng) -> Plan {
    Plan::new(draft(size, shape, random)).expect("tasks wait for earlier ones only and own a folder each")
}

fn task(at: usize, dependencies: Vec<usize>, turns: u32) -> Task {
    let id = |at: usize| TaskId::new(&format!("part-{at}")).expect("letters and a number");
    let glob = |text: &str| Glob::new(text).expect("a glob");
    Task {
        id: id(at),
        title: format!("Part {at} carries a currency"),
        instructions: "Add the currency to every amount of this part, in its constructors and in what it writes.\n".repeat(5),
        depends_on: dependencies.into_iter().map(id).collect(),
        scope: Scope { write: vec![glob(&format!("crates/part-{at}/**"))], shared: vec![glob("Cargo.lock")], ..Scope::default() },
        network: shared::Network::default(),
        deliver: vec![RepoPath::new(&format!("crates/part-{at}/src/currency.rs")).expect("a path")],
        verify: vec![format!("cargo test -p part-{at}")],
        hand_off: Some("How an amount of this part is built now".to_owned()),
        worker: WorkerKind::Agent,
        model: None,
        limits: Limits { turns: Some(turns), ..Limits::default() },
    }
}
