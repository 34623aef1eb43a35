//! Attempts: from the announcement over the worktree and the worker to the commit of whatever is left.
//!
//! ```text
//! start ─► AttemptStarted ─► worktree ─► worker ─► AttemptOver ─► strays ended, tree committed ─► AttemptEnded ─► worktree removed
//! ```

use std::{path::PathBuf, sync::Arc};

use futures_util::future::BoxFuture;
use kameo::{
    actor::{ActorRef, Spawn as _},
    message::{Context, Message},
};
use plans::{
    Task, WorkerKind,
    event::{CommitId, Event},
    evidence::Setback,
    run_state::Continuation,
};
use shared::{AttemptKey, Brief, Glob, Outcome, Scope, brief::HandOff};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use worker::{
    actor::{AttemptOver, Opening, Worker, WorkerArgs},
    process::{Shell, end_strays},
    tool::{LiveScope, ScopeAnswer, ScopeOffice, WorkerPlace, WorkerTools},
};

use super::{Dispatcher, tip};
use crate::{
    acceptance::Inspection,
    command_worker::{self, CommandJob},
    error::Error,
    ledger::Purse,
    site::Site,
    worktree::Worktree,
};

/// Somebody at work, or about to be.
pub(super) struct Member {
    cancel: CancellationToken,
    worktree: Option<Arc<Worktree>>,
    scope: LiveScope,
}

impl Member {
    pub(super) fn stop(&self) {
        self.cancel.cancel();
    }
}

impl Dispatcher {
    pub(super) fn start(
        &mut self,
        key: AttemptKey,
        continuation: Option<Continuation>,
        me: &ActorRef<Self>,
    ) -> Result<(), Error> {
        let state = self.state();
        let plan = state.plan().ok_or_else(|| Error::Defect(format!("{key} starts without a plan")))?;
        let task = plan.get(&key.task).ok_or_else(|| Error::Defect(format!("{key} starts without a task")))?.clone();
        let record = state.task(&key.task);
        let (base, files) = match (continuation, record) {
            (Some(Continuation::AfterInterruption(_)), Some(record)) => {
                let base = record.base.clone().unwrap_or_else(|| tip(state));
                let files = record.left.clone().unwrap_or_else(|| base.clone());
                (base, files)
            }
            _ => (tip(state), tip(state)),
        };
        let scope = LiveScope::new(state.scope_of(&task));
        let continues = continuation.map(Continuation::of);
        self.record(&Event::AttemptStarted { key: key.clone(), base: base.clone(), continues })?;
        let cancel = self.cancel.child_token();
        self.site.board.start(&key);
        self.crew.insert(key.clone(), Member { cancel: cancel.clone(), worktree: None, scope });
        let (site, me) = (self.site.clone(), me.clone());
        tokio::spawn(async move {
            let folder = Worktree::folder_of(&site.worktrees, site.run(), &key);
            let owner = site.owner(&key.to_string(), &base);
            let git = site.repository.git.clone();
            let made = tokio::spawn(async move { Worktree::create(&git, folder, owner, &files).await });
            let made = made.await.unwrap_or_else(|panic| Err(Error::Defect(panic.to_string())));
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(Prepared { key, continuation, task, made }).await;
        });
        Ok(())
    }

    pub(super) fn stop(&self, key: &AttemptKey) {
        if let Some(member) = self.crew.get(key) {
            member.stop();
        }
    }

