//! What a call is about: memory, files and sockets of the process that asks, as the helper sees them.
//!
//! **Invariant:** what is looked at is what is acted on. A path is opened once, a socket is duplicated, and the helper makes the call
//! itself, so that no other thread of the process can change its mind in between.

use std::{
    ffi::{CString, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::{ffi::OsStringExt as _, fs::FileExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, open, openat2},
    io::Errno,
    process::{ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

/// A thread that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) thread: u32,
}

type Answer<T> = Result<T, Errno>;

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::PERM)
}

impl Caller {
    /// Bytes of its memory.
    pub(super) fn read(self, address: u64, length: usize) -> Answer<Vec<u8>> {
        let mut bytes = vec![0; length];
        let memory = self.memory()?;
        memory.read_exact_at(&mut bytes, address).map_err(|_| Errno::FAULT)?;
        Ok(bytes)
    }

    /// A path in its memory, up to its zero byte.
    fn read_path(self, address: u64) -> Answer<PathBuf> {
        const LONGEST: usize = 4096;
        let memory = self.memory()?;
        let mut bytes = Vec::new();
        while bytes.len() < LONGEST {
            // Up to the next page, which may not be there.
            let at = address + bytes.len() as u64;
            let mut piece = vec![0; (4096 - usize::try_from(at % 4096).unwrap_or(0)).min(LONGEST)];
            let length = memory.read_at(&mut piece, at).map_err(|_| Errno::FAULT)?;
            let piece = &piece[..length];
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                bytes.extend_from_slice(&piece[..end]);
                return Ok(PathBuf::from(OsString::from_vec(bytes)));
            }
            if length == 0 {
                return Err(Errno::FAULT);
            }
            bytes.extend_from_slice(piece);
        }
        Err(Errno::NAMETOOLONG)
    }

    fn memory(self) -> Answer<File> {
        File::open(format!("/proc/{}/mem", self.thread)).map_err(|error| errno(&error))
    }

    /// The file that a call names by a directory's descriptor and a path, opened for nothing but to be acted on.
    pub(super) fn file(self, directory: i32, path: u64, follow: bool) -> Answer<OwnedFd> {
        if path == 0 {
            return self.descriptor(directory);
        }
        let path = self.read_path(path)?;
        if path.as_os_str().is_empty() {
            return self.descriptor(directory);
        }
        if let Some(number) = own_descriptor(&path) {
            return self.descriptor(number);
        }
        let base =
            if path.is_absolute() { open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())? } else { self.base(directory)? };
        let nofollow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        openat2(base, &path, OFlags::PATH | OFlags::CLOEXEC | nofollow, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
    }

    /// The folder and the last name of a path that need not be there.
    pub(super) fn place(self, path: &Path) -> Answer<(OwnedFd, OsString)> {
        let name = path.file_name().ok_or(Errno::INVAL)?.to_owned();
        let around = path.parent().filter(|around| !around.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let base = if path.is_absolute() {
            open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?
        } else {
            self.base(libc::AT_FDCWD)?
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok((openat2(base, around, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?, name))
    }

    fn base(self, directory: i32) -> Answer<OwnedFd> {
        match directory {
            libc::AT_FDCWD => open(format!("/proc/{}/cwd", self.thread), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()),
            number => self.descriptor(number),
        }
    }

    /// What one of its descriptors leads to, opened anew for nothing but to be acted on.
    fn descriptor(self, number: i32) -> Answer<OwnedFd> {
        if number < 0 {
            return Err(Errno::BADF);
        }
        let path = format!("/proc/{}/fd/{number}", self.thread);
        open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| if error == Errno::NOENT { Errno::BADF } else { error })
    }

    /// A duplicate of one of its sockets.
    pub(super) fn socket(self, number: i32) -> Answer<OwnedFd> {
        let process = pidfd_open(self.process()?, PidfdFlags::empty())?;
        pidfd_getfd(process, ForeignRawFd::from(number), PidfdGetfdFlags::empty())
    }

    fn process(self) -> Answer<Pid> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.thread)).map_err(|error| errno(&error))?;
        let number = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
        number.and_then(Pid::from_raw).ok_or(Errno::SRCH)
    }
}

