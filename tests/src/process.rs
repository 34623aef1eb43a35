//! Processes that end: each has a deadline, and past it is killed and fails with what it printed.
//!
//! What a process says is read by threads as it comes, so a full pipe never holds it up, and what was said so far can be shown at
//! any time.

use std::{
    io::Read,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, outcome::Names};

/// No process of a test lives longer.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long a condition waits between two looks.
const LOOK: Duration = Duration::from_millis(3);

/// Waits until `look` finds something; `None` past the deadline.
pub fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(found) = look() {
            return Some(found);
        }
        thread::sleep(LOOK);
    }
    None
}

/// A process at work.
pub struct Alive {
    child: Child,
    typed: String,
    stdout: Ear,
    stderr: Ear,
    names: Names,
}

impl Alive {
    /// Starts it, with nothing to read.
    pub(crate) fn start(mut command: Command, typed: String, names: Names) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{typed} does not start: {error}"));
        let stdout = Ear::at(child.stdout.take().expect("it is piped"));
        let stderr = Ear::at(child.stderr.take().expect("it is piped"));
        Self { child, typed, stdout, stderr, names }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        self.stderr.heard()
    }

    /// `kill -9`, and its end.
    pub fn kill(mut self) -> Outcome {
        self.child.kill().expect("it is ours");
        self.wait()
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a living process has a number");
        kill_process(pid, Signal::INT).expect("it is ours");
    }

    /// Its end; past the deadline it is killed, and the test fails with what it said.
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        let status = eventually(|| self.child.try_wait().expect("it is ours"));
        let in_time = status.is_some();
        let status = status.unwrap_or_else(|| {
            self.child.kill().expect("it is ours");
            self.child.wait().expect("it was killed")
        });
        let (stdout, stderr) = (self.stdout.end(), self.stderr.end());
        let outcome = Outcome { typed: self.typed.clone(), code: code_of(status), stdout, stderr, names: self.names.clone() };
        assert!(in_time, "no end after {DEADLINE:?}, so it was killed:\n{}", outcome.all());
        outcome
    }
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Reads a pipe to its end.
struct Ear {
    heard: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Ear {
    fn at(mut pipe: impl Read + Send + 'static) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let shared = heard.clone();
        let thread = thread::spawn(move || {
            let mut piece = vec![0; 64 << 10];
            while let Ok(read @ 1..) = pipe.read(&mut piece) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..read]);
            }
        });
        Self { heard, thread }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// The process has ended. A stray that holds the pipe open is not waited for beyond the deadline.
    fn end(&self) -> String {
        let _ = eventually(|| self.thread.is_finished().then_some(()));
        self.heard()
    }
}
