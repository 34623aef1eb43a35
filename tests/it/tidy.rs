//! The rules of the workspace, over all of it: shape, names, purity, arrows between packages.
//!
//! Each test lists every violation it finds. What can be read off tokens is; nobody's strings or comments are taken for code.

mod code;
mod manifests;
mod shape;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member of the workspace").to_owned()
}

/// All files below the packages with one of these endings, with their paths from the root.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for package in ["orchestrator", "worker", "shared", "plans", "tests"] {
        collect(&root().join(package), endings, &mut found);
    }
    assert!(found.len() > 3, "the workspace is looked at");
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("it can be read").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    for path in paths {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !is_made(&path) {
                collect(&path, endings, found);
            }
        } else if endings.contains(&ending) {
            let name = path.strip_prefix(root()).expect("it is below the root").display().to_string();
            found.push((name, fs::read_to_string(&path).expect("it is text")));
        }
    }
}

/// What a build or a fuzzer leaves is nobody's work.
fn is_made(folder: &Path) -> bool {
    ["target", "corpus", "artifacts", "coverage"].iter().any(|name| folder.ends_with(name))
        && folder.parent().is_some_and(is_package)
}

fn is_package(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file()
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}
