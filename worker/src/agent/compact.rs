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

use super::{Agent, AgentEnd, Session, no_transcript, settlement};
use crate::{
    agent::allowance::Means,
    budget::Settlement,
    context::{
        compaction::{self, Plan},
        room::Room,
        summary,
    },
    model::{Answer, Label, Message, Model, ModelError, Request, Role, estimate_tokens, meter::Meter, tool_bytes},
    observe::Progress,
    tool::ToolSpec,
    transcript::{Compacted, SummaryNote},
};

/// The longest summary that is asked for, in tokens; a model that thinks before it answers needs most of it for that.
const LONGEST: u64 = 4_096;

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
        session.window = session.talk.prompt(&session.tools).total() / 10 * 9;
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
        let said =
            asked.as_ref().and_then(|note| note.answer.as_ref()).map(|turn| turn.text.trim()).filter(|text| !text.is_empty());
        let messages = session.talk.messages();
        let summary = said.map_or_else(|| summary::list(messages, plan.gone()), str::to_owned);
        let is_summed_up = said.is_some();
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
        let (answer, usage) = self.ask_for_summary(session, &question, &label).await;
        session.talk.spent(usage, question.model.price().map(|price| price.of(usage)));
        if matches!(answer, Err(ModelError::Cancelled)) && session.stop.is_cancelled() {
            return Err(AgentEnd::Cancelled);
        }
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer.turn), None),
            Err(error) => {
                tracing::warn!(%error, "a conversation is made shorter without a summary");
                (None, Some(error.to_string()))
            }
        };
        let Question { model, begun, mut messages, .. } = question;
        let messages = messages.split_off(begun);
        Ok(Some(SummaryNote { model: model.id().to_owned(), begun, messages, answer, error, usage }))
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
    ) -> (Result<Answer, ModelError>, Tokens) {
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
            limits: self.limits,
            price: model.price(),
            window: model.context_window(),
            max_tokens: LONGEST.min(model.max_output()),
        };
        let Ok(room) = means.room(&session.talk.totals(), prompt) else { return (Err(no_room()), Tokens::default()) };
        let Ok(reservation) = self.budget.reserve(Tokens { output: room, ..prompt }.into()).await else {
            return (Err(no_room()), Tokens::default());
        };
        let request = Request { label, messages, tools, max_tokens: reservation.estimate.output };
        let meter = Meter::default();
        let answer = model.ask(&request, &|delta| meter.hear(&delta), session.stop).await;
        let settlement = settlement(&answer, prompt, &meter);
        let used = settlement.used;
        let other = self.summariser.as_ref().map(|model| model.id().to_owned());
        let model = settlement.model.clone().or(other);
        self.budget.settle(reservation, Settlement { purpose: Purpose::Summary, model, ..settlement }).await;
        (answer, used)
    }
}

fn no_room() -> ModelError {
    ModelError::ContextTooLong { said: "the limits leave no room for a summary".to_owned() }
}

#[cfg(test)]
mod tests;
