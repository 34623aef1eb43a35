//! From three versions to an answer: which rungs are tried in which order, and what is done with what they propose.
//!
//! **Invariant:** what merges line by line stays as it is merged line by line.
//! **Invariant:** what any other rung proposes is checked; what is refused ends as the conflict that the lines leave, with the reason.

use crate::{
    check::Claim,
    format,
    grammar::{Language, Parsed, is_code},
    lines::{Chunk, Lines, agreed, marked},
    syntax,
    text::{Texts, is_binary},
    tokens,
    types::{Conflicted, Labels, Merge, Merged, Rung, Versions},
};

/// Longer files are merged line by line only.
const LONGEST: usize = 2 << 20;

/// Merges three versions of a file.
pub fn merge(versions: &Versions<'_>, labels: &Labels<'_>) -> Merge {
    let Versions { base, ours, theirs, .. } = *versions;
    if ours == theirs || base == theirs {
        return clean(ours.to_vec(), Rung::Lines);
    }
    if base == ours {
        return clean(theirs.to_vec(), Rung::Lines);
    }
    if [base, ours, theirs].into_iter().any(is_binary) {
        return Merge::Conflicted(Conflicted {
            text: ours.to_vec(),
            conflicts: Vec::new(),
            refused: Some("it is not text".to_owned()),
        });
    }
    let texts = Texts::read(base, ours, theirs);
    let chunks = Lines::of(&texts.base, &texts.ours, &texts.theirs).chunks();
    if let Some(text) = agreed(&chunks) {
        return clean(texts.write(&text), Rung::Lines);
    }
    if let Some(merge) = format::merge(versions, labels) {
        return merge;
    }
    let refused = match propose(versions.path, &texts, &chunks) {
        Proposal::Good(text, rung) => return clean(texts.write(&text), rung),
        Proposal::Refused(why) => Some(why),
        Proposal::None => None,
    };
    let (text, conflicts) = marked(&chunks, labels);
    Merge::Conflicted(Conflicted { text: texts.write(&text), conflicts, refused })
}

fn clean(text: Vec<u8>, rung: Rung) -> Merge {
    Merge::Clean(Merged { text, rung })
}

enum Proposal {
    Good(String, Rung),
    Refused(String),
    None,
}

fn propose(path: &str, texts: &Texts, chunks: &[Chunk]) -> Proposal {
    let longest = texts.base.len().max(texts.ours.len()).max(texts.theirs.len());
    if !is_code(path) || !texts.is_utf8() || longest > LONGEST || texts.base.trim().is_empty() {
        return Proposal::None;
    }
    let Texts { base, ours, theirs, .. } = texts;
    let parsed = Language::of(path).and_then(|language| Parsed::three(language, [base, ours, theirs]));
    let by_items = || parsed.as_ref().and_then(|[base, ours, theirs]| syntax::merge(base, ours, theirs));
    let rungs: [(Rung, &dyn Fn() -> Option<String>); 2] = [(Rung::Syntax, &by_items), (Rung::Tokens, &|| by_tokens(chunks))];
    let mut refused: Option<(String, String)> = None;
    for (rung, propose) in rungs {
        let Some(merged) = propose().filter(|merged| refused.as_ref().is_none_or(|(text, _)| text != merged)) else { continue };
        let claim = Claim { base, ours, theirs, merged: &merged, parsed: parsed.as_ref() };
        match claim.refusal() {
            None => return Proposal::Good(merged, rung),
            Some(why) => refused = refused.or(Some((merged, why))),
        }
    }
    refused.map_or(Proposal::None, |(_, why)| Proposal::Refused(why))
}

/// A part of a file merged by its lines and, where they are disputed, by their words.
pub(crate) fn merge_text(base: &str, ours: &str, theirs: &str) -> Option<String> {
    by_tokens(&Lines::of(base, ours, theirs).chunks())
}

/// Every disputed part merged word by word.
fn by_tokens(chunks: &[Chunk]) -> Option<String> {
    let part = |chunk: &Chunk| match chunk {
        Chunk::Agreed(text) => Some(text.clone()),
        Chunk::Disputed { base, ours, theirs } => tokens::merge(base, ours, theirs),
    };
    chunks.iter().map(part).collect()
}
