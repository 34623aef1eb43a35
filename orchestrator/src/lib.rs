//! The shell around the pure core: actors, git, disk, terminal. The binary `inspan`.
//!
//! A command (`command`) finds the repository, reads the configuration and, where a run is to go on, launches it (`launch`): journal,
//! actors, screen. The `dispatcher` then does what `plans::run_state` says is owed, until the run ends.
//!
//! Not here: what is owed (`plans`), how an agent works (`worker`).

mod acceptance;
mod apply;
pub mod approvals;
mod cli;
mod command;
mod command_worker;
pub mod config;
mod content;
mod control;
mod coordinator;
mod crash_point;
mod demo;
mod disk;
mod dispatcher;
mod environment;
mod error;
mod gate;
mod git;
mod journal;
mod kept;
mod launch;
mod leak;
mod lease;
mod ledger;
mod models;
mod planner;
mod quarters;
mod recorder;
mod repository;
mod salvage;
mod scope_guard;
mod site;
mod store;
pub mod survey;
mod sweep;
mod tree_path;
mod ui;
mod worktree;

use std::process::ExitCode;

use clap::Parser as _;

pub use error::Error;

/// Does what the command line says and returns the process's exit code.
pub fn run() -> ExitCode {
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|word| word == worker::sandbox::HELPER) {
        return ExitCode::from(worker::sandbox::inside::main());
    }
    let args = match cli::Args::try_parse() {
        Ok(args) => args,
        // Help and version are data; wrong words are talk, and exit code 2.
        Err(wrong) => {
            let _ = wrong.print();
            let code = if std::env::args_os().any(|word| word == "merge") { command::FAILED } else { 2 };
            return ExitCode::from(if wrong.use_stderr() { code } else { 0 });
        }
    };
    if let cli::Command::Merge(merge) = &args.command {
        return merge_one_file(merge, &args);
    }
    hide_environment();
    let screen = ui::Screen::of_process(args.quiet);
    start_tracing();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.insist(&format!("error: the program cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = match runtime.block_on(Box::pin(command::carry_out(args, screen.clone()))) {
        Ok(code) => code,
        Err(error) => {
            screen.insist(&format!("error: {error}"));
            if let Some(hint) = error.hint() {
                screen.insist(&format!(" hint: {hint}"));
            }
            error.exit_code()
        }
    };
    // A thread that still waits for a line from the terminal must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// What git calls for every file: nothing else is made ready.
fn merge_one_file(merge: &cli::MergeArgs, args: &cli::Args) -> ExitCode {
    match command::merge_file(merge, args.directory.as_deref()) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            ui::Screen::of_process(args.quiet).insist(&format!("error: {why}"));
            ExitCode::from(command::FAILED)
        }
    }
}

/// Keys stand in this process's environment; commands of workers, which run as the same user, are not to read them there. (Root can.)
fn hide_environment() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the environment of this process can be read by its children");
    }
}

fn start_tracing() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("INSPAN_LOG").unwrap_or_else(|_| "error".into());
    // Another subscriber is there only in tests.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
