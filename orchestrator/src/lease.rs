//! Who is working on a run: one process at a time, known by a lock that the kernel takes away when the process dies.
//!
//! The lock is the truth, and it is the kernel that says which process holds it: asking takes no lock, so that whoever only looks is
//! never in the way of a process that takes the lease. The file tells what the holder does (`1234 apply`); a line that an earlier
//! process left is known by its number.
//!
//! **Invariant:** a signal goes only to a process that holds the lease at that moment, and only to one that carries a run.
//!
//! A record lock belongs to the process: closing any handle of the file gives it up. So a process that holds a lease does not open the
//! file again.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, fcntl_lock},
    io::Errno,
    process::{Flock, FlockOffsetType, FlockType, Pid, Signal, fcntl_getlk, kill_process},
};

/// The right to write a run's journal, for as long as it lives.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

/// What a lease is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Carrying the run, which can be interrupted.
    Run,
    /// Bringing its result into a branch, which is over in a moment.
    Apply,
    /// Clearing up after it, likewise.
    Clean,
    /// Taking down what a person orders, likewise.
    Order,
}

/// Another process holds the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its process id.
    pub pid: u32,
    /// What it does; none in the moment before it has said so.
    pub work: Option<Work>,
}

const FILE: &str = "lease";

impl Lease {
    /// Takes the lease of the run in this folder, or says who has it.
    pub fn take(folder: &Path, work: Work) -> std::io::Result<Result<Self, Held>> {
        let path = folder.join(FILE);
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        while let Err(error) = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            if !matches!(error, Errno::AGAIN | Errno::ACCESS) {
                return Err(error.into());
            }
            // Whoever had it may have gone between the two questions; then it is asked for again.
            if let Some(held) = holder_of(&file, folder)? {
                return Ok(Err(held));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{} {}", std::process::id(), work.name())?;
        Ok(Ok(Self { _file: file }))
    }

    /// Who has the lease now, if anybody.
    pub fn holder(folder: &Path) -> Option<Held> {
        holder_of(&File::open(folder.join(FILE)).ok()?, folder).ok()?
    }
}

impl Held {
    /// Asks the process to stop, as Ctrl-C would. Says whether it was asked: it is not where it has let go, or does something else
    /// than carry the run.
    pub fn interrupt(self, folder: &Path) -> std::io::Result<bool> {
        if self.work != Some(Work::Run) || Lease::holder(folder) != Some(self) {
            return Ok(false);
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| std::io::Error::other("it is in another process namespace"))?;
        kill_process(pid, Signal::INT)?;
        Ok(true)
    }
}

impl Work {
    const ALL: [Self; 4] = [Self::Run, Self::Apply, Self::Clean, Self::Order];

    /// One word, as in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Apply => "apply",
            Self::Clean => "clean",
            Self::Order => "order",
        }
    }
}

/// Asks the kernel, which takes no lock for it.
fn holder_of(file: &File, folder: &Path) -> std::io::Result<Option<Held>> {
    let whole = Flock { start: 0, length: 0, pid: None, typ: FlockType::WriteLock, offset_type: FlockOffsetType::Set };
    let Some(lock) = fcntl_getlk(file, &whole)? else { return Ok(None) };
    // A holder in another process namespace has no number here.
    let pid = lock.pid.map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    let line = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let said = line.split_once(' ').filter(|(number, _)| *number == pid.to_string()).map(|(_, work)| work);
    let work = said.and_then(|said| Work::ALL.into_iter().find(|work| work.name() == said));
    Ok(Some(Held { pid, work }))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Child, Command, Stdio},
    };

    use super::*;

    const FOLDER: &str = "INSPAN_TEST_LEASE";

    /// By itself: a process may take a lease that nobody has. Started by the other tests, with a folder in its environment: it holds the
    /// lease there until its input ends.
    #[test]
    fn a_lease_that_nobody_has_can_be_taken() {
        let Ok(folder) = std::env::var(FOLDER) else {
            let folder = tempfile::tempdir().unwrap();
            return assert!(Lease::take(folder.path(), Work::Run).unwrap().is_ok());
        };
        let (folder, work) = folder.split_once(' ').unwrap();
        let work = Work::ALL.into_iter().find(|known| known.name() == work).unwrap();
        let _lease = Lease::take(Path::new(folder), work).unwrap().unwrap();
        writeln!(std::io::stderr(), "held").unwrap();
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }

    fn hold(folder: &Path, work: Work) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lease::tests::a_lease_that_nobody_has_can_be_taken", "--nocapture"])
            .env(FOLDER, format!("{} {}", folder.display(), work.name()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).any(|line| line == "held");
        assert!(said, "the other process got no lease");
        child
    }

    fn let_go(mut child: Child) {
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_lease_is_held_once_and_free_when_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lease::holder(folder.path()), None);
        let child = hold(folder.path(), Work::Run);
        let held = Held { pid: child.id(), work: Some(Work::Run) };
        assert_eq!(Lease::holder(folder.path()), Some(held));
        assert_eq!(Lease::take(folder.path(), Work::Clean).unwrap().unwrap_err(), held);
        let_go(child);
        assert_eq!(Lease::holder(folder.path()), None);
        assert!(!held.interrupt(folder.path()).unwrap(), "a number whose lock is free belongs to nobody");
        assert!(Lease::take(folder.path(), Work::Run).unwrap().is_ok());
    }

    #[test]
    fn only_a_process_that_carries_the_run_is_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        for (work, interrupted) in [(Work::Apply, false), (Work::Clean, false), (Work::Run, true)] {
            let mut child = hold(folder.path(), work);
            let held = Lease::holder(folder.path()).unwrap();
            assert_eq!((held.work, held.interrupt(folder.path()).unwrap()), (Some(work), interrupted));
            drop(child.stdin.take());
            assert_eq!(child.wait().unwrap().success(), !interrupted, "{work:?}");
        }
    }

    #[test]
    fn what_an_earlier_process_wrote_says_nothing_about_the_one_that_holds_the_lease() {
        let folder = tempfile::tempdir().unwrap();
        let child = hold(folder.path(), Work::Apply);
        std::fs::write(folder.path().join(FILE), "1 run").unwrap();
        let held = Lease::holder(folder.path()).unwrap();
        assert_eq!(held, Held { pid: child.id(), work: None });
        assert!(!held.interrupt(folder.path()).unwrap());
        let_go(child);
    }

    #[test]
    fn whoever_looks_is_never_in_the_way_of_whoever_takes() {
        let folder = tempfile::tempdir().unwrap();
        drop(Lease::take(folder.path(), Work::Run).unwrap().unwrap());
        let looking = File::open(folder.path().join(FILE)).unwrap();
        assert_eq!(holder_of(&looking, folder.path()).unwrap(), None);
        let_go(hold(folder.path(), Work::Run));
    }
}
