//! What all actors of one run share: where things are, what the repository is like, which models answer. Made once, read only.

use std::{path::PathBuf, sync::Arc};

use plans::{Gate, Survey, event::CommitId, file::Reading};
use shared::{AttemptKey, RunId};
use tokio_util::task::TaskTracker;
use worker::model::Model;

use crate::{
    environment::Environment,
    error::Error,
    repository::Repository,
    store::RunFolder,
    ui::board::Board,
    worktree::{Owner, Worktree},
};

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
    /// What is known about the base commit.
    pub survey: Arc<Survey>,
    /// The text about the repository that every prompt begins with: the same bytes for the whole run.
    pub repository_brief: String,
    /// What the tree lacks against what a person might expect.
    pub notes: Vec<String>,
    /// The model of the workers; none if no task needs one.
    pub worker_model: Option<Arc<dyn Model>>,
    /// The model of the planner; none if the run goes without.
    pub planner_model: Option<Arc<dyn Model>>,
    /// What a plan is completed with.
    pub rules: PlanRules,
    /// What is going on right now, for the screen.
    pub board: Arc<Board>,
    /// What is being cleared away.
    pub chores: TaskTracker,
}

/// What the harness knows better than whoever writes a plan.
#[derive(Debug, Clone, Default)]
pub struct PlanRules {
    /// The gate that the person configured: it stands, whatever a plan says.
    pub configured: Option<Gate>,
    /// The gate for a plan that names none.
    pub guess: Gate,
    /// Whether the person wants no gate.
    pub no_gate: bool,
}

/// The directories that are kept for a whole run.
const STANDING: [&str; 2] = ["_gate", "_planner"];

impl PlanRules {
    /// Puts the goal and the gate into a plan that a model wrote.
    pub fn complete(&self, goal: &str, reading: &mut Reading) {
        reading.fill(goal, self.configured.as_ref().unwrap_or(&self.guess));
        goal.clone_into(&mut reading.draft.goal);
        self.set_gate(&mut reading.draft.gate);
    }

    /// Puts the person's own gate in the place of a plan's.
    pub fn set_gate(&self, gate: &mut Gate) {
        if let Some(configured) = &self.configured {
            gate.clone_from(configured);
        }
        if self.no_gate {
            gate.commands.clear();
        }
    }
}

impl Site {
    /// The run.
    pub fn run(&self) -> &RunId {
        &self.folder.run
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
        format!("refs/inspan/{}/{}/{}", self.run(), key.task, key.attempt)
    }

    /// The mark in the environment of an attempt's commands, by which strays are found.
    pub fn mark(&self, holder: &str) -> String {
        format!("{}/{}", self.run(), holder.replace(' ', ""))
    }

    /// The ownership record of a directory.
    pub fn owner(&self, holder: &str, base: &CommitId) -> Owner {
        let (repository, run) = (self.repository.git.dir().to_owned(), self.run().clone());
        Owner { repository, run, holder: holder.to_owned(), base: base.clone() }
    }

    /// Removes a worktree whose content is safe, while the run goes on.
    pub fn remove_later(&self, worktree: Worktree) {
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

    /// Removes the directories that were kept for the run. What cannot be removed now, `inspan clean` removes later.
    pub async fn take_down(&self) {
        for holder in STANDING {
            let folder = self.worktrees.join(self.run().as_str()).join(holder);
            let owner = self.owner(holder, &CommitId(String::new()));
            let removed = tokio::task::spawn_blocking(move || Worktree::remove_if_ours(&folder, &owner)).await;
            tracing::debug!(?removed, holder, "took down");
        }
        let place = self.worktrees.join(self.run().as_str());
        let empty_ones = std::fs::read_dir(&place).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        for folder in empty_ones.chain([place.clone()]) {
            // Only what is empty goes: somebody's work may be in the rest.
            let _ = std::fs::remove_dir(folder);
        }
    }

    /// A directory that is kept for the whole run: the gate's, the planner's. Made anew by each process.
    pub async fn standing_worktree(&self, holder: &str, files: &CommitId) -> Result<Worktree, Error> {
        let folder = self.worktrees.join(self.run().as_str()).join(holder);
        Worktree::create(&self.repository.git, folder, self.owner(holder, files), files).await
    }
}
