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
//! Not here: rights and limits; those are the sandbox's ([`crate::sandbox`]). Without one, what leaves its process group (`setsid`) is found by
//! [`end_strays`], by the attempt's mark in its environment, once the attempt is over.
//!
//! Why not two pipes, one for each stream? Then the order in which things were written is lost, and with it which warning belongs to
//! which step.

mod capture;
mod group;
mod permits;
mod plain;
mod reader;
mod started;
mod strays;

use std::{
    ffi::OsString,
    fmt, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use self::{capture::Capture, reader::Reader, started::Started};
pub use self::{
    capture::Captured,
    permits::Permits,
    plain::plain,
    strays::{end_strays, end_strays_of_all},
};
use crate::sandbox::Enclosure;
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
    /// What the operating system lets them do.
    pub enclosure: Enclosure,
    /// Shared by all commands of a run.
    pub permits: Permits,
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
    /// Ended by the sandbox: it passed this limit.
    Limited(String),
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
            Status::Limited(why) => write!(f, "stopped by the sandbox: {why}"),
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
    /// Runs a command and waits for its end, at most for `timeout` from when it begins.
    pub async fn run(&self, command: &str, timeout: Duration, cancel: &CancellationToken) -> CommandEnd {
        let Some(_permit) = self.permits.take(command, cancel).await else { return without_output(Status::Cancelled) };
        let began = Instant::now();
        let (mut started, mut reader) = match self.start(command).await {
            Ok(started) => started,
            Err(why) => return without_output(Status::NotStarted(why)),
        };
        let status = started.wait(timeout, cancel).await;
        let left_running = match status {
            Status::TimedOut | Status::Cancelled => started.stop(self, &mut reader).await,
            _ => started.settle(self, &mut reader).await,
        };
        CommandEnd { status, output: reader.finish().await, took: began.elapsed(), left_running }
    }

    /// The output of a command that failed, with a hint where the sandbox was in its way.
    pub fn output_of(&self, end: &CommandEnd) -> String {
        let text = end.output.text.trim_end();
        match self.enclosure.explain(text).filter(|_| !end.succeeded()) {
            Some(hint) => format!("{text}\n{hint}"),
            None => text.to_owned(),
        }
    }

    async fn start(&self, command: &str) -> Result<(Started, Reader), String> {
        if !self.cwd.is_dir() {
            return Err(format!("the folder `{}` is not there", self.cwd.display()));
        }
        let (output, input) = io::pipe().map_err(|error| error.to_string())?;
        let started = Started::new(self, command, input.into()).await?;
        let reader = Reader::start(output, Capture::new(self.spill_dir.clone())).map_err(|error| error.to_string())?;
        Ok((started, reader))
    }
}

fn without_output(status: Status) -> CommandEnd {
    CommandEnd { status, output: Captured::default(), took: Duration::ZERO, left_running: false }
}

#[cfg(test)]
mod tests;
