//! Whether a text was made by a generator of random numbers or by a person.
//!
//! Entropy alone does not tell: `getUserAccessTokenFromSession` has as much as a key. What words do not have is digits that stand among
//! letters again and again.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// A part of a text that stands for a secret, and is none.
const PLACEHOLDERS: &[&str] = &[
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "your",
    "xxxx",
    "****",
    "....",
    "----",
    "____",
    "<",
    ">",
    "${",
    "{{",
    "}}",
    "$(",
    "%(",
    "{0}",
    "%s",
    "redacted",
    "masked",
    "dummy",
    "fake",
    "sample",
    "insert",
    "replace",
    "todo",
    "foobar",
    "mytoken",
    "mysecret",
    "notreal",
    "not-real",
    "not_real",
    "process.env",
    "getenv",
    "environ",
    "12345678",
    "01234567",
    "abcdefgh",
    "deadbeef",
    "test",
    "mock",
    "secret",
    "password",
    "lorem",
];

/// For shapes that nothing but a key has, fewer words count.
const OBVIOUS: &[&str] =
    &["example", "xxxx", "****", "....", "placeholder", "your", "1234567890", "0123456789", "abcdefghij", "deadbeefdeadbeef"];

fn finder(words: &[&str]) -> AhoCorasick {
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).expect("these words are few")
}

/// Whether a text of a key's shape is only there to show the shape.
pub(super) fn is_obvious_placeholder(text: &[u8]) -> bool {
    static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| finder(OBVIOUS));
    distinct(text) < 4 || WORDS.is_match(text)
}

/// Whether a value that is named a secret is one: not a placeholder, a hash with its algorithm, a UUID, a path or words.
pub(super) fn is_random(text: &[u8]) -> bool {
    static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| finder(PLACEHOLDERS));
    const SHORTEST: usize = 16;
    if text.len() < SHORTEST || !text.is_ascii() || holds_uuid(text) || is_path(text) || is_words(text) {
        return false;
    }
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let is_hex = text.iter().all(u8::is_ascii_hexdigit);
    let enough = if is_hex { 2.8 } else { 3.2 };
    letters >= 3 && is_mixed(text) && entropy(text) >= enough && !WORDS.is_match(text)
}

/// Whether a key that somebody gave the harness is one, rather than the `none` that a local server is content with.
pub(super) fn is_key_like(key: &str) -> bool {
    let has_digit = key.bytes().any(|byte| byte.is_ascii_digit());
    key.len() >= 16 || (key.len() >= 8 && has_digit)
}

/// Whether digits stand among letters again and again, or capitals among small letters as no word has them.
fn is_mixed(text: &[u8]) -> bool {
    let pairs =
        |differ: fn(u8, u8) -> bool| text.windows(2).filter(|pair| differ(pair[0], pair[1]) || differ(pair[1], pair[0])).count();
    let numbers = pairs(|a, b| a.is_ascii_alphabetic() && b.is_ascii_digit());
    let cases = pairs(|a, b| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    numbers >= (text.len() / 12).max(2) || (numbers >= 1 && (numbers + cases) * 20 >= text.len() * 9)
}

fn counts(text: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    counts
}

fn distinct(text: &[u8]) -> usize {
    counts(text).iter().filter(|count| **count > 0).count()
}

/// Bits a character.
fn entropy(text: &[u8]) -> f64 {
    let length = text.len() as f64;
    let bits = |count: &u32| f64::from(*count) / length * (length / f64::from(*count)).log2();
    counts(text).iter().filter(|count| **count > 0).map(bits).sum()
}

fn holds_uuid(text: &[u8]) -> bool {
    let is_place = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.windows(36).take(16).any(|window| window.iter().enumerate().all(is_place))
}

/// Whether most of it is words with something between them: `TLS13_CHACHA20_POLY1305_INTERNAL`.
fn is_words(text: &[u8]) -> bool {
    let is_word = |part: &&[u8]| {
        let part = &part[..part.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| last + 1)];
        let tail = part.get(1..).unwrap_or_default();
        part.len() >= 3 && (tail.iter().all(u8::is_ascii_lowercase) || part.iter().all(u8::is_ascii_uppercase))
    };
    let parts = text.split(|byte| matches!(byte, b'_' | b'-' | b'.' | b'/' | b':'));
    parts.filter(is_word).map(<[u8]>::len).sum::<usize>() * 5 >= text.len() * 2
}

/// A path, an address, or a hash that says with what it was made.
fn is_path(text: &[u8]) -> bool {
    let starts = ["/", "./", "../", "~", "$", "%", "sha1-", "sha256", "sha384", "sha512", "md5", "urn:", "arn:", "http"];
    starts.iter().any(|start| text.starts_with(start.as_bytes())) || text.windows(3).any(|window| window == b"://")
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{hex, random},
        *,
    };

    #[test]
    fn what_a_generator_made_is_told_from_what_a_person_wrote() {
        for seed in 0..200 {
            for text in [random(seed, 40), hex(seed, 32), hex(seed, 64)] {
                assert!(is_random(text.as_bytes()), "{text}");
            }
        }
        for text in [
            "getUserAccessTokenFromSession",
            "correct-horse-battery-staple",
            "my-service-account-v2",
            "550e8400-e29b-41d4-a716-446655440000",
            "2024-01-15T10:00:00Z",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "your-api-key-a1b2c3d4e5f6",
            "AKIAIOSFODNN7EXAMPLE",
            "${VAULT_TOKEN_A1B2C3}",
            "/usr/lib/x86_64/a1/b2",
            "1234567890123456789012",
            "3.141592653589793238",
            "short1A2b",
            "TLS13_CHACHA20_POLY1305_SHA256_INTERNAL",
            "D3D10_SB_RESOURCE_RETURN_TYPE",
        ] {
            assert!(!is_random(text.as_bytes()), "{text}");
        }
    }
}
