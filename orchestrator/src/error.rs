//! Why the program stops.
//!
//! A task that fails is not here: that is an outcome, it goes to the planner, and the run goes on. Every error says what happened,
//! and [`Error::hint`] what to do next; what it means for the run stands in the message where a run exists.

mod advice;
mod damage;

use std::path::{Path, PathBuf};

use plans::{Problem, event::RunStatus};

use crate::{
    control::Refused,
    git::GitError,
    journal::JournalError,
    lease::{Held, Work},
    recorder::RecordError,
};

use self::advice::advice;

/// Why the program stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sandbox that was asked for.
    #[error("{0}; no run was started")]
    Sandbox(#[from] worker::sandbox::SandboxError),
    /// No repository here.
    #[error("{path} is not inside a git repository")]
    NotARepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A repository without a checkout.
    #[error("{path} is a bare repository: it has no checkout that a result could be brought into")]
    BareRepository {
        /// Which.
        path: PathBuf,
    },
    /// Inside a git directory.
    #[error("{path} is inside a git directory, not in a checkout")]
    NoCheckout {
        /// Where.
        path: PathBuf,
    },
    /// No commit yet.
    #[error("{path} has no commit yet, so there is nothing to start from")]
    EmptyRepository {
        /// Which.
        path: PathBuf,
    },
    /// A merge is under way.
    #[error("{path} has files with unresolved conflicts")]
    Unmerged {
        /// Which.
        path: PathBuf,
    },
    /// A worktree is not what it should be.
    #[error("{path} could not be proved to be a checkout of its own; no worker was started in it")]
    NotIsolated {
        /// Which.
        path: PathBuf,
    },
    /// Files outside a scope that cannot be put back.
    #[error("outside the scope, and not to be put back: {paths}")]
    StillAstray {
        /// Which.
        paths: String,
    },
    /// A folder that Inspan did not make.
    #[error("{path} is in the way and was not made by this run; nothing was removed")]
    NotOurs {
        /// Which.
        path: PathBuf,
    },
    /// The disk says no.
    #[error("{path}: {source}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No run yet.
    #[error("there is no run in this repository yet")]
    NoRuns,
    /// No such run.
    #[error("no run of this repository is called `{name}`")]
    NoSuchRun {
        /// What was asked for.
        name: String,
    },
    /// Several runs.
    #[error("`{name}` could be any of these runs: {}", .runs.join(", "))]
    AmbiguousRun {
        /// What was asked for.
        name: String,
        /// Those that begin so.
        runs: Vec<String>,
    },
    /// Another process is at it.
    #[error("run {run} is {}", say_held(*.held))]
    Busy {
        /// The run.
        run: String,
        /// The process.
        held: Held,
    },
    /// The process that carries the run cannot be told to stop.
    #[error("process {pid}, which carries the run, cannot be reached: {source}")]
    Unreachable {
        /// The process.
        pid: u32,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the run cannot be read as what it is.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The repository could not be looked at.
    #[error("the repository could not be surveyed: {0}")]
    Survey(String),
    /// A plan that is none.
    #[error("{}", say_problems(.source_name, .problems))]
    InvalidPlan {
        /// The file, or `the planner`.
        source_name: String,
        /// Everything that is wrong.
        problems: Vec<Problem>,
        /// Commands that probably prove the repository, for a plan that has no gate.
        guess: Vec<String>,
    },
    /// The planner could not make a plan.
    #[error("the planner could not make a valid plan: {why}")]
    NoPlan {
        /// Why.
        why: String,
    },
    /// Nobody is there to review.
    #[error(
        "the plan waits for a review, and there is nobody to give it (no terminal, or its input has ended); the plan is kept as run {run}"
    )]
    NobodyToReview {
        /// The run.
        run: String,
    },
    /// The person said no.
    #[error("the plan was rejected; nothing was changed")]
    Rejected,
    /// The run cannot go on by itself.
    #[error("{why}")]
    Halted {
        /// What happened.
        why: String,
        /// The run that is kept.
        run: String,
    },
    /// A command cannot be carried out now.
    #[error("{what}")]
    Refused {
        /// What, and what it means.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Wrong words on the command line, or in a configuration file.
    #[error("{0}")]
    Usage(String),
    /// No model is configured.
    #[error("there is no model to {what} with")]
    NoModel {
        /// What one is needed for.
        what: String,
    },
    /// A limit in money that cannot be kept.
    #[error("the price of {model} is not known, so a limit in dollars cannot be kept")]
    UnknownPrice {
        /// The model.
        model: String,
    },
    /// A model cannot be asked.
    #[error("{what}")]
    Model {
        /// What happened.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The run is over budget before there is a plan.
    #[error("the budget was reached: {0}")]
    OverBudget(String),
    /// The person stopped it.
    #[error("stopped; nothing is lost")]
    Interrupted,
    /// Git says no.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The journal says no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An event could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A defect of this program.
    #[error("a part of inspan died unexpectedly: {0}; the run is kept, please report this")]
    Defect(String),
}

impl From<Refused> for Error {
    fn from(Refused { what, hint }: Refused) -> Self {
        Self::Refused { what, hint }
    }
}

impl Error {
    /// Wraps an error of the file system with the path that it is about.
    pub fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Disk { path, source }
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        self.own_hint().or_else(|| advice(&self.to_string()).map(|what| format!("{what}; {}", self.afterwards())))
    }

    /// What an error of the machine means for the run.
    fn afterwards(&self) -> &'static str {
        match self {
            Self::Record(_) | Self::Journal(_) => {
                "what workers left stays in their directories, and `inspan resume` goes on from there"
            }
            _ => "nothing is lost; then try again",
        }
    }

    fn own_hint(&self) -> Option<String> {
        Some(match self {
            Self::NotARepository { .. } => {
                "change into one, or make one: `git init && git add . && git commit -m start`".to_owned()
            }
            Self::Sandbox(_) => {
                "`inspan doctor` shows which this machine has, and `--sandbox auto` takes the best of them; `--dangerously-no-sandbox` goes without, on a machine that may be spoilt"
                    .to_owned()
            }
            Self::BareRepository { .. } => "clone it, and run inspan in the clone".to_owned(),
            Self::NoCheckout { .. } => "change into the checkout".to_owned(),
            Self::EmptyRepository { .. } => "make the first commit: `git add . && git commit -m start`".to_owned(),
            Self::Unmerged { .. } => "finish or abort the merge (`git status` shows it), then try again".to_owned(),
            Self::NotOurs { .. } => "look at it; move it away if nothing in it is needed".to_owned(),
            Self::NoRuns => "start one: `inspan run \"what you want changed\"`".to_owned(),
            Self::NoSuchRun { .. } => "`inspan status --all` lists the runs".to_owned(),
            Self::AmbiguousRun { .. } => "give more letters".to_owned(),
            Self::Busy { run, held: Held { work: Some(Work::Run), .. } } => {
                format!("wait for it (`inspan status {run}`), or stop it: `inspan cancel {run}`")
            }
            Self::Busy { .. } => "it is over in a moment; try again then".to_owned(),
            Self::Unreachable { pid, .. } => format!("stop it where it was started, or as its owner: `kill -INT {pid}`"),
            Self::Damaged { path, .. } => damage::what_is_left(path),
            Self::InvalidPlan { problems, guess, .. } if problems.iter().any(|problem| problem.rule == "no-gate") => say_gate(guess),
            Self::InvalidPlan { .. } => "mend the plan; nothing was started".to_owned(),
            Self::UnknownPrice { model } => {
                let (provider, name) = model.split_once('/').unwrap_or(("PROVIDER", model));
                format!("use --max-tokens, or say the price in inspan.toml: `[providers.{provider}.models.\"{name}\"]` `price = {{ hit = …, miss = …, output = … }}`")
            }
            Self::NoModel { .. } => "name one with --model provider/model (a run that goes on wants it again); or set DEEPSEEK_API_KEY; or INSPAN_MODEL (such as ollama/qwen3-coder); or INSPAN_BASE_URL, \
                                     INSPAN_API_KEY and INSPAN_MODEL for any OpenAI-compatible endpoint; or `model` in inspan.toml"
                .to_owned(),
            Self::NoPlan { .. } => {
                "say the goal more precisely, use a stronger model, or write the plan yourself (`inspan run --plan FILE`)"
                    .to_owned()
            }
            Self::NobodyToReview { run } => {
                format!("approve it in a terminal with `inspan review {run}`, or start with `--yes` to approve plans unseen")
            }
            Self::Halted { why, run } => {
                let what = advice(why).map(|what| format!("{what}; ")).unwrap_or_default();
                format!("{what}everything is kept; when that is mended, go on with `inspan resume {run}`")
            }
            Self::Journal(error) | Self::Record(RecordError::Journal(error)) if error.is_damage() => damage::what_is_left(error.path()),
            Self::Journal(JournalError::TakenOver { .. }) | Self::Record(RecordError::Journal(JournalError::TakenOver { .. })) => {
                "`inspan status` shows how the run goes on".to_owned()
            }
            Self::Refused { hint, .. } | Self::Model { hint, .. } => hint.clone(),
            _ => return None,
        })
        .filter(|hint| !hint.is_empty())
    }

    /// The process's exit code: 1 the tool failed, 2 usage or configuration, 4 plan, 5 budget, 130 stopped.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotARepository { .. }
            | Self::BareRepository { .. }
            | Self::NoCheckout { .. }
            | Self::EmptyRepository { .. }
            | Self::Unmerged { .. }
            | Self::Sandbox(_)
            | Self::NoRuns
            | Self::NoSuchRun { .. }
            | Self::AmbiguousRun { .. }
            | Self::NoModel { .. }
            | Self::UnknownPrice { .. }
            | Self::Usage(_) => 2,
            Self::InvalidPlan { .. } | Self::NoPlan { .. } | Self::NobodyToReview { .. } | Self::Rejected => 4,
            Self::OverBudget(_) => 5,
            Self::Interrupted => 130,
            Self::NotIsolated { .. }
            | Self::StillAstray { .. }
            | Self::NotOurs { .. }
            | Self::Disk { .. }
            | Self::Busy { .. }
            | Self::Unreachable { .. }
            | Self::Damaged { .. }
            | Self::Survey(_)
            | Self::Halted { .. }
            | Self::Refused { .. }
            | Self::Model { .. }
            | Self::Git(_)
            | Self::Journal(_)
            | Self::Record(_)
            | Self::Defect(_) => 1,
        }
    }
}

