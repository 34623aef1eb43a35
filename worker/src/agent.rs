//! The agent: ask, act, observe, until a terminal tool, a limit or somebody ends it.
//!
//! It is the same loop for a worker and for the planner: what differs is the toolbox, the name of the terminal tool, and the words that
//! the conversation begins with.
//!
//! **Invariant:** the conversation is only ever appended to; see [`conversation`].
//! **Invariant:** every loop has a limit, and limits are checked before they are spent; see [`allowance`] and [`patience`].
//! **Invariant:** every call gets exactly one result; see [`act`].
//!
//! Not here: what a task is, where a worktree is, and whether `finish` is believed (the toolbox decides that).

mod act;
mod allowance;
mod conversation;
mod patience;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use shared::{Limit, Limits, Tokens};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

pub use conversation::{Conversation, Totals};

use self::{
    allowance::Means,
    patience::{Patience, Verdict},
};
use crate::{
    budget::Budget,
    model::{Answer, Delta, Label, Message, Model, ModelError, Request, estimate_tokens},
    observe::{Observer, Progress},
    tool::{ToolOutcome, ToolSpec, Toolbox},
};

/// An agent: a model with tools, and what it may spend.
pub struct Agent {
    /// Who thinks.
    pub model: Arc<dyn Model>,
    /// What it can do.
    pub toolbox: Arc<dyn Toolbox>,
    /// The run's money.
    pub budget: Arc<dyn Budget>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// The attempt's own limits.
    pub limits: Limits,
    /// Whose attempt it is; the turn is filled in for each request.
    pub label: Label,
    /// The longest answer that is asked for.
    pub max_tokens: u64,
    /// The tool that ends it.
    pub terminal: Terminal,
}

/// The tool that ends a conversation, and how often it may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Its name.
    pub tool: &'static str,
    /// At how many refusals the attempt ends.
    pub refusals: u32,
}

impl Terminal {
    /// A worker's.
    pub const FINISH: Terminal = Terminal { tool: "finish", refusals: 6 };
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEnd {
    /// The terminal tool was called, and accepted, with this value.
    Ended(Value),
    /// A limit was hit.
    Exhausted {
        /// Which.
        limit: Limit,
        /// What was said last.
        last: String,
    },
    /// The model or the disk is not to be had.
    Unavailable {
        /// What happened, and what to do.
        why: String,
    },
    /// The run's budget is used up.
    OverBudget,
    /// Somebody stopped it.
    Cancelled,
    /// It broke.
    Failed {
        /// How.
        why: String,
    },
}

/// One run of the loop, while it lasts.
struct Session<'a> {
    talk: &'a mut Conversation,
    steer: &'a mut mpsc::Receiver<String>,
    stop: &'a CancellationToken,
    tools: Vec<ToolSpec>,
    patience: Patience,
    warned: bool,
}

impl Agent {
    /// Runs until the end. `steer` brings words of the person; they are heard before the next request. A conversation that has ended may
    /// be gone on with: say something, and run again.
    pub async fn run(&self, talk: &mut Conversation, steer: &mut mpsc::Receiver<String>, cancel: &CancellationToken) -> AgentEnd {
        let stop = cancel.child_token();
        let session = Session {
            talk: &mut *talk,
            steer,
            stop: &stop,
            tools: self.toolbox.specs(),
            patience: Patience::default(),
            warned: false,
        };
        let end = self.until_deadline(session, cancel).await;
        conclude(talk, end)
    }

    /// Past the limit of minutes whatever is under way is stopped, and comes to its own end.
    async fn until_deadline(&self, session: Session<'_>, cancel: &CancellationToken) -> AgentEnd {
        let stop = session.stop;
        let turns = self.turns(session);
        tokio::pin!(turns);
        tokio::select! {
            biased;
            end = &mut turns => end,
            () = self.deadline() => {
                stop.cancel();
                match turns.await {
                    AgentEnd::Cancelled if !cancel.is_cancelled() => exhausted(Limit::Minutes),
                    end => end,
                }
            }
        }
    }

