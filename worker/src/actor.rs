//! One attempt behind a mailbox.
//!
//! The actor is a thin shell: the loop runs in a task of its own, so that cancelling is heard at once, however long a model thinks or
//! a command runs.
//!
//! **Invariant:** `done` hears exactly once how the attempt ended, also when it panicked or the actor was killed, by a send that waits
//! for room rather than one that may be lost. After that the actor stops itself.
//! **Invariant:** words that it has taken and not heard are handed back with its end.
//! **Invariant:** an attempt is never restarted from here. Whether to try again is the run's decision.
//!
//! Not here: the worktree, the commit, and whether what the worker says is true (`orchestrator`).

use std::{io, panic::AssertUnwindSafe, path::Path, path::PathBuf, sync::Arc};

use futures_util::FutureExt as _;
use kameo::{
    Actor,
    actor::{ActorRef, Recipient},
    error::Infallible,
    message::{Context, Message},
};
use serde::Deserialize;
use serde_json::Value;
use shared::{AttemptKey, Brief, Money, Outcome, Report, Secrecy, Tokens};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    agent::{Agent, AgentEnd, Conversation, Terminal, Totals},
    budget::Budget,
    context,
    hold::{Hold, LiveLimits},
    model::{Label, Model, Role},
    observe::Observer,
    prefix::{
        Kin,
        warmth::{Cold, Warmth},
    },
    steering::{self, Voice},
    tool::Toolbox,
    transcript::{self, Transcript},
};

/// What an attempt begins with.
#[derive(Debug, Clone)]
pub enum Opening {
    /// The brief, after what every worker of the run is told.
    Fresh {
        /// What the repository is like; the same for every worker of the run.
        repository_brief: String,
    },
    /// The conversation of an earlier attempt, or of this one before it was interrupted, and what has happened since.
    Continue {
        /// That attempt's transcript.
        transcript: PathBuf,
        /// What has happened, such as [`context::conflict_notice`].
        notice: String,
    },
}

/// Everything that one attempt needs.
pub struct WorkerArgs {
    /// The task.
    pub brief: Brief,
    /// How it begins.
    pub opening: Opening,
    /// Who thinks.
    pub model: Arc<dyn Model>,
    /// Who sums up a conversation that grows too long; the model itself where there is nobody.
    pub summariser: Option<Arc<dyn Model>>,
    /// What it shares with the other workers of the run.
    pub company: Company,
    /// What it can do.
    pub toolbox: Arc<dyn Toolbox>,
    /// What no model sees.
    pub secrecy: Arc<Secrecy>,
    /// The run's money.
    pub budget: Arc<dyn Budget>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// Where the transcript is written; the file must not exist yet, unless it is the one that is continued.
    pub transcript: PathBuf,
    /// What the attempt may spend.
    pub limits: LiveLimits,
    /// Whether a person holds the run.
    pub hold: Hold,
    /// What the person says to it.
    pub voice: Voice,
    /// Stops the attempt from outside, as [`Cancel`] does.
    pub cancel: CancellationToken,
    /// Who hears how it ended.
    pub done: Recipient<AttemptOver>,
}

/// What the workers of a run share.
#[derive(Debug, Clone, Default)]
pub struct Company {
    /// What all of them begin with.
    pub kin: Arc<Kin>,
    /// Whether that is warm; none where nobody else is about to begin with it.
    pub warmth: Option<Arc<Warmth>>,
}

/// An attempt has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptOver {
    /// Which.
    pub key: AttemptKey,
    /// How, as the worker sees it.
    pub outcome: Outcome,
    /// What it took.
    pub usage: Tokens,
    /// What that costs, if anybody knows.
    pub cost: Option<Money>,
    /// How many answers there were.
    pub turns: u32,
    /// What the person said to it and it has not heard.
    pub unheard: Vec<String>,
}

impl AttemptOver {
    /// An attempt that ended before anything was asked.
    pub fn without_turns(key: AttemptKey, outcome: Outcome) -> Self {
        Self { key, outcome, usage: Tokens::default(), cost: None, turns: 0, unheard: Vec::new() }
    }
}

/// Stop soon; what was done so far stays in the worktree.
#[derive(Debug, Clone, Copy)]
pub struct Cancel;

/// One attempt.
pub struct Worker {
    cancel: CancellationToken,
    /// However the actor goes, the loop goes with it.
    _guard: DropGuard,
}

impl Actor for Worker {
    type Args = WorkerArgs;
    type Error = Infallible;

    async fn on_start(args: WorkerArgs, actor: ActorRef<Self>) -> Result<Self, Infallible> {
        let cancel = args.cancel.child_token();
        tokio::spawn(attempt(args, cancel.clone(), actor));
        Ok(Self { _guard: cancel.clone().drop_guard(), cancel })
    }
}

impl Message<Cancel> for Worker {
    type Reply = ();

    async fn handle(&mut self, _: Cancel, _: &mut Context<Self, ()>) {
        self.cancel.cancel();
    }
}

