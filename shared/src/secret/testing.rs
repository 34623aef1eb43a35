//! Keys for tests, put together at run time: a file that holds one, however false, is what scanners of repositories look for.

/// A GitHub token in shape.
pub fn github() -> String {
    ["gh", "p_"].concat() + &"a1B2".repeat(9)
}

/// Text that looks random, of letters in both cases and digits; the same for the same seed.
pub fn random(seed: u64, length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % ALPHABET.len()
    };
    (0..length).map(|_| char::from(ALPHABET[next()])).collect()
}

/// Random hexadecimal digits.
pub fn hex(seed: u64, length: usize) -> String {
    random(seed, length).bytes().map(|byte| char::from(b"0123456789abcdef"[usize::from(byte) % 16])).collect()
}

/// The first or last line of a private key of that sort.
pub fn key_line(end: &str, sort: &str) -> String {
    ["-----", end, " ", sort, "PRIVATE", " KEY-----"].concat()
}
