//! The books in small cases and in many random ones, and the actor around them.

use plans::spending::Turn;
use shared::{Attempt, Limit, Limits, Price, TaskId, Tokens};

use super::*;

mod actor;
mod played;

fn key(task: &str, attempt: u32) -> AttemptKey {
    AttemptKey { task: TaskId::new(task).unwrap(), attempt: Attempt(attempt) }
}

fn account(task: &str) -> Account {
    Account::Task(TaskId::new(task).unwrap())
}

fn usd(usd: f64) -> Money {
    Money::from_usd(usd).unwrap()
}

fn limits(tokens: Option<u64>, cost: Option<f64>) -> Limits {
    Limits { tokens, cost: cost.map(usd), ..Limits::default() }
}

fn price() -> Price {
    Price { hit: usd(0.0), miss: usd(1.0), write: None, output: usd(10.0) }
}

fn need(task: &str, miss: u64, output: u64) -> Need {
    let estimate = Tokens { hit: 0, miss, write: 0, output };
    Need { attempt: Some(key(task, 1)), estimate, price: Some(price()) }
}

/// The first request of another attempt.
fn anew(task: &str, miss: u64) -> Need {
    Need { attempt: Some(key(task, 2)), ..need(task, miss, 8_000) }
}

/// Weights for tokens and money alike; all of them are at work.
fn share_out(books: &mut Books, weights: &[(&str, u64)]) {
    let share = |(task, weight): &(&str, u64)| Share { account: account(task), tokens: *weight, money: *weight, at_work: true };
    books.share_out(&weights.iter().map(share).collect::<Vec<_>>());
}

fn decide(books: &Books, need: &Need) -> Decision {
    books.answerable(std::iter::once(need)).map_or(Decision::Wait, |(_, decision)| decision)
}

fn outcome(books: &Books, need: &Need) -> String {
    match decide(books, need) {
        Decision::Grant { output, last, kept } => {
            format!("{output}{}{}", if last { " last" } else { "" }, if kept { " kept" } else { "" })
        }
        Decision::Wait => "wait".to_owned(),
        Decision::Refuse(why) => format!("{why:?}"),
    }
}

/// One turn: asked, granted, taken.
fn turn(books: &mut Books, need: &Need, used: Tokens) {
    let Decision::Grant { output, kept, .. } = decide(books, need) else { panic!("{need:?} is not granted") };
    let reservation = books.grant(need, output, kept);
    books.settle(reservation.id, used, need.price.map(|price| price.of(used)));
}

fn used(miss: u64, output: u64) -> Tokens {
    Tokens { hit: 0, miss, write: 0, output }
}

#[test]
fn what_is_free_is_granted_and_no_more() {
    let of = |tokens, cost, miss, output| outcome(&Books::new(limits(tokens, cost)), &need("a", miss, output));
    assert_eq!(of(None, None, 1_000, 16_000), "16000");
    assert_eq!(of(Some(10_000), None, 1_000, 16_000), "8800", "a fiftieth is kept");
    assert_eq!(of(Some(10_000), None, 6_000, 16_000), "3800 last", "another such prompt would not fit");
    assert_eq!(of(Some(1_500), None, 1_000, 16_000), "Run");
    assert_eq!(of(Some(1_500), None, 1_000, 400), "400 last");
    assert_eq!(of(None, Some(0.021), 1_000, 16_000), "1958 last");
    assert_eq!(of(None, Some(0.001), 1_000, 16_000), "Run");
}

#[test]
fn money_is_reserved_for_a_cache_that_may_have_expired() {
    let price = Price { hit: usd(0.02), miss: usd(1.0), write: Some(usd(1.25)), output: usd(10.0) };
    let estimate = Tokens { hit: 40_000, miss: 0, write: 0, output: 2_000 };
    let known = |task| Need { attempt: Some(key(task, 1)), estimate, price: Some(price) };
    let mut books = Books::new(limits(None, Some(0.1)));
    let first = books.grant(&known("a"), 2_000, false);
    assert_eq!(books.used().1, usd(0.07).nano_usd, "40 000 at the price of writing, and the answer");
    assert_eq!(outcome(&books, &known("b")), "wait", "both may meet a cold cache");
    let cold = Tokens { hit: 0, miss: 0, write: 40_000, output: 2_000 };
    books.settle(first.id, cold, Some(price.of(cold)));
    assert_eq!(books.used().1, usd(0.07).nano_usd, "what was reserved is enough for the worst");
}

#[test]
fn a_small_limit_lasts_for_many_turns_of_a_warm_cache_without_a_last_word() {
    let price = Price { hit: usd(0.02), miss: usd(1.0), write: None, output: usd(10.0) };
    let need = Need {
        attempt: Some(key("a", 1)),
        estimate: Tokens { hit: 20_000, miss: 500, write: 0, output: 2_000 },
        price: Some(price),
    };
    let mut books = Books::new(limits(None, Some(0.1)));
    let warm = Tokens { output: 200, ..need.estimate };
    let turns = (0..100).take_while(|_| {
        let goes_on = matches!(decide(&books, &need), Decision::Grant { last: false, .. });
        if goes_on {
            turn(&mut books, &need, warm);
        }
        goes_on
    });
    // A quarter is kept for a last word without a cache, and the next request has to fit without one.
    assert_eq!(turns.count(), 11);
}

