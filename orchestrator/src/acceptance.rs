//! The harness's own look at finished work, while its worker is still there to mend it.
//!
//! **Invariant:** done is observed, not claimed: only changes within scope, everything delivered, own verification green.
//!
//! What the verification itself writes outside the scope (a lock file, a snapshot) is put back: it was the harness's command.
//!
//! A refusal is an instruction to the worker; what it does not mend ends the attempt. The same look is taken once more from outside
//! when the attempt is committed (scope) and when it lands (verification, on the merged tree).

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use plans::Task;
use shared::RepoPath;
use tokio_util::sync::CancellationToken;
use worker::{
    process::{Shell, Status},
    tool::{Acceptance, LiveScope, Verdict},
};

use crate::{error::Error, worktree::Worktree};

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
}

impl Inspection {
    async fn look(&self, cancel: &CancellationToken) -> Result<Verdict, Error> {
        let tree = self.worktree.snapshot().await?;
        let scope = self.scope.now();
        let outside = self.worktree.outside(&tree, &scope).await?;
        if !outside.is_empty() {
            return Ok(Verdict::Refused(self.say_outside(&outside)));
        }
        if let Some(missing) = self.missing(&tree).await {
            return Ok(Verdict::Refused(missing));
        }
        let unproved = self.task.verify.is_empty() && self.task.deliver.is_empty();
        if unproved && self.worktree.changes(&tree).await?.is_empty() {
            return Ok(Verdict::Refused(
                "no file has changed, and nothing else proves this task; make the change first".to_owned(),
            ));
        }
        let verdict = self.verify(cancel).await;
        // Nothing outside was changed before, so what is changed there now is the verification's doing, and no worker can mend it.
        let after = self.worktree.snapshot().await?;
        self.worktree.put_back(&tree, &after, &scope).await?;
        verdict
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

    fn say_outside(&self, paths: &[RepoPath]) -> String {
        let list: Vec<&str> = paths.iter().take(20).map(RepoPath::as_str).collect();
        format!(
            "files outside your scope have changed: {}. Put each back (`git checkout {} -- FILE`, or `rm` what is new), or ask for it \
             with request_scope; otherwise the attempt ends and nothing of it lands",
            list.join(", "),
            self.worktree.base().short()
        )
    }

    async fn verify(&self, cancel: &CancellationToken) -> Result<Verdict, Error> {
        for command in &self.task.verify {
            let end = self.shell.run(command, self.timeout, cancel).await;
            if end.status == Status::Cancelled {
                return Err(Error::Interrupted);
            }
            if !end.succeeded() {
                let said = format!("the verification `{command}` fails ({}):\n{}", end.status, end.output.text.trim_end());
                return Ok(Verdict::Refused(said));
            }
        }
        Ok(Verdict::Accepted)
    }
}

impl Acceptance for Inspection {
    fn accept<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let look = self.look(cancel).await;
            look.unwrap_or_else(|error| Verdict::Refused(format!("the work could not be looked at: {error}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use plans::file;
    use shared::{Glob, Scope};

    use super::*;
    use crate::site::testing::{Ground, key, sh};

    async fn check(work: &str, verify: &str) -> (Verdict, String) {
        let ground = Ground::new().await;
        let worktree = Arc::new(ground.worktree().await);
        sh(&worktree.tree(), work);
        let plan = format!(
            "version = 1\ngoal = 'g'\n[[task]]\nid = 't'\ntitle = 't'\ninstructions = 'i'\nwrite = ['src/**']\nverify = ['{verify}']\n"
        );
        let task = file::parse_toml(&plan).unwrap().get(&key().task).unwrap().clone();
        let env = ground.site.environment.of_gate(ground.site.run(), worktree.folder(), "mark");
        let shell = Shell { cwd: worktree.tree(), env, spill_dir: worktree.folder().join("spill") };
        let scope = LiveScope::new(Scope { write: vec![Glob::new("src/**").unwrap()], shared: vec![], ..Scope::default() });
        let inspection = Inspection { worktree: worktree.clone(), task, scope, shell, timeout: Duration::from_secs(60) };
        let verdict = inspection.accept(&CancellationToken::new()).await;
        let tree = worktree.snapshot().await.unwrap();
        let outside = worktree.outside(&tree, &Scope::default()).await.unwrap();
        (verdict, outside.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn what_a_verification_writes_outside_the_scope_is_put_back() {
        let changed = |paths: &str| (Verdict::Accepted, paths.to_owned());
        assert_eq!(check("echo b > src/a", "echo locked > lock; touch new.snap; echo c > src/c").await, changed("src/a src/c"));
        let (verdict, changed) = check("echo b > src/a", "rm lock; false").await;
        assert!(matches!(verdict, Verdict::Refused(_)));
        assert_eq!(changed, "src/a");
    }

    #[tokio::test]
    async fn what_the_worker_wrote_outside_the_scope_is_its_own_to_mend() {
        let (verdict, changed) = check("echo mine > lock", "true").await;
        let Verdict::Refused(why) = verdict else { panic!() };
        assert!(why.starts_with("files outside your scope have changed: lock. Put each back (`git checkout "), "{why}");
        assert_eq!(changed, "lock");
    }
}
