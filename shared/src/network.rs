//! How much of the network a task's commands may use.
//!
//! **Invariant:** the default gives no way out of the machine: whoever wants more says so in a plan that a person reads.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What commands can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// No sockets but those between processes of one command.
    None,
    /// Servers that the command itself starts, on the loopback address.
    #[default]
    Loopback,
    /// Whatever this machine can reach.
    Host,
}

impl Network {
    /// Its name in plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Loopback => "loopback",
            Self::Host => "host",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Loopback, Self::Host].into_iter().find(|network| network.as_str() == name)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