/// The exit code of a run that came to its end.
pub fn exit_code_of(status: RunStatus) -> u8 {
    match status {
        RunStatus::Complete => 0,
        RunStatus::Incomplete => 3,
        RunStatus::OverBudget => 5,
        RunStatus::Cancelled => 130,
    }
}

fn say_held(held: Held) -> String {
    let doing = match held.work {
        Some(Work::Run) => "worked on",
        Some(Work::Apply) => "brought into a branch",
        Some(Work::Clean) => "cleared away",
        Some(Work::Order) => "given an order",
        None => "taken up",
    };
    format!("being {doing} by process {}", held.pid)
}

fn say_gate(guess: &[String]) -> String {
    let commands: Vec<String> = guess.iter().map(|command| format!("{command:?}")).collect();
    let example = if commands.is_empty() { String::new() } else { format!(" (probably `commands = [{}]`)", commands.join(", ")) };
    format!("set `[gate] commands` in inspan.toml or in the plan{example}, or say `--no-gate` to go without; nothing was started")
}

fn say_problems(source: &str, problems: &[Problem]) -> String {
    let list: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    let noun = if problems.len() == 1 { "problem" } else { "problems" };
    format!("{source} has {} {noun}:\n{}", problems.len(), list.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_or_out_of_reach_is_no_fault_of_the_command_line() {
        let damaged = Error::Damaged { path: "surroundings.json".into(), why: "no JSON".to_owned() };
        let unreachable = Error::Unreachable { pid: 7, source: std::io::ErrorKind::PermissionDenied.into() };
        for error in [damaged, unreachable, Error::Survey("a broken file".to_owned())] {
            assert_eq!(error.exit_code(), 1, "{error}");
        }
    }

    #[test]
    fn only_what_can_be_cancelled_is_advised_to_be_cancelled() {
        for (work, cancel) in [(Some(Work::Run), true), (Some(Work::Apply), false), (Some(Work::Clean), false), (None, false)] {
            let error = Error::Busy { run: "r".to_owned(), held: Held { pid: 7, work } };
            assert_eq!(error.hint().unwrap_or_default().contains("cancel"), cancel, "{error}");
        }
    }
}
