//! The agent: ask, act, observe, until a terminal tool, a limit or somebody ends it.
//!
//! It is the same loop for a worker and for the planner: what differs is the toolbox, the name of the terminal tool, and the words that
//! the conversation begins with.
//!
//! **Invariant:** the conversation is only ever appended to, until it is made shorter as a whole; see [`conversation`] and [`compact`].
//! **Invariant:** each request extends the one before it; see [`crate::prefix`].
//! **Invariant:** every loop has a limit, and limits are checked before they are spent; see [`allowance`] and [`patience`].
//! **Invariant:** every call gets exactly one result; see [`act`].
//! **Invariant:** between a reservation and its settlement nothing returns early, and nothing is done there that could wait.
//!
//! Not here: what a task is, where a worktree is, and whether `finish` is believed (the toolbox decides that).

mod act;
mod allowance;
mod compact;
mod conversation;
mod patience;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc, time::Duration};

use serde_json::Value;
use shared::{Limit, Limits, Price, Purpose, Repairs, Tokens};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use conversation::{Conversation, Totals};

use self::{
    allowance::Means,
    conversation::Sent,
    patience::{Patience, Verdict},
};
use crate::{
    budget::{Ask, Budget, OverBudget, Reservation, Settlement},
    hold::{Hold, LiveLimits},
    model::{Answer, Delta, Label, Message, Model, ModelError, Request, estimate_tokens, meter::Meter},
    observe::{Observer, Progress},
    prefix::Kin,
    steering,
    tool::{ToolOutcome, ToolSpec, Toolbox},
    transcript::Paid,
};

const CHANGED_LIMITS: &str = "A person has changed your limits: what you were told of them before holds no longer.";

const NOT_YET: &str =
    "Not ended yet: the person who leads this run has said something meanwhile, which follows. Heed it, then call";

