//! The repair ladder: what a model wrote is made readable where it can be read in one way only, and left alone where it cannot.
//!
//! Rungs, from the cheapest: the arguments parse · raw control characters · trailing commas · brackets at the very end · arguments that
//! are a text with an object in it ([`arguments`]) · a call that stands in the text ([`leaked`]) · the model is told what is wrong and
//! asked again ([`crate::agent`]). Every mended call, and every one that is asked again, is counted in [`Answer::repairs`].
//!
//! **Invariant:** a call that parses is not altered, not by a byte.
//! **Invariant:** nothing is made up: a mended call holds no text that the model did not write, and no arguments at all are never `{}`
//! where the tool needs some.
//! **Invariant:** a cut answer is never completed. Brackets are closed, and text is read as calls, only where the model had finished,
//! and said so: an answer that ended without a reason may be cut, and of its calls only what is whole by itself is carried out.
//!
//! A mended call takes the place of the broken one: in the transcript, in the next request, and in what is carried out, which so stay the
//! same. A text that became calls leaves the turn's text for the same reason: it would be said twice. Every answer of every dialect comes
//! through [`Mending`], once, before anybody else sees it.
//!
//! Not here: slips within a readable object, such as a number as text (`crate::tool::arguments`), and arguments that came over the wire
//! as an object instead of a text (the dialects write them as text).

mod arguments;
mod leaked;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc};

use futures_util::future::BoxFuture;
use shared::Price;
use tokio_util::sync::CancellationToken;

use self::arguments::{Closing, Reading};
pub(crate) use self::{arguments::needed, leaked::looks_like_a_call};
use super::{Answer, FinishReason, Message, Model, ModelError, OnDelta, PrefixCache, Repair, Request, ToolCall};

/// A model whose answers are mended.
pub struct Mending(pub Arc<dyn Model>);

/// Mends what can be mended in an answer, and counts it.
pub fn mend(mut answer: Answer, request: &Request<'_>) -> Answer {
    let had_finished = answer.finish.is_the_models();
    let is_asked_again = had_finished || answer.finish == FinishReason::Unsaid;
    if answer.turn.calls.is_empty() {
        if is_asked_again {
            take_leaked(&mut answer, request);
        }
        return answer;
    }
    let closing = if had_finished { Closing::AtTheEnd } else { Closing::Never };
    for call in &mut answer.turn.calls {
        let spec = request.tools.iter().find(|tool| tool.name == call.name);
        match arguments::read(&call.arguments, spec, closing) {
            Reading::Mended(text, repairs) => {
                call.arguments = text;
                answer.repairs.extend(repairs);
            }
            Reading::Unreadable if is_asked_again => answer.repairs.push(Repair::AskedAgain),
            // A cut call is not broken: the model is told that it was too long.
            Reading::Good | Reading::Unreadable => {}
        }
    }
    answer
}

/// Blocks that go back as they came hold the text as well. They cannot be rewritten here, so the model is asked again; so it is where
/// nobody said that the text was at its end.
fn take_leaked(answer: &mut Answer, request: &Request<'_>) {
    let turn = &mut answer.turn;
    if !looks_like_a_call(&turn.text) {
        return;
    }
    let may_be_read = answer.finish.is_the_models() && turn.opaque.is_none();
    let found = may_be_read.then(|| leaked::read(&turn.text, request.tools)).flatten();
    let Some((start, calls)) = found else { return answer.repairs.push(Repair::AskedAgain) };
    answer.repairs.extend(calls.iter().map(|_| Repair::LeakedCall));
    let mut ids = free_ids(request);
    let call = |(name, arguments)| ToolCall { id: ids(), name, arguments };
    turn.calls = calls.into_iter().map(call).collect();
    turn.text.truncate(turn.text[..start].trim_end().len());
    answer.finish = FinishReason::ToolCalls;
}

/// `call_3_1`, `call_3_2`, without those that the conversation has.
fn free_ids(request: &Request<'_>) -> impl FnMut() -> String + use<> {
    let turns =
        request.messages.iter().filter_map(|message| if let Message::Assistant(turn) = message { Some(turn) } else { None });
    let taken: HashSet<String> = turns.flat_map(|turn| &turn.calls).map(|call| call.id.clone()).collect();
    let turn = request.label.turn;
    let mut free = (1_u32..).map(move |place| format!("call_{turn}_{place}")).filter(move |id| !taken.contains(id));
    move || free.next().unwrap_or_default()
}

impl Model for Mending {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move { self.0.ask(request, on_delta, cancel).await.map(|answer| mend(answer, request)) })
    }

    fn prefix_cache(&self) -> PrefixCache {
        self.0.prefix_cache()
    }

    fn context_budget(&self) -> Option<u64> {
        self.0.context_budget()
    }

    fn context_window(&self) -> u64 {
        self.0.context_window()
    }

    fn max_output(&self) -> u64 {
        self.0.max_output()
    }

    fn price(&self) -> Option<Price> {
        self.0.price()
    }

    fn id(&self) -> &str {
        self.0.id()
    }
}
