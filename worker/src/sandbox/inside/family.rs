//! All processes of the command that runs: its first one and whatever came of it.
//!
//! In a process namespace of its own these are all processes there are, but for the first one and the helper. Elsewhere they are the
//! helper's descendants: it adopts those whose parents end.

use std::{
    collections::HashSet,
    fs, io, thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait};

/// How long ending everything may take. What the kernel does not let go of by then is left to it.
const LONGEST: Duration = Duration::from_secs(5);

/// How the members are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// All of the namespace.
    Namespace,
    /// Children's children.
    Descendants,
}

/// A process as `/proc` shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) pid: Pid,
    pub(super) threads: u32,
    /// Bytes of memory that it shares with no file.
    pub(super) memory: u64,
}

impl Family {
    /// Who is alive. The dead that nobody has waited for do not count.
    ///
    /// # Errors
    /// When that cannot be seen: then nobody may take it that nobody is.
    pub(super) fn members(self) -> io::Result<Vec<Member>> {
        let pids = match self {
            Self::Namespace => everybody()?,
            Self::Descendants => descendants()?,
        };
        Ok(pids.into_iter().filter_map(member).collect())
    }

    /// Sends a signal to all.
    pub(super) fn signal(self, signal: Signal) {
        for member in self.members().unwrap_or_default() {
            // One that has just ended needs none.
            let _ = kill_process(member.pid, signal);
        }
    }

    /// Ends all: how many there were, and whether none is left. What is stopped cannot fork, so a family that grows while it is ended is
    /// ended too.
    pub(super) fn end(self) -> (usize, bool) {
        let started = Instant::now();
        let mut ended = HashSet::new();
        loop {
            reap();
            let members = self.members();
            if started.elapsed() > LONGEST {
                return (ended.len(), false);
            }
            let members = match members {
                Ok(members) if members.is_empty() => return (ended.len(), true),
                Ok(members) => members,
                Err(_) => Vec::new(),
            };
            for signal in [Signal::STOP, Signal::KILL] {
                for member in &members {
                    let _ = kill_process(member.pid, signal);
                    ended.insert(member.pid);
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Waits for all that have ended, so that they do not fill the table of processes. The first process of the command has to be waited for
/// by whoever wants to know how it ended, before this.
pub(super) fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

fn everybody() -> io::Result<Vec<Pid>> {
    let own = getpid();
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        pids.extend(pid.filter(|pid| *pid != own && *pid != Pid::INIT));
    }
    Ok(pids)
}

fn descendants() -> io::Result<Vec<Pid>> {
    let mut found = children(getpid())?;
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        found.extend(children(pid)?);
        at += 1;
    }
    Ok(found)
}

fn children(pid: Pid) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    let Some(tasks) = if_alive(fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())))? else { return Ok(found) };
    for task in tasks {
        let Some(task) = if_alive(task)? else { continue };
        let list = if_alive(fs::read_to_string(task.path().join("children")))?.unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)));
    }
    Ok(found)
}

/// What is read of a process that has ended meanwhile is nothing; any other error is one.
fn if_alive<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

fn member(pid: Pid) -> Option<Member> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", pid.as_raw_nonzero())).ok();
    let stat = read("stat")?;
    // `pid (name) state parent …`; the name may contain anything, also `)`. The 18th field after it is the number of threads.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let threads = fields.nth(16).and_then(|number| number.parse().ok()).unwrap_or(1);
    let pages = read("statm").unwrap_or_default();
    let mut pages = pages.split_whitespace().skip(1).map(|number| number.parse().unwrap_or(0_u64));
    let (resident, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    let memory = resident.saturating_sub(shared) * rustix::param::page_size() as u64;
    Some(Member { pid, threads, memory })
}

/// Whether descendants can be found in this way on this kernel.
pub(super) fn can_list_children() -> bool {
    let own = getpid().as_raw_nonzero();
    fs::exists(format!("/proc/self/task/{own}/children")).unwrap_or(false)
}
