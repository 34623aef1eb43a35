//! A run that is refused leaves nothing; one that is not is there with its plan.

use std::{path::Path, process::Command};

use plans::run_state::{Phase, RunState};

use super::*;
use crate::{
    command::{entries, run},
    config::{Overrides, Sources},
    ui::Screen,
};

const PLAN: &str = "version = 1\ngoal = \"g\"\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"do\"\nwrite = [\"a\"]\nworker = { command = \"true\" }\n";

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=T", "-c", "user.email=t@t"]).args(args).current_dir(folder);
    let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A repository with uncommitted changes, whose tests cargo would run.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"x\"\n").unwrap();
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-qm", "start"]);
    std::fs::write(folder.path().join("a"), "mine").unwrap();
    folder
}

async fn begin(folder: &Path, configured: &str, plan: &str) -> Result<Begun, Error> {
    let here = Here { directory: folder.to_owned(), screen: Screen::of_process(true) };
    let repository = here.repository().await.unwrap();
    let repo = Some((folder.join("inspan.toml"), configured.to_owned()));
    let mut config =
        Config::load(Sources { repo, flags: Overrides { no_sandbox: true, ..Overrides::default() }, ..Sources::default() })
            .unwrap();
    config.worktrees = Some(folder.join(".git/worktrees-of-inspan"));
    let around = Surroundings { repository, config, format: Format::Text };
    run::begin(&here, around, Kind::default(), run::Source::File("plan.toml".to_owned(), plan.to_owned())).await
}

fn check_nothing_is_left(folder: &Path) {
    assert_eq!(git(folder, &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    let runs = std::fs::read_dir(folder.join(".git/inspan/runs")).map(Iterator::count).unwrap_or_default();
    assert_eq!(runs, 0);
}

#[tokio::test]
async fn a_plan_file_without_a_gate_is_refused_with_the_guess_and_leaves_nothing() {
    let folder = repository();
    let Err(error) = begin(folder.path(), "", PLAN).await else { panic!("it was admitted") };
    assert_eq!(error.exit_code(), 4);
    assert!(error.hint().unwrap().contains("cargo test"), "{:?}", error.hint());
    check_nothing_is_left(folder.path());
}

#[tokio::test]
async fn a_plan_file_without_a_gate_gets_the_configured_one() {
    let folder = repository();
    let begun =
        begin(folder.path(), "[gate]\ncommands = [\"make check\"]\n", PLAN).await.unwrap_or_else(|error| panic!("{error}"));
    let state = RunState::fold(&entries(&begun.launch.folder).unwrap()).unwrap();
    assert_eq!((state.phase(), &state.plan().unwrap().gate().commands[..]), (Phase::Review, &["make check".to_owned()][..]));
    assert!(state.is_snapshot() && !state.settings().planner);
}

#[tokio::test]
async fn a_plan_that_nobody_can_carry_out_leaves_nothing() {
    let folder = repository();
    let agents = PLAN.replace("worker = { command = \"true\" }\n", "");
    let Err(error) = begin(folder.path(), "[gate]\ncommands = [\"true\"]\n", &agents).await else { panic!("it was admitted") };
    assert!(matches!(error, Error::NoModel { .. }), "{error}");
    check_nothing_is_left(folder.path());
}
