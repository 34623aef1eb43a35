//! In which order the entries of three groups come out, and which of them need a decision.
//!
//! Entries go by identity: a key, a name, or what they say. What one side adds goes after what it stands after there; where both add
//! at one place, ours comes first, or all is sorted where both sides keep their group sorted.
//!
//! **Invariant:** an entry that one side removed and the other changed needs a decision, and so does a place where both put something
//! of their own instead of the same entry.

use std::collections::{HashMap, HashSet};

use super::align::by_identity;
use crate::diff::{By, Region};

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// The entry with this identity, merged where more than one side has it.
    Entry(&'a str),
    /// One entry that both sides changed so that they have no identity in common.
    Changed([&'a str; 3]),
    /// These entries of each version.
    Clash([&'a [String]; 3]),
}

/// Three groups by the identities of their entries, of which each has none twice.
pub(super) struct Orders<'a> {
    pub(super) base: &'a [String],
    pub(super) ours: &'a [String],
    pub(super) theirs: &'a [String],
    /// Whether a side has changed an entry that it has in common with the base.
    pub(super) is_edited: &'a dyn Fn(Which, &str) -> bool,
    /// Whether one entry for one entry can be the same, changed.
    pub(super) can_change: bool,
    /// Whether entries have names: then one that is new beside one that is gone is not the same one, changed.
    pub(super) has_names: bool,
    /// Whether what both add at one place is to be sorted where all the rest is.
    pub(super) sorts: bool,
}

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Ours,
    Theirs,
}

impl<'a> Orders<'a> {
    /// Nothing where the sides put the same entries into different orders.
    pub(super) fn steps(&self) -> Option<Vec<Step<'a>>> {
        match (is_reordered(self.base, self.ours), is_reordered(self.base, self.theirs)) {
            (false, false) => Some(self.by_chunks()),
            (true, false) => self.on([self.ours, self.theirs], Which::Ours),
            (false, true) => self.on([self.theirs, self.ours], Which::Theirs),
            (true, true) if self.ours == self.theirs => Some(self.ours.iter().map(|id| Step::Entry(id)).collect()),
            (true, true) => None,
        }
    }

    fn by_chunks(&self) -> Vec<Step<'a>> {
        let sorted = self.sorts && is_sorted(self.ours) && is_sorted(self.theirs) && is_sorted(self.base);
        let (mut steps, mut seen) = (Vec::new(), HashSet::new());
        for chunk in by_identity([self.base, self.ours, self.theirs]) {
            for step in self.of_chunk(&chunk, sorted) {
                // Both may have added it, at different places.
                if !matches!(step, Step::Entry(id) if !seen.insert(id)) {
                    steps.push(step);
                }
            }
        }
        steps
    }

    fn of_chunk(&self, chunk: &Region, sorted: bool) -> Vec<Step<'a>> {
        let base = &self.base[chunk.base.clone()];
        let (ours, theirs) = (&self.ours[chunk.ours.clone()], &self.theirs[chunk.theirs.clone()]);
        let clash = vec![Step::Clash([base, ours, theirs])];
        let lost = |side: &[String], other: Which| base.iter().any(|id| !side.contains(id) && (self.is_edited)(other, id));
        match chunk.by {
            By::Ours if lost(ours, Which::Theirs) => clash,
            By::Theirs if lost(theirs, Which::Ours) => clash,
            By::Nobody | By::Ours => ours.iter().map(|id| Step::Entry(id)).collect(),
            By::Theirs => theirs.iter().map(|id| Step::Entry(id)).collect(),
            By::Both if ours == theirs => ours.iter().map(|id| Step::Entry(id)).collect(),
            By::Both => match (base, ours, theirs) {
                ([b], [o], [t]) if self.can_change => vec![Step::Changed([b, o, t])],
                _ => self.of_both([base, ours, theirs], sorted).unwrap_or(clash),
            },
        }
    }

    fn of_both(&self, [base, ours, theirs]: [&'a [String]; 3], sorted: bool) -> Option<Vec<Step<'a>>> {
        let is_new = |id: &&String| !base.contains(id);
        let (added, other): (Vec<_>, Vec<_>) = (ours.iter().filter(is_new).collect(), theirs.iter().filter(is_new).collect());
        let gone_in_both = base.iter().any(|id| !ours.contains(id) && !theirs.contains(id));
        let edited = |id: &String| match (ours.contains(id), theirs.contains(id)) {
            (false, true) => (self.is_edited)(Which::Theirs, id),
            (true, false) => (self.is_edited)(Which::Ours, id),
            _ => false,
        };
        let replaced = |side: &[String], added: bool| added && base.iter().any(|id| !side.contains(id));
        let adds = if self.has_names { !added.is_empty() && !other.is_empty() } else { true };
        let clashes = gone_in_both && adds && added != other
            || base.iter().any(edited)
            // Where an entry was replaced, nobody knows what the other's addition beside it belongs to.
            || (replaced(ours, !added.is_empty()) && !other.is_empty() && added != other)
            || (replaced(theirs, !other.is_empty()) && !added.is_empty() && added != other);
        if clashes {
            return None;
        }
        let gone: HashSet<&String> = base.iter().filter(|id| !theirs.contains(id) || !ours.contains(id)).collect();
        let mut list: Vec<&'a String> = ours.iter().filter(|id| !gone.contains(id)).collect();
        insert(&mut list, theirs, &|id| is_new(&id));
        if sorted {
            list.sort_by(|a, b| compare(a, b));
        }
        Some(list.into_iter().map(|id| Step::Entry(id)).collect())
    }

    /// On the order of the side that moved entries.
    fn on(&self, [canvas, other]: [&'a [String]; 2], moved: Which) -> Option<Vec<Step<'a>>> {
        let set = |ids: &'a [String]| ids.iter().collect::<HashSet<_>>();
        let (base, kept, has) = (set(self.base), set(canvas), set(other));
        let still = if moved == Which::Ours { Which::Theirs } else { Which::Ours };
        let is_lost = |id: &&String| match (kept.contains(id), has.contains(id)) {
            (false, true) => (self.is_edited)(still, id),
            (true, false) => (self.is_edited)(moved, id),
            (false, false) => !self.has_names && [canvas, other].into_iter().flatten().any(|id| !base.contains(id)),
            (true, true) => false,
        };
        if self.base.iter().any(|id| is_lost(&id)) {
            return None;
        }
        let mut list: Vec<&'a String> = canvas.iter().filter(|id| !base.contains(id) || has.contains(id)).collect();
        insert(&mut list, other, &|id| !base.contains(id) && !kept.contains(id));
        Some(list.into_iter().map(|id| Step::Entry(id)).collect())
    }
}

/// Puts what is new in another order after what it stands after there, and after what was added there already.
fn insert<'a>(list: &mut Vec<&'a String>, other: &'a [String], is_new: &dyn Fn(&String) -> bool) {
    let known: HashSet<&String> = other.iter().collect();
    let mut at = skip_foreign(list, 0, &known);
    for id in other {
        if let Some(place) = list.iter().position(|listed| *listed == id) {
            at = skip_foreign(list, place + 1, &known);
        } else if is_new(id) {
            list.insert(at, id);
            at += 1;
        }
    }
}

fn skip_foreign(list: &[&String], from: usize, known: &HashSet<&String>) -> usize {
    from + list[from..].iter().take_while(|id| !known.contains(*id)).count()
}

/// Whether a side has what it shares with the base in another order.
fn is_reordered(base: &[String], side: &[String]) -> bool {
    let places: HashMap<&String, usize> = base.iter().enumerate().map(|(at, id)| (id, at)).collect();
    !side.iter().filter_map(|id| places.get(id)).is_sorted()
}

fn is_sorted(ids: &[String]) -> bool {
    ids.is_sorted_by(|a, b| compare(a, b).is_le())
}

/// As people and tools sort names: `-` and `_` alike, capitals beside small letters.
pub(super) fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    let key = |text: &str| text.to_lowercase().replace('_', "-");
    key(a).cmp(&key(b))
}
