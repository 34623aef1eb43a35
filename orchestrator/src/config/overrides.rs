//! What the command line says.

use super::{ConfigProblem, Setting, Settings, keys::KEYS, origin::Origin, settings::Review, value::Value};

/// Flags that override configuration; `None` where a flag was not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--model`, for every role.
    pub model: Option<String>,
    /// `--workers`
    pub workers: Option<u32>,
    /// `--review`
    pub review: Option<Review>,
    /// `--max-cost`, in dollars.
    pub max_cost_usd: Option<f64>,
    /// `--max-tokens`
    pub max_tokens: Option<u64>,
    /// `--max-minutes`
    pub max_minutes: Option<u32>,
    /// `--max-disk`, in megabytes.
    pub max_disk_mb: Option<u64>,
    /// `--sandbox`
    pub sandbox: Option<String>,
    /// `--dangerously-no-sandbox`
    pub no_sandbox: bool,
}

impl Overrides {
    /// The flags as settings: a flag is held to the same rules as a file.
    pub(super) fn read(&self, problems: &mut Vec<ConfigProblem>) -> Settings {
        let given = [
            ("model", "--model", self.model.clone()),
            ("run.workers", "--workers", self.workers.map(|n| n.to_string())),
            ("run.review", "--review", self.review.map(|review| review.to_string())),
            ("run.max_cost_usd", "--max-cost", self.max_cost_usd.map(|usd| usd.to_string())),
            ("run.max_tokens", "--max-tokens", self.max_tokens.map(|n| n.to_string())),
            ("run.max_minutes", "--max-minutes", self.max_minutes.map(|n| n.to_string())),
            ("run.max_disk_mb", "--max-disk", self.max_disk_mb.map(|n| n.to_string())),
            ("sandbox.tier", "--sandbox", self.sandbox.clone()),
        ];
        let mut settings = Settings::new();
        for (name, flag, text) in given {
            let Some((key, text)) = KEYS.iter().find(|key| key.name == name).zip(text) else { continue };
            match Value::from_text(key.kind, &text) {
                Ok(value) => drop(settings.insert(name.to_owned(), Setting { value, origin: Origin::Flag(flag.to_owned()) })),
                Err(message) => problems.push(ConfigProblem { place: flag.to_owned(), message }),
            }
        }
        settings
    }
}
