//! Configuration for people: what is in effect and who said so, and the commented file of `inspan init`.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::{
    Config, ConfigError, Role,
    keys::{KEYS, PROVIDER_KEYS},
    origin::Origin,
    settings::text,
};

const HEAD: &str = "\
# How inspan works in this repository. Flags go before the environment, the environment before this file, this file before the
# user's own (~/.config/inspan/config.toml). `inspan config` shows what is in effect, and where each value comes from.
";

const FOOT: &str = "\
# A server of your own, or other prices and limits for one that is built in: deepseek, openai, openrouter, ollama, llamacpp, vllm.
# Its models are then named example/MODEL.
";

impl Config {
    /// The effective values, one a line, with their origins. Keys are never shown, only whether they are there.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for key in KEYS {
            let setting = self.settings.get(key.name);
            let value = setting.map_or_else(|| "-".to_owned(), |setting| setting.value.to_toml());
            let origin = setting.map_or_else(|| "not set".to_owned(), |setting| setting.origin.to_string());
            writeln!(text, "{:26} = {value:32}  {origin}", key.name).expect("a string takes all");
        }
        text.push('\n');
        for role in Role::ALL {
            writeln!(text, "{}", self.role_line(role)).expect("a string takes all");
        }
        text.push_str(&self.render_endpoint());
        writeln!(text, "built-in prices as of {}; a `price` of your own goes before them", super::prices_as_of())
            .expect("a string takes all");
        text.push_str("\nproviders\n");
        for provider in self.providers() {
            writeln!(text, "  {provider:12} {}", self.provider_line(provider)).expect("a string takes all");
        }
        for (name, setting) in self.settings.iter().filter(|(name, _)| name.starts_with("providers.")) {
            if setting.origin != Origin::Default {
                writeln!(text, "{name} = {}  {}", setting.value.to_toml(), setting.origin).expect("a string takes all");
            }
        }
        text
    }

    /// The same as data: `settings` by name with `value` and `origin`, and `keys` by variable with whether they are set.
    pub fn to_json(&self) -> Json {
        let settings = self.settings.iter().map(|(name, setting)| {
            (name.clone(), json!({ "value": setting.value.to_json(), "origin": setting.origin.to_string() }))
        });
        let keys =
            super::model::key_variables(&self.settings).map(|name| (name.to_owned(), self.secrets.contains_key(name).into()));
        json!({
            "version": 1,
            "settings": Json::Object(settings.collect()),
            "keys": Json::Object(keys.collect()),
            "base_url": self.endpoint.base_url,
            "dialect": self.endpoint.base_url.as_ref().map(|_| self.endpoint.dialect().to_string()),
            "warnings": self.warnings,
            "prices_as_of": super::prices_as_of(),
        })
    }

    fn role_line(&self, role: Role) -> String {
        let lineup = match self.lineup(role) {
            Ok(lineup) => lineup,
            Err(ConfigError::NoModel) => return format!("{role} has no model; `inspan doctor` says how to get one"),
            Err(error) => return format!("{role} has no model: {}; `inspan doctor` says more", first_line(&error.to_string())),
        };
        let names: Vec<&str> = lineup.iter().map(|choice| choice.name.as_str()).collect();
        match (names.split_first(), role) {
            (Some((first, [])), _) => format!("{role} uses {first}"),
            (Some((first, others)), _) => format!("{role} uses {first}, else {}", others.join(", ")),
            (None, Role::Escalation) => "escalation is off".to_owned(),
            (None, Role::Summariser) => "summariser is whichever model has the conversation".to_owned(),
            (None, _) => format!("{role} is whichever model has the task"),
        }
    }

    fn render_endpoint(&self) -> String {
        let dialect = self.endpoint.dialect();
        let url = self
            .endpoint
            .base_url
            .as_ref()
            .map(|url| format!("INSPAN_BASE_URL = {url}, for every role, spoken to as {dialect}\n"));
        let key = self.endpoint.api_key.as_ref().map(|_| "INSPAN_API_KEY is set, for every role\n");
        [url.as_deref(), key].into_iter().flatten().collect()
    }

    fn provider_line(&self, provider: &str) -> String {
        let of = |key: &str| text(&self.settings, &format!("providers.{provider}.{key}"));
        let key = match of("api_key_env") {
            Some(variable) if self.secrets.contains_key(variable) => format!("{variable} set"),
            Some(variable) => format!("{variable} missing"),
            None => "no key".to_owned(),
        };
        format!("{:32}  {:18} {key}", of("base_url").unwrap_or("-"), of("dialect").unwrap_or("openai-chat"))
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
}

/// An `inspan.toml` in which every key is there, explained and commented out.
pub fn commented_defaults() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (table, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if table != section {
            write!(text, "\n[{table}]").expect("a string takes all");
            section = table;
        }
        let unset = if key.default.is_some() { "" } else { " Not set." };
        let value = key.default.unwrap_or(key.example);
        write!(text, "\n# {}{unset}\n# {name} = {value}\n", key.about).expect("a string takes all");
    }
    text.push('\n');
    text.push_str(FOOT);
    text.push_str("# [providers.example]\n");
    for key in PROVIDER_KEYS {
        let line = format!("{} = {}", key.name, key.example);
        writeln!(text, "# {line:<48} # {}", key.about).expect("a string takes all");
    }
    text
}
