//! What can be typed. What it means is in `command`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// A harness for teams of coding agents: a goal in, one tested branch out.
#[derive(Debug, Parser)]
#[command(name = "inspan", version, about, propagate_version = true, max_term_width = 110)]
pub(crate) struct Args {
    /// Say only errors and questions
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Work in this directory instead of the current one
    #[arg(long, short = 'C', global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Draft a plan for a goal, check it, show it and write it
    Plan(PlanArgs),
    /// Plan, review and carry out a change
    Run(RunArgs),
    /// Review a plan that waits, then carry it out
    Review(ResumeArgs),
    /// Show how a run stands, or all runs
    Status(StatusArgs),
    /// Show what a run has changed
    Diff(DiffArgs),
    /// Show what has happened in a run, or to one of its tasks
    Log(LogArgs),
    /// Go on with a run that was paused, interrupted, halted, or left incomplete
    Resume(ResumeArgs),
    /// Hold a live run: nothing begins and no model is asked until `inspan resume`
    Pause(RunName),
    /// Stop a run, or give one of its tasks up; what its workers left is kept
    #[command(
        override_usage = "inspan cancel [RUN] [TASK]",
        after_help = "To stop a whole run by the beginning of its name takes at least 4 letters of it."
    )]
    Cancel(RunAndTask),
    /// Say something to whoever does a task; it is heard at the next turn, or when the run goes on
    #[command(override_usage = "inspan steer [RUN] TASK MESSAGE...")]
    Steer(SteerArgs),
    /// Try a task again, with all its attempts; a run that is not live goes on for it
    #[command(override_usage = "inspan retry [RUN] TASK [--from ATTEMPT]")]
    Retry(RetryArgs),
    /// Take a task out of the plan; what waits for it goes on without it
    #[command(
        override_usage = "inspan skip [RUN] TASK",
        after_help = "A task that is running is stopped; what it has done is kept under refs/inspan/. To skip a task cannot be undone: \
                      `inspan cancel` gives one up that `inspan retry` can take up again."
    )]
    Skip(TaskWords),
    /// Have the planner look at the plan now, or when the run goes on
    #[command(override_usage = "inspan replan [RUN] [WORDS]...")]
    Replan(ReplanArgs),
    /// Show or change what a run, or one of its tasks, may take
    Limits(LimitsArgs),
    /// Bring the result of a run into the current branch
    Apply(ApplyArgs),
    /// Remove worktrees that are no longer needed, or all of a run that was applied
    Clean(CleanArgs),
    /// Merge three versions of one file, as a merge driver of git
    Merge(MergeArgs),
    /// Show the configuration and where each value comes from
    Config(ConfigArgs),
    /// Write a commented inspan.toml
    Init,
    /// Check git, the repository, the configuration and the model endpoint
    Doctor,
    /// Run the whole loop on a throw-away repository with a scripted model
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One event a line, on standard output
    Json,
}

/// Which plans are reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReviewArg {
    /// Every revision of the plan
    Always,
    /// The first plan; re-plans are shown
    First,
    /// None
    Never,
}

#[derive(Debug, Default, ClapArgs)]
pub(crate) struct GoalArgs {
    /// What is to be changed, in your words
    #[arg(value_name = "GOAL", conflicts_with = "file")]
    pub(crate) goal: Option<String>,
    /// Read the goal from a file (`-` for standard input)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
pub(crate) struct LimitArgs {
    /// The model of every role, as provider/model; roles and stand-ins that files name are then left out
    #[arg(long, value_name = "PROVIDER/MODEL")]
    pub(crate) model: Option<String>,
    /// Workers at once
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u32>,
    /// What the run may cost, in US dollars
    #[arg(long, value_name = "USD")]
    pub(crate) max_cost: Option<f64>,
    /// How many tokens the run may use
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u64>,
    /// How long the run may take, in minutes
    #[arg(long, value_name = "N")]
    pub(crate) max_minutes: Option<u32>,
    /// How much of the disk the run's worktrees and records may take, in megabytes
    #[arg(long, value_name = "MB")]
    pub(crate) max_disk: Option<u64>,
    /// What bounds the commands of workers: auto, bubblewrap, helper or seatbelt
    #[arg(long, value_name = "TIER", conflicts_with = "dangerously_no_sandbox")]
    pub(crate) sandbox: Option<String>,
    /// Let the commands of workers do whatever you may do on this machine
    #[arg(long)]
    pub(crate) dangerously_no_sandbox: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) goal: GoalArgs,
    /// Where to write the plan; standard output without it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Go without a gate
    #[arg(long)]
    pub(crate) no_gate: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Debug, Default, ClapArgs)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) goal: GoalArgs,
    /// Carry out this plan file instead of asking the planner
    #[arg(long, value_name = "FILE", conflicts_with_all = ["goal", "file", "solo"])]
    pub(crate) plan: Option<PathBuf>,
    /// Make the goal one task, without a planner
    #[arg(long)]
    pub(crate) solo: bool,
    /// Go without a gate: nothing proves the merged tree
    #[arg(long)]
    pub(crate) no_gate: bool,
    /// Answer from the transcripts of this run instead of asking a model; without a goal or plan, with its own
    #[arg(long, value_name = "RUN", conflicts_with = "model")]
    pub(crate) replay: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

