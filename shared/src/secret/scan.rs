//! The scan: one automaton finds what announces a secret, and each announcement is looked into.

use std::{fmt, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};

use super::{assignment, private_key, shape, url};

/// A sort of secret, as it is named to people and models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub(super) &'static str);

impl Kind {
    pub(super) const HELD: Kind = Kind("key of a model");
    /// A line of a private key.
    pub const PRIVATE_KEY: Kind = Kind("private key");
    pub(super) const PASSWORD: Kind = Kind("password in an address");
    pub(super) const NAMED: Kind = Kind("secret value");
    pub(super) const BEARER: Kind = Kind("bearer token");
    pub(super) const JWT: Kind = Kind("JSON web token");
    pub(super) const TELEGRAM: Kind = Kind("Telegram bot token");

    /// All sorts that have a marker.
    pub(super) fn all() -> impl Iterator<Item = Kind> {
        let own = [Self::HELD, Self::PRIVATE_KEY, Self::PASSWORD, Self::NAMED, Self::BEARER, Self::JWT, Self::TELEGRAM];
        own.into_iter().chain(shape::SHAPES.iter().map(shape::Shape::kind))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// A secret in a text: where, and of what sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The first byte.
    pub start: usize,
    /// Past the last byte.
    pub end: usize,
    /// The sort.
    pub kind: Kind,
}

/// What a word announces.
#[derive(Debug, Clone, Copy)]
enum Cue {
    Shape,
    Name,
    Bearer,
    Address,
    PrivateKey,
    WebToken,
    Telegram,
}

struct Cues {
    automaton: AhoCorasick,
    meanings: Vec<Cue>,
}

static CUES: LazyLock<Cues> = LazyLock::new(|| {
    let mut words: Vec<(&str, Cue)> =
        vec![("://", Cue::Address), ("bearer ", Cue::Bearer), ("eyJ", Cue::WebToken), (":AA", Cue::Telegram)];
    words.extend(shape::SHAPES.iter().map(|shape| (shape.start, Cue::Shape)));
    words.extend(assignment::WORDS.iter().map(|word| (*word, Cue::Name)));
    words.extend(private_key::CUES.iter().map(|cue| (*cue, Cue::PrivateKey)));
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(words.iter().map(|(word, _)| word))
        .expect("a hundred short words are few");
    Cues { automaton, meanings: words.into_iter().map(|(_, cue)| cue).collect() }
});

/// All secrets that are known by their shape, their name or their place, in order, none overlapping another.
pub(super) fn scan(text: &[u8]) -> Vec<Finding> {
    let cues = &*CUES;
    let (mut found, mut blocks) = (Vec::new(), Vec::new());
    let mut past = 0;
    for hit in cues.automaton.find_iter(text) {
        let (start, end) = (hit.start(), hit.end());
        let cue = cues.meanings[hit.pattern().as_usize()];
        if matches!(cue, Cue::PrivateKey) {
            let is_known = blocks.last().is_some_and(|last: &Finding| last.end >= start);
            let near = if is_known { Vec::new() } else { private_key::pieces(text, start, end) };
            let new = near.into_iter().map(|(start, end)| Finding { start, end, kind: Kind::PRIVATE_KEY });
            let last = blocks.last().map_or(0, |last: &Finding| last.end);
            blocks.extend(new.filter(|piece| piece.start >= last));
        } else if start >= past
            && let Some(finding) = look(text, cue, start, end)
        {
            past = finding.end;
            found.push(finding);
        }
    }
    if blocks.is_empty() { found } else { merged(blocks, found) }
}

fn look(text: &[u8], cue: Cue, start: usize, end: usize) -> Option<Finding> {
    let (start, end, kind) = match cue {
        Cue::Shape => shape::key_at(text, start).map(|(end, kind)| (start, end, kind))?,
        Cue::Name => assignment::value(text, start, end).map(|(start, end)| sort_of(text, start, end, Kind::NAMED))?,
        Cue::Bearer => assignment::bearer(text, end).map(|(start, end)| sort_of(text, start, end, Kind::BEARER))?,
        Cue::Address => url::password(text, start).map(|(start, end)| (start, end, Kind::PASSWORD))?,
        Cue::WebToken => shape::json_web_token(text, start).map(|end| (start, end, Kind::JWT))?,
        Cue::Telegram => shape::telegram(text, start).map(|(start, end)| (start, end, Kind::TELEGRAM))?,
        Cue::PrivateKey => return None,
    };
    Some(Finding { start, end, kind })
}

/// A value that is named a secret, by the more telling sort where it has a shape.
fn sort_of(text: &[u8], start: usize, end: usize, kind: Kind) -> (usize, usize, Kind) {
    let web_token = || shape::json_web_token(text, start).map(|end| (end, Kind::JWT));
    match shape::key_at(text, start).or_else(web_token) {
        Some((key_end, kind)) => (start, end.max(key_end), kind),
        None => (start, end, kind),
    }
}

/// Two lists in the order of the text; what overlaps a finding of `first` is left out of `second`, unless it reaches further.
pub(super) fn merged(first: Vec<Finding>, second: Vec<Finding>) -> Vec<Finding> {
    let mut all = first;
    all.extend(second);
    all.sort_by_key(|finding| (finding.start, std::cmp::Reverse(finding.end)));
    let mut out: Vec<Finding> = Vec::with_capacity(all.len());
    for finding in all {
        match out.last_mut() {
            Some(last) if finding.start < last.end => last.end = last.end.max(finding.end),
            _ => out.push(finding),
        }
    }
    out
}

#[cfg(test)]
mod tests;
