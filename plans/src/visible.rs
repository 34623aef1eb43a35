//! Text that shows what it holds.
//!
//! A plan's words come from a model and end on a terminal or in a review. A control character could drive the terminal, and a mark that
//! turns the direction of writing could make one text look like another; both are shown as escapes.

use std::fmt::Write as _;

/// What no reader can see, a line break and a tab apart.
pub(crate) fn is_hidden(c: char) -> bool {
    let is_mark = matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    is_mark || (c.is_control() && c != '\n' && c != '\t')
}

/// The text with every hidden character as an escape. Line breaks and tabs stay.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            write!(out, "{}", c.escape_default()).expect("writing to a string");
        } else {
            out.push(c);
        }
    }
    out
}

/// The text in one line: visible, with one space for each run of white space.
pub fn in_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
