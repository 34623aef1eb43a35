//! Where a text that is not in a file was probably meant to be.
//!
//! Cheap on purpose: one line of the text, its longest, stands for all of it.

use std::fmt::Write;

/// How many lines of the file are looked at.
const LOOKED_AT: usize = 50_000;
const SHOWN: usize = 12;
/// Less alike than this is a guess that misleads.
const ALIKE: f64 = 0.5;

/// The lines of a file that are most like a text.
#[derive(Debug, PartialEq)]
pub(super) struct Nearest {
    /// The lines with their numbers.
    pub(super) numbered: String,
    /// Whether they are the text but for blanks.
    pub(super) differs_in_blanks: bool,
}

pub(super) fn nearest(text: &str, wanted: &str) -> Option<Nearest> {
    let wanted: Vec<&str> = wanted.lines().collect();
    let (offset, anchor) = wanted.iter().enumerate().max_by_key(|(at, line)| (line.trim().len(), usize::MAX - at))?;
    let lines: Vec<&str> = text.lines().take(LOOKED_AT).collect();
    let (pairs, bare_anchor) = (pairs(anchor), bare(anchor));
    let score = |line: &str| if bare(line) == bare_anchor { 1.0 } else { likeness(&pairs, line) };
    let scores = lines.iter().enumerate().map(|(at, line)| (score(line), at));
    let (best, at) = scores.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    if best < ALIKE || anchor.trim().is_empty() {
        return None;
    }
    let start = at.saturating_sub(offset);
    let end = (start + wanted.len()).min(lines.len());
    let differs_in_blanks = lines[start..end].iter().map(|line| bare(line)).eq(wanted.iter().map(|line| bare(line)));
    let mut numbered = String::new();
    for (line, number) in lines[start..end.min(start + SHOWN)].iter().zip(start + 1..) {
        let _ = writeln!(numbered, "{number}\t{}", super::read::cut_line(line, 400));
    }
    Some(Nearest { numbered, differs_in_blanks })
}

fn bare(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The sorted pairs of neighbouring characters, blanks left out.
fn pairs(line: &str) -> Vec<(char, char)> {
    let bare = bare(line);
    let mut pairs: Vec<(char, char)> = bare.chars().zip(bare.chars().skip(1)).take(500).collect();
    pairs.sort_unstable();
    pairs
}

/// The share of pairs in common, between 0 and 1.
fn likeness(wanted: &[(char, char)], line: &str) -> f64 {
    let line = pairs(line);
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < wanted.len() && j < line.len() {
        match wanted[i].cmp(&line[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                (i, j, common) = (i + 1, j + 1, common + 1);
            }
        }
    }
    f64::from(2 * common) / (wanted.len() + line.len()).max(1) as f64
}