    fn employ(
        &mut self,
        key: &AttemptKey,
        continuation: Option<Continuation>,
        task: Task,
        worktree: Arc<Worktree>,
        me: &ActorRef<Self>,
    ) {
        let Some(member) = self.crew.get_mut(key) else { return };
        member.worktree = Some(worktree.clone());
        let (scope, cancel) = (member.scope.clone(), member.cancel.clone());
        let site = self.site.clone();
        let brief = self.brief(key, &task);
        let mark = site.mark(&key.to_string());
        let env = site.environment.of_attempt(site.run(), key, worktree.folder(), &mark);
        let shell = Shell { cwd: worktree.tree(), env, spill_dir: worktree.folder().join("spill") };
        let timeout = self.state().plan().map(|plan| plan.gate().timeout).unwrap_or_default();
        let inspection =
            Inspection { worktree: worktree.clone(), task: task.clone(), scope: scope.clone(), shell: shell.clone(), timeout };
        match task.worker.clone() {
            WorkerKind::Command(command) => {
                let job = CommandJob { command, brief, folder: worktree.folder().to_owned(), shell, inspection };
                command_worker::employ(job, cancel, me.clone().recipient());
            }
            WorkerKind::Agent => {
                let Some(model) = site.worker_model.clone() else {
                    let why = "no model is configured for workers; set INSPAN_MODEL or `model` in inspan.toml".to_owned();
                    return self.report_at_once(key, Outcome::Unavailable { why }, me);
                };
                let office = Arc::new(Office { dispatcher: me.clone(), key: key.clone() });
                let place = WorkerPlace {
                    root: worktree.tree(),
                    spill_dir: worktree.folder().join("spill"),
                    shell,
                    scope,
                    office,
                    acceptance: Arc::new(inspection),
                };
                let Some(ledger) = self.ledger.clone() else { return };
                let toolbox = match WorkerTools::new(place) {
                    Ok(tools) => Arc::new(tools),
                    Err(error) => {
                        let why = format!("the worktree of {key} is gone: {error}");
                        return self.report_at_once(key, Outcome::Unavailable { why }, me);
                    }
                };
                let budget = Arc::new(Purse::new(ledger, Some(key.clone()), model.price()));
                let worker = Worker::spawn(WorkerArgs {
                    limits: brief.limits,
                    opening: self.opening(key, continuation),
                    brief,
                    model,
                    toolbox,
                    budget,
                    observer: site.board.observer(key),
                    transcript: site.folder.transcript(key),
                    cancel,
                    done: me.clone().recipient(),
                });
                let me = me.clone();
                // Supervision: the dispatcher hears of a worker's death and survives it.
                tokio::spawn(async move { me.link(&worker).await });
            }
        }
    }

    fn report_at_once(&self, key: &AttemptKey, outcome: Outcome, me: &ActorRef<Self>) {
        let (me, over) = (me.clone(), AttemptOver::without_turns(key.clone(), outcome));
        tokio::spawn(async move { me.tell(over).await });
    }

    fn brief(&self, key: &AttemptKey, task: &Task) -> Brief {
        let state = self.state();
        let received = state.landed().iter().filter(|id| task.depends_on.contains(id)).filter_map(|id| {
            let report = state.task(id)?.report.as_ref()?;
            let text = if report.hand_off.trim().is_empty() { &report.summary } else { &report.hand_off };
            Some(HandOff { from: id.clone(), title: state.plan()?.get(id)?.title.clone(), text: text.clone() })
        });
        let setbacks = state.task(&key.task).map(|record| record.setbacks.as_slice()).unwrap_or_default();
        const TOLD: usize = 3;
        let history = setbacks[setbacks.len().saturating_sub(TOLD)..].iter();
        Brief {
            run: self.site.run().clone(),
            key: key.clone(),
            goal: state.goal().to_owned(),
            title: task.title.clone(),
            instructions: task.instructions.clone(),
            scope: state.scope_of(task),
            deliver: task.deliver.clone(),
            verify: task.verify.clone(),
            hand_off: task.hand_off.clone(),
            received: received.collect(),
            notes: self.site.notes.clone(),
            history: history.map(|evidence| format!("attempt {}: {}", evidence.attempt, evidence.setback.in_full())).collect(),
            limits: task.limits.or(state.settings().task_limits),
        }
    }

