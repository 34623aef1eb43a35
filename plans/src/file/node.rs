//! A document as a tree, whatever its syntax, in which everything knows its place.
//!
//! A node has two addresses. Its *path* (`tasks[3].write[0]`) is the same in both syntaxes, so a problem that is found later, far
//! from the text, can still be moved to where the text stands. Its *place* is what the reader is told: a line or that path.

use crate::problem::Place;

/// Which of the two syntaxes a document is written in: for the words of a message, and for what is let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Written by people: taken at its word.
    Toml,
    /// Sent by models: a single text where a list of texts belongs is taken as a list of one.
    Json,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// What both syntaxes can say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    Null,
    Text(String),
    /// Wide enough for whatever either syntax can say.
    Whole(i128),
    Number(f64),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// Something that no key of a plan wants, under the name that its reader would use.
    Other(&'static str),
}

/// A key of a table, where the key stands, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Node {
    /// What the value is, in words for a message.
    pub(crate) fn kind(&self, syntax: Syntax) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Text(_) => "a text",
            Data::Whole(_) | Data::Number(_) => "a number",
            Data::List(_) => "a list",
            Data::Table(_) => syntax.table(),
            Data::Other(name) => name,
        }
    }

    /// What a message calls the value: its key, or the whole document.
    pub(crate) fn name(&self) -> String {
        match self.path.rsplit('.').next() {
            None | Some("") => "the document".to_owned(),
            Some(key) => format!("`{key}`"),
        }
    }

    /// Every node of the tree with its path, parents first.
    pub(crate) fn walk(&self, visit: &mut impl FnMut(&str, &Place)) {
        visit(&self.path, &self.place);
        match &self.data {
            Data::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Data::Table(entries) => entries.iter().for_each(|entry| entry.value.walk(visit)),
            _ => {}
        }
    }
}

/// The path of a key of the table at `path`.
pub(crate) fn key_path(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The path of an item of the list at `path`.
pub(crate) fn item_path(path: &str, at: usize) -> String {
    format!("{path}[{at}]")
}

impl Syntax {
    /// What the syntax calls a set of keys with values.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Syntax::Toml => "a table",
            Syntax::Json => "an object",
        }
    }
    /// The keys of a whole plan.
    pub(crate) fn plan_keys(self) -> &'static [&'static str] {
        match self {
            Syntax::Toml => &["version", "goal", "gate", "task"],
            Syntax::Json => &["version", "goal", "gate", "tasks"],
        }
    }

    /// Under which of them the tasks stand.
    pub(crate) fn tasks_key(self) -> &'static str {
        match self {
            Syntax::Toml => "task",
            Syntax::Json => "tasks",
        }
    }
}
