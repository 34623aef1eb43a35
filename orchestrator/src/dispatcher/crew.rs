//! Attempts: from the announcement over the worktree and the worker to the commit of whatever is left.
//!
//! ```text
//! start ─► AttemptStarted ─► worktree ─► worker ─► AttemptOver ─► strays ended, tree committed ─► AttemptEnded ─► worktree removed
//! ```
//!
//! How what is left is kept is in `crate::salvage`, for a process that is gone leaves the same.

use std::sync::Arc;

use kameo::{
    actor::{ActorRef, Spawn as _},
    message::{Context, Message},
};
use plans::{
    Task, WorkerKind,
    event::{CommitId, Event},
    run_state::{Continuation, RunState, TaskRecord, Trail},
    task_state::TaskState,
};
use shared::{AttemptKey, Brief, Limits, Outcome, Report};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};
use worker::{
    actor::{AttemptOver, Company, Opening, Worker, WorkerArgs},
    context::room::longest_result,
    hold::LiveLimits,
    process::Shell,
    sandbox::Writes,
    steering::Voice,
    tool::{LiveScope, WorkerPlace, WorkerTools},
};

use super::{Dispatcher, grants::ScopeRequests, tip};
use crate::{
    acceptance::{Astray, Inspection},
    command_worker::{self, CommandJob},
    content::{self, Content},
    error::Error,
    ledger::AttemptBudget,
    quarters::Holder,
    salvage,
    scope_guard::Watch,
    worktree::Worktree,
};

/// An attempt that is at work, or about to be.
pub(super) struct LiveAttempt {
    cancel: CancellationToken,
    worktree: Option<Arc<Worktree>>,
    scope: LiveScope,
    is_agent: bool,
    /// Changes what it may spend, from before it is at work.
    changed: watch::Sender<Limits>,
    limits: LiveLimits,
    /// Takes words of the person, once an agent is at work.
    say: Option<mpsc::Sender<String>>,
    /// What it takes is still to be journaled.
    bill: Option<TaskTrackerToken>,
    /// Whether its end is known, and is one after which others go on.
    leaves_it_to_others: bool,
}

impl LiveAttempt {
    pub(super) fn stop(&self) {
        self.cancel.cancel();
    }

    /// Tells it what it may spend from now on.
    pub(super) fn limit(&self, limits: Limits) {
        self.changed.send_replace(limits);
    }

    /// Where words are said to it.
    pub(super) fn ear(&self) -> Option<&mpsc::Sender<String>> {
        self.say.as_ref()
    }

    /// Whether what it did not hear is heard by whoever goes on after it.
    pub(super) fn leaves_it_to_others(&self) -> bool {
        self.leaves_it_to_others
    }
}

