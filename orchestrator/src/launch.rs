//! Bringing a run to life: its surroundings, its actors, its screen, its end.

use std::{path::Path, sync::Arc};

use kameo::actor::{ActorRef, Spawn as _};
use plans::{
    Gate, Survey,
    event::{Event, Settings},
    lint::{GateRule, LintRules},
    run_state::RunState,
};
use serde::{Deserialize, Serialize};
use shared::Limits;
use tokio::{signal::unix::SignalKind, sync::oneshot};
use worker::model::{self, Model, ModelSettings};

use crate::{
    config::{Config, ConfigError, Dialect, ModelChoice, Role},
    dispatcher::{Dispatcher, DispatcherArgs, Ending, Interrupt, Policy, ReviewPolicy},
    environment::Environment,
    error::Error,
    journal::Journal,
    lease::Lease,
    recorder::{RecordError, Recorder},
    repository::{Repository, StartingPoint},
    site::{PlanRules, Site},
    store::RunFolder,
    survey::{BlobId, SurveyRequest, repository_brief, survey},
    ui::{
        Screen,
        board::Board,
        progress::{Format, Show, show},
        review::Terminal,
    },
};

/// What a command has found out before a run is launched.
pub struct Launch {
    /// The repository.
    pub repository: Repository,
    /// The configuration, with the flags of the command line in it.
    pub config: Config,
    /// The terminal.
    pub screen: Screen,
    /// How progress is shown.
    pub format: Format,
    /// The run's folder.
    pub folder: RunFolder,
    /// The right to write its journal.
    pub lease: Lease,
    /// Whether the run goes without a gate.
    pub no_gate: bool,
    /// Whether the run goes without a planner.
    pub solo: bool,
    /// The number of the last event that an earlier process has told of.
    pub told: u64,
}

/// What is known about the repository at the start of a run; kept, so that a resumed run begins its prompts with the same bytes.
#[derive(Serialize, Deserialize)]
struct Surroundings {
    survey: Survey,
    notes: Vec<String>,
    repository_brief: String,
}

/// How much of the repository every prompt begins with.
const BRIEF_BYTES: usize = 12 << 10;

impl Launch {
    /// Takes note of the repository as it is now.
    pub async fn look_around(&self, start: &StartingPoint) -> Result<(), Error> {
        let blobs = self.repository.git.blobs(&start.commit).await?;
        let state_dir = self.repository.state_dir();
        let request = SurveyRequest {
            root: self.repository.root.clone(),
            cache: Some(state_dir.join("survey.jsonl")),
            blobs: blobs.into_iter().map(|(path, id)| (path, BlobId(id))).collect(),
        };
        let work = tokio::task::spawn_blocking(move || survey(&request));
        let survey =
            work.await.map_err(|panic| Error::Defect(panic.to_string()))?.map_err(|error| Error::Usage(error.to_string()))?;
        let surroundings =
            Surroundings { notes: self.notes(start), repository_brief: repository_brief(&survey, BRIEF_BYTES), survey };
        let path = self.folder.surroundings();
        let text = serde_json::to_string(&surroundings).expect("surroundings are plain data");
        std::fs::write(&path, text).map_err(Error::disk(&path))
    }

    /// What the worktrees lack against what a person might expect.
    fn notes(&self, start: &StartingPoint) -> Vec<String> {
        let mut notes = Vec::new();
        if start.snapshot {
            notes.push("The tree holds changes that the person has not committed yet; they are part of the base.".to_owned());
        }
        if !start.left_out.is_empty() {
            notes.push(format!("These untracked files are not here: {}.", start.left_out.join(", ")));
        }
        if !self.repository.submodules.is_empty() {
            notes.push(format!(
                "These submodules are empty folders here and cannot be changed: {}.",
                self.repository.submodules.join(", ")
            ));
        }
        notes
    }

    /// How the run is to behave, as far as flags and configuration say.
    pub fn settings(&self, has_planner: bool) -> Settings {
        let run = &self.config.run;
        Settings {
            workers: run.workers.max(1),
            attempts: run.attempts.max(1),
            conflict_attempts: run.conflict_attempts.max(1),
            replans: run.replans,
            planner: has_planner && !self.solo,
            task_limits: self.config.task,
            run_limits: Limits { turns: None, tokens: run.max_tokens, cost: run.max_cost, minutes: run.max_minutes },
            no_gate: self.no_gate,
        }
    }

    /// What plans are held against.
    pub fn lint_rules(&self) -> LintRules {
        let run = &self.config.run;
        let gate = if self.no_gate { GateRule::NotWanted } else { GateRule::Required };
        LintRules {
            gate,
            run_limits: Limits { turns: None, tokens: run.max_tokens, cost: run.max_cost, minutes: run.max_minutes },
        }
    }

    /// The surroundings of the run, with a model for each role that has one.
    pub fn site(&self) -> Result<Arc<Site>, Error> {
        let path = self.folder.surroundings();
        let text = std::fs::read_to_string(&path).map_err(Error::disk(&path))?;
        let damaged = |error: serde_json::Error| Error::Usage(format!("{} is damaged: {error}", path.display()));
        let Surroundings { survey, notes, repository_brief } = serde_json::from_str(&text).map_err(damaged)?;
        let (worker, planner) = (self.model(Role::Worker)?, self.model(Role::Planner)?);
        if self.config.run.max_cost.is_some()
            && let Some(model) = [&worker, &planner].into_iter().flatten().find(|model| model.price().is_none())
        {
            return Err(Error::UnknownPrice { model: model.id().to_owned() });
        }
        let worktrees = self.config.worktrees.clone().ok_or_else(|| {
            Error::Usage("no place for worktrees: HOME is not set; set it, or `[paths] worktrees` in inspan.toml".to_owned())
        })?;
        let rules = PlanRules { configured: self.configured_gate(), guess: self.guessed_gate(&survey), no_gate: self.no_gate };
        Ok(Arc::new(Site {
            folder: self.folder.clone(),
            repository: self.repository.clone(),
            worktrees: worktrees.join("worktrees"),
            environment: Environment::from_process(|name| self.config.passes(name)),
            survey: Arc::new(survey),
            repository_brief,
            notes,
            worker_model: worker,
            planner_model: planner.filter(|_| !self.solo),
            rules,
            board: Arc::new(Board::default()),
            chores: tokio_util::task::TaskTracker::new(),
        }))
    }

