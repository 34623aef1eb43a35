//! What each command means. One file a command, or a family.

mod account;
mod apply;
mod attempts;
mod begin;
mod cancel;
mod clean;
mod doctor;
mod look;
mod merge;
mod orders;
mod plan;
mod replay;
mod resume;
mod retry;
mod run;
mod show;
mod target;

use std::path::PathBuf;

pub(crate) use merge::{FAILED, merge_file};
pub(crate) use run::run_configured;

use clap::CommandFactory as _;

use crate::{
    cli::{Args, Command, LimitArgs, OutputFormat, ReviewArg},
    config::{self, Config, Overrides},
    demo,
    error::Error,
    journal::Journal,
    repository::Repository,
    store::{RunFolder, Store},
    ui::{self, Screen, progress::Format},
};

/// Where a command is carried out.
pub(crate) struct Here {
    /// The directory.
    pub(crate) directory: PathBuf,
    /// The terminal.
    pub(crate) screen: Screen,
}

/// Carries out what was typed and returns the exit code.
pub(crate) async fn carry_out(args: Args, screen: Screen) -> Result<u8, Error> {
    let given = args.directory.unwrap_or_else(|| PathBuf::from("."));
    let directory = given.canonicalize().map_err(|_| Error::Usage(format!("there is no directory {}", given.display())))?;
    let here = Here { directory, screen };
    match args.command {
        Command::Plan(args) => plan::plan(&here, args).await,
        Command::Run(args) => run::run(&here, args).await,
        Command::Review(args) => Box::pin(resume::review(&here, args)).await,
        Command::Resume(args) => Box::pin(resume::resume(&here, args)).await,
        Command::Status(args) => look::status(&here, &args).await,
        Command::Diff(args) => look::diff(&here, &args).await,
        Command::Log(args) => look::log(&here, &args).await,
        Command::Pause(args) => orders::pause(&here, &args).await,
        Command::Cancel(args) => Box::pin(cancel::cancel(&here, &args)).await,
        Command::Steer(args) => orders::steer(&here, &args).await,
        Command::Retry(args) => Box::pin(retry::retry(&here, &args)).await,
        Command::Skip(args) => orders::skip(&here, &args).await,
        Command::Replan(args) => orders::replan(&here, args).await,
        Command::Limits(args) => orders::limits(&here, args).await,
        Command::Apply(args) => apply::apply(&here, &args).await,
        Command::Clean(args) => clean::clean(&here, &args).await,
        // It needs no runtime and is answered before there is one.
        Command::Merge(args) => merge_file(&args, Some(&here.directory)).map_err(Error::Usage),
        Command::Config(args) => show::config(&here, &args).await,
        Command::Init => show::init(&here).await,
        Command::Doctor => doctor::doctor(&here).await,
        Command::Demo(args) => Box::pin(demo::demo(&here, args)).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "inspan", &mut script);
            ui::print(&String::from_utf8_lossy(&script));
            Ok(0)
        }
    }
}

impl Here {
    /// The repository around the directory.
    pub(crate) async fn repository(&self) -> Result<Repository, Error> {
        Repository::find(&self.directory).await
    }

    /// The configuration for a repository, with the flags of the command line in it.
    pub(crate) fn config(&self, repository: &Repository, flags: Overrides) -> Result<Config, Error> {
        let config = Config::read(Some(&repository.root), flags).map_err(|error| Error::Usage(error.to_string()))?;
        for warning in &config.warnings {
            self.screen.say(&format!("warning: {warning}"));
        }
        Ok(config)
    }
}

/// The run that was named, or the one that a look means: the one that is live, or else the latest that was begun in this checkout.
fn find(repository: &Repository, run: Option<&str>) -> Result<RunFolder, Error> {
    match run {
        Some(name) => Store::new(&repository.state_dir()).find(name),
        None => target::unnamed(repository, target::Want::Look),
    }
}

/// The flags of the command line as the configuration takes them.
fn overrides(limits: &LimitArgs, yes: bool, review: Option<ReviewArg>) -> Overrides {
    let review = match (yes, review) {
        (true, _) | (_, Some(ReviewArg::Never)) => Some(config::Review::Never),
        (_, Some(ReviewArg::Always)) => Some(config::Review::Always),
        (_, Some(ReviewArg::First)) => Some(config::Review::First),
        (_, None) => None,
    };
    Overrides {
        model: limits.model.clone(),
        workers: limits.workers,
        review,
        max_cost_usd: limits.max_cost,
        max_tokens: limits.max_tokens,
        max_minutes: limits.max_minutes,
        max_disk_mb: limits.max_disk,
        sandbox: limits.sandbox.clone(),
        no_sandbox: limits.dangerously_no_sandbox,
    }
}

fn format_of(format: OutputFormat) -> Format {
    match format {
        OutputFormat::Text => Format::Text,
        OutputFormat::Json => Format::Json,
    }
}

/// All entries of a run.
pub(crate) fn entries(folder: &RunFolder) -> Result<Vec<plans::event::Entry>, Error> {
    Ok(Journal::read_only(&folder.path, folder.run.clone())?.after(0)?)
}
