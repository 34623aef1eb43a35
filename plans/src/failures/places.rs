//! Lines of files, in whatever words: `src/a.rs:1:2`, `File "a.py", line 3`, `a.ts(1,2)`.

use super::{Reader, found::Found};

/// Endings of files that a stack trace leads to. Without them `localhost:8080` would be a place.
const ENDINGS: &[&str] = &[
    "rs", "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "vue", "svelte", "go", "java", "kt", "kts", "scala",
    "groovy", "c", "h", "cc", "cpp", "cxx", "hpp", "m", "mm", "swift", "rb", "php", "cs", "fs", "ex", "exs", "erl", "hs", "ml",
    "clj", "lua", "sh", "bash", "pl", "sql", "zig", "dart", "r", "jl", "toml", "json", "yaml", "yml", "css", "scss", "html",
    "proto",
];

/// How many words of a line are looked at.
const MOST_WORDS: usize = 64;

/// Finds places.
#[derive(Default)]
pub(super) struct Places;

impl Reader for Places {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        if let Some((path, line)) = of_python(line) {
            found.place(path, line);
        }
        let is_between = |sign: char| sign.is_whitespace() || "[]{}'\"`,;".contains(sign);
        for word in line.split(is_between).filter(|word| word.len() > 3).take(MOST_WORDS) {
            if let Some(at) = of_word(word) {
                found.place(at.path, at.line);
            }
        }
    }
}

/// A line of a file, as somebody wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written<'t> {
    pub(super) path: &'t str,
    pub(super) line: u32,
    /// What comes behind it in the same word.
    pub(super) rest: &'t str,
}

/// `File "tests/test_a.py", line 12, in test_a`.
pub(super) fn of_python(line: &str) -> Option<(&str, u32)> {
    let (path, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    Some((path, number(rest)?.0)).filter(|(path, _)| is_source(path))
}

/// `src/a.rs:1:2`, `(src/a.js:1:2)`, `a.ts(1,2):`, at the beginning of a word.
pub(super) fn of_word(word: &str) -> Option<Written<'_>> {
    let word = word.trim_start_matches(['(', '❯']);
    // A path ends before the first `:` or `(` with a number behind it.
    let mut from = 0;
    while let Some(at) = word[from..].find([':', '(']).map(|at| from + at) {
        let (path, behind) = (&word[..at], &word[at + 1..]);
        if let Some((line, rest)) = number(behind)
            && is_source(path)
        {
            let rest = rest.strip_prefix([':', ',']).and_then(number).map_or(rest, |(_, rest)| rest);
            return Some(Written { path, line, rest: rest.strip_prefix(')').unwrap_or(rest) });
        }
        from = at + 1;
    }
    None
}

/// The number that a text begins with, and what follows.
pub(super) fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Whether it looks like a file of code.
pub(super) fn is_source(path: &str) -> bool {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let ending = path.rsplit_once('.').map(|(before, ending)| (before.rsplit('/').next().unwrap_or_default(), ending));
    ending.is_some_and(|(name, ending)| !name.is_empty() && ENDINGS.contains(&ending)) && !path.contains("//") && path.len() < 300
}
