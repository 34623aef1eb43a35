//! Where every edit of both sides went: nothing of one side is silently dropped for the other.
//!
//! Lines are counted. A line that a side added is to be there as often as the base and both sides together have it, a line that a side
//! removed as often less; only where both sides edited the same place may what they have in common count once or twice. A line that
//! is not there as it was written may have become a part of another one: then every word and sign that its hunk brought must
//! be there and every one that it took away be gone, counted in the same manner.
//!
//! **Invariant:** a merge whose account [`is whole`](Account::is_whole) has dropped no added line and brought back no removed one,
//! but for what both sides did alike in one place.
//! **Invariant:** white space decides nothing: a line that was indented anew is the same line. In which block it is, where layout alone says
//! so, is what the engine leaves to a person (`tokens`).
//!
//! Why count and not align? A merge may move what it merges (an import into its place, a method into a moved class); where a line
//! stands is what the parse and the proofs judge, that it stands is judged here.
//!
//! Not here: whether the merged text parses or does what both sides meant.

use std::collections::HashMap;

use crate::{
    Versions,
    chunks::{Chunk, Numbers, Touching, Who, chunks},
};

mod tally;

use tally::{Tally, tokens};

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in the result as it was made.
    Found,
    /// Its lines were combined with the other side's; all that it brought and took away is accounted for.
    Changed,
    /// Some of it is not in the result.
    Lost {
        /// Lines that it added and that are not there.
        gone: Vec<String>,
        /// Lines that it removed and that are there again.
        back: Vec<String>,
    },
}

/// Some lines that a side changed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The line in the side's version where it begins, counted from 1.
    pub line: usize,
    /// How many lines it added.
    pub added: usize,
    /// How many it removed.
    pub removed: usize,
    /// The first line that it changed, for people.
    pub sample: String,
    /// What became of it.
    pub fate: Fate,
}

/// Every edit of both sides with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Of one side.
    pub ours: Vec<Hunk>,
    /// Of the other.
    pub theirs: Vec<Hunk>,
    /// Lines that neither side changed and that are gone all the same, or that neither side wrote.
    pub stray: Vec<String>,
}

impl Account {
    /// Whether nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.stray.is_empty() && self.hunks().all(|hunk| !matches!(hunk.fate, Fate::Lost { .. }))
    }

    /// All hunks.
    pub fn hunks(&self) -> impl Iterator<Item = &Hunk> {
        self.ours.iter().chain(&self.theirs)
    }

    /// What is lost, in words, a few lines of it; none where nothing is.
    pub fn complaint(&self) -> Option<String> {
        let side = |who: &'static str, hunks: &[Hunk]| -> Vec<String> {
            let lost = hunks.iter().filter_map(|hunk| match &hunk.fate {
                Fate::Lost { gone, back } => Some((gone, back)),
                _ => None,
            });
            let say = |line: &String, what: &str| format!("{who} {what} `{}`", line.trim());
            lost.flat_map(|(gone, back)| {
                let gone = gone.iter().map(|line| say(line, "added"));
                gone.chain(back.iter().map(|line| say(line, "removed"))).collect::<Vec<_>>()
            })
            .collect()
        };
        let mut all = side("one side", &self.ours);
        all.extend(side("the other side", &self.theirs));
        all.extend(self.stray.iter().map(|line| format!("no side changed `{}`", line.trim())));
        let left_out = all.len().saturating_sub(SHOWN);
        all.truncate(SHOWN);
        if left_out > 0 {
            all.push(format!("{left_out} more"));
        }
        (!all.is_empty()).then(|| format!("the merge would lose an edit: {}", all.join("; ")))
    }
}

/// How many lost lines are named.
const SHOWN: usize = 3;

/// Follows every edit of both sides into the merged text.
#[must_use]
pub fn account(versions: &Versions<'_>, merged: &[u8]) -> Account {
    let mut numbers = Numbers::new();
    let all = [versions.base, versions.ours, versions.theirs, merged].map(lines);
    let ids = [0, 1, 2, 3].map(|at: usize| numbers.of(all[at].iter().map(|line| bare(line))));
    let cut = chunks(&ids[0], &ids[1], &ids[2], Touching::Joins);
    let blank = numbers.of([Vec::new()])[0];
    let tally = Tally::of(&cut, [&ids[0], &ids[1], &ids[2]], &ids[3]);
    let mut book = Book { lines: &all, ids: &ids, blank, tally, words: None, cut: &cut };
    book.follow()
}

/// The lines of a text, without their ends.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut all: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if all.last().is_some_and(|last| last.is_empty()) {
        all.pop();
    }
    all
}

/// A line without white space.
fn bare(line: &[u8]) -> Vec<u8> {
    line.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// The account while it is drawn up.
struct Book<'a> {
    lines: &'a [Vec<&'a [u8]>; 4],
    ids: &'a [Vec<u32>; 4],
    blank: u32,
    tally: Tally<u32>,
    /// Counted only where a line is not as it was written.
    words: Option<Tally<&'a [u8]>>,
    cut: &'a [Chunk],
}

/// Which of the two sides.
#[derive(Clone, Copy)]
enum Side {
    Ours = 1,
    Theirs = 2,
}

