//! Verdicts that are none: a command failed because of the machine it ran on, and no task can mend that.
//!
//! **Invariant:** a proof that cannot be told from a red is a red: what is taken for trouble halts the run, and a person has to look. Of a
//! batch, what passes in time without the task with which the gate does not still lands.
//!
//! A task's own verification that takes too long or uses too much memory is the task's affair; only the gate, which belongs to nobody,
//! has its limits blamed on nobody.

use std::{ffi::OsStr, os::unix::fs::PermissionsExt as _, path::Path};

use plans::event::Proof;
use worker::process::Status;

/// What kept a command from saying anything about the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The gate reached its own time limit.
    TimedOut,
    /// The disk is full.
    OutOfDisk,
    /// There is not enough memory.
    OutOfMemory,
    /// A program is not installed.
    MissingTool(String),
}

/// A command that failed, and what is known about the machine.
pub struct Failure<'a> {
    /// What it was to prove.
    pub proof: Proof,
    /// The command.
    pub command: &'a str,
    /// How it ended.
    pub status: &'a Status,
    /// What it said.
    pub output: &'a str,
    /// Whether hardly anything is left of the disk that it ran on.
    pub disk_is_full: bool,
    /// Whether a program of that name is found on its PATH.
    pub has_tool: &'a dyn Fn(&str) -> bool,
}

const DISK: &[&str] =
    &["No space left on device", "ENOSPC", "Disk quota exceeded", "os error 28", "not enough space on the disk"];
/// Only words that no test says of its own: a test about memory that fails is red.
const MEMORY: &[&str] = &[
    "Cannot allocate memory",
    "JavaScript heap out of memory",
    "java.lang.OutOfMemoryError",
    "runtime: out of memory",
    "virtual memory exhausted",
    "os error 12)",
];

/// Whether a failure is the machine's.
pub fn classify(failure: &Failure<'_>) -> Option<Trouble> {
    let says = |words: &[&str]| words.iter().any(|words| failure.output.contains(words));
    if failure.disk_is_full && says(DISK) {
        return Some(Trouble::OutOfDisk);
    }
    if failure.proof == Proof::Task {
        return None;
    }
    match failure.status {
        Status::TimedOut => Some(Trouble::TimedOut),
        Status::Signalled(9) | Status::Exited(137) => Some(Trouble::OutOfMemory),
        // The kernel takes the sandbox along with what is in it.
        Status::Limited(why) if why.contains("memory") || why.contains("the sandbox itself") => Some(Trouble::OutOfMemory),
        Status::Exited(126 | 127) => missing_tool(failure).map(Trouble::MissingTool),
        _ => says(MEMORY).then_some(Trouble::OutOfMemory),
    }
}

/// The program that the command itself names and nobody has. A path names a file of the repository, which a task can take away, and what a
/// script of the repository cannot find is the repository's affair.
fn missing_tool(failure: &Failure<'_>) -> Option<String> {
    let is_named = |name: &str| {
        let mut words = failure.command.split(|sign: char| sign.is_whitespace() || ";|&()".contains(sign));
        words.any(|word| word == name)
    };
    let name = failure.output.lines().rev().find_map(not_found).filter(|name| is_named(name))?;
    (!name.contains('/') && !(failure.has_tool)(name)).then(|| name.to_owned())
}

/// The name in `sh: 1: foo: not found` and `bash: line 1: foo: command not found`.
fn not_found(line: &str) -> Option<&str> {
    let line = line.trim_end();
    let before = line.strip_suffix(": command not found").or_else(|| line.strip_suffix(": not found"))?;
    before.rsplit(": ").next()
}

impl Trouble {
    /// What happened, and what to do.
    pub fn in_words(&self, command: &str, ended: &str) -> String {
        match self {
            Trouble::TimedOut => format!(
                "the gate's `{command}` did not end in time ({ended}), for which no task is blamed; look whether it hangs with what was to \
                 land. A run keeps the `[gate] timeout` of the plan that was approved: a longer one takes a new run"
            ),
            Trouble::OutOfDisk => format!("the disk is full, so `{command}` could not be run to its end ({ended}); make room"),
            Trouble::OutOfMemory => format!(
                "there was not enough memory for the gate's `{command}` ({ended}); end what else runs, or raise `[sandbox] memory_mb`"
            ),
            Trouble::MissingTool(tool) => {
                format!("the gate's `{command}` needs `{tool}`, which is not installed ({ended}); install it, or mend the gate")
            }
        }
    }
}

