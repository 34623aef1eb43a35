//! `search`: a regular expression over the contents of files, with ripgrep's engine.
//!
//! **Invariant:** an answer holds at most [`SHOWN`] matches and about [`LIMIT`] bytes, and says how many it left off.

use std::{
    borrow::Cow,
    fmt::Write,
    fs::File,
    io::{self, Read as _, Seek as _},
};

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch};
use serde::Deserialize;
use shared::{RepoPath, Secrecy};
use tokio_util::sync::CancellationToken;

use super::{
    Shape, ToolSpec, object,
    read::cut_line,
    secrecy::shown,
    sets::Files,
    walk::{Choice, Walk},
};
use crate::{beneath::Kind, process::plain};

const SHOWN: usize = 100;
const LIMIT: usize = 24 * 1024;
const LINE: usize = 400;
const CONTEXT: usize = 20;
/// Past as many matches they are not even counted.
const COUNTED: usize = 100_000;
/// A longer line makes its file unreadable to a search.
const HEAP: usize = 16 * 1024 * 1024;
/// A larger file would keep everybody waiting.
const LARGEST: u64 = 256 * 1024 * 1024;

#[derive(Deserialize)]
pub(super) struct Arguments {
    pattern: String,
    path: Option<String>,
    glob: Option<String>,
    context: Option<usize>,
}

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "search",
        description: "Search file contents by regular expression (Rust syntax; `(?i)` ignores case). `path`: file or folder; `context`: \
                      lines around each match.",
        parameters: object(&[
            ("pattern", Shape::Text),
            ("path", Shape::MaybeText),
            ("glob", Shape::MaybeText),
            ("context", Shape::MaybeNumber),
        ]),
    }
}

pub(super) fn run(files: &Files, arguments: &Arguments, cancel: &CancellationToken) -> Result<String, String> {
    let matcher = matcher(&arguments.pattern)?;
    let asked = files.tree.open(arguments.path.as_deref().unwrap_or("."))?;
    let choice = Choice::new(arguments.glob.as_deref())?;
    let mut search = Search {
        matcher,
        searcher: searcher(arguments.context.unwrap_or_default().min(CONTEXT)),
        found: Found { longest: LIMIT.min(files.longest), ..Found::default() },
        secrecy: &files.secrecy,
        cancel,
    };
    if !asked.data.is_dir() {
        search.file(&asked.file, &asked.shown);
        return Ok(search.found.in_words(true));
    }
    let root = files.tree.root();
    for entry in Walk::new(root, &asked.place) {
        // What is a link by now, or gone, is no file of the tree.
        if entry.kind == Kind::File
            && choice.has(&entry.path, &asked.place)
            && let Ok(file) = root.file(&entry.path)
        {
            search.file(&file, &entry.path.to_string_lossy());
        }
        if cancel.is_cancelled() || search.found.is_too_much() {
            break;
        }
    }
    Ok(search.found.in_words(false))
}

fn matcher(pattern: &str) -> Result<RegexMatcher, String> {
    if pattern.is_empty() {
        return Err("`pattern` is empty; list_files lists files without searching them".to_owned());
    }
    RegexMatcherBuilder::new().line_terminator(Some(b'\n')).build(pattern).map_err(|error| {
        format!(
            "`pattern` is not a regular expression: {error}. Matches lie within one line; escape a character that is meant literally \
             with a backslash: one of . + * ? ( ) [ ] {{ }} | ^ $ \\"
        )
    })
}

fn searcher(context: usize) -> Searcher {
    SearcherBuilder::new()
        .line_number(true)
        .before_context(context)
        .after_context(context)
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(HEAP))
        .build()
}

struct Search<'a> {
    matcher: RegexMatcher,
    searcher: Searcher,
    found: Found,
    secrecy: &'a Secrecy,
    cancel: &'a CancellationToken,
}

