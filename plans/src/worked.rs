//! How long a run has been worked at: the time of its processes, and not the nights between them.
//!
//! A fold does not look at times ([`run_state`](crate::run_state)); the limit of minutes has to, and this is the only place.
//!
//! **Invariant:** a resumed run does not begin anew: what earlier processes took is in its `run_resumed`.
//! **Invariant:** what lies between two processes does not count, nor what comes after the run's end: an order that is taken down for a run
//! that stands still, or a result that is brought in, is nobody's time at work.
//! **Invariant:** a clock that jumps, or a machine that sleeps, costs a run an hour at most: so much counts between two events, for hardly
//! anything that a run waits for takes longer. A clock that goes back takes nothing and gives nothing back.
//! **Invariant:** time in which a person held the run does not count.
//!
//! A process that lives counts its own time by a clock that neither jumps nor goes on while the machine sleeps; this is for the next one.

use std::{collections::BTreeSet, time::Duration};

use crate::event::{Entry, Event};

/// What counts between two events at most.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How long the run was worked at, up to its last event. Of a process that was killed, what it took after its last event is unknown.
/// `taken` are the numbers of events at which another process took the journal to write.
pub fn time_at_work(entries: &[Entry], taken: &BTreeSet<u64>) -> Duration {
    let begins = |entry: &&Entry| matches!(entry.event, Event::RunStarted { .. } | Event::RunResumed { .. });
    let Some(at) = entries.iter().rposition(|entry| begins(&entry)) else { return Duration::ZERO };
    let before = match entries[at].event {
        Event::RunResumed { worked_s, .. } => Duration::from_secs(worked_s),
        _ => Duration::ZERO,
    };
    let entries = &entries[at..];
    let end = entries.iter().position(|entry| matches!(entry.event, Event::RunEnded { .. }));
    let entries = end.map_or(entries, |end| &entries[..=end]);
    let time = |entry: &Entry| humantime::parse_rfc3339(&entry.time).ok();
    let between = |pair: &[Entry]| {
        let span = time(&pair[1]).zip(time(&pair[0])).and_then(|(later, earlier)| later.duration_since(earlier).ok());
        span.unwrap_or_default().min(LONGEST)
    };
    let mut is_held = false;
    let counts = |pair: &&[Entry]| {
        is_held = match pair[0].event {
            Event::RunPaused => true,
            Event::RunUnpaused => false,
            _ => is_held,
        };
        !is_held && !taken.contains(&pair[1].seq)
    };
    before + entries.windows(2).filter(counts).map(between).sum::<Duration>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CommitId, RunStatus, Settings, VERSION};

    fn entries(lines: &[(&str, Event)]) -> Vec<Entry> {
        let run = shared::RunId::from_bits(0);
        let entry = |(seq, (time, event)): (usize, &(&str, Event))| Entry {
            version: VERSION,
            seq: seq as u64 + 1,
            time: format!("2026-11-{time}.000Z"),
            run: run.clone(),
            event: event.clone(),
        };
        lines.iter().enumerate().map(entry).collect()
    }

    /// Where nobody has taken the journal over.
    fn worked_at(entries: &[Entry]) -> Duration {
        time_at_work(entries, &BTreeSet::new())
    }

    fn started() -> Event {
        let (base, settings) = (CommitId("b".repeat(40)), Settings::default());
        Event::RunStarted { goal: String::new(), head: base.clone(), base, snapshot: false, settings, program: String::new() }
    }

    fn resumed(worked_s: u64) -> Event {
        Event::RunResumed { settings: Settings::default(), worked_s, only: Vec::new() }
    }

    #[test]
    fn nights_between_processes_do_not_count() {
        let first = [("20T10:00:00", started()), ("20T10:05:00", Event::CancelRequested)];
        assert_eq!(worked_at(&entries(&first)).as_secs(), 300);
        // What the next process puts in order before it takes the run up is not the first one's time: it looks before it writes.
        let second = [("21T09:00:00", resumed(300)), ("21T09:01:00", Event::CancelRequested)];
        let all = [&first[..], &second[..]].concat();
        assert_eq!(worked_at(&entries(&all)).as_secs(), 360);
        assert_eq!(worked_at(&[]), Duration::ZERO);
    }

    #[test]
    fn a_machine_that_slept_for_a_night_costs_an_hour_at_most_and_a_clock_that_goes_back_only_what_was_between() {
        let slept = [
            ("20T10:00:00", started()),
            ("20T10:10:00", Event::CancelRequested),
            ("20T18:10:00", Event::CancelRequested),
            ("20T18:15:00", Event::CancelRequested),
            ("20T12:00:00", Event::CancelRequested),
            ("20T12:05:00", Event::CancelRequested),
        ];
        assert_eq!(worked_at(&entries(&slept)).as_secs() / 60, 10 + 60 + 5 + 5);
    }

    #[test]
    fn time_in_which_the_run_was_held_does_not_count() {
        let lines = [
            ("20T10:00:00", started()),
            ("20T10:05:00", Event::RunPaused),
            ("20T11:00:00", Event::CancelRequested),
            ("20T12:00:00", Event::RunUnpaused),
            ("20T12:01:00", Event::CancelRequested),
        ];
        let worked = |count: usize| worked_at(&entries(&lines[..count])).as_secs();
        assert_eq!([1, 2, 3, 4, 5].map(worked), [0, 300, 300, 300, 360]);
    }

    #[test]
    fn an_order_that_another_process_takes_down_while_the_run_stands_still_does_not_count() {
        let lines = [
            ("20T10:00:00", started()),
            ("20T10:05:00", Event::RunHalted { why: String::new() }),
            ("20T11:00:00", Event::RunPaused),
            ("20T11:00:01", Event::RunUnpaused),
            ("20T12:00:00", Event::CancelRequested),
            ("20T12:00:02", Event::CancelRequested),
        ];
        let all = entries(&lines);
        // The third event was written by another process, the fourth and the fifth by yet others.
        assert_eq!(time_at_work(&all, &BTreeSet::from([3, 4, 5])).as_secs(), 302);
        assert_eq!(time_at_work(&all[..4], &BTreeSet::from([3, 4, 5])).as_secs(), 300);
        assert_eq!(worked_at(&all).as_secs(), 300 + 3300 + 3599 + 2, "a journal that does not know its writers");
    }

    #[test]
    fn nothing_counts_once_the_run_is_over_until_it_is_resumed() {
        let (status, tip) = (RunStatus::Complete, CommitId("b".repeat(40)));
        let applied = || Event::ResultApplied { branch: "main".to_owned(), commit: CommitId("b".repeat(40)) };
        let lines = [
            ("20T10:00:00", started()),
            ("20T10:05:00", Event::RunEnded { status, tip }),
            ("20T10:30:00", applied()),
            ("20T11:00:00", resumed(300)),
            ("20T11:01:00", Event::CancelRequested),
        ];
        let all = entries(&lines);
        assert_eq!((worked_at(&all[..3]).as_secs(), worked_at(&all).as_secs()), (300, 360));
    }

    #[test]
    fn a_clock_that_went_back_and_a_time_that_does_not_read_count_nothing() {
        assert_eq!(worked_at(&entries(&[("20T10:00:00", started()), ("19T10:00:00", Event::CancelRequested)])), Duration::ZERO);
        assert_eq!(worked_at(&entries(&[("20T10:00:00", started()), ("noon", Event::CancelRequested)])), Duration::ZERO);
    }
}
