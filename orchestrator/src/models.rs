//! The models of a run: connected once each, and who gets which.
//!
//! A model with one name is one client, however many roles and tasks use it, so that what a client learns of its endpoint (how fast it may
//! ask, how many bytes a token has) serves all of them. A model that only a plan names is connected when its first task starts.
//!
//! Which model an attempt gets follows from the task and its record alone, so that a run that was taken up by another process goes on
//! with the same ones:
//!
//! | the task                                        | its model |
//! |---|---|
//! | names one in the plan                           | that one, in all its attempts |
//! | is done again after a conflict or a clash       | the resolver's, else whatever it would have without the conflict |
//! | has failed since it was begun                   | the escalation's, where there is one |
//! | else                                            | the workers' |
//!
//! An interruption is not in this table: whoever goes on has the same model as before.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use dashmap::DashMap;
use plans::{Task, WorkerKind, catalogue::Catalogue as _, run_state::TaskRecord};
use shared::{Limits, Money};
use worker::model::{self, Governors, Model, ModelSettings, fallback::Fallback};

use crate::{
    config::{Config, ConfigError, Dialect, ModelChoice, Role},
    error::Error,
};

/// A client for each role that has a model; a run that only stops needs none.
#[derive(Default)]
pub struct Models {
    /// The workers'.
    pub worker: Option<Arc<dyn Model>>,
    /// The planner's.
    pub planner: Option<Arc<dyn Model>>,
    /// Makes long conversations short, where that is not left to whichever model has them.
    pub summariser: Option<Arc<dyn Model>>,
    resolver: Option<Arc<dyn Model>>,
    escalation: Option<Arc<dyn Model>>,
    pool: Pool,
}

/// Clients by the names of their models.
#[derive(Default)]
struct Pool {
    clients: DashMap<String, Arc<dyn Model>>,
    /// What keeps all of them from asking one endpoint for too much.
    governors: Governors,
    /// Where names lead to, and what paths of scripts are relative to.
    source: Option<(Config, PathBuf)>,
}

/// Whose model an attempt gets.
#[derive(Debug, PartialEq, Eq)]
enum Seat<'t> {
    /// One that the plan names.
    Named(&'t str),
    /// The resolver's; `failed` is whether an attempt has failed as well.
    Resolver { failed: bool },
    /// The stronger one.
    Escalation,
    /// The workers'.
    Worker,
}

fn seat<'t>(task: &'t Task, record: Option<&TaskRecord>) -> Seat<'t> {
    let failed = record.is_some_and(|record| record.tries > 0);
    let is_redone = |record: &TaskRecord| {
        record.conflicts > 0 && record.setbacks.last().is_some_and(|evidence| evidence.setback.is_conflict())
    };
    match &task.model {
        Some(name) => Seat::Named(name),
        None if record.is_some_and(is_redone) => Seat::Resolver { failed },
        None if failed => Seat::Escalation,
        None => Seat::Worker,
    }
}

impl Models {
    /// The models that are configured.
    pub fn connect(config: &Config, root: &Path) -> Result<Self, Error> {
        let pool = Pool { source: Some((config.clone(), root.to_owned())), ..Pool::default() };
        let of = |role| match config.lineup(role) {
            Ok(lineup) => pool.lineup(&lineup),
            Err(ConfigError::NoModel | ConfigError::NoModelThere) => Ok(None),
            Err(error) => Err(Error::Usage(error.to_string())),
        };
        Ok(Self {
            worker: of(Role::Worker)?,
            planner: of(Role::Planner)?,
            summariser: of(Role::Summariser)?,
            resolver: of(Role::Resolver)?,
            escalation: of(Role::Escalation)?,
            pool,
        })
    }

    /// The same for a run that goes without a planner.
    #[must_use]
    pub fn without_planner(self) -> Self {
        Self { planner: None, ..self }
    }

