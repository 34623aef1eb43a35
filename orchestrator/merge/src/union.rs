//! Words that both sides put at one place: whether they can follow each other, and in which order.
//!
//! Entries of a list, operands of one operator and whole statements can; two values for one thing cannot.
//!
//! **Invariant:** what is joined is whole: every bracket that a part opens it closes.

use std::ops::Range;

use crate::{diff::Region, doubt::is_comment, lex::Token, tokens::Three};

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Theirs,
}

/// Some tokens of a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub whose: Whose,
    pub tokens: Range<usize>,
}

/// What stands between two of a kind.
const SEPARATORS: &[&str] = &[",", "|", "||", "&&", "+", "and", "or", "."];
/// After which nothing is reached.
const LEAVING: &[&str] = &["return", "break", "continue", "raise", "throw"];
/// What is reached all the same.
const LABELS: &[&str] = &["case", "default"];

/// The parts of both sides that stand for a region which both changed, if both can.
pub(crate) fn both(three: &Three<'_>, region: &Region) -> Option<Vec<Part>> {
    let (base, ours, theirs) =
        (&three.base[region.base.clone()], &three.ours[region.ours.clone()], &three.theirs[region.theirs.clone()]);
    let all = |whose| Part { whose, tokens: if whose == Whose::Ours { region.ours.clone() } else { region.theirs.clone() } };
    if same(ours, theirs) || same(base, theirs) || (is_within(base, theirs) && is_within(theirs, ours)) {
        return Some(vec![all(Whose::Ours)]);
    }
    if same(base, ours) || (is_within(base, ours) && is_within(ours, theirs)) {
        return Some(vec![all(Whose::Theirs)]);
    }
    if base.is_empty() {
        return union(three, region);
    }
    beside(base, ours, theirs).map(|parts| placed(parts, region)).or_else(|| {
        let mirrored = beside(base, theirs, ours)?.into_iter().map(|part| Part { whose: part.whose.other(), ..part });
        Some(placed(mirrored.collect(), region))
    })
}

impl Whose {
    fn other(self) -> Self {
        match self {
            Whose::Ours => Whose::Theirs,
            Whose::Theirs => Whose::Ours,
        }
    }
}

/// Parts counted within the region as parts counted within the sides.
fn placed(parts: Vec<Part>, region: &Region) -> Vec<Part> {
    let start = |whose| if whose == Whose::Ours { region.ours.start } else { region.theirs.start };
    let shift = |Part { whose, tokens }: Part| Part { whose, tokens: tokens.start + start(whose)..tokens.end + start(whose) };
    parts.into_iter().map(shift).collect()
}

fn same(a: &[Token<'_>], b: &[Token<'_>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.text == b.text)
}

/// Whether the words of one are among the other's: a few in their order, many side by side. The words of a long text are in any other
/// that is long enough.
fn is_within(few: &[Token<'_>], many: &[Token<'_>]) -> bool {
    const FEW: usize = 12;
    if few.len() > FEW {
        return many.windows(few.len()).any(|part| same(few, part));
    }
    let mut rest = many.iter();
    few.iter().all(|token| rest.any(|other| other.text == token.text))
}

