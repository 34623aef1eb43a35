//! The kinds of sandbox, and which of them a run gets.
//!
//! **Invariant:** whoever names a tier gets that one or an error. Only "the best there is" may come to the second, and says so.

use std::{fmt, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Policy;

/// How well commands are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// A: bubblewrap's namespaces around the helper.
    Bubblewrap,
    /// B: the helper alone.
    Helper,
    /// macOS's own, experimental.
    Seatbelt,
    /// C: none.
    None,
}

impl Tier {
    /// Its name in configuration and journals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Helper => "helper",
            Self::Seatbelt => "seatbelt",
            Self::None => "none",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Bubblewrap, Self::Helper, Self::Seatbelt, Self::None].into_iter().find(|tier| tier.as_str() == name)
    }

    /// Its name for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Bubblewrap => "tier A, bubblewrap and helper",
            Self::Helper => "tier B, helper without namespaces",
            Self::Seatbelt => "seatbelt (experimental)",
            Self::None => "NONE: commands of workers may do whatever you may",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TierChoice {
    /// The best that this machine has; never none.
    #[default]
    Best,
    /// This one.
    Only(Tier),
}

/// A sandbox that was asked for and cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox `{tier}` cannot be had here: {why}")]
pub struct SandboxError {
    /// Which.
    pub tier: Tier,
    /// What is in the way.
    pub why: String,
}

/// How commands come into a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entrance {
    /// This program is started once for each session; it is the helper, and commands are sent to it.
    Helper(Vec<std::ffi::OsString>),
    /// Each command is started behind these words.
    Prefix(Vec<std::ffi::OsString>),
}

/// One kind of sandbox on this machine.
pub trait Sandbox: Send + Sync {
    /// Which.
    fn tier(&self) -> Tier;
    /// How commands that are to keep to a policy come in.
    fn entrance(&self, policy: &Policy) -> Entrance;
}

/// No sandbox.
pub(super) struct Open;

impl Sandbox for Open {
    fn tier(&self) -> Tier {
        Tier::None
    }

    fn entrance(&self, _: &Policy) -> Entrance {
        Entrance::Prefix(Vec::new())
    }
}

/// The helper alone.
pub(super) struct Alone {
    /// This binary.
    pub(super) program: PathBuf,
}

impl Sandbox for Alone {
    fn tier(&self) -> Tier {
        Tier::Helper
    }

    fn entrance(&self, _: &Policy) -> Entrance {
        Entrance::Helper(vec![self.program.clone().into_os_string(), super::HELPER.into()])
    }
}

/// The sandbox of one tier, not tried yet. `program` is this binary.
pub(super) fn of_tier(tier: Tier, program: PathBuf) -> Result<Arc<dyn Sandbox>, SandboxError> {
    let no = |why: &str| Err(SandboxError { tier, why: why.to_owned() });
    match tier {
        Tier::None => Ok(Arc::new(Open)),
        #[cfg(target_os = "linux")]
        Tier::Bubblewrap => match super::bubblewrap::Bubblewrap::find(program) {
            Some(sandbox) => Ok(Arc::new(sandbox)),
            None => no("`bwrap` is not on the PATH; install bubblewrap (Debian, Ubuntu, Fedora, Arch: package `bubblewrap`)"),
        },
        #[cfg(target_os = "linux")]
        Tier::Helper => Ok(Arc::new(Alone { program })),
        #[cfg(target_os = "macos")]
        Tier::Seatbelt => Ok(Arc::new(super::seatbelt::Seatbelt)),
        #[cfg(not(target_os = "macos"))]
        Tier::Seatbelt => no("it is macOS's own"),
        #[cfg(not(target_os = "linux"))]
        Tier::Bubblewrap | Tier::Helper => no("it needs Linux"),
    }
}

/// A sandbox that was tried and works.
#[derive(Clone)]
pub struct Chosen {
    /// It.
    pub sandbox: Arc<dyn Sandbox>,
    /// On what it rests, and why it is not a better one: a line for doctor and for the head of a run.
    pub about: String,
}

impl Chosen {
    /// None at all: for tests.
    pub fn none() -> Self {
        Self { sandbox: Arc::new(Open), about: Tier::None.in_words().to_owned() }
    }

    /// Which kind it is.
    pub fn tier(&self) -> Tier {
        self.sandbox.tier()
    }
}

/// The sandbox that a person asks for, tried. `program` is this binary.
///
/// # Errors
/// When the one that is named cannot be had, or none can.
pub async fn choose(choice: TierChoice, program: &std::path::Path) -> Result<Chosen, SandboxError> {
    let best: &[Tier] = if cfg!(target_os = "macos") { &[Tier::Seatbelt] } else { &[Tier::Bubblewrap, Tier::Helper] };
    let tiers = match &choice {
        TierChoice::Only(tier) => std::slice::from_ref(tier),
        TierChoice::Best => best,
    };
    let mut missing: Vec<SandboxError> = Vec::new();
    for &tier in tiers {
        match attempt(tier, program).await {
            Ok((sandbox, rests_on)) => {
                let rests_on = if rests_on.is_empty() { String::new() } else { format!(" ({rests_on})") };
                let instead = in_words(&missing, "; not ");
                return Ok(Chosen { sandbox, about: format!("{}{rests_on}{instead}", tier.in_words()) });
            }
            Err(error) => missing.push(error),
        }
    }
    let nothing = || SandboxError { tier: Tier::None, why: "this system has none that is known".to_owned() };
    let last = missing.pop().unwrap_or_else(nothing);
    let earlier = in_words(&missing, "; ");
    Err(SandboxError { why: format!("{}{earlier}", last.why), ..last })
}

fn in_words(missing: &[SandboxError], before: &str) -> String {
    missing.iter().flat_map(|error| [before, error.tier.as_str(), ": ", &error.why]).collect()
}

async fn attempt(tier: Tier, program: &std::path::Path) -> Result<(Arc<dyn Sandbox>, String), SandboxError> {
    let sandbox = of_tier(tier, program.to_owned())?;
    let own = std::env::temp_dir();
    let ground = super::Ground { tree: own, network: shared::Network::Loopback, ..super::Ground::nowhere() };
    let tried =
        super::Enclosure::new(sandbox.clone(), ground, super::Writes::Scope(crate::tool::LiveScope::default())).try_it().await;
    tried
        .map(|rests_on| (sandbox, rests_on))
        .map_err(|why| SandboxError { tier, why: format!("{why}{}", what_forbids_namespaces(tier)) })
}

/// Distributions that keep users from making namespaces say so in files like these.
fn what_forbids_namespaces(tier: Tier) -> String {
    const SWITCHES: &[(&str, &str)] = &[
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("kernel/unprivileged_userns_clone", "0"),
        ("user/max_user_namespaces", "0"),
    ];
    let is_set = |(file, value): &&(&str, &str)| {
        std::fs::read_to_string(format!("/proc/sys/{file}")).is_ok_and(|text| text.trim() == *value)
    };
    match SWITCHES.iter().find(is_set).filter(|_| tier == Tier::Bubblewrap) {
        Some((file, value)) => format!(" (`{}` is {value}: users may make no namespaces here)", file.replace('/', ".")),
        None => String::new(),
    }
}
