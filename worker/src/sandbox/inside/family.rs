//! All processes of the command that runs: its first one and whatever came of it.
//!
//! In a process namespace of its own these are all processes there are, but for the first one and the helper. Elsewhere they are the
//! helper's descendants: it adopts those whose parents end.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait, waitpid};

/// How long ending everything may take. What the kernel does not let go of by then is left to it.
const LONGEST: Duration = Duration::from_secs(5);

/// As many are looked at one by one.
const FEW: usize = 64;

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
        Ok(self.pids()?.into_iter().filter_map(member).collect())
    }

    /// The numbers of all, also of the dead that nobody has waited for.
    fn pids(self) -> io::Result<Vec<Pid>> {
        match self {
            Self::Namespace => everybody(),
            Self::Descendants => descendants(),
        }
    }

    /// Sends a signal to all.
    pub(super) fn signal(self, signal: Signal) {
        for pid in self.pids().unwrap_or_default() {
            // One that has just ended needs none.
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends all: how many there were, and whether none is left. What has been killed cannot fork any more, so a family that grows while it is
    /// ended is ended too, as long as a look at it is quicker than it grows: little is read of many.
    pub(super) fn end(self) -> (usize, bool) {
        self.end_all(None)
    }

    /// The same for all but one, whose end somebody waits for.
    pub(super) fn end_but(self, spared: Pid) {
        // It is dealt with next.
        let _ = kill_process(spared, Signal::KILL);
        self.end_all(Some(spared));
    }

    fn end_all(self, spared: Option<Pid>) -> (usize, bool) {
        let started = Instant::now();
        let mut ended = HashSet::new();
        loop {
            let not_spared = |pid: &Pid| Some(*pid) != spared;
            let mut pids = self.pids().map(|pids| pids.into_iter().filter(not_spared).collect::<Vec<_>>());
            if pids.as_ref().is_ok_and(|pids| pids.len() < FEW) {
                pids = self.members().map(|members| members.into_iter().map(|member| member.pid).filter(not_spared).collect());
            }
            if started.elapsed() > LONGEST {
                return (ended.len(), false);
            }
            let pids = match pids {
                Ok(pids) if pids.is_empty() => {
                    if spared.is_none() {
                        reap();
                    }
                    return (ended.len(), true);
                }
                Ok(pids) => pids,
                Err(_) => Vec::new(),
            };
            for &pid in &pids {
                let _ = kill_process(pid, Signal::KILL);
                // One that has ended and is ours is not met again.
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
            if pids.len() < FEW {
                thread::sleep(Duration::from_millis(1));
            }
            ended.extend(pids);
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
    let read = |name: &str| fs::read(format!("/proc/{}/{name}", pid.as_raw_nonzero())).ok();
    let stat = read("stat")?;
    // `pid (name) state parent …`; the name may be any bytes, also `)`. The 18th field after it is the number of threads.
    let after_name = stat.iter().rposition(|byte| *byte == b')').map_or(&stat[..], |at| &stat[at + 1..]);
    let fields = String::from_utf8_lossy(after_name);
    let mut fields = fields.split_whitespace();
    let is_dead = matches!(fields.next(), Some("Z" | "X"));
    let threads = fields.nth(16).and_then(|number| number.parse().ok()).unwrap_or(1);
    // A first thread that has ended keeps its place as long as others go on.
    if is_dead && threads < 2 {
        return None;
    }
    Some(Member { pid, threads, memory: private_memory(pid, is_dead) })
}

/// As the first thread knows it, or whichever does where that one has ended.
fn private_memory(pid: Pid, first_has_ended: bool) -> u64 {
    let place = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    if !first_has_ended {
        return private(&place).unwrap_or(0);
    }
    let tasks = fs::read_dir(place.join("task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| private(&task.path())).max().unwrap_or(0)
}

fn private(place: &Path) -> Option<u64> {
    let pages = fs::read_to_string(place.join("statm")).ok()?;
    let mut pages = pages.split_whitespace().skip(1).map(|number| number.parse().unwrap_or(0_u64));
    let (resident, shared) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

/// Whether descendants can be found in this way on this kernel.
pub(super) fn can_list_children() -> bool {
    let own = getpid().as_raw_nonzero();
    fs::exists(format!("/proc/self/task/{own}/children")).unwrap_or(false)
}
