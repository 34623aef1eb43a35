//! A whole run as a person waits for it: one task, carried out by a command, from the start of the process to its end (target: 0.1 s).
//!
//! `cargo build --release && cargo bench -p inspan-tests --bench process`. Beside it stands how long the git processes of such a run
//! take at the least, as a share of which there is nothing to gain here: `git --version`, once.
//!
//! **Invariant:** nothing of the person's reaches the program: the environment is empty but for the path and a home of its own.

#![expect(clippy::print_stdout, reason = "a table is what this benchmark is for")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

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
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (home, repository) = (folder.path().join("home"), folder.path().join("repository"));
    for folder in [&home, &repository] {
        fs::create_dir(folder).expect("a new folder");
    }
    fs::write(repository.join("read.txt"), "read\n").expect("a new file");
    fs::write(home.join("plan.toml"), PLAN).expect("a new file");
    let place = Place { home, repository };
    for arguments in ["init --quiet", "add .", "-c user.name=a -c user.email=a@localhost commit --quiet --message first"] {
        place.time(Path::new("git"), arguments);
    }
    let plan = format!("run --yes --plan {}", place.home.join("plan.toml").display());
    place.row("inspan run, one command", &inspan, &plan);
    place.row("inspan --version", &inspan, "--version");
    place.row("git --version", Path::new("git"), "--version");
}

/// `target/release/inspan`, two folders above the benchmarks.
fn program() -> Option<PathBuf> {
    let own = env::current_exe().expect("this program has a path");
    own.ancestors().nth(2).map(|folder| folder.join("inspan")).filter(|program| program.is_file())
}

struct Place {
    home: PathBuf,
    repository: PathBuf,
}

impl Place {
    fn row(&self, name: &str, program: &Path, arguments: &str) {
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| self.time(program, arguments)).collect();
        times.sort();
        let ms = |at: usize| times[at].as_secs_f64() * 1e3;
        println!("{name:<24} median {:>7.1} ms, least {:>7.1}, most {:>7.1}", ms(ROUNDS / 2), ms(0), ms(ROUNDS - 1));
    }

    fn time(&self, program: &Path, arguments: &str) -> Duration {
        let mut command = Command::new(program);
        command.args(arguments.split(' ')).current_dir(&self.repository).env_clear().env("HOME", &self.home);
        command.env("PATH", env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        let begin = Instant::now();
        let output = command.output().expect("the program starts");
        let took = begin.elapsed();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }
}
