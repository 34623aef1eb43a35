//! Compilers and linters that say the place first.
//!
//! ```text
//! src/cart.ts(1,2): error TS2322: Type 'string' is not assignable     tsc
//! src/cart.ts:1:2 - error TS2322: Type 'string' is not assignable     tsc, for people
//! src/cart.c:1:2: error: expected ';'                                 gcc, clang, mypy, rustc in its short form
//! /w/src/cart.js                                                      eslint: the file,
//!   1:2  error  'x' is not defined  no-undef                          then what is wrong in it
//! ```

use super::{
    Place, Reader,
    found::Found,
    places::{is_source, number, of_word},
};

/// Reads them.
#[derive(Default)]
pub(super) struct Checkers {
    /// The file that eslint speaks of.
    file: Option<String>,
}

impl Reader for Checkers {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        if let Some(at) = of_word(line) {
            let said = at.rest.trim_start_matches([':', ' ', '-']);
            if let Some((code, message)) = error(said) {
                let place = found.place(at.path, at.line);
                found.build(code, place, message);
            }
        } else if let Some(path) = Some(line.trim_end()).filter(|path| is_source(path) && !path.contains(' ')) {
            self.file = Some(path.to_owned());
        } else if line.trim().is_empty() {
            self.file = None;
        } else if let Some(file) = &self.file
            && let Some((line, rule, message)) = of_eslint(line)
        {
            let place: Option<Place> = found.place(file, line);
            found.build(rule, place, message);
        }
    }
}

/// `error TS2322: message`, `error[E0308]: message`, `error: message`, `fatal error: message`.
fn error(said: &str) -> Option<(&str, &str)> {
    let rest = said.strip_prefix("fatal ").unwrap_or(said).strip_prefix("error")?;
    let (code, message) = rest.split_once(':')?;
    let code = code.trim().trim_matches(['[', ']']);
    let is_code = code.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_/".contains(sign));
    is_code.then(|| (if code.is_empty() { "error" } else { code }, message.trim()))
}

/// `  1:2  error  'x' is not defined  no-undef`.
fn of_eslint(line: &str) -> Option<(u32, &str, &str)> {
    let (at, rest) = line.trim_start().split_once(' ')?;
    let (line, column) = number(at)?;
    let said = rest.trim_start().strip_prefix("error ").filter(|_| column.starts_with(':'))?.trim();
    let (message, rule) = said.rsplit_once("  ").unwrap_or((said, "error"));
    Some((line, rule.trim(), message.trim()))
}
