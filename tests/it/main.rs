//! Scenarios through the real binary, with real git, real commands and a scripted model; and the rules of the workspace.
//!
//! One test binary, so that the binary under test is built once and everything runs in parallel. What the scenarios are written in is
//! the library of this package.

mod approvals;
mod budget;
mod chaos;
mod cli;
mod control;
mod crash;
mod edits;
mod faults;
mod limits;
mod map;
mod meanwhile;
mod merge;
mod models;
mod plans;
mod prefix;
mod queue;
mod recordings;
mod replan;
mod replay;
mod resume;
mod scopes;
mod secrets;
mod simulate;
mod strays;
mod tidy;
#[cfg(target_os = "linux")]
mod toolchains;
mod two_runs;
