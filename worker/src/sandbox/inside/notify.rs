//! The kernel's side of asking: calls that wait at a filter's descriptor, and answers to them.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::io::Errno;

use super::target::Caller;

/// A call that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) number: i64,
    pub(super) caller: Caller,
    pub(super) arguments: [u64; 6],
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The call has been made by us.
    Done,
    /// It fails with this.
    Fails(Errno),
}

impl From<Result<(), Errno>> for Verdict {
    fn from(result: Result<(), Errno>) -> Self {
        result.map_or_else(Self::Fails, |()| Self::Done)
    }
}

// `SECCOMP_IOCTL_NOTIF_RECV` and `_SEND`: `_IOWR('!', 0 and 1, …)`.
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;

/// The next call that waits; none where its process has been ended meanwhile.
pub(super) fn receive(listener: &OwnedFd) -> io::Result<Option<Call>> {
    // SAFETY: all bits zero are a valid value, and the kernel insists on them.
    #[expect(unsafe_code, reason = "the structure is plain data of the kernel's")]
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes the structure that it is given, whose size is part of the request's number.
    #[expect(unsafe_code, reason = "no crate here offers this call")]
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut asked) };
    if done == 0 {
        let caller = Caller { thread: asked.pid };
        return Ok(Some(Call { id: asked.id, number: asked.data.nr.into(), caller, arguments: asked.data.args }));
    }
    match io::Error::last_os_error() {
        error if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
        error => Err(error),
    }
}

const VALID: libc::c_ulong = 0x4008_2102;

/// Whether the thread that asked still waits: its number may belong to another one by now.
pub(super) fn still_waits(listener: &OwnedFd, id: u64) -> bool {
    // SAFETY: the kernel reads the number that it is given.
    #[expect(unsafe_code, reason = "no crate here offers this call")]
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), VALID as _, &raw const id) };
    done == 0
}

/// Answers a call. One whose process has ended needs none.
pub(super) fn respond(listener: &OwnedFd, id: u64, verdict: Verdict) {
    let error = match verdict {
        Verdict::Done => 0,
        Verdict::Fails(error) => -error.raw_os_error(),
    };
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error, flags: 0 };
    // SAFETY: the kernel reads the structure that it is given.
    #[expect(unsafe_code, reason = "no crate here offers this call")]
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, &raw mut answer) };
}
