//! Indentation: how much deeper, or less deep, a side has put a line, and another line put there with it.

use super::text::{Line, is_blank};

/// How a side has moved a line to the right or to the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shift {
    None,
    Deeper(Vec<u8>),
    Shallower(usize),
}

/// The white space that a line begins with.
pub(super) fn indent(line: Line<'_>) -> &[u8] {
    let end = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    &line[..end]
}

/// How a line was moved from one version to another.
pub(super) fn shift(from: Line<'_>, to: Line<'_>) -> Shift {
    if is_blank(from) || is_blank(to) {
        return Shift::None;
    }
    let (from, to) = (indent(from), indent(to));
    match (to.strip_prefix(from), from.strip_prefix(to)) {
        (Some([]), _) | (None, None) => Shift::None,
        (Some(more), _) => Shift::Deeper(more.to_vec()),
        (None, Some(less)) => Shift::Shallower(less.len()),
    }
}

impl Shift {
    /// The line, moved as this says.
    pub(super) fn apply(&self, line: Line<'_>) -> Vec<u8> {
        if is_blank(line) {
            return line.to_vec();
        }
        match self {
            Shift::None => line.to_vec(),
            Shift::Deeper(more) => [more, line].concat(),
            Shift::Shallower(less) => line[indent(line).len().min(*less)..].to_vec(),
        }
    }
}
