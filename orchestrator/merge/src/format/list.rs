//! Files with one entry a line: ignored files, owners, requirements, names, registries, sums.
//!
//! What both sides add at one place is both, sorted where the lines around are sorted on both sides, and otherwise ours first. A line that
//! both put something else instead of needs a decision.
//!
//! **Invariant:** a line that only one side has touched is as that side has it.

use std::collections::{HashMap, HashSet};

use super::{
    align::by_diff,
    order::{Orders, Step, compare},
};
use crate::{
    diff::{By, Region, edits},
    text::lines,
};

/// What the lines of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Patterns of files, of which a later one that begins with `!` takes back an earlier one.
    Ignored,
    /// A pattern or a name, and what it has.
    Keyed,
    /// A package and the versions of it that will do.
    Requirements,
    /// A module, a version and its sum.
    Sums,
    /// Nothing that is known.
    Plain,
}

impl Kind {
    /// What a line is about: two lines about the same contradict each other.
    fn subject(self, line: &str) -> Option<String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            return None;
        }
        let words = |count: usize| line.split_whitespace().take(count).collect::<Vec<_>>().join(" ");
        match self {
            Kind::Ignored | Kind::Plain => None,
            Kind::Keyed => Some(words(1)),
            Kind::Requirements => {
                let name = line.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).next().unwrap_or_default();
                (!name.is_empty() && !line.starts_with('-')).then(|| name.to_lowercase().replace(['_', '.'], "-"))
            }
            Kind::Sums => Some(words(2)),
        }
    }
}

/// The lines of both, or why there has to be a decision.
pub(super) fn merge(versions: [&str; 3], kind: Kind) -> Result<String, String> {
    let ended = versions.map(with_end);
    let all = [0, 1, 2].map(|at| lines(&ended[at]));
    let text = unite([&all[0], &all[1], &all[2]], kind)?;
    contradiction([&all[0], &all[1], &all[2]], kind)?;
    Ok(with_end_of(text, versions))
}

/// Comments: the lines of both, if nobody changed what the other changed.
pub(super) fn united(base: &str, ours: &str, theirs: &str) -> Option<String> {
    if ![ours, theirs].iter().all(|text| text.contains('\n')) {
        return None;
    }
    let [base, ours, theirs] = [base, ours, theirs].map(lines);
    unite([&base, &ours, &theirs], Kind::Plain).ok()
}

fn unite(all: [&[&str]; 3], kind: Kind) -> Result<String, String> {
    let mut text = String::new();
    for region in by_diff(all) {
        let [base, ours, theirs] = [&all[0][region.base.clone()], &all[1][region.ours.clone()], &all[2][region.theirs.clone()]];
        match region.by {
            By::Nobody | By::Ours => text.extend(ours.iter().copied()),
            By::Theirs => text.extend(theirs.iter().copied()),
            By::Both if ours == theirs => text.extend(ours.iter().copied()),
            By::Both => text.extend(both([base, ours, theirs], all, &region, kind)?),
        }
    }
    Ok(text)
}

/// A place that both changed.
fn both<'a>(parts: [&[&'a str]; 3], all: [&[&'a str]; 3], region: &Region, kind: Kind) -> Result<Vec<&'a str>, String> {
    let [base, ours, theirs] = parts;
    if kind == Kind::Ignored && [ours, theirs].into_iter().flatten().any(|line| line.starts_with('!')) {
        return Err("of patterns that take others back the order means something".to_owned());
    }
    if !base.is_empty() {
        return replaced(parts).ok_or_else(|| changed(base));
    }
    let mut union = pair(ours, theirs);
    let is_sorted = is_sorted_around(all[1], region.ours.clone()) && is_sorted_around(all[2], region.theirs.clone());
    if is_sorted && union.iter().all(|line| is_entry(line)) {
        union.sort_by(|a, b| compare(a, b));
    }
    Ok(union)
}

fn changed(base: &[&str]) -> String {
    let first = base.iter().find(|line| !line.trim().is_empty()).unwrap_or(&"");
    format!("both sides change `{}`", first.trim())
}

/// Two sequences as one: what they share once, what they do not ours first.
pub(super) fn pair<'a>(ours: &[&'a str], theirs: &[&'a str]) -> Vec<&'a str> {
    let (mut union, mut at) = (Vec::new(), 0);
    let there: HashSet<&str> = ours.iter().copied().filter(|line| !line.trim().is_empty()).collect();
    for edit in edits(ours.iter().copied(), theirs.iter().copied()) {
        union.extend(&ours[at..edit.before.end]);
        union.extend(theirs[edit.after].iter().filter(|line| !there.contains(**line)));
        at = edit.before.end;
    }
    union.extend(&ours[at..]);
    union
}

/// Lines of which some are gone, each by identity.
pub(super) fn replaced<'a>(parts: [&[&'a str]; 3]) -> Option<Vec<&'a str>> {
    let is_unique = |part: &[&str]| part.iter().collect::<HashSet<_>>().len() == part.len();
    if !parts.iter().all(|part| is_unique(part)) {
        return None;
    }
    let ids = parts.map(|part| part.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
    let is_edited = |_, _: &str| false;
    let orders = Orders {
        base: &ids[0],
        ours: &ids[1],
        theirs: &ids[2],
        is_edited: &is_edited,
        can_change: false,
        has_names: false,
        sorts: false,
    };
    let find = |id: &str| parts.iter().copied().flatten().copied().find(|line| *line == id);
    orders.steps()?.iter().map(|step| if let Step::Entry(id) = step { find(id) } else { None }).collect()
}

