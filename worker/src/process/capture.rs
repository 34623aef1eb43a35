//! What a command wrote, in a fixed amount of memory: its beginning and its end. The whole goes to a file once it is too long to show.
//!
//! **Invariant:** at most [`HEAD`] + 2 × [`TAIL`] bytes are held, and at most [`SPILL`] bytes are written to disk.
//!
//! Why both ends? The first error of a compiler stands at the beginning, the summary of a test run at the end.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::plain::plain;

const HEAD: usize = 12 * 1024;
const TAIL: usize = 12 * 1024;
const SPILL: u64 = 16 * 1024 * 1024;
/// How far a cut may move to fall between two lines.
const CUT_SLACK: usize = 1024;

/// The output of a command, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The text without colours and progress bars; where it is long, its beginning, a line about what is missing, and its end.
    pub text: String,
    /// How many bytes were written in all.
    pub total_bytes: u64,
    /// The file with the whole output as it was written (or its first 16 MiB), where `text` leaves some out.
    pub spilled: Option<PathBuf>,
}

impl Captured {
    /// The text, cut in its middle where it has more than so many bytes.
    pub(crate) fn at_most(&self, limit: usize, dir: &Path) -> Cow<'_, str> {
        match &self.spilled {
            _ if self.text.len() <= limit => Cow::Borrowed(&self.text),
            Some(path) => Cow::Owned(ends_of(self.text.as_bytes(), limit, Some(path))),
            None => Cow::Owned(cut_middle(self.text.clone(), limit, dir)),
        }
    }
}

/// An output that is still being written.
pub(super) struct Capture {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
    dir: PathBuf,
    spill: Option<(File, PathBuf)>,
}

impl Capture {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { head: Vec::new(), tail: Vec::new(), total: 0, dir, spill: None }
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let fits = self.fits();
        self.total += bytes.len() as u64;
        if fits && !self.fits() {
            self.begin_spill();
        }
        self.write_spill(bytes);
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        self.keep_tail(rest);
    }

    fn fits(&self) -> bool {
        self.total <= (HEAD + TAIL) as u64
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let news = &bytes[bytes.len().saturating_sub(TAIL)..];
        if self.tail.len() + news.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() + news.len() - TAIL);
        }
        self.tail.extend_from_slice(news);
    }

    /// Nothing has been dropped until now, so the file begins with all that is held.
    fn begin_spill(&mut self) {
        let begin = || -> io::Result<(File, PathBuf)> {
            let (mut file, path) = new_file(&self.dir, "command")?;
            file.write_all(&self.head)?;
            file.write_all(&self.tail)?;
            Ok((file, path))
        };
        // Without a file the output is still shown, only cut.
        self.spill = begin().ok();
    }

    fn write_spill(&mut self, bytes: &[u8]) {
        let before = self.total - bytes.len() as u64;
        let room = usize::try_from(SPILL.saturating_sub(before)).unwrap_or(usize::MAX);
        let piece = &bytes[..bytes.len().min(room)];
        if let Some((file, _)) = &mut self.spill
            && file.write_all(piece).is_err()
        {
            self.spill = None;
        }
    }

    pub(super) fn finish(self) -> Captured {
        let spilled = self.spill.map(|(_, path)| path);
        if self.total <= (HEAD + TAIL) as u64 {
            let all = [self.head, self.tail].concat();
            return Captured { text: plain(&String::from_utf8_lossy(&all)), total_bytes: self.total, spilled };
        }
        let (head, tail) = trim(&self.head, &self.tail[self.tail.len() - TAIL..]);
        let left_out = self.total - (head.len() + tail.len()) as u64;
        let text = format!(
            "{}\n{}\n{}",
            plain(&String::from_utf8_lossy(head)),
            left_out_line(left_out, spilled.as_deref(), self.total > SPILL),
            plain(&String::from_utf8_lossy(tail))
        );
        Captured { text, total_bytes: self.total, spilled }
    }
}

/// A new file in that folder, named `<stem>-<n>.txt` by the first free number: names do not differ from run to run.
pub(crate) fn new_file(dir: &Path, stem: &str) -> io::Result<(File, PathBuf)> {
    fs::create_dir_all(dir)?;
    let mut number = 1_u32;
    loop {
        let path = dir.join(format!("{stem}-{number}.txt"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            other => return other.map(|file| (file, path)),
        }
    }
}

/// Shows the two ends of a text that is longer than `limit`, and writes the whole into a file. A shorter one is returned as it is.
pub(crate) fn cut_middle(text: String, limit: usize, dir: &Path) -> String {
    if text.len() <= limit {
        return text;
    }
    let spilled = new_file(dir, "result").and_then(|(mut file, path)| file.write_all(text.as_bytes()).map(|()| path)).ok();
    ends_of(text.as_bytes(), limit, spilled.as_deref())
}

fn ends_of(bytes: &[u8], limit: usize, spilled: Option<&Path>) -> String {
    let (head, tail) = trim(&bytes[..limit / 2], &bytes[bytes.len() - limit / 2..]);
    let line = left_out_line((bytes.len() - head.len() - tail.len()) as u64, spilled, false);
    format!("{}\n{line}\n{}", String::from_utf8_lossy(head), String::from_utf8_lossy(tail))
}

/// Moves both cuts to the end of a line where one is near, and never into the middle of a character.
fn trim<'a>(head: &'a [u8], tail: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let near = head.len().saturating_sub(CUT_SLACK);
    let end = head[near..].iter().rposition(|&b| b == b'\n').map_or_else(|| last_boundary(head), |at| near + at);
    let within = &tail[..tail.len().min(CUT_SLACK)];
    let is_inside_character = |b: &u8| *b & 0b1100_0000 == 0b1000_0000;
    let start = within
        .iter()
        .position(|&b| b == b'\n')
        .map_or_else(|| within.iter().position(|b| !is_inside_character(b)).unwrap_or_default(), |at| at + 1);
    (&head[..end], &tail[start..])
}

/// Where the last whole character ends.
fn last_boundary(bytes: &[u8]) -> usize {
    let is_first_of_character = |b: &u8| *b & 0b1100_0000 != 0b1000_0000;
    let within = bytes.len().saturating_sub(4);
    let Some(last) = bytes[within..].iter().rposition(is_first_of_character).map(|at| within + at) else {
        return bytes.len();
    };
    let is_cut = std::str::from_utf8(&bytes[last..]).is_err_and(|error| error.error_len().is_none());
    if is_cut { last } else { bytes.len() }
}

fn left_out_line(bytes: u64, spilled: Option<&Path>, is_partial: bool) -> String {
    match spilled {
        Some(path) if is_partial => {
            format!("[… {bytes} bytes left out; read_file pages the first 16 MiB of the whole: {} …]", path.display())
        }
        Some(path) => format!("[… {bytes} bytes left out; read_file pages the whole: {} …]", path.display()),
        None => format!("[… {bytes} bytes left out …]"),
    }
}
