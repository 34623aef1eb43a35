//! Python's unittest: `FAIL: test_adds (tests.test_money.MoneyTest.test_adds)`, then a traceback and what was raised.

use super::{Reader, found::Found, places::of_python};

/// Reads it.
#[derive(Default)]
pub(super) struct Unittest {
    current: Option<usize>,
}

impl Reader for Unittest {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        if let Some(name) = failed(line) {
            self.current = found.fails(&name);
        } else if let Some(at) = self.current {
            if let Some((path, line)) = of_python(line) {
                let place = found.place(path, line);
                found.tell(at, place, "");
            } else if line.starts_with(|sign: char| sign.is_ascii_alphabetic()) && !line.starts_with("Traceback") {
                found.tell(at, None, line);
                self.current = None;
            }
        }
    }
}

/// Before Python 3.11 the name of the test did not stand within the brackets.
fn failed(line: &str) -> Option<String> {
    let (test, within) = line.strip_prefix("FAIL: ").or_else(|| line.strip_prefix("ERROR: "))?.split_once(" (")?;
    let within = within.split_once(')')?.0;
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|sign| sign.is_alphanumeric() || "_.".contains(sign));
    let name = if within.ends_with(&format!(".{test}")) { within.to_owned() } else { format!("{within}.{test}") };
    (is_word(test) && is_word(within)).then_some(name)
}