const LAST_WORD: &str =
    "The budget of the whole run is almost used up: this may be your last answer. Bring your work to an end now";

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
    pub limits: LiveLimits,
    /// Whether a person holds the run: then the next turn waits.
    pub hold: Hold,
    /// Whose attempt it is; the turn is filled in for each request.
    pub label: Label,
    /// The longest answer that is asked for.
    pub max_tokens: u64,
    /// The tool that ends it.
    pub terminal: Terminal,
    /// Who sums up a conversation that grows too long; the model itself where there is nobody.
    pub summariser: Option<Arc<dyn Model>>,
    /// What all agents of its kind begin with, in this run.
    pub kin: Option<Arc<Kin>>,
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
    /// The limits as it knows them.
    limits: Limits,
    /// Whether it was told that the run's budget is almost used up.
    told: bool,
    /// Whether its beginning was held against that of its kin.
    is_known: bool,
    /// The model's window, as far as is known.
    window: u64,
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
            limits: self.limits.now(),
            told: false,
            is_known: false,
            window: self.model.context_window(),
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
            () = self.hold.minutes_pass(&self.limits, Duration::ZERO) => {
                stop.cancel();
                match turns.await {
                    AgentEnd::Cancelled if !cancel.is_cancelled() => exhausted(Limit::Minutes),
                    end => end,
                }
            }
        }
    }

    async fn turns(&self, mut session: Session<'_>) -> AgentEnd {
        if let Err(end) = self.carry_out_open(&mut session).await {
            return end;
        }
        loop {
            if let Err(end) = self.turn(&mut session).await {
                return end;
            }
        }
    }

    /// What the model had answered when it was interrupted, and was paid for, is not asked again.
    async fn carry_out_open(&self, session: &mut Session<'_>) -> Result<(), AgentEnd> {
        let Some((answer, notice)) = session.talk.take_open() else { return Ok(()) };
        self.wait_while_held(session).await;
        let outcomes = self.act(&answer, &session.tools, session.stop).await;
        self.observe(session, &answer, outcomes)?;
        session.talk.say(&notice);
        Ok(())
    }

    async fn turn(&self, session: &mut Session<'_>) -> Result<(), AgentEnd> {
        self.wait_while_held(session).await;
        session.listen();
        self.make_room(session).await?;
        let answer = match self.answer(session).await {
            Err(AgentEnd::Exhausted { limit: Limit::Context, .. }) if self.shrink(session).await? => self.answer(session).await?,
            answer => answer?,
        };
        let outcomes = self.act(&answer, &session.tools, session.stop).await;
        self.observe(session, &answer, outcomes)
    }

    /// The turn in flight has come to its end; the next one begins when the person lets the run go on, or stops it.
    async fn wait_while_held(&self, session: &Session<'_>) {
        if self.hold.is_on() {
            self.observer.saw(Progress::Held);
            session.stop.run_until_cancelled(self.hold.over()).await;
        }
    }

    async fn answer(&self, session: &mut Session<'_>) -> Result<Answer, AgentEnd> {
        let room = self.allow(session)?;
        self.ask(session, room).await
    }

    /// How much the answer may be. Warns once when the end is near.
    fn allow(&self, session: &mut Session<'_>) -> Result<u64, AgentEnd> {
        if session.stop.is_cancelled() {
            return Err(AgentEnd::Cancelled);
        }
        session.look_at(self.limits.now());
        let (limits, price, window, max_tokens) = (session.limits, self.model.price(), session.window, self.max_tokens);
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
        let estimate = Tokens { output: room, ..session.talk.prompt(&session.tools) };
        let reservation = self.reserve(session, estimate).await?;
        let room = self.say_if_last(session, &reservation);
        if let Err(error) = session.talk.write(self.model.as_ref(), &label, &session.tools) {
            self.budget.settle(reservation, Settlement { purpose: Purpose::Lost, ..Settlement::default() }).await;
            return Err(no_transcript(&error));
        }
        self.observer.saw(Progress::Asking { turn });
        let prompt = session.talk.prompt(&session.tools);
        let meter = Meter::default();
        let on_delta = |delta: Delta<'_>| self.hear(delta, &meter);
        let request = Request { label: &label, messages: session.talk.messages(), tools: &session.tools, max_tokens: room };
        let answer = self.model.ask(&request, &on_delta, session.stop).await;
        let (used, settlement) = (used(&answer, prompt, &meter), settlement(&answer, prompt, &meter));
        let tokens = settlement.used;
        let price = price_of(&answer, self.model.as_ref());
        let cost = self.budget.settle(reservation, settlement).await.or_else(|| Some(price?.of(tokens)));
        let paid = Paid { tokens, cost };
        self.look_for_drift(session);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                session.talk.lost(paid);
                return Err(without_answer(&error, session.talk.totals().turns));
            }
        };
        let sent = Sent { tools: &session.tools, max_tokens: room, paid };
        session.talk.answered(&answer, used, sent).map_err(|error| no_transcript(&error))?;
        let tools = answer.turn.calls.iter().map(|call| call.name.clone()).collect();
        self.observer.saw(Progress::Turn { turn, tokens, cost, tools });
        Ok(answer)
    }

    async fn reserve(&self, session: &Session<'_>, estimate: Tokens) -> Result<Reservation, AgentEnd> {
        let guessed = session.talk.guessed(&session.tools);
        let reserved = self.wait_for_money(session.stop, Ask { estimate, guessed, other: None }).await;
        reserved.ok_or(AgentEnd::Cancelled)?.map_err(|refused| match refused {
            OverBudget::Run => AgentEnd::OverBudget,
            OverBudget::Share(limit) => exhausted(limit),
        })
    }

    /// Waits for the run's money; nothing where it is stopped meanwhile.
    async fn wait_for_money(&self, stop: &CancellationToken, ask: Ask) -> Option<Result<Reservation, OverBudget>> {
        stop.run_until_cancelled(self.budget.reserve(ask)).await
    }

    /// How much the answer may be. Where it may be the last that the run can pay for, the model is told; the answer pays for that.
    /// Nothing of this request is written yet, so that the word joins what else the harness says.
    fn say_if_last(&self, session: &mut Session<'_>, reservation: &Reservation) -> u64 {
        let room = reservation.estimate.output;
        if !reservation.last || session.told {
            return room;
        }
        session.told = true;
        let text = format!("{LAST_WORD} and call `{}`.", self.terminal.tool);
        session.talk.say(&text);
        room.saturating_sub(estimate_tokens(Message::user(text).bytes())).max(1)
    }

    /// A prefix that has changed costs money and nothing else: it is told, and the attempt goes on. In a build for tests it is a fault:
    /// therefore it is looked for when the request is settled, and not while the run's money is held.
    fn look_for_drift(&self, session: &mut Session<'_>) {
        let kin = self.kin.as_ref().filter(|_| !std::mem::replace(&mut session.is_known, true));
        let other = kin.and_then(|kin| kin.look(&session.tools, session.talk.messages()));
        let drifted = session.talk.drift(self.model.id(), &session.tools);
        debug_assert_eq!((&drifted, &other), (&None, &None), "attempt {} at {:?}", self.label.attempt, self.label.task);
        for (drift, what) in [(drifted, "the request before"), (other, "the first worker's")] {
            let Some(drift) = drift else { continue };
            let what = format!("a request does not begin like {what}: {drift}");
            tracing::warn!(task = ?self.label.task, attempt = self.label.attempt, what);
            self.observer.saw(Progress::Drift { what });
        }
    }

    fn hear(&self, delta: Delta<'_>, meter: &Meter) {
        meter.hear(&delta);
        let (why, wait) = match delta {
            Delta::Text(_) | Delta::Reasoning(_) | Delta::Arguments(_) => {
                return self.observer.saw(Progress::Streaming { bytes: meter.streamed() });
            }
            Delta::Counted(_) => return,
            Delta::Translated { dropped } => {
                let dropped = dropped.iter().map(ToString::to_string).collect();
                return self.observer.saw(Progress::Translated { dropped });
            }
            Delta::Retrying { why, wait } => (why.to_string(), wait),
            Delta::Held { wait } => ("the model endpoint has asked for fewer requests".to_owned(), wait),
            Delta::Switched { from, to, why } => (format!("{to} is asked instead of {from}: {why}"), Duration::ZERO),
        };
        self.observer.saw(Progress::Retrying { why, wait });
    }

    /// Whether an accepted end waits for the person's words. What is done is not put at risk for them: only where a turn is left.
    fn hears_first(&self, session: &Session<'_>) -> bool {
        if session.steer.is_empty() || session.stop.is_cancelled() || session.told {
            return false;
        }
        let (limits, price, window, max_tokens) = (self.limits.now(), self.model.price(), session.window, self.max_tokens);
        let means = Means { limits, price, window, max_tokens };
        means.room(&session.talk.totals(), session.talk.prompt(&session.tools)).is_ok()
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
                ToolOutcome::Ended(_) if self.hears_first(session) => format!("{NOT_YET} `{}` again.", self.terminal.tool),
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
            self.talk.say(&steering::in_words(&text));
        }
    }

    /// Who was told that the end is near is told that it is not, and is warned again when it is.
    fn look_at(&mut self, limits: Limits) {
        if std::mem::replace(&mut self.limits, limits) != limits && std::mem::take(&mut self.warned) {
            self.talk.say(CHANGED_LIMITS);
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

/// The price of whoever answered, and of whoever was asked where nobody did.
fn price_of(answer: &Result<Answer, ModelError>, asked: &dyn Model) -> Option<Price> {
    match answer {
        Ok(Answer { by: Some(by), .. }) => by.price,
        _ => asked.price(),
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
        ModelError::ContextTooLong { .. } => AgentEnd::Exhausted { limit: Limit::Context, last: error.in_full() },
        other => AgentEnd::Unavailable { why: other.in_full() },
    }
}

/// What a request took, over all its tries, and what was done to its answer.
pub(crate) fn settlement(answer: &Result<Answer, ModelError>, prompt: Tokens, meter: &Meter) -> Settlement {
    let mut repairs = Repairs::new();
    for repair in answer.iter().flat_map(|answer| &answer.repairs) {
        *repairs.entry(*repair).or_default() += 1;
    }
    let estimated = match answer {
        Ok(answer) => answer.usage.is_none(),
        Err(_) => meter.last().is_none(),
    };
    let by = answer.as_ref().ok().and_then(|answer| Some(answer.by.as_ref()?.model.clone()));
    let (model, lost, guessed) = (by.or_else(|| meter.asked()), meter.lost(), meter.guessed(prompt));
    let used = lost.iter().fold(used(answer, prompt, meter), |sum, lost| sum + lost.tokens);
    let purpose = if answer.is_ok() { Purpose::Turn } else { Purpose::Lost };
    let (retries, stood_in_for) = (meter.retries(), meter.stood_in_for());
    Settlement { purpose, used, lost, guessed, estimated, model, repairs, retries, stood_in_for }
}

/// What the last try took: as the provider says, else by bytes. One that failed before anything came is taken to be free.
fn used(answer: &Result<Answer, ModelError>, prompt: Tokens, meter: &Meter) -> Tokens {
    match (answer, meter.last(), meter.streamed()) {
        (Ok(Answer { usage: Some(usage), .. }), ..) => *usage,
        (Ok(answer), ..) => Tokens { output: estimate_tokens(answer.turn.bytes() as u64), ..prompt },
        (Err(_), Some(counted), _) => counted,
        (Err(_), None, 0) => Tokens::default(),
        (Err(_), None, streamed) => Tokens { output: estimate_tokens(streamed), ..prompt },
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
        AgentEnd::Exhausted { limit, last } => {
            // What the server said of it comes before what was said in the conversation.
            let words = [last, talk.last_words()].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>();
            (format!("exhausted: {limit}"), AgentEnd::Exhausted { limit, last: words.join("\n") })
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
