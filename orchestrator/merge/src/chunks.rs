//! Three sequences, cut where they agree and where one or both sides differ from the base.
//!
//! Lines and tokens alike: what is compared are numbers, and two things are alike where they have the same one. `account` counts
//! over these chunks and `candidates` recombines them.
//!
//! **Invariant:** the chunks of each version, one after the other, are the whole version.
//!
//! Not here: what a merge does with a chunk that both sides changed.

use std::{collections::HashMap, hash::Hash, ops::Range};

use imara_diff::{Algorithm, Diff, InternedInput};

/// Who changed a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Neither.
    Nobody,
    /// One side only.
    Ours,
    /// The other only.
    Theirs,
    /// Both, alike or not.
    Both,
}

/// A stretch of all three versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) who: Who,
    pub(crate) base: Range<usize>,
    pub(crate) ours: Range<usize>,
    pub(crate) theirs: Range<usize>,
}

/// Whether edits that touch each other, without a line between them, are one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touching {
    /// They are, as in git's merge.
    Joins,
    /// Only edits of the same place are.
    IsApart,
}

/// A stretch of the base and what a side has instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) base: Range<usize>,
    pub(crate) side: Range<usize>,
}

/// Numbers for things: alike where the things are.
#[derive(Debug)]
pub(crate) struct Numbers<T>(HashMap<T, u32>);

impl<T: Hash + Eq> Numbers<T> {
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    pub(crate) fn of(&mut self, all: impl IntoIterator<Item = T>) -> Vec<u32> {
        let mut number = |thing: T| {
            let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
            *self.0.entry(thing).or_insert(next)
        };
        all.into_iter().map(&mut number).collect()
    }
}

/// What a side changed.
pub(crate) fn edits(base: &[u32], side: &[u32]) -> Vec<Edit> {
    let mut input = InternedInput::default();
    input.update_before(base.iter().copied());
    input.update_after(side.iter().copied());
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_no_heuristic(&input);
    let wide = |range: Range<u32>| range.start as usize..range.end as usize;
    diff.hunks().map(|hunk| Edit { base: wide(hunk.before), side: wide(hunk.after) }).collect()
}

/// Cuts three versions.
pub(crate) fn chunks(base: &[u32], ours: &[u32], theirs: &[u32], touching: Touching) -> Vec<Chunk> {
    let (our_edits, their_edits) = (edits(base, ours), edits(base, theirs));
    let mut cut = Cut { touching, ours: Side::new(&our_edits), theirs: Side::new(&their_edits), at: 0, chunks: Vec::new() };
    while let Some(stretch) = cut.next_stretch() {
        cut.up_to(stretch.start);
        cut.take(stretch);
    }
    cut.up_to(base.len());
    cut.chunks
}

/// How far a side has been cut.
struct Side<'a> {
    edits: &'a [Edit],
    at: usize,
}

impl<'a> Side<'a> {
    fn new(edits: &'a [Edit]) -> Self {
        Self { edits, at: 0 }
    }

    fn next(&self) -> Option<Range<usize>> {
        self.edits.first().map(|edit| edit.base.clone())
    }

    /// Takes the edits within a stretch of the base, which begins at `start`; returns the side's own stretch and whether it differs.
    fn take(&mut self, taken: usize, stretch: &Range<usize>) -> (Range<usize>, bool) {
        let from = self.at;
        let end = match taken.checked_sub(1).map(|last| &self.edits[last]) {
            Some(last) => last.side.end + (stretch.end - last.base.end),
            None => from + stretch.len(),
        };
        self.edits = &self.edits[taken..];
        self.at = end;
        (from..end, taken > 0)
    }
}

struct Cut<'a> {
    touching: Touching,
    ours: Side<'a>,
    theirs: Side<'a>,
    at: usize,
    chunks: Vec<Chunk>,
}

