//! What of the system every command may read, and what not.

use std::path::PathBuf;

/// Programs, libraries, and how the machine is set up.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
    "/snap",
    "/sys/devices/system/cpu",
    "/sys/kernel/mm/transparent_hugepage",
];

/// How names are looked up where the network is the host's.
const NAMES: &[&str] = &["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf", "/run/nscd"];

/// What root, or a member of the wrong group, could read there.
const HIDDEN: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/wireguard",
    "/etc/openvpn",
    "/etc/NetworkManager",
    "/etc/krb5.keytab",
    "/etc/security/opasswd",
    "/etc/docker",
    "/etc/kubernetes",
    "/etc/rancher",
    "/etc/letsencrypt",
    "/etc/cloud",
];

/// The system's folders that are there.
pub(super) fn readable(with_names: bool) -> impl Iterator<Item = PathBuf> {
    let names = if with_names { NAMES } else { &[] };
    SYSTEM.iter().chain(names).map(PathBuf::from).filter(|path| path.exists())
}

/// What is hidden below them.
pub(super) fn hidden() -> impl Iterator<Item = PathBuf> {
    HIDDEN.iter().map(PathBuf::from).filter(|path| path.symlink_metadata().is_ok())
}
