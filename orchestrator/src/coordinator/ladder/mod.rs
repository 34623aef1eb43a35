//! The ladder: how a task's change and the run branch become one tree.

#[cfg_attr(not(test), expect(dead_code, reason = "the join of trees calls it"))]
pub mod regenerate;
