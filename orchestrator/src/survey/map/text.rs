//! A ranked map as text that fits a number of bytes.

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write};

use super::{super::symbols::Definition, SymbolMap, rank::Ranks};

const OVERVIEW: &str = "\n## Symbols\n\nThe most used ones, with their lines.\n";
const OFFERED: &str = "Symbols of other files that yours lead to, with their lines:\n";
const USERS: &str = "Other files that use symbols of yours:\n";
/// What the line about what is left out takes at most.
const REST: usize = 64;
/// Of a task's part, what files get that use the task's symbols, if there are so many.
const SHARE_OF_USERS: usize = 3;
/// Of all attention, what must reach a symbol for a task to be told of it.
const LEAST: f64 = 0.001;
/// How many symbols are named of one file that uses a task's.
const MAX_NAMED: usize = 6;

/// A definition by its file and its place in it.
type At = (usize, usize);

/// The symbols that most reaches; where room is left, what nothing leads to.
pub(super) fn overview(map: &SymbolMap, ranks: &Ranks, budget: usize) -> String {
    let is_wanted = |at: At| reached(ranks, at) > 0.0 || !map.files[at.0].is_test;
    listed(map, ranks, is_wanted, OVERVIEW, budget)
}

/// What others offer to a task's files, and which of them use these.
pub(super) fn around(map: &SymbolMap, ranks: &Ranks, own: &[bool], budget: usize) -> String {
    let users = users(map, own, budget / SHARE_OF_USERS);
    let is_wanted = |at: At| !own[at.0] && reached(ranks, at) > LEAST;
    let gap = usize::from(!users.is_empty());
    let mut text = listed(map, ranks, is_wanted, OFFERED, budget.saturating_sub(users.len() + gap));
    if !text.is_empty() && !users.is_empty() {
        text.push('\n');
    }
    text + &users
}

fn reached(ranks: &Ranks, at: At) -> f64 {
    ranks.definitions[at.0][at.1]
}

/// The best of what is wanted under a heading; nothing where not even one fits.
fn listed(map: &SymbolMap, ranks: &Ranks, is_wanted: impl Fn(At) -> bool, heading: &str, budget: usize) -> String {
    let mut wanted: Vec<At> = all(map).filter(|at| is_wanted(*at)).collect();
    wanted.sort_by(|&a, &b| {
        let private = |at: At| map.files[at.0].defines[at.1].private;
        let by_rank = reached(ranks, b).total_cmp(&reached(ranks, a)).then_with(|| private(a).cmp(&private(b)));
        by_rank.then_with(|| ranks.files[b.0].total_cmp(&ranks.files[a.0])).then_with(|| a.cmp(&b))
    });
    let mut left = budget.saturating_sub(heading.len() + REST);
    let mut shown: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut count = 0;
    for &(file, definition) in &wanted {
        let title = if shown.contains_key(&file) { 0 } else { map.files[file].path.as_str().len() + 2 };
        let cost = title + line(&map.files[file].defines[definition]).len();
        if cost > left {
            break;
        }
        left -= cost;
        count += 1;
        shown.entry(file).or_default().push(definition);
    }
    if shown.is_empty() {
        return String::new();
    }
    format!("{heading}{}{}", written(map, ranks, shown), rest(wanted.len() - count))
}

fn all(map: &SymbolMap) -> impl Iterator<Item = At> {
    map.files.iter().enumerate().flat_map(|(file, of)| (0..of.defines.len()).map(move |at| (file, at)))
}

/// The files that most reaches first, each in the order of its text.
fn written(map: &SymbolMap, ranks: &Ranks, shown: BTreeMap<usize, Vec<usize>>) -> String {
    let mut files: Vec<(usize, Vec<usize>)> = shown.into_iter().collect();
    files.sort_by(|(a, _), (b, _)| ranks.files[*b].total_cmp(&ranks.files[*a]).then_with(|| a.cmp(b)));
    let mut text = String::new();
    for (file, mut definitions) in files {
        definitions.sort_unstable();
        writeln!(text, "\n{}", map.files[file].path).expect("a string takes all");
        text.extend(definitions.into_iter().map(|at| line(&map.files[file].defines[at])));
    }
    text
}

fn line(definition: &Definition) -> String {
    let Definition { line, owner, signature, .. } = definition;
    if owner.is_empty() { format!("  {line} {signature}\n") } else { format!("  {line} {owner}: {signature}\n") }
}

fn rest(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "\n… 1 more symbol is not shown\n".to_owned(),
        more => format!("\n… {more} more symbols are not shown\n"),
    }
}

/// A line for each file that uses own symbols, those that use most first.
fn users(map: &SymbolMap, own: &[bool], budget: usize) -> String {
    let mut users: Vec<(u64, usize)> = Vec::new();
    for (at, file) in map.files.iter().enumerate().filter(|(at, _)| !own[*at]) {
        let weight = file.links.iter().filter(|link| own[link.to as usize]).map(|link| u64::from(link.weight)).sum();
        users.extend((weight > 0).then_some((weight, at)));
    }
    users.sort_by_key(|&(weight, at)| (Reverse(weight), at));
    let mut left = budget.saturating_sub(USERS.len() + 1 + REST);
    let mut lines = Vec::new();
    for &(_, at) in &users {
        let line = user(map, own, at);
        if line.len() > left {
            break;
        }
        left -= line.len();
        lines.push(line);
    }
    match users.len() - lines.len() {
        _ if lines.is_empty() => String::new(),
        0 => format!("{USERS}\n{}", lines.concat()),
        1 => format!("{USERS}\n{}… 1 more file\n", lines.concat()),
        more => format!("{USERS}\n{}… {more} more files\n", lines.concat()),
    }
}

fn user(map: &SymbolMap, own: &[bool], at: usize) -> String {
    let mut links: Vec<_> = map.files[at].links.iter().filter(|link| own[link.to as usize]).collect();
    links.sort_by_key(|link| (Reverse(link.weight), **link));
    let mut names: Vec<&str> = Vec::new();
    for link in links {
        let name = map.files[link.to as usize].defines[link.definition as usize].name.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.split_off(names.len().min(MAX_NAMED)).len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("- {}: {}{more}\n", map.files[at].path, names.join(", "))
}
