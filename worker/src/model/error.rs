//! What can go wrong with a model, in words for the person who has to mend it.
//!
//! The text of an error says what happened; [`ModelError::hint`] says what to do; [`ModelError::in_full`] is both. What decides about
//! another try is [`ModelError::is_transient`] alone.

use std::{path::PathBuf, time::Duration};

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// No connection.
    #[error("the model endpoint {url} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the system said.
        why: String,
    },
    /// The connection is not to be trusted.
    #[error("the model endpoint {url} has no certificate that this machine trusts: {why}")]
    Untrusted {
        /// Where.
        url: String,
        /// What the verifier said.
        why: String,
    },
    /// 401 or 403.
    #[error("the model endpoint refuses the key ({status}): {said}")]
    Unauthorized {
        /// The status.
        status: u16,
        /// The server's message.
        said: String,
    },
    /// 402, or a used-up quota.
    #[error("the account at the model endpoint has no balance left: {said}")]
    NoBalance {
        /// The server's message.
        said: String,
    },
    /// The server will not have the request.
    #[error("the model endpoint refuses the request ({status}): {said}")]
    BadRequest {
        /// The status.
        status: u16,
        /// The server's message.
        said: String,
    },
    /// The conversation is longer than the model can read.
    #[error("the conversation is too long for the model: {said}")]
    ContextTooLong {
        /// The server's message.
        said: String,
    },
    /// 429.
    #[error("the model endpoint asks for fewer requests: {said}")]
    RateLimited {
        /// The server's message.
        said: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// 5xx and its kin.
    #[error("the model endpoint is overloaded or broken ({status}): {said}")]
    Overloaded {
        /// The status.
        status: u16,
        /// The server's message.
        said: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The answer began and did not end.
    #[error("the model's answer broke off: {why}")]
    Broken {
        /// How.
        why: String,
    },
    /// Nothing came for too long.
    #[error("the model's answer stalled: {what} for {} s", .after.as_secs())]
    Stalled {
        /// What did not happen.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// The settings do not make a client.
    #[error("the model `{name}` is not configured well: {why}")]
    Settings {
        /// The model.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A script that does not read.
    #[error("the script {path} cannot be used: {why}")]
    Script {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A turn that the script lacks.
    #[error("the script {path} has no turn {turn} for {whose}, attempt {attempt}: {why}")]
    OffScript {
        /// The file.
        path: PathBuf,
        /// `the planner` or the task.
        whose: String,
        /// The attempt asked for.
        attempt: u32,
        /// The turn asked for.
        turn: u32,
        /// What the script has instead.
        why: String,
    },
    /// A replay that is asked for something else than the recorded run was.
    #[error("the replay cannot go on with {whose}, attempt {attempt}, turn {turn}: {why}")]
    OffRecord {
        /// `the planner` or the task.
        whose: String,
        /// The attempt asked for.
        attempt: u32,
        /// The turn asked for.
        turn: u32,
        /// The first difference.
        why: String,
    },
    /// An error that a script plays.
    #[error("the script says: {said}")]
    Scripted {
        /// The script's text.
        said: String,
    },
    /// Somebody stopped it.
    #[error("the request was cancelled")]
    Cancelled,
}

impl ModelError {
    /// Whether the same request may well succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::RateLimited { .. }
            | Self::Overloaded { .. }
            | Self::Broken { .. }
            | Self::Stalled { .. } => true,
            Self::Untrusted { .. }
            | Self::Unauthorized { .. }
            | Self::NoBalance { .. }
            | Self::BadRequest { .. }
            | Self::ContextTooLong { .. }
            | Self::Settings { .. }
            | Self::Script { .. }
            | Self::OffScript { .. }
            | Self::OffRecord { .. }
            | Self::Scripted { .. }
            | Self::Cancelled => false,
        }
    }

    /// When the server wants to be asked again, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Overloaded { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Check that the server runs, and the address (`base_url`, or INSPAN_BASE_URL).",
            Self::Untrusted { .. } => {
                "Install the system's CA certificates, or name the endpoint's own with SSL_CERT_FILE; for a local server use http://."
            }
            Self::Unauthorized { .. } => {
                "Check the key: INSPAN_API_KEY, or the variable that the provider's `api_key_env` names."
            }
            Self::NoBalance { .. } => "Top up the account or choose another model, then resume the run.",
            Self::BadRequest { status: 404, .. } => {
                "Check the model's name (INSPAN_MODEL), and that the address goes up to and including `/v1`."
            }
            Self::BadRequest { said, .. } if said.to_lowercase().contains("encrypted content") => {
                "Set `encrypted_reasoning = false` at the model's or the provider's entry in the configuration."
            }
            Self::BadRequest { .. } => "Check the model's name and the provider's settings against what the server says.",
            Self::ContextTooLong { .. } => {
                "Split the task, choose a model with a larger window, or set `context_window` to what the server says."
            }
            Self::RateLimited { .. } => "Run fewer workers at once (`--workers`), or resume the run later.",
            Self::Overloaded { .. } | Self::Broken { .. } | Self::Stalled { .. } => {
                "Resume the run later; if it stays so, look at the server's own log or choose another model."
            }
            Self::Settings { .. } => "Correct the provider's entry in the configuration; `inspan config` shows it.",
            Self::Script { .. } | Self::OffScript { .. } | Self::Scripted { .. } => "Correct the script.",
            Self::OffRecord { .. } => {
                "A replay needs the commit, the plan and the settings of the recorded run; without --replay a model is asked."
            }
            Self::Cancelled => "Resume the run to go on.",
        }
    }

    /// What happened, and what to do about it.
    pub fn in_full(&self) -> String {
        format!("{self}. {}", self.hint())
    }
}
