//! The journal: what has happened to a run, on disk, in order, for good.
//!
//! One `SQLite` database a run, in write-ahead mode with full synchronisation, one transaction an event (about 0.25 ms). After a crash
//! the journal is exactly the events that were acknowledged.
//!
//! **Invariant:** an effect is journaled before it is made. **Invariant:** events are only ever added.
//! **Invariant:** an event is added only by the process that took the run to write last. Whoever opens a journal to write raises its epoch,
//! and each event is written by a statement that adds it only while that epoch stands.
//!
//! The lease (`crate::lease`) keeps two processes from writing one journal as long as its lock holds. Where it does not (a process that was
//! suspended while its run was taken up elsewhere, a network file system that lost the lock, a lease that somebody removed), the epoch
//! fences off whoever is late: it can write nothing more, and says so.
//!
//! Why a database a run rather than one for all: two runs never wait for each other, a damaged file costs one run, and a run is
//! removed by removing its folder.

mod fence;
mod remains;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use plans::event::{Entry, Event, VERSION};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use shared::RunId;

pub use self::{
    fence::Fence,
    remains::{is_blank, remains},
};
use crate::crash_point;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The database says no.
    #[error("the journal {path} cannot be used: {source}")]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A line of a later version of this program.
    #[error(
        "the journal {path} was written by a later version of inspan (format {found}, this one knows {VERSION}); use that version"
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// The version of its lines.
        found: u64,
    },
    /// A line that this program cannot read.
    #[error(
        "event {seq} of the journal {path} cannot be read ({source}); it was written by another version of inspan, or damaged"
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Which event.
        seq: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Another process has taken the run since.
    #[error(
        "another process has taken the run over, so this one writes nothing more (the journal {path} is at epoch {now}, this process began \
         with {own}); nothing is lost, and the other process goes on with the run"
    )]
    TakenOver {
        /// Which.
        path: PathBuf,
        /// The epoch that this process began.
        own: u64,
        /// The one that stands.
        now: u64,
    },
    /// Who may write it is not to be made out.
    #[error("who may write the journal {path} cannot be told, so nothing is written: {why}")]
    Epoch {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl JournalError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Database { path, .. }
            | Self::Newer { path, .. }
            | Self::Unreadable { path, .. }
            | Self::TakenOver { path, .. }
            | Self::Epoch { path, .. } => path,
        }
    }

    /// Whether the file does not hold what was written: trying again will not help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Database { source, .. } => remains::is_damage(source),
            Self::Unreadable { .. } => true,
            Self::Newer { .. } | Self::TakenOver { .. } | Self::Epoch { .. } => false,
        }
    }
}

/// The journal of one run.
#[derive(Debug)]
pub struct Journal {
    run: RunId,
    path: PathBuf,
    connection: Connection,
    next: u64,
    /// The epoch that this process began; none where it only reads.
    epoch: Option<u64>,
}

impl Journal {
    const FILE: &str = "journal.db";

