//! Keys that are known by their shape: how each begins, which characters follow, and how many.
//!
//! The table is made of what providers document. A key that needs another's context to be told (a bare string of hexadecimal digits) is
//! not here; `assignment` finds it where its name says what it is.

use super::{random::is_obvious_placeholder, scan::Kind};

/// Which characters follow the beginning of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// `0-9a-f`.
    Hex,
    /// `A-Z0-9`.
    Upper,
    /// `A-Za-z0-9`.
    Alphanumeric,
    /// `A-Za-z0-9_`.
    Word,
    /// `A-Za-z0-9_-`.
    Dashed,
    /// `A-Za-z0-9_-.`.
    Dotted,
    /// `A-Za-z0-9/_-`.
    Path,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Dashed => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/'),
        }
    }
}

/// One sort of key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// How it begins.
    pub(super) start: &'static str,
    name: &'static str,
    alphabet: Alphabet,
    /// How many characters follow, at least and at most.
    length: (usize, usize),
}

const fn shape(start: &'static str, name: &'static str, alphabet: Alphabet, least: usize, most: usize) -> Shape {
    Shape { start, name, alphabet, length: (least, most) }
}

/// The longest key that is looked for.
const LONG: usize = 300;

use Alphabet::{Alphanumeric, Dashed, Dotted, Hex, Path, Upper, Word};

/// Every sort, the longer beginning before the shorter.
pub(super) const SHAPES: &[Shape] = &[
    shape("AKIA", "AWS access key", Upper, 16, 16),
    shape("ASIA", "AWS access key", Upper, 16, 16),
    shape("ABIA", "AWS access key", Upper, 16, 16),
    shape("ghp_", "GitHub token", Alphanumeric, 36, 255),
    shape("gho_", "GitHub token", Alphanumeric, 36, 255),
    shape("ghu_", "GitHub token", Alphanumeric, 36, 255),
    shape("ghs_", "GitHub token", Alphanumeric, 36, 255),
    shape("ghr_", "GitHub token", Alphanumeric, 36, 255),
    shape("github_pat_", "GitHub token", Word, 36, 255),
    shape("glpat-", "GitLab token", Dashed, 20, LONG),
    shape("gldt-", "GitLab token", Dashed, 20, LONG),
    shape("glrt-", "GitLab token", Dashed, 20, LONG),
    shape("glptt-", "GitLab token", Dashed, 20, LONG),
    shape("glcbt-", "GitLab token", Dashed, 20, LONG),
    shape("glsoat-", "GitLab token", Dashed, 20, LONG),
    shape("glagent-", "GitLab token", Dashed, 20, LONG),
    shape("sk-ant-", "API key of a model", Dashed, 24, LONG),
    shape("sk-proj-", "API key of a model", Dashed, 24, LONG),
    shape("sk-svcacct-", "API key of a model", Dashed, 24, LONG),
    shape("sk-admin-", "API key of a model", Dashed, 24, LONG),
    shape("sk-or-v1-", "API key of a model", Hex, 48, 80),
    shape("sk-", "API key of a model", Alphanumeric, 32, 100),
    shape("gsk_", "API key of a model", Alphanumeric, 40, 100),
    shape("xai-", "API key of a model", Alphanumeric, 60, 100),
    shape("pplx-", "API key of a model", Alphanumeric, 40, 100),
    shape("r8_", "API key of a model", Alphanumeric, 37, 37),
    shape("hf_", "Hugging Face token", Alphanumeric, 30, 40),
    shape("AIza", "Google API key", Dashed, 35, 35),
    shape("GOCSPX-", "Google client secret", Dashed, 28, 28),
    shape("ya29.", "Google access token", Dashed, 40, 2048),
    shape("xoxb-", "Slack token", Dashed, 24, LONG),
    shape("xoxp-", "Slack token", Dashed, 24, LONG),
    shape("xoxa-", "Slack token", Dashed, 24, LONG),
    shape("xoxr-", "Slack token", Dashed, 24, LONG),
    shape("xoxs-", "Slack token", Dashed, 24, LONG),
    shape("xoxe-", "Slack token", Dashed, 24, LONG),
    shape("xapp-", "Slack token", Dashed, 24, LONG),
    shape("hooks.slack.com/services/", "Slack webhook", Path, 36, 80),
    shape("discord.com/api/webhooks/", "Discord webhook", Path, 70, 120),
    shape("sk_live_", "Stripe key", Alphanumeric, 16, LONG),
    shape("rk_live_", "Stripe key", Alphanumeric, 16, LONG),
    shape("whsec_", "webhook secret", Alphanumeric, 24, 80),
    shape("npm_", "npm token", Alphanumeric, 36, 36),
    shape("pypi-AgE", "PyPI token", Dashed, 40, LONG),
    shape("rubygems_", "RubyGems key", Hex, 48, 48),
    shape("dckr_pat_", "Docker Hub token", Dashed, 27, 40),
    shape("dop_v1_", "DigitalOcean token", Hex, 64, 64),
    shape("shpat_", "Shopify token", Hex, 32, 32),
    shape("shpss_", "Shopify token", Hex, 32, 32),
    shape("hvs.", "Vault token", Dashed, 24, LONG),
    shape("glsa_", "Grafana token", Word, 41, 41),
    shape("lin_api_", "Linear key", Alphanumeric, 40, 40),
    shape("SG.", "SendGrid key", Dotted, 66, 66),
    shape("AGE-SECRET-KEY-1", "age key", Upper, 58, 58),
];

