//! Three texts as one with the usual markers, line by line.

use crate::{
    Conflict, Conflicted, Labels, Merge,
    lines::{Chunk, Lines, marked},
    text::Texts,
};

/// A conflict, with the reason. Where the three texts differ only in what needs a decision, just that is marked; where no line of
/// them is a conflict, all of the file is.
pub(super) fn refused(texts: &Texts, versions: [&str; 3], labels: &Labels<'_>, why: String) -> Merge {
    let [base, ours, theirs] = versions;
    let mut chunks = Lines::of(base, ours, theirs).chunks();
    if !chunks.iter().any(|chunk| matches!(chunk, Chunk::Disputed { .. })) {
        let [base, ours, theirs] = versions.map(str::to_owned);
        chunks = vec![Chunk::Disputed { base, ours, theirs }];
    }
    let (text, conflicts) = marked(&chunks, labels);
    let written =
        |bytes: Vec<u8>| String::from_utf8(bytes).map_or_else(std::string::FromUtf8Error::into_bytes, |text| texts.write(&text));
    let conflicts = conflicts.into_iter().map(|conflict| Conflict {
        base: written(conflict.base),
        ours: written(conflict.ours),
        theirs: written(conflict.theirs),
    });
    Merge::Conflicted(Conflicted { text: texts.write(&text), conflicts: conflicts.collect(), refused: Some(why) })
}
