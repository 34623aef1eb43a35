//! What can still be read of a damaged journal, for people: nobody needs SQL to see how far a run had come.
//!
//! Each event is looked up by its number, so that one page that does not read costs only the events on it. Nothing is folded from this: a
//! state with holes would be a guess.

use std::path::Path;

use plans::event::Entry;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use shared::RunId;

use super::Journal;

/// Nobody looks for more events than this in a file whose last number does not read.
const MOST: u64 = 200_000;
/// So many numbers in a row that are not there are the end.
const END: u64 = 1_000;

/// Whether this says that the file is not what was written.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || error.to_string().contains("no such table")
}

/// A journal on a disk that can only be read. Its database wants to write beside itself even to be read, unless it is told that nobody
/// else writes; that is so only where no process has left it in the middle.
pub(super) fn read_where_nothing_can_be_written(folder: &Path, run: RunId) -> Option<Journal> {
    let path = folder.join(Journal::FILE);
    let is_whole = std::fs::metadata(folder.join("journal.db-wal")).map_or(true, |wal| wal.len() == 0);
    let escaped = path.to_str().filter(|_| is_whole)?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).ok()?;
    let last: u64 = connection.query_row("select max(seq) from event", [], |row| row.get(0)).ok()?;
    Some(Journal { run, path, connection, next: last + 1, epoch: None })
}

/// Whether a folder holds no event and nothing that looks like one: its run was cut short before it had begun.
pub fn is_blank(folder: &Path, run: &RunId) -> bool {
    if !Journal::is_in(folder) {
        return true;
    }
    match Journal::read_only(folder, run.clone()) {
        Ok(journal) => journal.last() == 0,
        Err(error) => error.to_string().contains("no such table"),
    }
}

/// The events that read, in order. Empty where the file is none at all.
pub fn remains(folder: &Path, run: &RunId) -> Vec<Entry> {
    let path = folder.join(Journal::FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(&path, flags) else { return Vec::new() };
    let journal = Journal { run: run.clone(), path, connection, next: 1, epoch: None };
    let (mut found, mut missing) = (Vec::new(), 0);
    for seq in 1..MOST {
        let body = journal.connection.query_row("select body from event where seq = ?1", [seq], |row| row.get::<_, String>(0));
        match body.ok().and_then(|body| journal.parse(seq, &body).ok()) {
            Some(entry) => {
                found.push(entry);
                missing = 0;
            }
            None if missing == END => break,
            None => missing += 1,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use plans::event::Event;

    use super::*;

    /// A journal of many pages, checkpointed.
    fn journal(folder: &Path, run: &RunId) -> u64 {
        let mut journal = Journal::open(folder, run.clone()).unwrap();
        for number in 0..200 {
            journal.append(&Event::RunHalted { why: format!("{number} {}", "x".repeat(400)) }).unwrap();
        }
        journal.last()
    }

    #[test]
    fn one_page_that_does_not_read_costs_only_what_is_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::new("abcdefgh").unwrap();
        let all = journal(folder.path(), &run);
        let path = folder.path().join(Journal::FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let page = 10 * 4096;
        bytes[page..page + 4096].fill(0xAA);
        std::fs::write(&path, bytes).unwrap();
        let error = Journal::read_only(folder.path(), run.clone()).and_then(|journal| journal.after(0)).unwrap_err();
        assert!(error.is_damage(), "{error}");
        let left = remains(folder.path(), &run);
        assert!(left.len() as u64 > all - 20 && (left.len() as u64) < all, "{} of {all}", left.len());
        assert_eq!((left[0].seq, left.last().map(|entry| entry.seq)), (1, Some(all)));
    }

    #[test]
    fn of_what_is_no_database_nothing_reads_and_nothing_breaks() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::new("abcdefgh").unwrap();
        assert_eq!(remains(folder.path(), &run), []);
        std::fs::write(folder.path().join(Journal::FILE), "x".repeat(9000)).unwrap();
        assert_eq!(remains(folder.path(), &run), []);
        std::fs::write(folder.path().join(Journal::FILE), "").unwrap();
        assert_eq!(remains(folder.path(), &run), []);
        let empty = Journal::read_only(folder.path(), run).unwrap_err();
        assert!(empty.is_damage(), "{empty}");
    }
}
