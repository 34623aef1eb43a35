//! What an endpoint can do and what it wants.
//!
//! **Invariant:** these come from the provider's entry in the configuration. Nothing in this crate looks at the name of a provider or of
//! a model to find out how it behaves.

/// What an endpoint can do and wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration that is true or false there")]
pub struct Capabilities {
    /// Answers are asked for as a stream.
    pub streaming: bool,
    /// The model may ask for several calls in one answer.
    pub parallel_calls: bool,
    /// The reasoning of all earlier turns must be sent back as text (`DeepSeek`).
    pub reasoning_roundtrip: bool,
    /// Encrypted reasoning is asked for, in the dialect that has it; models that do not reason refuse a request that asks.
    pub encrypted_reasoning: bool,
    /// The server knows `strict` tools.
    pub strict_tools: bool,
    /// How it keeps prefixes.
    pub cache: PrefixCache,
    /// The member of a request that bounds the answer; empty for the dialect's own.
    pub max_tokens_key: String,
    /// The member of a request that carries the run's id, so that all its requests meet the same cache; empty for none.
    pub affinity_key: String,
    /// Where the key goes.
    pub auth_header: AuthHeader,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            streaming: true,
            parallel_calls: true,
            reasoning_roundtrip: false,
            encrypted_reasoning: true,
            strict_tools: false,
            cache: PrefixCache::Automatic,
            max_tokens_key: String::new(),
            affinity_key: String::new(),
            auth_header: AuthHeader::Dialect,
        }
    }
}

impl Capabilities {
    /// The member of a request that bounds the answer, where the dialect usually has this one.
    pub(super) fn bound<'a>(&'a self, usual: &'a str) -> &'a str {
        if self.max_tokens_key.is_empty() { usual } else { &self.max_tokens_key }
    }
}

/// How a provider keeps the beginnings of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixCache {
    /// It does not.
    None,
    /// It does, by itself.
    Automatic,
    /// It does, but only what an earlier request ended with: one request warms it before many go out at once (`DeepSeek`).
    Warmed,
    /// It does up to where the request says so (Anthropic).
    Breakpoints,
}

impl PrefixCache {
    /// As the configuration spells it.
    pub fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Automatic, Self::Warmed, Self::Breakpoints].into_iter().find(|cache| cache.as_str() == name)
    }

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Automatic => "automatic",
            Self::Warmed => "warmed",
            Self::Breakpoints => "breakpoints",
        }
    }
}

/// The header that carries the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthHeader {
    /// The dialect's own: `x-api-key` for Anthropic, else `authorization`.
    Dialect,
    /// `authorization: Bearer …`
    Authorization,
    /// `x-api-key: …`
    XApiKey,
    /// `api-key: …` (Azure).
    ApiKey,
}

impl AuthHeader {
    /// As the configuration spells it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "authorization" => Some(Self::Authorization),
            "x-api-key" => Some(Self::XApiKey),
            "api-key" => Some(Self::ApiKey),
            _ => None,
        }
    }
}
