//! How often a slow gate runs: 200 tasks on 8 workers and a gate of 10 s, each task alone beside batches (target: below a quarter of the tasks).

#![expect(clippy::print_stdout, reason = "a table of counts is what this benchmark is for")]

use plans::{
    event::{Event, Settings},
    run_state::Phase,
};

use crate::{
    plan::{Shape, plan},
    play::{Pace, play},
};

const TASKS: usize = 200;

/// Prints a table: it is a count on a virtual clock, and no time.
pub fn table() {
    println!("{:<12} {:>9} {:>9}   200 tasks of 5 to 60 s, a gate of 10 s", "batch", "gate runs", "seconds");
    for batch in [1, 8, 32] {
        let mut random = fastrand::Rng::with_seed(3);
        let plan = plan(TASKS, Shape::Free, &mut random);
        let tasks = (0..TASKS).map(|_| random.u64(5..=60)).collect();
        let pace = Pace { tasks, landing: 10, ..Pace::default() };
        let played = play(&plan, Settings { workers: 8, batch, ..Settings::default() }, &pace);
        assert!(matches!(played.state.phase(), Phase::Over(_)), "it ends");
        let begins = |pair: &[Event]| {
            let is_start = |event: &Event| matches!(event, Event::LandingStarted { .. });
            is_start(&pair[1]) && !is_start(&pair[0])
        };
        let runs = played.events.windows(2).filter(|pair| begins(pair)).count();
        println!("{batch:<12} {runs:>9} {:>9}", played.makespan);
    }
}
