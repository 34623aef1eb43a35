//! Which models a role has, by name.
//!
//! The highest source that names a model for the role decides; within one source `models.planner` goes before `model`. So
//! `INSPAN_MODEL` and `--model` go before all that a file says of roles: they are for one run and every role, and whoever stands in
//! for another, or comes in after a failure, comes from the file and goes with it.
//!
//! Where the general model is a recorded run, it answers for everybody, whatever else is said anywhere: no real endpoint is asked in a
//! replay. It stands in for all who came in then, so nobody else does.
//!
//! Only planner and workers must have a model. A resolver or a summariser that is not named is whichever model the attempt has, and
//! without an escalation nobody escalates.
//!
//! Why is there no model of a role in a run's journal? A model that has gone away, or whose key is used up, is what stops most runs;
//! a person names another one and resumes. So a process settles its models at its beginning, by the configuration as it then is.

use std::fmt;

use plans::catalogue::{Catalogue, ModelFacts};
use shared::{Money, Price};

use super::{
    Config, ConfigError, ModelChoice,
    model::{DEFAULT_KEY, DEFAULT_MODEL},
    origin::Origin,
    settings::{list, text},
};

/// Who speaks to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Cuts the goal into tasks.
    Planner,
    /// Carries out a task.
    Worker,
    /// Does a task again that has conflicted with another.
    Resolver,
    /// Makes a long conversation short.
    Summariser,
    /// Does a task again at which an attempt has failed.
    Escalation,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Planner, Self::Worker, Self::Resolver, Self::Summariser, Self::Escalation];

    /// As keys spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Worker => "worker",
            Self::Resolver => "resolver",
            Self::Summariser => "summariser",
            Self::Escalation => "escalation",
        }
    }

    /// Whether no agent can work without it.
    pub fn is_needed(self) -> bool {
        matches!(self, Self::Planner | Self::Worker)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The name of a model, and who gave it.
type Named = (String, Origin);

impl Config {
    /// The models of a role: its own, then those that stand in for it, in their order, each once.
    ///
    /// Empty for a role that need not have one, and has none.
    ///
    /// # Errors
    /// Says which name leads nowhere, or that a role which needs a model has none.
    pub fn lineup(&self, role: Role) -> Result<Vec<ModelChoice>, ConfigError> {
        if let Some(recording) = self.recording() {
            return if role.is_needed() { Ok(vec![recording?]) } else { Ok(Vec::new()) };
        }
        let Some(first) = self.first_of(role) else {
            return if role.is_needed() { Err(self.no_model()) } else { Ok(Vec::new()) };
        };
        let mut lineup: Vec<ModelChoice> = Vec::new();
        for (name, origin) in std::iter::once(first).chain(self.fallback_of(role)) {
            let choice = self.choice(&name, &origin)?;
            if lineup.iter().all(|other| other.name != choice.name) {
                lineup.push(choice);
            }
        }
        Ok(lineup)
    }

    /// A model that a plan names; where a run is answered from another one's transcripts, those answer for every name.
    ///
    /// # Errors
    /// Says why it leads nowhere.
    pub fn named(&self, name: &str) -> Result<ModelChoice, ConfigError> {
        self.recording().unwrap_or_else(|| self.choice(name, &Origin::Default))
    }

    /// The recorded run that answers for everybody, if the general model is one. It costs nothing.
    fn recording(&self) -> Option<Result<ModelChoice, ConfigError>> {
        const FREE: Price = Price { hit: FREE_TOKENS, miss: FREE_TOKENS, write: None, output: FREE_TOKENS };
        const FREE_TOKENS: Money = Money { nano_usd: 0 };
        let name = text(&self.settings, "model").filter(|general| general.starts_with("replay/"))?;
        let origin = self.settings.get("model").map_or(&Origin::Default, |setting| &setting.origin);
        let free = |choice| ModelChoice { price: Some(FREE.into()), ..choice };
        Some(self.choice(name, origin).map(free))
    }

    /// What somebody is told who has named no model.
    fn no_model(&self) -> ConfigError {
        if self.endpoint.base_url.is_some() { ConfigError::NoModelThere } else { ConfigError::NoModel }
    }

    /// The model that a role begins with.
    fn first_of(&self, role: Role) -> Option<Named> {
        let own = self.of_role(&format!("models.{role}"), text);
        if let Some((name, origin)) = own {
            return Some((name.to_owned(), origin));
        }
        if !role.is_needed() {
            // A fallback of its own makes it a role of its own.
            let stands_in = !self.fallback_of(role).is_empty() && role != Role::Escalation;
            return if stands_in { self.first_of(Role::Worker) } else { None };
        }
        if let Some(setting) = self.settings.get("model") {
            return text(&self.settings, "model").map(|name| (name.to_owned(), setting.origin.clone()));
        }
        let has_key = self.secrets.contains_key(DEFAULT_KEY) && self.endpoint.base_url.is_none();
        has_key.then(|| (DEFAULT_MODEL.to_owned(), Origin::Default))
    }

    fn fallback_of(&self, role: Role) -> Vec<Named> {
        let named = self.of_role(&format!("models.fallback.{role}"), list);
        let each =
            |(names, origin): (Vec<String>, Origin)| names.into_iter().map(|name| (name, origin.clone())).collect::<Vec<_>>();
        named.map(each).unwrap_or_default()
    }

    /// What is said of a role, unless a higher source has named a model for all of them.
    fn of_role<'a, T>(&'a self, key: &str, read: impl Fn(&'a super::Settings, &str) -> Option<T>) -> Option<(T, Origin)> {
        let origin = &self.settings.get(key)?.origin;
        let general = self.settings.get("model").map_or(0, |setting| setting.origin.layer());
        let value = read(&self.settings, key).filter(|_| origin.layer() >= general)?;
        Some((value, origin.clone()))
    }
}

impl Catalogue for Config {
    fn look_up(&self, name: &str) -> Result<ModelFacts, String> {
        let choice = self.named(name).map_err(|error| match error {
            ConfigError::BadModel { why, .. } => why,
            other => other.to_string(),
        })?;
        let has = |role: &Role| self.lineup(*role).is_ok_and(|lineup| lineup.iter().any(|other| other.name == choice.name));
        Ok(ModelFacts { price: choice.price.map(|tariff| tariff.price), configured: Role::ALL.iter().any(has) })
    }

    fn unpriced(&self) -> Option<String> {
        let carries = [Role::Worker, Role::Resolver, Role::Escalation];
        let mut choices = carries.into_iter().filter_map(|role| self.lineup(role).ok()).flatten();
        choices.find(|choice| choice.price.is_none()).map(|choice| choice.name)
    }
}
