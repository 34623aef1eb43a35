//! Merging the tokens of a part of a file: two people changed different words of the same lines.
//!
//! Space is not merged as tokens: each token that stays takes its space from the side that changed it. So a side may indent what the
//! other edits, and what the other adds there is indented likewise.
//!
//! **Invariant:** none where both sides replaced the same words by different ones: somebody has to choose.

use std::{borrow::Cow, ops::Range};

use crate::{
    diff::{By, Edit, Region, edits, regions},
    doubt::is_doubtful,
    lex::{Token, lex},
    union::{Part, Whose, both},
};

/// The tokens of three versions of a part.
pub(crate) struct Three<'a> {
    pub base: Vec<Token<'a>>,
    pub ours: Vec<Token<'a>>,
    pub theirs: Vec<Token<'a>>,
}

impl<'a> Three<'a> {
    /// One side's.
    pub(crate) fn side(&self, whose: Whose) -> &[Token<'a>] {
        match whose {
            Whose::Ours => &self.ours,
            Whose::Theirs => &self.theirs,
        }
    }
}

/// One text that holds both sides' edits of these three, if their edits are of different words. All three are whole lines.
pub(crate) fn merge(base: &str, ours: &str, theirs: &str) -> Option<String> {
    // The line end before them, so that their first words begin lines as the others do.
    let [base, ours, theirs] = [base, ours, theirs].map(|text| format!("\n{text}"));
    merge_lines(&base, &ours, &theirs)?.strip_prefix('\n').map(str::to_owned)
}

fn merge_lines(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let ((base, base_end), (ours, ours_end), (theirs, theirs_end)) = (lex(base), lex(ours), lex(theirs));
    let three = Three { base, ours, theirs };
    let difference = |side: &[Token<'_>]| settled(coarse(edits(texts(&three.base), texts(side)), &three.base), &three.base, side);
    let found = regions(three.base.len(), &difference(&three.ours), &difference(&three.theirs));
    if is_doubtful(&three, &found) {
        return None;
    }
    let mut out = Writer { three: &three, text: String::new(), layout: Layout::of(&three, &found) };
    for region in &found {
        out.region(region)?;
    }
    let mut text = out.text;
    text.push_str(choose(base_end, ours_end, theirs_end));
    Some(text)
}

fn texts<'t>(tokens: &'t [Token<'_>]) -> impl Iterator<Item = &'t str> {
    tokens.iter().map(|token| token.text)
}

/// Joins edits between which nothing but a little punctuation stayed: it is not the same punctuation, it only looks so.
fn coarse(edits: Vec<Edit>, before: &[Token<'_>]) -> Vec<Edit> {
    const FEW: usize = 3;
    let size = |edit: &Edit| edit.before.len().max(edit.after.len());
    let mut joined: Vec<Edit> = Vec::new();
    for edit in edits {
        if let Some(last) = joined.last_mut() {
            let between = &before[last.before.end..edit.before.start];
            let is_noise = between.len() <= FEW && !between.iter().any(Token::is_word);
            if is_noise && size(last) > between.len() && size(&edit) > between.len() && size(last) + size(&edit) > 2 * FEW {
                *last = Edit { before: last.before.start..edit.before.end, after: last.after.start..edit.after.end };
                continue;
            }
        }
        joined.push(edit);
    }
    joined
}

/// Moves what was only added or only taken away to where a reader would see it: whole lines, then whole entries. `a, [b, ]c` and
/// `a[, b], c` are the same edit.
fn settled(mut edits: Vec<Edit>, before: &[Token<'_>], after: &[Token<'_>]) -> Vec<Edit> {
    for at in 0..edits.len() {
        let from = at.checked_sub(1).map_or((0, 0), |last| (edits[last].before.end, edits[last].after.end));
        let to = edits.get(at + 1).map_or((before.len(), after.len()), |next| (next.before.start, next.after.start));
        let edit = &edits[at];
        let (tokens, range, room) = match (edit.before.is_empty(), edit.after.is_empty()) {
            (true, false) => (after, edit.after.clone(), (edit.after.start - from.1, to.1 - edit.after.end)),
            (false, true) => (before, edit.before.clone(), (edit.before.start - from.0, to.0 - edit.before.end)),
            _ => continue,
        };
        let shift = best_shift(tokens, &range, room);
        let moved = |range: &Range<usize>| range.start.saturating_add_signed(shift)..range.end.saturating_add_signed(shift);
        edits[at] = Edit { before: moved(&edit.before), after: moved(&edit.after) };
    }
    edits
}

/// How far a run of tokens is best moved among equal ones, with so much room before and behind it.
fn best_shift(tokens: &[Token<'_>], range: &Range<usize>, room: (usize, usize)) -> isize {
    let same = |a: usize, b: usize| tokens[a].text == tokens[b].text;
    let up = (1..=room.0).take_while(|by| same(range.start - by, range.end - by)).count();
    let down = (0..room.1).take_while(|by| same(range.start + by, range.end + by)).count();
    let score = |shift: isize| {
        let (start, end) = (range.start.saturating_add_signed(shift), range.end.saturating_add_signed(shift));
        let is_lines = tokens[start].begins_line() && tokens.get(end).is_none_or(Token::begins_line);
        let is_entry = tokens[start].text == "," || tokens[end - 1].text == ",";
        (is_lines, is_entry, std::cmp::Reverse(shift.unsigned_abs()))
    };
    let reach = |by: usize| isize::try_from(by).unwrap_or(0);
    (-reach(up)..=reach(down)).max_by_key(|shift| score(*shift)).unwrap_or(0)
}

/// What the side says that changed it; where both did, ours.
fn choose<'a>(base: &'a str, ours: &'a str, theirs: &'a str) -> &'a str {
    if ours == base { theirs } else { ours }
}

struct Writer<'t, 'a> {
    three: &'t Three<'a>,
    text: String,
    layout: Layout<'t, 'a>,
}

impl Writer<'_, '_> {
    fn region(&mut self, region: &Region) -> Option<()> {
        match region.by {
            By::Nobody => {
                let sides = region.ours.clone().zip(region.theirs.clone());
                for (base, (ours, theirs)) in region.base.clone().zip(sides) {
                    let (base, ours, theirs) = (&self.three.base[base], &self.three.ours[ours], &self.three.theirs[theirs]);
                    self.text.push_str(&space_of_kept(base, ours, theirs));
                    self.text.push_str(base.text);
                }
            }
            By::Ours => self.one_sided(&Part { whose: Whose::Ours, tokens: region.ours.clone() })?,
            By::Theirs => self.one_sided(&Part { whose: Whose::Theirs, tokens: region.theirs.clone() })?,
            By::Both => {
                for part in both(self.three, region)? {
                    self.one_sided(&part)?;
                }
            }
        }
        Some(())
    }

    /// Where layout is all that tells which block a line is in, a line between two blocks that the other side moved apart is anybody's.
    fn one_sided(&mut self, part: &Part) -> Option<()> {
        let begins_line = self.three.side(part.whose).get(part.tokens.start).is_some_and(Token::begins_line);
        let has_braces = self.three.base.iter().any(|token| matches!(token.text, "{" | "}" | ";"));
        if begins_line && !part.tokens.is_empty() && !has_braces && self.layout.is_between_blocks(part.whose, &part.tokens) {
            return None;
        }
        self.part(part);
        Some(())
    }

    fn part(&mut self, part: &Part) {
        for at in part.tokens.clone() {
            let token = self.three.side(part.whose)[at];
            self.text.push_str(&self.layout.space(part.whose, at));
            self.text.push_str(token.text);
        }
    }
}

/// Who changed the space before a token decides it; where both indented it, it is indented twice.
fn space_of_kept<'a>(base: &Token<'a>, ours: &Token<'a>, theirs: &Token<'a>) -> Cow<'a, str> {
    if ours.space == base.space || ours.space == theirs.space {
        return theirs.space.into();
    }
    if theirs.space == base.space || ![base, ours, theirs].iter().all(|token| token.begins_line()) {
        return ours.space.into();
    }
    let above = |token: &Token<'a>| &token.space[..token.space.len() - token.indent().len()];
    let indent = shifted(ours.indent(), base.indent(), theirs.indent());
    format!("{}{indent}", choose(above(base), above(ours), above(theirs))).into()
}

