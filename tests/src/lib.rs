//! The test language: throw-away repositories, a scripted model behind a real HTTP endpoint, and the real binary.
//!
//! A scenario reads like what a person does: a repository is made, a plan is written, `inspan` is typed, and what it left is looked at.
//! Git is real, commands are real, the disk is real; only the model is scripted.
//!
//! **Invariant:** no test hangs: every process has a deadline, and past it fails with what it printed.
//! **Invariant:** no test sleeps for a fixed time; what is waited for is a condition.
//! **Invariant:** no test sees or changes anything of the machine's user: home, cache, configuration and git's settings are its own.
//!
//! The scenarios themselves are in `it/`, one module a subject.

#![expect(clippy::missing_panics_doc, reason = "whatever goes wrong here is a test that fails")]
#![expect(clippy::return_self_not_must_use, reason = "what `code`, `says` and `prints` return is for one more look")]

mod binary;
pub mod branch;
#[cfg(target_os = "linux")]
mod disks;
mod fingerprint;
#[cfg(target_os = "linux")]
pub mod hostile;
mod journal;
pub mod model;
mod outcome;
mod plan;
mod process;
mod repository;
mod scenario;
mod terminal;

pub use binary::inspan;
#[cfg(target_os = "linux")]
pub use disks::Disks;
pub use fingerprint::Fingerprint;
pub use journal::{History, read_journal};
pub use outcome::Outcome;
pub use plan::{plan_json, plan_toml};
pub use process::{Alive, DEADLINE, eventually};
pub use repository::Repository;
pub use scenario::Scenario;
pub use terminal::Terminal;