#[derive(Debug, Default, ClapArgs)]
pub(crate) struct HowArgs {
    /// Approve every plan unseen
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Which plans wait for a person
    #[arg(long, value_name = "WHEN")]
    pub(crate) review: Option<ReviewArg>,
    /// How events are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output_format: OutputFormat,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunName {
    /// The run: its name or the beginning of it; without it the one that is live, or the latest that it can be
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) run: RunName,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunAndTask {
    #[command(flatten)]
    pub(crate) run: RunName,
    /// Only this task
    #[arg(value_name = "TASK")]
    pub(crate) task: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TaskWords {
    /// The task; before it the run, where it is not the live one or the latest
    #[arg(required = true, num_args = 1..=2, value_name = "TASK")]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SteerArgs {
    /// The task, and what is said; before them the run, where it is not the live one or the latest
    #[arg(required = true, num_args = 2.., value_name = "WORDS")]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    pub(crate) task: TaskWords,
    /// Go on from where this attempt left off, with its files and its conversation
    #[arg(long, value_name = "ATTEMPT")]
    pub(crate) from: Option<u32>,
    #[command(flatten)]
    pub(crate) limits: AttemptArgs,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

/// What each attempt at a task may take from now on.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
pub(crate) struct AttemptArgs {
    /// Model turns of each attempt at it from now on
    #[arg(long, value_name = "N")]
    pub(crate) turns: Option<u32>,
    /// Tokens of each attempt
    #[arg(long, value_name = "N")]
    pub(crate) tokens: Option<u64>,
    /// Minutes of each attempt
    #[arg(long, value_name = "N")]
    pub(crate) minutes: Option<u32>,
    /// US dollars of each attempt
    #[arg(long, value_name = "USD")]
    pub(crate) cost: Option<f64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplanArgs {
    /// What the planner is asked for; before it the run, where it is not the live one or the latest
    #[arg(num_args = 0.., value_name = "WORDS")]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LimitsArgs {
    #[command(flatten)]
    pub(crate) run: RunName,
    /// What the run may cost, in US dollars
    #[arg(long, value_name = "USD")]
    pub(crate) max_cost: Option<f64>,
    /// How many tokens the run may use
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u64>,
    /// How long the run may take, in minutes
    #[arg(long, value_name = "N")]
    pub(crate) max_minutes: Option<u32>,
    /// How much of the disk the run's worktrees and records may take, in megabytes
    #[arg(long, value_name = "MB")]
    pub(crate) max_disk: Option<u64>,
    /// Workers at once
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u32>,
    /// Tries at a task before its failure is evidence
    #[arg(long, value_name = "N")]
    pub(crate) attempts: Option<u32>,
    /// Re-plans that the run may begin by itself
    #[arg(long, value_name = "N")]
    pub(crate) replans: Option<u32>,
    /// What each attempt at this task may take: with the next four
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// Model turns
    #[arg(long, value_name = "N", requires = "task")]
    pub(crate) turns: Option<u32>,
    /// Tokens
    #[arg(long, value_name = "N", requires = "task")]
    pub(crate) tokens: Option<u64>,
    /// Minutes
    #[arg(long, value_name = "N", requires = "task")]
    pub(crate) minutes: Option<u32>,
    /// US dollars
    #[arg(long, value_name = "USD", requires = "task")]
    pub(crate) cost: Option<f64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) run: RunName,
    /// List all runs
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Draw the plan's graph: as text, or in a language for graphs
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "text")]
    pub(crate) graph: Option<GraphFormat>,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output_format: OutputFormat,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For the terminal
    Text,
    /// For Markdown
    Mermaid,
    /// For Graphviz
    Dot,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) run: RunName,
    /// Only what this task landed, or what its last attempt left
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// What this attempt at the task left
    #[arg(long, value_name = "N", requires = "task")]
    pub(crate) attempt: Option<u32>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    pub(crate) run: RunName,
    /// Only what concerns this task, with its conversation
    #[arg(value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// List every attempt: how it ended, what it took and changed, and where that is
    #[arg(long)]
    pub(crate) attempts: bool,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output_format: OutputFormat,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) run: RunName,
    /// As one commit
    #[arg(long, conflicts_with = "merge")]
    pub(crate) squash: bool,
    /// With a merge commit, even where a fast-forward would do
    #[arg(long)]
    pub(crate) merge: bool,
    /// Take the result merged with your branch unproved, where you have gone on since the run started
    #[arg(long)]
    pub(crate) no_gate: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CleanArgs {
    #[command(flatten)]
    pub(crate) run: RunName,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove all that is listed without asking, not only worktrees
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Remove a run whatever it holds: a result that is in no branch of yours, or what attempts left. Wants the whole name of the run
    #[arg(long, requires = "run")]
    pub(crate) give_up: bool,
}

/// Exit codes are a merge driver's: 0 clean, 1 to 127 conflicts, 128 and above an error.
#[derive(Debug, ClapArgs)]
pub(crate) struct MergeArgs {
    /// What both grew from (`%O`); where it is missing, both have added the file
    #[arg(long, value_name = "FILE")]
    pub(crate) base: PathBuf,
    /// The current version (`%A`)
    #[arg(long, value_name = "FILE")]
    pub(crate) ours: PathBuf,
    /// The other one (`%B`)
    #[arg(long, value_name = "FILE")]
    pub(crate) theirs: PathBuf,
    /// Where the file is in its repository (`%P`), which says what it holds
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// Where to write the result: `-` for standard output, or one of the three
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// How long conflict markers are (`%L`)
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) marker_size: u32,
    /// What stands after `<<<<<<<` (`%X`)
    #[arg(long, value_name = "LABEL", default_value = "ours")]
    pub(crate) ours_label: String,
    /// What stands after `|||||||` (`%S`)
    #[arg(long, value_name = "LABEL", default_value = "base")]
    pub(crate) base_label: String,
    /// What stands after `>>>>>>>` (`%Y`)
    #[arg(long, value_name = "LABEL", default_value = "theirs")]
    pub(crate) theirs_label: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigArgs {
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output_format: OutputFormat,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Where to make the throw-away repository; a temporary folder without it
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
    }
}