    /// Refuses a limit in money that cannot be kept: one model that may be asked and has no price is enough.
    pub fn can_keep(&self, limits: &Limits) -> Result<(), Error> {
        let mut clients = self.pool.clients.iter();
        let unpriced = clients.find(|client| client.price().is_none()).filter(|_| limits.cost.is_some());
        unpriced.map_or(Ok(()), |model| Err(Error::UnknownPrice { model: model.id().to_owned() }))
    }

    /// The first model that a limit in money could not be kept for.
    pub fn unpriced(&self) -> Option<String> {
        let in_money = Limits { cost: Some(Money { nano_usd: 1 }), ..Limits::default() };
        match self.can_keep(&in_money) {
            Err(Error::UnknownPrice { model }) => Some(model),
            _ => None,
        }
    }

    /// The same of a limit of tasks that name no model: whoever may carry one out, or sum up its conversation.
    pub fn can_keep_of_tasks(&self, limits: &Limits) -> Result<(), Error> {
        let seats = [&self.worker, &self.resolver, &self.escalation, &self.summariser];
        let mut seated = seats.into_iter().flatten();
        let unpriced = seated.find(|model| model.price().is_none()).filter(|_| limits.cost.is_some());
        unpriced.map_or(Ok(()), |model| Err(Error::UnknownPrice { model: model.id().to_owned() }))
    }

    /// Refuses tasks if somebody is missing who has to carry them out, or a limit in money cannot be kept: their own, or else these.
    pub fn can_carry_out<'t>(&self, tasks: impl Iterator<Item = &'t Task>, limits: &Limits) -> Result<(), Error> {
        for task in tasks.filter(|task| task.worker == WorkerKind::Agent) {
            let limits = task.limits.or(*limits);
            match &task.model {
                Some(name) => self.can_use(task, name, &limits)?,
                None if self.worker.is_none() => return Err(Error::NoModel { what: "carry out the plan".to_owned() }),
                None => self.can_keep_of_tasks(&limits)?,
            }
        }
        Ok(())
    }

    fn can_use(&self, task: &Task, name: &str, limits: &Limits) -> Result<(), Error> {
        let Some((config, _)) = &self.pool.source else { return Ok(()) };
        let unusable = |why| Error::Usage(format!("task {} names the model {name}: {why}", task.id));
        let facts = config.look_up(name).map_err(unusable)?;
        match facts.price {
            None if limits.cost.is_some() => Err(Error::UnknownPrice { model: name.to_owned() }),
            _ => Ok(()),
        }
    }

    /// The model of the next attempt at a task.
    ///
    /// # Errors
    /// Says why there is none, and what to do.
    pub fn of_attempt(&self, task: &Task, record: Option<&TaskRecord>) -> Result<Arc<dyn Model>, String> {
        let stronger = || self.escalation.clone();
        let chosen = match seat(task, record) {
            Seat::Named(name) => return self.pool.named(name),
            Seat::Resolver { failed } => self.resolver.clone().or_else(|| stronger().filter(|_| failed)),
            Seat::Escalation => stronger(),
            Seat::Worker => None,
        };
        let none = "no model is configured for workers; set INSPAN_MODEL or `model` in inspan.toml";
        chosen.or_else(|| self.worker.clone()).ok_or_else(|| none.to_owned())
    }

    /// Whoever may be asked to carry out a task, by name.
    pub fn who_may(&self, task: &Task) -> Vec<String> {
        let seats = [&self.worker, &self.resolver, &self.escalation];
        match &task.model {
            Some(name) => vec![name.clone()],
            None => {
                seats.into_iter().map(|model| model.as_ref().map(|model| model.id().to_owned()).unwrap_or_default()).collect()
            }
        }
    }

    /// Who else may come in while a task is carried out, for the review.
    pub fn in_reserve(&self) -> Vec<String> {
        let line = |when: &str, model: &Option<Arc<dyn Model>>| {
            let model = model.as_ref()?;
            let price =
                model.price().map_or("its price is not known".to_owned(), |price| format!("{} out per million", price.output));
            Some(format!("{when}: {} ({price})", model.id()))
        };
        let lines = [
            line("after a failed attempt", &self.escalation),
            line("after a conflict", &self.resolver),
            line("to make conversations short", &self.summariser),
        ];
        lines.into_iter().flatten().chain(self.stand_ins()).collect()
    }

    /// Who comes in where another does not answer.
    fn stand_ins(&self) -> Vec<String> {
        let Some((config, _)) = &self.pool.source else { return Vec::new() };
        let line = |role: Role| {
            let lineup = config.lineup(role).ok()?;
            let (first, others) = lineup.split_first().filter(|(_, others)| !others.is_empty())?;
            let names: Vec<&str> = others.iter().map(|choice| choice.name.as_str()).collect();
            Some(format!("where {} does not answer the {role}: {}", first.name, names.join(", ")))
        };
        Role::ALL.into_iter().filter_map(line).collect()
    }
}

