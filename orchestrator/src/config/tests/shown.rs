//! What `inspan config` and `inspan init` print.

use expect_test::{expect, expect_file};

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
    expect![[r#"
        model                      = "mine/m"                          inspan.toml:1
        models.planner             = -                                 not set
        models.worker              = -                                 not set
        models.resolver            = -                                 not set
        models.summariser          = -                                 not set
        models.escalation          = -                                 not set
        models.fallback.planner    = -                                 not set
        models.fallback.worker     = -                                 not set
        models.fallback.resolver   = -                                 not set
        models.fallback.summariser = -                                 not set
        models.fallback.escalation = -                                 not set
        run.workers                = 4                                 default
        run.review                 = "first"                           default
        run.max_cost_usd           = -                                 not set
        run.max_tokens             = -                                 not set
        run.max_minutes            = -                                 not set
        run.attempts               = 2                                 default
        run.conflict_attempts      = 3                                 default
        run.replans                = 3                                 default
        task.turns                 = 80                                default
        task.tokens                = -                                 not set
        task.cost_usd              = -                                 not set
        task.minutes               = 30                                default
        gate.commands              = ['make "all"', "make test"]       inspan.toml:3
        gate.timeout               = "20m"                             default
        merge.generated            = -                                 not set
        landing.batch              = 32                                default
        landing.speculate          = true                              default
        context.map_tokens         = 2000                              default
        env.pass                   = []                                default
        sandbox.tier               = "auto"                            default
        sandbox.read               = []                                default
        sandbox.write              = []                                default
        sandbox.build              = []                                default
        sandbox.heavy              = -                                 not set
        sandbox.memory_mb          = 8192                              default
        sandbox.processes          = 1024                              default
        sandbox.file_mb            = 4096                              default
        sandbox.open_files         = 4096                              default
        sandbox.cpu_minutes        = 60                                default
        sandbox.disk_mb            = 16384                             default
        secrets.deny               = []                                default
        secrets.allow              = []                                default
        approvals.allow            = -                                 not set
        approvals.ask              = -                                 not set
        approvals.deny             = -                                 not set
        approvals.default          = "allow"                           default
        approvals.ask_paths        = -                                 not set
        approvals.deny_paths       = -                                 not set
        approvals.unattended       = "deny"                            default
        approvals.deadline         = "10m"                             default
        paths.worktrees            = -                                 not set

        planner uses mine/m
        worker uses mine/m
        resolver is whichever model has the task
        summariser is whichever model has the conversation
        escalation is off
        INSPAN_BASE_URL = http://localhost:1/v1, for every role, spoken to as openai-chat
        INSPAN_API_KEY is set, for every role
        built-in prices as of 2026-11-22; a `price` of your own goes before them

        providers
          anthropic    https://api.anthropic.com/v1      anthropic-messages ANTHROPIC_API_KEY missing
          deepseek     https://api.deepseek.com/v1       openai-chat        DEEPSEEK_API_KEY missing
          llamacpp     http://localhost:8080/v1          openai-chat        no key
          mine         https://mine.example/v1           openai-chat        MINE set
          ollama       http://localhost:11434/v1         openai-chat        no key
          openai-chat  https://api.openai.com/v1         openai-chat        OPENAI_API_KEY missing
          openai       https://api.openai.com/v1         openai-responses   OPENAI_API_KEY missing
          openrouter   https://openrouter.ai/api/v1      openai-chat        OPENROUTER_API_KEY missing
          scripted     -                                 scripted           no key
          vllm         http://localhost:8000/v1          openai-chat        no key
        providers.mine.api_key_env = "MINE"  inspan.toml:6
        providers.mine.base_url = "https://mine.example/v1"  inspan.toml:5
        providers.mine.price = { hit = 0.1, miss = 1, output = 2 }  inspan.toml:7
    "#]]
    .assert_eq(&loaded(WITH_SECRETS).render());
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
