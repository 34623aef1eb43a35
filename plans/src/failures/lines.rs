//! An output as plain lines: without colours, without what was written over, and none longer than anybody reads.

use std::borrow::Cow;

/// No runner says anything in a line that is longer.
const LONGEST: usize = 2_000;

/// The beginning and the end of a text that is too long.
pub(super) fn ends(text: &str, most: usize) -> [&str; 2] {
    if text.len() <= most {
        return [text, ""];
    }
    let head = cut(text, most / 2);
    let from = (text.len() - most / 2..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    [head, &text[from..]]
}

/// The lines, each cleaned.
pub(super) fn of(pieces: [&str; 2]) -> impl Iterator<Item = Cow<'_, str>> {
    pieces.into_iter().flat_map(|piece| piece.split('\n')).map(clean)
}

/// A whole text, cleaned.
pub(crate) fn cleaned(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

fn clean(line: &str) -> Cow<'_, str> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    // What a progress bar wrote first is written over.
    let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    let line = cut(line, LONGEST);
    if line.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
        Cow::Owned(plain(line))
    } else {
        Cow::Borrowed(line)
    }
}

/// Without escape sequences and other signs that are not shown.
fn plain(line: &str) -> String {
    let mut signs = line.chars();
    let mut text = String::with_capacity(line.len());
    while let Some(sign) = signs.next() {
        match sign {
            '\u{1b}' => skip_sequence(&mut signs),
            '\t' => text.push('\t'),
            sign if sign.is_control() => {}
            sign => text.push(sign),
        }
    }
    text
}

/// The rest of an escape sequence: `[…m`, `]…BEL`, or one sign.
fn skip_sequence(signs: &mut std::str::Chars<'_>) {
    match signs.next() {
        Some('[') => drop(signs.find(|sign| ('@'..='~').contains(sign))),
        Some(']') => {
            let mut before = ' ';
            let end = |sign: char| {
                let is_end = sign == '\u{7}' || (before == '\u{1b}' && sign == '\\');
                before = sign;
                is_end
            };
            let _ = signs.map(end).find(|is_end| *is_end);
        }
        _ => {}
    }
}

/// The beginning of a text, never in the middle of a letter.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    &text[..end]
}
