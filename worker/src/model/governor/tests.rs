//! Requests at an endpoint that bears only so many. The clock is tokio's, paused.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;

use super::*;
use crate::model::{
    Message,
    testing::{label, text},
};

/// Bears so many requests at once, and refuses the others after 10 ms; an answer takes 100 ms.
struct Endpoint {
    bears: u32,
    pause: Option<Duration>,
    under_way: AtomicU32,
    refused: AtomicU32,
    most: AtomicU32,
}

impl Endpoint {
    fn new(bears: u32, pause: Option<Duration>) -> Arc<Self> {
        let (under_way, refused, most) = Default::default();
        Arc::new(Self { bears, pause, under_way, refused, most })
    }
}

impl Model for Endpoint {
    fn ask<'a>(
        &'a self,
        _: &'a Request<'a>,
        _: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let is_refused = now > self.bears;
            let time = Duration::from_millis(if is_refused { 10 } else { 100 });
            let in_time = cancel.run_until_cancelled(sleep(time)).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            in_time.ok_or(ModelError::Cancelled)?;
            if is_refused {
                self.refused.fetch_add(1, Ordering::SeqCst);
                return Err(ModelError::RateLimited { said: String::new(), retry_after: self.pause });
            }
            Ok(text("here"))
        })
    }

    fn context_window(&self) -> u64 {
        1_000
    }

    fn max_output(&self) -> u64 {
        1_000
    }

    fn price(&self) -> Option<Price> {
        None
    }

    fn id(&self) -> &'static str {
        "test/endpoint"
    }
}

/// Asks once, and again until there is an answer; `turn` says who asks.
async fn insist(model: &Governed, turn: u32) {
    let messages = [Message::user("hello")];
    let request = Request { label: &label(turn), messages: &messages, tools: &[], max_tokens: 9 };
    while model.ask(&request, &|_| {}, &CancellationToken::new()).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_refusal_everybody_goes_at_once() {
    let endpoint = Endpoint::new(32, None);
    let model = Governed::new(endpoint.clone(), Arc::default());
    let start = Instant::now();
    join_all((0..32).map(|turn| insist(&model, turn))).await;
    assert_eq!(endpoint.most.load(Ordering::SeqCst), 32);
    assert!(start.elapsed() < Duration::from_millis(110), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_bears_four_is_soon_asked_by_about_four() {
    let endpoint = Endpoint::new(4, None);
    let model = Governed::new(endpoint.clone(), Arc::default());
    join_all((0..32).map(|turn| insist(&model, turn))).await;
    let first = endpoint.refused.swap(0, Ordering::SeqCst);
    endpoint.most.store(0, Ordering::SeqCst);
    join_all((0..200).map(|turn| insist(&model, turn))).await;
    let (refused, most) = (endpoint.refused.load(Ordering::SeqCst), endpoint.most.load(Ordering::SeqCst));
    assert!(first >= 28 && refused <= 40 && most <= 6, "first {first}, then {refused} of 200 refused, at most {most} at once");
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_all_and_then_they_go_in_their_order() {
    let endpoint = Endpoint::new(1, Some(Duration::from_secs(30)));
    let model = Governed::new(endpoint.clone(), Arc::default());
    let start = Instant::now();
    join_all([insist(&model, 0), insist(&model, 1)]).await;
    assert!(start.elapsed() > Duration::from_secs(30), "one was refused: {:?}", start.elapsed());
    assert_eq!(endpoint.refused.load(Ordering::SeqCst), 1);

    let governor = Governor::default();
    governor.door().flow = Flow { limit: Some(1.0), paused: Some(Instant::now() + Duration::from_secs(7)), ..Flow::default() };
    let order = Mutex::new(Vec::new());
    let enter = async |place: u32| {
        let _ticket = governor.enter(&|_| {}).await;
        sleep(Duration::from_millis(1)).await;
        order.lock().unwrap().push(place);
    };
    join_all((0..6).map(enter)).await;
    assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_begins_while_others_wait_for_a_place_ends_for_them_too() {
    let governor = Governor::default();
    governor.door().flow.limit = Some(1.0);
    let mut first = governor.enter(&|_| {}).await;
    let second = async {
        let _ = governor.enter(&|_| {}).await;
    };
    let refuse = async {
        sleep(Duration::from_millis(1)).await;
        first.fate = Fate::Refused { pause: Some(Duration::from_secs(7)) };
        drop(first);
    };
    let start = Instant::now();
    tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(second, refuse) }).await.expect("nobody waits for ever");
    assert!(start.elapsed() >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_gives_the_turn_to_the_next() {
    let governor = Governor::default();
    governor.door().flow.limit = Some(1.0);
    let first = governor.enter(&|_| {}).await;
    let cancel = CancellationToken::new();
    let gives_up = async { drop(cancel.run_until_cancelled(governor.enter(&|_| {})).await) };
    let stays = async { drop(governor.enter(&|_| {}).await) };
    let end = async {
        sleep(Duration::from_millis(1)).await;
        // Both at once: the turn comes to one who leaves.
        cancel.cancel();
        drop(first);
    };
    let all = async { tokio::join!(gives_up, stays, end) };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("nobody waits for ever");
    assert_eq!(governor.door().flow.under_way, 0);
}

#[test]
fn a_limit_falls_once_a_round_never_below_one_and_grows_by_one_a_round() {
    let now = Instant::now();
    let mut flow = Flow::default();
    let refused = Fate::Refused { pause: None };
    let go = |flow: &mut Flow, fates: &[Fate]| {
        let rounds: Vec<_> = fates.iter().map(|_| flow.admit(now)).collect();
        for (round, fate) in rounds.iter().zip(fates) {
            flow.over(round.expect("there is room"), *fate, now);
        }
        flow.limit
    };
    assert_eq!(go(&mut flow, &[Fate::Answered; 32]), None, "nothing was refused");
    assert_eq!(go(&mut flow, &[refused; 32]), Some(16.0), "32 refusals of one round");
    for _ in 0..9 {
        go(&mut flow, &[refused]);
    }
    assert_eq!(flow.limit, Some(1.0));
    let grown = go(&mut flow, &[Fate::Answered]);
    assert_eq!(grown, Some(2.0));
    assert_eq!(go(&mut flow, &[Fate::Answered]), Some(2.0), "a limit that does not bind does not grow");
}

#[test]
fn a_pause_that_is_too_long_is_nobodys() {
    let now = Instant::now();
    let mut flow = Flow::default();
    flow.over(0, Fate::Refused { pause: Some(LONGEST_PAUSE * 2) }, now);
    assert_eq!(flow.paused, None);
}

#[test]
fn an_endpoint_that_says_in_its_answer_that_it_has_no_room_has_refused() {
    let body = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"insufficient_system_resource\"}]}\n\n";
    let answer = crate::model::testing::read(&crate::model::Dialect::OpenAiChat, [body.as_bytes()]).answer;
    assert_eq!(fate(&answer), Fate::Refused { pause: None });
}

#[test]
fn an_endpoint_is_an_address_and_an_account() {
    let governors = Governors::default();
    let of = |url: &str, key: &str| {
        let mut settings = crate::model::testing::settings(url);
        settings.api_key = Some(Secret::new(key));
        governors.of(&settings)
    };
    assert!(Arc::ptr_eq(&of("http://a", "1"), &of("http://a", "1")));
    assert!(!Arc::ptr_eq(&of("http://a", "1"), &of("http://a", "2")));
    assert!(!Arc::ptr_eq(&of("http://a", "1"), &of("http://b", "1")));
}
