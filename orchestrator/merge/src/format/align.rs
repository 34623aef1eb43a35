//! Three sequences beside each other: what stands still in all of them, and what one side or both changed.
//!
//! **Invariant:** the chunks cover all three sequences, in order, without a gap.

use std::{collections::HashMap, hash::Hash, ops::Range};

use imara_diff::{Algorithm, Diff, InternedInput, TokenSource};

/// A stretch of all three sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) base: Range<usize>,
    pub(super) ours: Range<usize>,
    pub(super) theirs: Range<usize>,
    pub(super) by: By,
}

/// Who changed a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Nobody,
    Ours,
    Theirs,
    Both,
}

/// Whether two edits that touch, and do not overlap, are one place or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touching {
    /// As git sees it.
    One,
    /// Only two insertions at one point are one place.
    Two,
}

/// An edit: this range of the base became that range of a side.
type Hunk = (Range<usize>, Range<usize>);

/// Aligns by a diff of each side.
pub(super) fn by_diff<T: Hash + Eq>(sequences: [&[T]; 3], touching: Touching) -> Vec<Chunk> {
    let [base, ours, theirs] = sequences;
    chunks(&edits(base, ours), &edits(base, theirs), [base.len(), ours.len(), theirs.len()], touching)
}

/// Aligns sequences of which each holds nothing twice, and none has what it shares with the base in another order.
pub(super) fn by_identity<T: Hash + Eq>(sequences: [&[T]; 3]) -> Vec<Chunk> {
    let [base, ours, theirs] = sequences;
    let lengths = [base.len(), ours.len(), theirs.len()];
    chunks(&identity_edits(base, ours), &identity_edits(base, theirs), lengths, Touching::Two)
}

/// Which of the second sequence's things are new, and which of the first one's are gone, as hunks.
pub(super) fn edits<T: Hash + Eq>(before: &[T], after: &[T]) -> Vec<Hunk> {
    let input = InternedInput::new(Sequence(before), Sequence(after));
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_no_heuristic(&input);
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    diff.hunks().map(|hunk| (range(hunk.before), range(hunk.after))).collect()
}

fn identity_edits<T: Hash + Eq>(before: &[T], after: &[T]) -> Vec<Hunk> {
    let places: HashMap<&T, usize> = before.iter().enumerate().map(|(at, thing)| (thing, at)).collect();
    let (mut hunks, mut from) = (Vec::new(), (0, 0));
    let anchors = after.iter().enumerate().filter_map(|(at, thing)| Some((*places.get(thing)?, at)));
    for (b, a) in anchors.chain([(before.len(), after.len())]) {
        if (b, a) != from && b >= from.0 {
            hunks.push((from.0..b, from.1..a));
        }
        from = (b + 1, a + 1);
    }
    hunks
}

struct Sequence<'a, T>(&'a [T]);

impl<'a, T: Hash + Eq> TokenSource for Sequence<'a, T> {
    type Token = &'a T;
    type Tokenizer = std::slice::Iter<'a, T>;

    fn tokenize(&self) -> Self::Tokenizer {
        self.0.iter()
    }

    fn estimate_tokens(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// How far the edits of one side have been taken.
struct Side<'a> {
    hunks: &'a [Hunk],
    /// Where the base and the side stand after the last that was taken.
    done: (usize, usize),
}

impl Side<'_> {
    fn next(&self) -> Option<&Range<usize>> {
        self.hunks.first().map(|(base, _)| base)
    }

    fn take(&mut self) -> Range<usize> {
        let (base, side) = &self.hunks[0];
        self.hunks = &self.hunks[1..];
        self.done = (base.end, side.end);
        base.clone()
    }

    /// Where a place of the base that no edit is at, or that the edits taken end before, is in the side.
    fn at(&self, base: usize) -> usize {
        base + self.done.1 - self.done.0
    }
}

fn chunks(ours: &[Hunk], theirs: &[Hunk], lengths: [usize; 3], touching: Touching) -> Vec<Chunk> {
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
            let joins = |next: Option<&Range<usize>>| next.is_some_and(|next| meets(&place, next, touching, is_first));
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
        push(&mut chunks, at, end, if by == [true, true] { By::Both } else if by[0] { By::Ours } else { By::Theirs });
        at = end;
    }
}

fn meets(place: &Range<usize>, next: &Range<usize>, touching: Touching, is_first: bool) -> bool {
    if is_first || place == next {
        return place == next;
    }
    match touching {
        Touching::One => next.start <= place.end,
        Touching::Two => next.start < place.end && (next.start > place.start || !next.is_empty()),
    }
}

fn push(chunks: &mut Vec<Chunk>, from: [usize; 3], to: [usize; 3], by: By) {
    if from != to {
        chunks.push(Chunk { base: from[0]..to[0], ours: from[1]..to[1], theirs: from[2]..to[2], by });
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a snapshot is written where it is passed")]
    fn check(base: &str, ours: &str, theirs: &str, expected: Expect) {
        let [b, o, t] = [base, ours, theirs].map(|text| text.chars().collect::<Vec<_>>());
        let shown: Vec<String> = by_diff([&b, &o, &t], Touching::Two)
            .into_iter()
            .map(|chunk| {
                let of = |from: &[char], range: Range<usize>| from[range].iter().collect::<String>();
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
        check("abcd", "aXd", "abYZ", expect![[r#"
            Nobody a|a|a
            Both bcd|Xd|bYZ"#]]);
    }
}