/// Whether the lines around a place, up to the next that are empty or comments, are in order.
fn is_sorted_around(lines: &[&str], place: std::ops::Range<usize>) -> bool {
    let before = lines[..place.start].iter().rev().take_while(|line| is_entry(line)).count();
    let behind = lines[place.end..].iter().take_while(|line| is_entry(line)).count();
    let around = &lines[place.start - before..place.end + behind];
    around.len() > 2 && around.is_sorted_by(|a, b| compare(a, b).is_le())
}

fn is_entry(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with(['#', ';', '[', ' ', '\t'])
}

/// Whether the sides say different things about one subject that is new to both.
fn contradiction([base, ours, theirs]: [&[&str]; 3], kind: Kind) -> Result<(), String> {
    let base: HashSet<&str> = base.iter().copied().collect();
    let subjects = |side: &[&str]| -> HashMap<String, String> {
        let new = side.iter().filter(|line| !base.contains(**line));
        new.filter_map(|line| Some((kind.subject(line)?, line.trim().to_owned()))).collect()
    };
    let (ours, theirs) = (subjects(ours), subjects(theirs));
    match ours.iter().find(|(subject, line)| theirs.get(*subject).is_some_and(|other| other != *line)) {
        Some((subject, _)) => Err(format!("the sides say different things about `{subject}`")),
        None => Ok(()),
    }
}

/// With an end of its last line.
pub(super) fn with_end(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// With an end of its last line, or without, as both want it.
pub(super) fn with_end_of(text: String, versions: [&str; 3]) -> String {
    let [base, ours, theirs] = versions.map(|text| text.is_empty() || text.ends_with('\n'));
    let is_ended = if ours == base { theirs } else { ours };
    if is_ended { text } else { text.strip_suffix('\n').map_or(text.clone(), str::to_owned) }
}

/// What kind of list a file is, by its name and by what it holds.
pub(super) fn kind_of(path: &str, versions: [&str; 3]) -> Option<Kind> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    match name {
        "go.sum" | "go.work.sum" => return Some(Kind::Sums),
        ".gitattributes" | "CODEOWNERS" | ".mailmap" => return Some(Kind::Keyed),
        "AUTHORS" | "CONTRIBUTORS" | "AUTHORS.txt" | "CONTRIBUTORS.txt" | "MAINTAINERS" | ".git-blame-ignore-revs" => {
            return Some(Kind::Plain);
        }
        _ if name.starts_with('.') && name.ends_with("ignore") => return Some(Kind::Ignored),
        _ if (name.contains("requirements") || path.contains("requirements/")) && ["txt", "in"].contains(&extension) => {
            return Some(Kind::Requirements);
        }
        _ => {}
    }
    let is_list = ["txt", "list", "lst"].contains(&extension) || (extension.is_empty() && !stem.is_empty());
    // A word a line, or a path: nothing that reads like sentences.
    let is_word = |line: &str| line.trim().is_empty() || line.starts_with('#') || line.split_whitespace().count() == 1;
    let is_script = |text: &&str| text.starts_with("#!");
    (is_list && !versions.iter().any(is_script) && versions.iter().all(|text| text.lines().all(is_word))).then_some(Kind::Plain)
}
