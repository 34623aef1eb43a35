//! TOML: tables, arrays of tables, and what stands in them.
//!
//! Where a table stands and how a key is written is kept; what a merged file says is read again by `toml_edit`, which also tells keys
//! that are there twice in different clothes (`a.b` beside `[a] b`).

use super::{
    data::Data,
    flow::{Cursor, Dialect, key_of},
    tree::{Entry, Group, Shape, Value},
};

/// The pieces of a document.
pub(super) fn parse(text: &str) -> Option<Group> {
    let text = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    let mut reader = Reader { cursor: Cursor::new(&text, Dialect::Toml), pending: String::new() };
    let mut entries = reader.pairs()?;
    while reader.cursor.peek().is_some() {
        let (key, head, is_array) = reader.header()?;
        let lead = std::mem::take(&mut reader.pending);
        let table =
            Entry { key, lead, head, value: Value::Group(Group::block(Shape::Map, Vec::new(), String::new())), ..blank() };
        add(&mut entries, Entry { value: filled(reader.pairs()?), ..table }, is_array)?;
    }
    let mut seen = std::collections::HashSet::new();
    let is_unique = entries.iter().all(|entry| seen.insert(entry.key.clone()));
    is_unique.then(|| Group::block(Shape::Map, entries, reader.pending))
}

fn blank() -> Entry {
    let none = String::new;
    Entry { key: none(), lead: none(), head: none(), value: Value::Leaf(none()), trail: none(), after: none() }
}

fn filled(entries: Vec<Entry>) -> Value {
    Value::Group(Group::block(Shape::Map, entries, String::new()))
}

/// Puts a table where it belongs: an element of the array that stands before it, a part of that element, or by itself.
fn add(entries: &mut Vec<Entry>, table: Entry, is_array: bool) -> Option<()> {
    let before = entries.last_mut().and_then(|last| match &mut last.value {
        Value::Group(list) if list.shape == Shape::List => Some((last.key.clone(), list)),
        _ => None,
    });
    let name = format!("[[{}]]", table.key);
    match before {
        Some((key, array)) if is_array && key == name => array.entries.push(Entry { key: String::new(), ..table }),
        // A table within the last element of an array.
        Some((key, array)) if table.key.starts_with(&format!("{}.", key.trim_matches(['[', ']']))) => {
            let Some(Entry { value: Value::Group(element), .. }) = array.entries.last_mut() else { return None };
            add(&mut element.entries, table, is_array)?;
        }
        _ if is_array => {
            let list = Group::block(Shape::List, vec![Entry { key: String::new(), ..table }], String::new());
            entries.push(Entry { key: name, value: Value::Group(list), ..blank() });
        }
        _ => entries.push(Entry { key: format!("[{}]", table.key), ..table }),
    }
    Some(())
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    /// Spaces and comments before what comes next.
    pending: String,
}

impl Reader<'_> {
    /// The keys and values up to the next header, or the end.
    fn pairs(&mut self) -> Option<Vec<Entry>> {
        let (mut entries, mut seen) = (Vec::new(), std::collections::HashSet::new());
        loop {
            self.pending.push_str(self.cursor.trivia()?);
            if matches!(self.cursor.peek(), None | Some('[')) {
                return Some(entries);
            }
            let entry = self.pair()?;
            seen.insert(entry.key.clone()).then_some(())?;
            entries.push(entry);
        }
    }

    fn pair(&mut self) -> Option<Entry> {
        let cursor = &mut self.cursor;
        let from = cursor.at;
        let key = key_of(cursor.key()?, Dialect::Toml)?;
        cursor.spaces();
        (cursor.peek()? == '=').then_some(())?;
        cursor.at += 1;
        cursor.spaces();
        let head = cursor.text[from..cursor.at].to_owned();
        let value = cursor.value(0)?;
        let after = cursor.rest_of_line()?.to_owned();
        Some(Entry { key, lead: std::mem::take(&mut self.pending), head, value, trail: String::new(), after })
    }

    /// The name of a table, its header as it is written, and whether it is an element of an array.
    fn header(&mut self) -> Option<(String, String, bool)> {
        let cursor = &mut self.cursor;
        let from = cursor.at;
        let is_array = cursor.rest().starts_with("[[");
        let brackets = if is_array { 2 } else { 1 };
        cursor.at += brackets;
        cursor.spaces();
        let key = key_of(cursor.key()?, Dialect::Toml)?;
        cursor.spaces();
        cursor.rest().starts_with(&"]]"[..brackets]).then_some(())?;
        cursor.at += brackets;
        cursor.rest_of_line()?;
        Some((key, cursor.text[from..cursor.at].to_owned(), is_array))
    }
}

/// What a document says.
pub(super) fn data(text: &str) -> Option<Data> {
    let document = text.parse::<toml_edit::DocumentMut>().ok()?;
    Some(of_table(document.as_table()))
}

fn of_table(table: &dyn toml_edit::TableLike) -> Data {
    Data::Map(table.iter().map(|(key, item)| (key.to_owned(), of_item(item))).collect())
}

fn of_item(item: &toml_edit::Item) -> Data {
    match item {
        toml_edit::Item::Value(value) => of_value(value),
        toml_edit::Item::Table(table) => of_table(table),
        toml_edit::Item::ArrayOfTables(tables) => Data::List(tables.iter().map(|table| of_table(table)).collect()),
        toml_edit::Item::None => Data::Leaf(String::new()),
    }
}

fn of_value(value: &toml_edit::Value) -> Data {
    match value {
        toml_edit::Value::Array(list) => Data::List(list.iter().map(of_value).collect()),
        toml_edit::Value::InlineTable(table) => of_table(table),
        toml_edit::Value::String(text) => Data::Leaf(format!("{:?}", text.value())),
        leaf => Data::Leaf(leaf.clone().decorated("", "").to_string()),
    }
}
