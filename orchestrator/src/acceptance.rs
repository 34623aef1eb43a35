//! The harness's own look at finished work, while its worker is still there to mend it.
//!
//! **Invariant:** done is observed, not claimed: only changes within scope, no secrets, everything delivered, own verification green.
//!
//! What the verification itself writes outside the scope (a lock file, a snapshot) is put back: it was the harness's command.
//!
//! A refusal is an instruction to the worker; what it does not mend ends the attempt. The same look is taken once more from outside
//! when the attempt is committed (scope) and when it lands (verification, on the merged tree).

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use plans::{Task, WorkerKind, evidence::OwnProof};
use shared::{RepoPath, Scope, Secrecy};
use tokio_util::sync::CancellationToken;
use worker::{
    process::{Shell, Status},
    tool::{Acceptance, LiveScope, Verdict, outside},
};

use crate::{error::Error, leak, worktree::Worktree};

/// What is looked at, and what must be found.
pub struct Inspection {
    /// The worktree.
    pub worktree: Arc<Worktree>,
    /// The task.
    pub task: Task,
    /// The scope, with what was granted so far.
    pub scope: LiveScope,
    /// Where its verification runs.
    pub shell: Shell,
    /// For each command of its verification.
    pub timeout: Duration,
    /// What no task commits.
    pub secrecy: Arc<Secrecy>,
    /// What becomes of changes outside the scope.
    pub astray: Astray,
}

/// What becomes of changes outside the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Astray {
    /// They are put back, and the worker goes on.
    PutBack,
    /// They stay, to be seen under the attempt's ref: nobody is left who could do it otherwise.
    Kept,
}

impl Inspection {
    async fn look(&self, cancel: &CancellationToken) -> Result<Verdict, Error> {
        let scope = self.scope.now();
        if self.astray == Astray::PutBack {
            self.worktree.open_up().await;
            let strayed = self.worktree.put_back(&scope).await?;
            if !strayed.is_empty() {
                return Ok(Verdict::Refused(say_put_back(&strayed)));
            }
        }
        if let Some(why) = self.refusal(&scope).await? {
            return Ok(Verdict::Refused(why));
        }
        let verdict = self.verify(cancel).await;
        // Nothing outside was changed before, so what is changed there now is the verification's doing, and no worker can mend it.
        self.worktree.put_back(&scope).await?;
        verdict
    }

    /// What stands against the files as they are. Somebody's `git gc --prune=now` may take away what no ref names yet, between one call of
    /// git and the next: then everything is read and looked at once more.
    async fn refusal(&self, scope: &Scope) -> Result<Option<String>, Error> {
        let tree = self.worktree.snapshot().await?;
        match self.refusal_of(&tree, scope).await {
            Ok(None) => return Ok(None),
            Ok(refusal) if self.worktree.is_whole(&tree).await => return Ok(refusal),
            Ok(_) | Err(_) => {}
        }
        let tree = self.worktree.snapshot_anew().await?;
        self.refusal_of(&tree, scope).await
    }

    async fn refusal_of(&self, tree: &str, scope: &Scope) -> Result<Option<String>, Error> {
        let strayed = self.worktree.outside(tree, scope).await?;
        if !strayed.is_empty() {
            let list: Vec<&str> = strayed.iter().take(20).map(RepoPath::as_str).collect();
            return Ok(Some(format!("files outside its scope have changed: {}; nothing of it lands", list.join(", "))));
        }
        let leaks = self.worktree.leaks(tree, &self.secrecy).await?;
        if !leaks.is_empty() {
            return Ok(Some(say_leaks(&leaks)));
        }
        if let Some(missing) = self.missing(tree).await {
            return Ok(Some(missing));
        }
        let unproved = self.task.verify.is_empty() && self.task.deliver.is_empty();
        let idle = unproved && self.worktree.changes(tree).await?.is_empty();
        Ok(idle.then(|| say_idle(&self.task.worker)))
    }

    async fn missing(&self, tree: &str) -> Option<String> {
        let mut missing = Vec::new();
        for path in &self.task.deliver {
            if self.worktree.has(tree, path).await {
                continue;
            }
            let on_disk = self.worktree.tree().join(path.as_str()).exists();
            let why = if on_disk { "it is ignored by .gitignore, so it cannot be committed" } else { "it does not exist" };
            missing.push(format!("{path} ({why})"));
        }
        (!missing.is_empty()).then(|| format!("these files must be delivered: {}", missing.join(", ")))
    }

