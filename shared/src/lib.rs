//! What Inspan's orchestrator and its workers say to each other.
//!
//! The orchestrator writes a [`Brief`](brief::Brief), a worker answers with an [`Outcome`](report::Outcome), and both speak of
//! tasks, paths, scopes, tokens and limits in the words defined here.
//!
//! **Invariant:** nothing here does I/O, reads a clock, draws a random number or waits. Such things come in as values.
//!
//! Not here: the plan and the state of a run (`plans`), the agent loop (`worker`), processes, git and disk (`orchestrator`).

pub mod brief;
pub mod glob;
pub mod id;
pub mod limits;
pub mod network;
pub mod path;
pub mod repair;
pub mod report;
pub mod scope;
pub mod secret;
pub mod tariff;
pub mod usage;

pub use brief::Brief;
pub use glob::Glob;
pub use id::{Attempt, AttemptKey, RunId, TaskId};
pub use limits::{Limit, Limits};
pub use network::Network;
pub use path::RepoPath;
pub use repair::{Repair, Repairs};
pub use report::{Outcome, Report};
pub use scope::Scope;
pub use secret::Secrecy;
pub use tariff::Tariff;
pub use usage::{Money, Price, Purpose, Tokens};
