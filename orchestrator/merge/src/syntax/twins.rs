//! Several items of one name: which of them in one version is which in another.
//!
//! Their count says nothing once a side puts one before the others; their texts do.
//!
//! **Invariant:** afterwards items of three versions have one key only where they are one item.

use std::collections::HashMap;

use super::{items::Item, keys::Key, likeness};

/// From here on numbers are those of items that the base does not have: ours, then theirs.
const NEW: usize = 1 << 20;
/// How much of their words two versions of one item share, at least.
const ALIKE: f64 = 0.6;

/// Gives items of one name the numbers that their counterparts in the base have.
pub(super) fn number<'a>(base: &[Item<'a>], ours: &mut [Item<'a>], theirs: &mut [Item<'a>]) {
    let several =
        |items: &[Item<'_>]| items.iter().filter(|item| item.key.number > 1).map(|item| item.key.plain()).collect::<Vec<_>>();
    let mut names: Vec<Key> = [several(base), several(ours), several(theirs)].concat();
    names.sort();
    names.dedup();
    for name in names {
        let of = |item: &&Item<'_>| item.key.plain() == name;
        let known: Vec<(usize, String)> = base.iter().filter(of).map(|item| (item.key.number, item.text.to_owned())).collect();
        let mut new: HashMap<String, usize> = HashMap::new();
        for (side, items) in [&mut *ours, &mut *theirs].into_iter().enumerate() {
            let mut same: Vec<&mut Item<'a>> = items.iter_mut().filter(|item| item.key.plain() == name).collect();
            let texts: Vec<&str> = same.iter().map(|item| item.text).collect();
            for (at, number) in counterparts(&known, &texts).into_iter().enumerate() {
                let fresh = NEW * (side + 1) + at;
                same[at].key.number = number.unwrap_or_else(|| *new.entry(texts[at].to_owned()).or_insert(fresh));
            }
        }
    }
}

/// For each text the number of the known one that it is: the same, or the likest one that is left.
fn counterparts(known: &[(usize, String)], texts: &[&str]) -> Vec<Option<usize>> {
    let mut taken = vec![false; known.len()];
    let mut found: Vec<Option<usize>> = vec![None; texts.len()];
    for (at, text) in texts.iter().enumerate() {
        if let Some(same) = (0..known.len()).find(|there| !taken[*there] && known[*there].1 == **text) {
            (taken[same], found[at]) = (true, Some(known[same].0));
        }
    }
    for (at, text) in texts.iter().enumerate().filter(|(at, _)| found[*at].is_none()).collect::<Vec<_>>() {
        let left = (0..known.len()).filter(|there| !taken[*there]);
        let likest = left.map(|there| (likeness(&known[there].1, text), there)).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, there)) = likest.filter(|(alike, _)| *alike >= ALIKE) {
            (taken[there], found[at]) = (true, Some(known[there].0));
        }
    }
    found
}
