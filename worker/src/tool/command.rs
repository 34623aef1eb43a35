//! `run_command`: a shell command in the worktree.
//!
//! A command that exits with an error is a call that worked: the model wanted to know. Only one that did not come to its own end is a
//! failed call.
//!
//! **Invariant:** what a command did is looked at by the [`ScopeGuard`] before the model reads how it ended.

use std::{path::Path, time::Duration};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{ScopeGuard, Shape, ToolOutcome, ToolSpec, object};
use crate::process::{CommandEnd, Shell, Status};

const DEFAULT: u64 = 120;
const LONGEST: u64 = 1800;

#[derive(Deserialize)]
pub(super) struct Arguments {
    command: String,
    timeout_s: Option<u64>,
}

impl Arguments {
    /// What is to be run.
    pub(super) fn command(&self) -> &str {
        &self.command
    }
}

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "run_command",
        description: "Run a command with sh in the worktree. Its processes end with it. `timeout_s`: 120 unless given, at most 1800.",
        parameters: object(&[("command", Shape::Text), ("timeout_s", Shape::MaybeNumber)]),
    }
}

/// Where a command runs, who looks after it, and how much of it is shown.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) shell: &'a Shell,
    pub(super) guard: &'a dyn ScopeGuard,
    pub(super) longest: usize,
}

pub(super) async fn run(place: Place<'_>, arguments: Arguments, cancel: &CancellationToken) -> ToolOutcome {
    let Place { shell, guard, longest } = place;
    if arguments.command.trim().is_empty() {
        return ToolOutcome::Failed("`command` is empty; give a shell command".to_owned());
    }
    let seconds = arguments.timeout_s.unwrap_or(DEFAULT).clamp(1, LONGEST);
    let end = shell.run(&arguments.command, Duration::from_secs(seconds), cancel).await;
    let mut text = in_words(&end, longest, &shell.spill_dir);
    if let Some(hint) = shell.enclosure.explain(&end.output.text).filter(|_| !end.succeeded()) {
        text = format!("{}\n{hint}", text.trim_end());
    }
    if let Some(strayed) = guard.after_command().await.in_words() {
        text = format!("{}\n{strayed}", text.trim_end());
    }
    match end.status {
        Status::Exited(_) | Status::Signalled(_) | Status::Limited(_) => ToolOutcome::Ok(text),
        Status::TimedOut | Status::Cancelled | Status::NotStarted(_) => ToolOutcome::Failed(text),
    }
}

fn in_words(end: &CommandEnd, longest: usize, spill_dir: &Path) -> String {
    let hint = match end.status {
        Status::TimedOut => {
            "\n[it and its processes were ended. Give a longer `timeout_s`, or a command that ends: no server, no watch mode, no prompt]"
        }
        _ if end.left_running => "\n[processes that it left running were ended: each command ends with all of its processes]",
        _ => "",
    };
    let output = match end.status {
        Status::NotStarted(_) => "",
        _ if end.output.text.is_empty() => "\n(no output)",
        _ => &format!("\n{}", end.output.at_most(longest, spill_dir)),
    };
    format!("{}{hint}{output}", end.in_words())
}
