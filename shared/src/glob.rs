//! A glob pattern over the paths of a repository, and whether two patterns can ever name the same path.
//!
//! The second question is why this is not a plain `globset::Glob`: two tasks without an order between them may not own overlapping
//! files, and that is decided from the plan alone, before any file exists.
//!
//! **Invariant:** [`Glob::overlaps`] never says "no" of two patterns that some path matches both of. It may say "yes" too often: a
//! character class counts as any character.

use std::{fmt, sync::OnceLock};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use crate::path::{BadPath, RepoPath};

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    /// The pattern names something outside the repository.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// The pattern does not parse.
    #[error("`{pattern}` is not a glob: {why}")]
    Syntax {
        /// The text.
        pattern: String,
        /// What the parser said.
        why: String,
    },
}

/// A pattern such as `crates/money/**`: `*`, `?`, `[a-z]` and `{a,b}` stay within one component, `**` crosses them.
///
/// A pattern without any of these names a file, or a folder with everything below it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob {
    text: String,
    parsed: Vec<globset::Glob>,
    /// Built when it is first asked: a plan that is only folded or shown never pays for it.
    matcher: OnceLock<GlobSet>,
    shapes: Vec<Vec<Segment>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    AnyDepth,
    Name(Vec<Unit>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Exactly(char),
    One,
    Any,
}

impl Glob {
    /// Parses and normalises a pattern. A trailing `/` means everything below.
    pub fn new(text: &str) -> Result<Self, BadGlob> {
        let below = if text.ends_with('/') { format!("{text}**") } else { text.to_owned() };
        let text = String::from(RepoPath::new(&below)?);
        let literal = !text.contains(['*', '?', '[', '{', '\\']);
        let spellings = if literal { vec![text.clone(), format!("{text}/**")] } else { vec![text.clone()] };
        let parsed = spellings.iter().map(|s| parse(s)).collect::<Result<_, _>>()?;
        let shapes = spellings.iter().flat_map(|s| expand_braces(s)).map(|s| segments(&s)).collect();
        Ok(Self { text, parsed, matcher: OnceLock::new(), shapes })
    }

    /// Whether the pattern names this path. A path that is spelled exactly like the pattern matches, too: `app/[id]/page.tsx` is the name
    /// of a file more often than a character class.
    pub fn matches(&self, path: &RepoPath) -> bool {
        path.as_str() == self.text || self.matcher.get_or_init(|| set_of(&self.parsed)).is_match(path.as_str())
    }

    /// Whether some path could match both patterns.
    pub fn overlaps(&self, other: &Glob) -> bool {
        self.shapes.iter().any(|a| other.shapes.iter().any(|b| segments_meet(a, b)))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn parse(pattern: &str) -> Result<globset::Glob, BadGlob> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
    glob.map_err(|error| BadGlob::Syntax { pattern: pattern.to_owned(), why: error.kind().to_string() })
}

/// A pattern that parses but is too large to match with (thousands of alternatives) matches nothing.
fn set_of(globs: &[globset::Glob]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(glob.clone());
    }
    set.build().unwrap_or_default()
}

/// `a{b,c}d` becomes `abd` and `acd`. Nested braces are expanded from the inside out; past 256 spellings the rest counts as `*`.
fn expand_braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(text) = open.pop() {
        let inner = text.find('}').and_then(|end| text[..end].rfind('{').map(|start| (start, end)));
        let Some((start, end)) = inner else {
            done.push(text);
            continue;
        };
        if open.len() + done.len() > 256 {
            open.push(format!("{}*{}", &text[..start], &text[end + 1..]));
            continue;
        }
        for choice in text[start + 1..end].split(',') {
            open.push(format!("{}{}{}", &text[..start], choice, &text[end + 1..]));
        }
    }
    done
}

fn segments(pattern: &str) -> Vec<Segment> {
    pattern.split('/').map(|part| if part == "**" { Segment::AnyDepth } else { Segment::Name(units(part)) }).collect()
}

