//! Terminal output as plain text: what a person would see in the end, without colours, cursor movements and the steps of a progress bar.

/// Removes escape sequences and control characters; of a line that was overwritten by carriage returns, the last state stays.
pub fn plain(text: &str) -> String {
    if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return text.to_owned();
    }
    let text = without_escapes(text);
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let last = line.split('\r').rev().find(|state| !state.is_empty()).unwrap_or_default();
        lines.push(last.chars().filter(|c| !c.is_control() || *c == '\t').collect());
    }
    lines.join("\n")
}

fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        rest = after_escape(&rest[at + 1..]);
    }
    out.push_str(rest);
    out
}

/// What follows one escape sequence, given what follows its ESC. One that is not finished ends with its line.
fn after_escape(text: &str) -> &str {
    let from = |at: Option<usize>| at.map_or("", |at| &text[at..]);
    match text.chars().next() {
        Some('[') => {
            let end = text.char_indices().skip(1).find(|&(_, c)| !matches!(c, '\u{20}'..='\u{3f}'));
            match end {
                Some((at, '\u{40}'..='\u{7e}')) => &text[at + 1..],
                other => from(other.map(|(at, _)| at)),
            }
        }
        Some(']' | 'P' | 'X' | '^' | '_') => match text.find(['\u{7}', '\u{1b}', '\n']) {
            Some(at) if text[at..].starts_with("\u{1b}\\") => &text[at + 2..],
            Some(at) if text[at..].starts_with('\u{7}') => &text[at + 1..],
            other => from(other),
        },
        Some('\u{20}'..='\u{2f}') => {
            let end = text.char_indices().find(|&(_, c)| !matches!(c, '\u{20}'..='\u{2f}'));
            match end {
                Some((at, '\u{30}'..='\u{7e}')) => &text[at + 1..],
                other => from(other.map(|(at, _)| at)),
            }
        }
        Some(c @ '\u{30}'..='\u{7e}') => &text[c.len_utf8()..],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_would_see_stays() {
        for (written, seen) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[31;1mred\u{1b}[0m é\n", "red é\n"),
            ("10%\r20%\r100%\ndone", "100%\ndone"),
            ("10%\r\u{1b}[K\n", "10%\n"),
            ("dos\r\nline\r\n", "dos\nline\n"),
            ("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\link", "xlink"),
            ("\u{1b}(Bcharset", "charset"),
            ("\u{1b}]never ended\nnext", "\nnext"),
            ("\u{1b}[12\nnext", "\nnext"),
            ("bell\u{7} back\u{8} nul\0", "bell back nul"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}é", "é"),
        ] {
            assert_eq!(plain(written), seen, "{written:?}");
        }
    }
}
