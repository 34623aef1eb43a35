//! One agent, one task, one directory.
//!
//! [`agent`] is the loop, [`tool`] is what it can do, [`beneath`] keeps its tools inside its directory, [`process`] runs its
//! commands, [`sandbox`] bounds them, [`model`] speaks to whatever answers, [`context`] says what a worker is told, [`transcript`]
//! keeps what was said, [`prefix`] sees to it that caches know it, [`steering`] brings the person's words, [`hold`] what they change
//! meanwhile, and [`actor`] puts one attempt behind a mailbox.
//!
//! **Invariant:** nothing here knows a plan, a branch or another worker. What a worker learns of the rest of the run stands in its brief.
//!
//! Not here: who starts a worker and what becomes of its changes (`orchestrator`).

pub mod actor;
pub mod agent;
pub mod beneath;
pub mod budget;
pub mod context;
pub mod hold;
pub mod model;
pub mod observe;
pub mod prefix;
pub mod process;
pub mod sandbox;
pub mod steering;
pub mod tool;
pub mod transcript;
