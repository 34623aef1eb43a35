//! What the planner and every worker are told about the repository.
//!
//! It stands at the head of each prompt, so it is the same bytes for all of a run, and never larger than its budget: facts first,
//! then what people wrote for agents, then as much of the folder outline as there is room for. Folders are opened from the root
//! down, those that others import most first; what stays closed says how many files it holds.

mod outline;

use std::{collections::BTreeMap, fmt::Write};

use plans::Survey;
use shared::RepoPath;

/// Guidance gets at most this part of the budget, so that an outline always has room.
const GUIDANCE_SHARE: usize = 2;
/// How many of a kind are listed before the rest is only counted.
const MAX_LISTED: usize = 12;

/// The text about the repository, at most `budget_bytes` long.
pub fn repository_brief(survey: &Survey, budget_bytes: usize) -> String {
    let mut text = facts(survey);
    let guidance = guidance(survey, budget_bytes.saturating_sub(text.len()) / GUIDANCE_SHARE);
    let room = budget_bytes.saturating_sub(text.len() + guidance.len());
    text.push_str(&outline::outline(survey, room));
    text.push_str(&guidance);
    cut(&mut text, budget_bytes);
    text
}

fn facts(survey: &Survey) -> String {
    let mut text = "# The repository\n\n".to_owned();
    let tests = survey.files.iter().filter(|file| file.is_test).count();
    line(&mut text, "Files", &[format!("{} ({tests} with tests)", survey.files.len())]);
    line(&mut text, "Languages", &languages(survey));
    line(&mut text, "Manifests", &names(&survey.manifests));
    line(&mut text, "Verified by", &survey.verification.iter().map(|command| format!("`{command}`")).collect::<Vec<_>>());
    line(&mut text, "Most imported", &most_imported(survey));
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
