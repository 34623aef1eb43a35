//! JSON, with comments and commas at ends where a file has them.

use std::collections::BTreeMap;

use super::{
    data::Data,
    flow::{Cursor, Dialect},
    tree::{Entry, Group, Shape},
};

/// The pieces of a document.
pub(super) fn parse(text: &str) -> Option<Group> {
    let mut cursor = Cursor::new(text, Dialect::Json);
    let mark = text.strip_prefix('\u{feff}').map_or(0, |rest| text.len() - rest.len());
    cursor.at = mark;
    cursor.trivia()?;
    let lead = text[..cursor.at].to_owned();
    let value = cursor.value(0)?;
    let tail = cursor.trivia()?.to_owned();
    let none = String::new;
    let entry = Entry { key: none(), lead, head: none(), value, trail: none(), after: none() };
    cursor.rest().is_empty().then(|| Group::block(Shape::Map, vec![entry], tail))
}

/// What a document says, read by another reader than the one above.
pub(super) fn data(text: &str) -> Option<Data> {
    let bare = bare(text.strip_prefix('\u{feff}').unwrap_or(text));
    serde_json::from_str::<serde_json::Value>(&bare).ok().map(of)
}

fn of(value: serde_json::Value) -> Data {
    match value {
        serde_json::Value::Object(map) => {
            Data::Map(map.into_iter().map(|(key, value)| (key, of(value))).collect::<BTreeMap<_, _>>())
        }
        serde_json::Value::Array(list) => Data::List(list.into_iter().map(of).collect()),
        leaf => Data::Leaf(leaf.to_string()),
    }
}

/// Without comments and commas at ends.
fn bare(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => {
                let mut cursor = Cursor::new(rest, Dialect::Json);
                let length = cursor.quoted('"', true).map_or(rest.len(), str::len);
                out.push_str(&rest[..length]);
                length
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            '}' | ']' => {
                let kept = out.trim_end().strip_suffix(',').map(str::len);
                out.truncate(kept.unwrap_or(out.len()));
                out.push(c);
                1
            }
            _ => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}
