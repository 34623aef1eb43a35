//! Which tests fail, by name, read from what a command has said.
//!
//! A planner that is shown a log reads the log; one that is shown `money::adds fails in src/money.rs:12` thinks about money. Each test runner
//! has a file here that knows its words; all of them look at every line, for a command may run several runners, and what a runner says may
//! be mixed with what another says at the same time.
//!
//! **Invariant:** every text is read, in time and space that grow with its length at most linearly and end at a bound: colours, progress bars,
//! bytes that are no text, a line without end, half a report.
//! **Invariant:** a place is inside the repository; what lies in a toolchain or among dependencies is nobody's.
//! **Invariant:** what no reader knows is left out rather than guessed: then the end of the output speaks for itself.
//!
//! Not here: whether a failure counts, and whose it is (`evidence`, and the coordinator).

mod checkers;
mod excerpt;
mod found;
mod go;
mod jest;
mod junit;
mod libtest;
mod lines;
mod nextest;
mod places;
mod pytest;
mod rustc;
#[cfg(test)]
mod tests;
mod unittest;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use shared::RepoPath;

pub use excerpt::excerpt;
pub(crate) use lines::{cleaned, cut};

use found::Found;

/// What failed: a test, or what had to be built before any test could run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A test ran and failed.
    #[default]
    Test,
    /// The code could not be compiled, imported or checked.
    Build,
}

impl Kind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_test(&self) -> bool {
        *self == Kind::Test
    }
}

/// Something that fails, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FailingTest {
    /// As its runner names it.
    pub name: String,
    /// Whether it is a test.
    #[serde(default, skip_serializing_if = "Kind::is_test")]
    pub kind: Kind,
    /// The file where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RepoPath>,
    /// The line there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What it said, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl FailingTest {
    /// `money::adds (src/money.rs:12): left is 1, right is 2`.
    pub fn in_words(&self) -> String {
        let place = match (&self.path, self.line) {
            (Some(path), Some(line)) => format!(" ({path}:{line})"),
            (Some(path), None) => format!(" ({path})"),
            (None, _) => String::new(),
        };
        let message = self.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        format!("{}{place}{message}", self.name)
    }
}

/// A line of a file of the repository that an error or a stack trace names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file; below which folder is not always said.
    pub path: RepoPath,
    /// The line.
    pub line: u32,
}

/// What was read from an output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    /// What fails, in the order in which it was said first.
    pub failing: Vec<FailingTest>,
    /// Lines of the repository that were named, likewise.
    pub places: Vec<Place>,
}

/// How much of an output is read.
const MOST_BYTES: usize = 32 << 20;

/// Reads an output. `roots` are the folders that the repository may have stood in when it was written, as absolute paths.
pub fn read(output: &str, roots: &[&str]) -> Failures {
    let mut found = Found::new(roots);
    let mut readers: [Box<dyn Reader>; 9] = [
        Box::<rustc::Rustc>::default(),
        Box::<libtest::Libtest>::default(),
        Box::<nextest::Nextest>::default(),
        Box::<pytest::Pytest>::default(),
        Box::<unittest::Unittest>::default(),
        Box::<jest::Jest>::default(),
        Box::<go::Go>::default(),
        Box::<checkers::Checkers>::default(),
        Box::<places::Places>::default(),
    ];
    for line in lines::of(lines::ends(output, MOST_BYTES)) {
        let line = within(line, roots);
        for reader in &mut readers {
            reader.line(&line, &mut found);
        }
    }
    for reader in &mut readers {
        reader.end(&mut found);
    }
    found.finish()
}

/// A line whose paths are those of the repository: a folder it stands in may have blanks in its name, where a word would end.
fn within<'t>(line: Cow<'t, str>, roots: &[&str]) -> Cow<'t, str> {
    let named = |root: &&&str| root.len() > 1 && line.contains(**root);
    match roots.iter().find(named) {
        Some(root) => Cow::Owned(line.replace(&format!("{}/", root.trim_end_matches('/')), "")),
        None => line,
    }
}

/// Reads a report in the form of `JUnit`; what is none is empty.
pub fn read_junit(report: &str, roots: &[&str]) -> Failures {
    let mut found = Found::new(roots);
    junit::read(report, &mut found);
    found.finish()
}

impl Failures {
    /// Adds what another output or report says. What both name is told once, by the first.
    pub fn join(&mut self, other: Failures) {
        for failing in other.failing {
            let is_known = |known: &FailingTest| known.kind == failing.kind && found::is_same(&known.name, &failing.name);
            match self.failing.iter().position(is_known) {
                Some(at) => found::complete(&mut self.failing[at], failing),
                None if self.failing.len() < found::MOST_FAILING => self.failing.push(failing),
                None => {}
            }
        }
        for place in other.places {
            if self.places.len() < found::MOST_PLACES && !self.places.contains(&place) {
                self.places.push(place);
            }
        }
    }
}

/// Somebody who knows one runner's words.
trait Reader {
    /// Looks at the next line.
    fn line(&mut self, line: &str, found: &mut Found<'_>);

    /// There are no more lines.
    fn end(&mut self, _: &mut Found<'_>) {}
}
