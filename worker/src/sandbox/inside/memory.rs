//! Memory that processes share: files in memory, anonymous shared mappings, folders in memory. No process's own size shows it.

use std::{collections::HashSet, fs, os::unix::fs::MetadataExt as _};

use super::family::{Family, Member};
use crate::sandbox::SCRATCH;

/// Bytes of shared memory of the whole machine.
pub(super) fn shared_of_machine() -> u64 {
    kilobytes("/proc/meminfo", "Shmem:")
}

/// Bytes that these processes hold, each counted once: the larger of what they have mapped and what they have open, and their folders.
pub(super) fn shared(family: Family, members: &[Member]) -> u64 {
    let pids = || members.iter().map(|member| member.pid.as_raw_nonzero());
    let mapped: u64 = pids().map(|pid| kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss_Shmem:")).sum();
    let mut seen = HashSet::new();
    let files = pids().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten());
    let in_memory =
        files.filter(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str().as_encoded_bytes().starts_with(b"/memfd:")));
    let sizes = in_memory.filter_map(|file| fs::metadata(file.path()).ok()).filter(|data| seen.insert((data.dev(), data.ino())));
    let open: u64 = sizes.map(|data| data.blocks() * 512).sum();
    mapped.max(open) + if family == Family::Namespace { folders() } else { 0 }
}

/// What lies in the session's own folders in memory.
fn folders() -> u64 {
    let places = SCRATCH.iter().filter_map(|folder| rustix::fs::statvfs(*folder).ok());
    places.map(|place| place.f_blocks.saturating_sub(place.f_bfree) * place.f_frsize).sum()
}

/// The number of a line such as `Shmem:   120 kB`, in bytes.
fn kilobytes(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let number = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0_u64) << 10
}
