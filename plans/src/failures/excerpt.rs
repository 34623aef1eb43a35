//! The few lines of an output that are worth reading.

use super::{FailingTest, Kind, lines};

/// Lines before the failure.
const BEFORE: usize = 3;
const LONGEST_LINE: usize = 240;

/// So many lines around the first failure, or else the last ones. What is left out is said.
pub fn excerpt(output: &str, first: Option<&FailingTest>, most: usize) -> String {
    let cleaned = lines::cleaned(output);
    let all: Vec<&str> = cleaned.lines().filter(|line| !line.trim().is_empty()).collect();
    if all.len() <= most {
        return joined(&all);
    }
    let from = match first.and_then(|first| place_of(&all, first)) {
        Some(at) => at.saturating_sub(BEFORE).min(all.len() - most),
        None => all.len() - most,
    };
    let (shown, after) = (&all[from..from + most], all.len() - from - most);
    let left_out = |count: usize, what: &str| if count > 0 { format!("[… {count} lines {what}]") } else { String::new() };
    let parts = [left_out(from, "before"), joined(shown), left_out(after, "after")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| lines::cut(line.trim_end(), LONGEST_LINE)).collect::<Vec<_>>().join("\n")
}

/// Where an output tells of a failure: what it said, or where its name stands for the last time.
fn place_of(all: &[&str], first: &FailingTest) -> Option<usize> {
    let message = first.message.as_deref().filter(|message| message.len() > 3);
    let of_message = message.and_then(|message| all.iter().position(|line| line.contains(message)));
    let name = if first.kind == Kind::Build {
        first.path.as_ref().map_or(first.name.as_str(), |path| path.as_str())
    } else {
        &first.name
    };
    let last_part = name.rsplit([':', '.', '>', '›', ' ']).find(|part| !part.is_empty()).unwrap_or(name);
    of_message.or_else(|| all.iter().position(|line| line.contains(name) || line.contains(last_part)))
}
