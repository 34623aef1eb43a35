//! What the pure half costs, and how good its order of work is: the fold of a journal, what is owed, the makespan of a schedule.
//!
//! `cargo bench -p inspan-tests --bench state`. The makespans are a table, for they are ratios and no times.
//!
//! **Invariant:** plans, durations and happenings are drawn from fixed seeds; two runs of this program measure the same work.

mod fold;
mod gates;
mod makespan;
mod owed;
mod plan;
mod play;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    gates::table();
    makespan::bench(&mut criterion);
    fold::bench(&mut criterion);
    owed::bench(&mut criterion);
    criterion.final_summary();
}
