//! The plug is pulled at every event of a run, and the run comes to the same end.
//!
//! The run (`story`) has eight tasks, a conflict that its agents have to mend, and a red gate that the planner mends. A build for
//! development dies at a named event or point (`INSPAN_CRASH_AT`, see `orchestrator::crash_point`), is resumed by the real binary, and then
//! everything that must hold is looked at (`story::Story::assert_whole`).
//!
//! What runs by default is a part, fixed and spread evenly over the run: [`BY_DEFAULT`] of the points at events, the first time of each named
//! point, and a few seeds of double and triple kills. `INSPAN_MATRIX=full` runs all points, each named point as often as it is come by, and
//! a hundred seeds. Both print how many points were tried and at how many of them the process died; a point that a run did not come by (its events
//! come in another order each time, and there may be one less) is counted, and may not be the rule.
//!
//! Kills from outside, of commands and of the sandbox, are in `kills`; a run that is taken over in `fenced`; finished work in `reused`.

mod fenced;
mod kills;
mod reused;
mod story;

use std::{
    io::Write as _,
    panic,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use story::Story;

/// How many points at events are tried where not all are.
const BY_DEFAULT: usize = 20;

/// The points between events, and how often a run comes by them at least.
const NAMED: [(&str, u32); 8] = [
    ("worktree-laid-out", 12),
    ("worktree-filled", 12),
    ("worktree-made", 12),
    ("worktree-going", 8),
    ("worktree-gone", 8),
    ("attempt-committed", 10),
    ("attempt-named", 10),
    ("branch-moved", 4),
];

fn is_full() -> bool {
    std::env::var("INSPAN_MATRIX").is_ok_and(|word| word == "full")
}

/// Tries all points, as many at once as the machine has processors, and fails with every one at which anything does not hold. Says of how
/// many the process died there.
fn try_all(points: &[Vec<String>]) -> usize {
    let (next, died, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let lane = || {
        while let Some(kills) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
            match panic::catch_unwind(|| Story::new().interrupted(kills)) {
                Ok(died_there) => drop(died.fetch_add(usize::from(died_there), Ordering::Relaxed)),
                Err(_) => failed.lock().unwrap_or_else(PoisonError::into_inner).push(kills.join(", then ")),
            }
        }
    };
    thread::scope(|scope| (0..thread::available_parallelism().map_or(2, usize::from)).for_each(|_| drop(scope.spawn(lane))));
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failed.is_empty(), "of {} points these failed: {failed:?}", points.len());
    died.into_inner()
}

fn tell(what: &str, tried: usize, died: usize) {
    // Captured by the test runner unless it is asked not to; where the test fails it is shown.
    let _ = writeln!(std::io::stderr(), "{what}: {tried} points tried, the process died at {died} of them");
    assert!(died * 10 >= tried * 9, "{what}: the process died at {died} of {tried} points only");
}

#[test]
fn killed_at_any_event_a_run_comes_to_the_same_end() {
    let story = Story::new();
    let events = story.undisturbed();
    let all: Vec<Vec<String>> =
        (1..=events).flat_map(|seq| [format!("{seq}-"), seq.to_string()]).skip(1).map(|point| vec![point]).collect();
    let step = if is_full() { 1 } else { all.len().div_ceil(BY_DEFAULT) };
    let points: Vec<Vec<String>> = all.into_iter().step_by(step).collect();
    let died = try_all(&points);
    tell(&format!("of the {} points at {events} events", 2 * events - 1), points.len(), died);
}

#[test]
fn killed_between_two_effects_a_run_comes_to_the_same_end() {
    let times = |most: u32| if is_full() { most } else { 1 };
    let points: Vec<Vec<String>> =
        NAMED.into_iter().flat_map(|(name, most)| (1..=times(most)).map(move |time| vec![format!("{name}:{time}")])).collect();
    let died = try_all(&points);
    tell("named points", points.len(), died);
}

#[test]
fn killed_again_while_it_is_resumed_a_run_comes_to_the_same_end() {
    let seeds = if is_full() { 100 } else { 4 };
    let points: Vec<Vec<String>> = (0..seeds).map(random_kills).collect();
    let died = try_all(&points);
    tell("double and triple kills", points.len(), died);
}

/// Two or three points: `+7` is the seventh event that a process writes. Before its first event there is no run yet.
fn random_kills(seed: u64) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let count = random.usize(2..=3);
    let point = |_| match random.u32(0..4) {
        0 => {
            let (name, _) = NAMED[random.usize(..NAMED.len())];
            format!("{name}:{}", random.u32(1..=3))
        }
        1 => format!("+{}-", random.u64(2..25)),
        _ => format!("+{}", random.u64(1..25)),
    };
    (0..count).map(point).collect()
}
