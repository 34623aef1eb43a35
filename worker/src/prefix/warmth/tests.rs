//! Who warms, how often, and what happens when it goes wrong. The clock is tokio's, paused.

use std::sync::Mutex;

use futures_util::future::{BoxFuture, join_all};

use shared::Money;

use super::*;
use crate::{
    budget::{Ask, OverBudget, Reservation},
    model::{
        OnDelta,
        testing::{label, text},
    },
};

/// A model whose answer comes after a while, or not at all.
struct Slow {
    cache: PrefixCache,
    after: Duration,
    refuses: bool,
    asked: Mutex<Vec<(u32, u64, Vec<Message>)>>,
}

fn slow(seconds: u64) -> Slow {
    Slow { cache: PrefixCache::Warmed, after: Duration::from_secs(seconds), refuses: false, asked: Mutex::default() }
}

impl Model for Slow {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        _: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push((request.label.turn, request.max_tokens, request.messages.to_vec()));
            if self.refuses && request.messages.len() == 1 {
                return Err(ModelError::BadRequest { status: 400, said: "no user".into() });
            }
            match cancel.run_until_cancelled(sleep(self.after)).await {
                Some(()) => Ok(text("")),
                None => Err(ModelError::Cancelled),
            }
        })
    }

    fn context_window(&self) -> u64 {
        100_000
    }

    fn max_output(&self) -> u64 {
        1_000
    }

    fn price(&self) -> Option<shared::Price> {
        None
    }

    fn id(&self) -> &'static str {
        "p/m"
    }

    fn prefix_cache(&self) -> PrefixCache {
        self.cache
    }
}

/// Counts what is reserved and not settled, and what was paid.
#[derive(Default)]
struct Purse {
    open: Mutex<i32>,
    paid: Mutex<Tokens>,
}

impl Budget for Purse {
    fn reserve(&self, Ask { estimate, .. }: Ask) -> BoxFuture<'_, Result<Reservation, OverBudget>> {
        *self.open.lock().unwrap() += 1;
        Box::pin(async move { Ok(Reservation { id: 1, estimate, last: false }) })
    }

    fn settle(&self, _: Reservation, settlement: Settlement) -> BoxFuture<'_, Option<Money>> {
        *self.open.lock().unwrap() -= 1;
        *self.paid.lock().unwrap() += settlement.used;
        Box::pin(async { None })
    }
}

/// So many workers come at once, the first of them with this token; after how many seconds each may ask.
async fn seconds(model: &Slow, workers: usize, first: &CancellationToken) -> (Vec<u64>, Purse) {
    let (warmth, purse, shared, never) = (Warmth::default(), Purse::default(), Message::system("s"), CancellationToken::new());
    let begun = tokio::time::Instant::now();
    let all = (0..workers).map(|place| {
        let (label, cancel) = (label(1), if place == 0 { first } else { &never });
        let (warmth, shared, purse) = (&warmth, &shared, &purse);
        async move {
            warmth.of(Cold { model, shared, tools: &[], budget: purse, label: &label, cancel }).await;
            begun.elapsed().as_secs()
        }
    });
    let waited = join_all(all).await;
    (waited, purse)
}

#[tokio::test(start_paused = true)]
async fn one_request_warms_for_all_and_all_wait_for_it() {
    let model = slow(3);
    let (waited, purse) = seconds(&model, 4, &CancellationToken::new()).await;
    assert_eq!(waited, [3; 4]);
    assert_eq!(*model.asked.lock().unwrap(), [(0, 1, vec![Message::system("s")])]);
    assert_eq!((purse.open.into_inner().unwrap(), purse.paid.into_inner().unwrap().miss), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_needs_none_gets_none() {
    for cache in [PrefixCache::None, PrefixCache::Automatic, PrefixCache::Breakpoints] {
        let model = Slow { cache, ..slow(3) };
        assert_eq!(seconds(&model, 2, &CancellationToken::new()).await.0, [0, 0]);
        assert!(model.asked.lock().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_a_user_gets_two_that_differ() {
    let model = Slow { refuses: true, ..slow(1) };
    let (waited, purse) = seconds(&model, 2, &CancellationToken::new()).await;
    assert_eq!(waited, [2, 2]);
    let asked: Vec<_> = model.asked.lock().unwrap().iter().map(|(_, _, messages)| messages.clone()).collect();
    let (orders, say) = (Message::system("s"), Message::user);
    assert_eq!(asked, [vec![orders.clone()], vec![orders.clone(), say("Wait.")], vec![orders, say("Get ready.")]]);
    assert_eq!((purse.open.into_inner().unwrap(), purse.paid.into_inner().unwrap().miss), (0, 20));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_and_what_was_reserved_is_settled() {
    let (waited, purse) = seconds(&slow(9_999), 3, &CancellationToken::new()).await;
    assert_eq!(waited, [45; 3]);
    assert_eq!(purse.open.into_inner().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_the_first_is_stopped_the_next_one_does_it() {
    let (model, first) = (slow(3), CancellationToken::new());
    first.cancel();
    let (waited, purse) = seconds(&model, 3, &first).await;
    assert_eq!(waited, [0, 3, 3]);
    assert_eq!((model.asked.lock().unwrap().len(), purse.open.into_inner().unwrap()), (2, 0));
}
