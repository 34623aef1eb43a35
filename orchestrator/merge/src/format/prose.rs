//! Texts for people: paragraphs, entries of lists, rows of tables, headings, code between fences.
//!
//! What both sides add at one place is both, ours first. A paragraph that both changed is merged word by word only where the edits are
//! apart: two edits of one sentence, each fine, may say nothing together.
//!
//! **Invariant:** a block is taken whole from one side, or merged word by word with its edits apart, or it needs a decision.

use super::{
    align::by_diff,
    blocks::{Block, Kind, blocks, is_continuous, renumbered},
    list::{pair, replaced, with_end, with_end_of},
};
use crate::diff::{By, edits, regions};

/// How many words have to stand between an edit of ours and one of theirs.
const APART: usize = 3;

/// Whether a file is one, by its name.
pub(super) fn is_prose(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    ["md", "markdown", "rst", "txt", "adoc"].contains(&&*extension)
        || ["README", "CONTRIBUTING", "INSTALL", "TODO"].contains(&name)
}

/// The blocks of both, or why there has to be a decision.
pub(super) fn merge(versions: [&str; 3]) -> Result<String, String> {
    let ended = versions.map(with_end);
    let all = [0, 1, 2].map(|at| blocks(&ended[at]));
    let ids: Vec<Vec<&str>> = all.iter().map(|blocks| blocks.iter().map(|block| block.id.as_str()).collect()).collect();
    let mut out: Vec<Block> = Vec::new();
    for region in by_diff([&ids[0], &ids[1], &ids[2]]) {
        let parts = [&all[0][region.base], &all[1][region.ours], &all[2][region.theirs]];
        match region.by {
            By::Nobody => out.extend((0..parts[0].len()).map(|at| still([&parts[0][at], &parts[1][at], &parts[2][at]]))),
            By::Ours => out.extend(parts[1].iter().cloned()),
            By::Theirs => out.extend(parts[2].iter().cloned()),
            By::Both => out.extend(both(parts).ok_or_else(|| changed(parts))?),
        }
    }
    close_up(&mut out, [&all[1], &all[2]]);
    if all.iter().all(|blocks| is_continuous(blocks)) {
        out = renumbered(out);
    }
    let is_even = |blocks: &[Block]| super::blocks::has_even_tables(blocks);
    if all.iter().all(|blocks| is_even(blocks)) && !is_even(&out) {
        return Err("one side changes the columns of a table to which the other adds rows".to_owned());
    }
    let tail = tails(&ended, &all);
    let text: String = out.iter().flat_map(|block| [block.lead.as_str(), block.text.as_str()]).collect();
    Ok(with_end_of(text + tail, versions))
}

fn changed(parts: [&[Block]; 3]) -> String {
    let first = parts.into_iter().flatten().next().map_or("", |block| block.text.trim());
    let words: Vec<&str> = first.split_whitespace().take(8).collect();
    format!("both sides change the same words at `{}`", words.join(" "))
}

/// A block that says the same in all versions: it may be numbered or spaced in another way.
fn still([base, ours, theirs]: [&Block; 3]) -> Block {
    let lead = if ours.lead == base.lead { &theirs.lead } else { &ours.lead };
    let text = if ours.text == base.text { &theirs.text } else { &ours.text };
    Block { lead: lead.clone(), text: text.clone(), ..ours.clone() }
}

fn both(parts: [&[Block]; 3]) -> Option<Vec<Block>> {
    let [base, ours, theirs] = parts;
    let ids = parts.map(|blocks| blocks.iter().map(|block| block.id.as_str()).collect::<Vec<_>>());
    if ids[1] == ids[2] {
        return Some(ours.to_vec());
    }
    let find = |id: &&str| ours.iter().chain(theirs).find(|block| block.id == **id).cloned();
    if base.is_empty() {
        return pair(&ids[1], &ids[2]).iter().map(find).collect();
    }
    if let ([b], [o], [t]) = (base, ours, theirs) {
        let text = words(b, o, t)?;
        let lead = if o.lead == b.lead { &t.lead } else { &o.lead };
        return Some(vec![Block { lead: lead.clone(), text, ..o.clone() }]);
    }
    replaced([&ids[0], &ids[1], &ids[2]])?.iter().map(find).collect()
}

/// A block that both changed, where their edits are apart.
fn words(base: &Block, ours: &Block, theirs: &Block) -> Option<String> {
    if ![base, ours, theirs].iter().all(|block| matches!(block.kind, Kind::Paragraph | Kind::Item)) {
        return None;
    }
    let all = [base, ours, theirs].map(|block| tokens(&block.text));
    let side = |at: usize| edits(all[0].iter().copied(), all[at].iter().copied());
    let (mut text, mut last, mut between) = (String::new(), None, usize::MAX);
    for region in regions(all[0].len(), &side(1), &side(2)) {
        let (o, t) = (all[1][region.ours].concat(), all[2][region.theirs].concat());
        match region.by {
            By::Both if o != t => return None,
            By::Nobody => between = all[0][region.base].iter().filter(|token| !token.trim().is_empty()).count(),
            by => {
                if last.is_some_and(|last| last != by) && between < APART {
                    return None;
                }
                last = Some(by);
            }
        }
        text.push_str(if region.by == By::Theirs { &t } else { &o });
    }
    Some(text)
}

/// Words, and the spaces between them.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut from) = (Vec::new(), 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        if chars.peek().is_none_or(|(_, next)| next.is_whitespace() != c.is_whitespace()) {
            tokens.push(&text[from..end]);
            from = end;
        }
    }
    tokens
}

/// Entries and rows that began a list on their side, and do not any more, stand as close as others do.
fn close_up(out: &mut [Block], sides: [&[Block]; 2]) {
    for at in 1..out.len() {
        let (before, kind) = (out[at - 1].kind, out[at].kind);
        if before != kind || !matches!(kind, Kind::Item | Kind::Row) || out[at].lead.is_empty() {
            continue;
        }
        let id = out[at].id.clone();
        let began = sides.iter().find_map(|side| {
            let place = side.iter().position(|block| block.id == id && block.lead == out[at].lead)?;
            let is_first = place.checked_sub(1).is_none_or(|before| side[before].kind != kind);
            Some((is_first, side.get(place + 1).filter(|next| next.kind == kind).map_or("", |next| &next.lead).to_owned()))
        });
        if let Some((true, lead)) = began {
            out[at].lead = lead;
        }
    }
}

/// Empty lines after the last block.
fn tails<'a>(texts: &'a [String; 3], all: &[Vec<Block>; 3]) -> &'a str {
    let tail = |at: usize| {
        let used: usize = all[at].iter().map(|block| block.lead.len() + block.text.len()).sum();
        &texts[at][used..]
    };
    if tail(1) == tail(0) { tail(2) } else { tail(1) }
}
