//! What the scan finds, and what it leaves alone.

use super::super::{
    Secrecy, count_markers,
    testing::{github, hex, key_line, random},
};

fn masked(text: &str) -> String {
    let secrecy = Secrecy::default();
    let once = secrecy.mask(text).into_owned();
    assert_eq!(secrecy.mask(&once), once, "masking twice is masking once");
    assert_eq!(once.lines().count(), text.lines().count(), "no line comes or goes");
    once
}

#[track_caller]
fn is_masked(text: &str, secret: &str, kind: &str) {
    let marker = format!("[masked: {kind}]");
    assert_eq!(masked(text), text.replace(secret, &marker), "{text}");
    assert_eq!(count_markers(&masked(text)), 1);
}

#[track_caller]
fn is_plain(text: &str) {
    assert_eq!(masked(text), text);
}

/// A key of each sort that has a shape of its own: its parts, which nothing here puts together before run time.
fn shaped() -> Vec<(String, &'static str)> {
    let upper = |seed, length| random(seed, length).to_ascii_uppercase();
    vec![
        (["AK", "IA", &upper(1, 16)].concat(), "AWS access key"),
        (github(), "GitHub token"),
        (["gh", "s_", &random(2, 36)].concat(), "GitHub token"),
        (["github", "_pat_", &random(3, 22), "_", &random(4, 59)].concat(), "GitHub token"),
        (["gl", "pat-", &random(5, 20)].concat(), "GitLab token"),
        (["s", "k-", &hex(6, 32)].concat(), "API key of a model"),
        (["s", "k-", &random(7, 48)].concat(), "API key of a model"),
        (["s", "k-ant-", "api03-", &random(8, 93)].concat(), "API key of a model"),
        (["s", "k-proj-", &random(9, 60), "-", &random(10, 60)].concat(), "API key of a model"),
        (["AI", "za", &random(11, 35)].concat(), "Google API key"),
        (["xo", "xb-", "294857610382-", &random(12, 24)].concat(), "Slack token"),
        (["sk", "_live_", &random(13, 24)].concat(), "Stripe key"),
        (["np", "m_", &random(14, 36)].concat(), "npm token"),
        (["py", "pi-AgE", &random(15, 120)].concat(), "PyPI token"),
        (["h", "f_", &random(16, 34)].concat(), "Hugging Face token"),
        (["29485761", "03:", "AA", &random(17, 33)].concat(), "Telegram bot token"),
        (["ey", "J", &random(18, 33), ".ey", "J", &random(19, 60), ".", &random(20, 43)].concat(), "JSON web token"),
        (["SG", ".", &random(21, 22), ".", &random(22, 43)].concat(), "SendGrid key"),
    ]
}

#[test]
fn a_key_with_a_shape_of_its_own_is_found_wherever_it_stands() {
    for (key, kind) in shaped() {
        for text in [
            key.clone(),
            format!("see {key}."),
            format!("\"{key}\","),
            format!("x({key})"),
            format!("12\tlet a = `{key}`;\n"),
            format!("{{\"text\":\"line\\n{key}\\nline\"}}"),
            format!("API_TOKEN={key}\n"),
            format!("Authorization: Bearer {key}\n"),
            format!("https://api.example.net/?key={key}&x=1"),
        ] {
            is_masked(&text, &key, kind);
        }
    }
}

#[test]
fn a_part_of_a_longer_word_a_shorter_one_or_a_sample_is_no_key() {
    for (key, _) in shaped() {
        is_plain(&format!("0x{key}"));
        is_plain(&key[..key.len().min(14)]);
    }
    for text in [
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        ["gh", "p_", &"x".repeat(36)].concat(),
        ["s", "k-", "your-key-here-your-key-here-000"].concat(),
        ["sk", "_test_", &random(1, 24)].concat(),
    ] {
        is_plain(&text);
    }
}

#[test]
fn a_value_that_is_named_a_secret_is_found_in_every_language() {
    let value = random(30, 32);
    for text in [
        "API_KEY={}",
        "export AWS_SECRET_ACCESS_KEY={}\n",
        "password: {}\n",
        "\"clientSecret\": \"{}\"",
        "{\\\"token\\\": \\\"{}\\\"}",
        "const AUTH_TOKEN: &str = \"{}\";",
        "let token = String::from(\"{}\");",
        "private static final String API_KEY = \"{}\";",
        "$config['db_password'] = '{}';",
        "secret := \"{}\"",
        ":secret_key => '{}'",
        "os.environ.setdefault(\"MY_TOKEN\", \"{}\")",
        "+signing_key = '{}'",
        "https://host/?access_token={}&x=1",
    ] {
        is_masked(&text.replace("{}", &value), &value, "secret value");
    }
    is_masked(&format!("curl -H 'Authorization: Bearer {value}'"), &value, "bearer token");
}

