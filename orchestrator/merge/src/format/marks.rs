//! Three texts as one with the usual markers, line by line.

use super::align::{By, Touching, by_diff};
use crate::{Conflict, Conflicted, Labels, Merge, Merged, Rung};

/// Merges line by line. Where the three texts differ only in what needs a decision, just that is marked.
pub(super) fn marked(texts: [&[u8]; 3], labels: &Labels<'_>) -> Merge {
    let [base, ours, theirs] = texts.map(lines);
    let (mut text, mut conflicts) = (Vec::new(), Vec::new());
    for chunk in by_diff([&base, &ours, &theirs], Touching::One) {
        let [b, o, t] = [base[chunk.base].concat(), ours[chunk.ours].concat(), theirs[chunk.theirs].concat()];
        match chunk.by {
            By::Nobody | By::Ours => text.extend(o),
            By::Theirs => text.extend(t),
            By::Both if o == t => text.extend(o),
            By::Both => {
                let conflict = Conflict { base: b, ours: o, theirs: t };
                mark(&mut text, &conflict, labels);
                conflicts.push(conflict);
            }
        }
    }
    if conflicts.is_empty() {
        Merge::Clean(Merged { text, rung: Rung::Lines })
    } else {
        Merge::Conflicted(Conflicted { text, conflicts, refused: None })
    }
}

/// The same, as a conflict in any case: where no line of it is one, all of the file is.
pub(super) fn refused(texts: [&[u8]; 3], labels: &Labels<'_>, why: String) -> Merge {
    let mut left = match marked(texts, labels) {
        Merge::Conflicted(left) => left,
        Merge::Clean(_) => {
            let [base, ours, theirs] = texts.map(<[u8]>::to_vec);
            let conflict = Conflict { base, ours, theirs };
            let mut text = Vec::new();
            mark(&mut text, &conflict, labels);
            Conflicted { text, conflicts: vec![conflict], refused: None }
        }
    };
    left.refused = Some(why);
    Merge::Conflicted(left)
}

fn mark(text: &mut Vec<u8>, conflict: &Conflict, labels: &Labels<'_>) {
    let parts = [
        (format!("<<<<<<< {}", labels.ours), &conflict.ours),
        (format!("||||||| {}", labels.base), &conflict.base),
        ("=======".to_owned(), &conflict.theirs),
    ];
    let ending: &[u8] = if conflict.ours.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
    let mut line = |line: &[u8]| {
        if text.last().is_some_and(|last| *last != b'\n') {
            text.extend_from_slice(ending);
        }
        text.extend_from_slice(line);
    };
    for (marker, part) in parts {
        line(marker.as_bytes());
        line(b"");
        line(part);
    }
    line(format!(">>>>>>> {}", labels.theirs).as_bytes());
    line(b"");
}

/// Lines with their ends.
pub(super) fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}
