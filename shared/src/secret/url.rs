//! A password in an address: `scheme://user:password@host`.

/// Passwords that everybody knows.
const KNOWN: &[&str] = &[
    "secret", "postgres", "mysql", "mongo", "redis", "rabbitmq", "root", "admin", "guest", "test", "user", "username", "example",
    "changeme", "token", "foobar", "hunter2", "bar", "baz",
];

/// Hosts that nobody else reaches, or that do not exist.
const NOWHERE: &[&str] =
    &["localhost", "127.0.0.1", "0.0.0.0", "[::1]", "example.com", "example.org", "example.net", "host", "hostname"];

const LONGEST: usize = 200;

/// The password of an address whose `://` stands at `at`.
pub(super) fn password(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let view = &text[at + 3..text.len().min(at + 3 + LONGEST)];
    let is_user_info = |byte: &u8| byte.is_ascii_graphic() && !b"/\"'`<>()[]{}\\,;?#|@".contains(byte);
    let length = view.iter().take_while(|byte| is_user_info(byte)).count();
    if view.get(length) != Some(&b'@') {
        return None;
    }
    let colon = view[..length].iter().position(|byte| *byte == b':')?;
    let (user, password) = (&view[..colon], &view[colon + 1..length]);
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(byte);
    let host: Vec<u8> = view[length + 1..].iter().copied().take_while(is_host).collect();
    let start = at + 3 + colon + 1;
    (is_secret(user, password) && is_somewhere(&host)).then_some((start, start + password.len()))
}

fn is_secret(user: &[u8], password: &[u8]) -> bool {
    let lower = without_escapes(password).to_ascii_lowercase();
    let letters = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c == '!');
    let stands_for = lower.contains(['$', '%', '*']) && !lower.contains(|c: char| c.is_ascii_digit());
    let repeated = lower.bytes().all(|byte| Some(byte) == lower.bytes().next());
    let says_so = ["xxx", "your", "example", "changeme", "placeholder", "redacted", "pass", "masked"];
    let is_simple = lower.len() < 16 && password.iter().all(u8::is_ascii_lowercase);
    let is_no_pair = user.is_empty() && password.contains(&b':');
    let is_no_secret = is_simple
        || is_no_pair
        || stands_for
        || repeated
        || lower.len() < 5
        || lower.starts_with('$')
        || user.eq_ignore_ascii_case(password)
        || KNOWN.contains(&letters)
        || says_so.iter().any(|word| lower.contains(word));
    !is_no_secret
}

/// Without `%5B` and the like.
fn without_escapes(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        if part.starts_with(|c: char| c.is_ascii_hexdigit()) { out + part.get(2..).unwrap_or_default() } else { out + "%" + part }
    })
}

fn is_somewhere(host: &[u8]) -> bool {
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    let name = host.split(if host.starts_with('[') { ']' } else { ':' }).next().unwrap_or_default();
    let name = if host.starts_with('[') { format!("{name}]") } else { name.to_owned() };
    let reserved = [".test", ".example", ".invalid", ".localhost", ".example.com", ".example.org", ".example.net"];
    !name.is_empty() && !NOWHERE.contains(&name.as_str()) && !reserved.iter().any(|end| name.ends_with(end))
}
