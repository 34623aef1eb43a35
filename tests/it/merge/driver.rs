//! `inspan merge`, by itself and called by git.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use tests::{Outcome, Scenario, inspan};

/// A folder outside any repository with three versions of a file.
struct Versions {
    folder: TempDir,
    scenario: Scenario,
}

impl Versions {
    fn new(base: &[u8], ours: &[u8], theirs: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (name, text) in [("base", base), ("ours", ours), ("theirs", theirs)] {
            fs::write(folder.path().join(name), text).expect("it is ours");
        }
        let scenario = Scenario::empty().from(folder.path());
        Self { folder, scenario }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn merge(&self, more: &[&str]) -> Outcome {
        let args = ["merge", "--base", "base", "--ours", "ours", "--theirs", "theirs"];
        self.scenario.inspan(&[&args[..], more].concat())
    }

    /// What git's own command says of the same files.
    fn git(&self, more: &[&str]) -> (i32, Vec<u8>) {
        let mut git = std::process::Command::new("git");
        git.args(["merge-file", "-p", "-q", "-L", "ours", "-L", "base", "-L", "theirs"]).args(more);
        let out = git.args(["ours", "base", "theirs"]).current_dir(self.folder.path()).output().expect("git starts");
        (out.status.code().expect("it ended"), out.stdout)
    }
}

#[test]
fn what_git_merges_cleanly_is_what_git_made_of_it_byte_for_byte() {
    let lines = |edit: &dyn Fn(usize) -> &'static str| {
        (0..30).flat_map(|n| format!("{}{n}\r\n", edit(n)).into_bytes()).chain([0xff, 0xfe]).collect::<Vec<u8>>()
    };
    let base = lines(&|_| "");
    let ours = lines(&|n| if n == 3 { "ours " } else { "" });
    let theirs = lines(&|n| if n == 20 { "theirs " } else { "" });
    let versions = Versions::new(&base, &ours, &theirs);
    versions.merge(&["--path", "a.rs", "-o", "out"]).code(0);
    let (code, text) = versions.git(&[]);
    assert_eq!((code, fs::read(versions.path("out")).expect("it was written")), (0, text));
    versions.merge(&["-o", "ours"]).code(0);
    assert_eq!(fs::read(versions.path("ours")).ok(), fs::read(versions.path("out")).ok(), "OUT may be one of the three");
}

#[test]
fn what_git_leaves_is_merged_by_syntax_and_what_is_left_is_gits_conflict() {
    let versions = Versions::new(b"fn f() { g(a) }\n", b"fn f() { g(a, b) }\n", b"fn f() { h(a) }\n");
    versions.merge(&["--path", "a.rs", "-o", "-"]).code(0).prints("fn f() { h(a, b) }\n");
    let versions = Versions::new(b"a = 1\n", b"a = 2\n", b"a = 3\n");
    let outcome = versions.merge(&["--path", "a.py", "--marker-size", "9", "-o", "-"]).code(1);
    let (_, text) = versions.git(&["--marker-size=9"]);
    assert_eq!(outcome.stdout.as_bytes(), text);
    let many = |word: &str| {
        (0..200).map(|n| format!("{word}{n}\nsame {n}\nsame {n}\nsame {n}\nsame {n}\n")).collect::<Vec<_>>().concat()
    };
    let versions = Versions::new(many("").as_bytes(), many("x").as_bytes(), many("y").as_bytes());
    versions.merge(&["--path", "a.txt", "-o", "out"]).code(127);
}

#[test]
fn a_missing_base_is_an_empty_one() {
    let versions = Versions::new(b"", b"a\n", b"b\n");
    fs::remove_file(versions.path("base")).expect("it is ours");
    versions.merge(&["--path", "x.dat", "-o", "-"]).code(1).prints("<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n");
    fs::write(versions.path("theirs"), "a\n").expect("it is ours");
    versions.merge(&["-o", "-"]).code(0).prints("a\n");
}

#[test]
fn what_is_not_text_is_a_conflict_and_what_cannot_be_read_or_is_typed_wrong_is_an_error() {
    let versions = Versions::new(b"a\0b", b"a\0c", b"a\0d");
    versions.merge(&["-o", "out"]).code(1);
    assert_eq!(fs::read(versions.path("out")).expect("it was written"), b"a\0c");
    versions.merge(&["-o", "no/such/folder"]).code(128).says("cannot be written");
    fs::remove_file(versions.path("theirs")).expect("it is ours");
    versions.merge(&["-o", "out"]).code(128).says("theirs cannot be read");
    versions.merge(&["--no-such-flag", "-o", "out"]).code(128);
}

#[test]
fn git_calls_it_as_a_merge_driver() {
    let s = Scenario::new("## a.rs\nfn f() { g(a) }\n## b.rs\nfn b() -> u8 { 1 }\n## .gitattributes\n*.rs merge=inspan\n");
    let driver = format!(
        "'{}' merge --base %O --ours %A --theirs %B --path %P --marker-size %L --ours-label %X --theirs-label %Y -o %A",
        inspan().display()
    );
    let repository = s.repository();
    repository.git(&["config", "merge.inspan.driver", &driver]);
    repository.git(&["switch", "-q", "-c", "other"]);
    repository.write_all("## a.rs\nfn f() { h(a) }\n## b.rs\nfn b() -> u8 { 2 }\n").commit("Theirs");
    repository.git(&["switch", "-q", "main"]);
    repository.write_all("## a.rs\nfn f() { g(a, b) }\n## b.rs\nfn b() -> u8 { 3 }\n").commit("Ours");
    assert!(!repository.git_can(&["merge", "other"]), "b.rs is in conflict");
    assert_eq!(repository.git(&["diff", "--name-only", "--diff-filter=U"]), "b.rs");
    let text = |name: &str| fs::read_to_string(repository.path().join(name)).expect("it is there");
    assert_eq!(text("a.rs"), "fn f() { h(a, b) }\n");
    assert_eq!(text("b.rs"), "<<<<<<< HEAD\nfn b() -> u8 { 3 }\n=======\nfn b() -> u8 { 2 }\n>>>>>>> other\n");
}

#[test]
fn a_pipe_is_refused_for_git_would_find_it_empty_and_an_output_is_written_as_a_whole() {
    let versions = Versions::new(b"a\nb\n", b"a\nB\n", b"A\nb\n");
    let made = std::process::Command::new("mkfifo").arg(versions.path("pipe")).status().expect("mkfifo starts");
    assert!(made.success());
    let piped = ["merge", "--base", "base", "--ours", "ours", "--theirs", "pipe", "-o", "-"];
    versions.scenario.inspan(&piped).code(128).says("it is a pipe");
    versions.merge(&["-o", "ours"]);
    let left: Vec<_> =
        std::fs::read_dir(versions.path("ours").parent().expect("a folder")).expect("it is there").flatten().collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().contains("inspan-")), "nothing is left beside it");
}
