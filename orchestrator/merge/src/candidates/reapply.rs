//! One side's edits applied to the other side's text, as `patch` does: where what they replace and what stands around it is found.
//!
//! White space does not matter, the place may be another one, and of the surroundings some lines may be missing.

use std::ops::Range;

use super::{
    indent::{Shift, shift},
    text::{Line, join, lines, numbers},
};
use crate::{
    Versions,
    chunks::{Edit, edits},
};

/// How much of what stands around an edit is looked for.
const AROUND: usize = 3;

/// The task's edits on what landed, and the other way round.
pub(super) fn both_ways(versions: &Versions<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let one = reapply(versions.base, versions.theirs, versions.ours);
    let two = reapply(versions.base, versions.ours, versions.theirs);
    let one = one.map(|text| ("the task's edits where their surroundings are now", text));
    one.into_iter().chain(two.map(|text| ("what landed, where its surroundings are in the task's text", text))).collect()
}

/// An edit and where it goes.
struct Placed<'a> {
    at: Range<usize>,
    lines: &'a [Line<'a>],
    shift: Shift,
}

fn reapply(base: &[u8], side: &[u8], onto: &[u8]) -> Option<Vec<u8>> {
    let (base, side, onto) = (lines(base), lines(side), lines(onto));
    let [b, s, o] = numbers([&base, &side, &onto]);
    let mut placed: Vec<Placed<'_>> = Vec::new();
    let mut moved = 0isize;
    for edit in edits(&b, &s) {
        let from = placed.last().map_or(0, |last| last.at.end);
        let hay = Hay { base: &b, onto: &o, from, expected: edit.base.start.checked_add_signed(moved).unwrap_or(0) };
        let at = hay.find(&edit)?;
        moved = isize::try_from(at.start).ok()? - isize::try_from(edit.base.start).ok()?;
        let shift = nearest_shift(&base, &onto, &edit, &at);
        placed.push(Placed { at, lines: &side[edit.side], shift });
    }
    let mut out: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    for edit in placed {
        out.extend(onto[at..edit.at.start].iter().map(|line| line.to_vec()));
        out.extend(edit.lines.iter().map(|line| edit.shift.apply(line)));
        at = edit.at.end;
    }
    out.extend(onto[at..].iter().map(|line| line.to_vec()));
    Some(join(out.iter().map(Vec::as_slice)))
}

/// How the lines that an edit replaces, or stands after, have been moved.
fn nearest_shift(base: &[Line<'_>], onto: &[Line<'_>], edit: &Edit, at: &Range<usize>) -> Shift {
    if !edit.base.is_empty() {
        return shift(base[edit.base.start], onto[at.start]);
    }
    let pair = |b: Option<usize>, o: Option<usize>| Some((base.get(b?)?, onto.get(o?)?));
    let alike = |(b, o): &(&Line<'_>, &Line<'_>)| b.trim_ascii() == o.trim_ascii();
    let before = pair(edit.base.start.checked_sub(1), at.start.checked_sub(1)).filter(alike);
    let after = pair(Some(edit.base.end), Some(at.end)).filter(alike);
    before.or(after).map_or(Shift::None, |(b, o)| shift(b, o))
}

/// Where an edit is looked for.
struct Hay<'a> {
    base: &'a [u32],
    onto: &'a [u32],
    /// Not before this line: edits stay in order.
    from: usize,
    expected: usize,
}

impl Hay<'_> {
    /// The lines that the edit is to replace, or the place where it is to be put in. All of the surroundings first, then less.
    fn find(&self, edit: &Edit) -> Option<Range<usize>> {
        for around in (1..=AROUND).rev() {
            for (before, after) in [(around, around), (around, 0), (0, around)] {
                if let Some(found) = self.find_with(edit, before, after) {
                    return Some(found);
                }
            }
        }
        if edit.base.is_empty() { None } else { self.find_with(edit, 0, 0) }
    }

    fn find_with(&self, edit: &Edit, before: usize, after: usize) -> Option<Range<usize>> {
        let start = edit.base.start.saturating_sub(before);
        let end = (edit.base.end + after).min(self.base.len());
        let wanted = &self.base[start..end];
        if wanted.is_empty() || wanted.len() > self.onto.len() {
            return None;
        }
        let lead = edit.base.start - start;
        let places = (0..=self.onto.len() - wanted.len()).filter(|at| at + lead >= self.from);
        let matching = places.filter(|at| &self.onto[*at..at + wanted.len()] == wanted);
        let nearest = matching.min_by_key(|at| (at + lead).abs_diff(self.expected))?;
        Some(nearest + lead..nearest + lead + edit.base.len())
    }
}
