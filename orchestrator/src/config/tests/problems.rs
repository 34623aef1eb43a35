//! What is said of files that cannot be read as configuration.

use expect_test::{Expect, expect};

use super::{super::Overrides, load, sources};
use crate::config::Config;

fn check(text: &str, expected: &Expect) {
    let problems = load(text).expect_err("a problem").to_string();
    expected.assert_eq(&problems);
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_known_one() {
    check(
        r#"
## inspan.toml
workers = 4
modell = "a/b"

[run]
wokers = 4
max_cost = 2
reviews = "first"
zzz = 1
[tasks]
turns = 3
[providers.mine]
base_ulr = "http://x/v1"
[providers.mine.models."a/b"]
retries = 2
contextwindow = 1
"#,
        &expect![[r#"
            inspan.toml:1: there is no key `workers`; did you mean `run.workers`?
            inspan.toml:2: there is no key `modell`; did you mean `model`?
            inspan.toml:5: there is no key `run.wokers`; did you mean `run.workers`?
            inspan.toml:6: there is no key `run.max_cost`; did you mean `run.max_cost_usd`?
            inspan.toml:7: there is no key `run.reviews`; did you mean `run.review`?
            inspan.toml:8: there is no key `run.zzz`
            inspan.toml:9: there is no key `tasks`; did you mean `task`?
            inspan.toml:12: there is no key `providers.mine.base_ulr`; did you mean `providers.mine.base_url`?
            inspan.toml:14: there is no key `providers.mine.models."a/b".retries`
            inspan.toml:15: there is no key `providers.mine.models."a/b".contextwindow`; did you mean `providers.mine.models."a/b".context_window`?"#]],
    );
}

#[test]
fn a_value_that_does_not_fit_is_told_with_what_is_wanted() {
    check(
        r#"
## inspan.toml
model = ""
run = 3
[task]
turns = 0
minutes = -1
tokens = "many"
cost_usd = -2.0
[gate]
commands = "cargo test"
timeout = 20
[env]
pass = ["A", 3]
[paths]
worktrees = "../trees"
[providers]
short = 1
"a/b" = {}
[providers.mine]
base_url = "https://me:secret@host/v1"
dialect = "grpc"
reasoning_roundtrip = "yes"
price = { hit = 1, miss = 2 }
extra_body = 3
models = 1
[providers.other]
price = { hit = 1, miss = 2, out = 3 }
base_url = "https://host/v1/chat/completions"
"#,
        &expect![[r#"
            inspan.toml:1: `model`: give a text
            inspan.toml:2: `run` is a table; write [run]
            inspan.toml:4: `task.turns`: give a whole number of at least 1
            inspan.toml:5: `task.minutes`: give a whole number of at least 1
            inspan.toml:6: `task.tokens`: give a whole number of at least 1
            inspan.toml:7: `task.cost_usd`: give an amount in dollars, such as 2.50
            inspan.toml:9: `gate.commands`: give a list of texts, such as ["a", "b"]
            inspan.toml:10: `gate.timeout`: give a text in quotes: a duration, such as 90s or 20m
            inspan.toml:12: `env.pass`: give a list of texts, such as ["a", "b"]
            inspan.toml:14: `paths.worktrees`: give an absolute path, or one that begins with ~/
            inspan.toml:16: `providers.short` is a table; write [providers.short]
            inspan.toml:17: `a/b` cannot name a provider; use letters, digits, - and _
            inspan.toml:19: `providers.mine.base_url`: give an address such as https://example.org/v1, without the key and without /chat/completions
            inspan.toml:20: `providers.mine.dialect`: give one of openai-chat, openai-responses, anthropic-messages, scripted, replay
            inspan.toml:21: `providers.mine.reasoning_roundtrip`: give true or false
            inspan.toml:22: `providers.mine.price`: `output` is missing; give { hit = …, miss = …, output = … }, and write = … where it costs other than a miss, in dollars a million tokens
            inspan.toml:23: `providers.mine.extra_body`: give a table
            inspan.toml:24: `providers.mine.models` is a table; write [providers.mine.models."MODEL"]
            inspan.toml:26: `providers.other.price`: `out` is no part of a price; give { hit = …, miss = …, output = … }, and write = … where it costs other than a miss, in dollars a million tokens
            inspan.toml:27: `providers.other.base_url`: give an address such as https://example.org/v1, without the key and without /chat/completions"#]],
    );
}

#[test]
fn the_problems_of_all_sources_come_at_once() {
    let mut sources = sources(
        "## inspan.toml\n[run]\nworkers = 0\n## user.toml\nx = [\n## env\nINSPAN_REVIEW=sometimes\nINSPAN_MAX_COST=free\nINSPAN_BASE_URL=host/v1\n",
    );
    sources.flags = Overrides { max_cost_usd: Some(f64::NAN), workers: Some(0), ..Overrides::default() };
    let problems = Config::load(sources).expect_err("problems").to_string();
    expect![[r#"
        user.toml:1: this is not TOML: unclosed array, expected `]`
        inspan.toml:2: `run.workers`: give a whole number of at least 1
        INSPAN_REVIEW: give one of always, first, never
        INSPAN_MAX_COST: give an amount in dollars, such as 2.50
        INSPAN_BASE_URL: give an address such as https://example.org/v1, without the key and without /chat/completions
        --workers: give a whole number of at least 1
        --max-cost: give an amount in dollars, such as 2.50"#]]
    .assert_eq(&problems);
}

#[test]
fn tables_within_tables_are_known_by_their_whole_name() {
    check(
        "## inspan.toml\n[models]\nplaner = \"x/y\"\nfallback = [\"a/b\"]\n[models.fallbck]\nworker = [\"a/b\"]\n",
        &expect![[r#"
            inspan.toml:2: there is no key `models.planer`; did you mean `models.planner`?
            inspan.toml:3: `models.fallback` is a table; write [models.fallback]
            inspan.toml:4: there is no key `models.fallbck`; did you mean `models.fallback`?"#]],
    );
    check(
        "## inspan.toml\n[models.fallback]\nworker = \"a/b\"\nwrker = [\"a/b\"]\n",
        &expect![[r#"
        inspan.toml:2: `models.fallback.worker`: give a list of texts, such as ["a", "b"]
        inspan.toml:3: there is no key `models.fallback.wrker`; did you mean `models.fallback.worker`?"#]],
    );
}

#[test]
fn an_empty_list_of_gate_commands_is_refused() {
    check(
        "## inspan.toml\ngate.commands = []\n",
        &expect!["inspan.toml:1: `gate.commands`: the list is empty; take the key out"],
    );
}

#[test]
fn rules_about_generated_files_that_do_not_fit_are_told() {
    for (rules, expected) in [
        (
            "generated = 3",
            expect![
                "inspan.toml:2: `merge.generated`: give a list such as [{ files = \"api/*.pb.go\", command = \"make api\" }]"
            ],
        ),
        (
            "generated = [{ files = \"a\" }]",
            expect![[r#"inspan.toml:2: `merge.generated`: `command` is missing; give { files = "glob", command = "…" }"#]],
        ),
        (
            "generated = [{ files = \"a\", command = \"x\", when = 1 }]",
            expect![[
                r#"inspan.toml:2: `merge.generated`: `when` is no part of a rule about generated files; give { files = "glob", command = "…" }"#
            ]],
        ),
        (
            "generated = [{ files = \"../a\", command = \"x\" }]",
            expect!["inspan.toml:2: `merge.generated`: `../a` leads out of the repository"],
        ),
        ("generate = []", expect!["inspan.toml:2: there is no key `merge.generate`; did you mean `merge.generated`?"]),
    ] {
        check(&format!("## inspan.toml\n[merge]\n{rules}\n"), &expected);
    }
}
