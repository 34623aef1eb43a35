//! From the name of a model to everything needed to speak to it.
//!
//! With `INSPAN_BASE_URL` the model may have any name, and the address is spoken to as OpenAI-compatible chat unless `INSPAN_DIALECT` says
//! otherwise, whatever the name looks like: a gateway may well offer `anthropic/…` under that very name. A provider at the head of the name
//! that is spoken to in that way is stripped and lends its rules (price, window, reasoning); else the whole name is the model. Only
//! `INSPAN_API_KEY` goes to such an address: the key of a provider is sent to that provider.
//!
//! Which name a role has is in [`roles`](super::roles).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use serde_json::{Map, Value as Json};
use shared::Tariff;
use worker::model::{AuthHeader, Capabilities, PrefixCache};

use super::{
    Config, ConfigError, Secret, Settings,
    environment::{API_KEY, variable},
    keys::nearest,
    origin::Origin,
    settings::{count, duration, text},
    value::Value,
};

/// The provider of a model that only `INSPAN_BASE_URL` leads to.
const CUSTOM: &str = "custom";
pub(super) const DEFAULT_MODEL: &str = "deepseek/deepseek-flash";
pub(super) const DEFAULT_KEY: &str = "DEEPSEEK_API_KEY";

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI-compatible chat completions.
    OpenAiChat,
    /// `OpenAI`'s responses.
    OpenAiResponses,
    /// Anthropic's messages.
    AnthropicMessages,
    /// A file of turns; the model's name is its path.
    Scripted,
    /// A run that is over; the model's name is its id.
    Replay,
}

impl Dialect {
    const ALL: [Self; 5] = [Self::OpenAiChat, Self::OpenAiResponses, Self::AnthropicMessages, Self::Scripted, Self::Replay];

