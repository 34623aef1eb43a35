//! Addresses of sockets, as bytes that a process hands to the kernel.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{io::Errno, net::getsockname};

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A port of a machine.
    Internet(Raw),
    /// A name that is no file.
    Name(Vec<u8>),
    /// Whatever name the kernel chooses.
    Nameless,
    /// A file.
    Path(PathBuf),
}

/// An address as the kernel takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw(Vec<u8>);

type Syscall = unsafe extern "C" fn(libc::c_int, *const libc::sockaddr, libc::socklen_t) -> libc::c_int;

impl Address {
    /// Reads one. Kinds that no filter lets through anyway are refused.
    pub(super) fn of(bytes: Vec<u8>) -> Result<Self, Errno> {
        let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        match (family, bytes.get(2..)) {
            (libc::AF_INET, _) if bytes.len() >= 16 => Ok(Self::Internet(Raw(bytes))),
            (libc::AF_INET6, _) if bytes.len() >= 24 => Ok(Self::Internet(Raw(bytes))),
            (libc::AF_UNIX, None | Some([])) => Ok(Self::Nameless),
            (libc::AF_UNIX, Some([0, name @ ..])) => Ok(Self::Name(name.to_vec())),
            (libc::AF_UNIX, Some(path)) => {
                let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                Ok(Self::Path(PathBuf::from(std::ffi::OsString::from_vec(path[..end].to_vec()))))
            }
            // A netlink socket is bound to no one's address but the kernel's.
            (libc::AF_NETLINK, _) => Ok(Self::Internet(Raw(bytes))),
            _ => Err(Errno::AFNOSUPPORT),
        }
    }
}

impl Raw {
    fn family(&self) -> i32 {
        i32::from(u16::from_ne_bytes([self.0[0], self.0[1]]))
    }

    /// Address and port; "any address of this machine" is the first one of it. None where it is no internet address.
    pub(super) fn place(&self) -> Option<SocketAddr> {
        let ip = match self.ip()? {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes([self.0[2], self.0[3]])))
    }

    fn ip(&self) -> Option<IpAddr> {
        match self.family() {
            libc::AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(&self.0[4..8]).ok()?).into()),
            libc::AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(&self.0[8..24]).ok()?).to_canonical()),
            _ => None,
        }
    }

    /// "Any address of this machine" becomes "this machine only"; another one is refused.
    pub(super) fn make_local(&mut self) -> Result<(), Errno> {
        match self.ip() {
            Some(ip) if ip.is_loopback() => Ok(()),
            Some(ip) if ip.is_unspecified() && self.family() == libc::AF_INET => {
                self.0[4..8].copy_from_slice(&Ipv4Addr::LOCALHOST.octets());
                Ok(())
            }
            Some(ip) if ip.is_unspecified() => {
                self.0[8..24].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
                Ok(())
            }
            None if self.family() == libc::AF_NETLINK => Ok(()),
            _ => Err(Errno::ADDRNOTAVAIL),
        }
    }

    /// Makes a call with it.
    pub(super) fn call(&self, socket: &OwnedFd, call: Syscall) -> Result<(), Errno> {
        let length = libc::socklen_t::try_from(self.0.len()).map_err(|_| Errno::INVAL)?;
        // SAFETY: the kernel reads `length` bytes of a buffer that holds as many and lives until the call returns; it needs no alignment.
        #[expect(unsafe_code, reason = "an address that was read from another process is handed on as it is")]
        let done = unsafe { call(socket.as_raw_fd(), self.0.as_ptr().cast(), length) };
        let error = || Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PERM);
        if done == 0 { Ok(()) } else { Err(error()) }
    }
}

/// The abstract address of a name; of an empty one, whatever the kernel chooses.
pub(super) fn unix(name: &[u8]) -> Raw {
    let mut bytes = family();
    if !name.is_empty() {
        bytes.push(0);
        bytes.extend_from_slice(name);
    }
    Raw(bytes)
}

/// The address of a file.
pub(super) fn unix_path(path: &Path) -> Result<Raw, Errno> {
    const LONGEST: usize = 107;
    let path = path.as_os_str().as_bytes();
    if path.len() > LONGEST {
        return Err(Errno::NAMETOOLONG);
    }
    let mut bytes = family();
    bytes.extend_from_slice(path);
    bytes.push(0);
    Ok(Raw(bytes))
}

fn family() -> Vec<u8> {
    let family = u16::try_from(libc::AF_UNIX).expect("families are small");
    family.to_ne_bytes().to_vec()
}

/// The address of this machine with a free port, for a socket of that family; none where it has no ports.
pub(super) fn local_address(socket: &OwnedFd) -> Result<Option<Raw>, Errno> {
    let family = getsockname(socket)?.address_family();
    let mut bytes = family.as_raw().to_ne_bytes().to_vec();
    bytes.extend([0; 2]);
    match i32::from(family.as_raw()) {
        libc::AF_INET => bytes.extend([&Ipv4Addr::LOCALHOST.octets()[..], &[0; 8]].concat()),
        libc::AF_INET6 => bytes.extend([&[0; 4][..], &Ipv6Addr::LOCALHOST.octets()[..], &[0; 4]].concat()),
        _ => return Ok(None),
    }
    Ok(Some(Raw(bytes)))
}

/// The address that a socket has been bound to, with port 0 where it has none; nothing where it is no internet socket.
pub(super) fn place_of(socket: &OwnedFd) -> Result<Option<SocketAddr>, Errno> {
    let address = SocketAddr::try_from(getsockname(socket)?).ok();
    Ok(address.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn internet(address: &str) -> Raw {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let mut bytes = match address.ip() {
            IpAddr::V4(_) => u16::try_from(libc::AF_INET).unwrap().to_ne_bytes().to_vec(),
            IpAddr::V6(_) => u16::try_from(libc::AF_INET6).unwrap().to_ne_bytes().to_vec(),
        };
        bytes.extend(address.port().to_be_bytes());
        match address.ip() {
            IpAddr::V4(ip) => bytes.extend([&ip.octets()[..], &[0; 8]].concat()),
            IpAddr::V6(ip) => bytes.extend([&[0; 4][..], &ip.octets()[..], &[0; 4]].concat()),
        }
        match Address::of(bytes).unwrap() {
            Address::Internet(raw) => raw,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_this_machine_is_local_however_it_is_written() {
        for (address, local) in [
            ("127.0.0.1:80", true),
            ("127.9.9.9:80", true),
            ("0.0.0.0:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("10.0.0.1:80", false),
            ("[::ffff:10.0.0.1]:80", false),
            ("[fe80::1]:80", false),
        ] {
            assert_eq!(internet(address).place().unwrap().ip().is_loopback(), local, "{address}");
            assert_eq!(internet(address).place().unwrap().port(), 80);
            let mut made = internet(address);
            assert_eq!(made.make_local().is_ok(), local, "{address}");
            assert!(!local || made.ip().unwrap().is_loopback(), "{address}");
        }
    }

    #[test]
    fn a_unix_address_is_a_file_a_name_or_nothing() {
        let of = |tail: &[u8]| Address::of([family(), tail.to_vec()].concat()).unwrap();
        assert_eq!(of(b"/tmp/s\0rest"), Address::Path("/tmp/s".into()));
        assert_eq!(of(b"\0name"), Address::Name(b"name".to_vec()));
        assert_eq!(of(b""), Address::Nameless);
        assert_eq!(Address::of(vec![40, 0, 1, 2]), Err(Errno::AFNOSUPPORT), "vsock");
        assert_eq!(Address::of(vec![2, 0, 1]), Err(Errno::AFNOSUPPORT), "too short");
    }
}
