//! pytest.
//!
//! ```text
//! ___________________ TestMoney.test_adds ___________________
//! E       assert 1 == 2
//! tests/test_money.py:12: AssertionError
//! FAILED tests/test_money.py::TestMoney::test_adds - assert 1 == 2
//! ERROR tests/test_shop.py - ImportError: cannot import name 'Shop'
//! ```

use std::path::Path;

use super::{Place, Reader, found::Found, places::of_word};

/// How many sections are remembered until the end.
const MOST_SECTIONS: usize = 200;

/// Reads it.
#[derive(Default)]
pub(super) struct Pytest {
    /// Whether the sections that come are failures.
    in_failures: bool,
    sections: Vec<Section>,
}

/// What stands of one test between two rules.
struct Section {
    title: String,
    place: Option<Place>,
    message: String,
}

impl Reader for Pytest {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        let text = line.trim_end();
        if let Some(title) = ruled(text, '=') {
            self.in_failures = matches!(title, "FAILURES" | "ERRORS");
        } else if let Some(title) = ruled(text, '_').filter(|_| self.in_failures && self.sections.len() < MOST_SECTIONS) {
            self.sections.push(Section { title: title.to_owned(), place: None, message: String::new() });
        } else if !Self::summed_up(text, found) && self.in_failures {
            self.within(text, found);
        }
    }

    fn end(&mut self, found: &mut Found<'_>) {
        for Section { title, place, message } in self.sections.drain(..) {
            let (is_error, name) = match title.split_once(" of ").filter(|(before, _)| before.starts_with("ERROR at ")) {
                Some((_, name)) => (true, name),
                None => (title.starts_with("ERROR "), title.trim_start_matches("ERROR collecting ")),
            };
            let tail = name.replace('.', "::");
            let is_meant = |known: &str| known.ends_with(&format!("::{tail}")) || known == name;
            let known = found.tests_where(is_meant);
            for at in &known {
                found.tell(*at, place.clone(), &message);
            }
            // Without the summary (`--no-summary`) the section is all there is.
            if known.is_empty()
                && !is_error
                && let Some(at) = found.fails(name)
            {
                found.tell(at, place, &message);
            }
        }
    }
}

/// Python imports nothing by another ending.
fn is_python(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "py")
}

impl Pytest {
    /// A line that names a test and how it ended.
    fn summed_up(text: &str, found: &mut Found<'_>) -> bool {
        let text = without_worker(text);
        let (name, message) = if let Some(rest) = text.strip_prefix("FAILED ").or_else(|| text.strip_prefix("ERROR ")) {
            rest.split_once(" - ").unwrap_or((rest, ""))
        } else if let Some((name, _)) = text.split_once(" FAILED").or_else(|| text.split_once(" ERROR")) {
            (name, "")
        } else {
            return false;
        };
        let (file, function) = name.split_once("::").unwrap_or((name, ""));
        if !is_python(file) || file.contains(' ') {
            return false;
        }
        if function.is_empty() {
            let place = found.inside(file).map(|path| Place { path, line: 0 });
            found.build("import", place, message);
        } else if let Some(at) = found.fails(name) {
            found.tell(at, None, message);
            found.tell_file(at, file);
        }
        true
    }

    /// What a section says of its test.
    fn within(&mut self, text: &str, found: &mut Found<'_>) {
        let Some(section) = self.sections.last_mut() else { return };
        if let Some(said) = text.strip_prefix("E  ").filter(|_| section.message.is_empty()) {
            said.trim().clone_into(&mut section.message);
        } else if let Some(at) = of_word(text).filter(|at| is_python(at.path) && at.rest.starts_with(':')) {
            section.place = found.place(at.path, at.line).or(section.place.take());
        }
    }
}

/// `==== FAILURES ====`: what stands between two rules of that sign.
fn ruled(text: &str, sign: char) -> Option<&str> {
    let inner = text.trim_matches(sign);
    let is_rule = text.starts_with([sign]) && text.ends_with([sign]) && text.len() >= inner.len() + 2;
    Some(inner.trim())
        .filter(|title| is_rule && title.contains(char::is_alphanumeric) && inner.starts_with(' ') && inner.ends_with(' '))
}

/// Without `[gw0] [ 50%] ` of pytest-xdist.
fn without_worker(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("[gw").and_then(|rest| rest.split_once("] ")).map(|(_, rest)| rest) else { return text };
    rest.strip_prefix('[').and_then(|rest| rest.split_once("%] ")).map_or(rest, |(_, rest)| rest)
}
