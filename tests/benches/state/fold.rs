//! A journal of 100,000 events folded to a state: what `resume` and `status` wait for (target: 1 s, read and folded).
//!
//! 200 tasks, three attempts at each, since two landings of each conflict; the rest are turns.

use criterion::Criterion;
use plans::{
    event::{Entry, Settings, VERSION},
    run_state::RunState,
};
use shared::RunId;

use crate::{
    plan::{Shape, plan},
    play::{Pace, play},
};

const EVENTS: usize = 100_000;

pub fn bench(criterion: &mut Criterion) {
    let journal = journal();
    let lines: Vec<String> = journal.iter().map(|entry| serde_json::to_string(entry).expect("an entry is JSON")).collect();
    let bytes = lines.iter().map(String::len).sum::<usize>();
    let mut group = criterion.benchmark_group("100,000 events");
    group.bench_function("fold of entries in memory", |bencher| {
        bencher.iter(|| RunState::fold(&journal).expect("a journal of this program"));
    });
    group.bench_function(format!("fold of {bytes} bytes of JSON lines, with reading them"), |bencher| {
        bencher.iter(|| RunState::fold(&read(&lines)).expect("a journal of this program"));
    });
    group.finish();
}

fn read(lines: &[String]) -> Vec<Entry> {
    lines.iter().map(|line| serde_json::from_str(line).expect("a line of this program")).collect()
}

/// The beginning of a journal is a journal: what a run had written when its process died.
fn journal() -> Vec<Entry> {
    let plan = plan(200, Shape::Window, &mut fastrand::Rng::with_seed(1));
    let pace = Pace { tasks: vec![100_000; 200], landing: 1_000, turns: 163, conflicts: 2 };
    let events = play(&plan, Settings { workers: 8, ..Settings::default() }, &pace).events;
    assert!((EVENTS..EVENTS * 11 / 10).contains(&events.len()), "{} events", events.len());
    let run = RunId::from_bits(1);
    let entry =
        |(seq, event)| Entry { version: VERSION, seq, time: "2026-01-01T00:00:00.000Z".to_owned(), run: run.clone(), event };
    (1..).zip(events).take(EVENTS).map(entry).collect()
}