impl<'a> Book<'a> {
    fn follow(&mut self) -> Account {
        let mut account = Account::default();
        // What is short is charged first to where both sides wrote: there it is lost, if anywhere.
        for both in [true, false] {
            for chunk in self.cut.iter().filter(|chunk| (chunk.who == Who::Both) == both) {
                if matches!(chunk.who, Who::Ours | Who::Both) {
                    account.ours.extend(self.hunk(chunk, Side::Ours));
                }
                if matches!(chunk.who, Who::Theirs | Who::Both) {
                    account.theirs.extend(self.hunk(chunk, Side::Theirs));
                }
            }
        }
        account.ours.sort_by_key(|hunk| hunk.line);
        account.theirs.sort_by_key(|hunk| hunk.line);
        account.stray = self.stray();
        account
    }

    /// A side's hunk in a chunk; none where it changed nothing but white space or the order.
    fn hunk(&mut self, chunk: &Chunk, side: Side) -> Option<Hunk> {
        let range = match side {
            Side::Ours => chunk.ours.clone(),
            Side::Theirs => chunk.theirs.clone(),
        };
        let at = side as usize;
        let added = surplus(&self.ids[at][range.clone()], &self.ids[0][chunk.base.clone()]);
        let removed = surplus(&self.ids[0][chunk.base.clone()], &self.ids[at][range.clone()]);
        let text = |version: usize, start: usize, offset: usize| {
            String::from_utf8_lossy(self.lines[version][start + offset]).into_owned()
        };
        let added: Vec<(u32, String)> =
            added.iter().map(|o| (self.ids[at][range.start + o], text(at, range.start, *o))).collect();
        let removed: Vec<(u32, String)> =
            removed.iter().map(|o| (self.ids[0][chunk.base.start + o], text(0, chunk.base.start, *o))).collect();
        let wanted = |(id, _): &&(u32, String)| *id != self.blank;
        let sample = added.iter().chain(&removed).find(wanted).map(|(_, text)| text.trim().to_owned())?;
        let (count_added, count_removed) = (added.iter().filter(wanted).count(), removed.iter().filter(wanted).count());
        let fate = self.fate(chunk, side, &added, &removed);
        Some(Hunk { line: range.start + 1, added: count_added, removed: count_removed, sample, fate })
    }

    fn fate(&mut self, chunk: &Chunk, side: Side, added: &[(u32, String)], removed: &[(u32, String)]) -> Fate {
        let blank = self.blank;
        let gone: Vec<String> = added.iter().filter(|(id, _)| *id != blank && self.tally.charge_short(id)).map(second).collect();
        let back: Vec<String> = removed.iter().filter(|(id, _)| *id != blank && self.tally.charge_over(id)).map(second).collect();
        if gone.is_empty() && back.is_empty() {
            return Fate::Found;
        }
        // A bracket alone was not combined with anything.
        if gone.iter().chain(&back).all(|line| tokens(&[line.as_bytes()]).is_empty()) {
            return Fate::Lost { gone, back };
        }
        let range = match side {
            Side::Ours => chunk.ours.clone(),
            Side::Theirs => chunk.theirs.clone(),
        };
        let lines = self.lines;
        let of_side = tokens(&lines[side as usize][range]);
        let of_base = tokens(&lines[0][chunk.base.clone()]);
        let words = self.words();
        let is_lost = of_side.keys().chain(of_base.keys()).any(|word| {
            let delta = of_side.get(word).unwrap_or(&0) - of_base.get(word).unwrap_or(&0);
            (delta > 0 && words.is_short(word)) || (delta < 0 && words.is_over(word))
        });
        if is_lost { Fate::Lost { gone, back } } else { Fate::Changed }
    }

    /// Lines whose number is wrong and that no hunk answers for.
    fn stray(&mut self) -> Vec<String> {
        let mut left: Vec<u32> = self.tally.unbalanced().into_iter().filter(|id| *id != self.blank).collect();
        left.sort_unstable();
        let place = |id: u32| [3, 0].into_iter().find_map(|v: usize| self.ids[v].iter().position(|i| *i == id).map(|at| (v, at)));
        let found: Vec<&'a [u8]> = left.into_iter().filter_map(place).map(|(version, at)| self.lines[version][at]).collect();
        let words = if found.is_empty() { return Vec::new() } else { self.words() };
        let is_wrong = |line: &&&[u8]| tokens(&[**line]).keys().any(|word| words.is_short(word) || words.is_over(word));
        found.iter().filter(is_wrong).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    fn words(&mut self) -> &Tally<&'a [u8]> {
        let (lines, cut) = (self.lines, self.cut);
        self.words.get_or_insert_with(|| Tally::of_words(cut, lines))
    }
}

fn second((_, text): &(u32, String)) -> String {
    text.clone()
}

/// The places of things in one list that the other has not as often.
fn surplus(of: &[u32], over: &[u32]) -> Vec<usize> {
    let mut there: HashMap<u32, usize> = HashMap::new();
    for id in over {
        *there.entry(*id).or_default() += 1;
    }
    let is_new = |id: &u32| match there.get_mut(id) {
        Some(count @ 1..) => {
            *count -= 1;
            false
        }
        _ => true,
    };
    let flags: Vec<bool> = of.iter().map(is_new).collect();
    (0..of.len()).filter(|at| flags[*at]).collect()
}

#[cfg(test)]
mod tests;
