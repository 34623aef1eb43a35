//! One command in the helper: started under the policy, attended to, ended with all that came of it.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStringExt as _, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, waitpid},
};

use super::{
    Asked,
    confine::Confinement,
    family::{Family, reap},
    supervise::Supervisor,
    watch::Watch,
};
use crate::sandbox::wire::{self, End};

/// What is to be run.
pub(super) struct Job {
    pub(super) command: String,
    pub(super) cwd: PathBuf,
    pub(super) env: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A command that runs, or whose end was told while something of it still runs.
pub(super) struct Running {
    pid: Pid,
    first: OwnedFd,
    family: Family,
    watch: Watch,
    supervisor: Option<Supervisor>,
    limit: Option<String>,
    told: bool,
}

impl Running {
    pub(super) fn start(job: &Job, output: OwnedFd, confinement: &Confinement) -> Result<Self, String> {
        let say = |error: io::Error| error.to_string();
        let flags = SocketFlags::CLOEXEC;
        let (here, there) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(|error| say(error.into()))?;
        let env = job.env.iter().map(|(name, value)| (OsString::from_vec(name.clone()), OsString::from_vec(value.clone())));
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&job.command).current_dir(&job.cwd).env_clear().envs(env).stdin(Stdio::null());
        command.stdout(output.try_clone().map_err(say)?).stderr(output);
        let entry = confinement.entry();
        // SAFETY: between fork and exec the closure makes system calls on what was prepared before. Other threads of this process only wait for
        // connections; none holds a lock that the closure takes but the allocator's, which survives a fork.
        #[expect(unsafe_code, reason = "a policy that is to hold for a program is taken on between fork and exec")]
        unsafe {
            command.pre_exec(move || entry.take_on(&there));
        }
        let watch = Watch::new(confinement.family(), confinement.policy());
        let child = command.spawn().map_err(|error| format!("it cannot be started in the sandbox: {error}"))?;
        drop(command);
        let attended = || -> Result<_, String> {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let pid = pid.ok_or("the system numbers processes in an unknown way")?;
            let listener = if confinement.is_supervised() { wire::take(&here).map_err(say)? } else { None };
            let first = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| say(error.into()))?;
            Ok((pid, listener, first))
        };
        // It runs already: what cannot be attended to is ended.
        let (pid, listener, first) = attended().inspect_err(|_| {
            confinement.family().end();
        })?;
        let supervisor = listener.map(|listener| Supervisor::new(listener, confinement));
        Ok(Self { pid, first, family: confinement.family(), watch, supervisor, limit: None, told: false })
    }

    /// Readable once the first process has ended; none when that was told.
    pub(super) fn first(&self) -> Option<BorrowedFd<'_>> {
        (!self.told).then(|| self.first.as_fd())
    }

    /// Readable when something in the command waits for an answer.
    pub(super) fn listener(&self) -> Option<BorrowedFd<'_>> {
        self.supervisor.as_ref().map(Supervisor::listener)
    }

    /// How long nothing needs to be looked at.
    pub(super) fn pause(&self) -> std::time::Duration {
        self.watch.pause()
    }

    /// Answers what is asked and looks at the limits.
    pub(super) fn attend(&mut self, asked: Asked) {
        match (asked, &mut self.supervisor) {
            // A call that cannot be taken belongs to a process that has ended meanwhile.
            (Asked::Something, Some(supervisor)) => drop(supervisor.answer()),
            (Asked::NeverAgain, supervisor) => *supervisor = None,
            _ => {}
        }
        if self.limit.is_none()
            && self.watch.is_due()
            && let Some(limit) = self.watch.look()
        {
            self.limit = Some(limit);
            // In one go: whatever multiplies is not to have a pause in which to do so.
            self.family.end_but(self.pid);
        }
    }

    /// How the first process ended and how many others there are, once.
    pub(super) fn over(&mut self, ended: bool) -> Option<(End, usize)> {
        if self.told || !ended {
            return None;
        }
        let status = match waitpid(Some(self.pid), WaitOptions::NOHANG) {
            Ok(None) => return None,
            Ok(Some((_, status))) => Some(status),
            // Nobody else waits for it; but an end that cannot be read is an end.
            Err(_) => None,
        };
        self.told = true;
        let (code, signal) = (status.and_then(WaitStatus::exit_status), status.and_then(WaitStatus::terminating_signal));
        let end = match (self.limit.take(), code, signal) {
            (Some(limit), ..) => End::Limit(limit),
            (_, Some(code), _) => End::Code(code),
            (_, _, Some(libc::SIGXCPU)) => End::Limit("one of its processes used more processor time than it may".to_owned()),
            (_, _, Some(libc::SIGXFSZ)) => End::Limit("it wrote a file larger than it may".to_owned()),
            (_, _, signal) => End::Signal(signal.unwrap_or(0)),
        };
        reap();
        // Whoever cannot be counted is taken to be there.
        Some((end, self.family.members().map_or(1, |members| members.len())))
    }

    pub(super) fn terminate(&self) {
        self.family.signal(Signal::TERM);
    }

    /// Ends all that is left: how many that were, and whether none is left.
    pub(super) fn end_all(self) -> (usize, bool) {
        // What waits for an answer gets an error instead.
        drop(self.supervisor);
        self.family.end()
    }
}
