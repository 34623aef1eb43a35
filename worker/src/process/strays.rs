//! Processes that left their group (`setsid`, double forks) and outlived the command that started them.
//!
//! They still carry the environment they were started with, and in it the mark of their attempt.
//!
//! Why not wait for the sandbox, whose namespace ends all of them? Because it is not there on every machine.

/// Kills every process of this user whose environment says `INSPAN_MARK=<marker>`, this one excepted; returns how many.
///
/// It reads all of `/proc`: call it where blocking is allowed, once an attempt is over. Where there is no `/proc` it does nothing.
pub fn end_strays(marker: &str) -> usize {
    end(&|mark| mark == marker.as_bytes())
}

/// The same of every mark that begins so: all that still runs in the name of a run which no process carries.
pub fn end_strays_of_all(beginning: &str) -> usize {
    end(&|mark| mark.starts_with(beginning.as_bytes()))
}

/// The variable that marks the processes of an attempt.
#[cfg(target_os = "linux")]
const MARK: &str = "INSPAN_MARK=";

#[cfg(target_os = "linux")]
fn end(is_meant: &dyn Fn(&[u8]) -> bool) -> usize {
    use std::collections::HashSet;

    use rustix::process::{Signal, kill_process};

    let mut ended = HashSet::new();
    // A process may start another while we look; what is killed starts none, so a few rounds are enough for all but a fork bomb.
    for _ in 0..5 {
        let found = marked(is_meant);
        let news = found.iter().filter(|&&pid| kill_process(pid, Signal::KILL).is_ok() && ended.insert(pid)).count();
        if news == 0 {
            break;
        }
    }
    ended.len()
}

#[cfg(target_os = "linux")]
fn marked(is_meant: &dyn Fn(&[u8]) -> bool) -> Vec<rustix::process::Pid> {
    use std::os::unix::fs::MetadataExt;

    let own = rustix::process::getuid().as_raw();
    let is_ours = |entry: &std::fs::DirEntry| entry.metadata().is_ok_and(|data| data.uid() == own);
    let carries_mark = |entry: &std::fs::DirEntry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|&b| b == 0).filter_map(|variable| variable.strip_prefix(MARK.as_bytes())).any(is_meant)
    };
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<i32>().ok()?, entry)))
        .filter(|(pid, entry)| u32::try_from(*pid) != Ok(std::process::id()) && is_ours(entry) && carries_mark(entry))
        .filter_map(|(pid, _)| rustix::process::Pid::from_raw(pid))
        .collect()
}

/// Does nothing on this system: it shows nobody's environment.
#[cfg(not(target_os = "linux"))]
fn end(_: &dyn Fn(&[u8]) -> bool) -> usize {
    0
}