    async fn deadline(&self) {
        match self.limits.minutes {
            Some(minutes) => sleep(Duration::from_secs(60 * u64::from(minutes))).await,
            None => std::future::pending().await,
        }
    }

    async fn turns(&self, mut session: Session<'_>) -> AgentEnd {
        loop {
            if let Err(end) = self.turn(&mut session).await {
                return end;
            }
        }
    }

    async fn turn(&self, session: &mut Session<'_>) -> Result<(), AgentEnd> {
        session.listen();
        let room = self.allow(session)?;
        let answer = self.ask(session, room).await?;
        let outcomes = self.act(&answer, &session.tools, session.stop).await;
        self.observe(session, &answer, outcomes)
    }

    /// How much the answer may be. Warns once when the end is near.
    fn allow(&self, session: &mut Session<'_>) -> Result<u64, AgentEnd> {
        if session.stop.is_cancelled() {
            return Err(AgentEnd::Cancelled);
        }
        let (limits, price, window, max_tokens) = (self.limits, self.model.price(), self.model.context_window(), self.max_tokens);
        let means = Means { limits, price, window, max_tokens };
        let (totals, prompt) = (session.talk.totals(), session.talk.prompt(&session.tools));
        if let Some(warning) = means.warning(&totals, prompt, self.terminal.tool).filter(|_| !session.warned) {
            session.warned = true;
            session.talk.say(&warning);
        }
        means.room(&totals, prompt).map_err(exhausted)
    }

    async fn ask(&self, session: &mut Session<'_>, room: u64) -> Result<Answer, AgentEnd> {
        let turn = session.talk.totals().turns + 1;
        let label = Label { turn, ..self.label.clone() };
        session.talk.write(self.model.id(), &label, &session.tools).map_err(|error| no_transcript(&error))?;
        let prompt = session.talk.prompt(&session.tools);
        let reserved = self.budget.reserve(Tokens { output: room, ..prompt }).await;
        let reservation = reserved.map_err(|_| AgentEnd::OverBudget)?;
        let room = reservation.estimate.output;
        self.observer.saw(Progress::Asking { turn });
        let streamed = AtomicU64::new(0);
        let on_delta = |delta: Delta<'_>| self.hear(delta, &streamed);
        let request = Request { label: &label, messages: session.talk.messages(), tools: &session.tools, max_tokens: room };
        let answer = self.model.ask(&request, &on_delta, session.stop).await;
        let used = used(&answer, prompt, streamed.into_inner());
        self.budget.settle(reservation, used).await;
        session.talk.spent(used, self.model.price());
        let answer = answer.map_err(|error| without_answer(&error, session.talk.totals().turns))?;
        session.talk.answered(&answer, used, room).map_err(|error| no_transcript(&error))?;
        let tools = answer.turn.calls.iter().map(|call| call.name.clone()).collect();
        self.observer.saw(Progress::Turn { turn, tokens: used, cost: self.model.price().map(|price| price.of(used)), tools });
        Ok(answer)
    }

    fn hear(&self, delta: Delta<'_>, streamed: &AtomicU64) {
        match delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::Arguments(text) => {
                let more = text.len() as u64;
                let bytes = streamed.fetch_add(more, Ordering::Relaxed) + more;
                self.observer.saw(Progress::Streaming { bytes });
            }
            Delta::Retrying { why, wait } => self.observer.saw(Progress::Retrying { why: why.to_string(), wait }),
            Delta::Translated { dropped } => {
                let dropped = dropped.iter().map(ToString::to_string).collect();
                self.observer.saw(Progress::Translated { dropped });
            }
        }
    }

    /// Adds the results to the conversation, and judges them.
    fn observe(&self, session: &mut Session<'_>, answer: &Answer, outcomes: Vec<ToolOutcome>) -> Result<(), AgentEnd> {
        if answer.turn.calls.is_empty() {
            let verdict = session.patience.silence(&answer.turn.text, answer.finish, &self.terminal);
            return session.heed(vec![verdict]);
        }
        session.patience.spoke();
        let mut verdicts = Vec::new();
        let mut ended = None;
        for (call, outcome) in answer.turn.calls.iter().zip(outcomes) {
            let content = match outcome {
                ToolOutcome::Ok(content) => {
                    verdicts.push(session.patience.succeeded(&call.name, &call.arguments, &content));
                    content
                }
                ToolOutcome::Failed(instruction) => {
                    verdicts.push(session.patience.failed(&call.name, &call.arguments, &self.terminal));
                    instruction
                }
                ToolOutcome::Ended(value) => {
                    ended = Some(value);
                    "Accepted.".to_owned()
                }
            };
            session.talk.push(Message::Tool { call_id: call.id.clone(), name: call.name.clone(), content });
        }
        match ended {
            Some(value) => Err(AgentEnd::Ended(value)),
            None if session.stop.is_cancelled() => Err(AgentEnd::Cancelled),
            None => session.heed(verdicts),
        }
    }
}