/// Whether a program is found in the folders of a PATH.
pub fn is_on_path(path: &OsStr, name: &str) -> bool {
    let is_program = |file: &Path| file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
    std::env::split_paths(path).any(|folder| is_program(&folder.join(name)))
}

/// Whether less is left of a disk than a build needs to say anything.
pub fn is_full(folder: &Path) -> bool {
    const LEAST: u64 = 64 << 20;
    // A disk that cannot be asked is not blamed.
    rustix::fs::statvfs(folder)
        .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST || disk.f_favail == 0 && disk.f_files > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(proof: Proof, command: &str, status: &Status, output: &str) -> Option<Trouble> {
        let has_tool = |name: &str| ["make", "sh", "npm"].contains(&name);
        classify(&Failure { proof, command, status, output, disk_is_full: output.contains("(full)"), has_tool: &has_tool })
    }

    #[test]
    fn the_gates_own_limits_and_a_machine_that_lacks_something_are_trouble_and_everything_else_is_red() {
        let tool = |name: &str| Some(Trouble::MissingTool(name.to_owned()));
        for (command, status, output, expected) in [
            ("make", Status::Exited(1), "", None),
            ("make", Status::Exited(2), "a test says out of memory", None),
            ("make", Status::Signalled(11), "", None),
            ("make", Status::TimedOut, "", Some(Trouble::TimedOut)),
            ("make", Status::Signalled(9), "", Some(Trouble::OutOfMemory)),
            ("make", Status::Exited(137), "Killed", Some(Trouble::OutOfMemory)),
            ("make", Status::Limited("it used more than 8 GiB of memory".into()), "", Some(Trouble::OutOfMemory)),
            ("make", Status::Limited("it wrote a file larger than it may".into()), "", None),
            ("make", Status::Exited(1), "fork: Cannot allocate memory", Some(Trouble::OutOfMemory)),
            ("make", Status::Exited(1), "write: No space left on device (full)", Some(Trouble::OutOfDisk)),
            // The disk has room: it was a small file system of the test's own.
            ("make", Status::Exited(1), "write: No space left on device", None),
            ("pytest -q", Status::Exited(127), "sh: 1: pytest: not found", tool("pytest")),
            ("CI=1 pytest -q", Status::Exited(127), "sh: pytest: not found", tool("pytest")),
            ("exit 127", Status::Exited(127), "", None),
            ("make && tox", Status::Exited(127), "bash: line 1: tox: command not found\n", tool("tox")),
            // The program is there; what it runs is the repository's.
            ("make", Status::Exited(127), "make: gcd: not found", None),
            ("sh gate.sh", Status::Exited(127), "gate.sh: 3: frobnicate: not found", None),
            ("./check", Status::Exited(127), "sh: 1: ./check: not found", None),
            ("./check", Status::Exited(126), "sh: 1: ./check: Permission denied", None),
        ] {
            assert_eq!(check(Proof::Gate, command, &status, output), expected, "{command}: {status}: {output}");
        }
    }

    #[test]
    fn a_tasks_own_proof_is_the_tasks_affair_but_for_a_full_disk() {
        for status in [Status::TimedOut, Status::Signalled(9), Status::Exited(127)] {
            assert_eq!(check(Proof::Task, "pytest", &status, ""), None, "{status}");
        }
        assert_eq!(check(Proof::Task, "make", &Status::Exited(1), "ENOSPC (full)"), Some(Trouble::OutOfDisk));
    }

    #[test]
    fn a_program_is_a_file_that_can_be_run_in_one_of_the_folders() {
        assert!(is_on_path(OsStr::new("/nowhere:/bin:/usr/bin"), "sh"));
        assert!(!is_on_path(OsStr::new("/nowhere:/bin:/usr/bin"), "no-such-program"));
        assert!(!is_full(Path::new("/")), "there is room for this test");
    }
}
