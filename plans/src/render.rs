//! A plan for eyes: a table and a graph for the terminal, Mermaid and DOT for elsewhere.
//!
//! **Invariant:** the same plan gives the same text, and no text of a plan's own reaches a terminal or another program's syntax unescaped.
//!
//! Not here: colour, the size of the terminal, and what a running task is doing (the orchestrator's screen).

mod graph;
mod layout;
mod markup;
mod rights;
mod route;
mod table;

#[cfg(test)]
mod tests;

pub use graph::graph;
pub use markup::{dot, mermaid};
pub use rights::rights;
pub use table::{Expected, TableFacts, table};
