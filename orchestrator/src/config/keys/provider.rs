//! The keys of a provider, and of one model of it.

use super::{Key, Kind, such_as};

/// How a server is spoken to.
const DIALECTS: &[&str] = &["openai-chat", "openai-responses", "anthropic-messages", "scripted", "replay"];
/// How a provider keeps the beginnings of requests.
const CACHES: &[&str] = &["none", "automatic", "warmed", "breakpoints"];
/// How a server at an address that one run is given may be spoken to.
pub(in crate::config) const SPOKEN: &[&str] = &["openai-chat", "openai-responses", "anthropic-messages"];
/// Where a key goes.
const AUTH_HEADERS: &[&str] = &["authorization", "x-api-key", "api-key"];

const fn within_provider(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, variable: None, default: None, example: "", about }
}

/// The keys of `[providers.NAME]`.
pub(in crate::config) const PROVIDER_KEYS: &[Key] = &[
    such_as(r#""https://example.org/v1""#, within_provider("base_url", Kind::Url, "The address, up to and including /v1.")),
    such_as(r#""openai-chat""#, within_provider("dialect", Kind::OneOf(DIALECTS), "How it is spoken to.")),
    such_as(
        r#""EXAMPLE_API_KEY""#,
        within_provider("api_key_env", Kind::Text, "The variable that holds the key. Left out, no key is sent."),
    ),
    such_as(
        "128_000",
        within_provider("context_window", Kind::Count(1), "How many tokens a request and its answer may be together."),
    ),
    such_as(
        "100_000",
        within_provider(
            "context_budget",
            Kind::Count(1_000),
            "From how many tokens on a conversation is made shorter; left out, at three quarters of the window.",
        ),
    ),
    such_as("16_384", within_provider("max_output", Kind::Count(1), "How many tokens one answer may have.")),
    such_as("true", within_provider("streaming", Kind::Flag, "Whether answers are asked for as a stream.")),
    such_as("true", within_provider("parallel_calls", Kind::Flag, "Whether the model may ask for several calls at once.")),
    such_as(
        r#""automatic""#,
        within_provider(
            "cache",
            Kind::OneOf(CACHES),
            "How it keeps the beginnings of requests: none, automatic, warmed (by one request before many), breakpoints.",
        ),
    ),
    such_as(
        r#""max_completion_tokens""#,
        within_provider(
            "max_tokens_key",
            Kind::Text,
            "The member of a request that bounds the answer, where it has another name.",
        ),
    ),
    such_as(
        r#""prompt_cache_key""#,
        within_provider(
            "affinity_key",
            Kind::Text,
            "The member of a request that carries the run's id, so that it meets its cache.",
        ),
    ),
    such_as(
        r#""api-key""#,
        within_provider("auth_header", Kind::OneOf(AUTH_HEADERS), "The header that carries the key, where it is another."),
    ),
    such_as(r#"{ x-title = "Inspan" }"#, within_provider("headers", Kind::Table, "Further headers of each request.")),
    such_as("false", within_provider("reasoning_roundtrip", Kind::Flag, "Whether earlier reasoning must be sent back.")),
    such_as(
        "true",
        within_provider(
            "encrypted_reasoning",
            Kind::Flag,
            "Whether encrypted reasoning is asked for (openai-responses); models that do not reason refuse it.",
        ),
    ),
    such_as("false", within_provider("strict_tools", Kind::Flag, "Whether the server knows strict tools.")),
    such_as("{ temperature = 0.2 }", within_provider("extra_body", Kind::Table, "Further members of each request.")),
    such_as(
        "{ hit = 0.1, miss = 0.5, output = 2.0 }",
        within_provider(
            "price",
            Kind::Price,
            "Dollars a million tokens: cached (hit), other (miss), written by the model (output), put into the cache (write).",
        ),
    ),
    such_as(
        "5",
        within_provider("retries", Kind::Count(0), "How often a request that failed for a passing reason is sent again."),
    ),
    such_as(
        r#""500ms""#,
        within_provider("retry_wait", Kind::Duration, "How long until it is sent again for the first time; then twice as long."),
    ),
    such_as(r#""3m""#, within_provider("idle_timeout", Kind::Duration, "How long nothing at all may come.")),
    such_as(r#""20m""#, within_provider("request_timeout", Kind::Duration, "How long one answer may take.")),
];

/// The keys of `[providers.NAME.models."MODEL"]`, which go before the provider's.
pub(in crate::config) const MODEL_KEYS: &[&str] = &[
    "price",
    "context_window",
    "context_budget",
    "max_output",
    "streaming",
    "parallel_calls",
    "cache",
    "max_tokens_key",
    "reasoning_roundtrip",
    "encrypted_reasoning",
    "strict_tools",
    "extra_body",
];

/// The key of `[providers.NAME]` with this name.
pub(in crate::config) fn provider_key(name: &str) -> Option<&'static Key> {
    PROVIDER_KEYS.iter().find(|key| key.name == name)
}
