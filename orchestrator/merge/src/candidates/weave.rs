//! Lines of both sides woven together: edits that only touch each other are two edits, and what one side has put deeper takes the
//! other side's lines with it.

use std::ops::Range;

use super::{
    indent::{Shift, indent, shift},
    resolutions::{Order, Sharing},
    text::{Line, is_blank, join, lines, numbers},
    words,
};
use crate::chunks::{Chunk, Touching, Who, chunks, edits};

/// How lines are woven where both sides wrote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) order: Order,
    pub(super) sharing: Sharing,
}

/// Weaves three versions; none where both wrote something else in the place of the same lines.
pub(super) fn weave(versions: [&[u8]; 3], manner: Manner) -> Option<Vec<u8>> {
    let all = versions.map(lines);
    let [base, ours, theirs] = numbers([&all[0], &all[1], &all[2]]);
    let cut = chunks(&base, &ours, &theirs, Touching::IsApart);
    let loom = Loom { all: &all, cut: &cut, manner };
    let mut out: Vec<Vec<u8>> = Vec::new();
    for at in 0..cut.len() {
        out.extend(loom.chunk(at)?);
    }
    Some(join(out.iter().map(Vec::as_slice)))
}

struct Loom<'a> {
    all: &'a [Vec<Line<'a>>; 3],
    cut: &'a [Chunk],
    manner: Manner,
}

impl<'a> Loom<'a> {
    fn chunk(&self, at: usize) -> Option<Vec<Vec<u8>>> {
        let chunk = &self.cut[at];
        let [base, ours, theirs] = self.lines_of(chunk);
        Some(match chunk.who {
            Who::Nobody => {
                let nested = at.checked_sub(1).is_some_and(|before| self.opens_twice(before));
                (0..base.len()).map(|line| in_place([base[line], ours[line], theirs[line]], nested)).collect()
            }
            Who::Ours => moved(ours, &self.shift_around(at, 2, ours)),
            Who::Theirs => moved(theirs, &self.shift_around(at, 1, theirs)),
            Who::Both if join(ours.iter().copied()) == join(theirs.iter().copied()) => moved(ours, &Shift::None),
            Who::Both if base.is_empty() => self.side_by_side(at, ours, theirs),
            Who::Both => {
                let texts = [base, ours, theirs].map(<[Line<'_>]>::concat);
                vec![words::merge(texts.each_ref().map(Vec::as_slice), self.manner.order)?]
            }
        })
    }

    fn lines_of(&self, chunk: &Chunk) -> [&'a [Line<'a>]; 3] {
        let part = |version: usize, range: &Range<usize>| &self.all[version][range.clone()];
        [part(0, &chunk.base), part(1, &chunk.ours), part(2, &chunk.theirs)]
    }

    /// What both inserted at one place. A block that the first one opens around what follows takes the second one in.
    fn side_by_side(&self, at: usize, ours: &[Line<'_>], theirs: &[Line<'_>]) -> Vec<Vec<u8>> {
        let (first, second, version) = match self.manner.order {
            Order::OursFirst => (ours, theirs, 1),
            Order::TheirsFirst => (theirs, ours, 2),
        };
        if self.manner.sharing == Sharing::Once {
            return shared(first, second);
        }
        let around = if self.opens_twice(at) { self.shift_after(at, version) } else { Shift::None };
        let mut out = moved(first, &Shift::None);
        out.extend(moved(second, &around));
        out
    }

    /// Whether both sides, differently, put a block around what follows a chunk.
    fn opens_twice(&self, at: usize) -> bool {
        let [base, ours, theirs] = self.lines_of(&self.cut[at]);
        let opens = |lines: &[Line<'_>]| {
            let last = lines.iter().rev().find(|line| !is_blank(line));
            last.is_some_and(|line| line.trim_ascii_end().ends_with(b":") || line.trim_ascii_end().ends_with(b"{"))
        };
        let is_deeper = |version| matches!(self.shift_after(at, version), Shift::Deeper(_));
        base.is_empty() && ours != theirs && opens(ours) && opens(theirs) && is_deeper(1) && is_deeper(2)
    }

    /// How a side (1 or 2) has moved what stands around a chunk that it did not touch.
    fn shift_around(&self, at: usize, version: usize, lines: &[Line<'_>]) -> Shift {
        let has_text = |line: &Line<'_>| !is_blank(line);
        let of = |chunk: &Chunk| self.lines_of(chunk);
        let [base, ours, theirs] = of(&self.cut[at]);
        let side = if version == 1 { ours } else { theirs };
        // The lines that stood there are in the other side's version, moved or not.
        if let Some(at) = base.iter().position(has_text).filter(|at| *at < side.len()) {
            return shift(base[at], side[at]);
        }
        let before = at.checked_sub(1).and_then(|at| self.moved_line(at, version, true));
        let after = self.moved_line(at + 1, version, false);
        let wanted = lines.iter().find(|line| has_text(line)).map(|line| indent(line));
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            (one, two) => return one.or(two).map_or(Shift::None, |(_, shift)| shift),
        };
        // Whichever neighbour stood as deep as the new lines do.
        if wanted == Some(after.0.as_slice()) && wanted != Some(before.0.as_slice()) { after.1 } else { before.1 }
    }

    /// How a side has moved what follows a chunk.
    fn shift_after(&self, at: usize, version: usize) -> Shift {
        self.moved_line(at + 1, version, false).map_or(Shift::None, |(_, shift)| shift)
    }

    /// The last, or the first, line of an unchanged chunk: its indentation in the base, and how a side has moved it.
    fn moved_line(&self, at: usize, version: usize, last: bool) -> Option<(Vec<u8>, Shift)> {
        let chunk = self.cut.get(at).filter(|chunk| chunk.who == Who::Nobody)?;
        let lines = self.lines_of(chunk);
        let mut places = (0..lines[0].len()).filter(|line| !is_blank(lines[0][*line]));
        let line = if last { places.next_back()? } else { places.next()? };
        Some((indent(lines[0][line]).to_vec(), shift(lines[0][line], lines[version][line])))
    }
}

/// A line that differs in white space at most: as whoever moved it has it, or moved by both. What both moved alike was moved for one
/// reason, unless the blocks around it are two.
fn in_place([base, ours, theirs]: [Line<'_>; 3], nested: bool) -> Vec<u8> {
    match (ours == base, theirs == base) {
        (_, true) => ours.to_vec(),
        (true, false) => theirs.to_vec(),
        (false, false) if ours == theirs && !nested => ours.to_vec(),
        (false, false) => shift(base, ours).apply(theirs),
    }
}

fn moved(lines: &[Line<'_>], by: &Shift) -> Vec<Vec<u8>> {
    lines.iter().map(|line| by.apply(line)).collect()
}

/// Both, with what they have in common once.
fn shared(first: &[Line<'_>], second: &[Line<'_>]) -> Vec<Vec<u8>> {
    let [one, two] = numbers([first, second]);
    let mut out = Vec::new();
    let mut at = 0;
    let own = |lines: &[Line<'_>]| lines.iter().map(|line| line.to_vec()).collect::<Vec<_>>();
    for edit in edits(&one, &two) {
        out.extend(own(&first[at..edit.base.end]));
        out.extend(own(&second[edit.side]));
        at = edit.base.end;
    }
    out.extend(own(&first[at..]));
    out
}