impl Dispatcher {
    pub(super) async fn start(
        &mut self,
        key: AttemptKey,
        continuation: Option<Continuation>,
        me: &ActorRef<Self>,
    ) -> Result<(), Error> {
        if let Some(error) = self.forbidden_gate() {
            return Err(error);
        }
        let state = self.state();
        let plan = state.plan().ok_or_else(|| Error::Defect(format!("{key} starts without a plan")))?;
        let task = plan.get(&key.task).ok_or_else(|| Error::Defect(format!("{key} starts without a task")))?.clone();
        let content = self.content_of(&task);
        if continuation.is_none() && self.reuse(&task, &content).await? {
            return Ok(());
        }
        let state = self.state();
        let record = state.task(&key.task);
        let (key, continuation) = match task.worker {
            WorkerKind::Agent => salvage::to_go_on_with(&self.site, record, key, continuation),
            WorkerKind::Command(_) => (key, continuation),
        };
        let (base, files) = begins_from(state, record, continuation);
        let scope = LiveScope::new(self.bounded(task.scope.clone()));
        let continues = continuation.map(Continuation::of);
        self.record(&Event::AttemptStarted { key: key.clone(), base: base.clone(), continues, content })?;
        let cancel = self.cancel.child_token();
        self.site.board.start(&key);
        let (changed, limits) = LiveLimits::new(self.limits_of(&task));
        let live = LiveAttempt {
            cancel: cancel.clone(),
            worktree: None,
            scope,
            is_agent: task.worker == WorkerKind::Agent,
            changed,
            limits,
            say: None,
            bill: None,
            leaves_it_to_others: false,
        };
        self.crew.insert(key.clone(), live);
        let (site, me) = (self.site.clone(), me.clone());
        tokio::spawn(async move {
            let folder = Worktree::folder_of(&site.worktrees, site.run(), &key);
            let owner = site.owner(&key.to_string(), &base);
            let git = site.repository.git.clone();
            let made = tokio::spawn(async move {
                let left = if continues.is_some() { Worktree::reopen(&git, folder.clone(), owner.clone()).await? } else { None };
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

    /// What an attempt at a task may spend, as the task stands in the plan.
    pub(super) fn limits_of(&self, task: &Task) -> Limits {
        let limits = task.limits.or(self.state().settings().task_limits);
        match task.worker {
            WorkerKind::Agent => limits,
            WorkerKind::Command(_) => Limits { minutes: limits.minutes.or(Some(command_worker::MINUTES)), ..limits },
        }
    }

    fn content_of(&self, task: &Task) -> String {
        let state = self.state();
        let landed = |id| match &state.task(id)?.state {
            TaskState::Landed { commit } => Some((id, commit)),
            _ => None,
        };
        let inputs = task.depends_on.iter().filter_map(landed).collect();
        Content { task, inputs, models: self.site.models.who_may(task) }.name()
    }

    /// Takes what finished before the run stopped as it is, if it was made from what another attempt would be made from now. Says whether
    /// it did.
    async fn reuse(&mut self, task: &Task, content: &str) -> Result<bool, Error> {
        let finished = self.state().task(&task.id).and_then(|record| {
            let attempt = record.finished?;
            Some((AttemptKey { task: record.id.clone(), attempt }, record.trail.get(&attempt)?.clone()))
        });
        let Some((key, Trail { content: then, left, .. })) = finished else { return Ok(false) };
        let site = self.site.clone();
        let why = match left.zip(site.repository.git.commit(&site.attempt_ref(&key)).await) {
            _ if then != content => content::difference(&then, content),
            Some((left, there)) if left == there => {
                self.record(&Event::AttemptReused { key, commit: there })?;
                return Ok(true);
            }
            _ => "the commit that held its work is gone".to_owned(),
        };
        // Both contents stand in the journal, too, with their attempts.
        tracing::warn!(%key, %why, "finished work is done again");
        Ok(false)
    }

    pub(super) fn stop(&self, key: &AttemptKey) {
        if let Some(live) = self.crew.get(key) {
            live.stop();
        }
    }

    /// Puts somebody to work in a worktree that stands.
    fn employ(&mut self, order: &Order, worktree: &Arc<Worktree>, me: &ActorRef<Self>) {
        let Order { key, task, .. } = order;
        let Some(live) = self.crew.get_mut(key) else { return };
        live.worktree = Some(worktree.clone());
        let (scope, cancel, limits) = (live.scope.clone(), live.cancel.clone(), live.limits.clone());
        if let Some(summary) = self.forbidden(task) {
            let report = Report { summary, ..Report::default() };
            return report_at_once(key, Outcome::Blocked { report }, me);
        }
        let site = &self.site;
        let env = site.environment.of_attempt(site.run(), key, worktree.folder(), &site.mark(&key.to_string()));
        let holder = Holder { worktree, env, writes: Writes::Scope(scope.clone()), network: task.network };
        let shell = site.quarters.shell(&site.repository.git, holder);
        // What a proof changes outside the scope is put back; it may have to build anywhere.
        let proof = Shell { enclosure: shell.enclosure.with(Writes::Tree), ..shell.clone() };
        let timeout = self.state().plan().map(|plan| plan.gate().timeout).unwrap_or_default();
        let astray = if task.worker == WorkerKind::Agent { Astray::PutBack } else { Astray::Kept };
        let inspection = Inspection {
            worktree: worktree.clone(),
            task: task.clone(),
            scope: scope.clone(),
            shell: proof,
            timeout,
            secrecy: site.secrecy.clone(),
            astray,
        };
        match task.worker.clone() {
            WorkerKind::Command(command) => {
                self.site.board.says(key, &format!("runs {command}"));
                let (brief, folder) = (self.brief(key, task), worktree.folder().to_owned());
                let brief = Brief { limits: limits.now(), ..brief };
                let job = CommandJob { command, brief, folder, limits, shell, inspection };
                command_worker::employ(job, cancel, me.clone().recipient());
            }
            WorkerKind::Agent => {
                let place = WorkerPlace {
                    longest_result: usize::MAX,
                    root: worktree.tree(),
                    spill_dir: worktree.folder().join("spill"),
                    seen: worktree.folder().join("seen"),
                    shell,
                    guard: Arc::new(Watch { worktree: worktree.clone(), scope: scope.clone() }),
                    scope,
                    secrecy: site.secrecy.clone(),
                    office: Arc::new(ScopeRequests { dispatcher: me.clone(), key: key.clone() }),
                    acceptance: Arc::new(inspection),
                    clearance: Arc::new(self.approvals_of(key, me)),
                };
                match self.employ_agent(order, place, (limits, cancel), me) {
                    Ok(say) => {
                        let bill = self.bills.token();
                        self.crew.entry(key.clone()).and_modify(|live| (live.say, live.bill) = (Some(say), Some(bill)));
                    }
                    Err(why) => report_at_once(key, Outcome::Unavailable { why }, me),
                }
            }
        }
    }

    fn employ_agent(
        &self,
        order: &Order,
        place: WorkerPlace,
        (limits, cancel): (LiveLimits, CancellationToken),
        me: &ActorRef<Self>,
    ) -> Result<mpsc::Sender<String>, String> {
        let Order { key, task, continuation } = order;
        let model = self.site.models.of_attempt(task, self.state().task(&key.task))?;
        let model = model.as_recorded(Some(&key.task), key.attempt.0).unwrap_or(model);
        let ledger = self.ledger.clone().ok_or("the ledger is not there; this is a fault of inspan")?;
        let place = WorkerPlace { longest_result: longest_result(model.context_window()), ..place };
        let (opening, words) = self.opening(key, *continuation);
        if matches!(opening, Opening::Fresh { .. }) {
            // Whoever begins anew has seen nothing, whatever the directory is. There may be none.
            let _ = std::fs::remove_file(&place.seen);
        }
        let toolbox = WorkerTools::new(place).map_err(|error| format!("the worktree of {key} is gone: {error}"))?;
        // A person may have changed them since the task was looked up.
        let brief = Brief { limits: limits.now(), ..self.brief(key, task) };
        let turns = self.state().task(&key.task).map_or(0, |record| record.turns);
        let (say, voice) = Voice::new(words);
        let worker = Worker::spawn(WorkerArgs {
            limits,
            hold: self.terms.hold(),
            voice,
            opening,
            secrecy: self.site.secrecy.clone(),
            brief,
            budget: Arc::new(AttemptBudget::new(ledger, Some(key.clone()), model.as_ref()).after_turns(turns)),
            model,
            summariser: self.site.models.summariser.clone(),
            company: self.company(),
            toolbox: Arc::new(toolbox),
            observer: self.site.board.observer(key),
            transcript: self.site.folder.transcript(key),
            cancel,
            done: me.clone().recipient(),
        });
        let me = me.clone();
        // Linked, so that a worker ends should the dispatcher die. How it ends itself is told by `AttemptOver`.
        tokio::spawn(async move { me.link(&worker).await });
        Ok(say)
    }
}

impl Dispatcher {
    /// What the workers of the run share. Where several are at work, what they begin with is warmed first.
    fn company(&self) -> Company {
        let several = self.crew.values().filter(|live| live.is_agent).count() > 1;
        let Company { kin, warmth } = self.site.company.clone();
        Company { kin, warmth: warmth.filter(|_| several) }
    }
}

/// The commit that its changes are counted from, and the one whose files it begins with.
fn begins_from(state: &RunState, record: Option<&TaskRecord>, continuation: Option<Continuation>) -> (CommitId, CommitId) {
    match (continuation, record) {
        (Some(Continuation::AfterInterruption(_)), Some(record)) => {
            let base = record.base.clone().unwrap_or_else(|| tip(state));
            let files = record.left.clone().unwrap_or_else(|| base.clone());
            (base, files)
        }
        (Some(Continuation::FromAttempt(earlier)), Some(record)) => match record.trail.get(&earlier) {
            Some(trail) => (trail.base.clone(), trail.left.clone().unwrap_or_else(|| trail.base.clone())),
            None => (tip(state), tip(state)),
        },
        _ => (tip(state), tip(state)),
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
            Some(live) if live.cancel.is_cancelled() => {
                live.worktree = Some(worktree);
                report_at_once(&key, Outcome::Cancelled, &me);
            }
            _ => self.employ(&order, &worktree, &me),
        }
    }
}

impl Dispatcher {
    /// A worker only knows that it was stopped; the state knows what for.
    fn why_stopped(&self, over: &AttemptOver) -> Outcome {
        let unwanted = |(record, _): (&TaskRecord, _)| {
            record.id == over.key.task && matches!(record.state, TaskState::Running { unwanted: true, .. })
        };
        match over.outcome {
            Outcome::Cancelled if self.state().running().any(unwanted) => Outcome::Superseded,
            _ => over.outcome.clone(),
        }
    }
}

impl Message<AttemptOver> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, over: AttemptOver, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        self.ask_no_more_for(&over.key);
        let outcome = self.why_stopped(&over);
        let Some(live) = self.crew.get_mut(&over.key) else { return };
        live.bill = None;
        live.leaves_it_to_others = !matches!(outcome, Outcome::Done { .. });
        if self.end.is_none() {
            // The process leaves; what is there is for the next one to find.
            return;
        }
        let (key, outcome) = (over.key, with_unheard(outcome, over.unheard));
        let (site, worktree, scope) = (self.site.clone(), live.worktree.clone(), live.scope.now());
        // Whoever has taken the run over goes on in this very directory, under the same mark: not a file of it is ours any more.
        if let Some(Err(error)) = self.recorder.fence().map(|fence| fence.stands()) {
            return self.finish(Err(error.into()));
        }
        tokio::spawn(async move {
            let of = key.clone();
            let saving = tokio::spawn(async move {
                match worktree {
                    Some(worktree) => salvage::keep(&site, &worktree, &of, outcome, &scope).await,
                    None => (None, outcome),
                }
            });
            let defect = |panic| (None, Outcome::Unavailable { why: format!("{key} could not be saved: {panic}") });
            let (commit, outcome) = saving.await.unwrap_or_else(defect);
            // The dispatcher is gone only when the whole run is.
            let _ = me.tell(Saved { key, commit, outcome }).await;
        });
    }
}

/// Words that nobody goes on to hear are told with the report.
fn with_unheard(outcome: Outcome, unheard: Vec<String>) -> Outcome {
    match outcome {
        Outcome::Done { report } => Outcome::Done { report: Report { unheard, ..report } },
        other => other,
    }
}

/// What an attempt left is safe, or could not be saved.
struct Saved {
    key: AttemptKey,
    commit: Option<CommitId>,
    outcome: Outcome,
}

impl Message<Saved> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Saved { key, commit, outcome }: Saved, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        let worktree = self.crew.remove(&key).and_then(|live| live.worktree);
        self.site.board.end(&key);
        // Where money is found after all it goes on there, in this very process.
        let is_safe = commit.is_some() && outcome != Outcome::OverBudget;
        if let Err(error) = self.record(&Event::AttemptEnded { key, commit, outcome }) {
            return self.finish(Err(error));
        }
        self.room.has_changed();
        if let Some(worktree) = worktree.filter(|_| is_safe) {
            self.site.remove_later(worktree);
        }
        self.pursue(&me).await;
    }
}