/// The key that begins at `at`, where the beginning of one stands.
pub(super) fn key_at(text: &[u8], at: usize) -> Option<(usize, Kind)> {
    if !is_edge(text, at) {
        return None;
    }
    let here = |shape: &&Shape| text[at..].starts_with(shape.start.as_bytes());
    SHAPES.iter().filter(here).find_map(|shape| shape.end(text, at).map(|end| (end, shape.kind())))
}

impl Shape {
    /// What it is called.
    pub(super) fn kind(&self) -> Kind {
        Kind(self.name)
    }

    fn end(&self, text: &[u8], at: usize) -> Option<usize> {
        let (body, (least, most)) = (at + self.start.len(), self.length);
        let view = &text[body..text.len().min(body + most + 1)];
        let length = view.iter().take_while(|byte| self.alphabet.has(**byte)).count();
        // A full stop ends the sentence, not the key.
        let length = length - view[..length].iter().rev().take_while(|byte| **byte == b'.').count();
        let goes_on = view.get(length).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let body = &view[..length];
        let fits = (least..=most).contains(&length) && !goes_on && !is_obvious_placeholder(body) && self.is_mixed(body);
        fits.then_some(at + self.start.len() + length)
    }

    /// Where dashes are allowed, words could follow; keys have digits as well. (A token of Hugging Face has only letters.)
    fn is_mixed(&self, body: &[u8]) -> bool {
        let digits = body.iter().filter(|byte| byte.is_ascii_digit()).count();
        let letters = body.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        let has_case = body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase);
        match self.alphabet {
            Alphabet::Upper => digits >= 1 || body.len() > 16 || letters == 16,
            _ => letters >= 2 && (digits >= 2 || (has_case && !body.contains(&b'-'))),
        }
    }
}

/// Whether a key can begin here: not in the middle of a word. In an escaped text `\n` is an end of a line.
pub(super) fn is_edge(text: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| text[before]) else { return true };
    let is_escape = matches!(before, b'n' | b't' | b'r') && at >= 2 && text[at - 2] == b'\\';
    is_escape || !(before.is_ascii_alphanumeric() || matches!(before, b'_' | b'-'))
}

/// The end of a JSON web token that begins at `at` with `eyJ`: two parts that are JSON objects in base64, and a signature.
pub(super) fn json_web_token(text: &[u8], at: usize) -> Option<usize> {
    // The one of every tutorial.
    const FAMOUS: &[u8] = b"SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    let part = |from: usize| from + text[from..].iter().take_while(|byte| Alphabet::Dashed.has(**byte)).count();
    let next = |from: usize, begins: &[u8]| text[from..].strip_prefix(b".").is_some_and(|rest| rest.starts_with(begins));
    if !text[at..].starts_with(b"eyJ") || !is_edge(text, at) {
        return None;
    }
    let head = part(at);
    let body = next(head, b"eyJ").then(|| part(head + 1))?;
    let end = next(body, b"").then(|| part(body + 1))?;
    let signature = &text[body + 1..end];
    let fits = head - at >= 16 && body - head >= 16 && signature.len() >= 32 && signature != FAMOUS;
    (fits && !is_obvious_placeholder(signature)).then_some(end)
}

/// The token of a Telegram bot whose `:AA` stands at `at`: digits before it, 33 characters after.
pub(super) fn telegram(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let digits = text[..at].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let body = at + 3;
    let length = text[body.min(text.len())..].iter().take(35).take_while(|byte| Alphabet::Dashed.has(**byte)).count();
    let fits = text[at..].starts_with(b":AA") && (8..=10).contains(&digits) && is_edge(text, at - digits) && length == 33;
    (fits && !is_obvious_placeholder(&text[body..body + length])).then_some((at - digits, body + length))
}