async fn attempt(mut args: WorkerArgs, cancel: CancellationToken, actor: ActorRef<Worker>) {
    let mut ear = std::mem::replace(&mut args.voice.meanwhile, mpsc::channel(1).1);
    let (key, done) = (args.brief.key.clone(), args.done.clone());
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| open(&args)));
    let (outcome, totals) = match opened {
        Ok(Ok(mut talk)) => {
            let run = async {
                let warmth = args.company.warmth.clone();
                let agent = agent(args);
                warm(warmth, &agent, &talk, &cancel).await;
                agent.run(&mut talk, &mut ear, &cancel).await
            };
            let run = AssertUnwindSafe(run).catch_unwind().await;
            (run.map_or_else(|panic| panicked(&*panic), outcome), talk.totals())
        }
        Ok(Err(error)) => (no_opening(&args.transcript, &error), Totals::default()),
        Err(panic) => (panicked(&*panic), Totals::default()),
    };
    let Totals { turns, tokens, cost } = totals;
    let unheard = unheard(ear).await;
    if done.tell(AttemptOver { key, outcome, usage: tokens, cost, turns, unheard }).await.is_err() {
        tracing::warn!("nobody was left to hear how an attempt ended");
    }
    let _ = actor.stop_gracefully().await;
}

fn open(args: &WorkerArgs) -> io::Result<Conversation> {
    let secrecy = || Arc::clone(&args.secrecy);
    let fresh = |messages| Ok::<_, io::Error>(Conversation::new(messages, Transcript::create(&args.transcript)?, secrecy()));
    let mut talk = match &args.opening {
        Opening::Fresh { repository_brief } => fresh(context::opening(repository_brief, &args.brief))?,
        Opening::Continue { transcript, notice } => {
            let same = *transcript == args.transcript;
            let resumed = || Conversation::resume(transcript, args.model.price(), secrecy());
            let mut talk = if same { resumed()? } else { fresh(transcript::read(transcript)?)? };
            transcript::interrupted(talk.messages()).for_each(|call| args.toolbox.interrupted(call));
            if !args.voice.before.is_empty() || !talk.reopen(Terminal::FINISH.tool, notice) {
                talk.say(notice);
            }
            talk
        }
    };
    args.voice.before.iter().for_each(|word| talk.say(&steering::in_words(word)));
    Ok(talk)
}

/// Before the first of many requests that begin alike.
async fn warm(warmth: Option<Arc<Warmth>>, agent: &Agent, talk: &Conversation, cancel: &CancellationToken) {
    let (Some(warmth), Some(shared)) = (warmth, talk.messages().first()) else { return };
    let (model, budget, label) = (agent.model.as_ref(), agent.budget.as_ref(), &agent.label);
    warmth.of(Cold { model, shared, tools: &agent.toolbox.specs(), budget, label, cancel }).await;
}

/// Takes no more words, and hands back those that nobody has heard: also one whose place was taken and that is on its way.
async fn unheard(mut ear: mpsc::Receiver<String>) -> Vec<String> {
    ear.close();
    let mut words = Vec::new();
    while let Some(word) = ear.recv().await {
        words.push(word);
    }
    words
}

fn agent(args: WorkerArgs) -> Agent {
    let WorkerArgs { brief: Brief { run, key, .. }, model, summariser, company, toolbox, budget, observer, .. } = args;
    let (limits, hold) = (args.limits, args.hold);
    let label = Label { run, role: Role::Worker, task: Some(key.task), attempt: key.attempt.0, turn: 0 };
    let max_tokens = model.max_output();
    let (terminal, kin) = (Terminal::FINISH, Some(company.kin));
    Agent { model, toolbox, budget, observer, limits, hold, label, max_tokens, terminal, summariser, kin }
}

/// What `finish` hands over.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Done,
    Blocked,
}

#[derive(Deserialize)]
struct Finish {
    status: Status,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    hand_off: Option<String>,
    #[serde(default)]
    follow_ups: Option<Vec<String>>,
}

fn outcome(end: AgentEnd) -> Outcome {
    match end {
        AgentEnd::Ended(value) => finished(value),
        AgentEnd::Exhausted { limit, last } => Outcome::Exhausted { limit, last },
        AgentEnd::Unavailable { why } => Outcome::Unavailable { why },
        AgentEnd::OverBudget => Outcome::OverBudget,
        AgentEnd::Cancelled => Outcome::Cancelled,
        AgentEnd::Failed { why } => Outcome::Failed { why },
    }
}

fn finished(value: Value) -> Outcome {
    match serde_json::from_value::<Finish>(value) {
        Ok(Finish { status, summary, hand_off, follow_ups }) => {
            let report = Report {
                summary: summary.unwrap_or_default(),
                hand_off: hand_off.unwrap_or_default(),
                follow_ups: follow_ups.unwrap_or_default(),
                unheard: Vec::new(),
            };
            match status {
                Status::Done => Outcome::Done { report },
                Status::Blocked => Outcome::Blocked { report },
            }
        }
        Err(error) => Outcome::Failed { why: format!("the worker's `finish` was accepted but does not read: {error}") },
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Outcome::Failed {
        why: format!("the worker panicked: {}. This is a fault of Inspan; please report it.", text.unwrap_or("no reason given")),
    }
}

fn no_opening(transcript: &Path, error: &io::Error) -> Outcome {
    let path = transcript.display();
    Outcome::Unavailable {
        why: format!("the attempt could not begin its transcript {path}: {error}. Mend that, then resume the run."),
    }
}

#[cfg(test)]
mod tests;