/// `theirs` only adds before or behind what `ours` changes.
fn beside(base: &[Token<'_>], ours: &[Token<'_>], theirs: &[Token<'_>]) -> Option<Vec<Part>> {
    let more = theirs.len().checked_sub(base.len()).filter(|more| *more > 0)?;
    let changed = Part { whose: Whose::Ours, tokens: 0..ours.len() };
    if same(base, &theirs[..base.len()]) {
        let added = &theirs[base.len()..];
        // A word behind one that is gone, or behind lines that are others now, has lost its place.
        let one_line = |side: &[Token<'_>]| !side.is_empty() && !side.iter().any(Token::begins_line);
        let follows = (is_separator(&added[0]) && one_line(base) && one_line(ours)) || added[0].begins_line();
        return (follows && is_whole(added) && is_whole(ours))
            .then(|| vec![changed, Part { whose: Whose::Theirs, tokens: base.len()..theirs.len() }]);
    }
    if same(base, &theirs[more..]) {
        let added = &theirs[..more];
        let precedes = is_separator(&added[more - 1]) || (added[0].begins_line() && theirs[more].begins_line());
        return (precedes && is_whole(added) && is_whole(ours))
            .then(|| vec![Part { whose: Whose::Theirs, tokens: 0..more }, changed]);
    }
    None
}

fn is_separator(token: &Token<'_>) -> bool {
    SEPARATORS.contains(&token.text)
}

/// Whether every bracket is closed, and none that was not opened.
fn is_whole(tokens: &[Token<'_>]) -> bool {
    let mut open = Vec::new();
    tokens.iter().all(|token| match token.text {
        "(" | "[" | "{" => {
            open.push(token.text);
            true
        }
        ")" => open.pop() == Some("("),
        "]" => open.pop() == Some("["),
        "}" => open.pop() == Some("{"),
        _ => true,
    }) && open.is_empty()
}

/// What both added at one place, one after the other.
fn union(three: &Three<'_>, region: &Region) -> Option<Vec<Part>> {
    let (ours, theirs) = (&three.ours[region.ours.clone()], &three.theirs[region.theirs.clone()]);
    if !is_whole(ours) || !is_whole(theirs) {
        return None;
    }
    let behind = three.base.get(region.base.end);
    let (first, last) = (|side: &[Token<'_>]| side[0].text.to_owned(), |side: &[Token<'_>]| side[side.len() - 1].text.to_owned());
    let parts = if first(ours) == first(theirs) && is_separator(&ours[0]) {
        entries(ours, theirs, Separated::Before)?
    } else if last(ours) == "," && last(theirs) == "," {
        entries(ours, theirs, Separated::Behind)?
    } else if ours[0].begins_line() && theirs[0].begins_line() && behind.is_none_or(Token::begins_line) {
        statements(ours, theirs)?
    } else {
        return None;
    };
    Some(placed(parts, region))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Separated {
    Before,
    Behind,
}

/// Ours, and of theirs what is not among ours.
fn entries(ours: &[Token<'_>], theirs: &[Token<'_>], how: Separated) -> Option<Vec<Part>> {
    let (known, new) = (split(ours, how), split(theirs, how));
    let mut parts = vec![Part { whose: Whose::Ours, tokens: 0..ours.len() }];
    for entry in new {
        let tokens = &theirs[entry.clone()];
        let is_known = known.iter().any(|known| same(&ours[known.clone()], tokens));
        if !is_known && known.iter().any(|known| names_the_same(&ours[known.clone()], tokens)) {
            return None;
        }
        if !is_known {
            parts.push(Part { whose: Whose::Theirs, tokens: entry });
        }
    }
    Some(parts)
}

/// Two values for one key: `a: 1` and `a: 2`, `a = 1` and `a = 2` are never meant to stand side by side.
fn names_the_same(a: &[Token<'_>], b: &[Token<'_>]) -> bool {
    let key = |entry: &[Token<'_>]| {
        let named: Vec<String> = entry
            .iter()
            .take_while(|token| !matches!(token.text, ":" | "=" | "=>" | ":="))
            .map(|token| token.text.to_owned())
            .collect();
        (named.len() < entry.len()).then_some(named)
    };
    key(a).is_some_and(|named| key(b) == Some(named))
}

/// The entries of a list: their tokens with the separator before or behind each.
fn split(tokens: &[Token<'_>], how: Separated) -> Vec<Range<usize>> {
    let separator = if how == Separated::Before { tokens[0].text } else { "," };
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            text if text == separator && depth == 0 => {
                let end = if how == Separated::Before { at } else { at + 1 };
                if end > start {
                    found.push(start..end);
                }
                start = end;
            }
            _ => {}
        }
    }
    if start < tokens.len() {
        found.push(start..tokens.len());
    }
    found
}

/// Whole lines of both: what is indented deeper belongs to what stands before it.
fn statements(ours: &[Token<'_>], theirs: &[Token<'_>]) -> Option<Vec<Part>> {
    let (first, second) =
        (Part { whose: Whose::Ours, tokens: 0..ours.len() }, Part { whose: Whose::Theirs, tokens: 0..theirs.len() });
    let deeper = theirs[0].indent().len() > ours[0].indent().len();
    let (upper, lower, parts) = if deeper { (theirs, ours, vec![second, first]) } else { (ours, theirs, vec![first, second]) };
    let (mine, other) = (lines(ours), lines(theirs));
    let is_label = LABELS.contains(&lower[0].text);
    let leaves = !is_label && lines(upper).last().is_some_and(|line| LEAVING.contains(&line[0].text));
    let says = |line: &&&[Token<'_>]| line.iter().any(Token::is_word);
    let shared = other.iter().filter(says).filter(|line| mine.iter().any(|known| same(known, line))).count();
    // Much the same written twice is one thing, and not two.
    let is_one = 2 * shared > other.iter().filter(says).count().min(mine.iter().filter(says).count());
    let clash = mine.iter().any(|line| other.iter().any(|there| !same(line, there) && names_the_same(line, there)));
    // What both say about one thing is not said by saying both.
    let is_prose = |side: &[Token<'_>]| lines(side).iter().all(|line| is_comment(line, 0));
    (!leaves && !is_one && !clash && !(is_prose(ours) && is_prose(theirs))).then_some(parts)
}

fn lines<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut starts: Vec<usize> = (1..tokens.len()).filter(|at| tokens[*at].begins_line()).collect();
    starts.push(tokens.len());
    let mut from = 0;
    let mut found = Vec::new();
    for end in starts {
        found.push(&tokens[from..end]);
        from = end;
    }
    found
}
