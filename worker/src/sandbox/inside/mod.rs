//! The helper: the hidden half of this binary that runs a session's commands.
//!
//! It is started once for a session, inside bubblewrap or alone, hears orders on its standard input, and runs one command at a time.
//! It has one thread that does all but wait for a connection, so that a fork copies a quiet process.
//!
//! **Invariant:** a command runs under the whole policy or not at all ([`confine`]).
//! **Invariant:** when the harness is gone the helper ends everything and itself.
//! **Invariant:** nothing a command does keeps the helper from answering the harness: whatever it asks is answered in a bounded time.
//!
//! Not here: when a command has taken too long, what it wrote (the harness reads that itself).

mod address;
mod command;
mod confine;
mod crowd;
mod family;
mod filter;
mod memory;
mod notify;
mod rules;
mod supervise;
mod target;
mod watch;

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{DumpableBehavior, set_child_subreaper, set_dumpable_behavior},
};

use self::{command::Running, confine::Confinement};
use super::wire::{self, Answer, Order};

/// How often limits are looked at while a command runs.
const TICK: Duration = Duration::from_millis(20);

/// Hears orders until the harness is gone; the exit code. Only the process that was started for it calls this.
pub fn main() -> u8 {
    let words: Vec<OsString> = std::env::args_os().skip(2).collect();
    if let [word, processes, program, arguments @ ..] = &words[..]
        && word == GROUP
    {
        return join_group(processes, program, arguments);
    }
    let served = take_socket().and_then(|socket| Helper { socket, confinement: None, running: None }.serve());
    u8::from(served.is_err())
}

/// By this word the helper is told to go on as another program, in a group with a limited number of processes.
pub(super) const GROUP: &str = "in-a-group";

fn join_group(processes: &OsStr, program: &OsStr, arguments: &[OsString]) -> u8 {
    use std::os::unix::process::CommandExt as _;

    if let Some(processes) = processes.to_str().and_then(|number| number.parse().ok()) {
        crowd::limit(processes);
    }
    // It only comes back when the program cannot be started.
    let error = std::process::Command::new(program).args(arguments).exec();
    // Whoever started it reads what is said here.
    let _ = std::io::Write::write_fmt(&mut io::stderr(), format_args!("{}: {error}", program.to_string_lossy()));
    1
}

/// Standard input is the socket. Commands get another one.
fn take_socket() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let nothing = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_child_subreaper(Some(rustix::process::getpid()))?;
    go_first();
    Ok(socket)
}

/// Whatever a command starts, and how much of it, whoever is to end it has to have its turn. Where the system does not allow that (it does
/// for root), the kernel limits the number of processes instead.
fn go_first() {
    let first = libc::sched_param { sched_priority: 1 };
    // SAFETY: the kernel reads the structure that it is given. What is forked is scheduled as usual again.
    #[expect(unsafe_code, reason = "no crate here offers this call")]
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const first) };
}

struct Helper {
    socket: OwnedFd,
    confinement: Option<Confinement>,
    running: Option<Running>,
}

/// What to do after an order.
enum Next {
    Go,
    Stop,
}

impl Helper {
    fn serve(mut self) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            if let Some(running) = &mut self.running {
                running.attend(ready.asked);
                if let Some((end, others)) = running.over(ready.ended) {
                    self.answer(&Answer::Ended { end, others })?;
                    // Nothing is left to look at: until the next order the helper sleeps.
                    self.running = self.running.take().filter(|_| others > 0);
                }
            }
            if ready.ordered && matches!(self.obey()?, Next::Stop) {
                return Ok(());
            }
        }
    }

    fn wait(&self) -> io::Result<Ready> {
        let listen = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let (first, listener) = match &self.running {
            Some(running) => (running.first(), running.listener()),
            None => (None, None),
        };
        let mut all = vec![PollFd::new(&self.socket, PollFlags::IN)];
        all.extend(first.into_iter().chain(listener).map(listen));
        let pause = self.running.as_ref().map(|running| Timespec::try_from(running.pause()).expect("a pause is short"));
        match poll(&mut all, pause.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events = |place: usize| all.get(place).map_or(PollFlags::empty(), PollFd::revents);
        let ended = first.is_some() && !events(1).is_empty();
        let asked = events(1 + usize::from(first.is_some()));
        let asked = if asked.contains(PollFlags::IN) {
            Asked::Something
        } else if asked.is_empty() {
            Asked::Nothing
        } else {
            Asked::NeverAgain
        };
        Ok(Ready { ordered: !events(0).is_empty(), ended, asked })
    }

    fn obey(&mut self) -> io::Result<Next> {
        let received = wire::receive::<Order>(&self.socket)?;
        let Some((order, descriptor)) = received else {
            if let Some(running) = self.running.take() {
                running.end_all();
            }
            return Ok(Next::Stop);
        };
        match order {
            Order::Open { tier, policy } => match Confinement::prepare(tier, *policy) {
                Ok((confinement, about)) => {
                    self.confinement = Some(confinement);
                    // Whoever reads it would keep a pipe open that nobody writes to.
                    rustix::stdio::dup2_stderr(&std::fs::File::options().write(true).open("/dev/null")?)?;
                    self.answer(&Answer::Ready { about })?;
                }
                Err(why) => {
                    self.answer(&Answer::Refused { why })?;
                    return Ok(Next::Stop);
                }
            },
            Order::Run { command, cwd, env } => {
                let job = command::Job { command, cwd, env };
                let started = match (&self.confinement, descriptor) {
                    (Some(confinement), Some(output)) => Running::start(&job, output, confinement),
                    _ => Err("the helper was not opened; this is a fault of inspan".to_owned()),
                };
                match started {
                    Ok(running) => self.running = Some(running),
                    Err(why) => self.answer(&Answer::NotStarted { why })?,
                }
            }
            Order::Terminate => {
                if let Some(running) = &self.running {
                    running.terminate();
                }
            }
            Order::Kill => {
                let (ended, all) = self.running.take().map_or((0, true), Running::end_all);
                self.answer(&Answer::Gone { ended, all })?;
            }
        }
        Ok(Next::Go)
    }

    fn answer(&self, answer: &Answer) -> io::Result<()> {
        // The socket is shared with the harness's end only in kind: each side has its own flags, and this one blocks.
        wire::send(&self.socket, answer, None)
    }
}

/// What there is to do.
struct Ready {
    ordered: bool,
    ended: bool,
    asked: Asked,
}

/// Whether a call waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Something,
    Nothing,
    /// Nobody who could ask is left.
    NeverAgain,
}
