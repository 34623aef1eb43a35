//! What it takes to speak to a model, and [`connect`], which does.
//!
//! Where the settings come from (files, environment, flags) is not known here; nothing in this crate reads the environment.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use serde::ser::SerializeMap;
use serde_json::{Map, Value};
use shared::Price;

use super::{
    Capabilities, Governors, Model, ModelError,
    connection::Connection,
    governor::Governed,
    repair::Mending,
    replay::Replay,
    retry::{Patience, Retrying},
    scripted::Scripted,
};

/// A key. It shows itself to nobody: no `Display`, no `Serialize`, and a `Debug` without the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key, without the white space that files and shells like to leave around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The key itself, for the one header that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How a model is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI-compatible chat completions.
    OpenAiChat,
    /// `OpenAI`'s responses.
    OpenAiResponses,
    /// Anthropic's messages.
    AnthropicMessages,
    /// A file of turns, for tests and demos.
    Scripted {
        /// The file.
        path: PathBuf,
    },
    /// The transcripts of a run that is over.
    Replay {
        /// The run's folder.
        folder: PathBuf,
    },
}

/// Everything about one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSettings {
    /// `provider/model`; what follows the first `/` goes over the wire.
    pub name: String,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// The address up to and including `/v1`. Not used by `Scripted`.
    pub base_url: String,
    /// The key; local servers need none.
    pub api_key: Option<Secret>,
    /// What it costs.
    pub price: Option<Price>,
    /// How many tokens a request and its answer may be together.
    pub context_window: u64,
    /// From how many tokens on a conversation is made shorter; none leaves it to the window.
    pub context_budget: Option<u64>,
    /// How many tokens it may write in one answer.
    pub max_output: u64,
    /// What the endpoint can do and wants.
    pub capabilities: Capabilities,
    /// Further headers of each request.
    pub headers: BTreeMap<String, String>,
    /// Further members of each request; they override ours, and `null` takes one of ours out.
    pub extra_body: Map<String, Value>,
    /// How long one answer may take from request to end.
    pub request_timeout: Duration,
    /// How long nothing at all may come. Keep-alives alone may come for five times as long.
    pub idle_timeout: Duration,
    /// How often a request that failed for a passing reason is sent again.
    pub retries: u32,
    /// The full wait before it is sent again for the first time; each further one is twice as long.
    pub retry_wait: Duration,
}

impl ModelSettings {
    /// Settings with the defaults that suit most servers.
    pub fn new(name: &str, dialect: Dialect, base_url: &str) -> Self {
        Self {
            name: name.to_owned(),
            dialect,
            base_url: base_url.to_owned(),
            api_key: None,
            price: None,
            context_window: 128_000,
            context_budget: None,
            max_output: 16_384,
            capabilities: Capabilities::default(),
            headers: BTreeMap::new(),
            extra_body: Map::new(),
            request_timeout: Duration::from_secs(20 * 60),
            idle_timeout: Duration::from_secs(3 * 60),
            retries: 5,
            retry_wait: Duration::from_millis(500),
        }
    }

    /// Writes what the body of a request begins with in every dialect: its [`members`](Self::members), and whether it is streamed.
    pub(super) fn write_head<M: SerializeMap>(
        &self,
        body: &mut M,
        defaults: &[(&str, Value)],
        ours: &[&str],
    ) -> Result<(), M::Error> {
        for (key, value) in self.members(defaults, ours) {
            body.serialize_entry(key, value)?;
        }
        if self.capabilities.streaming {
            body.serialize_entry("stream", &true)?;
        }
        Ok(())
    }

    /// The members of a request: `defaults` where `extra_body` has not its own, then all of `extra_body` but `ours`. What is `null`
    /// there is left out.
    fn members<'a>(
        &'a self,
        defaults: &'a [(&'a str, Value)],
        ours: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let extra = &self.extra_body;
        let defaults = defaults.iter().map(|(key, value)| (*key, value)).filter(|(key, _)| !extra.contains_key(*key));
        let extra = extra.iter().map(|(key, value)| (key.as_str(), value));
        defaults.chain(extra.filter(|(key, value)| !value.is_null() && !ours.contains(key)))
    }

    /// The model's name as the server knows it.
    pub fn wire_name(&self) -> &str {
        self.name.split_once('/').map_or(self.name.as_str(), |(_, model)| model)
    }
}

/// A client for these settings, for itself alone. Nothing is sent yet.
pub fn connect(settings: ModelSettings) -> Result<Arc<dyn Model>, ModelError> {
    connect_governed(settings, &Governors::default())
}

/// A client for these settings. All clients of a run share the governors, so that they do not ask an endpoint for too much together.
pub fn connect_governed(settings: ModelSettings, governors: &Governors) -> Result<Arc<dyn Model>, ModelError> {
    let (patience, governor) = (Patience::of(&settings), governors.of(&settings));
    let client: Arc<dyn Model> = match &settings.dialect {
        Dialect::Scripted { path } => return Ok(Arc::new(Mending(Arc::new(Scripted::read(path, &settings)?)))),
        Dialect::Replay { folder } => return Ok(Arc::new(Replay::new(&folder.clone(), settings)?)),
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::AnthropicMessages => Arc::new(Connection::new(settings)?),
    };
    let governed = Arc::new(Governed::new(client, governor));
    Ok(Arc::new(Retrying::new(Arc::new(Mending(governed)), patience)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let mut settings = ModelSettings::new("p/m", Dialect::OpenAiChat, "http://localhost/v1");
        settings.api_key = Some(Secret::new(" hush\n"));
        assert!(!format!("{settings:?}").contains("hush"));
        assert_eq!(settings.api_key.as_ref().map(Secret::reveal), Some("hush"));
    }

    #[test]
    fn only_the_first_slash_parts_provider_and_model() {
        for (name, wire) in [("deepseek/flash", "flash"), ("openrouter/a/b", "a/b"), ("bare", "bare")] {
            assert_eq!(ModelSettings::new(name, Dialect::OpenAiChat, "").wire_name(), wire);
        }
    }
}
