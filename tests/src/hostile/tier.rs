//! The tiers of the sandbox.

/// What stands between a command and the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Namespaces, and the program of the binary itself inside them.
    Bubblewrap,
    /// That program alone.
    Helper,
    /// Nothing, which the person has to ask for: shows that the attempts are real.
    Bare,
}

impl Tier {
    /// The words of the command line that ask for it.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Tier::Bubblewrap => &["--sandbox", "bubblewrap"],
            Tier::Helper => &["--sandbox", "helper"],
            Tier::Bare => &["--dangerously-no-sandbox"],
        }
    }
}
