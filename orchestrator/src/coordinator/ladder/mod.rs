//! The ladder: how a task's change and the run branch become one tree.

pub mod regenerate;
