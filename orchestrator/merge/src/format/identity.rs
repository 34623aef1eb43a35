//! What an entry is known by in all three versions.

use std::collections::{HashMap, HashSet};

use super::{
    keyed::Three,
    tree::{Entry, Group, Shape, Value},
};

/// Fields by which the maps of a list are told from each other, the likeliest first.
const NAMES: &[&str] =
    &["id", "name", "key", "path", "url", "uses", "title", "slug", "host", "file", "image", "src", "source", "package"];

/// The identities of the entries of three groups, in their order. None is twice in one.
pub(super) fn identities(groups: Three<'_, Group>) -> [Vec<String>; 3] {
    let present: Vec<&Group> = groups.iter().filter_map(|group| *group).collect();
    let name = NAMES.iter().find(|name| present.iter().all(|group| is_told_by(group, name)));
    groups.map(|group| group.map_or_else(Vec::new, |group| of_group(group, name.copied())))
}

fn of_group(group: &Group, name: Option<&str>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let entries = group.entries.iter().map(|entry| match (group.shape, name) {
        _ if !entry.key.is_empty() => entry.key.clone(),
        (Shape::Map, _) => String::new(),
        (Shape::List, Some(name)) => named(entry, name).unwrap_or_default().to_owned(),
        (Shape::List, None) => entry.value.meaning(),
    });
    let numbered = entries.map(|id| {
        let count = seen.entry(id.clone()).or_default();
        *count += 1;
        if *count == 1 { id } else { format!("{id}\u{0}{count}") }
    });
    numbered.collect()
}

/// Whether each entry of a list has this field, and each another one.
fn is_told_by(group: &Group, name: &str) -> bool {
    let mut seen = HashSet::new();
    group.shape == Shape::List && group.entries.iter().all(|entry| named(entry, name).is_some_and(|text| seen.insert(text)))
}

fn named<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    match entry.field(name) {
        Some(Value::Leaf(text)) => Some(text),
        _ => None,
    }
}
