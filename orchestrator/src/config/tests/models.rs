//! Which model a role gets, from which provider, with which key.

use expect_test::{Expect, expect};

use plans::catalogue::Catalogue as _;

use super::{
    super::{ModelChoice, Role},
    load,
};

/// What both roles use, in a few words each.
fn check(text: &str, expected: &Expect) {
    let config = load(text).expect("valid configuration");
    let of = |role| config.lineup(role).map_or_else(|error| format!("error: {error}"), |lineup| in_words(&lineup[0]));
    let (planner, worker) = (of(Role::Planner), of(Role::Worker));
    let all = if planner == worker { worker } else { format!("planner: {planner}\nworker: {worker}") };
    expected.assert_eq(&format!("{all}\n"));
}

fn in_words(choice: &ModelChoice) -> String {
    let key = choice.api_key.as_ref().map_or("no key", |key| if key.reveal().is_empty() { "empty key" } else { key.reveal() });
    let price = choice.price.as_ref().map_or_else(|| "unknown".to_owned(), |tariff| tariff.price.output.to_string());
    let ModelChoice { provider, model, base_url, dialect, key_env, context_window, .. } = choice;
    let variable = key_env.as_deref().unwrap_or("-");
    format!("{provider} | {model} | {base_url} | {dialect:?} | {variable}: {key} | {price} | {context_window}")
}

