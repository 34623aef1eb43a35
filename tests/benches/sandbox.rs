//! What a command costs in each tier, beside a plain spawn; and what it costs to enter a tier, once for an attempt.
//!
//! `cargo build --release && cargo bench -p inspan-tests --bench sandbox`. Target: a command in a session costs at most 3 ms more than a
//! plain spawn. It is wall time: a machine with other work shows it.

#![expect(clippy::print_stdout, reason = "a table is what this benchmark is for")]

use std::{
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use shared::{Glob, Network, Scope};
use tokio_util::sync::CancellationToken;
use worker::{
    process::{Permits, Shell},
    sandbox::{CommandLimits, Enclosure, Ground, Tier, TierChoice, Writes, choose},
    tool::LiveScope,
};

const COMMANDS: usize = 200;
const ENTRIES: usize = 20;
/// What a command does: nothing, and what a small build does.
const WORK: &[(&str, &str)] =
    &[("true", ":"), ("20 forks", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/true; done")];

#[tokio::main]
async fn main() {
    let Some(program) = program() else {
        println!("Left out: there is no inspan beside this program. Build it with `cargo build --release`.");
        return;
    };
    println!("{:<12} {:<10} {:>10} {:>10} {:>10}", "tier", "command", "median ms", "p95 ms", "enter ms");
    for tier in [Tier::None, Tier::Helper, Tier::Bubblewrap] {
        match choose(TierChoice::Only(tier), &program).await {
            Ok(chosen) => {
                let place = Place::new();
                for (name, command) in WORK {
                    place.measure(tier, &chosen.sandbox, (name, command)).await;
                }
            }
            Err(error) => println!("{tier:<12} left out: {error}"),
        }
    }
}

/// `target/release/inspan`, two folders above the benchmarks.
fn program() -> Option<PathBuf> {
    let own = env::current_exe().expect("this program has a path");
    own.ancestors().nth(2).map(|folder| folder.join("inspan")).filter(|program| program.is_file())
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        for folder in ["tree/src", "tmp", "home"] {
            std::fs::create_dir_all(place.path().join(folder)).expect("a new folder");
        }
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn shell(&self, sandbox: &std::sync::Arc<dyn worker::sandbox::Sandbox>) -> Shell {
        let ground = Ground {
            tree: self.path().join("tree"),
            own: vec![self.path().join("tmp"), self.path().join("home")],
            build: Vec::new(),
            read: Vec::new(),
            home: env::var_os("HOME").map(PathBuf::from),
            network: Network::Loopback,
            limits: CommandLimits::default(),
        };
        let scope = Scope { write: vec![Glob::new("src/**").expect("it is a pattern")], ..Scope::default() };
        let enclosure = Enclosure::new(sandbox.clone(), ground, Writes::Scope(LiveScope::new(scope)));
        let env = env::var_os("PATH").map(|path| ("PATH".into(), path)).into_iter().collect();
        let permits = Permits::default();
        Shell { cwd: self.path().join("tree"), env, spill_dir: self.path().join("spill"), enclosure, permits }
    }

    async fn measure(&self, tier: Tier, sandbox: &std::sync::Arc<dyn worker::sandbox::Sandbox>, (name, command): (&str, &str)) {
        let mut entered = Vec::new();
        for _ in 0..ENTRIES {
            entered.push(time(&self.shell(sandbox), command).await);
        }
        let shell = self.shell(sandbox);
        time(&shell, command).await;
        let mut times = Vec::new();
        for _ in 0..COMMANDS {
            times.push(time(&shell, command).await);
        }
        let ms = |times: &mut Vec<Duration>, percent: usize| {
            times.sort();
            times[times.len() * percent / 100].as_secs_f64() * 1e3
        };
        let (median, p95) = (ms(&mut times, 50), ms(&mut times, 95));
        let enter = (ms(&mut entered, 50) - median).max(0.0);
        println!("{tier:<12} {name:<10} {median:>10.2} {p95:>10.2} {enter:>10.2}");
    }
}

async fn time(shell: &Shell, command: &str) -> Duration {
    let begin = Instant::now();
    let end = shell.run(command, Duration::from_secs(60), &CancellationToken::new()).await;
    let took = begin.elapsed();
    assert!(end.succeeded(), "{}: {}", end.in_words(), end.output.text);
    took
}
