//! What there is to do after a run, in words: how its result is brought in, and what goes on with it.
//!
//! **Invariant:** a command that is named does what is said of it, as it is printed.

use std::fmt::Write as _;

use plans::{
    event::RunStatus,
    run_state::{RunState, TaskRecord},
    task_state::TaskState,
};

/// What can be done with a run that is over.
pub fn what_next(status: RunStatus, state: &RunState, run: &str) -> String {
    format!("{}{}", what_went(state, run), next_steps(status, state, run))
}

/// What was taken out of the plan, and by whom.
fn what_went(state: &RunState, run: &str) -> String {
    let (skipped, dropped): (Vec<&TaskRecord>, Vec<&TaskRecord>) = state.gone().iter().partition(|record| was_skipped(record));
    let names = |records: &[&TaskRecord]| records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    if !skipped.is_empty() {
        text = format!("\nYou skipped {}; `inspan log {run} --attempts` shows what was done of it.", names(&skipped));
    }
    if !dropped.is_empty() {
        let dropped = names(&dropped);
        write!(text, "\nRe-plans dropped {dropped}: look whether the goal is reached without them.").expect("a string");
    }
    text
}

/// Whether a task that is no longer in the plan was taken out by a person.
pub fn was_skipped(record: &TaskRecord) -> bool {
    record.why.starts_with("a person ")
}

/// How a run goes on that has reached one of its limits: with the flag of the one that the reason names.
pub fn with_more(why: &str, run: &str) -> String {
    let flags = ["--max-minutes N", "--max-tokens N", "--max-cost USD", "--max-disk MB"];
    let is_meant = |flag: &&str| flag.split(' ').next().is_some_and(|name| why.contains(name));
    let flag = flags.into_iter().find(is_meant).unwrap_or("--max-tokens N");
    format!("`inspan resume {run} {flag}` with a larger limit goes on")
}

fn next_steps(status: RunStatus, state: &RunState, run: &str) -> String {
    if state.waits_for_review() {
        return format!("\nNothing was carried out: the plan still waits for its review. `inspan review {run}` shows it again.");
    }
    let apply = format!("`inspan diff {run}` shows the result, `inspan apply {run}` brings it into your branch.");
    let all_landed = state.landed().len() == state.tasks().len();
    let more = || with_more(state.over_budget().unwrap_or_default(), run);
    match (status, state.landed().is_empty()) {
        (RunStatus::Incomplete, false) if all_landed => {
            format!("\nEverything landed, but the gate fails as it did before the run: mend that, too. {apply}")
        }
        (RunStatus::Complete, _) => format!("\nEvery step is tested. {apply}"),
        (RunStatus::Incomplete, false) => format!(
            "\nWhat landed is tested. {apply} `inspan log {run} TASK` shows why the rest did not land{}",
            how_the_rest_goes_on(state, run)
        ),
        (RunStatus::OverBudget, false) => format!("\nWhat landed is tested. {apply} {}.", more()),
        (RunStatus::Cancelled, false) => format!("\nWhat landed is tested. {apply} `inspan resume {run}` goes on."),
        (RunStatus::OverBudget, true) => format!("\nNothing has landed; what attempts left is kept. {}.", more()),
        (RunStatus::Cancelled, true) if state.plan().is_none() => {
            format!("\nThere is no plan yet. `inspan resume {run}` has one made.")
        }
        (RunStatus::Cancelled, true) => {
            format!("\nNothing has landed; what attempts left is kept. `inspan resume {run}` goes on.")
        }
        (RunStatus::Incomplete, true) => {
            format!("\nNothing has landed. `inspan log {run} TASK` shows why{}", how_the_rest_goes_on(state, run))
        }
    }
}

/// More attempts are recommended only where they could have been made.
fn how_the_rest_goes_on(state: &RunState, run: &str) -> String {
    if state.reopened_by(&[]).is_empty() {
        return format!("; it was given up, so only `inspan retry {run} TASK` tries it again.");
    }
    let again = format!(", `inspan resume {run}` tries it again");
    let ended =
        || state.tasks().iter().filter(|record| !record.setbacks.is_empty() && matches!(record.state, TaskState::Ended { .. }));
    if ended().any(|record| state.is_cut_short(record)) {
        return format!(
            "{again}. What came to the same end twice hardly lands by more attempts: another model (`--model`), or another plan in a new run, \
             might do it."
        );
    }
    format!("{again}; a new run may have more attempts and re-plans (`[run] attempts`, `[run] replans`).")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_was_reached_is_named_by_its_flag() {
        for (why, said) in [
            ("the run's limit of 1 minute (--max-minutes)", "`inspan resume r --max-minutes N`"),
            ("the run's limit of $1 (--max-cost): $1 is spent", "`inspan resume r --max-cost USD`"),
            ("the run's limit of 30 MiB of disk (--max-disk): it takes 40 MiB", "`inspan resume r --max-disk MB`"),
            ("the run's limit of 3k tokens (--max-tokens): 2k are spent", "`inspan resume r --max-tokens N`"),
        ] {
            assert!(with_more(why, "r").starts_with(said), "{why}");
        }
    }
}
