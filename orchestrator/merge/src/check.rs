//! What is asked of every text that a rung calls merged: it still parses, it holds both sides' edits, and what it uses is there.
//!
//! A merge by syntax or by tokens is a proposal. These checks know nothing of how it came about, so a mistake there is found here.
//!
//! **Invariant:** a check that cannot be made (no grammar, a side that does not parse) refuses nothing.

use std::collections::{HashMap, HashSet};

use crate::{
    grammar::{Parsed, errors},
    lex::{Token, lex},
    names::{Names, names},
};

/// Three versions and what they were merged to.
pub(crate) struct Claim<'a> {
    pub base: &'a str,
    pub ours: &'a str,
    pub theirs: &'a str,
    pub merged: &'a str,
    /// The three versions as they are parsed, where the language has a grammar here.
    pub parsed: Option<&'a [Parsed<'a>; 3]>,
}

impl Claim<'_> {
    /// Why the merged text cannot be what both sides want, if that can be told.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.words().or_else(|| self.lines()).or_else(|| self.syntax())
    }

    /// Every word that a side added is there, and none that a side removed is back.
    fn words(&self) -> Option<String> {
        let words = |text| count(lex(text).0.into_iter().filter(|token| token.is_word()).map(|token| token.text));
        let counts =
            Counts { base: words(self.base), ours: words(self.ours), theirs: words(self.theirs), merged: words(self.merged) };
        let wrong = |word: &&&str| {
            let (least, most) = counts.bounds(word);
            let there = counts.of(&counts.merged, word);
            there < least || there > most
        };
        counts.all().find(wrong).map(|word| format!("`{word}` is there too often or not often enough"))
    }

    /// No line that a side removed is back, and none that a side added is gone: unless it is one with a line of the other side.
    fn lines(&self) -> Option<String> {
        let lines = |text: &'_ str| count(text.lines().map(plain).filter(|line| line.chars().any(char::is_alphanumeric)));
        let (base, ours, theirs, merged) = (lines(self.base), lines(self.ours), lines(self.theirs), lines(self.merged));
        let counts = Counts { base, ours, theirs, merged };
        let is_back =
            |line: &&String| counts.of(&counts.base, line) > 0 && counts.of(&counts.merged, line) > counts.bounds(line).1;
        if let Some(line) = counts.all().find(is_back) {
            return Some(format!("the line `{line}` is back"));
        }
        let words = |text| count(lex(text).0.into_iter().filter(|token| token.is_word()).map(|token| token.text));
        let [before, left, right] = [self.base, self.ours, self.theirs].map(words);
        let of = |counts: &HashMap<&str, i64>, word: &str| counts.get(word).copied().unwrap_or(0);
        // Those that the other side has taken out of it are rightly not there.
        let is_out = |word: &str| of(&left, word).min(of(&right, word)) < of(&before, word);
        let is_new = |line: &&String| [&counts.base, &counts.ours, &counts.theirs].iter().all(|side| !side.contains_key(*line));
        let made: HashSet<&str> =
            counts.merged.keys().filter(is_new).flat_map(|line| lex(line).0).map(|token| token.text).collect();
        let is_in_one = |line: &str| {
            lex(line).0.iter().filter(|token| token.is_word()).all(|token| made.contains(token.text) || is_out(token.text))
        };
        let (all, _) = lex(self.merged);
        let is_gone = |line: &&String| {
            let is_added =
                [&counts.ours, &counts.theirs].iter().any(|side| counts.of(side, line) > counts.of(&counts.base, line));
            is_added && counts.of(&counts.merged, line) < counts.bounds(line).0 && !is_in_one(line) && !has_in_a_row(&all, line)
        };
        counts.all().find(is_gone).map(|line| format!("the line `{line}` is gone"))
    }

    fn syntax(&self) -> Option<String> {
        let Some([base, ours, theirs]) = self.parsed else { return self.brackets() };
        let merged = Parsed::of(ours.language, self.merged)?;
        if errors(&merged.tree) > errors(&ours.tree).max(errors(&theirs.tree)) {
            return Some("it does not parse".to_owned());
        }
        let names = Versioned { base: names(base), ours: names(ours), theirs: names(theirs), merged: names(&merged) };
        names.defined_twice().or_else(|| names.used_and_gone())
    }

    /// Without a grammar: brackets that close on both sides close.
    fn brackets(&self) -> Option<String> {
        let depth = |text| {
            lex(text).0.iter().fold([0_i64; 3], |mut depth, token| {
                match token.text {
                    "(" => depth[0] += 1,
                    ")" => depth[0] -= 1,
                    "[" => depth[1] += 1,
                    "]" => depth[1] -= 1,
                    "{" => depth[2] += 1,
                    "}" => depth[2] -= 1,
                    _ => {}
                }
                depth
            })
        };
        let [base, ours, theirs, merged] = [self.base, self.ours, self.theirs, self.merged].map(depth);
        let sides_close = base == ours && base == theirs;
        (sides_close && merged != base).then(|| "its brackets do not close".to_owned())
    }
}

