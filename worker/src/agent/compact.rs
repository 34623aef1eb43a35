//! Making room: when a conversation is made shorter, and who sums up what goes.
//!
//! What goes is decided in [`crate::context::compaction`]. Here is who is asked for a summary, what that may take, and what stands there
//! when nobody can write one.
//!
//! **Invariant:** an attempt never ends because there is no summary: a list of what was done stands there then.
//! **Invariant:** a request for a summary is reserved and settled like any other, kept in the transcript, and is no turn.
//!
//! The worker's own model is asked at the end of the very conversation, so that its cache knows all but the question. Another model gets
//! the conversation as a text, for it may speak another dialect and know no tools.

use std::sync::Arc;

use shared::{Purpose, Tokens};

use super::{Agent, AgentEnd, Session, no_transcript, price_of, settlement};
use crate::{
    agent::allowance::Means,
    budget::{Ask, Settlement},
    context::{
        compaction::{self, Plan},
        room::Room,
        summary,
    },
    model::{Answer, FinishReason, Label, Message, Model, ModelError, Request, Role, estimate_tokens, meter::Meter, tool_bytes},
    observe::Progress,
    tool::ToolSpec,
    transcript::{Compacted, Paid, SummaryNote},
};

/// The longest summary that is asked for, in tokens; a model that thinks before it answers needs most of it for that.
const LONGEST: u64 = 4_096;

/// What stands between a summary that was cut and the list of what was done.
const CUT: &str = "(This summary was cut here, because it was too long.)";

/// Somebody who may sum up, and what they would be asked.
struct Question {
    model: Arc<dyn Model>,
    /// How many messages of the conversation it begins with.
    begun: usize,
    messages: Vec<Message>,
    tools: Vec<ToolSpec>,
}

impl Agent {
    /// Makes the conversation shorter if the next request would be too long.
    pub(super) async fn make_room(&self, session: &mut Session<'_>) -> Result<(), AgentEnd> {
        let room = self.room(session.window);
        if session.talk.prompt(&session.tools).total() > room.high {
            self.compact(session, room).await?;
        }
        Ok(())
    }

    /// The server says that the conversation is too long: the window is smaller than was thought. Says whether it is shorter now.
    pub(super) async fn shrink(&self, session: &mut Session<'_>) -> Result<bool, AgentEnd> {
        session.window = session.window.min(session.talk.prompt(&session.tools).total() / 10 * 9);
        self.compact(session, self.room(session.window)).await
    }

    fn room(&self, window: u64) -> Room {
        Room::of(window, self.max_tokens, self.model.context_budget())
    }

    async fn compact(&self, session: &mut Session<'_>, room: Room) -> Result<bool, AgentEnd> {
        if session.stop.is_cancelled() {
            return Err(AgentEnd::Cancelled);
        }
        let pressure = session.talk.pressure(&session.tools, room);
        let Some(plan) = compaction::plan(session.talk.messages(), &pressure) else { return Ok(false) };
        let label = Label { turn: session.talk.totals().turns + 1, ..self.label.clone() };
        let written = session.talk.write_said(self.model.as_ref(), &label, &session.tools);
        written.map_err(|error| no_transcript(&error))?;
        let asked = self.sum_up(session, &plan, &label).await?;
        let messages = session.talk.messages();
        let said = asked.as_ref().and_then(said);
        let is_summed_up = said.is_some();
        let summary = standing(said, || summary::list(messages, plan.gone()));
        let replaced = plan.carry_out(messages, &summary);
        let shorter = session.talk.compact(label.turn, Compacted { replaced, asked });
        shorter.map_err(|error| no_transcript(&error))?;
        let after = session.talk.prompt(&session.tools).total();
        self.observer.saw(Progress::Compacted { before: pressure.prompt, after, is_summed_up });
        Ok(true)
    }

    /// Asks for a summary of the turns that go, if any do.
    async fn sum_up(&self, session: &mut Session<'_>, plan: &Plan, label: &Label) -> Result<Option<SummaryNote>, AgentEnd> {
        let Some(end) = plan.summed_up() else { return Ok(None) };
        let question = self.question(session, end);
        let label = Label { role: Role::Summariser, ..label.clone() };
        let (answer, paid) = self.ask_for_summary(session, &question, &label).await;
        if matches!(answer, Err(ModelError::Cancelled)) && session.stop.is_cancelled() {
            session.talk.lost(paid);
            return Err(AgentEnd::Cancelled);
        }
        session.talk.spent(paid);
        let (answer, finish, error) = match answer {
            Ok(answer) => (Some(answer.turn), Some(answer.finish), None),
            Err(error) => {
                tracing::warn!(%error, "a conversation is made shorter without a summary");
                (None, None, Some(error.to_string()))
            }
        };
        let Question { model, begun, mut messages, .. } = question;
        let messages = messages.split_off(begun);
        let (model, usage, paid) = (model.id().to_owned(), paid.tokens, Some(paid));
        Ok(Some(SummaryNote { model, begun, messages, answer, finish, error, usage, paid }))
    }

