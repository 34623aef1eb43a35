//! What the operating system lets the commands of one attempt do: the second of the three lines around a scope.
//!
//! ```text
//! Shell ─► Enclosure ─► Session ═ socket ═► helper (this binary, hidden) ─► sh -c COMMAND
//!             │                                └ in tier A inside bubblewrap, entered once for each session
//!             └ policy: folders that may be written and read, network, limits
//! ```
//!
//! - **A, `bubblewrap`**: namespaces of its own (files, processes, network, users) around the helper, and all that B does.
//! - **B, `helper`**: capabilities dropped, no new privileges, Landlock, seccomp, limits, a session of its own; what these cannot see (a
//!   path, an address) the helper looks at and does itself.
//! - **seatbelt**: macOS's own sandbox, experimental.
//! - **C, `none`**: nothing but a process group. Only when a person insists.
//!
//! **Invariant:** a tier is what was asked for or an error; nothing here falls to a weaker one.
//! **Invariant:** every process of a command has ended when its end is told, and all of them end with the harness.
//! **Invariant:** a command inherits no descriptor but its streams, and no variable but those given.
//!
//! Not here: what a file tool may do (`crate::tool`), the harness's own look at the files afterwards, which commands a person wants to be
//! asked about.
//!
//! Why a helper that stays? To enter bubblewrap costs about 20 ms, and to read the policy a few more; a command inside costs a fork.

#[cfg(target_os = "linux")]
mod bubblewrap;
mod enclosure;
mod etc;
mod explain;
#[cfg(target_os = "linux")]
pub mod inside;
#[cfg(target_os = "linux")]
mod keeper;
mod limits;
mod policy;
#[cfg(any(target_os = "macos", test))]
mod seatbelt;
#[cfg(target_os = "linux")]
mod session;
mod tier;
mod toolchains;
#[cfg(target_os = "linux")]
mod wire;

/// Folders in memory that a session in namespaces has of its own.
#[cfg(target_os = "linux")]
const SCRATCH: [&str; 3] = ["/dev/shm", "/tmp", "/var/tmp"];

/// The word by which this binary is told to be the helper.
pub const HELPER: &str = "sandbox-helper";

#[cfg(target_os = "linux")]
pub(crate) use self::enclosure::Rights;
pub(crate) use self::enclosure::Way;
#[cfg(target_os = "linux")]
pub(crate) use self::session::{CommandOver, Running, Session};
pub use self::{
    enclosure::{Enclosure, Ground, Writes},
    limits::CommandLimits,
    policy::Policy,
    tier::{Chosen, Entrance, Sandbox, SandboxError, Tier, TierChoice, choose},
};