    fn configured_gate(&self) -> Option<Gate> {
        let gate = &self.config.gate;
        gate.commands.clone().filter(|commands| !commands.is_empty()).map(|commands| Gate { commands, timeout: gate.timeout })
    }

    fn guessed_gate(&self, survey: &Survey) -> Gate {
        Gate { commands: survey.verification.clone(), timeout: self.config.gate.timeout }
    }

    fn model(&self, role: Role) -> Result<Option<Arc<dyn Model>>, Error> {
        match self.config.model(role) {
            Ok(choice) => connect(&choice, &self.repository.root).map(Some),
            Err(ConfigError::NoModel | ConfigError::NoModelThere) => Ok(None),
            Err(error) => Err(Error::Usage(error.to_string())),
        }
    }

    /// Runs until the end. The journal must hold the run's beginning.
    pub async fn carry_through(self, recorder: Recorder, plan_only: bool, site: Arc<Site>) -> Result<Ending, Error> {
        let review = match self.config.run.review {
            crate::config::Review::Always => ReviewPolicy::Always,
            crate::config::Review::First => ReviewPolicy::First,
            crate::config::Review::Never => ReviewPolicy::Never,
        };
        let policy = Policy { review, plan_only, rules: self.lint_rules() };
        let entries = recorder.listen();
        let watched = Show {
            screen: self.screen.clone(),
            format: self.format,
            board: site.board.clone(),
            run: self.folder.run.clone(),
            folder: self.folder.path.clone(),
        };
        let shown = if self.format == Format::Json { self.told } else { recorder.last() };
        let screen = show(watched, entries, shown);
        let (end, ended) = oneshot::channel();
        let reviewer = Arc::new(Terminal { screen: self.screen.clone() });
        let dispatcher = Dispatcher::spawn(DispatcherArgs { site: site.clone(), recorder, policy, reviewer, end });
        let signals = tokio::spawn(listen_for_signals(dispatcher.clone(), self.screen.clone()));
        let ending = ended.await.unwrap_or_else(|_| Err(Error::Defect("the dispatcher is gone".to_owned())));
        signals.abort();
        // It may have stopped already.
        let _ = dispatcher.stop_gracefully().await;
        dispatcher.wait_for_shutdown().await;
        // The screen ends with the last entry; if it broke, the run is none the worse.
        let _ = screen.await;
        site.finish_chores().await;
        if matches!(ending, Ok(Ending::Over(_))) {
            let entries = Journal::read_only(&self.folder.path, self.folder.run.clone())?.after(0)?;
            site.take_down(&RunState::fold(&entries).map_err(RecordError::from)?).await;
        }
        drop(self.lease);
        ending
    }
}

/// A client for a configured model. A script's path is relative to the repository.
pub fn connect(choice: &ModelChoice, root: &Path) -> Result<Arc<dyn Model>, Error> {
    let dialect = match choice.dialect {
        Dialect::OpenAiChat => model::Dialect::OpenAiChat,
        Dialect::Scripted => model::Dialect::Scripted { path: root.join(&choice.model) },
    };
    let settings = ModelSettings {
        api_key: choice.api_key.as_ref().map(|key| model::Secret::new(key.reveal())),
        price: choice.price,
        context_window: choice.context_window,
        max_output: choice.max_output,
        reasoning_roundtrip: choice.reasoning_roundtrip,
        strict_tools: choice.strict_tools,
        extra_body: choice.extra_body.clone(),
        request_timeout: choice.request_timeout,
        idle_timeout: choice.idle_timeout,
        retries: choice.retries,
        ..ModelSettings::new(&choice.name, dialect, &choice.base_url)
    };
    model::connect(settings).map_err(|error| Error::Model { what: error.to_string(), hint: error.hint().to_owned() })
}

/// The first interrupt stops the run in order; the second one ends the process, which loses nothing that is in the journal.
async fn listen_for_signals(dispatcher: ActorRef<Dispatcher>, screen: Screen) {
    let mut signals = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        match tokio::signal::unix::signal(kind) {
            Ok(signal) => signals.push(signal),
            Err(error) => tracing::warn!(%error, "a signal cannot be listened for"),
        }
    }
    let mut heard = 0;
    loop {
        let next = futures_util::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv())));
        if next.await.0.is_none() {
            return;
        }
        heard += 1;
        if heard > 1 {
            screen.insist("Stopped at once. `inspan resume` saves what the workers left.");
            std::process::exit(130);
        }
        screen.insist("Stopping: what the workers have is kept. Once more to stop at once.");
        // A dispatcher that is gone has stopped.
        let _ = dispatcher.tell(Interrupt).await;
    }
}

/// The first event of a run.
pub fn beginning(goal: &str, repository: &Repository, start: &StartingPoint, settings: Settings) -> Event {
    let (goal, base, head) = (goal.to_owned(), start.commit.clone(), repository.head.clone());
    let program = env!("CARGO_PKG_VERSION").to_owned();
    Event::RunStarted { goal, base, head, snapshot: start.snapshot, settings, program }
}
