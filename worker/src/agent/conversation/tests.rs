//! What a conversation has taken, and how much of what it will take is a guess.

use std::path::PathBuf;

use expect_test::expect;

use super::*;
use crate::{agent::testing::answer, model::testing::label, transcript::SummaryNote};

fn usd(usd: f64) -> Option<Money> {
    Money::from_usd(usd)
}

fn tokens(miss: u64) -> Tokens {
    Tokens { miss, ..Tokens::default() }
}

fn paid(miss: u64, cost: Option<Money>) -> Paid {
    Paid { tokens: tokens(miss), cost }
}

fn begun() -> (Conversation, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let opening = vec![Message::system("s".repeat(100)), Message::user("u".repeat(200))];
    let mut talk = Conversation::new(opening, Transcript::create(&path).unwrap(), Arc::default());
    talk.write(&crate::model::testing::Answers::new([]), &label(1), &[]).unwrap();
    (talk, path, folder)
}

fn sent(paid: Paid) -> Sent<'static> {
    Sent { tools: &[], max_tokens: 9, paid }
}

#[test]
fn a_cost_that_nobody_knows_takes_nothing_from_what_is_known() {
    let (mut talk, ..) = begun();
    assert_eq!(talk.totals().cost, None);
    for (cost, expected) in [(None, None), (usd(0.2), usd(0.2)), (None, usd(0.2)), (usd(0.3), usd(0.5))] {
        talk.spent(paid(10, cost));
        assert_eq!(talk.totals().cost, expected);
    }
    assert_eq!(talk.totals().tokens, tokens(40));
}

/// Two tries of which one was lost, a request that failed, one that failed and was free, and a summary, all at another price than now.
fn spend(talk: &mut Conversation) {
    talk.answered(&answer("read a"), tokens(100), sent(paid(130, usd(0.13)))).unwrap();
    talk.lost(paid(7, usd(0.07)));
    talk.lost(Paid::default());
    let usage = tokens(50);
    let (model, messages) = ("p/s".to_owned(), Vec::new());
    let (finish, error) = (None, Some("no".to_owned()));
    let asked = SummaryNote { model, begun: 0, messages, answer: None, finish, error, usage, paid: Some(paid(50, usd(0.5))) };
    talk.spent(paid(50, usd(0.5)));
    talk.compact(2, Compacted { replaced: Vec::new(), asked: Some(asked) }).unwrap();
    talk.answered(&answer("read b"), tokens(200), sent(paid(200, None))).unwrap();
}

#[test]
fn who_resumes_begins_with_what_was_paid_whatever_the_price_is_now() {
    let (mut talk, path, _folder) = begun();
    spend(&mut talk);
    let totals = Totals { turns: 2, tokens: tokens(387), cost: usd(0.7) };
    assert_eq!(talk.totals(), totals);
    let one = Money::from_usd(1e6).unwrap();
    let dear = Price { hit: one, miss: one, write: None, output: one };
    for price in [None, Some(dear)] {
        let resumed = Conversation::resume(&path, price, Arc::default()).unwrap();
        assert_eq!(resumed.totals(), totals);
    }
    let written = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = written.lines().filter(|line| line.contains("\"paid\"") || line.contains("\"lost\"")).collect();
    expect![[r#"
        {"version":1,"turn":1,"answer":{"max_tokens":9,"finish":"stop","usage":{"hit":0,"miss":100,"output":0},"estimated":true,"paid":{"tokens":{"hit":0,"miss":130,"output":0},"cost":0.13}}}
        {"version":1,"turn":2,"lost":{"tokens":{"hit":0,"miss":7,"output":0},"cost":0.07}}
        {"version":1,"turn":2,"compacted":{"replaced":[],"asked":{"model":"p/s","begun":0,"messages":[],"error":"no","usage":{"hit":0,"miss":50,"output":0},"paid":{"tokens":{"hit":0,"miss":50,"output":0},"cost":0.5}}}}
        {"version":1,"turn":2,"answer":{"max_tokens":9,"finish":"stop","usage":{"hit":0,"miss":200,"output":0},"estimated":true,"paid":{"tokens":{"hit":0,"miss":200,"output":0}}}}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn an_old_transcript_is_priced_as_it_always_was() {
    let (mut talk, path, _folder) = begun();
    talk.answered(&answer("read a"), tokens(100), sent(paid(130, usd(0.13)))).unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    let (before, _) = written.split_once(",\"paid\":").unwrap();
    std::fs::write(&path, format!("{before}}}}}\n")).unwrap();
    let one = Money::from_usd(1.0).unwrap();
    let price = Price { hit: one, miss: one, write: None, output: one };
    let resumed = Conversation::resume(&path, Some(price), Arc::default()).unwrap();
    assert_eq!(resumed.totals(), Totals { turns: 1, tokens: tokens(100), cost: usd(0.0001) });
}

#[test]
fn what_stands_behind_no_count_is_guessed_and_what_was_weighed_by_the_provider_is_not() {
    let (mut talk, path, _folder) = begun();
    let check = |talk: &Conversation, expected: u64| {
        assert_eq!(talk.guessed(&[]), expected, "of {:?}", talk.prompt(&[]));
    };
    let all = |talk: &Conversation| talk.prompt(&[]).prompt();
    check(&talk, all(&talk));
    let used = Tokens { output: 5, ..talk.prompt(&[]) };
    talk.answered(&answer("read a"), used, sent(Paid::default())).unwrap();
    talk.say("Nobody has counted this.");
    check(&talk, all(&talk));
    // It has counted something else than these bytes: what comes after is a guess again.
    let counted = Answer { usage: Some(tokens(100_000)), ..answer("read b") };
    talk.answered(&counted, tokens(100_000), sent(Paid::default())).unwrap();
    check(&talk, 0);
    talk.say("More.");
    check(&talk, all(&talk) - 100_000);
    let weighed = Answer { usage: Some(tokens(130)), ..answer("read c") };
    talk.answered(&weighed, tokens(130), sent(Paid::default())).unwrap();
    talk.say("More of it.");
    check(&talk, 0);
    let resumed = Conversation::resume(&path, None, Arc::default()).unwrap();
    check(&resumed, all(&resumed));
}