    /// How the conversation begins: anew, or where an earlier attempt left off, if its transcript is still there.
    fn opening(&self, key: &AttemptKey, continuation: Option<Continuation>) -> Opening {
        let fresh = || Opening::Fresh { repository_brief: self.site.repository_brief.clone() };
        let Some(continuation) = continuation else { return fresh() };
        let transcript: PathBuf = self.site.folder.transcript(&AttemptKey { task: key.task.clone(), attempt: continuation.of() });
        if !transcript.exists() {
            return fresh();
        }
        let notice = match continuation {
            Continuation::AfterConflict(_) => self.conflict_notice(key),
            Continuation::AfterInterruption(_) => {
                "The harness was interrupted and has started again. Your files are as you left them; commands that \
                                                   were running have ended. Go on with your task."
                    .to_owned()
            }
        };
        Opening::Continue { transcript, notice }
    }

    fn conflict_notice(&self, key: &AttemptKey) -> String {
        let state = self.state();
        let last = state.task(&key.task).and_then(|record| record.setbacks.last());
        let Some(Setback::Conflicted { paths, with, detail }) = last.map(|evidence| &evidence.setback) else {
            return String::new();
        };
        let landed = with.iter().filter_map(|id| {
            let report = state.task(id)?.report.as_ref()?;
            let text = if report.hand_off.trim().is_empty() { &report.summary } else { &report.hand_off };
            Some(HandOff { from: id.clone(), title: state.plan()?.get(id)?.title.clone(), text: text.clone() })
        });
        let landed: Vec<HandOff> = landed.collect();
        let title = state.plan().and_then(|plan| plan.get(&key.task)).map(|task| task.title.clone()).unwrap_or_default();
        worker::context::conflict_notice(&worker::context::Conflict { title: &title, landed: &landed, paths, detail })
    }
}

/// The worktree stands, or could not be made.
struct Prepared {
    key: AttemptKey,
    continuation: Option<Continuation>,
    task: Task,
    made: Result<Worktree, Error>,
}

impl Message<Prepared> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Prepared { key, continuation, task, made }: Prepared, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let stopped = self.crew.get(&key).is_none_or(|member| member.cancel.is_cancelled());
        match made {
            Ok(worktree) => {
                let worktree = Arc::new(worktree);
                if stopped {
                    if let Some(member) = self.crew.get_mut(&key) {
                        member.worktree = Some(worktree);
                    }
                    return self.report_at_once(&key, Outcome::Cancelled, &me);
                }
                self.employ(&key, continuation, task, worktree, &me);
            }
            Err(error) => {
                let why = format!("no worktree could be made for {key}: {error}");
                self.report_at_once(&key, Outcome::Unavailable { why }, &me);
            }
        }
    }
}

impl Message<AttemptOver> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, over: AttemptOver, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let Some(member) = self.crew.get(&over.key) else { return };
        let (site, worktree, scope) = (self.site.clone(), member.worktree.clone(), member.scope.now());
        tokio::spawn(async move {
            let (key, outcome) = (over.key.clone(), over.outcome.clone());
            let saving = tokio::spawn(async move { save(&site, worktree.as_deref(), &key, outcome, &scope).await });
            let saved = saving.await.unwrap_or_else(|panic| Err(Error::Defect(panic.to_string())));
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(Saved { key: over.key, outcome: over.outcome, saved }).await;
        });
    }
}

/// Ends what is still running, commits what is there, and looks once more whether it is within scope.
async fn save(
    site: &Site,
    worktree: Option<&Worktree>,
    key: &AttemptKey,
    outcome: Outcome,
    scope: &Scope,
) -> Result<(Outcome, Option<CommitId>), Error> {
    let Some(worktree) = worktree else { return Ok((outcome, None)) };
    let mark = site.mark(&key.to_string());
    // A failed look for strays costs nothing but the strays.
    let _ = tokio::task::spawn_blocking(move || end_strays(&mark)).await;
    let message = format!(
        "What attempt {} at {} left\n\nInspan-Run: {}\nInspan-Task: {}\nInspan-Attempt: {}\n",
        key.attempt,
        key.task,
        site.run(),
        key.task,
        key.attempt
    );
    let commit = worktree.commit(&site.attempt_ref(key), &message).await?;
    let judged = matches!(outcome, Outcome::Done { .. } | Outcome::Exhausted { .. } | Outcome::Failed { .. });
    let outside = if judged { worktree.outside(&commit.0, scope).await? } else { Vec::new() };
    let outcome = if outside.is_empty() { outcome } else { Outcome::ScopeViolation { paths: outside } };
    Ok((outcome, Some(commit)))
}