impl Pool {
    /// A role's models as one.
    fn lineup(&self, lineup: &[ModelChoice]) -> Result<Option<Arc<dyn Model>>, Error> {
        let models = lineup.iter().map(|choice| self.client(choice)).collect::<Result<Vec<_>, _>>()?;
        Ok(one_of(models))
    }

    fn client(&self, choice: &ModelChoice) -> Result<Arc<dyn Model>, Error> {
        if let Some(client) = self.clients.get(&choice.name) {
            return Ok(client.clone());
        }
        let root = self.source.as_ref().map_or_else(|| Path::new(""), |(_, root)| root.as_path());
        let client = connect_governed(choice, root, &self.governors)?;
        self.clients.insert(choice.name.clone(), client.clone());
        Ok(client)
    }

    /// A model that a plan names. It was looked up when the plan was admitted.
    fn named(&self, name: &str) -> Result<Arc<dyn Model>, String> {
        let (config, _) = self.source.as_ref().ok_or("this process has no models")?;
        let choice = config.named(name).map_err(|error| error.to_string())?;
        self.client(&choice).map_err(|error| error.to_string())
    }
}

/// The first of several models, with the others to stand in for it.
fn one_of(models: Vec<Arc<dyn Model>>) -> Option<Arc<dyn Model>> {
    let mut models = models.into_iter();
    let first = models.next()?;
    let others: Vec<Arc<dyn Model>> = models.collect();
    Some(if others.is_empty() { first } else { Arc::new(Fallback::new(first, others)) })
}

/// A client for a configured model, for itself alone. A script's path is relative to the repository.
pub fn connect(choice: &ModelChoice, root: &Path) -> Result<Arc<dyn Model>, Error> {
    connect_governed(choice, root, &Governors::default())
}

fn connect_governed(choice: &ModelChoice, root: &Path, governors: &Governors) -> Result<Arc<dyn Model>, Error> {
    let dialect = match choice.dialect {
        Dialect::OpenAiChat => model::Dialect::OpenAiChat,
        Dialect::OpenAiResponses => model::Dialect::OpenAiResponses,
        Dialect::AnthropicMessages => model::Dialect::AnthropicMessages,
        Dialect::Scripted => model::Dialect::Scripted { path: root.join(&choice.model) },
        Dialect::Replay => model::Dialect::Replay { folder: root.join(&choice.model) },
    };
    let settings = ModelSettings {
        api_key: choice.api_key.as_ref().map(|key| model::Secret::new(key.reveal())),
        price: choice.price.as_ref().map(shared::Tariff::dearest),
        context_window: choice.context_window,
        context_budget: choice.context_budget,
        max_output: choice.max_output,
        capabilities: choice.capabilities.clone(),
        headers: choice.headers.clone(),
        extra_body: choice.extra_body.clone(),
        request_timeout: choice.request_timeout,
        idle_timeout: choice.idle_timeout,
        retries: choice.retries,
        retry_wait: choice.retry_wait,
        ..ModelSettings::new(&choice.name, dialect, &choice.base_url)
    };
    model::connect_governed(settings, governors)
        .map_err(|error| Error::Model { what: error.to_string(), hint: error.hint().to_owned() })
}

#[cfg(test)]
mod tests;