impl Search<'_> {
    /// A file in which something was found, and in which secrets stand, is searched once more as it may be shown: a line alone does not
    /// tell that it belongs to a private key.
    fn file(&mut self, file: &File, name: &str) {
        match file.metadata() {
            Ok(data) if !data.is_file() => return,
            Ok(data) if data.len() <= LARGEST => {}
            _ => return self.found.unreadable += 1,
        }
        let repo_path = RepoPath::new(name).ok();
        if repo_path.as_ref().is_some_and(|path| self.secrecy.denies(path)) {
            return;
        }
        let before = (self.found.text.len(), self.found.shown, self.found.left_off);
        let mut sink = FileSink { found: &mut self.found, cancel: self.cancel, name: Some(name), is_binary: false };
        let mut result = self.searcher.search_file(&self.matcher, file, &mut sink);
        let is_binary = sink.is_binary;
        let is_shown = !is_binary && self.found.text.len() > before.0;
        let text = if is_shown { small_text(file) } else { String::new() };
        let masked = shown(self.secrecy, repo_path.as_ref(), &text);
        if is_binary || matches!(masked, Cow::Owned(_)) {
            self.found.text.truncate(before.0);
            (self.found.shown, self.found.left_off) = (before.1, before.2);
        }
        if let Cow::Owned(masked) = masked {
            let mut sink = FileSink { found: &mut self.found, cancel: self.cancel, name: Some(name), is_binary: false };
            result = self.searcher.search_slice(&self.matcher, masked.as_bytes(), &mut sink);
        }
        self.found.binary += usize::from(is_binary);
        self.found.unreadable += usize::from(result.is_err());
    }
}

/// The text of a file that was just searched; nothing of one that is too large for a search of a single line as well.
fn small_text(mut file: &File) -> String {
    let mut bytes = Vec::new();
    let is_small = file.metadata().is_ok_and(|data| data.len() <= HEAP as u64);
    // What cannot be read a second time has been found once, and is masked where it enters the conversation.
    let read = is_small && file.rewind().and_then(|()| file.take(HEAP as u64).read_to_end(&mut bytes)).is_ok();
    if read { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() }
}

#[derive(Default)]
struct Found {
    /// How many bytes it may have, about.
    longest: usize,
    text: String,
    shown: usize,
    left_off: usize,
    binary: usize,
    unreadable: usize,
}

impl Found {
    fn is_full(&self) -> bool {
        self.shown >= SHOWN || self.text.len() >= self.longest
    }

    fn is_too_much(&self) -> bool {
        self.left_off >= COUNTED
    }

    fn in_words(mut self, is_one_file: bool) -> String {
        if self.shown == 0 {
            self.text.push_str("no matches\n");
        }
        if self.left_off > 0 {
            let at_least = if self.is_too_much() { "at least " } else { "" };
            let narrow = "narrow the pattern, the path or the glob";
            let _ = writeln!(self.text, "[{at_least}{} more matches left off; {narrow}]", self.left_off);
        }
        if self.binary > 0 && is_one_file {
            self.text.push_str("[the file is binary and was not searched]\n");
        }
        if self.unreadable > 0 {
            let _ = writeln!(self.text, "[files that could not be searched: {}]", self.unreadable);
        }
        self.text
    }
}

struct FileSink<'a> {
    found: &'a mut Found,
    cancel: &'a CancellationToken,
    /// The name of the file, until it has been written.
    name: Option<&'a str>,
    is_binary: bool,
}

impl FileSink<'_> {
    fn line(&mut self, number: Option<u64>, sign: char, bytes: &[u8]) {
        if let Some(name) = self.name.take() {
            let gap = if self.found.text.is_empty() { "" } else { "\n" };
            let _ = writeln!(self.found.text, "{gap}{name}");
        }
        let text = plain(&String::from_utf8_lossy(bytes));
        let _ = writeln!(self.found.text, "{}{sign}{}", number.unwrap_or_default(), cut_line(text.trim_end(), LINE));
    }
}

impl Sink for FileSink<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, matched: &SinkMatch<'_>) -> Result<bool, io::Error> {
        if self.found.is_full() {
            self.found.left_off += 1;
        } else {
            self.found.shown += 1;
            self.line(matched.line_number(), ':', matched.bytes());
        }
        Ok(!self.cancel.is_cancelled() && !self.found.is_too_much())
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        if !self.found.is_full() {
            self.line(context.line_number(), '-', context.bytes());
        }
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, io::Error> {
        if !self.found.is_full() {
            self.found.text.push_str("--\n");
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, io::Error> {
        self.is_binary = true;
        Ok(false)
    }
}
