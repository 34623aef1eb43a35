//! A little text makes the files (`## path`, then what the file says), the survey is a snapshot.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes snapshots with them")]

mod brief;
mod cache;
mod edges;
mod verification;

use std::{fs, path::Path};

use plans::Survey;
use tempfile::TempDir;

use super::{Findings, SurveyRequest, survey};

/// Writes the files. A line `## path` begins each; the text before the first says nothing.
pub(super) fn files(text: &str) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for section in format!("\n{text}").split("\n## ").skip(1) {
        let (path, content) = section.split_once('\n').unwrap_or((section, ""));
        write(root.path(), path.trim(), content);
    }
    root
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn survey_of(text: &str) -> Survey {
    findings_of(text).survey
}

pub(super) fn findings_of(text: &str) -> Findings {
    let root = files(text);
    findings_at(root.path())
}

pub(super) fn findings_at(root: &Path) -> Findings {
    survey(&SurveyRequest { root: root.to_owned(), ..SurveyRequest::default() }).expect("a survey")
}

#[test]
fn what_git_ignores_is_left_out_unless_it_is_tracked_and_repositories_within_are_not_entered() {
    let root = files(
        "## .gitignore\n/build\n## build/a.rs\n## build/kept.rs\n## .ci/run\n## vendor/dep/.git\n## vendor/dep/b.rs\n## src/a.rs\n",
    );
    let blobs = [("build/kept.rs", "1"), ("gone.rs", "2")];
    let blobs = blobs.map(|(path, id)| (shared::RepoPath::new(path).expect("a path"), super::BlobId(id.to_owned())));
    let request = SurveyRequest { root: root.path().to_owned(), blobs: blobs.into(), ..SurveyRequest::default() };
    let survey = survey(&request).expect("a survey").survey;
    let paths: Vec<&str> = survey.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, [".ci/run", ".gitignore", "build/kept.rs", "src/a.rs"]);
}

#[test]
fn files_are_described_by_size_language_and_whether_they_hold_tests() {
    let survey = survey_of(
        "## a.rs\n#[tokio::test]\nasync fn works() {}\n## b.rs\n#[cfg(test)]\nmod tests;\n## c_test.go\n## README.md\nhi\n",
    );
    let lines = survey.files.iter().map(|f| format!("{} {} {:?} {}", f.path, f.size, f.language, f.is_test)).collect::<Vec<_>>();
    expect_test::expect![[r#"
        README.md 3 Some("markdown") false
        a.rs 34 Some("rust") true
        b.rs 23 Some("rust") false
        c_test.go 0 Some("go") true"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn submodules_and_manifests_are_named() {
    let survey =
        survey_of("## .gitmodules\n[submodule \"x\"]\n\tpath = third/x\n\turl = ../x\n## Cargo.toml\n## web/package.json\n");
    let names = |paths: &[shared::RepoPath]| paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(
        (names(&survey.submodules).as_str(), names(&survey.manifests).as_str()),
        ("third/x", "Cargo.toml web/package.json")
    );
}

#[test]
fn a_root_that_is_not_there_is_the_only_error() {
    let request = SurveyRequest { root: "/nowhere/at/all".into(), ..SurveyRequest::default() };
    assert!(survey(&request).is_err_and(|error| error.to_string() == "cannot list /nowhere/at/all"));
}

#[cfg(unix)]
#[test]
fn links_are_listed_but_not_followed_and_names_that_are_not_utf_8_are_skipped() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let root = files("## a.rs\n");
    symlink("/etc/passwd", root.path().join("CLAUDE.md")).expect("a link");
    symlink("/", root.path().join("everything")).expect("a link");
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff.rs")), "").expect("a file");
    let survey = findings_at(root.path()).survey;
    let paths: Vec<&str> = survey.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["CLAUDE.md", "a.rs", "everything"]);
    assert!(survey.guidance.is_empty());
}

#[test]
fn text_that_does_not_parse_and_bytes_that_are_no_text_do_not_harm() {
    let deep = format!("use {}a{};", "b::{".repeat(5_000), "}".repeat(5_000));
    let root = files(&format!(
        "## Cargo.toml\n[package\n## deep.rs\n{deep}\n## a.py\nfrom . import (((\n## b.ts\nimport {{ from './\n## go.mod\nmodule\n## package.json\n{{\n"
    ));
    fs::write(root.path().join("c.go"), b"\xff\xfe\x00").expect("a file");
    let survey = findings_at(root.path()).survey;
    assert_eq!((survey.files.len(), survey.imports.len()), (7, 0));
}
