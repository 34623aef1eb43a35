//! A whole run as a person waits for it: one task, carried out by a command, from the start of the process to its end (target: 0.1 s).
//!
//! `cargo build --release && cargo bench -p inspan-tests --bench process`. Beside it stand the start of this program and that of a git,
//! of which a run starts some forty. Each round has a new repository. It is wall time: a machine with other work shows it.
//!
//! **Invariant:** nothing of the person's reaches the program: the environment is empty but for the path and a home of its own.

#![expect(clippy::print_stdout, reason = "a table is what this benchmark is for")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

const ROUNDS: usize = 20;
const PLAN: &str = r#"
version = 1
goal = "Write a file"
[gate]
commands = ["true"]

[[task]]
id = "write"
title = "Write a file"
instructions = "Write the file."
write = ["written.txt"]
worker = { command = "echo written > written.txt" }
"#;

fn main() {
    let Some(inspan) = program() else {
        println!("Left out: there is no inspan beside this program. Build it with `cargo build --release`.");
        return;
    };
    row("inspan run, one command", |place| place.time(&inspan, "run --yes --plan ../plan.toml"));
    row("inspan --version", |place| place.time(&inspan, "--version"));
    row("git --version", |place| place.time(Path::new("git"), "--version"));
}

fn row(name: &str, time: impl Fn(&Place) -> Duration) {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| time(&Place::new())).collect();
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1e3;
    println!("{name:<24} median {:>7.1} ms, least {:>7.1}, most {:>7.1}", ms(ROUNDS / 2), ms(0), ms(ROUNDS - 1));
}

/// `target/release/inspan`, two folders above the benchmarks.
fn program() -> Option<PathBuf> {
    let own = env::current_exe().expect("this program has a path");
    own.ancestors().nth(2).map(|folder| folder.join("inspan")).filter(|program| program.is_file())
}

/// A home with a plan, and in it a repository of one file.
struct Place {
    home: TempDir,
    repository: PathBuf,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let repository = home.path().join("repository");
        fs::create_dir(&repository).expect("a new folder");
        fs::write(repository.join("read.txt"), "read\n").expect("a new file");
        fs::write(home.path().join("plan.toml"), PLAN).expect("a new file");
        let place = Self { home, repository };
        for arguments in ["init --quiet", "add .", "-c user.name=a -c user.email=a@localhost commit --quiet --message first"] {
            place.time(Path::new("git"), arguments);
        }
        place
    }

    fn time(&self, program: &Path, arguments: &str) -> Duration {
        let mut command = Command::new(program);
        command.args(arguments.split(' ')).current_dir(&self.repository).env_clear().env("HOME", self.home.path());
        command.env("PATH", env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        let begin = Instant::now();
        let output = command.output().expect("the program starts");
        let took = begin.elapsed();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }
}
