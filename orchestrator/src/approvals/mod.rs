//! Approvals: the person's rules about commands and files, and the one queue in which a person is asked.
//!
//! **These rules are a courtesy in front of the sandbox, not the wall.** They keep a well-meaning worker from doing what the person
//! would rather decide. A command can be written so that no rule knows it; what it can reach then is the sandbox's affair, and what it
//! changed is found by the harness's own look at the tree.
//!
//! **Invariant:** nothing here does I/O or waits. The dispatcher asks, journals and answers (`dispatcher::approving`).

mod broad;
mod queue;
mod rules;
mod shell;
mod simple;

pub use broad::of_request;
pub use queue::{Matter, Queue, Waiting};
pub use rules::{Judgement, Prefix, Rules};
