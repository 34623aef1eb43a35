//! A model that stands in for another one.
//!
//! The first model is asked; where it cannot answer, the next one is. Nobody gets one that is not configured.
//!
//! **Invariant:** who answered is in the answer ([`Answer::by`]), so that it is paid for at its own price, and the switch is told.
//! **Invariant:** a reservation never falls short: the price of all is the dearest one's, and unknown where one of them is unknown.
//!
//! A model that failed is left alone for a while, also by other conversations: each switch costs the cached prefix of the whole
//! conversation, so it is not tried anew with every turn. What only this conversation was too long for says nothing about the others.
//!
//! A request that a model refuses as wrong (400, 422) goes to no other one: it is most likely wrong for that one, too, and a person has to
//! see it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use shared::Price;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Answer, Answerer, Delta, Model, ModelError, OnDelta, PrefixCache, Request};

/// How long a model is left alone that was overloaded, broken or out of reach.
const PASSING: Duration = Duration::from_secs(5 * 60);
/// How long one is left alone that refused the key or has no balance: a person has to mend that.
const LASTING: Duration = Duration::from_secs(30 * 60);

/// Several models as one.
pub struct Fallback {
    first: Arc<dyn Model>,
    others: Vec<Arc<dyn Model>>,
    /// Until when each is left alone.
    cooling: Mutex<Vec<Option<Instant>>>,
}

/// What an error means for the one who failed and for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    /// The next is not asked.
    No,
    /// The next is asked, and this one is left alone for so long.
    For(Duration),
    /// The next is asked if it can read more at once.
    ToALarger,
}

fn switch(error: &ModelError) -> Switch {
    match error {
        ModelError::Unreachable { .. }
        | ModelError::Overloaded { .. }
        | ModelError::Broken { .. }
        | ModelError::Stalled { .. } => Switch::For(PASSING),
        ModelError::RateLimited { retry_after, .. } => Switch::For(retry_after.unwrap_or_default().clamp(PASSING, LASTING)),
        ModelError::Unauthorized { .. }
        | ModelError::Untrusted { .. }
        | ModelError::NoBalance { .. }
        | ModelError::BadRequest { status: 404, .. } => Switch::For(LASTING),
        ModelError::ContextTooLong { .. } => Switch::ToALarger,
        ModelError::BadRequest { .. }
        | ModelError::Settings { .. }
        | ModelError::Script { .. }
        | ModelError::OffScript { .. }
        | ModelError::OffRecord { .. }
        | ModelError::Scripted { .. }
        | ModelError::Cancelled => Switch::No,
    }
}

impl Fallback {
    /// The first, and who stands in for it, in order.
    pub fn new(first: Arc<dyn Model>, others: Vec<Arc<dyn Model>>) -> Self {
        let cooling = Mutex::new(vec![None; others.len() + 1]);
        Self { first, others, cooling }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn Model>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn cooling(&self) -> MutexGuard<'_, Vec<Option<Instant>>> {
        self.cooling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is asked, in order: those that are not left alone; all, if that leaves nobody.
    fn order(&self) -> Vec<(usize, &Arc<dyn Model>)> {
        let now = Instant::now();
        let cooling = self.cooling().clone();
        let ready = |place: &usize| cooling[*place].is_none_or(|until| until <= now);
        let order: Vec<_> = self.all().enumerate().filter(|(place, _)| ready(place)).collect();
        if order.is_empty() { self.all().enumerate().collect() } else { order }
    }

    async fn ask_in_order(
        &self,
        request: &Request<'_>,
        on_delta: &OnDelta<'_>,
        cancel: &CancellationToken,
    ) -> Result<Answer, ModelError> {
        let mut order = self.order().into_iter().peekable();
        let mut told = None;
        while let Some((place, model)) = order.next() {
            let error = match model.ask(request, on_delta, cancel).await {
                Ok(answer) => {
                    self.cooling()[place] = None;
                    return Ok(if place == 0 { answer } else { answered_by(answer, &**model) });
                }
                Err(error) => error,
            };
            let wants = switch(&error);
            if let Switch::For(time) = wants {
                self.cooling()[place] = Some(Instant::now() + time);
            }
            let window = if wants == Switch::ToALarger { model.context_window() } else { 0 };
            while order.next_if(|(_, next)| next.context_window() <= window).is_some() {}
            let next = order.peek().filter(|_| wants != Switch::No);
            match next {
                Some((_, next)) => on_delta(Delta::Switched { from: model.id(), to: next.id(), why: &error }),
                // A person's own word comes before what failed.
                None if error == ModelError::Cancelled => return Err(error),
                None => return Err(telling(told, error)),
            }
            told = Some(telling(told, error));
        }
        Err(told.unwrap_or(ModelError::Cancelled))
    }
}

fn answered_by(answer: Answer, model: &dyn Model) -> Answer {
    let by = answer.by.or_else(|| Some(Answerer { model: model.id().to_owned(), price: model.price() }));
    Answer { by, ..answer }
}

impl Model for Fallback {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(self.ask_in_order(request, on_delta, cancel))
    }