/// A line by what it says: whether a comma follows is a matter of what stands behind it.
fn plain(line: &str) -> String {
    line.trim().trim_end_matches(',').to_owned()
}

/// Whether a text has a line's words and signs from the beginning of a line on, however they are laid out.
fn has_in_a_row(text: &[Token<'_>], line: &str) -> bool {
    let (wanted, _) = lex(line);
    let begins = |at: &usize| *at == 0 || text[*at].begins_line();
    let same = |at: usize| wanted.iter().zip(&text[at..]).all(|(a, b)| a.text == b.text);
    (0..(text.len() + 1).saturating_sub(wanted.len())).filter(begins).any(same)
}

fn count<T: std::hash::Hash + Eq>(all: impl Iterator<Item = T>) -> HashMap<T, i64> {
    let mut counts = HashMap::new();
    for one in all {
        *counts.entry(one).or_insert(0) += 1;
    }
    counts
}

/// How often things are there in each version.
struct Counts<T> {
    base: HashMap<T, i64>,
    ours: HashMap<T, i64>,
    theirs: HashMap<T, i64>,
    merged: HashMap<T, i64>,
}

impl<T: std::hash::Hash + Eq + Ord> Counts<T> {
    fn of(&self, counts: &HashMap<T, i64>, what: &T) -> i64 {
        counts.get(what).copied().unwrap_or(0)
    }

    /// All that is anywhere, in order.
    fn all(&self) -> impl Iterator<Item = &T> {
        let mut all: Vec<&T> =
            self.base.keys().chain(self.ours.keys()).chain(self.theirs.keys()).chain(self.merged.keys()).collect();
        all.sort();
        all.dedup();
        all.into_iter()
    }

    /// How often a thing can be there when both sides' changes are: they may be one and the same, or add up.
    fn bounds(&self, what: &T) -> (i64, i64) {
        let base = self.of(&self.base, what);
        let (ours, theirs) = (self.of(&self.ours, what) - base, self.of(&self.theirs, what) - base);
        let sum = base + ours + theirs;
        match (ours >= 0, theirs >= 0) {
            (true, true) => (base + ours.max(theirs), sum),
            (false, false) => (sum.max(0), base + ours.min(theirs)),
            _ => (sum, sum),
        }
    }
}

struct Versioned {
    base: Names,
    ours: Names,
    theirs: Names,
    merged: Names,
}

impl Versioned {
    /// Two things of one name in one place, where each side has at most one.
    fn defined_twice(&self) -> Option<String> {
        let of = |names: &Names, what: &(String, String)| names.defined.get(what).copied().unwrap_or(0);
        let before = |what| of(&self.ours, what).max(of(&self.theirs, what)).max(of(&self.base, what)).max(1);
        let mut twice: Vec<_> = self.merged.defined.iter().filter(|(what, times)| **times > before(what)).collect();
        twice.sort();
        twice.first().map(|((_, name), _)| format!("`{name}` is defined twice"))
    }

    /// A name that one side did away with and the other uses once more.
    fn used_and_gone(&self) -> Option<String> {
        let of = |names: &Names, what: &str| names.used.get(what).copied().unwrap_or(0);
        let gone = |name: &str| {
            let (base, ours, theirs) = (of(&self.base, name), of(&self.ours, name), of(&self.theirs, name));
            let left = (ours == 0 && theirs > base) || (theirs == 0 && ours > base);
            (base > 0 && left && self.base.named.contains(name)) || self.lost_its_definition(name)
        };
        let mut used: Vec<&String> = self.merged.used.keys().filter(|name| gone(name)).collect();
        used.sort();
        used.first().map(|name| format!("`{name}` is used, and one side did away with it"))
    }

    fn lost_its_definition(&self, name: &str) -> bool {
        let is = |names: &Names| names.named.contains(name);
        let uses = |names: &Names| names.used.get(name).copied().unwrap_or(0) - i64::from(is(names));
        let without = |side: &Names| !is(side) && uses(side) <= 0;
        is(&self.base) && !is(&self.merged) && (without(&self.ours) || without(&self.theirs))
    }
}