fn units(part: &str) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        units.push(match c {
            '*' => Unit::Any,
            '?' => Unit::One,
            '[' => {
                let mut first = true;
                for inside in chars.by_ref() {
                    if inside == ']' && !first {
                        break;
                    }
                    first = first && matches!(inside, '!' | '^');
                }
                Unit::One
            }
            '\\' => chars.next().map_or(Unit::One, Unit::Exactly),
            other => Unit::Exactly(other),
        });
    }
    units
}

fn segments_meet(a: &[Segment], b: &[Segment]) -> bool {
    meet(
        a,
        b,
        |s| *s == Segment::AnyDepth,
        |x, y| match (x, y) {
            (Segment::Name(x), Segment::Name(y)) => units_meet(x, y),
            _ => true,
        },
    )
}

fn units_meet(a: &[Unit], b: &[Unit]) -> bool {
    meet(
        a,
        b,
        |u| *u == Unit::Any,
        |x, y| match (x, y) {
            (Unit::Exactly(x), Unit::Exactly(y)) => x == y,
            _ => true,
        },
    )
}

/// Whether two sequences with wildcards (`many`: any number of items) have a common instance. Time is the product of the lengths.
fn meet<T>(a: &[T], b: &[T], many: impl Fn(&T) -> bool, one: impl Fn(&T, &T) -> bool) -> bool {
    // reach[j]: can a[..i] and b[..j] have been used up together?
    let mut reach = vec![false; b.len() + 1];
    reach[0] = true;
    for j in 0..b.len() {
        reach[j + 1] = reach[j] && many(&b[j]);
    }
    for x in a {
        let before = reach.clone();
        reach[0] = before[0] && many(x);
        for j in 0..b.len() {
            let skip_wildcard = (many(x) && before[j + 1]) || (many(&b[j]) && reach[j]);
            let under_wildcard = (many(x) && reach[j]) || (many(&b[j]) && before[j + 1]);
            reach[j + 1] = skip_wildcard || under_wildcard || (before[j] && one(x, &b[j]));
        }
    }
    reach[b.len()]
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for Glob {
    type Error = BadGlob;
    fn try_from(text: String) -> Result<Self, BadGlob> {
        Self::new(&text)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> String {
        glob.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(text).unwrap()
    }

    #[test]
    fn a_pattern_without_wildcards_names_a_file_or_a_folder_and_all_below() {
        for (pattern, path, is_match) in [
            ("src/a.rs", "src/a.rs", true),
            ("src", "src/deep/a.rs", true),
            ("src/", "src/deep/a.rs", true),
            ("src", "srcs/a.rs", false),
            ("src/*.rs", "src/a.rs", true),
            ("src/*.rs", "src/deep/a.rs", false),
            ("src/**/a.rs", "src/a.rs", true),
            ("src/{a,b}.rs", "src/b.rs", true),
            ("app/[id]/page.tsx", "app/[id]/page.tsx", true),
        ] {
            assert_eq!(glob(pattern).matches(&RepoPath::new(path).unwrap()), is_match, "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_overlap_when_a_path_could_match_both() {
        for (a, b, overlap) in [
            ("src/**", "src/a.rs", true),
            ("src/**", "tests/**", false),
            ("**/*.rs", "src/lib.rs", true),
            ("**/*.rs", "src/*.py", false),
            ("src/*.rs", "src/deep/*.rs", false),
            ("src", "src/deep/a.rs", true),
            ("src/a*", "src/*b", true),
            ("src/{a,b}.rs", "src/{c,d}.rs", false),
            ("src/{a,b}.rs", "src/{b,c}.rs", true),
            ("a/**/z", "a/z", true),
            ("a/?", "a/bc", false),
            ("a/[bc]", "a/b", true),
            ("**", "anything/at/all", true),
        ] {
            assert_eq!(glob(a).overlaps(&glob(b)), overlap, "{a} {b}");
            assert_eq!(glob(b).overlaps(&glob(a)), overlap, "{b} {a}");
        }
    }

    #[test]
    fn patterns_that_leave_the_repository_or_do_not_parse_are_refused() {
        for text in ["", "../x", "/etc/**", ".git/**", "a/[", "a/{b"] {
            assert!(Glob::new(text).is_err(), "{text:?}");
        }
    }
}
