//! The order of items that two sides have added to, taken from and moved about.
//!
//! **Invariant:** whatever is in either side is in the result, once.

use std::collections::{HashMap, HashSet};

use super::keys::Key;

/// Ours, with what only theirs has behind what it stands behind there. Where only theirs moved things, theirs with ours.
pub(super) fn merge<'k>(base: &'k [Key], ours: &'k [Key], theirs: &'k [Key]) -> Vec<&'k Key> {
    let ours_moved = moved(base, ours);
    if !ours_moved && moved(base, theirs) {
        woven(base, theirs, ours, First::Added)
    } else {
        woven(base, ours, theirs, First::Kept)
    }
}

/// Whether what was there before stands in another order.
fn moved(base: &[Key], side: &[Key]) -> bool {
    let places: HashMap<&Key, usize> = base.iter().enumerate().map(|(at, key)| (key, at)).collect();
    let order: Vec<usize> = side.iter().filter_map(|key| places.get(key).copied()).collect();
    !order.is_sorted()
}

/// Who comes first where both add at one place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Kept,
    Added,
}

fn woven<'k>(base: &[Key], kept: &'k [Key], added: &'k [Key], first: First) -> Vec<&'k Key> {
    let before: HashSet<&Key> = base.iter().collect();
    let mut order: Vec<&Key> = kept.iter().collect();
    let mut known: HashSet<&Key> = kept.iter().collect();
    let mut last: Option<&Key> = None;
    for key in added {
        if known.insert(key) {
            let behind = last.and_then(|last| order.iter().position(|there| *there == last)).map_or(0, |at| at + 1);
            let is_new = |key: &&&Key| !before.contains(**key) && !added.contains(**key);
            let others = if first == First::Kept { order[behind..].iter().take_while(is_new).count() } else { 0 };
            order.insert(behind + others, key);
        }
        last = Some(key);
    }
    order
}
