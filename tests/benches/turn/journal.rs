//! The journal as it costs a turn: the statements of `orchestrator`'s journal, which keeps itself to itself.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use plans::{
    event::{Entry, Event, VERSION},
    spending::Turn,
};
use rusqlite::{Connection, params};
use shared::{AttemptKey, RunId};
use worker::observe::{Observer, Progress};

/// Journals each turn, as the dispatcher does when it hears of one.
pub struct TurnJournal {
    run: RunId,
    key: AttemptKey,
    connection: Mutex<(Connection, u64)>,
    longest: AtomicU64,
}

impl TurnJournal {
    pub fn create(path: &Path, run: RunId, key: AttemptKey) -> Self {
        let connection = Connection::open(path).expect("a new database");
        connection.pragma_update(None, "journal_mode", "wal").expect("it can be written ahead");
        connection.pragma_update(None, "synchronous", "full").expect("it can be synchronised");
        let table =
            "create table event (seq integer primary key, time text not null, type text not null, body text not null) strict";
        connection.execute_batch(table).expect("a new table");
        Self { run, key, connection: Mutex::new((connection, 1)), longest: AtomicU64::new(0) }
    }

    /// The longest prompt so far, in tokens.
    pub fn longest_request(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }

    fn append(&self, event: Event) {
        let (connection, seq) = &mut *self.connection.lock().expect("nobody panics while writing");
        let time = "2026-01-01T00:00:00.000Z".to_owned();
        let entry = Entry { version: VERSION, seq: *seq, time, run: self.run.clone(), event };
        let body = serde_json::to_value(&entry).expect("an entry is JSON");
        let kind = body["type"].as_str().unwrap_or_default();
        connection
            .prepare_cached("insert into event (seq, time, type, body) values (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| insert.execute(params![entry.seq, entry.time, kind, body.to_string()]))
            .expect("the disk takes it");
        *seq += 1;
    }
}

impl Observer for TurnJournal {
    fn saw(&self, progress: Progress) {
        if let Progress::Turn { turn, tokens, cost, .. } = progress {
            self.longest.fetch_max(tokens.hit + tokens.miss, Ordering::Relaxed);
            let (task, attempt) = (Some(self.key.task.clone()), Some(self.key.attempt));
            self.append(Event::TurnTaken(Turn { task, attempt, turn, tokens, cost, ..Turn::default() }));
        }
    }
}
