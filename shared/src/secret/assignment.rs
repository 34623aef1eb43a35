//! `name = "value"`, where the name says that the value is a secret, and the value looks as if it were.
//!
//! Known in the ways that programs, environment files, JSON, YAML and TOML write it: `API_KEY=…`, `"token": "…"`, `const KEY: &str = "…"`,
//! `set("TOKEN", "…")`.

use super::random::is_random;

/// Words in a name that say it.
pub(super) const WORDS: &[&str] = &[
    "secret",
    "token",
    "passw",
    "passphrase",
    "pwd",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "access-key",
    "auth_key",
    "authkey",
    "private_key",
    "privatekey",
    "encryption_key",
    "encryptionkey",
    "signing_key",
    "signingkey",
    "account_key",
    "accountkey",
    "credential",
];

/// How a name ends that speaks of a secret and holds none.
const ABOUT: &[&str] = &[
    "id",
    "ids",
    "name",
    "type",
    "url",
    "uri",
    "path",
    "file",
    "hash",
    "digest",
    "sha",
    "sha1",
    "sha256",
    "checksum",
    "endpoint",
    "count",
    "limit",
    "length",
    "len",
    "size",
    "expiry",
    "expires",
    "ttl",
    "header",
    "field",
    "label",
    "prefix",
    "suffix",
    "ref",
    "regex",
    "pattern",
    "env",
    "kind",
    "class",
    "version",
    "arn",
    "policy",
    "format",
    "location",
    "encoding",
    "scope",
    "fingerprint",
];

const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 512;

/// Where the secret value is that belongs to the word at `start..end`.
pub(super) fn value(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let left = text[..start].iter().rev().take(LONGEST_NAME).take_while(|byte| is_name(byte)).count();
    let right = text[end..].iter().take(LONGEST_NAME).take_while(|byte| is_name(byte)).count();
    let name = &text[start - left..end + right];
    if is_only_about(name) {
        return None;
    }
    let mut reader = Reader { text, at: end + right };
    reader.operator()?;
    let (from, to) = reader.value()?;
    is_random(&text[from..to]).then_some((from, to))
}

/// The value after `Bearer `.
pub(super) fn bearer(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let length = text[at..].iter().take(LONGEST_VALUE).take_while(|byte| is_token(byte)).count();
    (length >= 20 && is_random(&text[at..at + length])).then_some((at, at + length))
}

fn is_only_about(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name);
    let lower = name.to_ascii_lowercase();
    // `tokenId` ends with a word, `paid` does not.
    let ends = |end: &str| {
        lower.strip_suffix(end).is_some_and(|rest| {
            rest.ends_with(['_', '-'])
                || name[rest.len()..].starts_with(|c: char| c.is_ascii_uppercase())
                || rest.ends_with("token")
        })
    };
    lower.contains("public") || lower.contains("publishable") || ABOUT.iter().any(|end| ends(end))
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, most: usize, is: impl Fn(u8) -> bool) -> usize {
        let count = self.text[self.at..].iter().take(most).take_while(|byte| is(**byte)).count();
        self.at += count;
        count
    }

    fn spaces(&mut self) {
        self.skip(24, |byte| matches!(byte, b' ' | b'\t'));
    }

    fn rest_starts(&self, with: &[u8]) -> bool {
        self.text[self.at..].starts_with(with)
    }

    /// What stands between name and value.
    fn operator(&mut self) -> Option<()> {
        let quoted = self.skip(4, |byte| b"\\\"'`])".contains(&byte)) > 0;
        self.spaces();
        for sign in [&b"=>"[..], b":=", b"?=", b"||="] {
            if self.rest_starts(sign) {
                self.at += sign.len();
                self.spaces();
                return Some(());
            }
        }
        if self.rest_starts(b"==") || self.rest_starts(b"::") {
            return None;
        }
        match self.peek()? {
            b'=' => self.at += 1,
            b',' if quoted => self.at += 1,
            b':' => {
                self.at += 1;
                self.type_annotation();
            }
            _ => return None,
        }
        self.spaces();
        Some(())
    }

    /// `: &'static str =`, if that is what follows.
    fn type_annotation(&mut self) {
        let begin = self.at;
        self.skip(48, |byte| byte.is_ascii_alphanumeric() || b" &'_<>[]:?|.".contains(&byte));
        if self.rest_starts(b"=") && !self.rest_starts(b"==") && !self.rest_starts(b"=>") {
            self.at += 1;
        } else {
            self.at = begin;
        }
    }

    fn value(&mut self) -> Option<(usize, usize)> {
        self.constructor();
        self.skip(1, |byte| byte == b'\\');
        match self.peek()? {
            quote @ (b'"' | b'\'' | b'`') => {
                self.at += 1;
                let from = self.at;
                self.skip(LONGEST_VALUE, |byte| byte != quote && byte != b'\\' && byte.is_ascii_graphic());
                let closes = self.peek() == Some(quote) || self.rest_starts(&[b'\\', quote]);
                closes.then_some((from, self.at))
            }
            _ => self.bare(),
        }
    }

    /// `b"`, `String::from("`, `Some("`: what may stand before the quotes.
    fn constructor(&mut self) {
        let begin = self.at;
        self.skip(32, |byte| byte.is_ascii_alphanumeric() || b"_:.&(!@#".contains(&byte));
        if !matches!(self.peek(), Some(b'"' | b'\'' | b'`')) {
            self.at = begin;
        }
    }

    /// A value without quotes ends with its line or with what ends a value in a list. What is called, indexed or
    /// ended by a semicolon or comma at the end of the line is code.
    fn bare(&mut self) -> Option<(usize, usize)> {
        let from = self.at;
        self.skip(LONGEST_VALUE, |byte| byte.is_ascii_alphanumeric() || b"+/=_~!@#$%^*-".contains(&byte));
        if matches!(self.peek(), Some(b';' | b','))
            && self.text.get(self.at + 1).is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b'\\'))
        {
            return None;
        }
        let ends = self.peek().is_none_or(|byte| byte.is_ascii_whitespace() || b",;\"'\\}]&".contains(&byte));
        ends.then_some((from, self.at))
    }
}
