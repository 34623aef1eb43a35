//! Which programs this machine has, so that a test that needs one says so instead of passing.
//!
//! For every program that is missing there is a cfg, `without_<name>`, and the tests that need it carry
//! `#[cfg_attr(without_<name>, ignore = "needs ...")]`: the test runner itself lists them as ignored, with the reason.
//!
//! **Invariant:** a program counts as there only if it ran just now: a launcher without anything to launch is no program.
//!
//! Recordings of real servers (`tests/it/recordings.rs`) are looked for in the same way: in the folder that `INSPAN_STREAMS` names, else in
//! `../shared/streams` beside the workspace.
//!
//! It looks again when `PATH` changes, when a program that was found changes, and, as long as something is missing, when anything
//! comes into a folder of `PATH`. Only what exists is watched: cargo takes a path that is missing for one that has changed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What is looked for, and a call of it that succeeds where it works.
const PROGRAMS: &[(&str, &[&str])] = &[
    // What a sandbox is made of. Some machines have the program and forbid it namespaces.
    ("bwrap", &["--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"]),
    ("cargo", &["--version"]),
    ("cc", &["--version"]),
    ("go", &["version"]),
    ("make", &["--version"]),
    ("npm", &["--version"]),
    ("pytest", &["--version"]),
    ("python3", &["--version"]),
    // Disks of a test's own. Some machines have the program and forbid it namespaces or mounts.
    ("unshare", &["--map-root-user", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/tmp"]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PATH");
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).filter(|path| path.is_dir()).collect();
    let mut missing = declare("landlock", has_landlock());
    for (name, call) in PROGRAMS {
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        missing |= declare(name, found.as_deref().is_some_and(|path| works(path, call)));
        if let Some(path) = found {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    for folder in folders.iter().filter(|_| missing) {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    look_for_recordings();
}

fn look_for_recordings() {
    println!("cargo::rerun-if-env-changed=INSPAN_STREAMS");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/streams");
    let manifest = env::var_os("INSPAN_STREAMS").map_or(beside, PathBuf::from).join("manifest.json");
    declare("streams", manifest.is_file());
    // The nearest folder that there is, up to the one beside the workspace: what comes into it is noticed.
    if let Some(there) = manifest.ancestors().take(3).find(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", there.display());
    }
}

/// Says the cfg; whether it is set, that is, whether the thing is missing.
fn declare(name: &str, is_there: bool) -> bool {
    println!("cargo::rustc-check-cfg=cfg(without_{name})");
    if !is_there {
        println!("cargo::rustc-cfg=without_{name}");
    }
    !is_there
}

fn works(program: &Path, call: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(call).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether the kernel was built with Landlock and, where it lists what it was started with, started with it.
fn has_landlock() -> bool {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let active = fs::read_to_string("/sys/kernel/security/lsm");
    symbols.contains("sys_landlock_create_ruleset") && active.map_or(true, |list| list.contains("landlock"))
}