/// An indentation, moved as another one was.
fn shifted(indent: &str, from: &str, to: &str) -> String {
    if let Some(more) = to.strip_prefix(from) {
        return format!("{indent}{more}");
    }
    let less = from.strip_prefix(to).map_or(0, str::len);
    indent.get(..indent.len().saturating_sub(less)).unwrap_or(indent).to_owned()
}

/// A token that begins a line in all three versions.
struct Anchor<'t, 'a> {
    base: &'t Token<'a>,
    ours: usize,
    theirs: usize,
}

/// Where lines begin that both sides have, to indent what one side adds as the other side indents what is around it.
struct Layout<'t, 'a> {
    three: &'t Three<'a>,
    anchors: Vec<Anchor<'t, 'a>>,
}

impl<'t, 'a> Layout<'t, 'a> {
    fn of(three: &'t Three<'a>, found: &[Region]) -> Self {
        let kept = found.iter().filter(|region| region.by == By::Nobody);
        let all = kept.flat_map(|region| region.base.clone().zip(region.ours.clone().zip(region.theirs.clone())));
        let anchors = all.map(|(base, (ours, theirs))| Anchor { base: &three.base[base], ours, theirs });
        let begins = |anchor: &Anchor<'_, '_>| {
            [anchor.base, &three.ours[anchor.ours], &three.theirs[anchor.theirs]].iter().all(|token| token.begins_line())
        };
        Self { three, anchors: anchors.filter(begins).collect() }
    }

