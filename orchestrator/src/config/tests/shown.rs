use expect_test::expect;

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
        model                  = "mine/m"                          inspan.toml:1
        models.planner         = -                                 not set
        models.worker          = -                                 not set
        run.workers            = 4                                 default
        run.review             = "first"                           default
        run.max_cost_usd       = -                                 not set
        run.max_tokens         = -                                 not set
        run.max_minutes        = -                                 not set
        run.attempts           = 2                                 default
        run.conflict_attempts  = 3                                 default
        run.replans            = 3                                 default
        task.turns             = 80                                default
        task.tokens            = -                                 not set
        task.cost_usd          = -                                 not set
        task.minutes           = 30                                default
        gate.commands          = ['make "all"', "make test"]       inspan.toml:3
        gate.timeout           = "20m"                             default
        env.pass               = []                                default
        paths.worktrees        = -                                 not set

        planner uses mine/m
        worker uses mine/m
        INSPAN_BASE_URL = http://localhost:1/v1, for every role
        INSPAN_API_KEY is set, for every role

        providers
          anthropic    https://api.anthropic.com/v1      anthropic    ANTHROPIC_API_KEY missing
          deepseek     https://api.deepseek.com/v1       openai-chat  DEEPSEEK_API_KEY missing
          llamacpp     http://localhost:8080/v1          openai-chat  no key
          mine         https://mine.example/v1           openai-chat  MINE set
          ollama       http://localhost:11434/v1         openai-chat  no key
          openai       https://api.openai.com/v1         openai-chat  OPENAI_API_KEY missing
          openrouter   https://openrouter.ai/api/v1      openai-chat  OPENROUTER_API_KEY missing
          scripted     -                                 scripted     no key
          vllm         http://localhost:8000/v1          openai-chat  no key
        providers.mine.api_key_env = "MINE"  inspan.toml:6
        providers.mine.base_url = "https://mine.example/v1"  inspan.toml:5
        providers.mine.price = { hit = 0.1, miss = 1, output = 2 }  inspan.toml:7
    "#]]
    .assert_eq(&loaded(WITH_SECRETS).render());
}

#[test]
fn secrets_are_shown_nowhere() {
    let config = loaded(WITH_SECRETS);
    let choice = config.model(super::super::Role::Worker).expect("a model");
    assert_eq!(choice.api_key.as_ref().map(super::super::Secret::reveal), Some("hush-hush"));
    for text in [config.render(), config.to_json().to_string(), format!("{config:?}"), format!("{choice:?}")] {
        assert!(!text.contains("hush") && text.contains("_KEY"), "{text}");
    }
}

#[test]
fn the_commented_file_explains_every_key() {
    expect![[r##"
        # How inspan works in this repository. Flags go before the environment, the environment before this file, this file before the
        # user's own (~/.config/inspan/config.toml). `inspan config` shows what is in effect, and where each value comes from.

        # The model of every role, as provider/model. Without one: DeepSeek, where DEEPSEEK_API_KEY is set. Not set.
        # model = "deepseek/deepseek-flash"

        [models]
        # The planner's model, where it is another. Not set.
        # planner = "deepseek/deepseek-v4-pro"

        # The workers' model, where it is another. Not set.
        # worker = "deepseek/deepseek-flash"

        [run]
        # How many workers there are at once.
        # workers = 4

        # When a person approves: each plan and re-plan (always), the plan (first), nothing (never).
        # review = "first"

        # What a whole run may cost. Not set.
        # max_cost_usd = 5.00

        # How many tokens a whole run may use. Not set.
        # max_tokens = 20_000_000

        # How long a whole run may take. Not set.
        # max_minutes = 240

        # How often a task is tried before its failure goes to the planner.
        # attempts = 2

        # How often a task that conflicts is tried again from the new tip.
        # conflict_attempts = 3

        # How often the plan may be changed.
        # replans = 3

        [task]
        # Model turns of one attempt, unless the plan says otherwise.
        # turns = 80

        # Tokens of one attempt. Not set.
        # tokens = 600_000

        # What one attempt may cost. Not set.
        # cost_usd = 0.50

        # How long one attempt may take.
        # minutes = 30

        [gate]
        # What must pass before the run branch moves. Left out, it is guessed from the manifests. Not set.
        # commands = ["cargo test --workspace"]

        # How long each of these commands may take.
        # timeout = "20m"

        [env]
        # Variables that commands of workers may see, beyond PATH and its like; a trailing * stands for any ending. Keys of models are never passed.
        # pass = []

        [paths]
        # Where worktrees are made. Left out, in the user's cache directory. Not set.
        # worktrees = "~/.cache/inspan"

        # A server of your own, or other prices and limits for one that is built in: deepseek, openai, openrouter, ollama, llamacpp, vllm.
        # Its models are then named example/MODEL.
        # [providers.example]
        # base_url = "https://example.org/v1"              # The address, up to and including /v1.
        # dialect = "openai-chat"                          # How it is spoken to.
        # api_key_env = "EXAMPLE_API_KEY"                  # The variable that holds the key. Left out, no key is sent.
        # context_window = 128_000                         # How many tokens a request and its answer may be together.
        # max_output = 16_384                              # How many tokens one answer may have.
        # reasoning_roundtrip = false                      # Whether earlier reasoning must be sent back.
        # strict_tools = false                             # Whether the server knows strict tools.
        # extra_body = { temperature = 0.2 }               # Further members of each request.
        # price = { hit = 0.1, miss = 0.5, output = 2.0 }  # Dollars a million tokens: cached, other, written.
        # retries = 5                                      # How often a request that failed for a passing reason is sent again.
        # idle_timeout = "3m"                              # How long nothing at all may come.
        # request_timeout = "20m"                          # How long one answer may take.
    "##]].assert_eq(&commented_defaults());
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
