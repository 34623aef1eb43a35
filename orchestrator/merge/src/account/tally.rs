//! How often things have to be in a merge, and how often they are.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use crate::chunks::{Chunk, Who};

/// For each thing how many more or fewer there are than there should be.
pub(super) struct Tally<T> {
    /// Below what is due.
    short: HashMap<T, i64>,
    /// Above it.
    over: HashMap<T, i64>,
}

/// The fewest and the most of a thing that are in good order.
#[derive(Default, Clone, Copy)]
struct Due {
    least: i64,
    most: i64,
}

impl Due {
    fn both(&mut self, ours: i64, theirs: i64) {
        let (fewer, more) = (ours.min(theirs), ours.max(theirs));
        let sum = ours + theirs;
        (self.least, self.most) = match (fewer >= 0, more <= 0) {
            (true, _) => (self.least + more, self.most + sum),
            (false, true) => (self.least + sum, self.most + fewer),
            (false, false) => (self.least + sum, self.most + sum),
        };
    }

    fn one(&mut self, delta: i64) {
        self.least += delta;
        self.most += delta;
    }
}

impl Tally<u32> {
    /// Of lines.
    pub(super) fn of(cut: &[Chunk], versions: [&[u32]; 3], merged: &[u32]) -> Self {
        let changed = cut.iter().filter(|chunk| chunk.who != Who::Nobody);
        let counts = changed.map(|chunk| {
            let ranges = [chunk.base.clone(), chunk.ours.clone(), chunk.theirs.clone()];
            let [base, ours, theirs] = [0, 1, 2].map(|at: usize| count(versions[at][ranges[at].clone()].iter().copied()));
            let alike = versions[1][chunk.ours.clone()] == versions[2][chunk.theirs.clone()];
            (chunk.who, alike, [base, ours, theirs])
        });
        Self::balance(counts, &count(versions[0].iter().copied()), &count(merged.iter().copied()))
    }
}

impl<'a> Tally<&'a [u8]> {
    /// Of words and signs.
    pub(super) fn of_words(cut: &[Chunk], lines: &[Vec<&'a [u8]>; 4]) -> Self {
        let changed = cut.iter().filter(|chunk| chunk.who != Who::Nobody);
        let counts = changed.map(|chunk| {
            let ranges = [chunk.base.clone(), chunk.ours.clone(), chunk.theirs.clone()];
            let counts = [0, 1, 2].map(|at: usize| tokens(&lines[at][ranges[at].clone()]));
            let alike = counts[1] == counts[2];
            (chunk.who, alike, counts)
        });
        Self::balance(counts, &tokens(&lines[0]), &tokens(&lines[3]))
    }
}

impl<T: Hash + Eq + Copy> Tally<T> {
    fn balance(
        chunks: impl Iterator<Item = (Who, bool, [HashMap<T, i64>; 3])>,
        base: &HashMap<T, i64>,
        merged: &HashMap<T, i64>,
    ) -> Self {
        let mut due: HashMap<T, Due> = base.iter().map(|(&thing, &n)| (thing, Due { least: n, most: n })).collect();
        for (who, alike, [base, ours, theirs]) in chunks {
            let all: HashSet<T> = base.keys().chain(ours.keys()).chain(theirs.keys()).copied().collect();
            for thing in all {
                let of = |side: &HashMap<T, i64>| side.get(&thing).unwrap_or(&0) - base.get(&thing).unwrap_or(&0);
                let due = due.entry(thing).or_default();
                match who {
                    Who::Theirs => due.one(of(&theirs)),
                    Who::Both if !alike => due.both(of(&ours), of(&theirs)),
                    _ => due.one(of(&ours)),
                }
            }
        }
        let mut tally = Self { short: HashMap::new(), over: HashMap::new() };
        for thing in due.keys().chain(merged.keys()).copied().collect::<HashSet<_>>() {
            let Due { least, most } = due.get(&thing).copied().unwrap_or_default();
            let there = merged.get(&thing).copied().unwrap_or(0);
            if there < least {
                tally.short.insert(thing, least - there);
            } else if there > most.max(0) {
                tally.over.insert(thing, there - most.max(0));
            }
        }
        tally
    }

    pub(super) fn is_short(&self, thing: &T) -> bool {
        self.short.contains_key(thing)
    }

    pub(super) fn is_over(&self, thing: &T) -> bool {
        self.over.contains_key(thing)
    }

    /// Whether one is missing that is charged to whoever asks.
    pub(super) fn charge_short(&mut self, thing: &T) -> bool {
        charge(&mut self.short, thing)
    }

    /// Whether there is one too many that is charged to whoever asks.
    pub(super) fn charge_over(&mut self, thing: &T) -> bool {
        charge(&mut self.over, thing)
    }

    /// What was charged to nobody.
    pub(super) fn unbalanced(&self) -> Vec<T> {
        self.short.keys().chain(self.over.keys()).copied().collect()
    }
}

fn charge<T: Hash + Eq>(what: &mut HashMap<T, i64>, thing: &T) -> bool {
    let Some(left) = what.get_mut(thing) else { return false };
    *left -= 1;
    if *left == 0 {
        what.remove(thing);
    }
    true
}

fn count<T: Hash + Eq>(all: impl Iterator<Item = T>) -> HashMap<T, i64> {
    let mut counts = HashMap::new();
    for thing in all {
        *counts.entry(thing).or_default() += 1;
    }
    counts
}

/// Words and signs with their number. What only separates or encloses is left out: joining two lists adds and removes it.
pub(super) fn tokens<'a>(lines: &[&'a [u8]]) -> HashMap<&'a [u8], i64> {
    count(lines.iter().flat_map(|line| words(line)))
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        loop {
            let first = *rest.first()?;
            let length = if is_word(first) { rest.iter().take_while(|byte| is_word(**byte)).count() } else { 1 };
            let (word, after) = rest.split_at(length);
            rest = after;
            if !(first.is_ascii_whitespace() || b",;(){}[]".contains(&first)) {
                return Some(word);
            }
        }
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
