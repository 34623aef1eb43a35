//! Merges as files: each case below `cases/` is one small text with three versions of a file and what must come out of them.
//!
//! ```text
//! What it shows, as a sentence.
//! path: package.json
//! === base ===
//! …
//! === ours ===
//! …
//! === theirs ===
//! …
//! === merged ===            or   === conflict: why it must stay one ===
//! …                              (the text with markers, or nothing, where any will do)
//! ```
//!
//! The folder says which language or format a case is about, and means nothing to the runner: a case is added as a mere file. Below
//! `path:` there may be `crlf` (all lines end so), and a section that ends in a line `\` has no newline at its end. A section `base`
//! may be left out where both sides added the file.
//!
//! **Invariant:** each case is also merged with its sides exchanged, and comes out as clean, or as conflicted, as before; where it says
//! `symmetric` below its path, as the same text.
//!
//! `UPDATE_EXPECT=1` writes what came out into the cases; `CASES=json/` runs those whose file has this in its name.

#![expect(clippy::unwrap_used, reason = "a case that cannot be read is a test that fails")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use merge::{Labels, Merge, Versions};

const LABELS: Labels<'_> = Labels { ours: "ours", base: "base", theirs: "theirs" };

/// One case, as its file says it.
struct Case {
    file: PathBuf,
    path: String,
    crlf: bool,
    symmetric: bool,
    sections: BTreeMap<String, String>,
    expected: Expected,
}

/// What has to come out.
#[derive(PartialEq)]
enum Expected {
    Merged(String),
    Conflict { why: String, text: Option<String> },
}

