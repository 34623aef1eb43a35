//! Sources as a little text (`## inspan.toml`, `## user.toml`, `## env`), configuration as a snapshot.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes snapshots with them")]

mod models;
mod problems;
mod shown;

use std::path::PathBuf;

use super::{Config, ConfigError, Origin, Overrides, Review, Sources};

fn sources(text: &str) -> Sources {
    let mut sources = Sources::default();
    for section in format!("\n{text}").split("\n## ").skip(1) {
        let (name, content) = section.split_once('\n').unwrap_or((section, ""));
        match name.trim() {
            "inspan.toml" => sources.repo = Some((PathBuf::from("inspan.toml"), content.to_owned())),
            "user.toml" => sources.user = Some((PathBuf::from("user.toml"), content.to_owned())),
            "env" => {
                let pairs = content.lines().filter_map(|line| line.split_once('='));
                sources.env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            }
            other => panic!("no source is called {other}"),
        }
    }
    sources
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::load(sources(text))
}

fn loaded(text: &str) -> Config {
    load(text).expect("valid configuration")
}

#[test]
fn each_source_goes_before_the_next_and_every_value_knows_its_own() {
    let mut sources = sources(
        "
## user.toml
[run]
workers = 2
review = \"always\"
replans = 9
attempts = 5
## inspan.toml
[run]

workers = 3
review = \"never\"
attempts = 6
## env
INSPAN_WORKERS=8
INSPAN_REVIEW=
INSPAN_ATTEMPTS=7
",
    );
    sources.flags = Overrides { workers: Some(16), max_cost_usd: Some(2.5), ..Overrides::default() };
    let config = Config::load(sources).expect("valid configuration");
    let of = |name: &str| config.settings.get(name).map(|setting| format!("{} {}", setting.value.to_toml(), setting.origin));
    for (name, expected) in [
        ("run.workers", "16 --workers"),
        ("run.attempts", "7 INSPAN_ATTEMPTS"),
        ("run.review", "\"never\" inspan.toml:4"),
        ("run.replans", "9 user.toml:4"),
        ("run.conflict_attempts", "3 default"),
        ("run.max_cost_usd", "2.5 --max-cost"),
    ] {
        assert_eq!(of(name).as_deref(), Some(expected));
    }
    assert_eq!((config.run.workers, config.run.review, config.run.replans), (16, Review::Never, 9));
    assert_eq!(config.settings["run.workers"].origin, Origin::Flag("--workers".to_owned()));
}

#[test]
fn without_any_source_the_defaults_hold() {
    let config = loaded("");
    assert_eq!((config.run.workers, config.run.attempts, config.run.conflict_attempts, config.run.replans), (4, 2, 3, 3));
    assert_eq!((config.task.turns, config.task.minutes, config.task.tokens), (Some(80), Some(30), None));
    assert_eq!((config.gate.commands, config.gate.timeout.as_secs()), (None, 1200));
    assert_eq!((config.run.review, config.worktrees, config.warnings.len()), (Review::First, None, 0));
}

#[test]
fn worktrees_are_made_in_the_cache_directory_unless_configured() {
    for (text, place) in [
        ("## env\nHOME=/home/me", "/home/me/.cache/inspan"),
        ("## env\nHOME=/home/me\nXDG_CACHE_HOME=/cache", "/cache/inspan"),
        ("## env\nHOME=/home/me\nXDG_CACHE_HOME=relative", "/home/me/.cache/inspan"),
        ("## env\nHOME=/home/me\nINSPAN_WORKTREES=~/trees", "/home/me/trees"),
        ("## inspan.toml\n[paths]\nworktrees = \"/big disk/trees\"", "/big disk/trees"),
    ] {
        assert_eq!(loaded(text).worktrees, Some(PathBuf::from(place)), "{text}");
    }
}

#[test]
fn variables_are_passed_by_name_or_prefix_but_never_the_key_of_a_model() {
    let config = loaded("## inspan.toml\n[env]\npass = [\"PG*\", \"TZ\", \"*\"]\n[providers.mine]\napi_key_env = \"MY_KEY\"\n");
    for variable in ["PGHOST", "TZ", "ANYTHING"] {
        assert!(config.passes(variable), "{variable}");
    }
    for variable in ["MY_KEY", "DEEPSEEK_API_KEY", "OPENAI_API_KEY", "INSPAN_API_KEY"] {
        assert!(!config.passes(variable), "{variable}");
    }
    let narrow = loaded("## env\nINSPAN_ENV_PASS=PG*, TZ");
    assert!(narrow.passes("PGHOST") && narrow.passes("TZ") && !narrow.passes("TZDIR"));
    assert!(!loaded("").passes("PGHOST"));
}

#[test]
fn variables_that_mean_nothing_are_warned_of_and_those_of_children_are_not() {
    let config = loaded("## env\nINSPAN_WORKER=3\nINSPAN_ATTEMPT=1\nINSPAN_PORT_2=1\nINSPAN_BRIEF=x\nPATH=/bin\n");
    assert_eq!(config.warnings, ["the variable INSPAN_WORKER means nothing to inspan; did you mean INSPAN_WORKERS?"]);
}

#[test]
fn rules_about_generated_files_are_a_list_or_tables_of_their_own() {
    let list = loaded("## inspan.toml\n[merge]\ngenerated = [{ files = \"api/*.go\", command = \"make api\" }]\n");
    let tables = loaded("## inspan.toml\n[[merge.generated]]\nfiles = \"api/*.go\"\ncommand = \"make api\"\n");
    assert_eq!(list.generated, tables.generated);
    let rule = &list.generated[0];
    assert_eq!((rule.files.as_str(), rule.command.as_str()), ("api/*.go", "make api"));
    let shown = list.settings["merge.generated"].value.to_toml();
    assert_eq!(shown, "[{ files = \"api/*.go\", command = \"make api\" }]");
    assert_eq!(loaded("").generated, []);
}
