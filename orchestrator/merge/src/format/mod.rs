//! Files whose format says more than their lines do: data, lists, logs of changes and prose.
//!
//! Not here: source code, and running the tools that regenerate a file.

use crate::{Labels, Merge, Versions};

/// Merges a file of a format that is known here; nothing for any other.
#[must_use]
pub fn merge(_: &Versions<'_>, _: &Labels<'_>) -> Option<Merge> {
    None
}
