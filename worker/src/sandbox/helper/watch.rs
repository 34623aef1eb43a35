//! The limits that are sums over all processes of a command: looked at a few times a second, and at each fork that is asked about.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::family::Family;
use crate::sandbox::{CommandLimits, Policy};

/// Between two looks at the disk.
const DISK: Duration = Duration::from_millis(250);
/// What must stay free, whoever fills the disk: the harness itself has to write.
const FREE: u64 = 256 << 20;
/// A command that is refused so many forks goes on forever.
const REFUSALS: u32 = 2_000;

/// What a command takes.
pub(super) struct Watch {
    family: Family,
    limits: CommandLimits,
    folders: Vec<PathBuf>,
    /// What was free when nothing was known to have been added.
    free: Option<u64>,
    added_before: u64,
    looked: Instant,
    last: Instant,
    alive: u32,
    born: u32,
    refused: u32,
}

impl Watch {
    pub(super) fn new(family: Family, policy: &Policy) -> Self {
        let folders: Vec<PathBuf> = policy.write.iter().map(|writable| writable.path.clone()).collect();
        let free = free(&folders);
        let looked = Instant::now();
        Self {
            family,
            limits: policy.limits,
            folders,
            free,
            added_before: 0,
            looked,
            last: looked,
            alive: 1,
            born: 0,
            refused: 0,
        }
    }

    /// Whether it is time for a look.
    pub(super) fn is_due(&self) -> bool {
        self.last.elapsed() >= super::TICK
    }

    /// Whether a limit has been passed: which, in words.
    pub(super) fn look(&mut self) -> Option<String> {
        self.last = Instant::now();
        let members = self.family.members();
        let memory: u64 = members.iter().map(|member| member.memory).sum();
        (self.alive, self.born) = (members.iter().map(|member| member.threads).sum(), 0);
        if memory > self.limits.memory {
            return Some(format!("it used more than {} of memory", in_words(self.limits.memory)));
        }
        if self.alive > self.limits.processes || self.refused > REFUSALS {
            return Some(format!("it had more than {} processes and threads", self.limits.processes));
        }
        self.disk()
    }

    /// Whether one more process or thread may be.
    pub(super) fn may_fork(&mut self) -> bool {
        if self.alive + self.born >= self.limits.processes {
            let members = self.family.members();
            (self.alive, self.born) = (members.iter().map(|member| member.threads).sum(), 0);
        }
        let may = self.alive < self.limits.processes && self.alive + self.born < self.limits.processes;
        self.born += u32::from(may);
        self.refused += u32::from(!may);
        may
    }

    fn disk(&mut self) -> Option<String> {
        if self.looked.elapsed() < DISK {
            return None;
        }
        self.looked = Instant::now();
        let (now, before) = (free(&self.folders)?, self.free?);
        if now < FREE && now < before {
            return Some(format!("the disk is nearly full: {} are left", in_words(now)));
        }
        if before.saturating_sub(now) <= self.limits.disk {
            return None;
        }
        // Somebody has filled the disk by that much. Whether it was this command is dearer to know.
        let size: u64 = self.folders.iter().map(|folder| size(folder)).sum();
        self.free = Some(now);
        let added = size.saturating_sub(self.added_before);
        self.added_before = size;
        (added > self.limits.disk).then(|| format!("it added more than {} to the disk", in_words(self.limits.disk)))
    }
}

fn free(folders: &[PathBuf]) -> Option<u64> {
    let places = folders.iter().filter_map(|folder| rustix::fs::statvfs(folder).ok());
    places.map(|place| place.f_bavail * place.f_frsize).min()
}

/// Bytes on disk of all files below.
fn size(folder: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    let mut folders = vec![folder.to_owned()];
    let mut sum = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => sum += data.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    sum
}

fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}
