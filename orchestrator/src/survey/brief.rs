//! What the planner and every worker are told about the repository.
//!
//! It stands at the head of each prompt, so it is the same bytes for all of a run, and never larger than its budget: facts first,
//! then what people wrote for agents, then the symbols that are used most, then as much of the folder outline as there is room for.
//! Folders are opened from the root down, those that others import most first; what stays closed says how many files it holds.

mod outline;

use std::{collections::BTreeMap, fmt::Write};

use plans::Survey;
use shared::RepoPath;

use super::Findings;

/// Guidance gets at most this part of the budget, so that an outline always has room.
const GUIDANCE_SHARE: usize = 2;
/// How many of a kind are listed before the rest is only counted.
const MAX_LISTED: usize = 12;

/// Where the symbols are shown, the outline is only there to find one's way: it gets this part of what they leave.
const OUTLINE_SHARE: usize = 4;

/// How much there is to say.
#[derive(Debug, Clone, Copy)]
pub struct Room<'a> {
    /// What the run is for: symbols of files that it names come first.
    pub goal: &'a str,
    /// The most bytes.
    pub bytes: usize,
    /// Of these, the most for symbols.
    pub map: usize,
}

/// The text about the repository.
pub fn repository_brief(findings: &Findings, room: &Room) -> String {
    let Findings { survey, map } = findings;
    let shows_symbols = room.map > 0 && !map.is_empty();
    let mut text = facts(survey, shows_symbols);
    let beside = room.bytes.saturating_sub(if shows_symbols { room.map } else { 0 });
    let guidance = guidance(survey, beside.saturating_sub(text.len()) / GUIDANCE_SHARE);
    let left = |text: &str| room.bytes.saturating_sub(text.len() + guidance.len());
    let symbols = if shows_symbols { map.overview(room.goal, room.map.min(left(&text))) } else { String::new() };
    let outlined = left(&text) - symbols.len();
    let outlined = if symbols.is_empty() { outlined } else { outlined.min(beside / OUTLINE_SHARE) };
    text.push_str(&outline::outline(survey, outlined));
    text.push_str(&symbols);
    text.push_str(&guidance);
    cut(&mut text, room.bytes);
    text
}

/// Which files are imported most need not be said where symbols tell.
fn facts(survey: &Survey, shows_symbols: bool) -> String {
    let mut text = "# The repository\n\n".to_owned();
    let tests = survey.files.iter().filter(|file| file.is_test).count();
    line(&mut text, "Files", &[format!("{} ({tests} with tests)", survey.files.len())]);
    line(&mut text, "Languages", &languages(survey));
    line(&mut text, "Manifests", &names(&survey.manifests));
    line(&mut text, "Verified by", &survey.verification.iter().map(|command| format!("`{command}`")).collect::<Vec<_>>());
    if !shows_symbols {
        line(&mut text, "Most imported", &most_imported(survey));
    }
    line(&mut text, "Submodules (empty folders here)", &names(&survey.submodules));
    text
}

fn line(text: &mut String, label: &str, values: &[String]) {
    if values.is_empty() {
        return;
    }
    let shown = values.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ");
    let rest = values.len().saturating_sub(MAX_LISTED);
    let more = if rest > 0 { format!(", and {rest} more") } else { String::new() };
    writeln!(text, "{label}: {shown}{more}").expect("a string takes all");
}

fn names(paths: &[RepoPath]) -> Vec<String> {
    paths.iter().map(RepoPath::to_string).collect()
}

/// The most frequent first, of equals in the order of the alphabet.
fn ranked(counts: BTreeMap<&str, usize>) -> Vec<(&str, usize)> {
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ranked
}

fn languages(survey: &Survey) -> Vec<String> {
    let mut counts = BTreeMap::new();
    for language in survey.files.iter().filter_map(|file| file.language.as_deref()) {
        *counts.entry(language).or_insert(0) += 1;
    }
    ranked(counts).into_iter().map(|(language, count)| format!("{language} {count}")).collect()
}

fn most_imported(survey: &Survey) -> Vec<String> {
    let used = ranked(import_counts(survey)).into_iter().filter(|(_, count)| *count > 1).take(MAX_LISTED);
    used.map(|(path, count)| format!("{path} (by {count})")).collect()
}

/// How many files import each.
fn import_counts(survey: &Survey) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for (_, to) in &survey.imports {
        *counts.entry(to.as_str()).or_insert(0) += 1;
    }
    counts
}

/// Each text whole while there is room: those nearest to the root first.
fn guidance(survey: &Survey, budget: usize) -> String {
    let mut all: Vec<_> = survey.guidance.iter().collect();
    all.sort_by_key(|(path, _)| path.as_str().matches('/').count());
    let mut text = String::new();
    for (path, says) in all {
        let mut section = format!("\n## {path}\n\n{}\n", says.trim());
        let room = budget.saturating_sub(text.len());
        if section.len() > room && !cut(&mut section, room) {
            break;
        }
        text.push_str(&section);
    }
    text
}

/// Shortens the text to the budget and says so; whether anything worth reading is left.
fn cut(text: &mut String, budget: usize) -> bool {
    const MARK: &str = "\n[cut here]\n";
    if text.len() <= budget {
        return true;
    }
    let keep = budget.saturating_sub(MARK.len());
    text.truncate((0..=keep).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0));
    let is_worth_it = text.len() > 200;
    if budget >= MARK.len() {
        text.push_str(MARK);
    }
    is_worth_it
}
