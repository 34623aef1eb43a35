//! What a red command has written: all of its output, and the reports of its test runners.
//!
//! **Invariant:** nothing is followed out of the worktree, and nothing waits: what lies there was written by code that nobody has looked at.
//! **Invariant:** the walk and what is read are bounded: a report that is not found costs the names, not the verdict.
//!
//! What the texts mean is in `plans::failures`.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use globset::{Glob as Pattern, GlobSet, GlobSetBuilder};
use plans::failures::{self, Failures};
use shared::Glob;
use worker::{
    beneath::{Kind, Root},
    process::Captured,
};

/// What is looked at of a tree.
const MOST_ENTRIES: usize = 20_000;
const DEEPEST: usize = 9;
/// What is read.
const MOST_REPORTS: usize = 64;
const LARGEST_REPORT: u64 = 4 << 20;
const LARGEST_OUTPUT: u64 = 16 << 20;
/// How much coarser a file system's clock may be.
const SLACK: Duration = Duration::from_millis(50);

/// Where runners leave their reports unless they are told otherwise.
const USUAL: &[&str] = &["**/*junit*.xml", "**/TEST-*.xml", "**/test-results/**/*.xml", "**/surefire-reports/*.xml"];
/// Folders with many files and no reports. Within `target` only some have any.
const BARREN: &[&str] = &[".git", "node_modules", ".venv", "venv", "__pycache__", "vendor"];
const OF_TARGET: &[&str] = &["nextest", "surefire-reports", "failsafe-reports", "test-results"];

/// All that is known by name of a red.
pub(super) fn failures(output: &Captured, tree: &Path, globs: &[Glob], began: SystemTime) -> Failures {
    let shown = tree.to_string_lossy();
    let real = tree.canonicalize().unwrap_or_else(|_| tree.to_owned());
    let real = real.to_string_lossy();
    let roots = [shown.as_ref(), real.as_ref()];
    let mut failures = failures::read(&whole(output), &roots);
    for report in reports(tree, globs, began) {
        failures.join(failures::read_junit(&report, &roots));
    }
    failures
}

/// All of an output, as far as it was kept.
fn whole(output: &Captured) -> String {
    let spilled = output.spilled.as_deref().and_then(|path| {
        let file = Root::open(path.parent()?).ok()?.file(Path::new(path.file_name()?)).ok()?;
        text_of(file, LARGEST_OUTPUT)
    });
    match spilled {
        // Its end was not kept in the file, but in what is shown.
        Some(text) if output.total_bytes > LARGEST_OUTPUT => format!("{text}\n{}", output.text),
        Some(text) => text,
        None => output.text.clone(),
    }
}

/// Reports that are newer than the beginning of a command.
fn reports(tree: &Path, globs: &[Glob], began: SystemTime) -> Vec<String> {
    let (Ok(root), Some(patterns)) = (Root::open(tree), patterns(globs)) else { return Vec::new() };
    let mut found = Vec::new();
    let mut folders = VecDeque::from([(PathBuf::new(), 0_usize)]);
    let mut left = MOST_ENTRIES;
    while let Some((path, depth)) = folders.pop_front() {
        let Ok(folder) = root.folder(&path) else { continue };
        for (name, kind) in folder.entries().unwrap_or_default() {
            left = left.saturating_sub(1);
            if left == 0 || found.len() == MOST_REPORTS {
                return found;
            }
            let below = path.join(&name);
            match kind {
                Kind::Folder if depth < DEEPEST && is_worth_a_look(&path, &name) => folders.push_back((below, depth + 1)),
                Kind::File if patterns.is_match(&below) => {
                    let report = folder.file(&name).ok().filter(|file| is_new(file, began));
                    found.extend(report.and_then(|file| text_of(file, LARGEST_REPORT)));
                }
                _ => {}
            }
        }
    }
    found
}

fn is_worth_a_look(within: &Path, name: &OsStr) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|known| name == *known);
    let is_of_target = within.file_name().is_some_and(|name| name == "target");
    if is_of_target { is_one_of(OF_TARGET) } else { !is_one_of(BARREN) }
}

fn is_new(file: &File, began: SystemTime) -> bool {
    let written = file.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|data| data.modified().ok());
    written.is_some_and(|written| written + SLACK >= began)
}

fn text_of(file: File, most: u64) -> Option<String> {
    let mut bytes = Vec::new();
    let is_file = file.metadata().is_ok_and(|data| data.is_file());
    (is_file && file.take(most).read_to_end(&mut bytes).is_ok()).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn patterns(globs: &[Glob]) -> Option<GlobSet> {
    let mut patterns = GlobSetBuilder::new();
    for glob in USUAL.iter().copied().chain(globs.iter().map(Glob::as_str)) {
        if let Ok(pattern) = Pattern::new(glob) {
            patterns.add(pattern);
        }
    }
    patterns.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::sh;

    const REPORT: &str = "<testsuite><testcase name='a::b'><failure message='boom'/></testcase></testsuite>";

    fn names(tree: &Path, globs: &[&str], began: SystemTime) -> Vec<String> {
        let globs: Vec<Glob> = globs.iter().map(|glob| Glob::new(glob).unwrap()).collect();
        let failures = failures(&Captured::default(), tree, &globs, began);
        failures.failing.into_iter().map(|failing| failing.name).collect()
    }

    #[test]
    fn reports_that_the_command_wrote_are_read_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, began) = (folder.path().join("tree"), SystemTime::now());
        let place = |path: &str, report: &str| {
            let path = tree.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, report).unwrap();
        };
        place("target/nextest/ci/junit.xml", REPORT);
        place("out/own.xml", &REPORT.replace("a::b", "own"));
        place("target/debug/junit.xml", &REPORT.replace("a::b", "barren"));
        place("old/junit.xml", &REPORT.replace("a::b", "old"));
        sh(&tree, "touch -d '1 hour ago' old/junit.xml");
        assert_eq!(names(&tree, &[], began), ["a::b"]);
        assert_eq!(names(&tree, &["out/*.xml"], began), ["own", "a::b"]);
    }

    #[test]
    fn what_a_command_put_in_the_place_of_a_report_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, began) = (folder.path().join("tree"), SystemTime::now());
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(folder.path().join("secret.xml"), REPORT).unwrap();
        sh(&tree, "ln -s ../secret.xml junit.xml; mkfifo TEST-a.xml; mkdir -p TEST-b.xml; ln -s .. up; ln -s . self");
        assert_eq!(names(&tree, &[], began), [""; 0]);
    }

    #[test]
    fn an_output_that_was_cut_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("command-1.txt");
        std::fs::write(&path, format!("{}FAILED a.py::t - boom\n{}", "x\n".repeat(9000), "y\n".repeat(9000))).unwrap();
        let output = Captured { text: "x\n[…]\ny".to_owned(), total_bytes: 36_000, spilled: Some(path) };
        assert_eq!(failures(&output, folder.path(), &[], SystemTime::now()).failing[0].name, "a.py::t");
    }
}
