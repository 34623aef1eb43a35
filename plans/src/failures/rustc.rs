//! The Rust compiler and clippy: `error[E0308]: mismatched types`, and below it `  --> src/money.rs:12:9`.
//!
//! **Invariant:** an error without a place is none of these: cargo says `error:` of many things that follow from another error.

use super::{Reader, found::Found, places::of_word};

/// How far below its error a place may stand.
const NEAR: u8 = 6;

/// Reads it.
#[derive(Default)]
pub(super) struct Rustc {
    open: Option<Open>,
}

struct Open {
    code: String,
    message: String,
    lines: u8,
}

impl Reader for Rustc {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        let text = line.trim();
        if let Some((code, message)) = error(line) {
            self.open = Some(Open { code: code.to_owned(), message: message.to_owned(), lines: 0 });
        } else if let Some(open) = &mut self.open {
            open.lines += 1;
            let at = text.strip_prefix("--> ").or_else(|| text.strip_prefix("::: ")).and_then(of_word);
            if let Some(place) = at.map(|at| found.place(at.path, at.line)) {
                found.build(&open.code, place, &open.message);
                self.open = None;
            } else if open.lines > NEAR {
                self.open = None;
            }
        }
    }
}

/// `error[E0308]: mismatched types`, `error: unused variable`.
fn error(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("error")?;
    match rest.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
        Some((code, message)) => Some((code, message)),
        None => Some(("error", rest.strip_prefix(": ")?)),
    }
}