    /// The one that the configuration spells so.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
            Self::AnthropicMessages => "anthropic-messages",
            Self::Scripted => "scripted",
            Self::Replay => "replay",
        }
    }

    /// Whether it is answered without a server.
    fn is_local(self) -> bool {
        matches!(self, Self::Scripted | Self::Replay)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A model, as plain data.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelChoice {
    /// An entry of `[providers]`, or `custom`.
    pub provider: String,
    /// As the server knows it.
    pub model: String,
    /// `provider/model`
    pub name: String,
    /// Up to and including `/v1`, without a trailing `/`. Empty for scripts.
    pub base_url: String,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// The key; `None` where none is wanted.
    pub api_key: Option<Secret>,
    /// The variable that holds the key, or would.
    pub key_env: Option<String>,
    /// What it costs, where that is known.
    pub price: Option<Tariff>,
    /// How many tokens a request and its answer may be together.
    pub context_window: u64,
    /// From how many tokens on a conversation is made shorter, if that is said.
    pub context_budget: Option<u64>,
    /// How many tokens one answer may have.
    pub max_output: u64,
    /// What the endpoint can do and wants.
    pub capabilities: Capabilities,
    /// Further headers of each request.
    pub headers: BTreeMap<String, String>,
    /// Further members of each request.
    pub extra_body: Map<String, Json>,
    /// How often a request that failed for a passing reason is sent again.
    pub retries: u32,
    /// How long until it is sent again for the first time.
    pub retry_wait: Duration,
    /// How long nothing at all may come.
    pub idle_timeout: Duration,
    /// How long one answer may take.
    pub request_timeout: Duration,
}

/// All variables that may hold the key of a model.
pub(super) fn key_variables(settings: &Settings) -> impl Iterator<Item = &str> {
    let named = settings.iter().filter(|(name, _)| name.starts_with("providers.") && name.ends_with(".api_key_env"));
    let named = named.filter_map(|(_, setting)| match &setting.value {
        Value::Text(variable) => Some(variable.as_str()),
        _ => None,
    });
    named.chain([API_KEY, DEFAULT_KEY])
}

/// The keys that are set.
pub(super) fn secrets(settings: &Settings, env: &BTreeMap<String, String>) -> BTreeMap<String, Secret> {
    let held = |name: &str| Some((name.to_owned(), Secret::new(variable(env, name)?)));
    key_variables(settings).filter_map(held).collect()
}

impl Config {
    /// The model of a name that somebody gave.
    pub(super) fn choice(&self, name: &str, origin: &Origin) -> Result<ModelChoice, ConfigError> {
        let (provider, model) = self.split(name, origin)?;
        Choice { config: self, provider, model }.resolve(origin)
    }

    /// Provider and model of a name.
    fn split<'a>(&self, name: &'a str, origin: &Origin) -> Result<(&'a str, &'a str), ConfigError> {
        let parts = name.split_once('/').filter(|(provider, model)| !provider.is_empty() && !model.is_empty());
        let known = parts.filter(|(provider, _)| self.providers().any(|known| known == *provider));
        if self.endpoint.base_url.is_some() {
            let lends = |provider: &str| {
                let own = self.own_dialect(provider);
                own.is_local() || own == self.endpoint.dialect()
            };
            return Ok(known.filter(|(provider, _)| lends(provider)).unwrap_or((CUSTOM, name)));
        }
        known.ok_or_else(|| {
            let why = match parts {
                Some((provider, _)) => self.no_such_provider(provider),
                None => "write provider/model, such as deepseek/deepseek-flash, or set INSPAN_BASE_URL for a server of your own"
                    .to_owned(),
            };
            ConfigError::BadModel { name: name.to_owned(), origin: origin.clone(), why }
        })
    }

    fn no_such_provider(&self, provider: &str) -> String {
        let near = nearest(provider, self.providers()).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        let known = self.providers().collect::<Vec<_>>().join(", ");
        format!(
            "there is no provider `{provider}`{near}; known are {known}; add it as [providers.{provider}], or set INSPAN_BASE_URL for a \
             server of your own"
        )
    }

    /// The names of all providers, sorted.
    pub(super) fn providers(&self) -> impl Iterator<Item = &str> {
        let names = self.settings.keys().filter_map(|name| name.strip_prefix("providers.")?.split('.').next());
        names.collect::<BTreeSet<_>>().into_iter()
    }

    /// How a provider is spoken to at its own address.
    fn own_dialect(&self, provider: &str) -> Dialect {
        let named = text(&self.settings, &format!("providers.{provider}.dialect"));
        named.and_then(Dialect::named).unwrap_or(Dialect::OpenAiChat)
    }

    fn dialect(&self, provider: &str) -> Dialect {
        match self.own_dialect(provider) {
            own if own.is_local() || self.endpoint.base_url.is_none() => own,
            _ => self.endpoint.dialect(),
        }
    }
}

/// A name on its way to a [`ModelChoice`].
struct Choice<'a> {
    config: &'a Config,
    provider: &'a str,
    model: &'a str,
}