    fn question(&self, session: &Session<'_>, end: usize) -> Question {
        let said = session.talk.messages();
        match &self.summariser {
            None => {
                let messages = summary::question(said, end);
                // Where the last of them is the question alone, or what was said last with the question behind it.
                let begun = messages.len() - 1;
                Question { model: self.model.clone(), begun, messages, tools: session.tools.clone() }
            }
            Some(model) => {
                let most = usize::try_from(model.context_window().saturating_mul(2)).unwrap_or(usize::MAX);
                let messages = summary::question_for_another(said, end, most);
                Question { model: model.clone(), begun: 0, messages, tools: Vec::new() }
            }
        }
    }

    /// What was answered, and what it took.
    async fn ask_for_summary(
        &self,
        session: &Session<'_>,
        question: &Question,
        label: &Label,
    ) -> (Result<Answer, ModelError>, Paid) {
        let Question { model, messages, tools, .. } = question;
        let bytes = messages.iter().map(Message::bytes).sum::<u64>() + tool_bytes(tools);
        let known = session.talk.prompt(&session.tools);
        let is_known = known.hit > 0 && self.summariser.is_none();
        let tokens = estimate_tokens(bytes);
        let prompt = if is_known {
            Tokens { hit: known.hit.min(tokens), miss: tokens.saturating_sub(known.hit), ..known }
        } else {
            Tokens { miss: tokens, ..Tokens::default() }
        };
        let means = Means {
            limits: self.limits.now(),
            price: model.price(),
            window: model.context_window(),
            max_tokens: LONGEST.min(model.max_output()),
        };
        let Ok(room) = means.room(&session.talk.totals(), prompt) else { return (Err(no_room()), Paid::default()) };
        // The question was never counted, and what stands before it is weighed by bytes too.
        let ask = Ask { guessed: prompt.prompt(), ..Ask::from(Tokens { output: room, ..prompt }).of(model.as_ref()) };
        let reservation = match self.wait_for_money(session.stop, ask).await {
            Some(Ok(reservation)) => reservation,
            Some(Err(_)) => return (Err(no_room()), Paid::default()),
            None => return (Err(ModelError::Cancelled), Paid::default()),
        };
        let request = Request { label, messages, tools, max_tokens: reservation.estimate.output };
        let meter = Meter::default();
        let answer = model.ask(&request, &|delta| meter.hear(&delta), session.stop).await;
        let settlement = settlement(&answer, prompt, &meter);
        let (tokens, price) = (settlement.used, price_of(&answer, model.as_ref()));
        let other = self.summariser.as_ref().map(|model| model.id().to_owned());
        let model = settlement.model.clone().or(other);
        let settled = self.budget.settle(reservation, Settlement { purpose: Purpose::Summary, model, ..settlement }).await;
        (answer, Paid { tokens, cost: settled.or_else(|| Some(price?.of(tokens))) })
    }
}

/// The text of a summary, if there is one, and whether it is whole.
fn said(note: &SummaryNote) -> Option<(&str, bool)> {
    let text = note.answer.as_ref()?.text.trim();
    let is_cut = matches!(note.finish, Some(FinishReason::Length | FinishReason::Filtered));
    (!text.is_empty()).then_some((text, !is_cut))
}

/// What stands there instead of the turns that go: the summary; and where it was cut or is missing, the list of what was done, for
/// the end of a summary says what is left to do.
fn standing(said: Option<(&str, bool)>, list: impl FnOnce() -> String) -> String {
    match said {
        Some((text, true)) => text.to_owned(),
        Some((text, false)) => format!("{text}\n\n{CUT}\n\n{}", list()),
        None => list(),
    }
}

fn no_room() -> ModelError {
    ModelError::ContextTooLong { said: "the limits leave no room for a summary".to_owned() }
}

#[cfg(test)]
mod tests;
