//! What a file says, whatever its text: by this a merge of texts is checked.
//!
//! **Invariant:** the check knows nothing of how texts are merged: it compares what another reader reads.

use std::collections::{BTreeMap, BTreeSet};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Data {
    Map(BTreeMap<String, Data>),
    List(Vec<Data>),
    Leaf(String),
}

/// Whether a merge says what both sides said, where neither contradicts the other.
pub(super) fn holds(base: Option<&Data>, ours: Option<&Data>, theirs: Option<&Data>, merged: Option<&Data>) -> bool {
    if ours == theirs || base == theirs {
        return merged == ours;
    }
    if base == ours {
        return merged == theirs;
    }
    match (base, ours, theirs, merged) {
        (None | Some(Data::Map(_)), Some(Data::Map(o)), Some(Data::Map(t)), Some(Data::Map(m))) => {
            let none = BTreeMap::new();
            let b = if let Some(Data::Map(b)) = base { b } else { &none };
            let keys: BTreeSet<&String> = [b, o, t, m].into_iter().flat_map(BTreeMap::keys).collect();
            keys.into_iter().all(|key| holds(b.get(key), o.get(key), t.get(key), m.get(key)))
        }
        (None | Some(Data::List(_)), Some(Data::List(o)), Some(Data::List(t)), Some(Data::List(m))) => {
            let b = if let Some(Data::List(b)) = base { &b[..] } else { &[] };
            holds_list([b, o, t], m)
        }
        _ => false,
    }
}

/// Each plain element as often as the sides say; those that hold others may have been merged, and are at least no fewer.
fn holds_list([base, ours, theirs]: [&[Data]; 3], merged: &[Data]) -> bool {
    let count = |list: &[Data], wanted: &Data| list.iter().filter(|data| *data == wanted).count();
    let leaves: BTreeSet<&Data> =
        [base, ours, theirs, merged].into_iter().flatten().filter(|data| matches!(data, Data::Leaf(_))).collect();
    let is_right = |leaf: &Data| {
        let [b, o, t, m] = [base, ours, theirs, merged].map(|list| count(list, leaf));
        match (o >= b, t >= b) {
            // What both added may be the same, or one more.
            (true, true) => (o.max(t)..=o + t - b).contains(&m),
            (false, false) => (o.min(t)).min((o + t).saturating_sub(b)) <= m && m <= o.max(t),
            _ => m + b == o + t,
        }
    };
    let holding = |list: &[Data]| list.iter().filter(|data| !matches!(data, Data::Leaf(_))).count();
    let [b, o, t, m] = [base, ours, theirs, merged].map(holding);
    leaves.into_iter().all(is_right) && (m + b >= (o + t).min(o.max(t) + b) || o < b || t < b) && m <= o + t
}