    fn prefix_cache(&self) -> PrefixCache {
        self.first.prefix_cache()
    }

    fn context_budget(&self) -> Option<u64> {
        self.all().filter_map(|model| model.context_budget()).min()
    }

    fn context_window(&self) -> u64 {
        self.first.context_window()
    }

    fn max_output(&self) -> u64 {
        self.all().map(|model| model.max_output()).min().unwrap_or_default()
    }

    fn price(&self) -> Option<Price> {
        self.all().map(|model| model.price()).reduce(|one, other| Some(one?.or_dearer(other?)))?
    }

    fn id(&self) -> &str {
        self.first.id()
    }
}

/// Which error is told of what was told so far and the next.
///
/// What stopped the model that was meant is what a person has to mend. But where one that could be asked was asked for too much, the
/// conversation can be made shorter and goes on: that is worth more than knowing why somebody else could not be asked.
fn telling(told: Option<ModelError>, error: ModelError) -> ModelError {
    let is_too_long = matches!(error, ModelError::ContextTooLong { .. });
    match told {
        Some(first) if !(is_too_long && matches!(switch(&first), Switch::For(_))) => first,
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use shared::Money;
    use tokio::time::advance;

    use super::*;
    use crate::model::{
        Message,
        testing::{Answers, label, text},
    };

    type Coming = Vec<Result<Answer, ModelError>>;

    fn broken() -> ModelError {
        ModelError::Broken { why: "cut".into() }
    }

    fn too_long() -> ModelError {
        ModelError::ContextTooLong { said: "9".into() }
    }

    fn model(window: u64, answers: Coming) -> Arc<Answers> {
        let mut answers = Answers::new(answers);
        answers.window = window;
        Arc::new(answers)
    }

    /// What came, or went wrong; with `by ` before it if another one answered; and each switch.
    async fn ask(fallback: &Fallback) -> String {
        let told = Mutex::new(String::new());
        let on_delta = |delta: Delta<'_>| {
            if let Delta::Switched { from, to, why } = delta {
                write!(told.lock().unwrap(), "[{from} -> {to}: {why}] ").unwrap();
            }
        };
        let messages = [Message::user("hello")];
        let request = Request { label: &label(1), messages: &messages, tools: &[], max_tokens: 9 };
        let answer = fallback.ask(&request, &on_delta, &CancellationToken::new()).await;
        let said = answer.map_or_else(
            |error| format!("error: {error}"),
            |answer| format!("{}{}", if answer.by.is_some() { "by another: " } else { "" }, answer.turn.text),
        );
        told.into_inner().unwrap() + &said
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_stands_in_for_a_while_and_then_the_first_is_tried_again() {
        let first = model(9, vec![Err(broken()), Ok(text("first"))]);
        let other = model(9, vec![Ok(text("other")), Ok(text("other again"))]);
        let fallback = Fallback::new(first.clone(), vec![other]);
        assert_eq!(ask(&fallback).await, "[test/answers -> test/answers: the model's answer broke off: cut] by another: other");
        advance(PASSING.mul_f64(0.9)).await;
        assert_eq!(ask(&fallback).await, "by another: other again");
        assert_eq!(first.asked(), 1);
        advance(PASSING.mul_f64(0.2)).await;
        assert_eq!(ask(&fallback).await, "first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_conversation_that_is_too_long_goes_to_a_larger_one_alone() {
        let fallback = |windows: [u64; 2]| {
            let others = windows.map(|window| model(window, vec![Ok(text(&window.to_string()))]) as Arc<dyn Model>);
            Fallback::new(model(9, vec![Err(too_long()), Ok(text("first"))]), others.into())
        };
        let larger = fallback([9, 10]);
        assert!(ask(&larger).await.ends_with("by another: 10"));
        assert_eq!(ask(&larger).await, "first", "another conversation is not too long");
        assert_eq!(ask(&fallback([8, 9])).await, format!("error: {}", too_long()));
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_one_that_could_be_asked_was_asked_for_too_much_that_is_told_so_that_the_conversation_is_made_shorter() {
        let overloaded = || ModelError::Overloaded { status: 503, said: "busy".into(), retry_after: None };
        let fallback = |errors: [ModelError; 3]| {
            let [first, second, third] = errors.map(Err);
            Fallback::new(model(9, vec![first]), vec![model(5, vec![second]), model(7, vec![third])])
        };
        let told = async |errors| ask(&fallback(errors)).await.rsplit("error: ").next().unwrap_or_default().to_owned();
        let (long, busy) = (too_long().to_string(), overloaded().to_string());
        assert_eq!(told([overloaded(), too_long(), too_long()]).await, long);
        assert_eq!(told([overloaded(), too_long(), broken()]).await, long);
        assert_eq!(told([overloaded(), broken(), too_long()]).await, long);
        assert_eq!(told([overloaded(), broken(), broken()]).await, busy);
        assert_eq!(told([overloaded(), too_long(), ModelError::Cancelled]).await, ModelError::Cancelled.to_string());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_with_the_request_or_cancelled_goes_to_nobody_else() {
        for error in [ModelError::BadRequest { status: 400, said: "no".into() }, ModelError::Cancelled] {
            let other = model(9, vec![Ok(text("other"))]);
            let fallback = Fallback::new(model(9, vec![Err(error.clone())]), vec![other.clone()]);
            assert_eq!((ask(&fallback).await, other.asked()), (format!("error: {error}"), 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_first_ones_error_is_told_and_all_are_asked_again() {
        let refused = ModelError::Unauthorized { status: 401, said: "no".into() };
        let first = model(9, vec![Err(refused.clone()), Ok(text("mended"))]);
        let fallback = Fallback::new(first, vec![model(9, vec![Err(broken())])]);
        assert!(ask(&fallback).await.ends_with(&format!("error: {refused}")));
        assert_eq!(ask(&fallback).await, "mended", "nobody is left, so the first is asked though it was left alone");
    }

    #[test]
    fn a_reservation_is_made_at_the_dearest_price() {
        let money = |nano_usd| Money { nano_usd };
        let price = |hit, miss, write, output| Price { hit: money(hit), miss: money(miss), write, output: money(output) };
        let of = |prices: [Option<Price>; 2]| {
            let [one, other] = prices.map(|price| {
                let mut model = Answers::new([]);
                model.price = price;
                Arc::new(model) as Arc<dyn Model>
            });
            Fallback::new(one, vec![other]).price()
        };
        let (one, other) = (price(1, 20, None, 3), price(2, 10, Some(money(15)), 4));
        assert_eq!(of([Some(one), Some(other)]), Some(price(2, 20, Some(money(20)), 4)));
        assert_eq!(of([Some(one), None]), None);
    }
}
