//! Landlock: which files a command can open, make and remove, and whom it can signal.
//!
//! In tier A the mounts show only what may be read, so that reading is allowed throughout; alone, each folder is named.

use std::{io, sync::Arc};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use shared::Network;

use crate::sandbox::{Policy, Tier};

/// The newest interface that was read about; an older kernel gives what it has.
const NEWEST: ABI = ABI::V9;
/// Without namespaces, what this brings is needed: signals and abstract sockets are kept within the command.
const OLDEST_ALONE: i32 = 6;

/// Devices that every program expects.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// What of `/proc` is about the machine and not about processes.
const MACHINE: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/proc/sys/fs",
    "/proc/sys/net/core",
];

/// The rules of one policy. Clones are the same.
#[derive(Clone)]
pub(super) struct Rules {
    abi: i32,
    ruleset: Option<Arc<RulesetCreated>>,
}

impl Rules {
    pub(super) fn of(tier: Tier, policy: &Policy) -> Result<Self, String> {
        let abi = abi();
        if abi < OLDEST_ALONE && tier != Tier::Bubblewrap {
            return Err(format!(
                "it needs Landlock ABI {OLDEST_ALONE} (Linux 6.12), and this kernel has {abi}; install bubblewrap"
            ));
        }
        if abi < OLDEST_ALONE && policy.network == Network::Host {
            let why =
                "in the host's network only Landlock keeps commands from sockets without a path (those of a desktop session)";
            return Err(format!("{why}, from ABI {OLDEST_ALONE} (Linux 6.12) on; this kernel has {abi}"));
        }
        if abi == 0 {
            return Ok(Self { abi, ruleset: None });
        }
        let ruleset = ruleset(tier, policy).map_err(|error| format!("Landlock: {error}"))?;
        Ok(Self { abi, ruleset: Some(Arc::new(ruleset)) })
    }

    /// Which interface the kernel has; 0 is none.
    pub(super) fn abi(&self) -> i32 {
        self.abi
    }

    /// In the child.
    pub(super) fn take_on(&self) -> io::Result<()> {
        let Some(ruleset) = &self.ruleset else { return Ok(()) };
        let refused = || io::Error::from_raw_os_error(libc::EPERM);
        let status = ruleset.try_clone()?.restrict_self().map_err(|_| refused())?;
        if status.ruleset == RulesetStatus::NotEnforced { Err(refused()) } else { Ok(()) }
    }
}

fn ruleset(tier: Tier, policy: &Policy) -> Result<RulesetCreated, landlock::RulesetError> {
    let (all, read) = (AccessFs::from_all(NEWEST), AccessFs::from_read(NEWEST));
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let mut allow = |path: &std::path::Path, access: BitFlags<AccessFs>| -> Result<(), landlock::RulesetError> {
        // What is not there needs no rule.
        let Ok(place) = PathFd::new(path) else { return Ok(()) };
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
        (&mut ruleset).add_rule(PathBeneath::new(place, access)).map(drop)
    };
    for writable in &policy.write {
        allow(&writable.path, all)?;
    }
    if tier == Tier::Bubblewrap {
        allow("/".as_ref(), read)?;
        for scratch in ["/tmp", "/var/tmp", "/dev"] {
            allow(scratch.as_ref(), all)?;
        }
        return Ok(ruleset);
    }
    allow(&policy.tree, read)?;
    for path in policy.read.iter().flat_map(|path| super::super::policy::visible(path, &policy.hidden)) {
        allow(&path, read)?;
    }
    for path in MACHINE {
        allow(path.as_ref(), read & !AccessFs::Execute)?;
    }
    for device in DEVICES {
        allow(device.as_ref(), AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate)?;
    }
    Ok(ruleset)
}

fn abi() -> i32 {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call reads no memory and only says a number.
    #[expect(unsafe_code, reason = "the crate does not say which interface the kernel has")]
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    i32::try_from(abi).unwrap_or(0).max(0)
}
