//! What changed between two sequences, and which parts of three versions who changed.
//!
//! **Invariant:** regions cover all three sequences, in order and without gaps.
//!
//! The differences themselves are imara-diff's: it is fast on long and hopeless inputs alike.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

/// Something before was replaced by something after; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub before: Range<usize>,
    pub after: Range<usize>,
}

/// A part of three versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    pub by: By,
    pub base: Range<usize>,
    pub ours: Range<usize>,
    pub theirs: Range<usize>,
}

/// Who changed a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Nobody,
    Ours,
    Theirs,
    Both,
}

/// How lines became other lines, placed where a reader would place them.
pub(crate) fn edits_of_lines(before: &[&str], after: &[&str]) -> Vec<Edit> {
    let mut input = InternedInput::default();
    input.update_before(before.iter().map(|line| line.as_bytes()));
    input.update_after(after.iter().map(|line| line.as_bytes()));
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    edits_of(&diff)
}

/// How a sequence became another one.
pub(crate) fn edits<'a>(before: impl Iterator<Item = &'a str>, after: impl Iterator<Item = &'a str>) -> Vec<Edit> {
    let mut input = InternedInput::default();
    input.update_before(before);
    input.update_after(after);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_no_heuristic(&input);
    edits_of(&diff)
}

fn edits_of(diff: &Diff) -> Vec<Edit> {
    let wide = |range: Range<u32>| range.start as usize..range.end as usize;
    diff.hunks().map(|hunk| Edit { before: wide(hunk.before), after: wide(hunk.after) }).collect()
}

/// Puts two sides' edits of the same base side by side. Edits that overlap or touch are one region.
pub(crate) fn regions(base: usize, ours: &[Edit], theirs: &[Edit]) -> Vec<Region> {
    let mut found = Vec::new();
    let (mut done, mut at_ours, mut at_theirs) = (0, 0, 0);
    let (mut left, mut right) = (Side::new(ours), Side::new(theirs));
    while let Some(start) = left.next_start().into_iter().chain(right.next_start()).min() {
        let (mut end, mut grew) = (start, true);
        let (mut from_ours, mut from_theirs) = (0, 0);
        while grew {
            let (took, ours_end) = left.take_until(start, end);
            let (too, theirs_end) = right.take_until(start, end.max(ours_end));
            grew = took + too > 0;
            (from_ours, from_theirs) = (from_ours + took, from_theirs + too);
            end = end.max(ours_end).max(theirs_end);
        }
        let kept = start - done;
        push_kept(&mut found, (done, at_ours, at_theirs), kept);
        (at_ours, at_theirs) = (at_ours + kept, at_theirs + kept);
        let (ours_end, theirs_end) = (left.place(end), right.place(end));
        let by = match (from_ours > 0, from_theirs > 0) {
            (true, true) => By::Both,
            (true, false) => By::Ours,
            _ => By::Theirs,
        };
        found.push(Region { by, base: start..end, ours: at_ours..ours_end, theirs: at_theirs..theirs_end });
        (done, at_ours, at_theirs) = (end, ours_end, theirs_end);
    }
    push_kept(&mut found, (done, at_ours, at_theirs), base - done);
    found
}

fn push_kept(found: &mut Vec<Region>, (base, ours, theirs): (usize, usize, usize), length: usize) {
    if length > 0 {
        let (base, ours, theirs) = (base..base + length, ours..ours + length, theirs..theirs + length);
        found.push(Region { by: By::Nobody, base, ours, theirs });
    }
}

/// One side's edits, taken from the front.
struct Side<'a> {
    edits: &'a [Edit],
    taken: usize,
}

impl<'a> Side<'a> {
    fn new(edits: &'a [Edit]) -> Self {
        Self { edits, taken: 0 }
    }

    fn next_start(&self) -> Option<usize> {
        self.edits.get(self.taken).map(|edit| edit.before.start)
    }

    /// Takes all edits that touch a part of the base: how many, and where the last of them ends.
    fn take_until(&mut self, start: usize, end: usize) -> (usize, usize) {
        let (first, mut end) = (self.taken, end);
        while let Some(edit) = self.edits.get(self.taken).filter(|edit| edit.before.start <= end && edit.before.start >= start) {
            end = end.max(edit.before.end);
            self.taken += 1;
        }
        (self.taken - first, end)
    }

    /// Where a place of the base, behind all edits that were taken, is on this side.
    fn place(&self, base: usize) -> usize {
        self.taken.checked_sub(1).map_or(base, |last| base - self.edits[last].before.end + self.edits[last].after.end)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(base: &str, ours: &str, theirs: &str, expected: &Expect) {
        let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
        let [base, ours, theirs] = [base, ours, theirs].map(|text| words(String::leak(text.to_owned())));
        let (left, right) =
            (edits(base.iter().copied(), ours.iter().copied()), edits(base.iter().copied(), theirs.iter().copied()));
        let found = regions(base.len(), &left, &right);
        let shown = found.iter().map(|region| {
            let (b, o, t) = (&base[region.base.clone()], &ours[region.ours.clone()], &theirs[region.theirs.clone()]);
            format!("{:?}: {} | {} | {}\n", region.by, b.join(" "), o.join(" "), t.join(" "))
        });
        expected.assert_eq(&shown.collect::<String>());
    }

    #[test]
    fn edits_apart_are_regions_of_their_own_and_edits_that_touch_are_one() {
        check(
            "a b c d e f g",
            "a x c d e f",
            "a b c y e f g h",
            &expect![[r"
                Nobody: a | a | a
                Ours: b | x | b
                Nobody: c | c | c
                Theirs: d | d | y
                Nobody: e f | e f | e f
                Both: g |  | g h
            "]],
        );
    }

    #[test]
    fn two_insertions_at_one_place_are_one_region() {
        check(
            "a b",
            "a x b",
            "a y z b",
            &expect![[r"
                Nobody: a | a | a
                Both:  | x | y z
                Nobody: b | b | b
            "]],
        );
    }

    #[test]
    fn a_long_edit_gathers_all_that_it_touches() {
        check(
            "a b c d e f",
            "a x y z f",
            "a b 1 d 2 f",
            &expect![[r"
                Nobody: a | a | a
                Both: b c d e | x y z | b 1 d 2
                Nobody: f | f | f
            "]],
        );
    }
}