#[test]
fn placeholders_references_hashes_and_code_are_no_secret_values() {
    let value = random(31, 32);
    for text in [
        "api_key = changeme".to_owned(),
        "api_key = \"<your-token-a1b2c3d4>\"".to_owned(),
        "token: ${VAULT_TOKEN_A1B2C3D4}".to_owned(),
        "password = os.environ[\"DB_PASSWORD_1A2B3C\"]".to_owned(),
        "let token = next_token_v2_of_3(input);".to_owned(),
        "module->token = fts5V2toV1Tokenize;\n".to_owned(),
        "token = self.lexer.token1.kind2.start3".to_owned(),
        format!("token_id = \"{value}\""),
        format!("token_hash = \"{value}\""),
        format!("public_key_token = \"{value}\""),
        format!("checksum = \"{}\"", hex(1, 64)),
        format!("integrity = \"sha512-{value}\""),
        format!("if token == \"{value}\" {{"),
        "secret = \"550e8400-e29b-41d4-a716-446655440000\"".to_owned(),
        "secretKeyRef: { name: my-secret-v2-prod, key: token }".to_owned(),
        format!("data:image/png;base64,{}", random(3, 400)),
    ] {
        is_plain(&text);
    }
}

#[test]
fn a_password_in_an_address_is_found_unless_everybody_knows_it() {
    let password = random(40, 14);
    for address in ["postgres://app:{}@db.internal:5432/app", "https://bob:{}@host.io/x.git", "redis://:{}@cache"] {
        is_masked(&address.replace("{}", &password), &password, "password in an address");
    }
    for text in [
        "postgres://postgres:postgres@db/app",
        "postgres://user:password@db/app",
        "postgres://app:${DB_PASSWORD}@db/app",
        "https://user:pass@example.com",
        "http://a:s3cr3tpw@localhost:8080/",
        "git@github.com:owner/name.git",
        "https://host:8080/a@b",
        "see http://a.example: mail me@b.example",
    ] {
        is_plain(text);
    }
}

/// A private key in its file form.
fn pem(sort: &str, body: &[String]) -> String {
    format!("{}\n{}\n{}\n", key_line("BEGIN", sort), body.join("\n"), key_line("END", sort))
}

#[test]
fn a_private_key_is_found_whole_in_a_file_a_listing_a_string_and_a_fragment() {
    let body = [random(50, 64), random(51, 64), random(52, 30) + "=="];
    let gone = |text: &str| {
        let masked = masked(text);
        assert!(body.iter().all(|line| !masked.contains(line.as_str())), "{masked}");
        assert!(count_markers(&masked) > 0, "{masked}");
    };
    for sort in ["", "RSA ", "OPENSSH ", "EC ", "ENCRYPTED "] {
        let key = pem(sort, &body);
        gone(&key);
        gone(&key.replace('\n', "\\n"));
        let each =
            |around: fn(usize, &str) -> String| key.lines().enumerate().map(|(at, line)| around(at, line)).collect::<Vec<_>>();
        gone(&each(|at, line| format!("{}\t{line}", at + 1)).join("\n"));
        gone(&each(|_, line| format!("+    \"{line}\\n\"")).join("\n"));
        gone(&key[..key.find("-----END").unwrap()]);
        gone(&key[key.find('\n').unwrap() + 1..]);
    }
    let begin = key_line("BEGIN", "RSA ");
    gone(&format!("{begin}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{}\n\n{}\n", hex(1, 32), body.join("\n")));
    gone(&pem("", &body).replace('\n', "\r\n"));
}

#[test]
fn a_program_that_speaks_of_private_keys_holds_none() {
    let begin = key_line("BEGIN", "");
    is_plain(&format!("if text.starts_with(\"{begin}\") {{\n    return parse_private_key(text, Format::Pkcs8);\n}}\n"));
    is_plain(&format!("{}\n{}\n", begin.replace("PRIVATE", "PUBLIC"), random(1, 64)));
}

#[test]
fn hostile_texts_take_no_longer_than_their_length_asks_for() {
    let begin = key_line("BEGIN", "");
    let end = key_line("END", "");
    for unit in [
        "token",
        "token=",
        "token:",
        "eyJ",
        ".eyJ",
        "sk-ant-",
        "://",
        "://a:",
        "-sk-",
        ":AA",
        "secret=\"",
        "bearer ",
        &begin,
        &end,
    ] {
        let text = unit.repeat((256 << 10) / unit.len());
        assert!(Secrecy::default().find(text.as_bytes()).is_empty(), "{unit}");
        let lines = format!("{unit}\n").repeat((256 << 10) / unit.len());
        assert!(Secrecy::default().find(lines.as_bytes()).is_empty(), "{unit}");
    }
}

#[test]
fn bytes_that_are_no_text_are_scanned_too() {
    let mut bytes = vec![0_u8, 255, 254, 10];
    bytes.extend(github().bytes());
    bytes.extend([0, 200]);
    let found = Secrecy::default().find(&bytes);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].start, found[0].kind.to_string().as_str()), (4, "GitHub token"));
}

#[test]
fn letters_beyond_ascii_around_a_secret_are_kept() {
    is_masked(&format!("schlüssel „{}“ — é", github()), &github(), "GitHub token");
}
