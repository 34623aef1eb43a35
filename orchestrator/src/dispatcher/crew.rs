//! Attempts: from the announcement over the worktree and the worker to the commit of whatever is left.
//!
//! ```text
//! start ─► AttemptStarted ─► worktree ─► worker ─► AttemptOver ─► strays ended, tree committed ─► AttemptEnded ─► worktree removed
//! ```

use std::sync::Arc;

use kameo::{
    actor::{ActorRef, Spawn as _},
    message::{Context, Message},
};
use plans::{
    Task, WorkerKind,
    event::{CommitId, Event},
    run_state::Continuation,
};
use shared::{AttemptKey, Outcome, Scope};
use tokio_util::sync::CancellationToken;
use worker::{
    actor::{AttemptOver, Worker, WorkerArgs},
    process::{Shell, end_strays},
    tool::{LiveScope, WorkerPlace, WorkerTools},
};

use super::{Dispatcher, grants::ScopeRequests, tip};
use crate::{
    acceptance::Inspection,
    command_worker::{self, CommandJob},
    error::Error,
    ledger::AttemptBudget,
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
        let scope = LiveScope::new(task.scope.clone());
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
            let made = tokio::spawn(async move {
                let left = Worktree::reopen(&git, folder.clone(), owner.clone()).filter(|_| continues.is_some());
                match left {
                    Some(worktree) => Ok(worktree),
                    None => Worktree::create(&git, folder, owner, &files).await,
                }
            });
            let made = made.await.unwrap_or_else(|panic| Err(Error::Defect(panic.to_string())));
            // The dispatcher is gone only when the whole run is.
            let order = Order { key, continuation, task };
            let _ = me.tell(Prepared { order, made }).await;
        });
        Ok(())
    }

    pub(super) fn stop(&self, key: &AttemptKey) {
        if let Some(member) = self.crew.get(key) {
            member.stop();
        }
    }

    /// Puts somebody to work in a worktree that stands.
    fn employ(&mut self, order: &Order, worktree: &Arc<Worktree>, me: &ActorRef<Self>) {
        let Order { key, task, .. } = order;
        let Some(member) = self.crew.get_mut(key) else { return };
        member.worktree = Some(worktree.clone());
        let (scope, cancel) = (member.scope.clone(), member.cancel.clone());
        let site = &self.site;
        let env = site.environment.of_attempt(site.run(), key, worktree.folder(), &site.mark(&key.to_string()));
        let shell = Shell { cwd: worktree.tree(), env, spill_dir: worktree.folder().join("spill") };
        let timeout = self.state().plan().map(|plan| plan.gate().timeout).unwrap_or_default();
        let inspection =
            Inspection { worktree: worktree.clone(), task: task.clone(), scope: scope.clone(), shell: shell.clone(), timeout };
        match task.worker.clone() {
            WorkerKind::Command(command) => {
                let (brief, folder) = (self.brief(key, task), worktree.folder().to_owned());
                let job = CommandJob { command, brief, folder, shell, inspection };
                command_worker::employ(job, cancel, me.clone().recipient());
            }
            WorkerKind::Agent => {
                let place = WorkerPlace {
                    root: worktree.tree(),
                    spill_dir: worktree.folder().join("spill"),
                    shell,
                    scope,
                    office: Arc::new(ScopeRequests { dispatcher: me.clone(), key: key.clone() }),
                    acceptance: Arc::new(inspection),
                };
                if let Err(why) = self.employ_agent(order, place, cancel, me) {
                    report_at_once(key, Outcome::Unavailable { why }, me);
                }
            }
        }
    }

    fn employ_agent(
        &self,
        order: &Order,
        place: WorkerPlace,
        cancel: CancellationToken,
        me: &ActorRef<Self>,
    ) -> Result<(), String> {
        let Order { key, task, continuation } = order;
        let no_model = "no model is configured for workers; set INSPAN_MODEL or `model` in inspan.toml";
        let model = self.site.worker_model.clone().ok_or(no_model)?;
        let ledger = self.ledger.clone().ok_or("the ledger is not there; this is a fault of inspan")?;
        let toolbox = WorkerTools::new(place).map_err(|error| format!("the worktree of {key} is gone: {error}"))?;
        let brief = self.brief(key, task);
        let turns = self.state().task(&key.task).map_or(0, |record| record.turns);
        let worker = Worker::spawn(WorkerArgs {
            limits: brief.limits,
            opening: self.opening(key, *continuation),
            brief,
            budget: Arc::new(AttemptBudget::new(ledger, Some(key.clone()), model.price()).after_turns(turns)),
            model,
            toolbox: Arc::new(toolbox),
            observer: self.site.board.observer(key),
            transcript: self.site.folder.transcript(key),
            cancel,
            done: me.clone().recipient(),
        });
        let me = me.clone();
        // Supervision: the dispatcher hears of a worker's death and survives it.
        tokio::spawn(async move { me.link(&worker).await });
        Ok(())
    }
}

fn report_at_once(key: &AttemptKey, outcome: Outcome, me: &ActorRef<Dispatcher>) {
    let (me, over) = (me.clone(), AttemptOver::without_turns(key.clone(), outcome));
    tokio::spawn(async move { me.tell(over).await });
}

/// An attempt that was announced.
struct Order {
    key: AttemptKey,
    continuation: Option<Continuation>,
    task: Task,
}

/// The worktree stands, or could not be made.
struct Prepared {
    order: Order,
    made: Result<Worktree, Error>,
}

impl Message<Prepared> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Prepared { order, made }: Prepared, ctx: &mut Context<Self, ()>) {
        let (me, key) = (ctx.actor_ref().clone(), order.key.clone());
        let worktree = match made {
            Ok(worktree) => Arc::new(worktree),
            Err(error) => {
                let why = format!("no worktree could be made for {key}: {error}");
                return report_at_once(&key, Outcome::Unavailable { why }, &me);
            }
        };
        match self.crew.get_mut(&key) {
            Some(member) if member.cancel.is_cancelled() => {
                member.worktree = Some(worktree);
                report_at_once(&key, Outcome::Cancelled, &me);
            }
            _ => self.employ(&order, &worktree, &me),
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
            let result = saving.await.unwrap_or_else(|panic| Err(Error::Defect(panic.to_string())));
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(Saved { key: over.key, outcome: over.outcome, result }).await;
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
    result: Result<(Outcome, Option<CommitId>), Error>,
}

impl Message<Saved> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Saved { key, outcome, result }: Saved, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let member = self.crew.remove(&key);
        self.site.board.end(&key);
        let (event, keep) = match result {
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
            self.site.remove_later(worktree);
        }
        self.pursue(&me).await;
    }
}
