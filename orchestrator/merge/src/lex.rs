//! The words of a text: what any programming language would call a token, near enough, whatever the language is.
//!
//! **Invariant:** the tokens of a text, each with the space before it, and the space at its end are the text.
//!
//! Why not the grammar's own leaves: a part of a file that does not parse on its own has words all the same, and comments and strings
//! are merged word by word.

/// A word, a number or an operator, with the space before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// Blanks and line ends before it.
    pub space: &'a str,
    /// Never empty.
    pub text: &'a str,
}

/// Longest first.
const OPERATORS: &[&str] = &[
    "<<=", ">>=", "**=", "//=", "...", "..=", "===", "!==", "&&=", "||=", "??=", "\"\"\"", "'''", "```", "=>", "->", "::", "==",
    "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "<<", ":=", "?.", "??", "..", "++", "--", "//",
    "/*", "*/", "/**", "**",
];

/// The tokens of a text and the space at its end.
pub(crate) fn lex(text: &str) -> (Vec<Token<'_>>, &str) {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        let length = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let (space, from) = rest.split_at(length);
        if from.is_empty() {
            return (tokens, space);
        }
        let (token, after) = from.split_at(token_length(from));
        tokens.push(Token { space, text: token });
        rest = after;
    }
}

fn token_length(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = text.find(|c| !is_word(c)).unwrap_or(text.len());
    if word > 0 {
        return word;
    }
    if let Some(operator) = OPERATORS.iter().find(|operator| text.starts_with(**operator)) {
        return operator.len();
    }
    text.chars().next().map_or(0, char::len_utf8)
}

impl Token<'_> {
    /// Whether it says something: a word or a number.
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }

    /// Whether it begins a line.
    pub(crate) fn begins_line(&self) -> bool {
        self.space.contains('\n')
    }

    /// The blanks before it on its line.
    pub(crate) fn indent(&self) -> &str {
        self.space.rsplit('\n').next().unwrap_or_default()
    }
}

/// Whether two texts say the same, however they are laid out.
pub(crate) fn same_words(a: &str, b: &str) -> bool {
    a == b || a.split_whitespace().flat_map(str::chars).eq(b.split_whitespace().flat_map(str::chars))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_of_a_text_are_the_text() {
        let text = "fn f(a: &'static str) -> u8 {\n\tlet é = \"x y\"; // so\n}\n\n";
        let (tokens, end) = lex(text);
        let joined: String = tokens.iter().flat_map(|token| [token.space, token.text]).collect();
        assert_eq!(joined + end, text);
        let words: Vec<&str> = tokens.iter().map(|token| token.text).collect();
        assert_eq!(words[..6], ["fn", "f", "(", "a", ":", "&"]);
        assert!(words.contains(&"->") && words.contains(&"é"));
    }
}
