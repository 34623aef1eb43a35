//! How a text is spelled in TOML so that a person can read it and a reader gets back every character.
//!
//! What a reviewer cannot see is written as an escape: control characters, and the marks that turn the direction of writing, with
//! which a text can show one thing and say another.

use std::fmt::Write as _;

use crate::visible::is_hidden;

/// A text in one line, or over several where it has line breaks.
pub(super) fn spelled(text: &str) -> String {
    if text.contains('\n') { over_lines(text) } else { in_line(text) }
}

/// A text in one line, whatever it holds.
pub(super) fn in_line(text: &str) -> String {
    let needs_escapes = text.contains(['"', '\\']);
    if needs_escapes && !text.contains(|c: char| c == '\'' || is_hidden(c) || c == '\n' || c == '\t') {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other => push_plain(&mut out, other),
        }
    }
    out.push('"');
    out
}

/// The first line break after the quotes is none of the text's.
fn over_lines(text: &str) -> String {
    let needs_escapes = text.contains('\\') || text.contains("\"\"\"");
    if needs_escapes && !text.contains("'''") && !text.ends_with('\'') && !text.contains(is_hidden) {
        return format!("'''\n{text}'''");
    }
    let mut out = String::from("\"\"\"\n");
    let mut quotes = 0;
    let last = text.chars().count() - 1;
    for (at, c) in text.chars().enumerate() {
        quotes = if c == '"' { quotes + 1 } else { 0 };
        match c {
            '"' if quotes == 3 || at == last => {
                out.push_str("\\\"");
                quotes = 0;
            }
            '"' | '\n' | '\t' => out.push(c),
            other => push_plain(&mut out, other),
        }
    }
    out.push_str("\"\"\"");
    out
}

fn push_plain(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\r' => out.push_str("\\r"),
        hidden if is_hidden(hidden) => {
            write!(out, "\\U{:08X}", u32::from(hidden)).expect("writing to a string");
        }
        other => out.push(other),
    }
}
