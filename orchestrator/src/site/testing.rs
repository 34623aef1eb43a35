//! A site for tests: a real repository of two files, a run in it, and a place for worktrees, all of which go with the test.

use std::{path::Path, process::Command, sync::Arc};

use plans::event::{CommitId, Event, Settings};
use shared::{Attempt, AttemptKey, TaskId};

use super::{PlanRules, Site};
use crate::{environment::Environment, recorder::Recorder, repository::Repository, store::Store, worktree::Worktree};

/// Runs a shell script that must succeed, and returns what it says.
pub fn sh(dir: &Path, script: &str) -> String {
    let out = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// The first attempt at the task `t`.
pub fn key() -> AttemptKey {
    AttemptKey { task: TaskId::new("t").unwrap(), attempt: Attempt(1) }
}

/// A run's surroundings.
pub struct Ground {
    _folder: tempfile::TempDir,
    pub site: Arc<Site>,
    pub base: CommitId,
}

impl Ground {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        std::fs::create_dir(&root).unwrap();
        sh(
            &root,
            "git init -q -b main; git config user.name A; git config user.email a@localhost
             mkdir src; echo a > src/a; echo lock > lock; git add .; git commit -qm base",
        );
        let repository = Repository::find(&root).await.unwrap();
        let run = Store::new(&repository.state_dir()).create().unwrap();
        let base = repository.head.clone();
        let site = Site {
            folder: run,
            worktrees: folder.path().join("worktrees"),
            environment: Environment::from_process(|_| false),
            quarters: crate::quarters::Quarters::open(),
            secrecy: Arc::default(),
            survey: Arc::default(),
            map: Arc::default(),
            map_bytes: 0,
            repository_brief: String::new(),
            notes: Vec::new(),
            models: crate::models::Models::default(),
            tariffs: crate::config::Tariffs::default(),
            rules: PlanRules::default(),
            approvals: Arc::default(),
            generated: Vec::new(),
            reports: Vec::new(),
            company: worker::actor::Company::default(),
            board: Arc::default(),
            chores: tokio_util::task::TaskTracker::new(),
            repository,
        };
        Self { _folder: folder, site: Arc::new(site), base }
    }

    /// The worktree of the first attempt.
    pub async fn worktree(&self) -> Worktree {
        let folder = Worktree::folder_of(&self.site.worktrees, self.site.run(), &key());
        let owner = self.site.owner(&key().to_string(), &self.base);
        Worktree::create(&self.site.repository.git, folder, owner, &self.base).await.unwrap()
    }

    /// A journal in which the run has begun.
    pub fn recorder(&self) -> Recorder {
        let settings = Settings { replans: 0, no_gate: true, ..Settings::default() };
        let (base, head) = (self.base.clone(), self.base.clone());
        let first = Event::RunStarted { goal: "g".to_owned(), base, head, snapshot: false, settings, program: String::new() };
        Recorder::begin(&self.site.folder.path, self.site.run().clone(), &first, Arc::default()).unwrap()
    }

    /// A commit on top of the base that a script makes in a checkout of its own.
    pub async fn commit(&self, name: &str, script: &str) -> CommitId {
        let root = &self.site.repository.root;
        sh(
            root,
            &format!(
                "git worktree add -q --detach ../{name}; cd ../{name}; {script}\ngit add -A; git commit -qm {name}; git branch {name}"
            ),
        );
        self.site.repository.git.commit(name).await.unwrap()
    }
}
