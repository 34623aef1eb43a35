//! `read_file`: numbered lines, a page at a time.
//!
//! **Invariant:** what was shown is recorded with the content of the whole file, so that an edit knows whether it is still that.

use std::fmt::Write;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    Shape, ToolSpec, object, secrecy,
    sets::Files,
    tree::{LARGEST, Opened},
};
use crate::process::plain;

/// Lines, where no end was asked for.
const LINES: usize = 400;
const LIMIT: usize = 32 * 1024;
const LINE: usize = 1000;
const SNIFFED: usize = 8 * 1024;

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    start_line: Option<usize>,
    end_line: Option<usize>,
}

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "read_file",
        description: "Read a text file as numbered lines, 400 at a time unless a range is given. Also reads saved output by its \
                      absolute path.",
        parameters: object(&[("path", Shape::Text), ("start_line", Shape::MaybeNumber), ("end_line", Shape::MaybeNumber)]),
    }
}

pub(super) fn run(files: &Files, arguments: &Arguments, _: &CancellationToken) -> Result<String, String> {
    let opened = files.tree.open(&arguments.path)?;
    check_kind(&opened)?;
    let (shown, path) = (opened.shown.clone(), opened.path.clone());
    let content = opened.content()?;
    if content[..content.len().min(SNIFFED)].contains(&0) {
        return Err(format!("`{shown}` is a binary file of {} bytes; there are no lines to read", content.len()));
    }
    let text = String::from_utf8_lossy(&content);
    let text = if path.is_none() { plain(&text) } else { text.into_owned() };
    let page = page(&shown, &secrecy::shown(&files.secrecy, path.as_ref(), &text), arguments, LIMIT.min(files.longest))?;
    if let Some(path) = &path {
        files.versions.saw(path, &content);
    }
    Ok(page)
}

fn check_kind(Opened { data, shown, .. }: &Opened) -> Result<(), String> {
    if data.is_dir() {
        return Err(format!("`{shown}` is a folder; list_files lists it"));
    }
    if !data.is_file() {
        return Err(format!("`{shown}` is no regular file; it cannot be read"));
    }
    if data.len() > LARGEST {
        let size = data.len();
        return Err(format!("`{shown}` has {size} bytes, too many to read; use search, or run_command with `sed -n 1,100p`"));
    }
    Ok(())
}

fn page(shown: &str, text: &str, arguments: &Arguments, limit: usize) -> Result<String, String> {
    let total = text.lines().count();
    let start = arguments.start_line.unwrap_or(1).max(1);
    let wanted = arguments.end_line.unwrap_or_else(|| start.saturating_add(LINES - 1));
    if total == 0 {
        return Ok(format!("(`{shown}` is empty)"));
    }
    if start > total {
        return Err(format!("`{shown}` has only {total} lines; `start_line` is {start}"));
    }
    if wanted < start {
        return Err(format!("`end_line` ({wanted}) is before `start_line` ({start})"));
    }
    let mut page = String::new();
    let mut end = start - 1;
    for (line, number) in text.lines().skip(start - 1).zip(start..=wanted) {
        let line = cut_line(line, LINE);
        if page.len() + line.len() > limit && end >= start {
            break;
        }
        let _ = writeln!(page, "{number}\t{line}");
        end = number;
    }
    if end < total && (end < wanted || arguments.end_line.is_none()) {
        let _ = writeln!(page, "[lines {start} to {end} of {total}; go on with start_line {}]", end + 1);
    }
    Ok(page)
}

/// A line, cut where it is too long to be of use.
pub(super) fn cut_line(line: &str, limit: usize) -> String {
    match line.char_indices().nth(limit) {
        None => line.to_owned(),
        Some((at, _)) => format!("{} [… {} more bytes]", &line[..at], line.len() - at),
    }
}
