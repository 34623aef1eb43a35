//! A run's journal, as a test looks at it.

use std::path::Path;

use plans::{
    event::{Entry, Event},
    run_state::RunState,
};
use rusqlite::{Connection, OpenFlags};

/// All entries that a journal has now; none where there is no journal yet. Another process may be writing.
pub fn read_journal(folder: &Path) -> Vec<Entry> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(folder.join("journal.db"), flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let mut select = connection.prepare("select body from event order by seq")?;
        select.query_map([], |row| row.get(0))?.collect()
    };
    let bodies = read().unwrap_or_default();
    bodies.iter().map(|body| serde_json::from_str(body).expect("the journal is in the words of this version")).collect()
}

/// What has happened, with questions that tests ask of it.
#[derive(Debug, Clone)]
pub struct History(pub Vec<Entry>);

impl History {
    /// The events alone.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.0.iter().map(|entry| &entry.event)
    }

    /// How many there are of these.
    pub fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events().filter(|event| wanted(event)).count()
    }

    /// What the entries fold to.
    pub fn state(&self) -> RunState {
        RunState::fold(&self.0).expect("a journal folds")
    }

    /// One line an event: its kind, and its task and attempt where it has one. What a snapshot shows.
    pub fn outline(&self) -> String {
        self.0.iter().filter(|entry| !matches!(entry.event, Event::TurnTaken { .. })).map(line).collect()
    }
}

fn line(entry: &Entry) -> String {
    let value = serde_json::to_value(entry).expect("an entry is plain data");
    let word = |key: &str| match &value[key] {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(format!("#{number}")),
        _ => None,
    };
    let words = ["type", "task", "attempt", "outcome", "status", "end"].into_iter().filter_map(word);
    words.collect::<Vec<_>>().join(" ") + "\n"
}
