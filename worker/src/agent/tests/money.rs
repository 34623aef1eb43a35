//! What the loop does with the run's money: it waits for it, is told when it ends, and says what it took.

use shared::Repair;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_run_without_money_asks_nothing() {
    let books = Books { most: Some(10), ..Books::default() };
    let played = play(lines("finish done"), Setup { books, ..setup() }).await;
    assert_eq!((played.end, played.model.asked()), (AgentEnd::OverBudget, 0));
}

#[tokio::test(start_paused = true)]
async fn who_has_used_up_its_share_is_exhausted_and_the_run_is_not() {
    let books = Books { most: Some(10), refusal: Some(OverBudget::Share(Limit::Cost)), ..Books::default() };
    let played = play(lines("finish done"), Setup { books, ..setup() }).await;
    assert!(matches!(played.end, AgentEnd::Exhausted { limit: Limit::Cost, .. }), "{:?}", played.end);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_money_hears_that_it_is_stopped_and_that_time_is_up() {
    let wait = || Books { hangs: true, ..Books::default() };
    let played = play(lines("finish done"), Setup { books: wait(), limits: minutes(1), ..setup() }).await;
    assert!(matches!(played.end, AgentEnd::Exhausted { limit: Limit::Minutes, .. }), "{:?}", played.end);
    let stopped = Setup { books: wait(), ..setup() };
    let cancel = stopped.cancel.clone();
    let (played, ()) = tokio::join!(play(lines("finish done"), stopped), async {
        tokio::task::yield_now().await;
        cancel.cancel();
    });
    assert_eq!((played.end, played.model.asked()), (AgentEnd::Cancelled, 0));
}

fn minutes(minutes: u32) -> Limits {
    Limits { minutes: Some(minutes), ..Limits::default() }
}

#[tokio::test(start_paused = true)]
async fn when_the_runs_budget_nears_its_end_the_model_is_told_once_and_the_answer_pays_for_the_words() {
    let books = Books { last_from: Some(0), ..Books::default() };
    let played = play(lines("read a\nfinish done"), Setup { books, ..setup() }).await;
    assert!(show(&played).matches("almost used up: this may be your last answer").count() == 1, "{}", show(&played));
    let rooms: Vec<u64> = played.model.requests().iter().map(|(_, max_tokens)| *max_tokens).collect();
    assert!(rooms[0] < 4_096 && rooms[0] > 3_900, "{rooms:?}");
    assert_eq!(rooms[1], 4_096, "it was said, so it is part of the prompt");
}

#[tokio::test(start_paused = true)]
async fn a_settlement_says_what_was_mended_and_whether_anybody_counted() {
    let counted = Tokens { hit: 3, miss: 2, write: 0, output: 1 };
    let repairs = vec![Repair::TrailingCommas, Repair::LeakedCall, Repair::TrailingCommas];
    let mended = Answer { usage: Some(counted), repairs, ..answer("read a") };
    let played = play(vec![Ok(mended), Ok(answer("finish done"))], setup()).await;
    let settled = played.books.settled.lock().unwrap();
    assert_eq!((settled[0].used, settled[0].estimated), (counted, false));
    assert_eq!(settled[0].repairs, [(Repair::TrailingCommas, 2), (Repair::LeakedCall, 1)].into());
    assert!(settled[1].estimated && settled[1].repairs.is_empty() && settled[1].used.total() > 0);
}
