//! A line merge in the engine's place, until it is there.

use crate::{
    Conflict, Conflicted, Labels, Merge, Merged, Rung, Versions,
    chunks::{Numbers, Touching, Who, chunks},
};

/// Merges one file by lines.
#[must_use]
pub fn merge(versions: &Versions<'_>, labels: &Labels<'_>) -> Merge {
    let lines = [versions.base, versions.ours, versions.theirs].map(|t| t.split_inclusive(|b| *b == b'\n').collect::<Vec<_>>());
    let mut numbers = Numbers::new();
    let [b, o, t] = [0, 1, 2].map(|at: usize| numbers.of(lines[at].iter().copied()));
    let mut text = Vec::new();
    let mut conflicts = Vec::new();
    for chunk in chunks(&b, &o, &t, Touching::Joins) {
        let [base, ours, theirs] =
            [lines[0][chunk.base].concat(), lines[1][chunk.ours].concat(), lines[2][chunk.theirs].concat()];
        match chunk.who {
            Who::Theirs => text.extend(theirs),
            Who::Both if ours != theirs => {
                for (sign, label, part) in [("<<<<<<<", labels.ours, &ours), ("|||||||", labels.base, &base)] {
                    text.extend(format!("{sign} {label}\n").bytes());
                    text.extend(part);
                }
                text.extend(b"=======\n");
                text.extend(&theirs);
                text.extend(format!(">>>>>>> {}\n", labels.theirs).bytes());
                conflicts.push(Conflict { base, ours, theirs });
            }
            _ => text.extend(ours),
        }
    }
    if conflicts.is_empty() {
        return Merge::Clean(Merged { text, rung: Rung::Lines });
    }
    Merge::Conflicted(Conflicted { text, conflicts, refused: None })
}

/// Whether a text parses as what its path says.
#[must_use]
pub fn parses(_path: &str, _text: &[u8]) -> bool {
    true
}
