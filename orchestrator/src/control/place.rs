//! Where the socket of a run is: a file in the run's folder.
//!
//! The path of a socket has at most 107 bytes, and repositories lie deep. On Linux the folder is opened and the socket named through it
//! (`/proc/self/fd/N/control`), however deep it lies; elsewhere the path itself has to fit.
//!
//! **Invariant:** the socket is its owner's alone from its first instant: the folder is closed to others before there is a socket, and the
//! socket is made with the rights that it keeps.

use std::{
    fs::Permissions,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use tokio::net::UnixStream;

const NAME: &str = "control";
/// How many connections may wait to be taken.
const WAITING: i32 = 64;

/// The place, for as long as this lives.
pub(super) struct Place {
    folder: PathBuf,
    /// The folder, opened: the path below goes through it.
    _opened: Option<OwnedFd>,
    path: PathBuf,
}

impl Place {
    /// The place in this folder.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let opened = cfg!(target_os = "linux").then(|| {
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
            rustix::fs::open(folder, flags, Mode::empty())
        });
        let opened = opened.transpose()?;
        let through = opened.as_ref().map(|opened| PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())));
        // Without /proc the path is tried as it is.
        let path = through.filter(|path| path.is_dir()).unwrap_or_else(|| folder.to_owned()).join(NAME);
        Ok(Self { folder: folder.to_owned(), _opened: opened, path })
    }

    fn address(&self) -> io::Result<SocketAddrUnix> {
        let too_long = |_| {
            let bytes = self.path.as_os_str().len();
            io::Error::other(format!("its path {} has {bytes} bytes, and that of a socket has 107 at most", self.path.display()))
        };
        SocketAddrUnix::new(&self.path).map_err(too_long)
    }

    /// Makes the socket and listens at it. One that a process left which is gone makes room: only who holds the lease comes here.
    pub(super) fn listen(&self) -> io::Result<std::os::unix::net::UnixListener> {
        std::fs::set_permissions(&self.folder, Permissions::from_mode(0o700))?;
        self.remove()?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        #[cfg(target_os = "linux")]
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        #[cfg(not(target_os = "linux"))]
        let socket = {
            let _ = flags;
            let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
            rustix::io::ioctl_fionbio(&socket, true)?;
            socket
        };
        // On Linux the file gets the rights that the socket has when it is bound; elsewhere the folder stands before it until they are set.
        #[cfg(target_os = "linux")]
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &self.address()?)?;
        std::fs::set_permissions(&self.path, Permissions::from_mode(0o600))?;
        rustix::net::listen(&socket, WAITING)?;
        Ok(socket.into())
    }

    /// Connects to whoever listens.
    pub(super) async fn connect(&self) -> io::Result<UnixStream> {
        self.address()?;
        UnixStream::connect(&self.path).await
    }

    /// Takes the socket away, if there is one.
    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether a user may order: the one whose run it is, and the machine's own, whom no file keeps out.
pub(super) fn may_order(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt as _;

    use super::*;

    #[test]
    fn only_whose_run_it_is_may_order() {
        assert!(may_order(1000, 1000) && may_order(0, 1000) && may_order(0, 0));
        assert!(!may_order(1001, 1000) && !may_order(1000, 0));
    }

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_however_deep_its_folder_lies() {
        let root = tempfile::tempdir().unwrap();
        let deep = (0..20).fold(root.path().to_owned(), |path, _| path.join("a folder with a long name"));
        let deep = if cfg!(target_os = "linux") { deep } else { root.path().to_owned() };
        std::fs::create_dir_all(&deep).unwrap();
        let place = Place::of(&deep).unwrap();
        std::fs::write(deep.join(NAME), "left by a process that is gone").unwrap();
        let listener = place.listen().unwrap();
        let rights = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((rights(&deep), rights(&deep.join(NAME))), (0o700, 0o600));
        assert!(std::fs::metadata(deep.join(NAME)).unwrap().file_type().is_socket());
        let other = Place::of(&deep).unwrap();
        assert!(other.connect().await.is_ok());
        drop(listener);
        assert!(other.connect().await.is_err(), "nobody listens any more");
        place.remove().unwrap();
        place.remove().unwrap();
        assert!(!deep.join(NAME).exists());
    }
}
