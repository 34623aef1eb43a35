//! Answers the calls that a filter alone cannot judge: changes of a file's mode, owner and times (where does it lie?), and addresses of
//! sockets (whose are they?). Without namespaces, this is what stands in their place.
//!
//! **Invariant:** the helper makes the call itself on what it has looked at; nothing is waved through.
//! **Invariant:** without a network of its own a command connects only to what a process of the same session has bound.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    fs::{Gid, Mode, OFlags, Uid, openat},
    io::Errno,
};
use shared::Network;

use super::{
    address::{Address, local_address, place_of, unix, unix_path},
    confine::Confinement,
    notify::{Call, Verdict, receive, respond, still_waits},
    target::{Change, act, by_descriptor, micro, path_of, some_id, times},
};
use crate::sandbox::policy::Writable;

/// Who answers one command.
pub(super) struct Supervisor {
    listener: OwnedFd,
    judge: Arc<Judge>,
    /// As many owners as connections that wait, and one.
    waiting: Arc<()>,
}

/// How many connections may wait for their other side at once. Each costs the helper a thread and two descriptors.
const CONNECTING: usize = 64;

/// What may be done, and what has been bound so far.
struct Judge {
    write: Vec<Writable>,
    network: Network,
    bound: Mutex<HashSet<Bound>>,
}

/// An address that a process of the command listens at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Bound {
    Port(SocketAddr),
    /// Each kind of socket has names of its own.
    Name(u32, Vec<u8>),
}

impl Supervisor {
    pub(super) fn new(listener: OwnedFd, confinement: &Confinement) -> Self {
        let policy = confinement.policy();
        let judge = Judge { write: policy.write.clone(), network: policy.network, bound: Mutex::default() };
        Self { listener, judge: Arc::new(judge), waiting: Arc::default() }
    }

    /// Readable when a call waits.
    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Answers the next call that waits.
    pub(super) fn answer(&self) -> io::Result<()> {
        let Some(call) = receive(&self.listener)? else { return Ok(()) };
        match call.number {
            libc::SYS_connect => self.connect_beside(call),
            _ => respond(&self.listener, call.id, self.judge.judge(&self.listener, &call).into()),
        }
        Ok(())
    }

    /// A connection may have to wait for the other side: not here. Only so many wait at once.
    fn connect_beside(&self, call: Call) {
        let (judge, listener, waiting) = (Arc::clone(&self.judge), self.listener.try_clone(), Arc::clone(&self.waiting));
        let listener = listener.ok().filter(|_| Arc::strong_count(&self.waiting) <= CONNECTING);
        let Some(listener) = listener else { return respond(&self.listener, call.id, Verdict::Fails(Errno::AGAIN)) };
        let connect = move || {
            respond(&listener, call.id, judge.connect(&listener, &call).into());
            drop(waiting);
        };
        if std::thread::Builder::new().name("connect".to_owned()).spawn(connect).is_err() {
            respond(&self.listener, call.id, Verdict::Fails(Errno::AGAIN));
        }
    }
}

/// What was read by a thread's number was that thread's, if it waits even now.
fn is_the_callers(listener: &OwnedFd, call: &Call) -> Result<(), Errno> {
    if still_waits(listener, call.id) { Ok(()) } else { Err(Errno::SRCH) }
}

fn kind_of(socket: &OwnedFd) -> Result<u32, Errno> {
    rustix::net::sockopt::socket_type(socket).map(rustix::net::SocketType::as_raw)
}

/// The half of an argument that a call with a smaller one looks at.
fn low(argument: u64) -> u32 {
    u32::try_from(argument & u64::from(u32::MAX)).expect("the upper half is gone")
}

fn descriptor(argument: u64) -> i32 {
    low(argument).cast_signed()
}

