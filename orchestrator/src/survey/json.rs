//! JSON as people write it in configuration files: with comments and trailing commas.

use serde_json::Value;

/// The value, or `None` where even leniently read it is no JSON.
pub(super) fn read_json(text: &str) -> Option<Value> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&strict(text))).ok()
}

/// The same text without comments and trailing commas.
fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => string_length(rest),
            '/' if rest.starts_with("//") => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
                continue;
            }
            _ => next.len_utf8(),
        };
        if matches!(next, ']' | '}') && out.trim_end().ends_with(',') {
            out.truncate(out.trim_end().len() - 1);
        }
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// The length of the string literal at the beginning of the text, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_read_over_and_strings_are_left_alone() {
        let text = "{ // one\n \"a\": [1, 2, /* , */ ], \"b\": \"// no \\\" comment, ]\", }";
        assert_eq!(read_json(text).map(|v| v.to_string()), Some(r#"{"a":[1,2],"b":"// no \" comment, ]"}"#.to_owned()));
        for torn in ["", "{", "\"", "/*", "{\"a\": \"\\"] {
            assert_eq!(read_json(torn), None, "{torn:?}");
        }
    }
}
