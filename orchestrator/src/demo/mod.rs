//! `inspan demo`: the whole loop on a throw-away repository, for somebody who has a minute and no key.
//!
//! Only the model is not real: it reads from a script. Git, worktrees, cargo, scopes, merges, the gate, the journal and the planner's
//! conversations are those of any other run, and so is what is shown.
//!
//! **Invariant:** nobody is asked anything, and nothing of the person's configuration, models or keys is read.
//! **Invariant:** it writes in its own folder alone, which stays, to be looked at.

mod script;
mod shop;
mod story;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use plans::visible::in_line;

use crate::{
    cli::DemoArgs,
    command::{Here, entries, run_configured},
    config::{Config, Overrides, Sources},
    error::Error,
    repository::Repository,
    ui,
};

/// Carries the demo through and returns its exit code.
pub(crate) async fn demo(here: &Here, args: DemoArgs) -> Result<u8, Error> {
    let root = shop::place(&here.directory, args.into.as_deref())?;
    need_cargo(&root).await?;
    shop::build(&root, &script::script()).await?;
    here.screen.say(&format!("{INTRODUCTION}\n\nThe repository: {}\n", root.display()));
    let there = Here { directory: root.clone(), screen: here.screen.clone() };
    let repository = Repository::find(&root).await?;
    let config = config(&repository)?;
    let (folder, code) = Box::pin(run_configured(&there, repository, config, script::plan().goal())).await?;
    ui::print_words(&format!("\nWhat happened\n\n{}\n{}", story::story(&entries(&folder)?), what_next(&root)));
    Ok(code)
}

const INTRODUCTION: &str = "This is a demonstration. The model is a script; git, worktrees, cargo, merges and tests are real. \
                            The plan is approved without asking, since nobody may be there.";

/// The repository of the demo is built with cargo; without it every task would fail, one after the other.
async fn need_cargo(root: &Path) -> Result<(), Error> {
    let asked = tokio::process::Command::new("cargo").arg("--version").current_dir(root).output().await;
    match asked {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(no_cargo(&String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(no_cargo(&error.to_string())),
    }
}

/// `said` is why it cannot be run.
fn no_cargo(said: &str) -> Error {
    let first = in_line(said.trim().lines().next().unwrap_or("it says nothing"));
    let hint = if first.contains("rustup") {
        "where rustup is not in the home directory, name its place in RUSTUP_HOME; `rustup default stable` chooses a version"
    } else {
        "install Rust, or put cargo on PATH"
    };
    let what = format!("the demo builds a small Rust workspace, and `cargo` cannot be run: {first}");
    Error::Refused { what, hint: hint.to_owned() }
}

/// A configuration of its own: no file, no variable of the process.
fn config(repository: &Repository) -> Result<Config, Error> {
    let settings = [
        ("INSPAN_MODEL", format!("scripted/{}", shop::SCRIPT)),
        ("INSPAN_REVIEW", "never".to_owned()),
        ("INSPAN_WORKERS", "4".to_owned()),
    ];
    let env: BTreeMap<String, String> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let sources = Sources { repo: None, user: None, env, flags: Overrides::default() };
    let mut config = Config::load(sources).map_err(|error| Error::Usage(error.to_string()))?;
    config.worktrees = Some(repository.state_dir());
    // No configuration of the person's, but the place where they have installed cargo: the sandbox shows commands another home.
    config.home = std::env::home_dir();
    Ok(config)
}

fn what_next(root: &Path) -> String {
    let program = std::env::args_os().next().unwrap_or_else(|| "inspan".into());
    let inspan = format!("{} -C {}", quoted(&program.to_string_lossy()), quoted(&root.to_string_lossy()));
    format!(
        "Look at it
  {inspan} status
  {inspan} log tax     # one task, with its conversation
  {inspan} diff        # what changed
  {inspan} apply       # bring it into the branch main

Do it with a real model, here or in a repository of yours
  DEEPSEEK_API_KEY=... {inspan} run \"Add a discount to invoices\"
  INSPAN_MODEL=ollama/qwen3-coder {inspan} run \"Add a discount to invoices\"
  INSPAN_BASE_URL=http://localhost:8000/v1 INSPAN_MODEL=NAME {inspan} run \"Add a discount to invoices\"
"
    )
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./+:@%".contains(letter);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