#[test]
fn every_case_comes_out_as_its_file_says() {
    let wanted = std::env::var("CASES").unwrap_or_default();
    let files: Vec<PathBuf> = files().into_iter().filter(|file| file.to_string_lossy().contains(&wanted)).collect();
    assert!(!files.is_empty(), "no case has {wanted:?} in its name");
    let mut wrong = String::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        match Case::read(file, &text).and_then(|case| case.check(&text)) {
            Ok(()) => {}
            Err(what) => write!(wrong, "\n--- {}\n{what}\n", shown(file)).unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_case_that_is_not_as_it_should_be_is_told() {
    let told = |text: &str| Case::read(Path::new("a"), text).map(|_| ()).unwrap_err();
    assert!(told("It says nothing.\n=== base ===\n").contains("path:"));
    assert!(told("It.\npath: a.rs\n=== ours ===\n=== theirs ===\n").contains("no section `merged` or `conflict: why`"));
    assert!(told("It.\npath: a.rs\n=== mine ===\n").contains("`mine`"));
    assert!(told("It.\npath: a.rs\nsometimes\n=== base ===\n").contains("`sometimes`"));
    assert!(told("It.\npath: a.rs\n=== ours ===\n=== conflict: ===\n").contains("why"));
}

impl Case {
    fn read(file: &Path, text: &str) -> Result<Self, String> {
        let (mut head, mut sections, mut at) = (Vec::new(), Vec::<(String, String)>::new(), None);
        for line in text.split_inclusive('\n') {
            if let Some(name) = header(line) {
                sections.push((name.to_owned(), String::new()));
                at = Some(sections.len() - 1);
            } else if let Some(at) = at {
                sections[at].1.push_str(line);
            } else {
                head.push(line.trim_end());
            }
        }
        let mut case = Self {
            file: file.to_owned(),
            path: String::new(),
            crlf: false,
            symmetric: false,
            sections: BTreeMap::new(),
            expected: Expected::Merged(String::new()),
        };
        case.set_head(&head)?;
        case.set_sections(sections)?;
        Ok(case)
    }

    fn set_head(&mut self, head: &[&str]) -> Result<(), String> {
        let path = head.iter().position(|line| line.starts_with("path: ")).ok_or("there is no line `path: …`")?;
        if path == 0 {
            return Err("it does not say in a sentence what it shows".to_owned());
        }
        head[path]["path: ".len()..].clone_into(&mut self.path);
        for word in head[path + 1..].iter().filter(|line| !line.is_empty()) {
            match *word {
                "crlf" => self.crlf = true,
                "symmetric" => self.symmetric = true,
                other => return Err(format!("`{other}` means nothing below a path")),
            }
        }
        Ok(())
    }

    fn set_sections(&mut self, sections: Vec<(String, String)>) -> Result<(), String> {
        let mut expected = None;
        for (name, text) in sections {
            let ending = if self.crlf { "\r\n" } else { "\n" };
            let whole = text.strip_suffix("\n\\\n").or(text.strip_prefix("\\\n")).unwrap_or(&text).replace('\n', ending);
            match (name.as_str(), name.strip_prefix("conflict:")) {
                ("base" | "ours" | "theirs", _) => drop(self.sections.insert(name, whole)),
                ("merged", _) => expected = Some(Expected::Merged(whole)),
                (_, Some(why)) if !why.trim().is_empty() => {
                    let text = (!whole.trim().is_empty()).then_some(whole);
                    expected = Some(Expected::Conflict { why: why.trim().to_owned(), text });
                }
                (_, Some(_)) => return Err("it does not say why it must stay a conflict".to_owned()),
                _ => return Err(format!("there is no section `{name}`")),
            }
        }
        self.expected = expected.ok_or("there is no section `merged` or `conflict: why`")?;
        Ok(())
    }

    fn section(&self, name: &str) -> &[u8] {
        self.sections.get(name).map_or(b"", |text| text.as_bytes())
    }

    fn check(&self, source: &str) -> Result<(), String> {
        let versions =
            Versions { path: &self.path, base: self.section("base"), ours: self.section("ours"), theirs: self.section("theirs") };
        let (out, swapped) = (Outcome::of(&versions), Outcome::of(&versions.swapped()));
        if out.is_clean != swapped.is_clean || (self.symmetric && out.is_clean && out.text != swapped.text) {
            return Err(format!("with its sides exchanged it is another:\n{}\n{out}\n{swapped}", self.wanted()));
        }
        if self.is_met_by(&out) {
            return Ok(());
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&self.file, self.updated(source, &out)).unwrap();
            return Ok(());
        }
        Err(format!("{}\n{out}", self.wanted()))
    }

    fn is_met_by(&self, out: &Outcome) -> bool {
        match &self.expected {
            Expected::Merged(text) => out.is_clean && *text == out.text,
            Expected::Conflict { text, .. } => !out.is_clean && text.as_ref().is_none_or(|text| *text == out.text),
        }
    }

    fn wanted(&self) -> String {
        match &self.expected {
            Expected::Merged(text) => format!("wanted:\n{text}"),
            Expected::Conflict { why, text } => format!("wanted a conflict ({why}):\n{}", text.as_deref().unwrap_or("any\n")),
        }
    }

    /// The same file with what came out at its end.
    fn updated(&self, source: &str, out: &Outcome) -> String {
        let mut text: String =
            source.split_inclusive('\n').take_while(|line| !header(line).is_some_and(is_expectation)).collect();
        let expectation = match (&self.expected, out.is_clean) {
            (_, true) => "=== merged ===\n".to_owned(),
            (Expected::Conflict { why, .. }, _) => format!("=== conflict: {why} ===\n"),
            _ => format!("=== conflict: {} ===\n", out.refused.as_deref().unwrap_or("say why")),
        };
        text.push_str(&expectation);
        let plain = out.text.replace("\r\n", "\n");
        text.push_str(&plain);
        if !plain.ends_with('\n') {
            text.push_str(if plain.is_empty() { "\\\n" } else { "\n\\\n" });
        }
        text
    }
}

/// What came out.
struct Outcome {
    is_clean: bool,
    text: String,
    refused: Option<String>,
}

impl Outcome {
    fn of(versions: &Versions<'_>) -> Self {
        match merge::merge(versions, &LABELS) {
            Merge::Clean(merged) => {
                Self { is_clean: true, text: String::from_utf8_lossy(&merged.text).into_owned(), refused: None }
            }
            Merge::Conflicted(left) => {
                Self { is_clean: false, text: String::from_utf8_lossy(&left.text).into_owned(), refused: left.refused }
            }
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let refused = self.refused.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        write!(f, "came out {}{refused}:\n{}", if self.is_clean { "clean" } else { "conflicted" }, self.text)
    }
}

fn header(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix("=== ")?.strip_suffix("===").map(str::trim)
}

fn is_expectation(name: &str) -> bool {
    name == "merged" || name.starts_with("conflict:")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// All cases, in the order of their names.
fn files() -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let is_folder = entry.file_type().unwrap().is_dir();
            if is_folder { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    files
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}