    async fn verify(&self, cancel: &CancellationToken) -> Result<Verdict, Error> {
        for command in &self.task.verify {
            let end = self.shell.run(command, self.timeout, cancel).await;
            if end.status == Status::Cancelled {
                return Err(Error::Interrupted);
            }
            if !end.succeeded() {
                let (ended, output) = (end.status.to_string(), self.shell.output_of(&end));
                return Ok(Verdict::Refused(OwnProof { command, ended: &ended, output: &output }.in_words()));
            }
        }
        Ok(Verdict::Accepted)
    }
}

/// An agent is told what to do; of a command a person reads what was seen.
fn say_idle(worker: &WorkerKind) -> String {
    match worker {
        WorkerKind::Agent => "no file has changed, and nothing else proves this task; make the change first".to_owned(),
        WorkerKind::Command(_) => {
            "it has changed no file, and the task names nothing else that would prove it (`verify`, `deliver`)".to_owned()
        }
    }
}

fn say_leaks(leaks: &[leak::Leak]) -> String {
    format!(
        "the change would bring secrets into the repository: {}. Take each out: have the program read it from its environment or from a file \
         that git ignores, write a placeholder such as `changeme`, or, for a sample in a test, put it together at run time. If the task \
         cannot be done without one, finish as `blocked`: a person can except a file with `[secrets] allow` in inspan.toml",
        leak::in_words(leaks)
    )
}

fn say_put_back(strayed: &[RepoPath]) -> String {
    format!(
        "{} had changed and {} put back. Make sure that your work holds without, then call finish again; if the task needs such a change, \
         ask for it with request_scope",
        outside(strayed),
        if strayed.len() == 1 { "was" } else { "were" }
    )
}

impl Acceptance for Inspection {
    fn accept<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let look = self.look(cancel).await;
            look.unwrap_or_else(|error| Verdict::Unknown(format!("the work could not be looked at: {error}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use plans::file;
    use shared::Glob;

    use super::*;
    use crate::quarters::Holder;
    use crate::site::testing::{Ground, key, sh};

    async fn check(astray: Astray, work: &str, verify: &str) -> (Verdict, String) {
        let ground = Ground::new().await;
        let worktree = Arc::new(ground.worktree().await);
        sh(&worktree.tree(), work);
        let plan = format!(
            "version = 1\ngoal = 'g'\n[[task]]\nid = 't'\ntitle = 't'\ninstructions = 'i'\nwrite = ['src/**']\nverify = ['{verify}']\n"
        );
        let task = file::parse_toml(&plan).unwrap().get(&key().task).unwrap().clone();
        let env = ground.site.environment.of_gate(ground.site.run(), worktree.folder(), "mark");
        let holder =
            Holder { worktree: &worktree, env, writes: worker::sandbox::Writes::Tree, network: shared::Network::default() };
        let shell = ground.site.quarters.shell(&ground.site.repository.git, holder);
        let scope = LiveScope::new(Scope { write: vec![Glob::new("src/**").unwrap()], ..Scope::default() });
        let timeout = Duration::from_secs(60);
        let inspection = Inspection { worktree: worktree.clone(), task, scope, shell, timeout, secrecy: Arc::default(), astray };
        let verdict = inspection.accept(&CancellationToken::new()).await;
        let tree = worktree.snapshot().await.unwrap();
        let outside = worktree.outside(&tree, &Scope::default()).await.unwrap();
        (verdict, outside.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn what_a_verification_writes_outside_the_scope_is_put_back() {
        let changed = |paths: &str| (Verdict::Accepted, paths.to_owned());
        let verify = "echo locked > lock; touch new.snap; echo c > src/c";
        for astray in [Astray::PutBack, Astray::Kept] {
            assert_eq!(check(astray, "echo b > src/a", verify).await, changed("src/a src/c"));
        }
        let (verdict, changed) = check(Astray::PutBack, "echo b > src/a", "rm lock; false").await;
        assert!(matches!(verdict, Verdict::Refused(_)));
        assert_eq!(changed, "src/a");
    }

    #[tokio::test]
    async fn what_an_agent_left_outside_the_scope_is_put_back_and_told() {
        let (verdict, changed) = check(Astray::PutBack, "echo mine > lock; echo b > src/a; touch new", "true").await;
        let Verdict::Refused(why) = verdict else { panic!() };
        assert!(why.starts_with("2 files outside your scope: lock, new had changed and were put back. Make sure"), "{why}");
        assert_eq!(changed, "src/a");
    }

    #[tokio::test]
    async fn what_a_program_left_outside_the_scope_is_kept_to_be_seen() {
        let (verdict, changed) = check(Astray::Kept, "echo mine > lock", "true").await;
        let Verdict::Refused(why) = verdict else { panic!() };
        assert_eq!(why, "files outside its scope have changed: lock; nothing of it lands");
        assert_eq!(changed, "lock");
    }
}
