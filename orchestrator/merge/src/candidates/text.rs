//! Lines as candidates see them: with their ends, compared without white space.

use crate::chunks::Numbers;

/// A line with its end.
pub(super) type Line<'a> = &'a [u8];

/// The lines of a text, with their ends.
pub(super) fn lines(text: &[u8]) -> Vec<Line<'_>> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// A line without white space.
pub(super) fn bare(line: Line<'_>) -> Vec<u8> {
    line.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// Numbers of lines, alike where they differ in white space only.
pub(super) fn numbers<const N: usize>(all: [&[Line<'_>]; N]) -> [Vec<u32>; N] {
    let mut numbers = Numbers::new();
    all.map(|lines| numbers.of(lines.iter().map(|line| bare(line))))
}

/// Puts lines together. A line that was the last of its file gets an end when another one follows.
pub(super) fn join<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    for line in lines {
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(line);
    }
    text
}

/// Whether a line has nothing but white space.
pub(super) fn is_blank(line: Line<'_>) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}
