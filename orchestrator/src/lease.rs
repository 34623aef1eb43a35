//! Who is working on a run: one process at a time, known by a lock that the kernel takes away when the process dies.
//!
//! The file holds the process id, so that `inspan cancel` from another terminal can reach it. The lock, not the number, is the
//! truth: a number whose lock is free belongs to nobody.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};

/// The right to write a run's journal, for as long as it lives.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

/// Another process holds the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its process id.
    pub pid: u32,
}

const FILE: &str = "lease";

impl Lease {
    /// Takes the lease of the run in this folder, or says who has it.
    pub fn take(folder: &Path) -> std::io::Result<Result<Self, Held>> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(folder.join(FILE))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(Err(Held { pid: read_pid(&mut file) }));
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Ok(Self { _file: file }))
    }

    /// Who has the lease now, if anybody.
    pub fn holder(folder: &Path) -> Option<Held> {
        let mut file = File::open(folder.join(FILE)).ok()?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => None,
            Err(_) => Some(Held { pid: read_pid(&mut file) }),
        }
    }
}

impl Held {
    /// Asks the process to stop, as Ctrl-C would.
    pub fn interrupt(self) -> std::io::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| std::io::Error::other("the lease names no process"))?;
        Ok(kill_process(pid, Signal::INT)?)
    }
}

fn read_pid(file: &mut File) -> u32 {
    let mut text = String::new();
    // An unreadable number is no process: `interrupt` then says so.
    let _ = file.read_to_string(&mut text);
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_once_and_free_when_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lease::holder(folder.path()), None);
        let lease = Lease::take(folder.path()).unwrap().unwrap();
        let me = Held { pid: std::process::id() };
        assert_eq!(Lease::take(folder.path()).unwrap().unwrap_err(), me);
        assert_eq!(Lease::holder(folder.path()), Some(me));
        drop(lease);
        assert_eq!(Lease::holder(folder.path()), None);
        assert!(Lease::take(folder.path()).unwrap().is_ok());
    }
}
