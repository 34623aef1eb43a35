//! Texts that could be the merge of what the engine leaves in conflict: proposals, likeliest first, each for somebody to prove.
//!
//! Two features that collide at one place mostly want to stand side by side: two imports, two branches, two parameters, two entries.
//! Which order, which lines they share, and how deep the one now stands in the other is what the candidates differ in. Each conflict
//! has some resolutions with a cost (`resolutions`); a candidate takes one of each, and all of one order before the orders are mixed.
//! Beside them one side's edits are applied to the other side's text where their surroundings are found (`reapply`).
//!
//! **Invariant:** a candidate parses no worse than both sides, and has every edit of both in it: its account is whole.
//! **Invariant:** bounded: at most [`MOST`], and the work for them as well.
//!
//! Not here: whether a candidate is right. That is what the proofs of both tasks and the gate are for.

use std::collections::{BinaryHeap, HashSet};

use crate::{Labels, Merge, Merged, Rung, Versions, account, merge, parses};

mod indent;
mod parts;
mod reapply;
mod resolutions;
mod text;
mod weave;
mod words;

use parts::Part;
use resolutions::{Order, Resolution};

/// How many there are at most.
pub const MOST: usize = 12;
/// How many texts are looked at for them.
const LOOKED_AT: usize = 60;
/// What is larger has none: each costs a parse.
const LARGEST: usize = 1 << 20;

/// A text that could be the merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The text.
    pub text: Vec<u8>,
    /// How it was made, for people.
    pub how: String,
}

/// Candidates for the merge of a file, likeliest first, beside the engine's own text; none where the lines alone merge.
///
/// Where the engine merges a file cleanly these are what else it could be, for the case that its text does not pass the proofs.
#[must_use]
pub fn candidates(versions: &Versions<'_>) -> Vec<Candidate> {
    if [versions.base, versions.ours, versions.theirs].iter().any(|text| text.len() > LARGEST) {
        return Vec::new();
    }
    let labels = Labels { ours: OURS, base: BASE, theirs: THEIRS };
    let plain = parts::by_lines(versions);
    match merge(versions, &labels) {
        Merge::Clean(Merged { rung: Rung::Lines, .. }) => Vec::new(),
        Merge::Clean(merged) => propose(versions, &[plain], Some(merged.text)),
        Merge::Conflicted(left) => {
            let engines = parts::split(&left.text, &labels).filter(|parts| *parts != plain);
            propose(versions, &engines.into_iter().chain([plain]).collect::<Vec<_>>(), None)
        }
    }
}

/// Candidates from a text taken apart in some ways, but for one that is known.
fn propose(versions: &Versions<'_>, ways: &[Vec<Part>], known: Option<Vec<u8>>) -> Vec<Candidate> {
    let mut sieve = Sieve::new(versions, known);
    for parts in ways {
        interleave(all_of_one_order(parts), &mut sieve);
    }
    for (how, text) in reapply::both_ways(versions) {
        sieve.take(how.to_owned(), text);
    }
    sieve.found
}

const OURS: &str = "inspan candidate: ours";
const BASE: &str = "inspan candidate: base";
const THEIRS: &str = "inspan candidate: theirs";

/// Texts with ours first everywhere, with theirs first everywhere, and with the orders mixed.
fn all_of_one_order(parts: &[Part]) -> [Vec<(String, Vec<u8>)>; 3] {
    let of = |orders: &[Order]| {
        let each = |part: &Part| match part {
            Part::Text(_) => None,
            Part::Conflict(conflict) => Some(resolutions::of(conflict, orders)),
        };
        let each: Vec<Vec<Resolution>> = parts.iter().filter_map(each).collect();
        let most = if orders.len() == 1 { LOOKED_AT / 3 } else { LOOKED_AT / 4 };
        cheapest(&each, most).into_iter().map(|chosen| compose(parts, &each, &chosen)).collect::<Vec<_>>()
    };
    [of(&[Order::OursFirst]), of(&[Order::TheirsFirst]), of(&[Order::OursFirst, Order::TheirsFirst])]
}

/// Two of the first kind, one of each other, and so on.
fn interleave(all: [Vec<(String, Vec<u8>)>; 3], sieve: &mut Sieve<'_>) {
    let mut queues = all.map(Vec::into_iter);
    loop {
        let mut any = false;
        for at in [0, 1, 0, 2] {
            if let Some((how, text)) = queues[at].next() {
                sieve.take(how, text);
                any = true;
            }
        }
        if !any || sieve.is_full() {
            return;
        }
    }
}

fn compose(parts: &[Part], each: &[Vec<Resolution>], chosen: &[usize]) -> (String, Vec<u8>) {
    let mut resolved = each.iter().zip(chosen).map(|(all, at)| &all[*at]);
    let mut text = Vec::new();
    let mut how: Vec<&str> = Vec::new();
    for part in parts {
        match part {
            Part::Text(plain) => text.extend_from_slice(plain),
            Part::Conflict(_) => {
                if let Some(resolution) = resolved.next() {
                    text.extend_from_slice(&resolution.text);
                    how.push(resolution.how);
                }
            }
        }
    }
    how.dedup();
    (how.join(", "), text)
}

/// The cheapest choices of one of each, cheapest first: the usual walk through a sorted product.
fn cheapest(each: &[Vec<Resolution>], most: usize) -> Vec<Vec<usize>> {
    if each.is_empty() || each.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let cost = |chosen: &[usize]| each.iter().zip(chosen).map(|(all, at)| all[*at].cost).sum::<u32>();
    let first = vec![0; each.len()];
    let mut seen = HashSet::from([first.clone()]);
    let mut open = BinaryHeap::from([(std::cmp::Reverse(cost(&first)), std::cmp::Reverse(first))]);
    let mut found = Vec::new();
    while let Some((_, std::cmp::Reverse(chosen))) = open.pop() {
        for at in 0..each.len() {
            let mut next = chosen.clone();
            next[at] += 1;
            if next[at] < each[at].len() && seen.insert(next.clone()) {
                open.push((std::cmp::Reverse(cost(&next)), std::cmp::Reverse(next)));
            }
        }
        found.push(chosen);
        if found.len() >= most {
            break;
        }
    }
    found
}

/// Whether a text parses, or nobody can tell.
fn is_sound(path: &str, text: &[u8]) -> bool {
    std::str::from_utf8(text).map_or(true, |text| parses(path, text))
}

/// Lets through what is new, parses and loses nothing.
struct Sieve<'a> {
    versions: &'a Versions<'a>,
    must_parse: bool,
    seen: HashSet<Vec<u8>>,
    found: Vec<Candidate>,
}

impl<'a> Sieve<'a> {
    fn new(versions: &'a Versions<'a>, known: Option<Vec<u8>>) -> Self {
        let must_parse = is_sound(versions.path, versions.ours) && is_sound(versions.path, versions.theirs);
        Self { versions, must_parse, seen: known.into_iter().collect(), found: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MOST || self.seen.len() > LOOKED_AT
    }

    fn take(&mut self, how: String, text: Vec<u8>) {
        if self.is_full() || self.seen.contains(&text) {
            return;
        }
        let parses = !self.must_parse || is_sound(self.versions.path, &text);
        if parses && account(self.versions, &text).is_whole() {
            self.found.push(Candidate { text: text.clone(), how });
        }
        self.seen.insert(text);
    }
}

#[cfg(test)]
mod tests;