    /// The space before a token that only one side has.
    fn space(&self, whose: Whose, at: usize) -> Cow<'a, str> {
        let token = &self.three.side(whose)[at];
        if !token.begins_line() {
            return token.space.into();
        }
        let Some((base, own, other)) = self.anchor(whose, at, token.indent()) else { return token.space.into() };
        if own != base && own != other && token.indent() != own {
            return token.space.into();
        }
        let above = &token.space[..token.space.len() - token.indent().len()];
        format!("{above}{}", shifted(token.indent(), base, other)).into()
    }

    /// Whether the other side has moved the line before these tokens otherwise than the line behind them, so that nobody can tell where they
    /// belong.
    fn is_between_blocks(&self, whose: Whose, tokens: &Range<usize>) -> bool {
        let place = |anchor: &Anchor<'_, '_>| if whose == Whose::Ours { anchor.ours } else { anchor.theirs };
        let moved = |anchor: &Anchor<'t, 'a>| {
            let other = if whose == Whose::Ours { &self.three.theirs[anchor.theirs] } else { &self.three.ours[anchor.ours] };
            (anchor.base.indent() != other.indent()).then(|| (anchor.base.indent().len(), other.indent().len()))
        };
        let behind = self.anchors.partition_point(|anchor| place(anchor) < tokens.start);
        let before = behind.checked_sub(1).and_then(|at| self.anchors.get(at));
        match (before.map(moved), self.anchors.get(behind).map(moved)) {
            (Some(before), Some(behind)) => before != behind,
            (Some(Some(_)), None) | (None, Some(Some(_))) => true,
            _ => false,
        }
    }

    /// Of the nearest line before and the nearest behind, the one that is indented as this one: its indentation in the base, on this side
    /// and on the other.
    fn anchor(&self, whose: Whose, at: usize, indent: &str) -> Option<(&str, &str, &str)> {
        let place = |anchor: &Anchor<'_, '_>| if whose == Whose::Ours { anchor.ours } else { anchor.theirs };
        let behind = self.anchors.partition_point(|anchor| place(anchor) < at);
        let three = self.three;
        let indents = |anchor: &Anchor<'t, 'a>| {
            let (ours, theirs) = (three.ours[anchor.ours].indent(), three.theirs[anchor.theirs].indent());
            let (own, other) = if whose == Whose::Ours { (ours, theirs) } else { (theirs, ours) };
            (anchor.base.indent(), own, other)
        };
        let before = behind.checked_sub(1).and_then(|before| self.anchors.get(before)).map(indents);
        let behind = self.anchors.get(behind).map(indents);
        [before, behind].into_iter().flatten().find(|(_, own, _)| *own == indent).or(before).or(behind)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(base: &str, ours: &str, theirs: &str, expected: &Expect) {
        let merged = merge(base, ours, theirs).unwrap_or_else(|| "conflict\n".to_owned());
        expected.assert_eq(&merged);
        let other = merge(base, theirs, ours);
        assert_eq!(other.is_some(), merge(base, ours, theirs).is_some(), "who is ours does not matter");
    }

    #[test]
    fn different_words_of_one_line_are_merged() {
        check(
            "let a = f(x, 1);\n",
            "let a = g(x, 1);\n",
            "let a = f(x, 2);\n",
            &expect![[r#"
            let a = g(x, 2);
        "#]],
        );
        check(
            "let a = f(x);\n",
            "let a = g(x);\n",
            "let a = h(x);\n",
            &expect![[r#"
            conflict
        "#]],
        );
    }

    #[test]
    fn what_one_side_indents_and_the_other_adds_to_is_indented_and_added_to() {
        check(
            "def f():\n    a()\n    b()\n",
            "def f():\n    if x:\n        a()\n        b()\n",
            "def f():\n    a()\n    c()\n    b()\n",
            &expect![[r#"
                def f():
                    if x:
                        a()
                        c()
                        b()
            "#]],
        );
    }

    #[test]
    fn entries_that_both_add_at_one_place_follow_each_other() {
        check(
            "f(a)\n",
            "f(a, b)\n",
            "f(a, c)\n",
            &expect![[r#"
            f(a, b, c)
        "#]],
        );
        check(
            "x = [\n    1,\n]\n",
            "x = [\n    1,\n    2,\n]\n",
            "x = [\n    1,\n    3,\n]\n",
            &expect![[r#"
            x = [
                1,
                2,
                3,
            ]
        "#]],
        );
        check(
            "if a {\n",
            "if a && b {\n",
            "if a && c {\n",
            &expect![[r#"
            if a && b && c {
        "#]],
        );
        check(
            "enum E { A }\n",
            "enum E { A, B }\n",
            "enum E { A, B, C }\n",
            &expect![[r#"
            enum E { A, B, C }
        "#]],
        );
    }

    #[test]
    fn a_word_that_both_change_is_a_conflict_and_what_one_adds_behind_it_is_not() {
        check(
            "[a, b]\n",
            "[a, c]\n",
            "[a, b, d]\n",
            &expect![[r#"
            [a, c, d]
        "#]],
        );
        check(
            "version = 1\n",
            "version = 2\n",
            "version = 3\n",
            &expect![[r#"
            conflict
        "#]],
        );
    }
}
