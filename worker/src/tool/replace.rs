//! Replacing a piece of a text. Pure: files are [`super::edit`]'s affair.
//!
//! **Invariant:** outside the replaced pieces not a byte changes, also where a file mixes line ends.
//!
//! Models write `\n`. In a file with `\r\n` the old text is looked for without regard to `\r`, and the new text takes the file's
//! line ends.

use std::fmt::Write;

use super::nearest::nearest;

/// A text after a replacement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) text: String,
    /// The lines, counted from 1, at which pieces were replaced.
    pub(super) lines: Vec<usize>,
}

/// Whether a piece that occurs more than once is meant every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrences {
    Once,
    All,
}

/// Replaces `old` by `new`, or says what to do instead.
pub(super) fn replace(text: &str, old: &str, new: &str, which: Occurrences) -> Result<Replaced, String> {
    let (old, new) = (old.replace("\r\n", "\n"), new.replace("\r\n", "\n"));
    if old.is_empty() {
        return Err("`old_text` is empty; copy the text to replace from the file, or use write_file".to_owned());
    }
    if old == new {
        return Err("`old_text` and `new_text` are the same; nothing would change".to_owned());
    }
    let source = Source::new(text);
    let found: Vec<usize> = source.plain.match_indices(&old).map(|(at, _)| at).collect();
    let lines: Vec<usize> = found.iter().map(|&at| source.line(at)).collect();
    match found.len() {
        0 => return Err(not_found(&source.plain, &old)),
        1 => {}
        _ if which == Occurrences::All => {}
        count => {
            return Err(format!(
                "`old_text` occurs {count} times (lines {}), so nothing was changed; add lines around it until it is the only one, or \
                 set `replace_all`",
                list(&lines)
            ));
        }
    }
    let new = if source.is_crlf() { new.replace('\n', "\r\n") } else { new };
    Ok(Replaced { text: source.splice(&found, old.len(), &new), lines })
}

/// The lines in a few words.
pub(super) fn list(lines: &[usize]) -> String {
    let mut words: Vec<String> = lines.iter().take(10).map(usize::to_string).collect();
    if lines.len() > 10 {
        words.push("…".to_owned());
    }
    words.join(", ")
}

fn not_found(text: &str, old: &str) -> String {
    let mut message = "`old_text` is not in the file, so nothing was changed.".to_owned();
    if let Some(near) = nearest(text, old) {
        let why = if near.differs_in_blanks { "differs only in blanks" } else { "is the most similar" };
        let _ = write!(message, " This {why}; copy it exactly, without the line numbers:\n{}", near.numbered);
    } else {
        message.push_str(" Nothing like it is there; read the file again");
    }
    message
}

/// A text without the `\r` of its line ends, and the way back.
struct Source<'a> {
    whole: &'a str,
    plain: String,
    /// Where in `plain` the `\n` stand that had a `\r` before them.
    returns: Vec<usize>,
    breaks: usize,
}

impl<'a> Source<'a> {
    fn new(whole: &'a str) -> Self {
        let mut plain = String::with_capacity(whole.len());
        let mut returns = Vec::new();
        let mut breaks = 0;
        for line in whole.split_inclusive('\n') {
            let ended = line.strip_suffix('\n');
            breaks += usize::from(ended.is_some());
            match ended.and_then(|line| line.strip_suffix('\r')) {
                Some(line) => {
                    plain.push_str(line);
                    returns.push(plain.len());
                    plain.push('\n');
                }
                None => plain.push_str(line),
            }
        }
        Self { whole, plain, returns, breaks }
    }

    fn is_crlf(&self) -> bool {
        !self.returns.is_empty() && self.returns.len() * 2 >= self.breaks
    }

    fn line(&self, at: usize) -> usize {
        self.plain[..at].matches('\n').count() + 1
    }

    /// A place in the whole text: one just before a line end stays before its `\r`.
    fn original(&self, at: usize) -> usize {
        at + self.returns.partition_point(|&end| end < at)
    }

