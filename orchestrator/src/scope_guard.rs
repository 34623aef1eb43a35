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
