//! Words and signs of both sides in one line: what each side put in stands there, one after the other where it is the same place.

use super::resolutions::Order;
use crate::chunks::{Numbers, Touching, Who, chunks};

/// What is larger is no line that two sides edited.
const LARGEST: usize = 20_000;

/// Merges by words; none where both put different words in the place of the same ones.
pub(super) fn merge(versions: [&[u8]; 3], order: Order) -> Option<Vec<u8>> {
    if versions.iter().any(|text| text.len() > LARGEST) {
        return None;
    }
    let words = versions.map(split);
    let mut numbers = Numbers::new();
    let [base, ours, theirs] = [0, 1, 2].map(|at: usize| numbers.of(words[at].iter().copied()));
    let mut out: Vec<u8> = Vec::new();
    for chunk in chunks(&base, &ours, &theirs, Touching::IsApart) {
        let after = words[0].get(chunk.base.end).copied().unwrap_or_default();
        let [b, o, t] = [words[0][chunk.base].concat(), words[1][chunk.ours].concat(), words[2][chunk.theirs].concat()];
        match chunk.who {
            Who::Theirs => out.extend(t),
            Who::Both if o != t => {
                let both = both(&b, &o, &t, order)?;
                out = joined(out, both, after);
            }
            _ => out.extend(o),
        }
    }
    Some(out)
}

/// What both put in one place, in order; none where something else stood there.
fn both(base: &[u8], ours: &[u8], theirs: &[u8], order: Order) -> Option<[Vec<u8>; 2]> {
    let (ours, theirs) = (ours.to_vec(), theirs.to_vec());
    let blank = |text: &[u8]| text.iter().all(u8::is_ascii_whitespace);
    // Only the white space differs: the one with more of it was broken into lines.
    if !base.is_empty() && blank(base) && blank(&ours) && blank(&theirs) {
        return Some([if ours.len() >= theirs.len() { ours } else { theirs }, Vec::new()]);
    }
    // Both put something where nothing stood, or before or after a space that they kept.
    let kept = |text: &[u8]| text.starts_with(base) || text.ends_with(base);
    if !(base.is_empty() || (blank(base) && kept(&ours) && kept(&theirs))) {
        return None;
    }
    Some(match order {
        Order::OursFirst => [ours, theirs],
        Order::TheirsFirst => [theirs, ours],
    })
}

/// Two insertions after each other. Where a list was empty before, a comma comes between them; between two words a space.
fn joined(mut out: Vec<u8>, [first, second]: [Vec<u8>; 2], after: &[u8]) -> Vec<u8> {
    let opens = out.trim_ascii_end().last().is_none_or(|byte| b"([{|<".contains(byte));
    let closes = after.first().is_some_and(|byte| b")]}|>".contains(byte));
    let (end, start) = (first.trim_ascii_end().last().copied(), second.trim_ascii_start().first().copied());
    let separated = end == Some(b',') || start == Some(b',') || end.is_none() || start.is_none();
    let bare_words = first.last().is_some_and(|byte| is_word(*byte)) && second.first().is_some_and(|byte| is_word(*byte));
    out.extend(first);
    if opens && closes && !separated {
        out.extend(b", ");
        out.extend(second.trim_ascii_start());
        return out;
    }
    if bare_words {
        out.push(b' ');
    }
    out.extend(second);
    out
}

/// Words, runs of white space, line ends with the indentation after them, and single signs.
fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut rest = text;
    let mut words = Vec::new();
    while let Some(first) = rest.first() {
        let run = |same: &dyn Fn(u8) -> bool| rest.iter().take_while(|byte| same(**byte)).count();
        let length = if is_word(*first) {
            run(&is_word)
        } else if first.is_ascii_whitespace() {
            run(&|byte: u8| byte.is_ascii_whitespace())
        } else {
            1
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after;
    }
    words
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
