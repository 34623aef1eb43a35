//! Configuration: flags > environment > the repository's `inspan.toml` > the user's file > defaults.
//!
//! Every value remembers which source set it, so that `inspan config` can say why a run behaves as it does. Merging is a pure function
//! of texts and a map of variables; [`disk`] reads the real ones.
//!
//! **Invariant:** all problems of all sources are reported at once, each with its place.
//! **Invariant:** a key of a model ([`Secret`]) is in no file, is shown nowhere, and goes to no child ([`Config::passes`]).
//!
//! Not here: how a model is spoken to (`worker::model`); a [`ModelChoice`] is plain data that the caller maps to it.
//!
//! Why not a derived struct with serde? It would know neither lines nor nearest names, stop at the first problem, and lose the origin.

mod disk;
mod environment;
mod file;
mod keys;
mod model;
mod origin;
mod overrides;
mod price;
mod roles;
mod secret;
mod settings;
mod show;
mod value;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use shared::Secrecy;

pub use disk::FILE_NAME;
pub use model::{Dialect, ModelChoice};
pub use origin::Origin;
pub use overrides::Overrides;
pub use price::{Tariffs, as_of as prices_as_of};
pub use roles::Role;
pub use secret::Secret;
pub use settings::{GateSettings, Generated, LandingSettings, Review, RunSettings, SandboxSettings};
pub use show::commented_defaults;

use environment::Endpoint;

use value::Value;
use worker::sandbox::{Tier, TierChoice};

use crate::approvals::Rules;

const BUILT_IN: &str = include_str!("builtin.toml");

/// What configuration is made from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The repository's file: where it is, and its text.
    pub repo: Option<(PathBuf, String)>,
    /// The user's file.
    pub user: Option<(PathBuf, String)>,
    /// The whole environment of the process.
    pub env: BTreeMap<String, String>,
    /// The command line.
    pub flags: Overrides,
}

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The run's limits.
    pub run: RunSettings,
    /// Limits of an attempt, unless the plan says otherwise.
    pub task: shared::Limits,
    /// The gate, where it is not to be guessed.
    pub gate: GateSettings,
    /// Files that a command makes from others, and is to make anew where tasks conflict in them.
    pub generated: Vec<Generated>,
    /// How finished tasks come to the run branch.
    pub landing: LandingSettings,
    /// What bounds the commands of workers.
    pub sandbox: SandboxSettings,
    /// The person's home directory.
    pub home: Option<PathBuf>,
    /// What a person wants to be asked about, and what nobody may do.
    pub approvals: Rules,
    /// Where worktrees are made. `None` where neither configuration nor the environment tells a home directory.
    pub worktrees: Option<PathBuf>,
    /// What no model sees and no task commits, the keys of models among it.
    pub secrecy: Arc<Secrecy>,
    /// What a person should know, and what stops nothing: variables that look like ours and are not.
    pub warnings: Vec<String>,
    settings: Settings,
    endpoint: Endpoint,
    /// Keys of models by the name of their variable.
    secrets: BTreeMap<String, Secret>,
}

/// A value and the source that set it.
#[derive(Debug, Clone, PartialEq)]
struct Setting {
    value: Value,
    origin: Origin,
}

/// By full name: `run.workers`, `providers.deepseek.base_url`.
type Settings = BTreeMap<String, Setting>;

/// One thing that is wrong with configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// `inspan.toml:3`, `INSPAN_WORKERS`, `--workers`.
    pub place: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why there is no configuration, or no model in it. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Something is wrong with a source; these are all the problems of all sources.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<ConfigProblem>),
    /// A file is there, or was named, and cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No source names a model.
    #[error(
        "no model is configured; choose one in one of three ways:\n  set DEEPSEEK_API_KEY to use deepseek/deepseek-flash\n  put model = \
         \"provider/model\" into inspan.toml, such as \"ollama/qwen3-coder\"\n  set INSPAN_BASE_URL, INSPAN_MODEL and, where the server \
         wants one, INSPAN_API_KEY, for any OpenAI-compatible server"
    )]
    NoModel,
    /// There is an address for this run, and no model.
    #[error("INSPAN_BASE_URL is set, but no model: set INSPAN_MODEL to the name of a model of that server")]
    NoModelThere,
    /// The name of a model is not `provider/model`, or there is no such provider.
    #[error("{origin}: `{name}` names no model: {why}")]
    BadModel {
        /// As it was given.
        name: String,
        /// Who gave it.
        origin: Origin,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The provider wants a key and its variable is not set.
    #[error("{place}{name} wants a key: set {variable} (or INSPAN_API_KEY for this run)")]
    MissingKey {
        /// Who named the model, with a colon; empty where that is not the reader's doing.
        place: String,
        /// `provider/model`
        name: String,
        /// The variable.
        variable: String,
    },
}

