//! Files below a directory, reached in a way that no symbolic link, and no swap of a folder for one, leads out of it.
//!
//! Commands of the same attempt may change the tree while a tool works in it. So nothing here looks at a path first and uses it
//! afterwards: a path is opened in one go, beneath a descriptor of the root, and what is done then is done to the opened folder.
//!
//! **Invariant:** no component of a path is followed where it is a symbolic link, and none is `..`: what is opened lies in the tree
//! under the very name that was asked for.
//! **Invariant:** opening does not wait, whatever lies there (a pipe, a device), and a file is never written in place: the new
//! content is renamed over the old, so that another hard link to it keeps what it had.
//!
//! Why are links not left to `openat2`, which can bound where they lead? It cannot keep them out of `.git`. Who wants to follow a link
//! reads it, decides where it leads, and opens that place by its own name (`tool::tree`).
//!
//! Where the kernel has no `openat2` (macOS, Linux before 5.6, some containers) a path is opened component by component, with the same
//! outcome at a higher price.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Component, Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    fs::{self as at, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags},
    io::Errno,
};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// A directory beneath which files are reached.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    way: Way,
}

/// How a path is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By one call of `openat2`.
    AtOnce,
    /// Component by component.
    Stepwise,
}

/// What lies at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Folder,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }
}

impl Root {
    /// The directory at a path, which must not be a link itself.
    pub fn open(path: &Path) -> io::Result<Self> {
        let dir = at::open(path, FOLDER | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let way = if at_once(&dir, Path::new("."), FOLDER).is_ok() { Way::AtOnce } else { Way::Stepwise };
        Ok(Self { dir, way })
    }

    /// What lies at a path, to be read: any kind but a link.
    pub fn file(&self, path: &Path) -> io::Result<File> {
        self.open_at(path, FILE).map(File::from)
    }

    /// The folder at a path; the root itself where the path is empty.
    pub fn folder(&self, path: &Path) -> io::Result<Folder> {
        self.open_at(path, FOLDER).map(Folder)
    }

    /// The folder at a path, made with all that lead to it where they are not there.
    pub fn make_folder(&self, path: &Path) -> io::Result<Folder> {
        match self.folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let mut folder = self.folder(Path::new(""))?;
        for name in names(path)? {
            folder = folder.enter_or_make(name)?;
        }
        Ok(folder)
    }

    /// Where the link at a path leads; none if it is none.
    pub fn link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        match at::readlinkat(&self.folder(parent)?.0, name, Vec::new()) {
            Ok(target) => Ok(Some(OsString::from_vec(target.into_bytes()).into())),
            Err(Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn open_at(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let parts = names(path)?;
        Ok(match self.way {
            _ if parts.is_empty() => open_one(&self.dir, OsStr::new("."), flags)?,
            Way::AtOnce => at_once(&self.dir, path, flags)?,
            Way::Stepwise => stepwise(&self.dir, &parts, flags)?,
        })
    }
}

/// The components of a path that leads only downwards.
fn names(path: &Path) -> io::Result<Vec<&OsStr>> {
    let name = |part| match part {
        Component::Normal(name) => Ok(name),
        _ => Err(Errno::XDEV.into()),
    };
    path.components().map(name).collect()
}

#[cfg(target_os = "linux")]
fn at_once(dir: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    at::openat2(dir, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
}

#[cfg(not(target_os = "linux"))]
fn at_once(_: &OwnedFd, _: &Path, _: OFlags) -> rustix::io::Result<OwnedFd> {
    Err(Errno::NOSYS)
}

fn stepwise(dir: &OwnedFd, parts: &[&OsStr], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let (last, parents) = parts.split_last().ok_or(Errno::NOENT)?;
    let mut folder = open_one(dir, OsStr::new("."), FOLDER)?;
    for parent in parents {
        folder = open_one(&folder, parent, FOLDER)?;
    }
    open_one(&folder, last, flags)
}

fn open_one(dir: &OwnedFd, name: &OsStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    at::openat(dir, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// An opened folder. It stays the same one, whatever takes its name.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    fn enter_or_make(&self, name: &OsStr) -> io::Result<Self> {
        match open_one(&self.0, name, FOLDER) {
            Err(Errno::NOENT) => {}
            found => return Ok(Self(found?)),
        }
        match at::mkdirat(&self.0, name, Mode::from(0o777)) {
            Ok(()) | Err(Errno::EXIST) => Ok(Self(open_one(&self.0, name, FOLDER)?)),
            Err(error) => Err(error.into()),
        }
    }

    /// What lies at a name, links not followed.
    pub fn kind(&self, name: &OsStr) -> io::Result<Kind> {
        self.stat(name).map(|stat| FileType::from_raw_mode(stat.st_mode).into())
    }

    fn stat(&self, name: &OsStr) -> io::Result<at::Stat> {
        Ok(at::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// What lies at a name, to be read: any kind but a link.
    pub fn file(&self, name: &OsStr) -> io::Result<File> {
        Ok(open_one(&self.0, name, FILE)?.into())
    }

    /// Names and kinds of what is in it, by name.
    pub fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind(&name).unwrap_or(Kind::Other),
                kind => kind.into(),
            };
            entries.push((name, kind));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    /// Puts a whole file in place, with the permissions of the one that it replaces.
    pub fn put(&self, name: &OsStr, content: &[u8]) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let beside = format!(".inspan-{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(at::openat(&self.0, &beside, flags, Mode::from(0o666))?);
        let put = file.write_all(content).and_then(|()| {
            if let Some(mode) = self.permissions(name) {
                at::fchmod(&file, mode)?;
            }
            Ok(at::renameat(&self.0, &beside, &self.0, name)?)
        });
        put.inspect_err(|_| drop(self.remove(beside.as_ref())))
    }

    fn permissions(&self, name: &OsStr) -> Option<Mode> {
        let stat = self.stat(name).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        is_file.then(|| Mode::from_raw_mode(stat.st_mode) & Mode::from(0o777))
    }

    /// Gives something another place, where nothing is yet.
    pub fn rename(&self, name: &OsStr, folder: &Folder, to: &OsStr) -> io::Result<()> {
        match at::renameat_with(&self.0, name, &folder.0, to, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if folder.stat(to).is_err() => {
                Ok(at::renameat(&self.0, name, &folder.0, to)?)
            }
            renamed => Ok(renamed?),
        }
    }

    /// Removes a file, or a link itself.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(at::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes a folder that is empty.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(at::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }
}

#[cfg(test)]
mod tests;