/// The number in `/proc/self/fd/7` and its like, which mean another thing to the helper than to the process.
fn own_descriptor(path: &Path) -> Option<i32> {
    let text = path.to_str()?;
    let starts = ["/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"];
    starts.iter().find_map(|start| text.strip_prefix(start)?.parse().ok())
}

/// Where an opened file lies, links followed.
pub(super) fn path_of(file: &OwnedFd) -> Answer<PathBuf> {
    std::fs::read_link(by_descriptor(file)).map_err(|error| errno(&error))
}

/// A path by which an opened file can be acted on.
pub(super) fn by_descriptor(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()).into()
}

/// Changes mode, owner or times of an opened file.
pub(super) fn act(file: &OwnedFd, change: &Change) -> Answer<()> {
    if let Change::Owner(Some(owner), _) = change
        && *owner != rustix::process::getuid()
    {
        return Err(Errno::PERM);
    }
    let path = by_descriptor(file);
    match change {
        Change::Mode(mode) => rustix::fs::chmodat(CWD, &path, Mode::from_raw_mode(mode & 0o7777), AtFlags::empty()),
        Change::Owner(owner, group) => rustix::fs::chownat(CWD, &path, *owner, *group, AtFlags::empty()),
        Change::Times(times) => times_of(file, times.as_ref()),
    }
}

/// On the file itself, also where it is a link; `None` is now.
fn times_of(file: &OwnedFd, times: Option<&[libc::timespec; 2]>) -> Answer<()> {
    let empty = CString::default();
    let times = times.map_or(std::ptr::null(), |times| times.as_slice().as_ptr());
    // SAFETY: both pointers are null or lead to values that live until the call returns; the kernel only reads them.
    #[expect(unsafe_code, reason = "the safe call takes no seconds that are only valid to the kernel, and no empty path")]
    let done = unsafe { libc::syscall(libc::SYS_utimensat, file.as_raw_fd(), empty.as_ptr(), times, libc::AT_EMPTY_PATH) };
    if done == 0 { Ok(()) } else { Err(errno(&io::Error::last_os_error())) }
}

/// What is to become of a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Mode(u32),
    Owner(Option<rustix::fs::Uid>, Option<rustix::fs::Gid>),
    Times(Option<[libc::timespec; 2]>),
}

/// An owner or group; all bits set leave it as it is.
pub(super) fn some_id(argument: u64) -> Option<u32> {
    u32::try_from(argument & u64::from(u32::MAX)).ok().filter(|id| *id != u32::MAX)
}

/// Two times in a process's memory; none is now.
pub(super) fn times(caller: Caller, address: u64) -> Answer<Option<[libc::timespec; 2]>> {
    numbers(caller, address).map(|numbers| numbers.map(|[a, b, c, d]| [time(a, b), time(c, d)]))
}

/// The same with millionths of seconds.
pub(super) fn micro(caller: Caller, address: u64) -> Answer<Option<[libc::timespec; 2]>> {
    numbers(caller, address)
        .map(|numbers| numbers.map(|[a, b, c, d]| [time(a, b.wrapping_mul(1000)), time(c, d.wrapping_mul(1000))]))
}

fn numbers(caller: Caller, address: u64) -> Answer<Option<[i64; 4]>> {
    if address == 0 {
        return Ok(None);
    }
    let bytes = caller.read(address, 32)?;
    let number = |place: usize| bytes[place * 8..][..8].try_into().map(i64::from_ne_bytes).expect("eight bytes");
    Ok(Some([0, 1, 2, 3].map(number)))
}

fn time(seconds: i64, nanoseconds: i64) -> libc::timespec {
    libc::timespec { tv_sec: seconds, tv_nsec: nanoseconds }
}