impl ConfigError {
    fn missing_key(name: &str, variable: &str, origin: &Origin) -> Self {
        let place = if *origin == Origin::Default { String::new() } else { format!("{origin}: ") };
        Self::MissingKey { place, name: name.to_owned(), variable: variable.to_owned() }
    }
}

impl Config {
    /// Merges the sources.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let Sources { repo, user, env, flags } = sources;
        let mut problems = Vec::new();
        let mut settings = settings::defaults();
        for text in [BUILT_IN, &price::built_in()] {
            settings.extend(file::read(Path::new("built in"), text, |_| Origin::Default, &mut problems));
        }
        if let Some((path, text)) = user {
            settings.extend(file::read(&path, &text, |line| Origin::User { path: path.clone(), line }, &mut problems));
        }
        if let Some((path, text)) = repo {
            settings.extend(file::read(&path, &text, |line| Origin::Repository { path: path.clone(), line }, &mut problems));
        }
        let environment = environment::read(&env, &mut problems);
        settings.extend(environment.settings);
        settings.extend(flags.read(&mut problems));
        if !problems.is_empty() {
            return Err(ConfigError::Invalid(problems));
        }
        settings::place_worktrees(&mut settings, disk::cache_folder(&env));
        let home = environment::variable(&env, "HOME");
        let configured = settings::sandbox(&settings, home);
        let sandbox = flags.no_sandbox.then_some(TierChoice::Only(Tier::None));
        let secrets = model::secrets(&settings, &env);
        Ok(Self {
            run: settings::run(&settings),
            task: settings::task(&settings),
            gate: settings::gate(&settings),
            generated: settings::generated(&settings),
            landing: settings::landing(&settings),
            approvals: settings::approvals(&settings),
            worktrees: settings::worktrees(&settings, home),
            sandbox: SandboxSettings { tier: sandbox.unwrap_or(configured.tier), ..configured },
            home: home.map(PathBuf::from),
            warnings: environment.warnings,
            secrecy: Arc::new(settings::secrecy(&settings, secrets.values())),
            secrets,
            endpoint: environment.endpoint,
            settings,
        })
    }

    /// What models cost.
    pub fn tariffs(&self) -> Tariffs {
        Tariffs::of(&self.settings)
    }

    /// How long a map of the repository's symbols may be, at as many bytes to a token as a request is estimated with.
    pub fn map_bytes(&self) -> usize {
        let wanted =
            settings::small(&self.settings, "context.map_tokens").map_or(0, |tokens| (tokens as usize).saturating_mul(31) / 10);
        wanted.min(self.brief_bytes() / 2)
    }

    /// The most bytes that may be told of the repository: a quarter of the window of the workers' model.
    pub fn brief_bytes(&self) -> usize {
        let window = self.lineup(Role::Worker).ok().and_then(|all| Some(all.first()?.context_window)).unwrap_or(u64::MAX);
        usize::try_from(window / 4).unwrap_or(usize::MAX).saturating_mul(3)
    }

    /// Whether commands of workers may see a variable because `env.pass` names it. Never true of a variable that holds a model's key.
    pub fn passes(&self, variable: &str) -> bool {
        let patterns = settings::list(&self.settings, "env.pass").unwrap_or_default();
        let is_named = patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => variable.starts_with(prefix),
            None => variable == pattern,
        });
        is_named && !model::key_variables(&self.settings).any(|key| key == variable)
    }
}
