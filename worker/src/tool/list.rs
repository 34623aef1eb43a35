//! `list_files`: what lies in a folder, ignored files left out.
//!
//! A tree that is too long is cut by depth first: a model that sees all folders of the upper levels can choose; one that sees the
//! first four hundred files of `a/` cannot.

use std::{fmt::Write, path::Path};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    Shape, ToolSpec, object,
    sets::Files,
    walk::{Choice, walk},
};
use crate::process::cut_middle;

const SHOWN: usize = 400;
const COUNTED: usize = 100_000;
const LIMIT: usize = 24 * 1024;

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    glob: Option<String>,
    depth: Option<usize>,
}

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "list_files",
        description: "List files and folders below `path`, without those that git ignores. `glob` selects files, e.g. `*.rs`.",
        parameters: object(&[("path", Shape::Text), ("glob", Shape::MaybeText), ("depth", Shape::MaybeNumber)]),
    }
}

struct Entry {
    depth: usize,
    shown: String,
}

pub(super) fn run(files: &Files, arguments: &Arguments, cancel: &CancellationToken) -> Result<String, String> {
    let place = files.tree.readable(&arguments.path)?;
    if !place.absolute.exists() {
        return Err(files.tree.missing(&place));
    }
    if !place.absolute.is_dir() {
        return Err(format!("`{}` is a file; read_file reads it, search searches it", place.shown));
    }
    let choice = Choice::new(arguments.glob.as_deref())?;
    let entries = collect(files, &place.absolute, &choice, arguments.depth, cancel);
    if entries.is_empty() {
        return Ok(format!("(nothing in `{}`{})", place.shown, if choice.is_all() { "" } else { " matches the glob" }));
    }
    let text = if choice.is_all() { by_depth(&entries) } else { first(&entries) };
    Ok(cut_middle(text, LIMIT, files.tree.spill_dir()))
}

fn collect(files: &Files, folder: &Path, choice: &Choice, depth: Option<usize>, cancel: &CancellationToken) -> Vec<Entry> {
    let depth = depth.map(|depth| depth.max(1));
    let found = walk(folder).max_depth(depth).build().flatten().take_while(|_| !cancel.is_cancelled());
    let wanted = found.filter(|entry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        entry.depth() > 0 && (choice.is_all() || (!is_folder && choice.has(entry.path(), files.tree.root(), folder)))
    });
    let shown = wanted.map(|entry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = files.tree.show(entry.path());
        Entry { depth: entry.depth(), shown: if is_folder { format!("{path}/") } else { path } }
    });
    shown.take(COUNTED).collect()
}

/// All entries down to the deepest level that still fits as a whole.
fn by_depth(entries: &[Entry]) -> String {
    let deepest = entries.iter().map(|entry| entry.depth).max().unwrap_or_default();
    let upto = |depth| entries.iter().filter(|entry| entry.depth <= depth).count();
    match (1..=deepest).rev().find(|&depth| upto(depth) <= SHOWN) {
        None => first(entries),
        Some(depth) => {
            let mut text = lines(entries.iter().filter(|entry| entry.depth <= depth));
            let left_off = entries.len() - upto(depth);
            if left_off > 0 {
                let _ = write!(
                    text,
                    "[{} deeper entries left off: only {depth} level{} shown; list a folder of these, or give a glob]",
                    at_least(left_off, entries),
                    if depth == 1 { " is" } else { "s are" }
                );
            }
            text
        }
    }
}

fn first(entries: &[Entry]) -> String {
    let mut text = lines(entries.iter().take(SHOWN));
    if entries.len() > SHOWN {
        let left_off = at_least(entries.len() - SHOWN, entries);
        let _ = write!(text, "[{left_off} more entries left off; list a deeper folder, or give a narrower glob]");
    }
    text
}

fn at_least(count: usize, entries: &[Entry]) -> String {
    if entries.len() == COUNTED { format!("at least {count}") } else { count.to_string() }
}

fn lines<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    entries.fold(String::new(), |text, entry| text + &entry.shown + "\n")
}
