//! The harness's own look at the tree after every command of an agent.
//!
//! The tools and the sandbox keep a worker inside its scope; this finds what they missed, at once, while the worker is there to hear of it.
//!
//! **Invariant:** a tree that could not be looked at counts as one that may be astray: the worker is told, the log says why, and the
//! look when the attempt is committed is still to come.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use worker::tool::{LiveScope, ScopeGuard, Strayed};

use crate::worktree::Worktree;

/// A look that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(300);

/// Looks at one attempt's worktree.
pub struct Watch {
    /// The worktree.
    pub worktree: Arc<Worktree>,
    /// The scope, with what was granted so far.
    pub scope: LiveScope,
}

impl Watch {
    async fn look(&self) -> Strayed {
        let folder = self.worktree.folder().display();
        let scope = self.scope.now();
        let why = match tokio::time::timeout(LONGEST, self.worktree.put_back(&scope)).await {
            Ok(Ok(paths)) if paths.is_empty() => return Strayed::Nowhere,
            Ok(Ok(paths)) => {
                tracing::info!(%folder, count = paths.len(), first = %paths[0], "a command changed files outside its scope; put back");
                return Strayed::PutBack(paths);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the look took more than {} s", LONGEST.as_secs()),
        };
        tracing::error!(%folder, why, "a worktree could not be held against its scope after a command");
        Strayed::Unknown(why)
    }
}

impl ScopeGuard for Watch {
    fn after_command(&self) -> BoxFuture<'_, Strayed> {
        Box::pin(self.look())
    }
}

#[cfg(test)]
mod tests {
    use shared::{Glob, RepoPath, Scope};

    use super::*;
    use crate::site::testing::{Ground, sh};

    #[tokio::test]
    async fn a_worker_hears_what_was_put_back_and_what_could_not_be_looked_at() {
        let ground = Ground::new().await;
        let worktree = Arc::new(ground.worktree().await);
        let scope = LiveScope::new(Scope { write: vec![Glob::new("src/**").unwrap()], ..Scope::default() });
        let watch = Watch { worktree: worktree.clone(), scope };
        assert_eq!(watch.after_command().await, Strayed::Nowhere);
        sh(&worktree.tree(), "echo x > src/a; echo x > lock");
        assert_eq!(watch.after_command().await, Strayed::PutBack(vec![RepoPath::new("lock").unwrap()]));
        assert_eq!(watch.after_command().await, Strayed::Nowhere);
        assert_eq!(sh(&worktree.tree(), "cat src/a lock"), "x\nlock");
        sh(worktree.folder(), "rm -r tree");
        assert!(matches!(watch.after_command().await, Strayed::Unknown(why) if why.contains("tree")));
    }
}
