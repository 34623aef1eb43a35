//! A text with conflict markers, taken apart.

use super::text::{join, lines};
use crate::{
    Conflict, Labels, Versions,
    chunks::{Numbers, Touching, Who, chunks},
};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// What is merged.
    Text(Vec<u8>),
    /// What is not.
    Conflict(Conflict),
}

/// Takes a text apart at the markers with these labels; none where they do not stand as they should.
pub(crate) fn split(text: &[u8], labels: &Labels<'_>) -> Option<Vec<Part>> {
    let [open, middle, close] = [("<<<<<<<", labels.ours), ("|||||||", labels.base), (">>>>>>>", labels.theirs)]
        .map(|(sign, label)| format!("{sign} {label}").into_bytes());
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    let mut rest = lines(text).into_iter();
    while let Some(line) = rest.next() {
        if marker(line) != open {
            plain.extend_from_slice(line);
            continue;
        }
        parts.push(Part::Text(std::mem::take(&mut plain)));
        let mut until = |end: &[u8]| {
            let mut inside = Vec::new();
            loop {
                let line = rest.next()?;
                if marker(line) == end {
                    return Some(join(inside));
                }
                inside.push(line);
            }
        };
        let (ours, base, theirs) = (until(&middle)?, until(b"=======")?, until(&close)?);
        parts.push(Part::Conflict(Conflict { base, ours, theirs }));
    }
    parts.push(Part::Text(plain));
    Some(parts)
}

fn marker(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

/// The parts that a line merge leaves.
pub(super) fn by_lines(versions: &Versions<'_>) -> Vec<Part> {
    let all = [versions.base, versions.ours, versions.theirs].map(lines);
    let mut numbers = Numbers::new();
    let [base, ours, theirs] = [0, 1, 2].map(|at: usize| numbers.of(all[at].iter().copied()));
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    for chunk in chunks(&base, &ours, &theirs, Touching::Joins) {
        let [base, ours, theirs] = [all[0][chunk.base].concat(), all[1][chunk.ours].concat(), all[2][chunk.theirs].concat()];
        match chunk.who {
            Who::Theirs => plain.extend(theirs),
            Who::Both if ours != theirs => {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Conflict(Conflict { base, ours, theirs }));
            }
            _ => plain.extend(ours),
        }
    }
    parts.push(Part::Text(plain));
    parts
}
