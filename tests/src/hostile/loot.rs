//! What hostile commands brought home: for each attempt the files `NAME`, what it kept, and `NAME.ran`, how it ended.
//!
//! They lie in a folder that all commands of the run may write: attempts are made in places of which nothing else is left.

use std::{fs, path::PathBuf};

/// That folder.
pub(super) struct Loot(pub(super) PathBuf);

impl Loot {
    /// What it kept.
    pub(super) fn kept(&self, attempt: &str) -> String {
        self.read(attempt)
    }

    /// How it ended, by its own account.
    pub(super) fn record(&self, attempt: &str) -> String {
        let record = self.read(&format!("{attempt}.ran"));
        if record.is_empty() { "BROKEN: it never began, or never ended".to_owned() } else { record }
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.0.join(name)).unwrap_or_default()).into_owned()
    }
}
