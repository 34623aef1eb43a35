//! `cargo nextest run`: `        FAIL [   0.004s] (3/9) app::it money::adds`. The panics below it are read as those of libtest.

use super::{Reader, found::Found};

/// What stands before the time where a test did not pass.
const ENDS: &[&str] = &[
    "FAIL",
    "TIMEOUT",
    "ABORT",
    "LEAK-FAIL",
    "XFAIL",
    "FLKY-FL",
    "SIGABRT",
    "SIGSEGV",
    "SIGKILL",
    "SIGILL",
    "SIGBUS",
    "SIGTRAP",
];

/// Reads it.
#[derive(Default)]
pub(super) struct Nextest;

impl Reader for Nextest {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        if let Some(name) = failed(line.trim()) {
            found.fails(name);
        }
    }
}

fn failed(text: &str) -> Option<&str> {
    let (end, rest) = text.split_once('[')?;
    let end = end.trim();
    // `TRY 2 FAIL [...]` is told again at the end, if no try passed.
    if !ENDS.contains(&end) {
        return None;
    }
    let (time, rest) = rest.split_once(']')?;
    let rest = rest.trim_start();
    let counted = |rest: &'_ str| rest.starts_with('(').then(|| rest.find(')')).flatten();
    let name = counted(rest).map_or(rest, |at| rest[at + 1..].trim_start());
    (time.trim_start_matches(['>', ' ']).ends_with('s') && !name.is_empty()).then_some(name)
}
