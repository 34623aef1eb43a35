//! The plan of a run, and the run itself as a fold of events. Pure: no I/O, no clock, no randomness, no waiting.
//!
//! A [`Plan`](plan::Plan) is a directed acyclic graph of tasks, valid by construction. `RunState` folds the journal's events and
//! derives from the state alone what is owed now. The actors of `orchestrator` are the shell around these two.
//!
//! Not here: how a task is carried out (`worker`), how a merge or a gate is run, what a terminal looks like (`orchestrator`).

pub mod admission;
pub mod approval;
#[cfg(test)]
mod arbitrary;
pub mod catalogue;
pub mod edit;
pub mod estimate;
pub mod event;
pub mod evidence;
pub mod failures;
pub mod file;
pub mod lint;
mod overlap;
pub mod plan;
pub mod problem;
mod reach;
pub mod render;
pub mod run_state;
#[cfg(test)]
mod sample;
pub mod schedule;
pub mod settings;
pub mod spelling;
pub mod spending;
pub mod survey;
pub mod task;
pub mod task_state;
pub mod visible;
pub mod worked;

pub use plan::{Gate, Plan, PlanDraft};
pub use problem::{Place, Problem, Severity};
pub use survey::Survey;
pub use task::{Task, WorkerKind};