#[test]
fn no_model_at_all_tells_the_three_ways_to_choose_one() {
    check(
        "",
        &expect![[r#"
            error: no model is configured; choose one in one of three ways:
              set DEEPSEEK_API_KEY to use deepseek/deepseek-flash
              put model = "provider/model" into inspan.toml, such as "ollama/qwen3-coder"
              set INSPAN_BASE_URL, INSPAN_MODEL and, where the server wants one, INSPAN_API_KEY, for any OpenAI-compatible server
        "#]],
    );
}

#[test]
fn a_deepseek_key_alone_is_enough() {
    check(
        "## env\nDEEPSEEK_API_KEY=k1",
        &expect![[r#"
        deepseek | deepseek-flash | https://api.deepseek.com/v1 | OpenAiChat | DEEPSEEK_API_KEY: k1 | $0.60 | 1000000
    "#]],
    );
}

#[test]
fn a_missing_key_names_the_variable() {
    check(
        "## inspan.toml\nmodel = \"openai/some-model\"",
        &expect![[r#"
            error: inspan.toml:1: openai/some-model wants a key: set OPENAI_API_KEY (or INSPAN_API_KEY for this run)
        "#]],
    );
}

#[test]
fn a_local_server_needs_no_key() {
    check(
        "## env\nINSPAN_MODEL=ollama/qwen3-coder:30b",
        &expect![[r#"
        ollama | qwen3-coder:30b | http://localhost:11434/v1 | OpenAiChat | -: no key | unknown | 128000
    "#]],
    );
}

#[test]
fn roles_can_have_models_of_their_own_and_the_environment_overrides_both() {
    let files = "## inspan.toml\nmodel = \"deepseek/deepseek-flash\"\nmodels.planner = \"deepseek/deepseek-v4-pro\"\n";
    check(
        &format!("{files}## env\nDEEPSEEK_API_KEY=k1\n"),
        &expect![[r#"
            planner: deepseek | deepseek-v4-pro | https://api.deepseek.com/v1 | OpenAiChat | DEEPSEEK_API_KEY: k1 | $1.98 | 1000000
            worker: deepseek | deepseek-flash | https://api.deepseek.com/v1 | OpenAiChat | DEEPSEEK_API_KEY: k1 | $0.60 | 1000000
        "#]],
    );
    check(
        &format!("{files}## env\nDEEPSEEK_API_KEY=k1\nINSPAN_MODEL=vllm/a\n"),
        &expect![[r#"
        vllm | a | http://localhost:8000/v1 | OpenAiChat | -: no key | unknown | 128000
    "#]],
    );
    check(
        &format!("{files}## env\nINSPAN_MODEL=vllm/a\nINSPAN_MODEL_PLANNER=vllm/b\n"),
        &expect![[r#"
            planner: vllm | b | http://localhost:8000/v1 | OpenAiChat | -: no key | unknown | 128000
            worker: vllm | a | http://localhost:8000/v1 | OpenAiChat | -: no key | unknown | 128000
        "#]],
    );
}

#[test]
fn a_base_url_takes_any_model_and_only_the_key_that_was_given_for_it() {
    let env = "## env\nDEEPSEEK_API_KEY=k1\nINSPAN_BASE_URL=http://127.0.0.1:9/v1/\n";
    check(
        &format!("{env}INSPAN_API_KEY=k2\nINSPAN_MODEL=qwen/qwen3-coder"),
        &expect![[r#"
        custom | qwen/qwen3-coder | http://127.0.0.1:9/v1 | OpenAiChat | INSPAN_API_KEY: k2 | unknown | 128000
    "#]],
    );
    check(
        &format!("{env}INSPAN_API_KEY=k2\nINSPAN_MODEL=deepseek/deepseek-flash"),
        &expect![[r#"
        deepseek | deepseek-flash | http://127.0.0.1:9/v1 | OpenAiChat | INSPAN_API_KEY: k2 | $0.60 | 1000000
    "#]],
    );
    check(
        &format!("{env}INSPAN_MODEL=bare"),
        &expect![[r#"
        custom | bare | http://127.0.0.1:9/v1 | OpenAiChat | INSPAN_API_KEY: no key | unknown | 128000
    "#]],
    );
    check(
        &format!("{env}INSPAN_MODEL=anthropic/some-model"),
        &expect![[r#"
            custom | anthropic/some-model | http://127.0.0.1:9/v1 | OpenAiChat | INSPAN_API_KEY: no key | unknown | 128000
        "#]],
    );
    check(
        env,
        &expect![[r#"
        error: INSPAN_BASE_URL is set, but no model: set INSPAN_MODEL to the name of a model of that server
    "#]],
    );
}

#[test]
fn a_provider_of_ones_own_is_spoken_to_as_configured_and_its_models_go_first() {
    check(
        r#"
## user.toml
[providers.mine]
base_url = "https://mine.example/v1"
api_key_env = "MINE"
context_window = 64_000
price = { hit = 0.1, miss = 1, output = 2 }
## inspan.toml
models.worker = "mine/big/one"
models.planner = "mine/small"
[providers.mine.models."big/one"]
context_window = 1_000_000
price = { hit = 0, miss = 1, output = 9.5 }
## env
MINE= k3
"#,
        &expect![[r#"
            planner: mine | small | https://mine.example/v1 | OpenAiChat | MINE: k3 | $2.00 | 64000
            worker: mine | big/one | https://mine.example/v1 | OpenAiChat | MINE: k3 | $9.50 | 1000000
        "#]],
    );
}

#[test]
fn a_script_is_a_model_whose_name_is_a_path() {
    check(
        "## env\nINSPAN_MODEL=scripted//tmp/turns.toml\nINSPAN_BASE_URL=http://127.0.0.1:9/v1",
        &expect![[r#"
        scripted | /tmp/turns.toml |  | Scripted | -: no key | unknown | 128000
    "#]],
    );
}

#[test]
fn names_that_lead_nowhere_say_what_to_write_instead() {
    check(
        "## env\nINSPAN_MODEL=deepsek/deepseek-flash",
        &expect![[r#"
            error: INSPAN_MODEL: `deepsek/deepseek-flash` names no model: there is no provider `deepsek` (did you mean `deepseek`?); known are anthropic, deepseek, llamacpp, ollama, openai, openai-chat, openrouter, replay, scripted, vllm; add it as [providers.deepsek], or set INSPAN_BASE_URL for a server of your own
        "#]],
    );
    check(
        "## inspan.toml\n\nmodel = \"deepseek-flash\"",
        &expect![[r#"
        error: inspan.toml:2: `deepseek-flash` names no model: write provider/model, such as deepseek/deepseek-flash, or set INSPAN_BASE_URL for a server of your own
    "#]],
    );
    check(
        "## inspan.toml\nmodel = \"mine/x\"\nproviders.mine.retries = 1",
        &expect![[r#"
        error: inspan.toml:2: `mine/x` names no model: the provider has no address; set base_url in [providers.mine]
    "#]],
    );
    check(
        "## env\nANTHROPIC_API_KEY=k4\nINSPAN_MODEL=anthropic/some-model",
        &expect![[r#"
            anthropic | some-model | https://api.anthropic.com/v1 | AnthropicMessages | ANTHROPIC_API_KEY: k4 | unknown | 200000
        "#]],
    );
}

#[test]
fn all_that_a_provider_may_say_reaches_the_choice() {
    let config = load(
        r#"
## inspan.toml
model = "mine/m"
[providers.mine]
base_url = "https://mine.example/v1"
max_output = 1
reasoning_roundtrip = true
encrypted_reasoning = false
strict_tools = true
retries = 0
idle_timeout = "1s"
request_timeout = "1m 30s"
[providers.mine.extra_body]
thinking = { type = "disabled", budget = [1, 2.5] }
"#,
    );
    let choice = config.expect("valid configuration").lineup(Role::Worker).expect("a model").remove(0);
    expect![[r#"
        ModelChoice {
            provider: "mine",
            model: "m",
            name: "mine/m",
            base_url: "https://mine.example/v1",
            dialect: OpenAiChat,
            api_key: None,
            key_env: None,
            price: None,
            context_window: 128000,
            context_budget: None,
            max_output: 1,
            capabilities: Capabilities {
                streaming: true,
                parallel_calls: true,
                reasoning_roundtrip: true,
                encrypted_reasoning: false,
                strict_tools: true,
                cache: Automatic,
                max_tokens_key: "",
                affinity_key: "",
                auth_header: Dialect,
            },
            headers: {},
            extra_body: {
                "thinking": Object {
                    "budget": Array [
                        Number(1),
                        Number(2.5),
                    ],
                    "type": String("disabled"),
                },
            },
            retries: 0,
            retry_wait: 500ms,
            idle_timeout: 1s,
            request_timeout: 90s,
        }
    "#]]
    .assert_debug_eq(&choice);
}

/// The names of every role's models.
fn lineups(text: &str) -> String {
    let config = load(text).expect("valid configuration");
    let names = |lineup: Vec<ModelChoice>| lineup.into_iter().map(|choice| choice.name).collect::<Vec<_>>().join(", ");
    let of = |role| config.lineup(role).map_or_else(|error| format!("error: {error}"), names);
    Role::ALL.map(|role| format!("{role}: {}\n", of(role))).concat()
}

#[test]
fn every_role_can_have_a_model_and_stand_ins_and_a_higher_source_goes_before_all_of_them() {
    let files = r#"
## inspan.toml
model = "vllm/usual"
[models]
resolver = "vllm/mender"
escalation = "vllm/strong"
[models.fallback]
worker = ["ollama/a", "vllm/usual", "ollama/b"]
summariser = ["ollama/short"]
"#;
    expect![[r#"
        planner: vllm/usual
        worker: vllm/usual, ollama/a, ollama/b
        resolver: vllm/mender
        summariser: vllm/usual, ollama/short
        escalation: vllm/strong
    "#]]
    .assert_eq(&lineups(files));
    expect![[r#"
        planner: ollama/x
        worker: ollama/x
        resolver: 
        summariser: 
        escalation: 
    "#]]
    .assert_eq(&lineups(&format!("{files}## env\nINSPAN_MODEL=ollama/x\n")));
    let env =
        "INSPAN_MODEL_WORKER=ollama/w\nINSPAN_MODEL_FALLBACK_ESCALATION=ollama/p, ollama/q\nINSPAN_MODEL_SUMMARISER=ollama/s\n";
    expect![[r#"
        planner: vllm/usual
        worker: ollama/w, ollama/a, vllm/usual, ollama/b
        resolver: vllm/mender
        summariser: ollama/s, ollama/short
        escalation: vllm/strong, ollama/p, ollama/q
    "#]]
    .assert_eq(&lineups(&format!("{files}## env\n{env}")));
    expect![[r#"
        planner: vllm/a
        worker: error: inspan.toml:4: openai/b wants a key: set OPENAI_API_KEY (or INSPAN_API_KEY for this run)
        resolver: 
        summariser: 
        escalation: error: inspan.toml:2: `opnai/x` names no model: there is no provider `opnai` (did you mean `openai`?); known are anthropic, deepseek, llamacpp, ollama, openai, openai-chat, openrouter, replay, scripted, vllm; add it as [providers.opnai], or set INSPAN_BASE_URL for a server of your own
    "#]].assert_eq(&lineups(
        "## inspan.toml\nmodel = \"vllm/a\"\nmodels.escalation = \"opnai/x\"\n[models.fallback]\nworker = [\"openai/b\"]\n",
    ));
}

#[test]
fn an_address_for_one_run_is_spoken_to_as_chat_whatever_the_name_unless_the_dialect_is_said() {
    let env = "## env\nINSPAN_BASE_URL=http://127.0.0.1:9/v1\nINSPAN_MODEL";
    for (name, dialect, expected) in [
        ("anthropic/m", "", "custom | anthropic/m | OpenAiChat | Automatic"),
        ("openai/m", "", "custom | openai/m | OpenAiChat | Automatic"),
        ("deepseek/m", "", "deepseek | m | OpenAiChat | Warmed"),
        ("anthropic/m", "anthropic-messages", "anthropic | m | AnthropicMessages | Breakpoints"),
        ("m", "anthropic-messages", "custom | m | AnthropicMessages | Breakpoints"),
        ("openai/m", "openai-responses", "openai | m | OpenAiResponses | Automatic"),
        ("deepseek/m", "openai-responses", "custom | deepseek/m | OpenAiResponses | Automatic"),
    ] {
        let config = load(&format!("{env}={name}\nINSPAN_DIALECT={dialect}")).expect("valid configuration");
        let choice = config.lineup(Role::Worker).expect("a model").remove(0);
        let ModelChoice { provider, model, dialect, capabilities, .. } = choice;
        assert_eq!(format!("{provider} | {model} | {dialect:?} | {:?}", capabilities.cache), expected);
    }
    let config = load("## env\nINSPAN_DIALECT=openai-responses").expect("valid configuration");
    expect!["INSPAN_DIALECT is about INSPAN_BASE_URL, which is not set; a provider says `dialect` in its own table"]
        .assert_eq(&config.warnings.join("\n"));
    let refused = load("## env\nINSPAN_BASE_URL=http://h/v1\nINSPAN_DIALECT=scripted").expect_err("no server speaks it");
    expect!["INSPAN_DIALECT: give one of openai-chat, openai-responses, anthropic-messages"].assert_eq(&refused.to_string());
}

#[test]
fn a_plan_is_told_of_a_model_what_it_costs_whether_a_role_has_it_and_why_it_cannot_be_used() {
    let config = load(
        "## inspan.toml\nmodel = \"vllm/a\"\nmodels.fallback.planner = [\"deepseek/deepseek-flash\"]\n## env\nDEEPSEEK_API_KEY=k\n",
    );
    let config = config.expect("valid configuration");
    let told = |name: &str| match config.look_up(name) {
        Ok(facts) => format!("{name}: priced {}, configured {}\n", facts.price.is_some(), facts.configured),
        Err(why) => format!("{name}: {why}\n"),
    };
    let names = ["vllm/a", "vllm/b", "deepseek/deepseek-flash", "openai/x", "deepsek/x", "bare", ""];
    expect![[r#"
        vllm/a: priced false, configured true
        vllm/b: priced false, configured false
        deepseek/deepseek-flash: priced true, configured true
        openai/x: openai/x wants a key: set OPENAI_API_KEY (or INSPAN_API_KEY for this run)
        deepsek/x: there is no provider `deepsek` (did you mean `deepseek`?); known are anthropic, deepseek, llamacpp, ollama, openai, openai-chat, openrouter, replay, scripted, vllm; add it as [providers.deepsek], or set INSPAN_BASE_URL for a server of your own
        bare: write provider/model, such as deepseek/deepseek-flash, or set INSPAN_BASE_URL for a server of your own
        : write provider/model, such as deepseek/deepseek-flash, or set INSPAN_BASE_URL for a server of your own
    "#]].assert_eq(&names.map(told).concat());
}

#[test]
fn where_a_run_is_replayed_the_recording_answers_for_everybody_and_costs_nothing() {
    let file = "## inspan.toml\nmodel = \"vllm/usual\"\nmodels.escalation = \"vllm/strong\"\n";
    let roles = ["PLANNER", "WORKER", "RESOLVER", "SUMMARISER", "ESCALATION"];
    let env: String =
        roles.map(|role| format!("INSPAN_MODEL_{role}=ollama/a\nINSPAN_MODEL_FALLBACK_{role}=ollama/b, ollama/c\n")).concat();
    let text = format!("{file}## env\nINSPAN_MODEL=replay/folder\n{env}");
    expect![[r#"
        planner: replay/folder
        worker: replay/folder
        resolver: 
        summariser: 
        escalation: 
    "#]]
    .assert_eq(&lineups(&text));
    let config = load(&text).expect("valid configuration");
    let choice = config.named("openai/whatever").expect("the recording answers for it");
    assert_eq!((choice.name.as_str(), choice.dialect), ("replay/folder", super::super::Dialect::Replay));
    let free = Some(shared::Money::default());
    assert_eq!(choice.price.map(|tariff| tariff.price.output), free);
    assert_eq!(config.look_up("openai/whatever").map(|facts| facts.price.map(|price| price.output)), Ok(free));
}