impl Cut<'_> {
    /// The stretch of the base that the next edits change, edits of both sides that meet taken together.
    fn next_stretch(&self) -> Option<Range<usize>> {
        let first = [self.ours.next(), self.theirs.next()].into_iter().flatten().min_by_key(|range| (range.start, range.end))?;
        let mut stretch = first;
        loop {
            let before = stretch.clone();
            for edits in [self.ours.edits, self.theirs.edits] {
                for edit in edits {
                    if !self.meets(&stretch, &edit.base) {
                        break;
                    }
                    stretch.end = stretch.end.max(edit.base.end);
                }
            }
            if stretch == before {
                return Some(stretch);
            }
        }
    }

    fn meets(&self, stretch: &Range<usize>, edit: &Range<usize>) -> bool {
        let same_place = stretch.is_empty() && edit.is_empty() && edit.start == stretch.start;
        let is_within = edit.start < stretch.end || same_place || edit == stretch;
        is_within || (self.touching == Touching::Joins && edit.start <= stretch.end)
    }

    fn up_to(&mut self, base_end: usize) {
        let length = base_end - self.at;
        if length > 0 {
            let (ours, theirs) = (self.ours.at..self.ours.at + length, self.theirs.at..self.theirs.at + length);
            (self.ours.at, self.theirs.at) = (ours.end, theirs.end);
            self.chunks.push(Chunk { who: Who::Nobody, base: self.at..base_end, ours, theirs });
            self.at = base_end;
        }
    }

    fn take(&mut self, stretch: Range<usize>) {
        let count = |side: &Side<'_>| side.edits.iter().take_while(|edit| self.meets(&stretch, &edit.base)).count();
        let (our_count, their_count) = (count(&self.ours), count(&self.theirs));
        let (ours, by_ours) = self.ours.take(our_count, &stretch);
        let (theirs, by_theirs) = self.theirs.take(their_count, &stretch);
        let who = match (by_ours, by_theirs) {
            (true, true) => Who::Both,
            (true, false) => Who::Ours,
            _ => Who::Theirs,
        };
        self.at = stretch.end;
        self.chunks.push(Chunk { who, base: stretch, ours, theirs });
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn shown(base: &str, ours: &str, theirs: &str, touching: Touching) -> String {
        let mut numbers = Numbers::new();
        let [b, o, t] = [base, ours, theirs].map(|text| numbers.of(text.chars()));
        let chunk =
            |chunk: Chunk| format!("{:?} {}|{}|{}", chunk.who, &base[chunk.base], &ours[chunk.ours], &theirs[chunk.theirs]);
        chunks(&b, &o, &t, touching).into_iter().map(chunk).collect::<Vec<_>>().join("\n")
    }

    fn check(versions: [&str; 3], touching: Touching, expected: &Expect) {
        expected.assert_eq(&shown(versions[0], versions[1], versions[2], touching));
    }

    #[test]
    fn edits_that_touch_are_one_chunk_or_two() {
        let versions = ["abcd", "aBcd", "abCd"];
        check(versions, Touching::Joins, &expect!["Nobody a|a|a\nBoth bc|Bc|bC\nNobody d|d|d"]);
        check(versions, Touching::IsApart, &expect!["Nobody a|a|a\nOurs b|B|b\nTheirs c|c|C\nNobody d|d|d"]);
        check(["ab", "aXb", "aYb"], Touching::IsApart, &expect!["Nobody a|a|a\nBoth |X|Y\nNobody b|b|b"]);
        check(["ab", "aXb", "aY"], Touching::IsApart, &expect!["Nobody a|a|a\nOurs |X|\nTheirs b|b|Y"]);
        check(["", "X", "Y"], Touching::IsApart, &expect!["Both |X|Y"]);
    }

    proptest! {
        #[test]
        fn the_chunks_of_a_version_are_the_version(base in "[a-d]{0,12}", ours in "[a-e]{0,12}", theirs in "[a-e]{0,12}") {
            let mut numbers = Numbers::new();
            let [b, o, t] = [&base, &ours, &theirs].map(|text| numbers.of(text.chars()));
            for touching in [Touching::Joins, Touching::IsApart] {
                let (mut at, mut our_at, mut their_at) = (0, 0, 0);
                for chunk in chunks(&b, &o, &t, touching) {
                    prop_assert_eq!((chunk.base.start, chunk.ours.start, chunk.theirs.start), (at, our_at, their_at));
                    (at, our_at, their_at) = (chunk.base.end, chunk.ours.end, chunk.theirs.end);
                    if matches!(chunk.who, Who::Nobody | Who::Theirs) {
                        prop_assert_eq!(&b[chunk.base.clone()], &o[chunk.ours]);
                    }
                    if matches!(chunk.who, Who::Nobody | Who::Ours) {
                        prop_assert_eq!(&b[chunk.base], &t[chunk.theirs]);
                    }
                }
                prop_assert_eq!((at, our_at, their_at), (b.len(), o.len(), t.len()));
            }
        }
    }
}
