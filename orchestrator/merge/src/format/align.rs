//! Three sequences beside each other, where edits that touch and do not overlap are two places.
//!
//! Lines that touch may belong together, so git takes them as one place (`crate::diff`). Entries of data and of lists stand for
//! themselves: only what is put in at one point, or instead of the same entry, is one place.
//!
//! **Invariant:** the regions cover all three sequences, in order, without a gap.

use std::{collections::HashMap, ops::Range};

use crate::diff::{By, Edit, Region, edits};

/// Aligns by what differs on each side.
pub(super) fn by_diff(sequences: [&[&str]; 3]) -> Vec<Region> {
    let [base, ours, theirs] = sequences;
    let between = |side: &[&str]| edits(base.iter().copied(), side.iter().copied());
    chunks(&between(ours), &between(theirs), sequences.map(<[&str]>::len))
}

/// Aligns sequences of which each holds nothing twice, and none has what it shares with the base in another order.
pub(super) fn by_identity(sequences: [&[String]; 3]) -> Vec<Region> {
    let [base, ours, theirs] = sequences;
    chunks(&identity_edits(base, ours), &identity_edits(base, theirs), sequences.map(<[String]>::len))
}

fn identity_edits(before: &[String], after: &[String]) -> Vec<Edit> {
    let places: HashMap<&String, usize> = before.iter().enumerate().map(|(at, thing)| (thing, at)).collect();
    let (mut hunks, mut from) = (Vec::new(), (0, 0));
    let anchors = after.iter().enumerate().filter_map(|(at, thing)| Some((*places.get(thing)?, at)));
    for (b, a) in anchors.chain([(before.len(), after.len())]) {
        if b < from.0 {
            continue;
        }
        if (b, a) != from {
            hunks.push(Edit { before: from.0..b, after: from.1..a });
        }
        from = (b + 1, a + 1);
    }
    hunks
}

/// How far the edits of one side have been taken.
struct Side<'a> {
    hunks: &'a [Edit],
    /// Where the base and the side stand after the last that was taken.
    done: (usize, usize),
}

impl Side<'_> {
    fn next(&self) -> Option<&Range<usize>> {
        self.hunks.first().map(|edit| &edit.before)
    }

    fn take(&mut self) -> Range<usize> {
        let Edit { before, after } = &self.hunks[0];
        self.hunks = &self.hunks[1..];
        self.done = (before.end, after.end);
        before.clone()
    }

    /// Where a place of the base that no edit is at, or that the edits taken end before, is in the side.
    fn at(&self, base: usize) -> usize {
        base + self.done.1 - self.done.0
    }
}

fn chunks(ours: &[Edit], theirs: &[Edit], lengths: [usize; 3]) -> Vec<Region> {
    let (mut ours, mut theirs) = (Side { hunks: ours, done: (0, 0) }, Side { hunks: theirs, done: (0, 0) });
    let (mut chunks, mut at) = (Vec::new(), [0, 0, 0]);
    loop {
        let first = [ours.next(), theirs.next()].into_iter().flatten().min_by_key(|range| (range.start, range.end)).cloned();
        let start = first.as_ref().map_or(lengths[0], |range| range.start);
        let still = [start, ours.at(start), theirs.at(start)];
        push(&mut chunks, at, still, By::Nobody);
        at = still;
        let Some(mut place) = first else { return chunks };
        let mut by = [false, false];
        // The one that starts here is taken first, whatever touches it.
        let mut is_first = true;
        loop {
            let joins = |next: Option<&Range<usize>>| next.is_some_and(|next| meets(&place, next, is_first));
            let (of_ours, of_theirs) = (joins(ours.next()), joins(theirs.next()));
            let taken = match (of_ours, of_theirs) {
                (true, _) => ours.take(),
                (_, true) => theirs.take(),
                _ => break,
            };
            by[usize::from(!of_ours)] = true;
            place = place.start..place.end.max(taken.end);
            is_first = false;
        }
        let end = [place.end, ours.at(place.end), theirs.at(place.end)];
        push(
            &mut chunks,
            at,
            end,
            if by == [true, true] {
                By::Both
            } else if by[0] {
                By::Ours
            } else {
                By::Theirs
            },
        );
        at = end;
    }
}

fn meets(place: &Range<usize>, next: &Range<usize>, is_first: bool) -> bool {
    if is_first || place == next {
        return place == next;
    }
    next.start < place.end && (next.start > place.start || !next.is_empty())
}

fn push(chunks: &mut Vec<Region>, from: [usize; 3], to: [usize; 3], by: By) {
    if from != to {
        chunks.push(Region { base: from[0]..to[0], ours: from[1]..to[1], theirs: from[2]..to[2], by });
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a snapshot is written where it is passed")]
    fn check(base: &str, ours: &str, theirs: &str, expected: Expect) {
        let [b, o, t] = [base, ours, theirs].map(|text| text.split("").filter(|c| !c.is_empty()).collect::<Vec<_>>());
        let shown: Vec<String> = by_diff([&b, &o, &t])
            .into_iter()
            .map(|chunk| {
                let of = |from: &[&str], range: Range<usize>| from[range].concat();
                format!("{:?} {}|{}|{}", chunk.by, of(&b, chunk.base), of(&o, chunk.ours), of(&t, chunk.theirs))
            })
            .collect();
        expected.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn edits_that_touch_are_two_places_and_insertions_at_one_point_are_one() {
        check(
            "ab",
            "xb",
            "ay",
            expect![[r#"
                Ours a|x|a
                Theirs b|b|y"#]],
        );
        check(
            "ab",
            "axb",
            "ayb",
            expect![[r#"
                Nobody a|a|a
                Both |x|y
                Nobody b|b|b"#]],
        );
        check(
            "ab",
            "axb",
            "ac",
            expect![[r#"
                Nobody a|a|a
                Ours |x|
                Theirs b|b|c"#]],
        );
        check(
            "abcd",
            "aXd",
            "abYZ",
            expect![[r#"
            Nobody a|a|a
            Both bcd|Xd|bYZ"#]],
        );
    }
}
