//! How long 200 finished tasks take to land with a gate that takes no time, each alone beside batches; and the plain git plumbing.
//!
//! `cargo build --release && cargo bench -p inspan-tests --bench landing`. A gate holds the first landing until all tasks have finished;
//! what is measured is the time from there to the end of the run. It is wall time: a machine with other work shows it.
//!
//! **Invariant:** the tasks write files of their own, so nothing conflicts and nothing is red.

#![expect(clippy::print_stdout, reason = "a table is what this benchmark is for")]

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

const TASKS: usize = 200;

fn main() {
    let Some(inspan) = program() else {
        println!("Left out: there is no inspan beside this program. Build it with `cargo build --release`.");
        return;
    };
    let tasks = env::var("INSPAN_TASKS").ok().and_then(|tasks| tasks.parse().ok()).unwrap_or(TASKS);
    println!("{:<34} {:>8} {:>12}", format!("{tasks} tasks"), "seconds", "ms a task");
    for batch in [1, 32] {
        row(&format!("inspan, batches of {batch}"), tasks, landing(&inspan, tasks, batch));
    }
    row("merge-tree, commit-tree, update-ref", tasks, plumbing(tasks));
}

fn row(name: &str, tasks: usize, took: Duration) {
    println!("{name:<34} {:>8.2} {:>12.1}", took.as_secs_f64(), took.as_secs_f64() * 1e3 / tasks as f64);
}

/// The program in the folder of this one's profile.
fn program() -> Option<PathBuf> {
    let own = env::current_exe().expect("this program has a path");
    own.ancestors().nth(2).map(|folder| folder.join("inspan")).filter(|program| program.is_file())
}

/// From the moment when all have finished to the end of the run.
fn landing(inspan: &Path, tasks: usize, batch: u32) -> Duration {
    let place = Place::new();
    fs::write(place.home.path().join("plan.toml"), plan(tasks, &place.meet())).expect("a new file");
    let mut command = place.command(inspan);
    command.args(["run", "--yes", "--workers", "8", "--plan", "../plan.toml"]).env("INSPAN_LANDING_BATCH", batch.to_string());
    command.env("INSPAN_LANDING_SPECULATE", "false").env("INSPAN_SANDBOX_WRITE", place.meet());
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    while fs::read_dir(place.meet()).expect("it is there").count() < tasks {
        assert!(run.try_wait().expect("it is ours").is_none(), "the run ended before its tasks had finished");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The last of them is being committed.
    std::thread::sleep(Duration::from_millis(500));
    let begin = Instant::now();
    fs::write(place.meet().join("go"), "").expect("a new file");
    assert!(run.wait().expect("it is ours").success(), "everything lands");
    begin.elapsed()
}

/// Each task writes a file of its own and says so where all meet; the gate holds until it may go.
fn plan(tasks: usize, meet: &Path) -> String {
    let (meet, mut text) = (meet.display(), String::from("version = 1\ngoal = \"g\"\n"));
    writeln!(text, "[gate]\ncommands = ['test ! -e 0 || until test -e {meet}/go; do sleep 0.02; done']").expect("a string");
    for at in 0..tasks {
        writeln!(
            text,
            "[[task]]\nid = \"t{at}\"\ntitle = \"t\"\ninstructions = \"i\"\nwrite = [\"{at}\"]\n\
             worker = {{ command = \"touch {at} {meet}/{at}\" }}"
        )
        .expect("a string");
    }
    text
}

/// The least that git itself needs for the same.
fn plumbing(tasks: usize) -> Duration {
    let place = Place::new();
    let base = place.git(&["rev-parse", "HEAD"]);
    let blob = place.git(&["hash-object", "-w", "read.txt"]);
    let change = |at: usize| {
        let index = place.home.path().join("index");
        let index = [("GIT_INDEX_FILE", index.as_path())];
        place.git_with(&["read-tree", &base], &index);
        place.git_with(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{at}")], &index);
        let tree = place.git_with(&["write-tree"], &index);
        place.git(&["commit-tree", &tree, "-p", &base, "-m", "t"])
    };
    let changes: Vec<String> = (0..tasks).map(change).collect();
    let (begin, mut tip) = (Instant::now(), base.clone());
    for change in changes {
        let tree = place.git(&["merge-tree", "--write-tree", &format!("--merge-base={base}"), &tip, &change]);
        tip = place.git(&["commit-tree", &tree, "-p", &tip, "-m", "t"]);
        place.git(&["update-ref", "refs/heads/result", &tip]);
    }
    begin.elapsed()
}

/// A home with a repository of one file, and a folder where tasks and gate meet.
struct Place {
    home: TempDir,
    repository: PathBuf,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let repository = home.path().join("repository");
        for folder in [&repository, &home.path().join("meet")] {
            fs::create_dir(folder).expect("a new folder");
        }
        fs::write(repository.join("read.txt"), "read\n").expect("a new file");
        let place = Self { home, repository };
        for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "first"]] {
            place.git(arguments);
        }
        place
    }

    fn meet(&self) -> PathBuf {
        self.home.path().join("meet")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.repository).env_clear().env("HOME", self.home.path());
        command.env("PATH", env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "a").env(format!("GIT_{role}_EMAIL"), "a@localhost");
        }
        command
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, &[])
    }

    fn git_with(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> String {
        let output = self.command(Path::new("git")).args(arguments).envs(variables.iter().copied()).output().expect("git starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
