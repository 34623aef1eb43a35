//! Which process may write a journal: the one that raised its epoch last.
//!
//! **Invariant:** epochs only grow. A process knows its own from the moment that it opened the journal, and never takes another.
//!
//! Why not the process's number and start time? They say nothing across machines, and a suspended process has the same ones afterwards.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::JournalError;

/// What tells whether a process may still act for a run. It can be asked from anywhere, beside the journal that it is of.
#[derive(Debug, Clone)]
pub struct Fence {
    path: PathBuf,
    own: u64,
}

impl Fence {
    pub(super) fn new(path: PathBuf, own: u64) -> Self {
        Self { path, own }
    }

    /// Whether nobody has taken the run since. Whoever cannot find out must not act.
    pub fn stands(&self) -> Result<(), JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(std::time::Duration::from_secs(5)).map(|()| connection)
        };
        let connection = open().map_err(|source| JournalError::Database { path: self.path.clone(), source })?;
        match epoch(&connection, &self.path)? {
            now if now == self.own => Ok(()),
            now => Err(JournalError::TakenOver { path: self.path.clone(), own: self.own, now }),
        }
    }
}

/// Takes the journal for this process. One that is older than epochs gets its first one.
pub(super) fn raise(connection: &mut Connection, path: &Path) -> Result<u64, JournalError> {
    let database = |source| JournalError::Database { path: path.to_owned(), source };
    let changing = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(database)?;
    changing
        .execute_batch(
            "create table if not exists writer (epoch integer primary key, pid integer not null, time text not null, since integer) strict",
        )
        .map_err(database)?;
    if !knows_since(&changing).map_err(database)? {
        changing.execute_batch("alter table writer add column since integer").map_err(|error| strange(path, &error))?;
    }
    let rows: u64 = changing.query_row("select count(*) from writer", [], |row| row.get(0)).map_err(database)?;
    let epoch = if rows == 0 { 1 } else { epoch(&changing, path)? + 1 };
    let time = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
    let taken = "insert into writer (epoch, pid, time, since) select ?1, ?2, ?3, coalesce(max(seq), 0) + 1 from event";
    changing.execute(taken, rusqlite::params![epoch, std::process::id(), time]).map_err(|error| strange(path, &error))?;
    changing.commit().map_err(database)?;
    Ok(epoch)
}

/// The first event of each writer, as far as the journal knows: one of an older version has not said.
pub(super) fn taken(connection: &Connection, path: &Path) -> Result<BTreeSet<u64>, JournalError> {
    let read = || {
        if !knows_since(connection)? {
            return Ok(BTreeSet::new());
        }
        let mut select = connection.prepare("select since from writer where since is not null")?;
        select.query_map([], |row| row.get(0))?.collect()
    };
    read().map_err(|error| strange(path, &error))
}

fn knows_since(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("select count(*) > 0 from pragma_table_info('writer') where name = 'since'", [], |row| row.get(0))
}

/// Why nothing was written.
pub(super) fn taken_over(connection: &Connection, path: &Path, own: u64) -> JournalError {
    match epoch(connection, path) {
        Ok(now) => JournalError::TakenOver { path: path.to_owned(), own, now },
        Err(error) => error,
    }
}

fn epoch(connection: &Connection, path: &Path) -> Result<u64, JournalError> {
    let epoch: Option<i64> =
        connection.query_row("select max(epoch) from writer", [], |row| row.get(0)).map_err(|error| strange(path, &error))?;
    let sound = epoch.and_then(|epoch| u64::try_from(epoch).ok()).filter(|epoch| (1..u64::MAX >> 2).contains(epoch));
    sound.ok_or_else(|| JournalError::Epoch {
        path: path.to_owned(),
        why: match epoch {
            Some(epoch) => format!("its table `writer` says {epoch}"),
            None => "its table `writer` is empty".to_owned(),
        },
    })
}

fn strange(path: &Path, error: &rusqlite::Error) -> JournalError {
    JournalError::Epoch { path: path.to_owned(), why: format!("its table `writer` cannot be read ({error})") }
}

#[cfg(test)]
mod tests {
    use plans::event::Event;
    use shared::RunId;

    use super::super::Journal;

    fn open(folder: &std::path::Path) -> Result<Journal, super::JournalError> {
        Journal::open(folder, RunId::new("abcdefgh").unwrap())
    }

    #[test]
    fn whoever_took_a_journal_before_another_can_write_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(folder.path()).unwrap();
        first.append(&Event::CancelRequested).unwrap();
        let fence = first.fence().unwrap();
        fence.stands().unwrap();
        let mut second = open(folder.path()).unwrap();
        for error in [
            first.append(&Event::CancelRequested).unwrap_err(),
            first.append_all(&[Event::CancelRequested, Event::RunPaused]).unwrap_err(),
            fence.stands().unwrap_err(),
        ] {
            assert!(error.to_string().contains("another process has taken the run over"), "{error}");
        }
        second.append(&Event::RunPaused).unwrap();
        assert_eq!(second.after(0).unwrap().iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_was_written_before_the_run_was_taken_over_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(folder.path()).unwrap();
        first.append(&Event::CancelRequested).unwrap();
        let mut second = open(folder.path()).unwrap();
        assert_eq!(second.append(&Event::RunPaused).unwrap().seq, 2);
    }

    #[test]
    fn a_journal_that_is_older_than_epochs_is_taken_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut old = open(folder.path()).unwrap();
        old.append(&Event::CancelRequested).unwrap();
        old.connection.execute_batch("drop table writer").unwrap();
        drop(old);
        assert_eq!(Journal::read_only(folder.path(), RunId::new("abcdefgh").unwrap()).unwrap().after(0).unwrap().len(), 1);
        assert_eq!(open(folder.path()).unwrap().append(&Event::RunPaused).unwrap().seq, 2);
    }

    #[test]
    fn it_is_known_which_events_another_writer_began_with_except_of_writers_that_did_not_say() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(folder.path()).unwrap();
        first.append_all(&[Event::CancelRequested, Event::RunPaused]).unwrap();
        // A writer of an older version.
        first.connection.execute_batch("alter table writer drop column since").unwrap();
        assert_eq!(first.taken().unwrap().len(), 0);
        let mut second = open(folder.path()).unwrap();
        second.append(&Event::RunPaused).unwrap();
        assert_eq!(open(folder.path()).unwrap().taken().unwrap(), [3, 4].into());
    }

    #[test]
    fn a_table_of_epochs_that_says_nothing_sound_is_an_error_in_words() {
        let garbled = [
            "drop table writer; create table writer (x text)",
            "drop table writer; create table writer (epoch text, pid integer, time text); insert into writer values ('soon', 1, '')",
            "delete from writer; insert into writer (epoch, pid, time) values (-7, 1, '')",
            "delete from writer; insert into writer (epoch, pid, time) values (9223372036854775807, 1, '')",
        ];
        for change in garbled {
            let folder = tempfile::tempdir().unwrap();
            let mut journal = open(folder.path()).unwrap();
            journal.connection.execute_batch(change).unwrap();
            let said = [
                journal.append(&Event::RunPaused).unwrap_err(),
                open(folder.path()).map(drop).err().unwrap_or_else(|| {
                    // A table without a row of ours is as good as none.
                    journal.append(&Event::RunPaused).unwrap_err()
                }),
            ];
            for error in said {
                let text = error.to_string();
                assert!(text.contains("writer") || text.contains("taken the run over"), "{change}: {text}");
            }
        }
    }
}
