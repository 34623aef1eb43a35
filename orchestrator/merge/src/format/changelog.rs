//! Logs of changes: headings, and entries below them.
//!
//! Two sides that both add to the newest section have their entries below one heading, whichever of them made it.
//!
//! **Invariant:** no heading comes out twice at one place.

use super::tree::{Entry, Group, Shape, Value};

/// Whether a file is one, by its name.
pub(super) fn is_changelog(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_uppercase();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    let is_named = ["CHANGELOG", "CHANGES", "HISTORY", "NEWS", "RELEASES", "RELEASE_NOTES", "RELEASE-NOTES"].contains(&stem);
    is_named && ["", "MD", "MARKDOWN", "RST", "TXT"].contains(&extension)
}

/// The pieces of a log. One with the same heading twice at one place is refused.
pub(super) fn parse(text: &str) -> Option<Group> {
    let text = super::list::with_end(text);
    let blocks = blocks(&text);
    let mut at = 0;
    let entries = section(&blocks, &mut at, 0)?;
    let used = blocks.iter().map(|block| block.lead.len() + block.text.len()).sum::<usize>();
    Some(Group::block(Shape::List, entries, text[used..].to_owned()))
}

/// A heading with its level, or something below one.
struct Block<'a> {
    lead: &'a str,
    text: &'a str,
    /// 0 for what is no heading.
    level: usize,
}

fn section(blocks: &[Block<'_>], at: &mut usize, level: usize) -> Option<Vec<Entry>> {
    let (mut entries, mut seen) = (Vec::new(), std::collections::HashSet::new());
    while let Some(block) = blocks.get(*at).filter(|block| block.level == 0 || block.level > level) {
        *at += 1;
        let none = String::new;
        let (lead, text) = (block.lead.to_owned(), block.text.to_owned());
        if block.level == 0 {
            // Two entries in which only spaces differ are one.
            let value = Value::Leaf(text);
            entries.push(Entry { key: none(), lead, head: none(), value, trail: none(), after: none() });
        } else {
            let key = key_of(block.text);
            seen.insert(key.clone()).then_some(())?;
            let below = Group::block(Shape::List, section(blocks, at, block.level)?, none());
            entries.push(Entry { key, lead, head: text, value: Value::Group(below), trail: none(), after: none() });
        }
    }
    Some(entries)
}

/// What a heading is about: without its marks, and without a date.
fn key_of(heading: &str) -> String {
    let line = heading.lines().next().unwrap_or_default();
    let bare = line.trim_matches(|c: char| "#=-~ \t".contains(c)).to_lowercase();
    let version = bare.split(" - ").next().unwrap_or(&bare).split(" (").next().unwrap_or(&bare);
    format!("# {}", version.trim_matches(['[', ']', ' ']))
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut from, mut start, mut end, mut fenced) = (Vec::<Block<'_>>::new(), 0, None, 0, false);
    let spans = line_spans(text);
    for (at, (line_at, line)) in spans.iter().enumerate() {
        let next = spans.get(at + 1).map_or("", |(_, line)| *line);
        if start.is_some_and(|start| *line_at < start) {
            continue;
        }
        let level = if fenced { 0 } else { heading_level(line, next) };
        let is_blank = line.trim().is_empty();
        let begins = level > 0 || (!fenced && is_item(line));
        if let Some(begun) = start.filter(|_| begins || (is_blank && !fenced && !goes_on(&spans[at..]))) {
            blocks.push(Block { lead: &text[from..begun], text: &text[begun..end], level: 0 });
            (from, start) = (end, None);
        }
        if level > 0 {
            let underline = level > 6 && !line.starts_with('#');
            let length = if underline { line.len() + next.len() } else { line.len() };
            blocks.push(Block { lead: &text[from..*line_at], text: &text[*line_at..line_at + length], level });
            from = line_at + length;
            end = from;
            continue;
        }
        if is_blank && start.is_none() || *line_at < from {
            continue;
        }
        fenced ^= line.trim_start().starts_with("```");
        start = start.or(Some(*line_at));
        end = if is_blank { end } else { line_at + line.len() };
    }
    if let Some(begun) = start {
        blocks.push(Block { lead: &text[from..begun], text: &text[begun..end], level: 0 });
    }
    blocks
}

/// Whether an entry goes on after empty lines, indented.
fn goes_on(rest: &[(usize, &str)]) -> bool {
    rest.iter().map(|(_, line)| line).find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with(' '))
}

fn line_spans(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let span = |line: &'_ str| {
        at += line.len();
        at - line.len()
    };
    let starts: Vec<usize> = text.split_inclusive('\n').map(span).collect();
    starts.into_iter().zip(text.split_inclusive('\n')).collect()
}

/// Its level, by its marks or by the line below it; those below come after all with marks.
fn heading_level(line: &str, next: &str) -> usize {
    let marks = line.chars().take_while(|c| *c == '#').count();
    if (1..=6).contains(&marks) && line[marks..].starts_with(' ') {
        return marks;
    }
    let under = next.trim_end();
    let kinds = ['=', '-', '~'];
    let kind = kinds.iter().position(|kind| under.len() >= 3 && under.chars().all(|c| c == *kind));
    match kind {
        Some(kind) if !line.trim().is_empty() && !is_item(line) && !line.starts_with(' ') => 7 + kind,
        _ => 0,
    }
}

/// An entry of a list at the left edge.
fn is_item(line: &str) -> bool {
    let bare = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = bare.len() < line.len() && bare.starts_with(". ");
    line.starts_with("- ") || line.starts_with("* ") || line.starts_with("+ ") || is_numbered
}
