//! TOML as a tree of nodes, each at its line.

use std::ops::Range;

use toml_edit::{Document, Item, Key, Table, Value};

use super::node::{Data, Entry, Node, item_path, key_path};
use crate::problem::{Place, Problem, Severity};

/// The whole document.
///
/// # Errors
/// The first mistake of syntax: past it the text has no tree.
pub(super) fn node_of(text: &str) -> Result<Node, Problem> {
    let lines = Lines::of(text);
    let document = Document::parse(text).map_err(|error| {
        let place = error.span().map_or(Place::Line(1), |span| lines.place(&span));
        let message = format!("this is not TOML: {}", error.message().trim_end().replace('\n', "; "));
        Problem { severity: Severity::Error, place, rule: "syntax", message }
    })?;
    Ok(Node { path: String::new(), place: Place::Line(1), data: table_data(document.as_table(), "", &lines) })
}

/// Where each line begins.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        Place::Line(self.starts.partition_point(|&start| start <= span.start))
    }
}

fn table_data(table: &Table, path: &str, lines: &Lines) -> Data {
    let entries = table.iter().map(|(key, item)| entry(table.key(key), key, item, path, lines));
    Data::Table(entries.collect())
}

fn entry(spelled: Option<&Key>, key: &str, item: &Item, path: &str, lines: &Lines) -> Entry {
    // A table may be named again and again (`[[task]]`), a key only once: only the key's own place is sure.
    let own = item.span().map(|span| lines.place(&span));
    let place = spelled.and_then(Key::span).map(|span| lines.place(&span)).or(own);
    let place = place.unwrap_or(Place::Plan);
    let shared_name = if path.is_empty() && key == "task" { "tasks" } else { key };
    let value = item_node(item, &key_path(path, shared_name), &place, lines);
    Entry { key: key.to_owned(), place, value }
}

fn item_node(item: &Item, path: &str, fallback: &Place, lines: &Lines) -> Node {
    let data = match item {
        Item::None => Data::Null,
        Item::Value(value) => return value_node(value, path, fallback, lines),
        Item::Table(table) => table_data(table, path, lines),
        Item::ArrayOfTables(tables) => {
            let rows = tables.iter().enumerate().map(|(at, table)| {
                let path = item_path(path, at);
                let place = table.span().map_or_else(|| fallback.clone(), |span| lines.place(&span));
                Node { data: table_data(table, &path, lines), path, place }
            });
            Data::List(rows.collect())
        }
    };
    let place = item.span().map_or_else(|| fallback.clone(), |span| lines.place(&span));
    Node { path: path.to_owned(), place, data }
}

fn value_node(value: &Value, path: &str, fallback: &Place, lines: &Lines) -> Node {
    let place = value.span().map_or_else(|| fallback.clone(), |span| lines.place(&span));
    let data = match value {
        Value::String(text) => Data::Text(text.value().clone()),
        Value::Integer(whole) => Data::Whole((*whole.value()).into()),
        Value::Float(number) => Data::Number(*number.value()),
        Value::Boolean(_) => Data::Other("a truth value"),
        Value::Datetime(_) => Data::Other("a date"),
        Value::Array(items) => {
            let nodes = items.iter().enumerate().map(|(at, item)| value_node(item, &item_path(path, at), &place, lines));
            Data::List(nodes.collect())
        }
        Value::InlineTable(table) => {
            let entries = table.iter().map(|(key, value)| {
                let at = table.key(key).and_then(Key::span).map_or_else(|| place.clone(), |span| lines.place(&span));
                let value = value_node(value, &key_path(path, key), &at, lines);
                Entry { key: key.to_owned(), place: at, value }
            });
            Data::Table(entries.collect())
        }
    };
    Node { path: path.to_owned(), place, data }
}