impl Choice<'_> {
    fn resolve(&self, origin: &Origin) -> Result<ModelChoice, ConfigError> {
        let name = format!("{}/{}", self.provider, self.model);
        let dialect = self.config.dialect(self.provider);
        let base_url = self.base_url(dialect, &name)?;
        let (key_env, api_key) = self.key(dialect, &name, origin)?;
        let settings = &self.config.settings;
        let number = |key: &str, default| self.key_of(key).and_then(|key| count(settings, &key)).unwrap_or(default);
        let time = |key: &str, minutes: u64| {
            self.key_of(key).and_then(|key| duration(settings, &key)).unwrap_or(Duration::from_secs(60 * minutes))
        };
        Ok(ModelChoice {
            provider: self.provider.to_owned(),
            model: self.model.to_owned(),
            name,
            base_url,
            dialect,
            api_key,
            key_env,
            price: self
                .value("price")
                .and_then(|value| if let Value::Price(tariff) = value { Some(tariff.clone()) } else { None }),
            context_window: number("context_window", 128_000),
            context_budget: self.key_of("context_budget").and_then(|key| count(settings, &key)),
            max_output: number("max_output", 16_384),
            capabilities: self.capabilities(dialect),
            headers: self.headers(),
            extra_body: match self.value("extra_body") {
                Some(Value::Table(table)) => table.clone(),
                _ => Map::new(),
            },
            retries: u32::try_from(number("retries", 5)).unwrap_or(u32::MAX),
            retry_wait: self.key_of("retry_wait").and_then(|key| duration(settings, &key)).unwrap_or(Duration::from_millis(500)),
            idle_timeout: time("idle_timeout", 3),
            request_timeout: time("request_timeout", 20),
        })
    }

    fn capabilities(&self, dialect: Dialect) -> Capabilities {
        let cache = match dialect {
            // It keeps nothing unless it is told where to.
            Dialect::AnthropicMessages => PrefixCache::Breakpoints,
            _ => Capabilities::default().cache,
        };
        let usual = Capabilities { cache, ..Capabilities::default() };
        let flag = |key: &str, otherwise| match self.value(key) {
            Some(Value::Flag(flag)) => *flag,
            _ => otherwise,
        };
        let word = |key: &str| self.key_of(key).and_then(|key| text(&self.config.settings, &key));
        Capabilities {
            streaming: flag("streaming", usual.streaming),
            parallel_calls: flag("parallel_calls", usual.parallel_calls),
            reasoning_roundtrip: flag("reasoning_roundtrip", usual.reasoning_roundtrip),
            encrypted_reasoning: flag("encrypted_reasoning", usual.encrypted_reasoning),
            strict_tools: flag("strict_tools", usual.strict_tools),
            cache: word("cache").and_then(PrefixCache::named).unwrap_or(usual.cache),
            max_tokens_key: word("max_tokens_key").unwrap_or_default().to_owned(),
            affinity_key: word("affinity_key").unwrap_or_default().to_owned(),
            auth_header: word("auth_header").and_then(AuthHeader::named).unwrap_or(usual.auth_header),
        }
    }

    /// A header that is no text is written as JSON writes it.
    fn headers(&self) -> BTreeMap<String, String> {
        let Some(Value::Table(table)) = self.value("headers") else { return BTreeMap::new() };
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    fn base_url(&self, dialect: Dialect, name: &str) -> Result<String, ConfigError> {
        if dialect.is_local() {
            return Ok(String::new());
        }
        let configured = self.key_of("base_url").and_then(|key| text(&self.config.settings, &key));
        let url = self.config.endpoint.base_url.as_deref().or(configured);
        url.map(str::to_owned).ok_or_else(|| {
            let why = format!("the provider has no address; set base_url in [providers.{}]", self.provider);
            let origin = self.config.settings.iter().find(|(key, _)| key.starts_with(&format!("providers.{}.", self.provider)));
            let origin = origin.map_or(Origin::Default, |(_, setting)| setting.origin.clone());
            ConfigError::BadModel { name: name.to_owned(), origin, why }
        })
    }

    /// The variable of the key, and the key.
    fn key(&self, dialect: Dialect, name: &str, origin: &Origin) -> Result<(Option<String>, Option<Secret>), ConfigError> {
        let given = self.config.endpoint.api_key.clone();
        let own = self.key_of("api_key_env").and_then(|key| text(&self.config.settings, &key));
        let is_elsewhere = self.config.endpoint.base_url.is_some();
        match own {
            _ if dialect.is_local() => Ok((None, None)),
            _ if is_elsewhere || given.is_some() => Ok((Some(API_KEY.to_owned()), given)),
            None => Ok((None, None)),
            Some(variable) => match self.config.secrets.get(variable) {
                Some(secret) => Ok((Some(variable.to_owned()), Some(secret.clone()))),
                None => Err(ConfigError::missing_key(name, variable, origin)),
            },
        }
    }

    /// The full name under which a key is set: the model's own, else the provider's.
    fn key_of(&self, key: &str) -> Option<String> {
        let own = format!("providers.{}.models.{:?}.{key}", self.provider, self.model);
        let general = format!("providers.{}.{key}", self.provider);
        [own, general].into_iter().find(|name| self.config.settings.contains_key(name))
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.key_of(key).and_then(|name| self.config.settings.get(&name)).map(|setting| &setting.value)
    }
}
