//! A file of keyed data as pieces of its own text: groups of entries, each with what stands before and after it.
//!
//! **Invariant:** the pieces of a group, one after the other, are its text, byte for byte.

use std::fmt::Write as _;

/// A map, a list, a table, or a whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) shape: Shape,
    /// The bracket, if there is one.
    pub(super) open: String,
    pub(super) entries: Vec<Entry>,
    /// What stands between two entries.
    pub(super) separator: &'static str,
    /// Whether one stands after the last too.
    pub(super) ends_separated: bool,
    /// What is left before the closing bracket: spaces and comments.
    pub(super) tail: String,
    pub(super) close: String,
}

/// What tells the entries of a group from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Their keys.
    Map,
    /// What they say, or where they stand.
    List,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its key; empty in lists.
    pub(super) key: String,
    /// Spaces and comments before it.
    pub(super) lead: String,
    /// Its key as it is written, with all up to its value.
    pub(super) head: String,
    pub(super) value: Value,
    /// Between the value and the separator.
    pub(super) trail: String,
    /// After the separator, on the same line.
    pub(super) after: String,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Leaf(String),
    Group(Group),
}

impl Group {
    /// One without brackets and separators.
    pub(super) fn block(shape: Shape, entries: Vec<Entry>, tail: String) -> Self {
        let none = String::new;
        Self { shape, open: none(), entries, separator: "", ends_separated: false, tail, close: none() }
    }

    pub(super) fn text(&self) -> String {
        let mut text = self.open.clone();
        for (at, entry) in self.entries.iter().enumerate() {
            let is_last = at + 1 == self.entries.len();
            let separator = if is_last && !self.ends_separated { "" } else { self.separator };
            let Entry { lead, head, trail, after, .. } = entry;
            let value = entry.value.text();
            // Writing to a string does not fail.
            let _ = write!(text, "{lead}{head}{value}{trail}{separator}{after}");
        }
        text + &self.tail + &self.close
    }
}

impl Value {
    pub(super) fn text(&self) -> String {
        match self {
            Value::Leaf(text) => text.clone(),
            Value::Group(group) => group.text(),
        }
    }

    /// Its text but for spaces that mean nothing: two values that differ in this say something else.
    pub(super) fn meaning(&self) -> String {
        match self {
            Value::Leaf(text) => text.clone(),
            Value::Group(group) => {
                let entries: String = group.entries.iter().map(|entry| entry.meaning() + "\n").collect();
                format!("{:?}\n{entries}{}", group.shape, squeezed(&group.tail))
            }
        }
    }
}

impl Entry {
    /// As with values.
    pub(super) fn meaning(&self) -> String {
        let trivia = [&self.lead, &self.head, &self.trail, &self.after].map(|text| squeezed(text));
        format!("{}\n{}", trivia.join("\n"), self.value.meaning())
    }

    /// The same entry of a map that this one holds.
    pub(super) fn field(&self, key: &str) -> Option<&Value> {
        let Value::Group(group) = &self.value else { return None };
        group.entries.iter().find(|entry| group.shape == Shape::Map && entry.key == key).map(|entry| &entry.value)
    }
}

/// A text without its spaces.
pub(super) fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