/// What an attempt left is safe, or could not be saved.
struct Saved {
    key: AttemptKey,
    outcome: Outcome,
    saved: Result<(Outcome, Option<CommitId>), Error>,
}

impl Message<Saved> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Saved { key, outcome, saved }: Saved, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let member = self.crew.remove(&key);
        self.site.board.end(&key);
        let (event, keep) = match saved {
            Ok((outcome, commit)) => (Event::AttemptEnded { key: key.clone(), commit, outcome }, false),
            Err(error) => {
                let place =
                    member.as_ref().and_then(|member| member.worktree.as_ref()).map(|tree| tree.tree().display().to_string());
                let place = place.unwrap_or_default();
                let why = format!("what {key} left could not be committed ({error}); its files stay in {place}");
                tracing::error!(%key, ?outcome, %error, "an attempt could not be saved");
                (Event::AttemptEnded { key: key.clone(), commit: None, outcome: Outcome::Unavailable { why } }, true)
            }
        };
        if let Err(error) = self.record(&event) {
            return self.finish(Err(error));
        }
        if let Some(worktree) = member.and_then(|member| member.worktree).and_then(Arc::into_inner).filter(|_| !keep) {
            tokio::task::spawn_blocking(move || {
                if let Err(error) = worktree.remove() {
                    tracing::warn!(%error, "a worktree could not be removed; `inspan clean` tries again");
                }
            });
        }
        self.pursue(&me).await;
    }
}

/// A worker wants to write more than its plan says.
pub struct ScopeWanted {
    key: AttemptKey,
    globs: Vec<Glob>,
    reason: String,
    answer: oneshot::Sender<ScopeAnswer>,
}

impl Message<ScopeWanted> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, ScopeWanted { key, globs, reason, answer }: ScopeWanted, _: &mut Context<Self, ()>) {
        let verdict = match self.state().may_grant(&key.task, &globs) {
            Err(why) => ScopeAnswer::Refused(format!(
                "not granted: {why}. Do without it, or finish as `blocked` and say what is needed; the planner will see it"
            )),
            Ok(()) => match self.record(&Event::ScopeGranted { key: key.clone(), globs, reason }) {
                Err(error) => return self.finish(Err(error)),
                Ok(()) => {
                    let state = self.state();
                    let task = state.plan().and_then(|plan| plan.get(&key.task));
                    ScopeAnswer::Granted(task.map(|task| state.scope_of(task)).unwrap_or_default())
                }
            },
        };
        // A worker that has ended meanwhile needs no answer.
        let _ = answer.send(verdict);
    }
}

/// A worker's way to ask for scope.
struct Office {
    dispatcher: ActorRef<Dispatcher>,
    key: AttemptKey,
}

impl ScopeOffice for Office {
    fn request(&self, globs: Vec<Glob>, reason: String) -> BoxFuture<'_, ScopeAnswer> {
        let (answer, hear) = oneshot::channel();
        let wanted = ScopeWanted { key: self.key.clone(), globs, reason, answer };
        Box::pin(async move {
            let gone = || ScopeAnswer::Refused("the run is ending; nothing is granted any more".to_owned());
            if self.dispatcher.tell(wanted).await.is_err() {
                return gone();
            }
            hear.await.unwrap_or_else(|_| gone())
        })
    }
}
