//! Bringing a run to life: its surroundings, its actors, its screen, its end.

use std::{path::Path, sync::Arc};

use kameo::actor::{ActorRef, Spawn as _};
use plans::{Gate, Survey, admission::PlanRules, event::Settings, run_state::RunState};
use serde::{Deserialize, Serialize};
use shared::Limits;
use tokio::{signal::unix::SignalKind, sync::oneshot};
use worker::{
    actor::Company,
    process::Permits,
    sandbox::{Chosen, Tier, TierChoice, choose},
};

use crate::{
    config::{Config, Role},
    control,
    dispatcher::{Dispatcher, DispatcherArgs, Ending, Interrupt, Policy, ReviewPolicy, ordered},
    environment::Environment,
    error::Error,
    journal::Journal,
    lease::Lease,
    models::Models,
    quarters::Quarters,
    recorder::{RecordError, Recorder},
    repository::{Repository, StartingPoint},
    site::Site,
    store::RunFolder,
    survey::{BlobId, Findings, Room, SurveyRequest, SymbolMap, repository_brief, survey},
    ui::{
        Screen, bill,
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
    /// How the run is to behave.
    pub settings: Settings,
    /// What bounds its commands.
    pub sandbox: Chosen,
    /// The number of the last event that an earlier process has told of.
    pub told: u64,
}

/// How a new run is to behave, as flags and configuration say.
pub fn settings(config: &Config, no_gate: bool, planner: bool) -> Settings {
    let run = &config.run;
    Settings {
        workers: run.workers.max(1),
        attempts: run.attempts.max(1),
        conflict_attempts: run.conflict_attempts.max(1),
        replans: if planner { run.replans } else { 0 },
        task_limits: config.task,
        run_limits: Limits { turns: None, tokens: run.max_tokens, cost: run.max_cost, minutes: run.max_minutes },
        no_gate,
        planner,
        sandbox: String::new(),
        batch: config.landing.batch.max(1),
        speculate: config.landing.speculate,
        max_disk: run.max_disk,
        min_free: run.min_free,
        escalation: config.lineup(Role::Escalation).is_ok_and(|lineup| !lineup.is_empty()),
    }
}

/// The sandbox of a run, tried; or why there is none.
pub async fn sandbox(choice: TierChoice) -> Result<Chosen, Error> {
    let program =
        std::env::current_exe().map_err(|error| Error::Defect(format!("this program does not find itself: {error}")))?;
    Ok(choose(choice, &program).await?)
}

/// What is known about the repository at the start of a run; kept, so that a resumed run begins its prompts with the same bytes.
#[derive(Serialize, Deserialize)]
struct Surroundings {
    survey: Survey,
    /// Runs of earlier versions have none.
    #[serde(default)]
    map: SymbolMap,
    notes: Vec<String>,
    repository_brief: String,
}

/// How much of the repository every prompt begins with, beside the map of its symbols.
const BRIEF_BYTES: usize = 12 << 10;

impl Launch {
    /// Takes note of the repository as it is now, with an eye to the goal.
    pub async fn look_around(&self, start: &StartingPoint, goal: &str) -> Result<(), Error> {
        let (ignored, now) = (self.folder.ignored(), self.repository.git.excluded());
        // Where there is no such list nothing is ignored by it.
        std::fs::write(&ignored, std::fs::read(now).unwrap_or_default()).map_err(Error::disk(&ignored))?;
        let blobs = self.repository.git.blobs(&start.commit).await?;
        let state_dir = self.repository.state_dir();
        let request = SurveyRequest {
            root: self.repository.root.clone(),
            cache: Some(state_dir.join("survey.jsonl")),
            blobs: blobs.into_iter().map(|(path, id)| (path, BlobId(id))).collect(),
            secrecy: Arc::clone(&self.config.secrecy),
        };
        let work = tokio::task::spawn_blocking(move || survey(&request));
        let mut findings =
            work.await.map_err(|panic| Error::Defect(panic.to_string()))?.map_err(|error| Error::Survey(error.to_string()))?;
        let secrecy = &self.config.secrecy;
        findings.survey.guidance.values_mut().for_each(|text| *text = secrecy.mask(text).into_owned());
        let map_bytes = self.config.map_bytes();
        let room = Room { goal, bytes: (BRIEF_BYTES + map_bytes).min(self.config.brief_bytes()), map: map_bytes };
        let repository_brief = secrecy.mask(&repository_brief(&findings, &room)).into_owned();
        let Findings { survey, map } = findings;
        let surroundings = Surroundings { notes: self.notes(start), repository_brief, survey, map };
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

    /// The surroundings of the run.
    pub fn site(&self, models: Models) -> Result<Arc<Site>, Error> {
        let path = self.folder.surroundings();
        let text = std::fs::read_to_string(&path).map_err(Error::disk(&path))?;
        let damaged = |error: serde_json::Error| Error::Damaged { path: path.clone(), why: error.to_string() };
        let Surroundings { survey, map, notes, repository_brief } = serde_json::from_str(&text).map_err(damaged)?;
        let worktrees = self.config.worktrees.clone().ok_or_else(|| {
            Error::Usage("no place for worktrees: HOME is not set; set it, or `[paths] worktrees` in inspan.toml".to_owned())
        })?;
        self.refuse_folders_of_the_person()?;
        let rules = PlanRules {
            configured: self.configured_gate(),
            guess: self.guessed_gate(&survey),
            no_gate: self.settings.no_gate,
            run_limits: self.settings.run_limits,
            paths: self.config.approvals.paths.clone(),
            unreviewed: self.config.run.review == crate::config::Review::Never,
            models: Some(Arc::new(self.config.clone())),
        };
        Ok(Arc::new(Site {
            folder: self.folder.clone(),
            repository: Repository {
                git: self.repository.git.clone().ignoring_as_in(self.folder.ignored()),
                ..self.repository.clone()
            },
            worktrees: worktrees.join("worktrees"),
            environment: Environment::from_process(|name| self.config.passes(name)),
            quarters: self.quarters(),
            secrecy: Arc::clone(&self.config.secrecy),
            survey: Arc::new(survey),
            map: Arc::new(map),
            map_bytes: self.config.map_bytes(),
            repository_brief,
            notes,
            models: if self.settings.planner { models } else { models.without_planner() },
            tariffs: self.config.tariffs(),
            rules,
            approvals: Arc::new(self.config.approvals.clone()),
            generated: self.config.generated.clone(),
            reports: self.config.gate.reports.clone(),
            company: Company { warmth: Some(Arc::default()), ..Company::default() },
            board: Arc::new(Board::default()),
            chores: tokio_util::task::TaskTracker::new(),
        }))
    }

    /// A folder that commands may write besides must not be, hold, or lie in the person's checkout or its records.
    fn refuse_folders_of_the_person(&self) -> Result<(), Error> {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let own = [real(&self.repository.root), real(self.repository.git.dir())];
        let meets = |folder: &Path| own.iter().any(|own| own.starts_with(folder) || folder.starts_with(own));
        match self.config.sandbox.write.iter().find(|folder| meets(&real(folder))) {
            None => Ok(()),
            Some(folder) => Err(Error::Usage(format!(
                "`sandbox.write` names {}, where your checkout lies or what holds it: commands of workers never write there",
                folder.display()
            ))),
        }
    }

    /// What bounds the run's commands, and what a configuration has added to that.
    pub fn say_sandbox(&self) {
        self.screen.say(&format!("Sandbox: {}.", self.sandbox.about));
        let settings = &self.config.sandbox;
        for (what, folders) in [("write", &settings.write), ("read", &settings.read)] {
            if !folders.is_empty() && self.sandbox.tier() != Tier::None {
                let shown: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
                self.screen.say(&format!("By configuration, commands may also {what} {}.", shown.join(", ")));
            }
        }
    }

    fn quarters(&self) -> Quarters {
        let settings = &self.config.sandbox;
        Quarters {
            chosen: self.sandbox.clone(),
            read: settings.read.clone(),
            write: settings.write.clone(),
            build: settings.build.clone(),
            limits: settings.limits,
            permits: settings.heavy.map_or_else(Permits::default, |heavy| Permits::new(heavy as usize)),
            home: self.config.home.clone(),
        }
    }

    fn configured_gate(&self) -> Option<Gate> {
        let gate = &self.config.gate;
        gate.commands.clone().filter(|commands| !commands.is_empty()).map(|commands| Gate {
            commands,
            timeout: gate.timeout,
            ..Gate::default()
        })
    }

    fn guessed_gate(&self, survey: &Survey) -> Gate {
        Gate { commands: survey.verification.clone(), timeout: self.config.gate.timeout, ..Gate::default() }
    }

    /// Has the dispatcher hear what is ordered from other terminals. A run goes on without.
    fn open_control(&self, dispatcher: &ActorRef<Dispatcher>) -> Option<control::Open> {
        let dispatcher = dispatcher.clone();
        let opened = control::open(&self.folder.path, move |order| ordered(dispatcher.clone(), order));
        opened
            .inspect_err(|error| {
                let what = format!("warning: this run cannot be paused, steered or changed from another terminal: {error}");
                self.screen.say(&format!("{what}. Everything else goes on; Ctrl-C and `inspan cancel` stop it."));
            })
            .ok()
    }

    /// Runs until the end. The journal must hold the run's beginning.
    pub async fn carry_through(self, recorder: Recorder, plan_only: bool, site: Arc<Site>) -> Result<Ending, Error> {
        let review = match self.config.run.review {
            crate::config::Review::Always => ReviewPolicy::Always,
            crate::config::Review::First => ReviewPolicy::First,
            crate::config::Review::Never => ReviewPolicy::Never,
        };
        let attended = self.screen.interactive && review != ReviewPolicy::Never && self.format == Format::Text;
        let policy = Policy { review, plan_only, attended };
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
        let control = self.open_control(&dispatcher);
        let signals = tokio::spawn(listen_for_signals(dispatcher.clone(), self.screen.clone()));
        let ending = ended.await.unwrap_or_else(|_| Err(Error::Defect("the dispatcher is gone".to_owned())));
        signals.abort();
        if let Some(control) = control {
            control.close().await;
        }
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
        if ending.is_err() {
            self.say_spending();
        }
        drop(self.lease);
        ending
    }

    /// A run that does not come to its end has cost something, too.
    fn say_spending(&self) {
        let entries = Journal::read_only(&self.folder.path, self.folder.run.clone()).and_then(|journal| journal.after(0));
        let Some(state) = entries.ok().and_then(|entries| RunState::fold(&entries).ok()) else { return };
        if state.spending().tokens.total() > 0 {
            self.screen.say(&format!("spent    {}", bill::spent(state.spending())));
        }
    }
}

/// What is said when nothing is waited for any more.
pub const STOPPED_AT_ONCE: &str = "Stopped at once. `inspan resume` saves what the workers left.";

/// Ends the process, which loses nothing that is in the journal.
pub fn leave() -> ! {
    crate::git::end_calls();
    std::process::exit(130);
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
            screen.insist(STOPPED_AT_ONCE);
            leave();
        }
        screen.insist("Stopping: what the workers have is kept. Once more to stop at once.");
        // A dispatcher that is gone has stopped.
        let _ = dispatcher.tell(Interrupt).await;
    }
}
