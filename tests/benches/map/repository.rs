//! A repository that looks like one: packages, each in one language, with files that define, import and use.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use fastrand::Rng;
use orchestrator::survey::BlobId;
use shared::RepoPath;
use tempfile::TempDir;

const FILES_OF_A_PACKAGE: usize = 40;
const PARTS_OF_A_FILE: usize = 8;
const LINES_OF_A_PART: usize = 14;

#[derive(Clone, Copy)]
enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Go,
    Java,
}

const LANGUAGES: [Language; 6] =
    [Language::Rust, Language::Python, Language::JavaScript, Language::TypeScript, Language::Go, Language::Java];

pub(crate) struct Repository {
    folder: TempDir,
    files: BTreeMap<RepoPath, usize>,
}

impl Repository {
    pub(crate) fn write(files: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut repository = Self { folder, files: BTreeMap::new() };
        let mut rng = Rng::with_seed(5);
        for at in 0..files {
            let (package, file) = (at / FILES_OF_A_PACKAGE, at % FILES_OF_A_PACKAGE);
            let language = LANGUAGES[package % LANGUAGES.len()];
            repository.put(&path(language, package, file), &text(language, file, &mut rng));
            if file == 0 {
                repository.put_manifest(language, package);
            }
        }
        repository
    }

    fn put_manifest(&mut self, language: Language, package: usize) {
        let modules = || (0..FILES_OF_A_PACKAGE).fold(String::new(), |all, file| all + &format!("pub mod part_{file};\n"));
        match language {
            Language::Rust => {
                self.put(&format!("package_{package}/Cargo.toml"), &format!("[package]\nname = \"package_{package}\"\n"));
                self.put(&format!("package_{package}/src/lib.rs"), &modules());
            }
            Language::Go => self.put(&format!("package_{package}/go.mod"), "module example.org/m\n"),
            _ => {}
        }
    }

    fn put(&mut self, path: &str, text: &str) {
        let place = self.root().join(path);
        fs::create_dir_all(place.parent().expect("below the root")).expect("a folder");
        fs::write(place, text).expect("a file");
        self.files.insert(RepoPath::new(path).expect("a path"), text.len());
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Hidden from the survey, as the state of a run is.
    pub(crate) fn cache(&self) -> PathBuf {
        let folder = self.root().join(".git");
        fs::create_dir_all(&folder).expect("a folder");
        folder.join("survey.jsonl")
    }

    pub(crate) fn bytes(&self) -> usize {
        self.files.values().sum()
    }

    /// A name for each content; here no two are alike.
    pub(crate) fn blobs(&self) -> BTreeMap<RepoPath, BlobId> {
        self.files.keys().map(|path| (path.clone(), BlobId(path.to_string()))).collect()
    }
}

fn path(language: Language, package: usize, file: usize) -> String {
    let (folder, ending) = match language {
        Language::Rust => ("src/", "rs"),
        Language::Python => ("", "py"),
        Language::JavaScript => ("src/", "js"),
        Language::TypeScript => ("src/", "ts"),
        Language::Go => ("", "go"),
        Language::Java => ("org/", "java"),
    };
    let name = if matches!(language, Language::Java) { "Part" } else { "part_" };
    format!("package_{package}/{folder}{name}{file}.{ending}")
}

/// A file uses up to six earlier ones of its package, the first of them far more often than the last.
fn text(language: Language, file: usize, rng: &mut Rng) -> String {
    let used: Vec<usize> = (0..6.min(file)).map(|_| rng.usize(0..file).min(rng.usize(0..file))).collect();
    let mut text = String::new();
    if matches!(language, Language::Go) {
        text.push_str("package m\n\n");
    }
    for other in &used {
        writeln!(text, "{}", import(language, *other)).expect("a string takes all");
    }
    for part in 0..PARTS_OF_A_FILE {
        let body: String = (0..LINES_OF_A_PART).map(|line| statement(language, &used, line, rng)).collect();
        text.push_str(&definition(language, file, part, &body));
    }
    text
}

fn import(language: Language, file: usize) -> String {
    match language {
        Language::Rust => format!("use crate::part_{file}::{{Part{file}x0, make_part_{file}_1}};"),
        Language::Python => format!("from part_{file} import Part{file}x0, make_part_{file}_1"),
        Language::JavaScript | Language::TypeScript => {
            format!("import {{ Part{file}x0, make_part_{file}_1 }} from './part_{file}';")
        }
        Language::Go => String::new(),
        Language::Java => format!("import org.Part{file};"),
    }
}

fn statement(language: Language, used: &[usize], line: usize, rng: &mut Rng) -> String {
    let call = match used.get(rng.usize(0..8)) {
        Some(other) => format!("make_part_{other}_{}(value_{line}, Part{other}x0)", 1 + 2 * rng.usize(0..3)),
        None => format!("compute(value_{line}, total + {line} * factor, \"a text of some length\")"),
    };
    match language {
        Language::Rust => format!("    let value_{} = {call}.checked(); // as before\n", line + 1),
        Language::Python => format!("    value_{} = {call}.checked()  # as before\n", line + 1),
        Language::JavaScript | Language::TypeScript => format!("  const value_{} = {call}.checked(); // as before\n", line + 1),
        Language::Go => format!("\tvalue_{} := {call}.Checked() // as before\n", line + 1),
        Language::Java => format!("    var value_{} = {call}.checked(); // as before\n", line + 1),
    }
}

/// Types and functions in turn.
fn definition(language: Language, file: usize, part: usize, body: &str) -> String {
    let (kind, function) = (format!("Part{file}x{part}"), format!("make_part_{file}_{part}"));
    let is_type = part.is_multiple_of(2);
    match (language, is_type) {
        (Language::Rust, true) => format!(
            "\npub struct {kind} {{ total: u64 }}\nimpl {kind} {{\n  pub fn checked(&self, total: u64) {{\n{body}  }}\n}}\n"
        ),
        (Language::Rust, false) => {
            format!("\n/// Makes one.\npub fn {function}(value_0: u64, total: &str) -> u64 {{\n{body}    total\n}}\n")
        }
        (Language::Python, true) => format!("\nclass {kind}:\n  def checked(self, total):\n{body}\n"),
        (Language::Python, false) => format!("\ndef {function}(value_0, total='none'):\n{body}    return total\n"),
        (Language::JavaScript, true) => format!("\nexport class {kind} {{\n  checked(total) {{\n{body}  }}\n}}\n"),
        (Language::JavaScript, false) => format!("\nexport function {function}(value_0, total) {{\n{body}}}\n"),
        (Language::TypeScript, true) => format!("\nexport class {kind} {{\n  checked(total: number): void {{\n{body}  }}\n}}\n"),
        (Language::TypeScript, false) => {
            format!("\nexport function {function}(value_0: number, total: string): number {{\n{body}}}\n")
        }
        (Language::Go, true) => {
            format!("\ntype {kind} struct {{ total int }}\nfunc (p *{kind}) Checked(total int) {{\n{body}}}\n")
        }
        (Language::Go, false) => format!("\nfunc {function}(value_0 int, total string) int {{\n{body}\treturn 0\n}}\n"),
        (Language::Java, true) => format!("\nclass {kind} {{\n  public void checked(int total) {{\n{body}  }}\n}}\n"),
        (Language::Java, false) => {
            format!("\nclass Of{function} {{\n  static int {function}(int value_0, String total) {{\n{body}  }}\n}}\n")
        }
    }
}
