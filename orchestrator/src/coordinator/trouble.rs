//! Verdicts that are none: a command failed because of the machine it ran on, and no task can mend that.
//!
//! **Invariant:** a proof that cannot be told from a red is a red: what is taken for trouble halts the run, and a person has to look. Of a
//! batch, what passes in time without the task with which the gate does not still lands.
//!
//! Words alone are no proof of trouble: a test may say `Address already in use` of two servers of its own. So what is said is held against the
//! machine itself wherever that can be asked (the disk, the PATH, the port), and what cannot be asked has to name what only the machine has
//! (a registry whose name is not found by a command that may reach the network, the system's own table of files).
//!
//! A task's own verification that takes too long or uses too much memory is the task's affair; only the gate, which belongs to nobody,
//! has its limits blamed on nobody.

use std::{ffi::OsStr, io::ErrorKind, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use plans::event::Proof;
use shared::Network;
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
    /// A registry's name leads nowhere, for a command that may reach the network.
    NoNetwork(String),
    /// Somebody else on this machine has the port.
    PortTaken(u16),
    /// The machine has no more open files or watches of files.
    OutOfFiles,
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
    /// What it could reach.
    pub network: Network,
    /// Whether hardly anything is left of the disk that it ran on.
    pub disk_is_full: bool,
    /// Whether a program of that name is found on its PATH.
    pub has_tool: &'a dyn Fn(&str) -> bool,
    /// Whether a port is taken, now that the command is over.
    pub is_taken: &'a dyn Fn(u16) -> bool,
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

/// What only the whole system runs out of; a process that opens too many files is the repository's affair.
const FILES: &[&str] =
    &["Too many open files in system", "os error 23)", "ENFILE", "System limit for number of file watchers reached"];
/// How a name that leads nowhere is told.
const UNKNOWN_HOST: &[&str] = &[
    "Could not resolve host",
    "Couldn't resolve host",
    "failed to lookup address",
    "Temporary failure in name resolution",
    "Name or service not known",
    "nodename nor servname provided",
    "no such host",
    "server misbehaving",
    "EAI_AGAIN",
    "ENOTFOUND",
    "Failed to resolve",
];
/// Where packages come from. A test that looks for a host which is not there says so of another one.
const REGISTRIES: &[&str] = &[
    "crates.io",
    "static.crates.io",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "pypi.org",
    "files.pythonhosted.org",
    "proxy.golang.org",
    "sum.golang.org",
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "rubygems.org",
    "github.com",
];
const PORT_TAKEN: &[&str] = &["Address already in use", "address already in use", "EADDRINUSE"];

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
        _ if says(MEMORY) => Some(Trouble::OutOfMemory),
        _ if says(FILES) => Some(Trouble::OutOfFiles),
        _ => of_network(failure),
    }
}

/// What a command that has the host's network meets there. One that has none, or its own, has nobody else's ports and was never promised a
/// registry: a task that needs a package which is not there has to hear of it.
fn of_network(failure: &Failure<'_>) -> Option<Trouble> {
    if failure.network != Network::Host {
        return None;
    }
    let has = |line: &str, words: &[&str]| words.iter().any(|word| line.contains(word));
    let registry = |line: &str| REGISTRIES.iter().find(|name| line.contains(*name)).filter(|_| has(line, UNKNOWN_HOST));
    let port = |line: &str| port_in(line).filter(|port| has(line, PORT_TAKEN) && (failure.is_taken)(*port));
    failure.output.lines().find_map(|line| {
        let unreachable = registry(line).map(|name| Trouble::NoNetwork((*name).to_owned()));
        unreachable.or_else(|| port(line).map(Trouble::PortTaken))
    })
}

/// The port in `listen EADDRINUSE: address already in use 127.0.0.1:8080`: the last number behind a colon.
fn port_in(line: &str) -> Option<u16> {
    let number = |part: &str| {
        let end = part.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse::<u16>().ok().filter(|port| *port > 0)
    };
    line.rsplit(':').find_map(number)
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
            Trouble::NoNetwork(registry) => format!(
                "the gate's `{command}` could not find {registry} ({ended}): this machine has no network, or no name service; mend that, or \
                 have the gate do with what is there (`--offline`, a vendored copy)"
            ),
            Trouble::PortTaken(port) => format!(
                "the gate's `{command}` needs port {port}, which another program on this machine has ({ended}); end that, or have the \
                 tests take any free port"
            ),
            Trouble::OutOfFiles => {
                format!(
                    "this machine has no more open files or file watches for the gate's `{command}` ({ended}); end what holds them, or raise its limits"
                )
            }
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

/// Whether somebody listens at a port of this machine.
pub fn is_taken(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(proof: Proof, command: &str, status: &Status, output: &str) -> Option<Trouble> {
        let has_tool = |name: &str| ["make", "sh", "npm"].contains(&name);
        let network = if output.contains("(host)") { Network::Host } else { Network::default() };
        let disk_is_full = output.contains("(full)");
        let is_taken = |port: u16| port == 8080;
        classify(&Failure { proof, command, status, output, network, disk_is_full, has_tool: &has_tool, is_taken: &is_taken })
    }

    #[test]
    fn what_a_machine_lacks_is_told_from_what_a_test_says_of_itself() {
        let none = |name: &str| Some(Trouble::NoNetwork(name.to_owned()));
        for (output, expected) in [
            ("(host)\ncurl: (6) Could not resolve host: index.crates.io", none("crates.io")),
            (
                "(host)\nnpm error request to https://registry.npmjs.org/x failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org",
                none("registry.npmjs.org"),
            ),
            ("(host)\ngo: x: dial tcp: lookup proxy.golang.org: no such host", none("proxy.golang.org")),
            // It was never promised a network: a task has added a package that is not there.
            ("curl: (6) Could not resolve host: index.crates.io", None),
            // A test of its own.
            ("(host)\nassert failed: Could not resolve host: nowhere.invalid", None),
            ("(host)\nsee https://crates.io", None),
            ("(host)\nError: listen EADDRINUSE: address already in use 127.0.0.1:8080", Some(Trouble::PortTaken(8080))),
            // Nobody has it now: two servers of the tests' own.
            ("(host)\nError: listen EADDRINUSE: address already in use 127.0.0.1:9090", None),
            ("Error: listen EADDRINUSE: address already in use 127.0.0.1:8080", None),
            ("(host)\nAddress already in use (os error 98)", None),
            ("open: Too many open files in system", Some(Trouble::OutOfFiles)),
            // One process that opens too many is the repository's affair.
            ("Too many open files (os error 24)", None),
        ] {
            assert_eq!(check(Proof::Gate, "make", &Status::Exited(1), output), expected, "{output}");
            assert_eq!(check(Proof::Task, "make", &Status::Exited(1), output), None, "{output}");
        }
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        assert!(is_taken(port));
        drop(held);
        assert!(!is_taken(port));
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
    }
}
