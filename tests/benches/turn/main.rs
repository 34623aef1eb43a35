//! What one turn of a worker costs this program: the request written, the answer streamed and read, a tool run on a real folder, the
//! transcript and the journal written (target: 3 ms of CPU).
//!
//! `cargo bench -p inspan-tests --bench turn`. A turn costs more the longer its conversation is, so the cost is a slope: an attempt of
//! 100 turns less one of 20, over 80. It is CPU time of this process alone; the endpoint is a process of its own, and whatever is
//! paid once for an attempt falls out of the difference. The slope from 2 to 20 turns beside it shows how flat a turn stays: what grows is
//! the writing of the request, all of which goes out anew.
//!
//! What the look for drift takes of that is measured by itself, at 1, 20 and 100 turns: a fraction of a microsecond a message.
//!
//! **Invariant:** everything in the path of a turn is what a run uses: client, loop, tools, transcript, and the journal's
//! statement. Only `finish` and `request_scope`, which no turn here calls, answer by themselves.
//!
//! Why not criterion? It measures what is repeated, and here two things are subtracted from each other.

#![expect(clippy::print_stdout, reason = "tables are what this benchmark is for")]

mod drift;
mod endpoint;
mod journal;
mod workplace;

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::workplace::Workplace;

const FIRST: u32 = 2;
const SHORT: u32 = 20;
const LONG: u32 = 100;
const ROUNDS: usize = 21;

fn main() {
    if endpoint::is_child() {
        return endpoint::serve();
    }
    let server = endpoint::Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let place = Workplace::new(&server.base_url());
    let first = runtime.block_on(place.first_request());
    println!("Before the repository brief, the first request is {first} bytes: {:.2} KiB (target: 6)", first as f64 / 1024.0);
    let mut rounds: Vec<Round> = Vec::new();
    for _ in 0..=ROUNDS {
        let spend = |turns| spent(|| runtime.block_on(place.attempt(turns)));
        let (first, short, long) = (spend(FIRST), spend(SHORT), spend(LONG));
        rounds.push(Round {
            early: slope(first.0, short.0, SHORT - FIRST),
            cpu: slope(short.0, long.0, LONG - SHORT),
            wall: slope(short.1, long.1, LONG - SHORT),
            request: long.2,
        });
    }
    // The first round warms caches, the connection and the threads.
    report(&rounds[1..]);
    drift::report();
}

/// Microseconds of a turn.
struct Round {
    /// CPU, from the first turns to the short attempt.
    early: f64,
    cpu: f64,
    wall: f64,
    /// Bytes of the last request.
    request: u64,
}

fn report(rounds: &[Round]) {
    let sorted = |of: fn(&Round) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    println!("A turn, slope from {SHORT} to {LONG} turns, {ROUNDS} rounds, in ms (target: 3 of CPU)");
    println!("{:<18} {:>8} {:>8} {:>8}", "", "median", "least", "most");
    let early = format!("CPU, {FIRST} to {SHORT} turns");
    for (name, all) in
        [("CPU", sorted(|round| round.cpu)), ("wall", sorted(|round| round.wall)), (&early, sorted(|round| round.early))]
    {
        let in_ms = |at: usize| all[at] / 1_000.0;
        println!("{name:<18} {:>8.3} {:>8.3} {:>8.3}", in_ms(all.len() / 2), in_ms(0), in_ms(all.len() - 1));
    }
    println!("The last request of the longer attempt is {} bytes.", rounds[0].request);
}

fn slope(short: Duration, long: Duration, turns: u32) -> f64 {
    (long.as_secs_f64() - short.as_secs_f64()) * 1e6 / f64::from(turns)
}

/// CPU time of this process, wall time, and what came out.
fn spent<T>(work: impl FnOnce() -> T) -> (Duration, Duration, T) {
    let (cpu, wall) = (cpu_time(), Instant::now());
    let value = work();
    (cpu_time().saturating_sub(cpu), wall.elapsed(), value)
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).expect("CPU time is not negative")
}
