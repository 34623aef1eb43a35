//! How long a run has been worked at: the time of its processes, and not the nights between them.
//!
//! A fold does not look at times ([`run_state`](crate::run_state)); the limit of minutes has to, and this is the only place.
//!
//! **Invariant:** a resumed run does not begin anew: what earlier processes took is in its `run_resumed`. **Invariant:** time in which a
//! person held the run does not count.

use std::time::Duration;

use crate::event::{Entry, Event};

/// How long the run was worked at, up to its last event. Of a process that was killed, what it took after its last event is unknown.
pub fn time_at_work(entries: &[Entry]) -> Duration {
    let begins = |entry: &Entry| matches!(entry.event, Event::RunStarted { .. } | Event::RunResumed { .. });
    let Some(first) = entries.iter().rposition(begins) else { return Duration::ZERO };
    let before = match entries[first].event {
        Event::RunResumed { worked_s, .. } => Duration::from_secs(worked_s),
        _ => Duration::ZERO,
    };
    let (mut worked, mut since, mut is_held) = (before, &entries[first], false);
    for entry in &entries[first..] {
        let is_switch = matches!(entry.event, Event::RunPaused | Event::RunUnpaused);
        if is_switch || entry.seq == entries[entries.len() - 1].seq {
            worked += if is_held { Duration::ZERO } else { between(since, entry) };
            (since, is_held) = (entry, if is_switch { entry.event == Event::RunPaused } else { is_held });
        }
    }
    worked
}

/// A clock that was put back has taken no time.
fn between(since: &Entry, until: &Entry) -> Duration {
    let time = |entry: &Entry| humantime::parse_rfc3339(&entry.time).ok();
    let span = time(until).zip(time(since)).and_then(|(until, since)| until.duration_since(since).ok());
    span.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CommitId, Settings, VERSION};

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
        assert_eq!(time_at_work(&entries(&first)).as_secs(), 300);
        // What the next process puts in order before it takes the run up is not the first one's time: it looks before it writes.
        let second = [("21T09:00:00", resumed(300)), ("21T09:01:00", Event::CancelRequested)];
        let all = [&first[..], &second[..]].concat();
        assert_eq!(time_at_work(&entries(&all)).as_secs(), 360);
        assert_eq!(time_at_work(&[]), Duration::ZERO);
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
        let worked = |count: usize| time_at_work(&entries(&lines[..count])).as_secs();
        assert_eq!([1, 2, 3, 4, 5].map(worked), [0, 300, 300, 300, 360]);
    }

    #[test]
    fn a_clock_that_went_back_and_a_time_that_does_not_read_count_nothing() {
        assert_eq!(
            time_at_work(&entries(&[("20T10:00:00", started()), ("19T10:00:00", Event::CancelRequested)])),
            Duration::ZERO
        );
        assert_eq!(time_at_work(&entries(&[("20T10:00:00", started()), ("noon", Event::CancelRequested)])), Duration::ZERO);
    }
}
