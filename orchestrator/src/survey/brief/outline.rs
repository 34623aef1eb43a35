//! The folders and files of the repository as an indented list that fits a number of bytes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use plans::Survey;

use super::{
    super::tree::{file_name, folder, upward},
    import_counts,
};

/// An open folder with more files than this shows only the most imported of them.
const MAX_FILES_SHOWN: usize = 40;
const TITLE: &str = "\n## Files\n\n";

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeSet<&'a str>,
    files: Vec<&'a str>,
    /// Files below, however deep.
    count: usize,
    /// Imports of files below.
    imported: usize,
}

/// Nothing where the budget does not even hold the root.
pub(super) fn outline(survey: &Survey, budget: usize) -> String {
    let counts = import_counts(survey);
    let folders = folders(survey, &counts);
    let mut left = budget.saturating_sub(TITLE.len());
    let mut open = BTreeSet::new();
    // The nearest to the root first, then the most imported, then the order of the alphabet.
    let mut closed = BinaryHeap::from([(Reverse(0), 0, Reverse(""))]);
    while let Some((Reverse(depth), _, Reverse(path))) = closed.pop() {
        let Some(folder) = folders.get(path) else { continue };
        let cost: usize = lines(path, folder, &folders, &counts).iter().map(|line| line.len() + 1).sum();
        if cost > left {
            continue;
        }
        left -= cost;
        open.insert(path);
        closed.extend(folder.folders.iter().map(|&below| (Reverse(depth + 1), folders[below].imported, Reverse(below))));
    }
    if open.is_empty() { String::new() } else { format!("{TITLE}{}\n", draw("", &open, &folders, &counts).join("\n")) }
}

fn folders<'a>(survey: &'a Survey, counts: &BTreeMap<&str, usize>) -> BTreeMap<&'a str, Folder<'a>> {
    let mut folders: BTreeMap<&str, Folder> = BTreeMap::new();
    for path in survey.files.iter().map(|file| file.path.as_str()) {
        folders.entry(folder(path)).or_default().files.push(path);
        for above in upward(folder(path)) {
            let entry = folders.entry(above).or_default();
            entry.count += 1;
            entry.imported += counts.get(path).copied().unwrap_or(0);
            if !above.is_empty() {
                folders.entry(folder(above)).or_default().folders.insert(above);
            }
        }
    }
    folders
}

/// What opening a folder adds: a line for each folder and file in it.
fn lines(path: &str, folder: &Folder, folders: &BTreeMap<&str, Folder>, counts: &BTreeMap<&str, usize>) -> Vec<String> {
    let indent = indent_below(path);
    let below = folder.folders.iter().map(|below| closed_line(below, &folders[below]));
    below.chain(file_lines(folder, counts).into_iter().map(|line| format!("{indent}{line}"))).collect()
}

/// The lines of an open folder, and of the open folders in it.
fn draw(path: &str, open: &BTreeSet<&str>, folders: &BTreeMap<&str, Folder>, counts: &BTreeMap<&str, usize>) -> Vec<String> {
    let folder = &folders[path];
    let indent = indent_below(path);
    let mut lines = Vec::new();
    for below in &folder.folders {
        if open.contains(below) {
            lines.push(format!("{indent}{}/", file_name(below)));
            lines.extend(draw(below, open, folders, counts));
        } else {
            lines.push(closed_line(below, &folders[below]));
        }
    }
    lines.extend(file_lines(folder, counts).into_iter().map(|line| format!("{indent}{line}")));
    lines
}

fn closed_line(path: &str, folder: &Folder) -> String {
    let files = if folder.count == 1 { "file" } else { "files" };
    format!("{}{}/ ({} {files})", indent_below(super::super::tree::folder(path)), file_name(path), folder.count)
}

/// In the order of the alphabet; of many, the most imported.
fn file_lines(folder: &Folder, counts: &BTreeMap<&str, usize>) -> Vec<String> {
    let mut shown = folder.files.clone();
    shown.sort_by_key(|path| Reverse(counts.get(path).copied().unwrap_or(0)));
    let left_out = shown.split_off(shown.len().min(MAX_FILES_SHOWN)).len();
    shown.sort_unstable();
    let mut lines: Vec<String> = shown.into_iter().map(|path| file_name(path).to_owned()).collect();
    lines.extend((left_out > 0).then(|| format!("… {left_out} more files")));
    lines
}

fn indent_below(path: &str) -> String {
    let depth = if path.is_empty() { 0 } else { path.matches('/').count() + 1 };
    "  ".repeat(depth)
}
