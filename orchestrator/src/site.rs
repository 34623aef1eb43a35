//! What all actors of one run share: where things are, what the repository is like, which models answer. Made once, read only.

mod fit;
#[cfg(test)]
pub mod testing;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use plans::{
    Plan, Survey,
    admission::PlanRules,
    event::{CommitId, Event, Settings},
    run_state::RunState,
};
use shared::{AttemptKey, Glob, RunId, Secrecy, Tariff};
use tokio_util::task::TaskTracker;
use worker::{actor::Company, model::Model, process::end_strays};

use crate::{
    approvals::Rules,
    config::{Generated, Tariffs},
    disk::Places,
    environment::Environment,
    error::Error,
    journal::Journal,
    kept,
    models::Models,
    quarters::Quarters,
    repository::Repository,
    store::RunFolder,
    survey::SymbolMap,
    sweep::Sweep,
    ui::{
        board::Board,
        review::{Sheet, Team},
    },
    worktree::{self, Owner, Worktree},
};

pub use self::fit::Misfit;

/// What every worker's first request holds beside the text about the repository.
const OPENING_BYTES: u64 = 6 << 10;

/// The surroundings of one run.
pub struct Site {
    /// The run's folder in the store.
    pub folder: RunFolder,
    /// The person's repository.
    pub repository: Repository,
    /// Where worktrees are made.
    pub worktrees: PathBuf,
    /// What commands see of the world.
    pub environment: Environment,
    /// Where they live.
    pub quarters: Quarters,
    /// What no model sees and no task commits.
    pub secrecy: Arc<Secrecy>,
    /// What is known about the base commit.
    pub survey: Arc<Survey>,
    /// Who defines and who uses what there.
    pub map: Arc<SymbolMap>,
    /// How much of it stands in the text about the repository at most.
    pub map_bytes: usize,
    /// The text about the repository that every prompt begins with: the same bytes for the whole run.
    pub repository_brief: String,
    /// What the tree lacks against what a person might expect.
    pub notes: Vec<String>,
    /// Whoever is asked; no planner if the run goes without.
    pub models: Models,
    /// What models cost.
    pub tariffs: Tariffs,
    /// What plans are completed with and held against, with the limits of the launch; see [`Site::rules_now`].
    pub rules: PlanRules,
    /// What a person wants to be asked about, and what nobody may do.
    pub approvals: Arc<Rules>,
    /// Files that a command makes from others.
    pub generated: Vec<Generated>,
    /// Where the gate's commands leave reports, beside the usual places.
    pub reports: Vec<Glob>,
    /// What all workers share.
    pub company: Company,
    /// What is going on right now, for the screen.
    pub board: Arc<Board>,
    /// What is being cleared away.
    pub chores: TaskTracker,
}

impl Site {
    /// The run.
    pub fn run(&self) -> &RunId {
        &self.folder.run
    }

    /// What a person is shown of a plan of this run.
    pub fn sheet(&self, plan: Plan, settings: &Settings) -> Sheet {
        let model = self.models.worker.as_ref();
        let team = Team {
            model: model.map(|model| model.id().to_owned()),
            tariff: model.and_then(|model| self.tariff(model.as_ref())),
            reserve: self.models.in_reserve(),
            opening: self.opening(),
        };
        Sheet {
            warnings: self.warnings(&plan).into_iter().chain(self.misfits(&plan).iter().map(ToString::to_string)).collect(),
            plan,
            difference: None,
            cause: None,
            settled: BTreeSet::new(),
            settings: settings.clone(),
            team,
            rules: self.rules_now(settings),
            approvals: self.approvals.clone(),
            survey: self.survey.clone(),
            draft: self.folder.path.join("plan.toml"),
        }
    }

    /// What plans are held against now: a person may have changed the run's limits since it was launched.
    pub fn rules_now(&self, settings: &Settings) -> PlanRules {
        PlanRules { run_limits: settings.run_limits, ..self.rules.clone() }
    }

    /// What a model costs, if anybody knows.
    pub fn tariff(&self, model: &dyn Model) -> Option<Tariff> {
        self.tariffs.get(model.id()).cloned().or_else(|| model.price().map(Tariff::from))
    }

