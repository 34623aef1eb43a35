//! What `inspan config` and `inspan init` print.

use expect_test::expect_file;

use super::{
    super::{commented_defaults, keys::KEYS},
    loaded,
};

const WITH_SECRETS: &str = r#"
## inspan.toml
model = "mine/m"
[gate]
commands = ["make \"all\"", "make test"]
[providers.mine]
base_url = "https://mine.example/v1"
api_key_env = "MINE"
price = { hit = 0.1, miss = 1, output = 2 }
## env
MINE=hush-hush
INSPAN_API_KEY=hush-hush
INSPAN_BASE_URL=http://localhost:1/v1
"#;

#[test]
fn effective_values_are_shown_with_their_origins() {
    expect_file!["effective.txt"].assert_eq(&loaded(WITH_SECRETS).render());
}

#[test]
fn secrets_are_shown_nowhere() {
    let config = loaded(WITH_SECRETS);
    let choice = config.lineup(super::super::Role::Worker).expect("a model").remove(0);
    assert_eq!(choice.api_key.as_ref().map(super::super::Secret::reveal), Some("hush-hush"));
    for text in [config.render(), config.to_json().to_string(), format!("{config:?}"), format!("{choice:?}")] {
        assert!(!text.contains("hush") && text.contains("_KEY"), "{text}");
    }
}

#[test]
fn the_commented_file_explains_every_key() {
    expect_file!["commented.toml"].assert_eq(&commented_defaults());
}

/// Takes the comment sign off every line that is a key or the head of a table.
fn uncommented(with_examples: bool) -> String {
    let text = commented_defaults();
    let mut unset = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_key = bare.starts_with('[') || bare.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
        if !is_key {
            unset = line.ends_with("Not set.") || line.contains("A server of your own");
        } else if with_examples || !unset {
            lines.push(bare);
        }
        if line.starts_with("# [providers") && !with_examples {
            break;
        }
    }
    lines.join("\n")
}

#[test]
fn the_commented_file_says_the_defaults_and_its_examples_are_valid() {
    let defaults = loaded("").settings;
    assert_eq!(loaded(&format!("## inspan.toml\n{}", commented_defaults())).settings, defaults);
    let read = loaded(&format!("## inspan.toml\n{}", uncommented(false))).settings;
    let values =
        |settings: &super::super::Settings| settings.iter().map(|(k, s)| (k.clone(), s.value.clone())).collect::<Vec<_>>();
    assert_eq!(values(&read), values(&defaults));
    let set_there = |name: &str| matches!(read[name].origin, super::Origin::Repository { .. });
    assert!(KEYS.iter().filter(|key| key.default.is_some()).all(|key| set_there(key.name)));
    let all = loaded(&format!("## inspan.toml\n{}", uncommented(true)));
    assert!(KEYS.iter().all(|key| all.settings.contains_key(key.name)));
    assert!(all.settings.contains_key("providers.example.request_timeout"));
}
