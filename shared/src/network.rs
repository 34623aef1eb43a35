//! Which network the commands of a task reach.
//!
//! **Invariant:** whoever says nothing gets [`Network::Loopback`]; more than that is only ever what a plan asks for, by name.
//!
//! Not here: how a network is taken away (the sandbox of `worker`), and who has to agree that one is given (`plans`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The network that commands see, from the narrowest to the widest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// None at all: not even a server of their own.
    None,
    /// A loopback of their own, which reaches nothing outside: for tests that open local servers.
    #[default]
    Loopback,
    /// The network of the machine, and with it the internet and every local service.
    Host,
}

impl Network {
    /// All of them, by width.
    pub const ALL: [Network; 3] = [Network::None, Network::Loopback, Network::Host];

    /// The network of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.as_str() == name)
    }

    /// Its name, in plan files and in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Network::None => "none",
            Network::Loopback => "loopback",
            Network::Host => "host",
        }
    }

    /// Whether it is what a task has that says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_goes_by_one_name_in_files_and_in_words() {
        for network in Network::ALL {
            assert_eq!(Network::named(network.as_str()), Some(network));
            assert_eq!(serde_json::to_value(network).ok(), Some(serde_json::json!(network.to_string())));
        }
        assert_eq!((Network::named("Host"), Network::named("")), (None, None));
    }
}
