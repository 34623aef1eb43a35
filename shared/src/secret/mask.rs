//! Markers in the place of secrets.

use std::borrow::Cow;

use super::scan::{Finding, Kind};

const OPEN: &str = "[masked: ";

/// The text with a marker in the place of each finding.
pub(super) fn mask<'a>(text: &'a str, found: &[Finding]) -> Cow<'a, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for finding in found {
        // Every finding is made of whole characters; where that does not hold, more is masked rather than less.
        let start = (0..=finding.start).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0).max(at);
        let end = (finding.end..=text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or(text.len());
        out.push_str(&text[at..start]);
        out.push_str(OPEN);
        out.push_str(finding.kind.0);
        out.push(']');
        at = end.max(start);
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// How many markers a text holds, of any kind. A text in square brackets that is no marker does not count.
pub fn count_markers(text: &str) -> usize {
    let is_marker = |(at, _): &(usize, &str)| {
        let rest = &text[at + OPEN.len()..];
        Kind::all().any(|kind| rest.strip_prefix(kind.0).is_some_and(|rest| rest.starts_with(']')))
    };
    text.match_indices(OPEN).filter(is_marker).count()
}
