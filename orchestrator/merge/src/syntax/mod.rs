//! Merging a file item by item: functions, types, members and imports are found again by their names, wherever they stand.
//!
//! An item that one side changed is that side's; one that both changed is merged within. Items that both sides add at one place follow
//! each other, ours first.
//!
//! **Invariant:** none where an item needs a decision: deleted here and changed there, or made twice in different ways.

mod imports;
mod items;
mod keys;
mod order;
mod twins;

use std::collections::HashMap;

use imports::Import;
use items::{Body, Item, Source};
use keys::Key;
use tree_sitter::Node;

use crate::{
    grammar::{Parsed, children},
    lex::{lex, same_words},
    merge_text,
};

/// Items that lie deeper in each other are merged as text.
const DEEPEST: usize = 40;

/// The merged text, if every item could be merged.
pub(crate) fn merge(base: &Parsed<'_>, ours: &Parsed<'_>, theirs: &Parsed<'_>) -> Option<String> {
    merge_items(&items_of(base)?, &items_of(ours)?, &items_of(theirs)?)
}

fn items_of<'a>(parsed: &Parsed<'a>) -> Option<Vec<Item<'a>>> {
    let nodes: Vec<Node<'_>> = children(parsed.tree.root_node()).into_iter().filter(Node::is_named).collect();
    let source = Source { language: parsed.language, text: parsed.text, depth: DEEPEST };
    source.items(&nodes, 0..parsed.text.len())
}

/// The versions of one item.
#[derive(Clone, Copy, Default)]
struct Versions<'v, 'a> {
    base: Option<&'v Item<'a>>,
    ours: Option<&'v Item<'a>>,
    theirs: Option<&'v Item<'a>>,
}

fn merge_items(base: &[Item<'_>], ours: &[Item<'_>], theirs: &[Item<'_>]) -> Option<String> {
    let (mut ours, mut theirs) = (ours.to_vec(), theirs.to_vec());
    twins::number(base, &mut ours, &mut theirs);
    let (ours, theirs) = (&ours[..], &theirs[..]);
    let renamed = [renames(base, ours, theirs), renames(base, theirs, ours)];
    let name = |side: usize, key: &Key| renamed[side].get(key).cloned().unwrap_or_else(|| key.clone());
    let (ours_keys, theirs_keys): (Vec<Key>, Vec<Key>) =
        (ours.iter().map(|item| name(0, &item.key)).collect(), theirs.iter().map(|item| name(1, &item.key)).collect());
    let base_keys: Vec<Key> = base.iter().map(|item| item.key.clone()).collect();
    let mut all: HashMap<&Key, Versions<'_, '_>> = HashMap::new();
    for (key, item) in base_keys.iter().zip(base) {
        all.entry(key).or_default().base = Some(item);
    }
    for (key, item) in ours_keys.iter().zip(ours) {
        all.entry(key).or_default().ours = Some(item);
    }
    for (key, item) in theirs_keys.iter().zip(theirs) {
        all.entry(key).or_default().theirs = Some(item);
    }
    let mut merged: HashMap<&Key, String> = HashMap::new();
    for (key, versions) in &all {
        merged.insert(key, merge_item(*versions)?);
    }
    let order = order::merge(&base_keys, &ours_keys, &theirs_keys);
    let mut text = String::new();
    for key in order {
        let Some(part) = merged.get(key).filter(|part| !part.is_empty()) else { continue };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(part);
    }
    Some(text)
}

/// The merged item; an empty text where it is deleted, none where it needs a decision.
fn merge_item(versions: Versions<'_, '_>) -> Option<String> {
    let whole = |item: &Item<'_>| Some(format!("{}{}", item.blank, item.text));
    match versions {
        Versions { base: None, ours: Some(item), theirs: None } | Versions { base: None, ours: None, theirs: Some(item) } => {
            whole(item)
        }
        Versions { base: Some(base), ours: Some(side), theirs: None }
        | Versions { base: Some(base), ours: None, theirs: Some(side) } => {
            if same_words(base.text, side.text) {
                return Some(String::new());
            }
            let (before, after) = (base.import.as_ref()?, side.import.as_ref()?);
            let left = Import::merge(Some(before), after, &Import::merge(None, before, before)?.without_names())?;
            Some(if left.is_empty() { String::new() } else { format!("{}{}", side.blank, left.write()) })
        }
        Versions { base, ours: Some(ours), theirs: Some(theirs) } => {
            let blank = choose_blank(base, ours, theirs);
            let text = match base {
                _ if ours.text == theirs.text || (!ours.is_laid_out && same_words(ours.text, theirs.text)) => {
                    ours.text.to_owned()
                }
                Some(base) if base.text == theirs.text => ours.text.to_owned(),
                Some(base) if base.text == ours.text => theirs.text.to_owned(),
                // Who changed the layout alone gives way where both cannot be had.
                Some(_) if ours.is_laid_out => within(base, ours, theirs)?,
                Some(before) => within(base, ours, theirs)
                    .or_else(|| same_words(before.text, theirs.text).then(|| ours.text.to_owned()))
                    .or_else(|| same_words(before.text, ours.text).then(|| theirs.text.to_owned()))?,
                None => within(base, ours, theirs)?,
            };
            // An import of nothing goes with the lines above it; blank lines at the end stay.
            let is_gone = text.is_empty() && !ours.text.is_empty();
            Some(if is_gone { text } else { format!("{blank}{text}") })
        }
        Versions { ours: None, theirs: None, .. } => Some(String::new()),
    }
}

fn choose_blank<'a>(base: Option<&Item<'a>>, ours: &Item<'a>, theirs: &Item<'a>) -> &'a str {
    match base {
        Some(base) if base.blank == ours.blank => theirs.blank,
        _ => ours.blank,
    }
}