#[test]
fn who_would_get_too_little_waits_while_others_may_give_something_back() {
    let mut books = Books::new(limits(Some(20_000), None));
    let first = books.grant(&need("a", 1_000, 16_000), 16_000, false);
    assert_eq!(outcome(&books, &need("b", 1_000, 16_000)), "wait");
    books.settle(first.id, used(1_000, 500), None);
    assert_eq!(outcome(&books, &need("b", 1_000, 16_000)), "15476", "what a may need for a last word is kept");
    assert_eq!(books.used().0, 1_500);
}

#[test]
fn a_reservation_is_settled_once() {
    let mut books = Books::new(limits(None, None));
    let reservation = books.grant(&need("a", 1, 1), 1, false);
    for _ in 0..2 {
        books.settle(reservation.id, used(0, 7), None);
    }
    assert_eq!(books.used().0, 7);
}

#[test]
fn one_task_cannot_take_what_is_promised_to_another_that_has_not_begun() {
    let mut books = Books::new(limits(Some(100_000), None));
    let shares = |a_at_work, b_weight| {
        let share = |task, tokens, at_work| Share { account: account(task), tokens, money: tokens, at_work };
        [share("a", 1, a_at_work), share("b", b_weight, false)]
    };
    books.share_out(&shares(true, 1));
    turn(&mut books, &need("a", 40_000, 8_000), used(40_000, 5_000));
    assert_eq!(outcome(&books, &need("a", 3_000, 8_000)), "4096 last kept");
    assert_eq!(outcome(&books, &anew("a", 3_000)), "Share(Tokens)", "b has nothing yet, and there are 53 000 left");
    assert_eq!(outcome(&books, &need("b", 20_000, 8_000)), "8000", "a quarter is kept for the last word of a");
    books.share_out(&shares(true, 0));
    assert_eq!(outcome(&books, &need("a", 3_000, 8_000)), "8000", "b is done");
}

#[test]
fn who_has_used_up_its_share_waits_for_those_who_are_at_work_and_has_a_last_word_when_they_wait_too() {
    let mut books = Books::new(limits(Some(100_000), None));
    share_out(&mut books, &[("a", 1), ("b", 1)]);
    turn(&mut books, &need("a", 30_000, 8_000), used(30_000, 1_000));
    turn(&mut books, &need("b", 30_000, 8_000), used(30_000, 1_000));
    let (a, b) = (need("a", 31_000, 8_000), need("b", 31_000, 8_000));
    assert_eq!(outcome(&books, &a), "wait", "b may be done soon");
    let both = [a.clone(), b.clone()];
    let (at, decision) = books.answerable(both.iter()).unwrap();
    assert_eq!(
        (at, matches!(decision, Decision::Refuse(OverBudget::Run))),
        (0, true),
        "two last words do not fit into a quarter"
    );
    let mut books = Books::new(limits(Some(300_000), None));
    share_out(&mut books, &[("a", 1), ("b", 1)]);
    for task in ["a", "b"] {
        (0..4).for_each(|_| turn(&mut books, &need(task, 25_000, 4_096), used(25_000, 1_000)));
    }
    let both = [need("a", 25_000, 8_000), need("b", 25_000, 8_000)];
    let (_, decision) = books.answerable(both.iter()).unwrap();
    assert!(matches!(decision, Decision::Grant { last: true, .. }), "{decision:?}");
}

#[test]
fn last_words_are_few_and_only_for_who_has_begun() {
    let mut books = Books::new(limits(Some(60_000), None));
    turn(&mut books, &need("a", 10_000, 8_000), used(40_000, 1_000));
    let again = need("a", 9_000, 8_000);
    for expected in ["4096 last kept", "4096 last kept", "Run"] {
        assert_eq!(outcome(&books, &again), expected);
        if let Decision::Grant { output, kept, .. } = decide(&books, &again) {
            let reservation = books.grant(&again, output, kept);
            books.settle(reservation.id, used(10, 10), None);
        }
    }
    assert_eq!(outcome(&books, &need("new", 9_000, 8_000)), "Run");
}

#[test]
fn a_price_that_nobody_knows_counts_what_was_reserved() {
    let mut books = Books::new(limits(None, Some(1.0)));
    let reservation = books.grant(&need("a", 1_000, 1_000), 1_000, false);
    books.settle(reservation.id, used(500, 500), None);
    assert_eq!(books.used().1, price().of(used(1_000, 1_000)).nano_usd);
}

#[test]
fn the_narrower_limit_is_the_one_that_is_named() {
    let mut books = Books::new(limits(Some(1_000_000), Some(0.4)));
    let share = |task, at_work| Share { account: account(task), tokens: 1, money: 1, at_work };
    books.share_out(&[share("a", true), share("b", false)]);
    turn(&mut books, &need("a", 150_000, 2_000), used(150_000, 2_000));
    assert_eq!(outcome(&books, &anew("a", 30_000)), format!("Share({:?})", Limit::Cost));
}

#[test]
fn what_was_spent_before_a_resume_counts_for_its_task() {
    let mut books = Books::new(limits(Some(100_000), None));
    books.carry(&account("a"), 45_000, Money::default());
    share_out(&mut books, &[("a", 1), ("b", 1)]);
    assert_eq!((books.promised(&account("a")).0, books.promised(&account("b")).0), (4_000, 49_000));
}
