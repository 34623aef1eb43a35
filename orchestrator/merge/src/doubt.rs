//! Edits of different words that are one edit all the same: what would merge, and what nobody would have written.
//!
//! **Invariant:** a doubt refuses; it never changes what is merged.

use std::collections::HashSet;

use crate::{
    diff::{By, Region},
    lex::Token,
    tokens::Three,
};

/// Whether a person has to look at edits that could be merged word by word.
pub(crate) fn is_doubtful(three: &Three<'_>, found: &[Region]) -> bool {
    edit_one_sentence(three, found) || bring_in_one_thing(three, found)
}

/// Whether both sides bring in the same new word at different places of one part: they do one thing twice, each in its way.
fn bring_in_one_thing(three: &Three<'_>, found: &[Region]) -> bool {
    let known: HashSet<&str> = three.base.iter().map(|token| token.text).collect();
    let of_ours = found.iter().filter(|region| region.by == By::Ours).flat_map(|region| &three.ours[region.ours.clone()]);
    let new: HashSet<&str> =
        of_ours.filter(|token| token.is_word() && !known.contains(token.text)).map(|token| token.text).collect();
    let mut of_theirs =
        found.iter().filter(|region| region.by == By::Theirs).flat_map(|region| &three.theirs[region.theirs.clone()]);
    of_theirs.any(|token| new.contains(token.text))
}

/// Whether both sides edit one line of a comment: two half sentences are no sentence.
fn edit_one_sentence(three: &Three<'_>, found: &[Region]) -> bool {
    let base = &three.base;
    let mut line = 0;
    let mut comments = Vec::new();
    let lines: Vec<usize> = (0..base.len())
        .map(|at| {
            if base[at].begins_line() {
                line += 1;
                comments.push(is_comment(base, at));
            }
            line
        })
        .collect();
    let edited = |region: &Region, (side, range): (&[Token<'_>], &std::ops::Range<usize>)| -> Vec<usize> {
        let behind = region.base.is_empty() && !side.get(range.start).is_some_and(Token::begins_line);
        let from = if behind { region.base.start.saturating_sub(1) } else { region.base.start };
        let places = from..region.base.end.max(if behind { from + 1 } else { from });
        let mut touched: Vec<usize> = places.filter_map(|at| lines.get(at).copied()).collect();
        touched.dedup();
        touched.retain(|line| line.checked_sub(1).and_then(|line| comments.get(line)) == Some(&true));
        touched
    };
    let by = |who: By| found.iter().filter(move |region| region.by == who || region.by == By::Both);
    let ours: Vec<usize> = by(By::Ours).flat_map(|region| edited(region, (&three.ours, &region.ours))).collect();
    !ours.is_empty()
        && by(By::Theirs).flat_map(|region| edited(region, (&three.theirs, &region.theirs))).any(|line| ours.contains(&line))
}

/// Whether a line that begins here is a comment.
pub(crate) fn is_comment(tokens: &[Token<'_>], at: usize) -> bool {
    let is_attribute = tokens.get(at + 1).is_some_and(|next| matches!(next.text, "[" | "!"));
    match tokens[at].text {
        "//" | "/*" | "/**" | "*" => true,
        "#" => !is_attribute,
        _ => false,
    }
}