impl Session<'_> {
    fn listen(&mut self) {
        while let Ok(text) = self.steer.try_recv() {
            self.talk.say(&format!("A word from the person who leads this run:\n\n{}", text.trim()));
        }
    }

    fn heed(&mut self, verdicts: Vec<Verdict>) -> Result<(), AgentEnd> {
        for verdict in verdicts {
            match verdict {
                Verdict::GoOn => {}
                Verdict::Say(text) => self.talk.say(&text),
                Verdict::End(limit) => return Err(exhausted(limit)),
            }
        }
        Ok(())
    }
}

/// [`conclude`] adds what was said last.
fn exhausted(limit: Limit) -> AgentEnd {
    AgentEnd::Exhausted { limit, last: String::new() }
}

/// A server that refuses the very first request refuses everybody; one that refuses a later one dislikes this conversation, and
/// another attempt may fare better.
fn without_answer(error: &ModelError, turns: u32) -> AgentEnd {
    match error {
        ModelError::BadRequest { .. } if turns > 0 => AgentEnd::Failed { why: error.in_full() },
        ModelError::Cancelled => AgentEnd::Cancelled,
        ModelError::ContextTooLong { .. } => exhausted(Limit::Context),
        other => AgentEnd::Unavailable { why: other.in_full() },
    }
}

/// What a request took: as the provider says, else by bytes. One that failed before anything came is taken to be free.
fn used(answer: &Result<Answer, ModelError>, prompt: Tokens, streamed: u64) -> Tokens {
    match answer {
        Ok(Answer { usage: Some(usage), .. }) => *usage,
        Ok(answer) => Tokens { output: estimate_tokens(answer.turn.bytes() as u64), ..prompt },
        Err(_) if streamed > 0 => Tokens { output: estimate_tokens(streamed), ..prompt },
        Err(_) => Tokens::default(),
    }
}

fn no_transcript(error: &io::Error) -> AgentEnd {
    let why = format!(
        "the transcript cannot be written: {error}. Without it nothing is asked. Make room on the disk, then resume the run."
    );
    AgentEnd::Unavailable { why }
}

/// The last word in the transcript. The work is done by now: if it cannot be written, that is no reason to lose it.
fn conclude(talk: &mut Conversation, end: AgentEnd) -> AgentEnd {
    let (line, end) = match end {
        AgentEnd::Ended(value) => (format!("ended with {value}"), AgentEnd::Ended(value)),
        AgentEnd::Exhausted { limit, .. } => {
            (format!("exhausted: {limit}"), AgentEnd::Exhausted { limit, last: talk.last_words() })
        }
        AgentEnd::Unavailable { why } => (format!("unavailable: {why}"), AgentEnd::Unavailable { why }),
        AgentEnd::OverBudget => ("over budget".to_owned(), AgentEnd::OverBudget),
        AgentEnd::Cancelled => ("cancelled".to_owned(), AgentEnd::Cancelled),
        AgentEnd::Failed { why } => (format!("failed: {why}"), AgentEnd::Failed { why }),
    };
    if let Err(error) = talk.close(&line) {
        tracing::warn!(%error, "the end of a transcript could not be written");
    }
    end
}