/// Merges the inside of an item that both sides changed.
fn within(base: Option<&Item<'_>>, ours: &Item<'_>, theirs: &Item<'_>) -> Option<String> {
    if let (Some(left), Some(right)) = (&ours.import, &theirs.import) {
        let merged = Import::merge(base.and_then(|base| base.import.as_ref()), left, right)?;
        let as_written = [(left, ours.text), (right, theirs.text)].into_iter().find(|(import, _)| merged.says(import));
        return Some(match as_written {
            Some((_, text)) => text.to_owned(),
            None if merged.is_empty() => String::new(),
            None => merged.write(),
        });
    }
    if let (Some(left), Some(right)) = (&ours.body, &theirs.body) {
        match base.map(|base| base.body.as_ref()) {
            Some(Some(before)) => return merge_bodies(before, left, right),
            None if same_words(left.head, right.head) => {
                let none = Body { head: left.head, items: Vec::new(), foot: left.foot };
                return merge_bodies(&none, left, right);
            }
            _ => {}
        }
    }
    // Two things of one name that neither knew of.
    let base = match base {
        Some(base) => base.text,
        None if ours.key.kind == "loose" => "",
        None => return None,
    };
    merge_text(base, ours.text, theirs.text)
}

fn merge_bodies(base: &Body<'_>, ours: &Body<'_>, theirs: &Body<'_>) -> Option<String> {
    let head = merge_text(base.head, ours.head, theirs.head)?;
    let items = merge_items(&base.items, &ours.items, &theirs.items)?;
    let foot = merge_text(base.foot, ours.foot, theirs.foot)?;
    Some(format!("{head}{items}{foot}"))
}

/// Items of the base that one side has under another name, where the other side changed them: new name to old.
fn renames(base: &[Item<'_>], side: &[Item<'_>], other: &[Item<'_>]) -> HashMap<Key, Key> {
    const ALIKE: f64 = 0.6;
    let (before, here, there) = (by_key(base), by_key(side), by_key(other));
    let changed = |item: &Item<'_>| there.get(&item.key).is_some_and(|there| !same_words(there.text, item.text));
    let missing = base.iter().filter(|item| item.key.kind != "loose" && !here.contains_key(&item.key) && changed(item));
    let mut renamed = HashMap::new();
    for lost in missing {
        let new = side
            .iter()
            .filter(|item| item.key.kind == lost.key.kind && !before.contains_key(&item.key) && !there.contains_key(&item.key));
        let alike = new.map(|item| (likeness(lost.text, item.text), item)).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, item)) = alike.filter(|(likeness, item)| *likeness >= ALIKE && !renamed.contains_key(&item.key)) {
            renamed.insert(item.key.clone(), lost.key.clone());
        }
    }
    renamed
}

fn by_key<'v, 'a>(items: &'v [Item<'a>]) -> HashMap<&'v Key, &'v Item<'a>> {
    items.iter().map(|item| (&item.key, item)).collect()
}

/// The share of words that two texts have in common, from 0 to 1.
fn likeness(a: &str, b: &str) -> f64 {
    let (a, b) = (lex(a).0, lex(b).0);
    let mut counts: HashMap<&str, i32> = HashMap::new();
    for token in &a {
        *counts.entry(token.text).or_insert(0) += 1;
    }
    let common = b.iter().filter(|token| {
        counts.get_mut(token.text).is_some_and(|count| {
            *count -= 1;
            *count >= 0
        })
    });
    2.0 * common.count() as f64 / (a.len() + b.len()).max(1) as f64
}
