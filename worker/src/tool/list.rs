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
    walk::{self, Choice, Walk},
};
use crate::{beneath::Kind, process::cut_middle};

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
    let asked = files.tree.open(&arguments.path)?;
    if !asked.data.is_dir() {
        return Err(format!("`{}` is a file; read_file reads it, search searches it", asked.shown));
    }
    let choice = Choice::new(arguments.glob.as_deref())?;
    let walk = Walk::new(files.tree.root(), &asked.place).deepest(arguments.depth);
    let entries = collect(walk.take_while(|_| !cancel.is_cancelled()), &choice, &asked.place);
    if entries.is_empty() {
        return Ok(format!("(nothing in `{}`{})", asked.shown, if choice.is_all() { "" } else { " matches the glob" }));
    }
    let text = if choice.is_all() { by_depth(&entries) } else { first(&entries) };
    Ok(cut_middle(text, LIMIT.min(files.longest), files.tree.spill_dir()))
}

fn collect(found: impl Iterator<Item = walk::Entry>, choice: &Choice, asked: &Path) -> Vec<Entry> {
    let wanted = found.filter(|entry| choice.is_all() || (entry.kind != Kind::Folder && choice.has(&entry.path, asked)));
    let shown = wanted.map(|entry| {
        let path = entry.path.display();
        let shown = if entry.kind == Kind::Folder { format!("{path}/") } else { path.to_string() };
        Entry { depth: entry.depth, shown }
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