    /// Creates or opens the journal in a run's folder, to write.
    pub fn open(folder: &Path, run: RunId) -> Result<Self, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut journal = Self::open_with(folder, run, flags, |connection| {
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.execute_batch(
                "create table if not exists event (seq integer primary key, time text not null, type text not null, body text not null) strict",
            )
        })?;
        journal.epoch = Some(fence::raise(&mut journal.connection, &journal.path)?);
        // What whoever was fenced off has written until then is not to be written over.
        journal.next = journal.count()? + 1;
        Ok(journal)
    }

    /// What tells whether this process may still act for the run.
    pub fn fence(&self) -> Option<Fence> {
        self.epoch.map(|epoch| Fence::new(self.path.clone(), epoch))
    }

    /// The numbers of the events before which another process took the journal to write.
    pub fn taken(&self) -> Result<BTreeSet<u64>, JournalError> {
        fence::taken(&self.connection, &self.path)
    }

    fn count(&self) -> Result<u64, JournalError> {
        let last = self.connection.query_row("select max(seq) from event", [], |row| row.get::<_, Option<u64>>(0));
        last.map(Option::unwrap_or_default).map_err(|source| JournalError::Database { path: self.path.clone(), source })
    }

    /// Opens it to read, while another process may be writing.
    pub fn read_only(folder: &Path, run: RunId) -> Result<Self, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::open_with(folder, run.clone(), flags, |_| Ok(()))
            .or_else(|error| remains::read_where_nothing_can_be_written(folder, run).ok_or(error))
    }

    fn open_with(
        folder: &Path,
        run: RunId,
        flags: OpenFlags,
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Self, JournalError> {
        let path = folder.join(Self::FILE);
        let open = || {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            prepare(&connection)?;
            let last: Option<u64> =
                connection.query_row("select max(seq) from event", [], |row| row.get(0)).optional()?.flatten();
            Ok((connection, last.unwrap_or(0) + 1))
        };
        let (connection, next) = open().map_err(|source| JournalError::Database { path: path.clone(), source })?;
        Ok(Self { run, path, connection, next, epoch: None })
    }

    /// Whether a folder holds a journal, in whatever state.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(Self::FILE).is_file()
    }

    /// The number of the last event, 0 if there is none.
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    /// Adds an event. When this returns, it survives a crash.
    pub fn append(&mut self, event: &Event) -> Result<Entry, JournalError> {
        let entry = self.add(event)?;
        crash_point::after(entry.seq, entry.seq);
        Ok(entry)
    }

    /// One statement asks who may write and writes, so that nobody comes in between.
    fn add(&mut self, event: &Event) -> Result<Entry, JournalError> {
        crash_point::before(self.next);
        let time = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
        let entry = Entry { version: VERSION, seq: self.next, time, run: self.run.clone(), event: event.clone() };
        let unreadable = |source| JournalError::Unreadable { path: self.path.clone(), seq: self.next, source };
        let body = serde_json::to_value(&entry).map_err(unreadable)?;
        let kind = body.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
        let insert = "insert into event (seq, time, type, body) select ?1, ?2, ?3, ?4 where (select max(epoch) from writer) = ?5";
        let added = self
            .connection
            .prepare_cached(insert)
            .and_then(|mut insert| insert.execute(params![entry.seq, entry.time, kind, body.to_string(), self.epoch]))
            .map_err(|source| JournalError::Database { path: self.path.clone(), source })?;
        if added == 0 {
            return Err(fence::taken_over(&self.connection, &self.path, self.epoch.unwrap_or_default()));
        }
        self.next += 1;
        Ok(entry)
    }

    /// Adds several events, all or none. When this returns, they survive a crash; it costs hardly more than one.
    pub fn append_all(&mut self, events: &[Event]) -> Result<Vec<Entry>, JournalError> {
        let path = self.path.clone();
        let say = |connection: &Connection, what: &str| {
            connection.execute_batch(what).map_err(|source| JournalError::Database { path: path.clone(), source })
        };
        let first = self.next;
        say(&self.connection, "begin immediate")?;
        let entries = events.iter().map(|event| self.add(event)).collect::<Result<Vec<_>, _>>();
        let done = entries.and_then(|entries| say(&self.connection, "commit").map(|()| entries));
        if done.is_err() {
            self.next = first;
            // What cannot be taken back is gone with the process.
            let _ = say(&self.connection, "rollback");
        } else if self.next > first {
            crash_point::after(first, self.last());
        }
        done
    }

    /// The first event, if there is one.
    pub fn first(&self) -> Result<Option<Entry>, JournalError> {
        let database = |source| JournalError::Database { path: self.path.clone(), source };
        let body: Option<String> = self
            .connection
            .query_row("select body from event where seq = 1", [], |row| row.get(0))
            .optional()
            .map_err(database)?;
        body.map(|body| self.parse(1, &body)).transpose()
    }

    /// The version is looked at first: a later one may have other events.
    fn parse(&self, seq: u64, body: &str) -> Result<Entry, JournalError> {
        let unreadable = |source| JournalError::Unreadable { path: self.path.clone(), seq, source };
        let value: serde_json::Value = serde_json::from_str(body).map_err(unreadable)?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(VERSION) => Err(JournalError::Newer { path: self.path.clone(), found }),
            _ => serde_json::from_value(value).map_err(unreadable),
        }
    }

    /// All events after the one of this number, in order.
    pub fn after(&self, seq: u64) -> Result<Vec<Entry>, JournalError> {
        let database = |source| JournalError::Database { path: self.path.clone(), source };
        let mut select =
            self.connection.prepare_cached("select seq, body from event where seq > ?1 order by seq").map_err(database)?;
        let rows = select.query_map([seq], |row| Ok((row.get(0)?, row.get(1)?))).map_err(database)?;
        let read = |row: rusqlite::Result<(u64, String)>| {
            let (seq, body) = row.map_err(database)?;
            self.parse(seq, &body)
        };
        rows.map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_is_read_back_in_order_by_another_connection() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::new("abcdefgh").unwrap();
        let mut journal = Journal::open(folder.path(), run.clone()).unwrap();
        let written: Vec<Entry> = (0..3).map(|n| journal.append(&Event::RunHalted { why: format!("{n}") }).unwrap()).collect();
        let reader = Journal::read_only(folder.path(), run.clone()).unwrap();
        assert_eq!(reader.after(0).unwrap(), written);
        assert_eq!(reader.after(2).unwrap(), written[2..]);
        drop(journal);
        let next = Journal::open(folder.path(), run).unwrap().append(&Event::CancelRequested).unwrap();
        assert_eq!(next.seq, 4);
    }

    #[test]
    fn of_events_that_belong_together_all_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), RunId::new("abcdefgh").unwrap()).unwrap();
        let (one, two) = (Event::CancelRequested, Event::RunHalted { why: "w".to_owned() });
        assert_eq!(journal.append_all(&[one.clone(), two]).unwrap().len(), 2);
        let refuse = "create trigger no before insert on event when new.type = 'run_halted' begin select raise(abort, 'no'); end";
        journal.connection.execute_batch(refuse).unwrap();
        assert!(journal.append_all(&[one.clone(), Event::RunHalted { why: String::new() }]).is_err());
        assert_eq!(journal.after(0).unwrap().len(), 2, "the first of them is taken back");
        assert_eq!(journal.append(&one).unwrap().seq, 3);
    }

    #[test]
    fn lines_of_a_later_version_are_named_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), RunId::new("abcdefgh").unwrap()).unwrap();
        let line = r#"{"version":99,"seq":1,"time":"t","run":"abcdefgh","type":"never_heard_of"}"#;
        journal.connection.execute("insert into event values (1, 't', 'never_heard_of', ?1)", [line]).unwrap();
        let error = journal.after(0).unwrap_err().to_string();
        assert!(error.contains("later version"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(Journal::FILE), "x".repeat(9000)).unwrap();
        let error = Journal::open(folder.path(), RunId::new("abcdefgh").unwrap()).unwrap_err();
        assert!(error.to_string().contains("journal.db"), "{error}");
    }
}
