//! jest, vitest and node's own test runner.
//!
//! ```text
//! FAIL src/cart.test.ts                                  jest: the file
//!   ● cart › adds                                        jest: the test, then what it says
//! FAIL  src/cart.test.ts > cart > adds                   vitest: both, then what it says
//!  × src/cart.test.ts > cart > adds 5ms
//! ✖ adds (1.2ms)                                         node: `✖ failing tests:` comes above the second list
//! not ok 1 - adds                                        TAP
//! ```

use super::{
    Place, Reader,
    found::Found,
    places::{Written, is_source, of_word},
};

/// Reads them.
#[derive(Default)]
pub(super) struct Jest {
    /// The file whose tests are told.
    file: Option<String>,
    /// The test that is told.
    current: Option<usize>,
    /// Whether what it says has not come yet.
    speaks: bool,
    /// Tests that only hold others.
    wholes: Vec<String>,
    /// Its name.
    name: String,
}

impl Reader for Jest {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        let text = line.trim();
        if let Some(rest) = text.strip_prefix("FAIL ") {
            self.failed(rest.trim(), found);
        } else if let Some(name) = text.strip_prefix("● ") {
            self.of_jest(name, found);
        } else if let Some(name) = text.strip_prefix("× ").or_else(|| text.strip_prefix("✕ ")).filter(|name| names_file(name))
        {
            self.begin(without_time(name), found);
        } else if let Some(name) = text.strip_prefix("✖ ").filter(|name| !name.starts_with("failing tests")) {
            // Without a time it is a remark.
            if without_time(name).len() < name.len() {
                self.begin(without_time(name), found);
            }
        } else if let Some(name) = text.strip_prefix("not ok ").and_then(|rest| rest.split_once(" - ")) {
            self.begin(name.1.split(" # ").next().unwrap_or_default(), found);
        } else {
            self.within(text, found);
        }
    }

    fn end(&mut self, found: &mut Found<'_>) {
        let wholes = std::mem::take(&mut self.wholes);
        found.forget(|failing| wholes.contains(&failing.name));
    }
}

impl Jest {
    /// `src/cart.test.ts`, `src/cart.test.ts (5.1 s)`, `src/cart.test.ts > cart > adds`, `src/cart.test.ts [ src/cart.test.ts ]`.
    fn failed(&mut self, rest: &str, found: &mut Found<'_>) {
        let rest = rest.strip_prefix('|').and_then(|rest| rest.split_once("| ")).map_or(rest, |(_, rest)| rest);
        let file = rest.split([' ']).next().unwrap_or_default();
        if !is_source(file) {
            return;
        }
        self.file = Some(file.to_owned());
        self.current = None;
        if rest.contains(" > ") {
            self.begin(rest, found);
        } else if rest.contains(" [ ") {
            self.suite(found);
        }
    }

    /// `cart › adds`.
    fn of_jest(&mut self, name: &str, found: &mut Found<'_>) {
        if name == "Test suite failed to run" {
            self.suite(found);
        } else if !name.starts_with("Console") && self.file.is_some() {
            self.begin(name, found);
        }
    }

    /// The whole file cannot be run.
    fn suite(&mut self, found: &mut Found<'_>) {
        let Some(file) = self.file.clone() else { return };
        self.current = found.fails(&format!("{file} (the whole file)"));
        self.speaks = true;
        if let Some(at) = self.current {
            found.tell_file(at, &file);
        }
    }

    fn begin(&mut self, name: &str, found: &mut Found<'_>) {
        let name = name.trim();
        name.clone_into(&mut self.name);
        self.current = if name.is_empty() || is_source(name) { None } else { found.fails(name) };
        self.speaks = true;
        let of_name = name.split_once(" > ").map(|(file, _)| file.to_owned()).filter(|file| is_source(file));
        if let (Some(at), Some(file)) = (self.current, of_name.or_else(|| self.file.clone())) {
            found.tell_file(at, &file);
        }
    }

    /// What a test says, and the first line of its own that the stack names.
    fn within(&mut self, text: &str, found: &mut Found<'_>) {
        let Some(at) = self.current else { return };
        if let Some(Written { path, line, .. }) = place(text) {
            let place: Option<Place> = found.place(path, line);
            if place.is_some() {
                found.tell(at, place, "");
            }
        } else if let Some(kind) = text.strip_prefix("failureType: ") {
            if kind.contains("subtestsFailed") && self.wholes.len() < 100 {
                self.wholes.push(self.name.clone());
            }
        } else if text.starts_with("duration_ms: ") || text.starts_with("type: ") {
            // What TAP says of every test.
        } else if self.speaks
            && !text.is_empty()
            && !text.starts_with(['-', '─', '⎯', '{', '→', '▶', 'ℹ', '✔'])
            && !text.ends_with(':')
        {
            let of_tap = text.strip_prefix("error: ").map(|said| said.trim_matches('\''));
            found.tell(at, None, of_tap.unwrap_or(text));
            self.speaks = false;
        } else if let Some(said) = text.strip_prefix("→ ").filter(|_| self.speaks) {
            found.tell(at, None, said);
            self.speaks = false;
        }
    }
}

/// `at Object.<anonymous> (src/cart.test.js:12:5)`, `❯ src/cart.test.ts:12:5`, `location: '/w/cart.test.js:12:5'`.
fn place(text: &str) -> Option<Written<'_>> {
    let rest = text.strip_prefix("at ").or_else(|| text.strip_prefix("❯ ")).or_else(|| text.strip_prefix("location: "))?;
    rest.split([' ', '\'', '(']).filter(|word| word.len() > 3).take(16).find_map(of_word)
}

/// `src/cart.test.ts > cart > adds`; without the file it is told once more with it.
fn names_file(name: &str) -> bool {
    name.split_once(" > ").is_some_and(|(file, _)| is_source(file))
}

/// Without ` (5 ms)`, ` (1.2ms)` or ` 5ms`.
fn without_time(name: &str) -> &str {
    let Some((before, last)) = name.trim_end().trim_end_matches(" ms)").rsplit_once(' ') else { return name };
    let last = last.trim_start_matches('(').trim_end_matches(')').trim_end_matches("ms").trim_end_matches('s');
    let is_time = !last.is_empty() && last.chars().all(|sign| sign.is_ascii_digit() || sign == '.');
    if is_time { before } else { name }
}
