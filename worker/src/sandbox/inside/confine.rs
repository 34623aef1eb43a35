//! What a command takes on between fork and exec: a session of its own, limits, no capabilities, no new privileges, Landlock, seccomp.
//!
//! Everything is prepared when the session opens; the child only makes the calls.
//!
//! **Invariant:** a step that fails keeps the command from starting.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use rustix::{
    process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit, setsid},
    thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs},
};

use super::{
    crowd,
    family::{Family, can_list_children},
    filter::Filters,
    rules::Rules,
};
use crate::sandbox::{CommandLimits, Policy, Tier, wire};

/// A policy, ready to be taken on.
pub(super) struct Confinement {
    policy: Policy,
    family: Family,
    others: u64,
    rules: Rules,
    filters: Filters,
}

/// What one child takes on.
pub(super) struct Entry {
    limits: CommandLimits,
    /// Processes of the same user that the kernel counts as well.
    others: u64,
    rules: Rules,
    filters: Filters,
}

impl Confinement {
    /// Prepares a policy and says what it rests on, or why it cannot be made to hold.
    pub(super) fn prepare(tier: Tier, policy: Policy) -> Result<(Self, String), String> {
        let family = match tier {
            Tier::Bubblewrap => Family::Namespace,
            _ if can_list_children() => Family::Descendants,
            _ => return Err("this kernel does not list a process's children (CONFIG_PROC_CHILDREN)".to_owned()),
        };
        let rules = Rules::of(tier, &policy)?;
        let filters = Filters::of(tier, &policy)?;
        let about = match rules.abi() {
            0 => "no Landlock on this kernel, seccomp".to_owned(),
            abi => format!("Landlock ABI {abi}, seccomp"),
        };
        if family == Family::Descendants && rustix::process::geteuid().is_root() {
            crowd::limit(policy.limits.processes);
        }
        let others = if family == Family::Namespace { 0 } else { others() };
        Ok((Self { policy, family, others, rules, filters }, about))
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Whether some calls are asked about.
    pub(super) fn is_supervised(&self) -> bool {
        self.filters.ask()
    }

    pub(super) fn entry(&self) -> Entry {
        Entry { limits: self.policy.limits, others: self.others, rules: self.rules.clone(), filters: self.filters.clone() }
    }
}

impl Entry {
    /// In the child, once. `parent` is where the descriptor goes by which calls are asked about.
    pub(super) fn take_on(&self, parent: &OwnedFd) -> io::Result<()> {
        setsid()?;
        // When memory is short, commands go before whoever watches them. Where that cannot be said it cannot be helped.
        let _ = std::fs::write("/proc/self/oom_score_adj", "500");
        set_parent_process_death_signal(Some(Signal::KILL))?;
        close_on_exec()?;
        self.limit()?;
        drop_capabilities()?;
        set_no_new_privs(true)?;
        self.rules.take_on()?;
        match self.filters.take_on()? {
            Some(listener) => wire::pass(parent, listener.as_fd()),
            None => Ok(()),
        }
    }

    fn limit(&self) -> io::Result<()> {
        let CommandLimits { memory, file, open_files, cpu_seconds, processes, .. } = self.limits;
        for (resource, value) in [
            (Resource::Core, 0),
            (Resource::Data, memory),
            (Resource::Fsize, file),
            (Resource::Nofile, open_files),
            (Resource::Memlock, 8 << 20),
            (Resource::Msgqueue, 819_200),
            (Resource::Rtprio, 0),
            // Root's are not counted by the kernel at all.
            (Resource::Nproc, self.others + u64::from(processes)),
        ] {
            limit(resource, value, value)?;
        }
        // A second between the signal that can be caught and the one that cannot.
        limit(Resource::Cpu, cpu_seconds, cpu_seconds + 1)
    }
}

/// Sets a limit, or leaves a stricter one that the person has set.
fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let before = rustix::process::getrlimit(resource);
    let least = |value: u64| before.maximum.map_or(value, |maximum| value.min(maximum));
    setrlimit(resource, Rlimit { current: Some(least(current)), maximum: Some(least(maximum)) })?;
    Ok(())
}

/// How many processes and threads this user has besides, with room for some more: in a namespace of its own only the command's are
/// counted, elsewhere all of them.
fn others() -> u64 {
    const ROOM: u64 = 1024;
    let own = rustix::process::getuid().as_raw();
    let mine = |entry: &std::fs::DirEntry| {
        use std::os::unix::fs::MetadataExt as _;
        entry.metadata().is_ok_and(|data| data.uid() == own)
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter(mine);
    let threads = processes.map(|entry| std::fs::read_dir(entry.path().join("task")).map_or(0, Iterator::count) as u64);
    threads.sum::<u64>() + ROOM
}

/// Whatever the harness's own parent left open.
fn close_on_exec() -> io::Result<()> {
    // SAFETY: the call changes flags of descriptors and touches no memory.
    #[expect(unsafe_code, reason = "no safe crate here offers close_range")]
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn drop_capabilities() -> io::Result<()> {
    // Without the right to change them there are none to lose.
    let _ = clear_ambient_capability_set();
    for capability in CapabilitySet::all() {
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}