    /// How many tokens every worker's conversation begins with.
    pub fn opening(&self) -> u64 {
        worker::model::estimate_tokens(self.repository_brief.len() as u64 + OPENING_BYTES)
    }

    /// Tasks whose conversation begins too long for their model.
    pub fn misfits(&self, plan: &Plan) -> Vec<Misfit> {
        // What each is told of the files around its own is not looked up for this.
        let around = worker::model::estimate_tokens(self.map_bytes as u64 / 4 * 3);
        fit::misfits(plan, self.opening() + around, |task| self.models.of_attempt(task, None).ok())
    }

    /// What was remarked of the plan when it was proposed; of one that never was, what the linter says now.
    fn warnings(&self, plan: &Plan) -> Vec<String> {
        let journal = Journal::read_only(&self.folder.path, self.run().clone());
        let entries = journal.and_then(|journal| journal.after(0)).unwrap_or_default();
        let recorded = entries.into_iter().rev().find_map(|entry| match entry.event {
            Event::PlanProposed { plan: proposed, warnings, .. } if *proposed == *plan => Some(warnings),
            _ => None,
        });
        recorded.unwrap_or_else(|| self.rules.remarks(plan, &self.survey))
    }

    /// What the run writes to.
    pub fn places(&self) -> Places {
        let own = vec![self.folder.path.clone(), self.worktrees.join(self.run().as_str())];
        Places { own, objects: self.repository.git.dir().join("objects") }
    }

    /// The short name of the run branch.
    pub fn branch(&self) -> String {
        format!("inspan/{}", self.run())
    }

    /// The full name of the run branch's ref.
    pub fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch())
    }

    /// The ref that keeps what an attempt left.
    pub fn attempt_ref(&self, key: &AttemptKey) -> String {
        kept::attempt_ref(self.run(), key)
    }

    /// The mark in the environment of an attempt's commands, by which strays are found.
    pub fn mark(&self, holder: &str) -> String {
        worktree::mark(self.run(), holder)
    }

    /// The ownership record of a directory.
    pub fn owner(&self, holder: &str, base: &CommitId) -> Owner {
        let (repository, run) = (self.repository.git.dir().to_owned(), self.run().clone());
        Owner { repository, run, holder: holder.to_owned(), base: base.clone() }
    }

    /// Removes a worktree whose content is safe, while the run goes on.
    pub fn remove_later(&self, worktree: Arc<Worktree>) {
        self.chores.spawn_blocking(move || {
            if let Err(error) = worktree.remove() {
                tracing::warn!(%error, "a worktree could not be removed; `inspan clean` tries again");
            }
        });
    }

    /// Waits until what is to be removed is gone.
    pub async fn finish_chores(&self) {
        self.chores.close();
        self.chores.wait().await;
    }

    /// Removes what a run that is over needs no more.
    pub async fn take_down(&self, state: &RunState) {
        let kept = kept::expected(self.run(), state);
        if let Err(error) = kept::put_back(&self.repository.git, self.run(), kept).await {
            tracing::warn!(%error, "refs that somebody deleted could not be made again");
        }
        Sweep { git: &self.repository.git, worktrees: &self.worktrees, run: self.run(), state }.carry_out().await;
    }

    /// Ends whatever still runs in a holder's name: its commands, and calls of git whose harness was killed.
    pub async fn end_strays(&self, holder: &str) {
        let mark = self.mark(holder);
        // A failed look for strays costs nothing but the strays.
        let _ = tokio::task::spawn_blocking(move || end_strays(&mark)).await;
    }

    /// A directory that is kept for the whole run, with its build output: the gate's, the planner's.
    pub async fn standing_worktree(&self, holder: &str, base: &CommitId) -> Result<Worktree, Error> {
        self.end_strays(holder).await;
        let (folder, owner) = (self.worktrees.join(self.run().as_str()).join(holder), self.owner(holder, base));
        match Worktree::reopen(&self.repository.git, folder.clone(), owner.clone()).await? {
            Some(worktree) => worktree.check_out(base).await.map(|()| worktree),
            None => Worktree::create(&self.repository.git, folder, owner, base).await,
        }
    }
}
