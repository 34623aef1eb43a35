//! What is known about models by name, for plans that name some.
//!
//! This crate knows no provider and no key: whoever does answers for a name here, and the linter and the estimate ask.

use std::fmt;

use shared::Price;

/// What a plan has to know about a model that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelFacts {
    /// What it costs, if anybody knows.
    pub price: Option<Price>,
    /// Whether the person's configuration gives it to some role.
    pub configured: bool,
}

/// Knows models by name.
pub trait Catalogue: fmt::Debug + Send + Sync {
    /// The facts of `provider/model`.
    ///
    /// # Errors
    /// Says why the model cannot be used, and what to do.
    fn look_up(&self, name: &str) -> Result<ModelFacts, String>;

    /// Of those that may carry out a task that names no model, one whose price nobody knows.
    fn unpriced(&self) -> Option<String> {
        None
    }
}