    fn splice(&self, found: &[usize], length: usize, new: &str) -> String {
        let mut text = String::with_capacity(self.whole.len() + found.len() * new.len());
        let mut from = 0;
        for &at in found {
            text.push_str(&self.whole[from..self.original(at)]);
            text.push_str(new);
            from = self.original(at + length);
        }
        text.push_str(&self.whole[from..]);
        text
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, old: &str, new: &str, which: Occurrences, expected: &Expect) {
        let shown = match replace(text, old, new, which) {
            Ok(replaced) => format!("{:?}\n{:?}", replaced.lines, replaced.text),
            Err(why) => why,
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_piece_that_occurs_once_is_replaced() {
        check(
            "a\nb\nc\n",
            "b",
            "x\ny",
            Occurrences::Once,
            &expect![[r#"
            [2]
            "a\nx\ny\nc\n""#]],
        );
        check(
            "aé\nb",
            "é\nb",
            "",
            Occurrences::Once,
            &expect![[r#"
            [1]
            "a""#]],
        );
        check(
            "a a\na",
            "a",
            "b",
            Occurrences::All,
            &expect![[r#"
            [1, 1, 2]
            "b b\nb""#]],
        );
    }

    #[test]
    fn a_file_keeps_its_line_ends() {
        check(
            "a\r\nb\r\nc\r\n",
            "a\nb",
            "x\ny\nz",
            Occurrences::Once,
            &expect![[r#"
            [1]
            "x\r\ny\r\nz\r\nc\r\n""#]],
        );
        check(
            "a\r\nb\r\nc\r\n",
            "b\r\n",
            "",
            Occurrences::Once,
            &expect![[r#"
            [2]
            "a\r\nc\r\n""#]],
        );
        check(
            "a\r\nb\r\nc\r\n",
            "\nc",
            "\nd",
            Occurrences::Once,
            &expect![[r#"
            [2]
            "a\r\nb\r\nd\r\n""#]],
        );
        check(
            "a\nb\nc\nd\r\ne\n",
            "b\nc",
            "x\ny",
            Occurrences::Once,
            &expect![[r#"
            [2]
            "a\nx\ny\nd\r\ne\n""#]],
        );
        check(
            "a\r\nb\r\nb\r\n",
            "b\n",
            "c\n\n",
            Occurrences::All,
            &expect![[r#"
            [2, 3]
            "a\r\nc\r\n\r\nc\r\n\r\n""#]],
        );
    }

    #[test]
    fn a_piece_that_is_not_there_or_not_alone_is_explained() {
        check(
            "a\nb\na\n",
            "a",
            "b",
            Occurrences::Once,
            &expect![
                "`old_text` occurs 2 times (lines 1, 3), so nothing was changed; add lines around it until it is the only one, or set `replace_all`"
            ],
        );
        check("a\n", "a", "a", Occurrences::Once, &expect!["`old_text` and `new_text` are the same; nothing would change"]);
        check(
            "a\n",
            "",
            "a",
            Occurrences::Once,
            &expect!["`old_text` is empty; copy the text to replace from the file, or use write_file"],
        );
        check(
            "",
            "a",
            "b",
            Occurrences::Once,
            &expect!["`old_text` is not in the file, so nothing was changed. Nothing like it is there; read the file again"],
        );
        let code = "fn one() {\n    let total = price + tax;\n    total\n}\n\nfn two() {}\n";
        check(
            code,
            "fn one() {\n  let total = price + tax;",
            "x",
            Occurrences::Once,
            &expect![[r"
            `old_text` is not in the file, so nothing was changed. This differs only in blanks; copy it exactly, without the line numbers:
            1	fn one() {
            2	    let total = price + tax;
        "]],
        );
        check(
            code,
            "    let total = price + taxes;\n    total",
            "x",
            Occurrences::Once,
            &expect![[r"
            `old_text` is not in the file, so nothing was changed. This is the most similar; copy it exactly, without the line numbers:
            2	    let total = price + tax;
            3	    total
        "]],
        );
        check(
            code,
            "something else entirely, you know",
            "x",
            Occurrences::Once,
            &expect!["`old_text` is not in the file, so nothing was changed. Nothing like it is there; read the file again"],
        );
    }
}