impl Judge {
    fn judge(&self, listener: &OwnedFd, call: &Call) -> Result<(), Errno> {
        let [first, second, third, fourth, fifth, _] = call.arguments;
        let caller = call.caller;
        let (here, number) = (libc::AT_FDCWD, descriptor);
        let nofollow = |flags: u64| flags & u64::from(libc::AT_SYMLINK_NOFOLLOW.unsigned_abs()) != 0;
        let owner = |user: u64, group: u64| Change::Owner(some_id(user).map(Uid::from_raw), some_id(group).map(Gid::from_raw));
        let (file, change) = match call.number {
            libc::SYS_bind => return self.bind(listener, call),
            libc::SYS_listen => return self.listen(listener, call),
            libc::SYS_fchmod => (caller.file(number(first), 0, true), Change::Mode(low(second))),
            libc::SYS_fchmodat => (caller.file(number(first), second, true), Change::Mode(low(third))),
            libc::SYS_fchown => (caller.file(number(first), 0, true), owner(second, third)),
            libc::SYS_fchownat => (caller.file(number(first), second, !nofollow(fifth)), owner(third, fourth)),
            libc::SYS_utimensat => (caller.file(number(first), second, !nofollow(fourth)), Change::Times(times(caller, third)?)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_chmod => (caller.file(here, first, true), Change::Mode(low(second))),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_chown => (caller.file(here, first, true), owner(second, third)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_lchown => (caller.file(here, first, false), owner(second, third)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_utimes => (caller.file(here, first, true), Change::Times(micro(caller, second)?)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_futimesat => (caller.file(number(first), second, true), Change::Times(micro(caller, third)?)),
            // `utime` with its whole seconds: programs that still use it can do without.
            _ => return Err(Errno::NOSYS),
        };
        let _ = here;
        let file = file?;
        is_the_callers(listener, call)?;
        if self.is_writable(&path_of(&file)?) { act(&file, &change) } else { Err(Errno::PERM) }
    }

    /// Whether a file may be changed; what has no name any more (a deleted or anonymous file) keeps the one it had.
    fn is_writable(&self, path: &Path) -> bool {
        self.write.iter().any(|writable| path.starts_with(&writable.path)) || path.as_os_str().as_bytes().starts_with(b"/memfd:")
    }

    fn bind(&self, listener: &OwnedFd, call: &Call) -> Result<(), Errno> {
        let (socket, address) = address(listener, call)?;
        match address {
            Address::Internet(mut address) => {
                if self.network != Network::Host {
                    address.make_local()?;
                }
                address.call(&socket, libc::bind)?;
                self.remember_place(&socket)
            }
            Address::Name(name) => {
                unix(&name).call(&socket, libc::bind)?;
                self.remember(Bound::Name(kind_of(&socket)?, name));
                Ok(())
            }
            // The kernel chooses a free abstract name, which nobody outside can know.
            Address::Nameless => unix(&[]).call(&socket, libc::bind),
            Address::Path(path) => {
                let (folder, name) = call.caller.place(&path)?;
                if !self.is_writable(&path_of(&folder)?) {
                    return Err(Errno::ACCESS);
                }
                unix_path(&by_descriptor(&folder).join(name))?.call(&socket, libc::bind)
            }
        }
    }

    /// A socket without an address would be given one by which the whole world can reach it.
    fn listen(&self, listener: &OwnedFd, call: &Call) -> Result<(), Errno> {
        let [number, backlog, ..] = call.arguments;
        let socket = call.caller.socket(descriptor(number))?;
        is_the_callers(listener, call)?;
        if self.network != Network::Host
            && let Some(address) = local_address(&socket)?
            && place_of(&socket)?.is_some_and(|place| place.port() == 0)
        {
            address.call(&socket, libc::bind)?;
        }
        self.remember_place(&socket)?;
        rustix::net::listen(&socket, low(backlog).cast_signed())
    }

    fn connect(&self, listener: &OwnedFd, call: &Call) -> Result<(), Errno> {
        let (socket, address) = address(listener, call)?;
        match address {
            Address::Internet(address) => {
                let own = address.place().is_some_and(|place| self.knows(&Bound::Port(place)));
                if self.network == Network::Host || own { address.call(&socket, libc::connect) } else { Err(Errno::ACCESS) }
            }
            Address::Name(name) if self.knows(&Bound::Name(kind_of(&socket)?, name.clone())) => {
                unix(&name).call(&socket, libc::connect)
            }
            Address::Name(_) | Address::Nameless => Err(Errno::CONNREFUSED),
            Address::Path(path) => {
                let (folder, name) = call.caller.place(&path)?;
                let file = openat(&folder, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
                if !self.is_writable(&path_of(&file)?) {
                    return Err(Errno::ACCESS);
                }
                unix_path(&by_descriptor(&file))?.call(&socket, libc::connect)
            }
        }
    }

    /// The whole address: the same port at another one may be somebody else's.
    fn remember_place(&self, socket: &OwnedFd) -> Result<(), Errno> {
        if let Some(place) = place_of(socket)? {
            self.remember(Bound::Port(place));
        }
        Ok(())
    }

    fn remember(&self, bound: Bound) {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).insert(bound);
    }

    fn knows(&self, bound: &Bound) -> bool {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).contains(bound)
    }
}

/// The socket and the address of a `bind` or a `connect`.
fn address(listener: &OwnedFd, call: &Call) -> Result<(OwnedFd, Address), Errno> {
    let [number, address, length, ..] = call.arguments;
    let length = usize::try_from(low(length)).ok().filter(|length| (2..=128).contains(length)).ok_or(Errno::INVAL)?;
    let bytes = call.caller.read(address, length)?;
    let socket = call.caller.socket(descriptor(number))?;
    is_the_callers(listener, call)?;
    Ok((socket, Address::of(bytes)?))
}
