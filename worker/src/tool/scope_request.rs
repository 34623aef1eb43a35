//! `request_scope`: the way to write more than the plan foresaw.
//!
//! **Invariant:** a scope grows only by an answer of the [`ScopeOffice`]; a worker cannot widen its own.

use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use shared::{Glob, RepoPath, Scope};
use tokio_util::sync::CancellationToken;

use super::{Shape, ToolOutcome, ToolSpec, object};

/// The scope of an attempt, which may grow while it runs. Clones are the same scope.
#[derive(Debug, Clone, Default)]
pub struct LiveScope(Arc<RwLock<Scope>>);

impl LiveScope {
    /// Begins with what the brief says.
    pub fn new(scope: Scope) -> Self {
        Self(Arc::new(RwLock::new(scope)))
    }

    /// The scope as it is now.
    pub fn now(&self) -> Scope {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, scope: Scope) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = scope;
    }
}

/// What a request for more scope came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeAnswer {
    /// The whole scope from now on.
    Granted(Scope),
    /// Why not, for the model.
    Refused(String),
}

/// Whoever knows which task owns what.
pub trait ScopeOffice: Send + Sync {
    /// Asks for the right to write these paths.
    fn request(&self, paths: Vec<Glob>, reason: String) -> BoxFuture<'_, ScopeAnswer>;
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    paths: Vec<String>,
    reason: String,
}

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "request_scope",
        description: "Ask for the right to write more `paths` (files or globs) that the task needs.",
        parameters: object(&[("paths", Shape::Texts), ("reason", Shape::Text)]),
    }
}

pub(super) async fn run(
    scope: &LiveScope,
    office: &dyn ScopeOffice,
    arguments: Arguments,
    cancel: &CancellationToken,
) -> ToolOutcome {
    let paths = match missing(&scope.now(), &arguments) {
        Ok(paths) => paths,
        Err(why) => return ToolOutcome::Failed(why),
    };
    if paths.is_empty() {
        return ToolOutcome::Ok("you may write these already".to_owned());
    }
    let answer = tokio::select! {
        answer = office.request(paths, arguments.reason) => answer,
        () = cancel.cancelled() => return ToolOutcome::Failed("cancelled while the request was waiting".to_owned()),
    };
    match answer {
        ScopeAnswer::Granted(grown) => {
            let words = grown.in_words();
            scope.set(grown);
            ToolOutcome::Ok(format!("granted. You may write now: {words}"))
        }
        ScopeAnswer::Refused(why) => ToolOutcome::Failed(format!(
            "refused: {why}. Do the task without these files, or finish as `blocked` and say what it needs"
        )),
    }
}

/// The patterns that the scope does not cover yet.
fn missing(scope: &Scope, arguments: &Arguments) -> Result<Vec<Glob>, String> {
    if arguments.paths.is_empty() {
        return Err("`paths` is empty; name the files or globs that you need to write".to_owned());
    }
    if arguments.reason.trim().is_empty() {
        return Err("`reason` is empty; say why the task needs these files".to_owned());
    }
    let is_covered = |glob: &Glob| {
        let is_file = !glob.as_str().contains(['*', '?', '[', '{', '\\']);
        let is_allowed = RepoPath::new(glob.as_str()).is_ok_and(|path| scope.allows(&path));
        scope.globs().any(|own| own == glob) || (is_file && is_allowed)
    };
    let globs = arguments.paths.iter().map(|text| Glob::new(text)).collect::<Result<Vec<_>, _>>();
    let globs = globs.map_err(|error| format!("`paths`: {error}"))?;
    Ok(globs.into_iter().filter(|glob| !is_covered(glob)).collect())
}
