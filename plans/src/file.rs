//! The plan file: TOML that people review, and the same document as the JSON that a model submits.
//!
//! One walk reads both. Each syntax becomes a tree of [`node::Node`]s that know their place, and from there on nothing asks where
//! the tree came from. A reader that is a model, or a person in a hurry, wants all mistakes at once, so a mistake never ends the walk.
//!
//! **Invariant:** `parse_toml(&write_toml(plan))` and `parse_json(&write_json(plan))` give back the very plan.
//! **Invariant:** no text makes the reader panic, and a text that gives a plan was understood to its last key: unknown ones are errors.
//!
//! Not here: what holds between tasks (`plan`), and what depends on the repository or on the run (`lint`).
//!
//! Why not serde's derives? They stop at the first mistake and know no place for the ones that only the whole plan shows.

pub(crate) mod json;
pub(crate) mod node;
pub(crate) mod read;
mod reading;
pub(crate) mod schema;
mod text;
mod toml;
pub(crate) mod write;
pub(crate) mod write_json;

#[cfg(test)]
mod tests;

use crate::{plan::Plan, problem::Problem};

pub use reading::Reading;
pub(crate) use reading::line_of;
pub use schema::submit_plan_schema;
pub use write::write_toml;
pub use write_json::write_json;

/// Reads a plan file.
///
/// # Errors
/// Every mistake of form, each with its line. What only shows between tasks is [`Reading::plan`]'s affair.
pub fn read_toml(text: &str) -> Result<Reading, Vec<Problem>> {
    Reading::of_toml(text).without_problems()
}

/// Reads the JSON form of a plan: what a model sends to `submit_plan`.
///
/// # Errors
/// Every mistake of form, each with its path.
pub fn read_json(value: &serde_json::Value) -> Result<Reading, Vec<Problem>> {
    Reading::of_json(value).without_problems()
}

/// Reads a plan file and checks that it is a plan.
///
/// # Errors
/// Mistakes of form and mistakes between tasks together, each with its line.
pub fn parse_toml(text: &str) -> Result<Plan, Vec<Problem>> {
    Reading::of_toml(text).plan()
}

/// Reads the JSON form of a plan and checks that it is a plan.
///
/// # Errors
/// Mistakes of form and mistakes between tasks together, each with its path.
pub fn parse_json(value: &serde_json::Value) -> Result<Plan, Vec<Problem>> {
    Reading::of_json(value).plan()
}
