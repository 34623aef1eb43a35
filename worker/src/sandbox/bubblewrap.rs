//! Tier A: bubblewrap around the helper. What is not mounted is not there.
//!
//! **Invariant:** mounts are made parents first, so that a narrower rule always lies over a wider one.
//!
//! The home directory, other people's files, `/run` and its sockets are hidden by absence. `/tmp` is the session's own.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use shared::Network;

use super::{
    Policy,
    tier::{Entrance, Sandbox, Tier},
};

/// How large `/tmp`, `/var/tmp` and `/dev/shm` may each become, in bytes. They are memory, and count as such; `TMPDIR` is on the disk.
const SCRATCH: u64 = 1 << 30;
/// Where the helper lies inside.
const INSIDE: &str = "/run/inspan";

/// A `bwrap` that was found.
pub(super) struct Bubblewrap {
    bwrap: PathBuf,
    program: PathBuf,
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mount {
    Readable,
    Writable,
    Hidden,
    Link(PathBuf),
}

impl Bubblewrap {
    /// Looks for it on the PATH. `program` is this binary.
    pub(super) fn find(program: PathBuf) -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let bwrap = std::env::split_paths(&path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join("bwrap"))
            .find(|file| file.is_file())?;
        Some(Self { bwrap, program })
    }
}

impl Sandbox for Bubblewrap {
    fn tier(&self) -> Tier {
        Tier::Bubblewrap
    }

    fn entrance(&self, policy: &Policy) -> Entrance {
        let mut words: Vec<OsString> = Vec::new();
        if rustix::process::geteuid().is_root() {
            let group = [super::HELPER.into(), super::inside::GROUP.into(), policy.limits.processes.to_string().into()];
            words.push(self.program.clone().into());
            words.extend(group);
        }
        words.push(self.bwrap.clone().into());
        let mut say = |flags: &str| words.extend(flags.split_whitespace().map(OsString::from));
        say("--unshare-user --disable-userns --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try");
        if policy.network != Network::Host {
            say("--unshare-net");
        }
        say("--die-with-parent --new-session --cap-drop ALL --hostname inspan");
        say("--proc /proc --dev /dev");
        for scratch in super::SCRATCH {
            say(&format!("--size {} --tmpfs {scratch}", SCRATCH.min(policy.limits.memory)));
        }
        for (path, mount) in mounts(policy) {
            words.extend(words_of(&path, mount));
        }
        words.extend(["--ro-bind".into(), self.program.clone().into_os_string(), INSIDE.into()]);
        words.extend(["--chdir", "/", "--", INSIDE, super::HELPER].map(OsString::from));
        Entrance::Helper(words)
    }
}

fn words_of(path: &Path, mount: Mount) -> Vec<OsString> {
    let bind = |how: &str| vec![how.into(), path.into(), path.into()];
    match mount {
        Mount::Readable => bind("--ro-bind-try"),
        Mount::Writable => bind("--bind"),
        Mount::Hidden if path.is_dir() => vec!["--tmpfs".into(), path.into(), "--remount-ro".into(), path.into()],
        Mount::Hidden => vec!["--ro-bind".into(), "/dev/null".into(), path.into()],
        Mount::Link(to) => vec!["--symlink".into(), to.into(), path.into()],
    }
}

/// What lies where, parents first. A rule that says what the one around it says anyway is not said again.
fn mounts(policy: &Policy) -> BTreeMap<PathBuf, Mount> {
    let mut all = BTreeMap::new();
    for path in &policy.read {
        match std::fs::read_link(path) {
            // `/bin` and its like; what a link in a home directory leads to need not be there.
            Ok(to) if path.components().count() == 2 => all.insert(path.clone(), Mount::Link(to)),
            _ => all.insert(path.clone(), Mount::Readable),
        };
    }
    all.insert(policy.tree.clone(), Mount::Readable);
    for writable in policy.write.iter().filter(|writable| !writable.deep) {
        for folder in folders_in(&writable.path) {
            all.insert(folder, Mount::Readable);
        }
    }
    for writable in &policy.write {
        all.insert(writable.path.clone(), Mount::Writable);
    }
    let records = policy.tree.join(".git");
    if records.exists() {
        all.insert(records, Mount::Readable);
    }
    let visible: Vec<PathBuf> =
        policy.hidden.iter().filter(|path| all.keys().any(|shown| path.starts_with(shown))).cloned().collect();
    all.extend(visible.into_iter().map(|path| (path, Mount::Hidden)));
    let around = |path: &Path| path.ancestors().skip(1).find_map(|around| all.get(around)).cloned();
    let needless =
        |path: &Path, mount: &Mount| *mount == Mount::Readable && around(path).is_some_and(|around| around == Mount::Readable);
    let kept = all.iter().filter(|(path, mount)| !needless(path, mount));
    kept.map(|(path, mount)| (path.clone(), mount.clone())).collect()
}

fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{CommandLimits, policy::Writable};

    fn check(write: &[(&str, bool)], expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        for folder in ["src/a", "src/b", "doc", ".git"] {
            std::fs::create_dir_all(tree.join(folder)).unwrap();
        }
        let place = |(path, deep): &(&str, bool)| Writable { path: tree.join(path).components().collect(), deep: *deep };
        let policy = Policy {
            tree: tree.clone(),
            write: write.iter().map(place).collect(),
            read: vec![dir.path().join("toolchain")],
            hidden: vec![dir.path().join("toolchain/key"), dir.path().join("elsewhere/key")],
            network: Network::Loopback,
            limits: CommandLimits::default(),
        };
        let shown = mounts(&policy).into_iter().map(|(path, mount)| {
            let sign = match mount {
                Mount::Readable => "r",
                Mount::Writable => "w",
                Mount::Hidden => "-",
                Mount::Link(_) => "l",
            };
            format!("{sign}:{}", path.strip_prefix(dir.path()).unwrap().display())
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn narrower_mounts_lie_over_wider_ones_and_records_are_never_writable() {
        check(&[], "r:toolchain -:toolchain/key r:tree");
        check(&[("src/a", true)], "r:toolchain -:toolchain/key r:tree w:tree/src/a");
        check(&[("", true)], "r:toolchain -:toolchain/key w:tree r:tree/.git");
        check(
            &[("", false), ("src/a", true)],
            "r:toolchain -:toolchain/key w:tree r:tree/.git r:tree/doc r:tree/src w:tree/src/a",
        );
        check(&[("src", false)], "r:toolchain -:toolchain/key r:tree w:tree/src r:tree/src/a r:tree/src/b");
    }
}
