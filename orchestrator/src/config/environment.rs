//! The variables that belong to Inspan: settings, the endpoint of one run, and those it gives to its children.

use std::collections::BTreeMap;

use super::{
    ConfigProblem, Dialect, Secret, Setting, Settings,
    keys::{KEYS, Kind, SPOKEN, nearest},
    origin::Origin,
    value::Value,
};

/// The address of the endpoint, for one run and every role.
pub(super) const BASE_URL: &str = "INSPAN_BASE_URL";
/// The key of the endpoint, for one run and every role.
pub(super) const API_KEY: &str = "INSPAN_API_KEY";
/// How the endpoint is spoken to, for one run and every role.
pub(super) const DIALECT: &str = "INSPAN_DIALECT";
/// Where the user's configuration file is.
pub(super) const CONFIG: &str = "INSPAN_CONFIG";

/// What is neither a setting nor unknown: what the program reads elsewhere, and what commands of workers are given.
const OTHERS: &[&str] = &[
    "INSPAN_LOG",
    "INSPAN_RUN",
    "INSPAN_TASK",
    "INSPAN_ATTEMPT",
    "INSPAN_MARK",
    "INSPAN_BRIEF",
    "INSPAN_HAND_OFF",
    "INSPAN_REPORT",
    "INSPAN_WORKTREE",
];
const OTHER_PREFIXES: &[&str] = &["INSPAN_PORT", "INSPAN_TEST_"];

/// What the environment says.
pub(super) struct Environment {
    pub(super) settings: Settings,
    pub(super) endpoint: Endpoint,
    /// Variables that look like ours and are not.
    pub(super) warnings: Vec<String>,
}

/// Where one run's requests go, whatever the files say.
#[derive(Debug, Clone, Default)]
pub(super) struct Endpoint {
    pub(super) base_url: Option<String>,
    pub(super) api_key: Option<Secret>,
    dialect: Option<Dialect>,
}

impl Endpoint {
    /// How its address is spoken to.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or(Dialect::OpenAiChat)
    }
}

/// A variable that is set and not empty.
pub(super) fn variable<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    env.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// Reads every variable that begins with `INSPAN_`.
pub(super) fn read(env: &BTreeMap<String, String>, problems: &mut Vec<ConfigProblem>) -> Environment {
    let mut settings = Settings::new();
    let mut parse = |name: &str, kind| {
        let value = Value::from_text(kind, variable(env, name)?);
        value.map_err(|message| problems.push(ConfigProblem { place: name.to_owned(), message })).ok()
    };
    for key in KEYS {
        let Some(name) = key.variable else { continue };
        if let Some(value) = parse(name, key.kind) {
            settings.insert(key.name.to_owned(), Setting { value, origin: Origin::Environment(name.to_owned()) });
        }
    }
    let mut word = |name, kind| match parse(name, kind) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    let base_url = word(BASE_URL, Kind::Url);
    let dialect = word(DIALECT, Kind::OneOf(SPOKEN));
    let mut warnings: Vec<String> = env.keys().filter_map(|name| unknown(name)).collect();
    if base_url.is_none() && dialect.is_some() {
        warnings.push(format!("{DIALECT} is about {BASE_URL}, which is not set; a provider says `dialect` in its own table"));
    }
    let dialect = dialect.as_deref().and_then(Dialect::named);
    let endpoint = Endpoint { base_url, api_key: variable(env, API_KEY).map(Secret::new), dialect };
    Environment { settings, endpoint, warnings }
}

fn unknown(name: &str) -> Option<String> {
    let settings = || KEYS.iter().filter_map(|key| key.variable).chain([BASE_URL, API_KEY, DIALECT, CONFIG]);
    let is_ours = name.starts_with("INSPAN_");
    let is_known = settings().chain(OTHERS.iter().copied()).any(|known| known == name)
        || (cfg!(debug_assertions) && name == "INSPAN_CRASH_AT")
        || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if !is_ours || is_known {
        return None;
    }
    let hint = nearest(name, settings()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Some(format!("the variable {name} means nothing to inspan{hint}"))
}
