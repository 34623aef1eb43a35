//! Rust's own test harness, as `cargo test` runs it.
//!
//! ```text
//! test money::adds ... FAILED
//! ---- money::adds stdout ----
//! thread 'money::adds' (4711) panicked at src/money.rs:12:9:
//! assertion `left == right` failed
//! failures:
//!     money::adds
//! ```
//!
//! With `--quiet` the first line is missing; with threads that print at once it may be torn. The last list is always there.

use super::{
    Place, Reader,
    found::Found,
    places::{number, of_word},
};

/// How many panics are remembered until the end.
const MOST_PANICS: usize = 200;

/// Reads it.
#[derive(Default)]
pub(super) struct Libtest {
    in_list: bool,
    /// The test whose output stands here.
    current: Option<usize>,
    /// Whether the next line is what a panic says.
    speaks: bool,
    panics: Vec<Panic>,
}

struct Panic {
    thread: String,
    /// The test in whose output it stood.
    within: Option<usize>,
    place: Option<Place>,
    message: String,
}

impl Reader for Libtest {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        let text = line.trim();
        if std::mem::take(&mut self.speaks)
            && let Some(panic) = self.panics.last_mut()
        {
            text.clone_into(&mut panic.message);
        }
        if let Some(name) = failed_in_words(text) {
            found.fails(name);
        } else if let Some(name) = text.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.current = found.fails(name);
        } else if let Some(panic) = text.strip_prefix("thread '") {
            self.panicked(panic, found);
        }
        self.list(line, text, found);
    }

    fn end(&mut self, found: &mut Found<'_>) {
        for Panic { thread, within, place, message } in self.panics.drain(..) {
            // nextest puts the name of the binary in front.
            let of_thread = found.tests_where(|name| {
                name.strip_suffix(thread.as_str()).is_some_and(|before| before.is_empty() || before.ends_with(' '))
            });
            if let Some(at) = of_thread.into_iter().next().or(within) {
                found.tell(at, place.clone(), &message);
            }
        }
    }
}

impl Libtest {
    /// The names below `failures:`, four columns in.
    fn list(&mut self, line: &str, text: &str, found: &mut Found<'_>) {
        if text == "failures:" {
            (self.in_list, self.current) = (true, None);
        } else if self.in_list && !text.is_empty() {
            let name = line.strip_prefix("    ").filter(|name| is_name(name));
            match name {
                Some(name) => drop(found.fails(name)),
                None => self.in_list = false,
            }
        }
    }

    fn panicked(&mut self, rest: &str, found: &mut Found<'_>) {
        let Some((thread, rest)) = rest.split_once('\'') else { return };
        let Some((_, rest)) = rest.split_once("panicked at ") else { return };
        if self.panics.len() >= MOST_PANICS {
            return;
        }
        // Before Rust 1.73 the message stood between the two.
        let (message, place) = match rest.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', ")) {
            Some((message, place)) => (message, place),
            None => ("", rest),
        };
        let place = of_word(place).and_then(|at| found.place(at.path, at.line));
        self.speaks = message.is_empty();
        self.panics.push(Panic { thread: thread.to_owned(), within: self.current, place, message: message.to_owned() });
    }
}

/// `test money::adds - should panic ... FAILED`.
fn failed_in_words(text: &str) -> Option<&str> {
    let (name, end) = text.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    (end.starts_with("FAILED") && is_name(name)).then_some(name)
}

/// `money::adds`, or `src/lib.rs - money::Money (line 12)` of an example in a comment.
fn is_name(name: &str) -> bool {
    let is_example = || name.split_once(" (line ").is_some_and(|(_, rest)| number(rest).is_some());
    !name.is_empty() && !name.starts_with(' ') && (!name.contains(' ') || is_example())
}
