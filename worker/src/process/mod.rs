//! One shell command, from start to a certain end.
//!
//! A model runs whatever it likes: a server that never ends, a build that prints a gigabyte, a daemon that keeps the pipe open. The
//! caller gets an answer all the same, within the time limit plus about a second.
//!
//! **Invariant:** [`Shell::run`] returns, whatever the command does, and its process group has ended by then. Dropping the future ends
//! the group as well.
//! **Invariant:** the child inherits nothing: its environment is the one given, stdin is null, and both streams are one pipe.
//! **Invariant:** the output costs a fixed amount of memory ([`Capture`]) and of disk, however long it is.
//!
//! Not here: what leaves its process group (`setsid`). [`end_strays`] finds that by the attempt's mark in its environment, once the
//! attempt is over. Nor limits of memory and rights; those are the sandbox's.
//!
//! Why not two pipes, one for each stream? Then the order in which things were written is lost, and with it which warning belongs to
//! which step.

mod capture;
mod group;
mod plain;
mod reader;
mod strays;

use std::{
    ffi::OsString,
    fmt, io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use self::{capture::Capture, group::Group, reader::Reader};
pub use self::{capture::Captured, plain::plain, strays::end_strays};
pub(crate) use capture::cut_middle;

/// How long the pipe may stay open after the command itself has ended, before whoever holds it counts as left running.
const SETTLE: Duration = Duration::from_millis(100);
/// How long the last output is waited for once the group has been killed.
const DRAIN: Duration = Duration::from_millis(200);

/// Where and with what commands run. One for each attempt.
#[derive(Clone)]
pub struct Shell {
    /// The directory that commands start in.
    pub cwd: PathBuf,
    /// The whole environment; nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Where output goes that is too long to show.
    pub spill_dir: PathBuf,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// Ended by us: its time was up.
    TimedOut,
    /// Ended by us: the caller gave up.
    Cancelled,
    /// It never began, for this reason.
    NotStarted(String),
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct CommandEnd {
    /// How it ended.
    pub status: Status,
    /// What it wrote, both streams in the order written.
    pub output: Captured,
    /// From start to end.
    pub took: Duration,
    /// Whether it left processes behind. Those of its group have been ended.
    pub left_running: bool,
}

/// Such as `exit 1`: the same words for the same end, however long it took.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Exited(code) => write!(f, "exit {code}"),
            Status::Signalled(signal) => write!(f, "ended by signal {signal}"),
            Status::TimedOut => f.write_str("stopped at its time limit"),
            Status::Cancelled => f.write_str("cancelled"),
            Status::NotStarted(why) => write!(f, "not started: {why}"),
        }
    }
}

impl CommandEnd {
    /// Whether it exited with code 0.
    pub fn succeeded(&self) -> bool {
        self.status == Status::Exited(0)
    }

    /// The end in one line, such as `exit 1 after 3.2 s`.
    pub fn in_words(&self) -> String {
        match &self.status {
            Status::NotStarted(_) => self.status.to_string(),
            _ => format!("{} after {:.1} s", self.status, self.took.as_secs_f64()),
        }
    }
}

impl Shell {
    /// Runs a command and waits for its end, at most for `timeout`.
    pub async fn run(&self, command: &str, timeout: Duration, cancel: &CancellationToken) -> CommandEnd {
        let started = Instant::now();
        let (mut child, mut reader) = match self.start(command) {
            Ok(started) => started,
            Err(why) => return not_started(why),
        };
        let mut group = Group::of(&child);
        let status = wait(&mut child, timeout, cancel).await;
        let left_running = match status {
            Status::TimedOut | Status::Cancelled => {
                group.end(&mut child).await;
                !reader.ends_within(DRAIN).await
            }
            _ => settle(&mut child, &group, &mut reader).await,
        };
        group.let_go();
        CommandEnd { status, output: reader.finish().await, took: started.elapsed(), left_running }
    }

    fn start(&self, command: &str) -> Result<(Child, Reader), String> {
        if !self.cwd.is_dir() {
            return Err(format!("the folder `{}` is not there", self.cwd.display()));
        }
        let spawn = || -> io::Result<(Child, Reader)> {
            let (output, input) = io::pipe()?;
            let child = Command::new("/bin/sh")
                .arg("-c")
                .arg(command)
                .current_dir(&self.cwd)
                .env_clear()
                .envs(self.env.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(input.try_clone()?)
                .stderr(input)
                .process_group(0)
                .kill_on_drop(true)
                .spawn()?;
            Ok((child, Reader::start(output, Capture::new(self.spill_dir.clone()))?))
        };
        spawn().map_err(|error| error.to_string())
    }
}

fn not_started(why: String) -> CommandEnd {
    let status = Status::NotStarted(why);
    CommandEnd { status, output: Captured::default(), took: Duration::ZERO, left_running: false }
}

async fn wait(child: &mut Child, timeout: Duration, cancel: &CancellationToken) -> Status {
    tokio::select! {
        biased;
        exit = child.wait() => exit.map_or_else(|error| Status::NotStarted(error.to_string()), ended),
        () = cancel.cancelled() => Status::Cancelled,
        () = tokio::time::sleep(timeout) => Status::TimedOut,
    }
}

fn ended(exit: ExitStatus) -> Status {
    exit.signal().map_or_else(|| Status::Exited(exit.code().unwrap_or(-1)), Status::Signalled)
}

/// After a command's own end: waits a moment for the end of its output, then ends what it left behind. Whether there was anything.
async fn settle(child: &mut Child, group: &Group, reader: &mut Reader) -> bool {
    let ended = reader.ends_within(SETTLE).await;
    let members = group.has_members();
    if members {
        group.end(child).await;
        reader.ends_within(DRAIN).await;
    }
    members || !ended
}

#[cfg(test)]
mod tests;
