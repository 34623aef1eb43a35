//! What the loop does with the run's money: it waits for it, is told when it ends, and says what it took.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use shared::Repair;

use super::*;
use crate::model::OnDelta;

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
    assert_invariants(&played);
    let said = format!("{:?}", played.talk.messages());
    assert_eq!(said.matches("almost used up: this may be your last answer").count(), 1, "{said}");
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

#[tokio::test(start_paused = true)]
async fn the_last_word_joins_what_is_not_sent_yet_for_some_templates_refuse_two_messages_of_a_user() {
    let script = "\"hm\nfinish done";
    let second = play(lines(script), setup()).await.books.asked.lock().unwrap()[1].estimate.prompt();
    let books = Books { last_from: Some(second), ..Books::default() };
    let played = play(lines(script), Setup { books, ..setup() }).await;
    assert_invariants(&played);
    let (request, _) = played.model.requests().remove(1);
    let Some(Message::User { content }) = request.last() else { panic!("{request:?}") };
    assert!(content.starts_with("Your answer called no tool") && content.contains("this may be your last answer"), "{content}");
    let is_user = |message: &Message| matches!(message, Message::User { .. });
    assert!(!request.windows(2).any(|two| two.iter().all(is_user)), "{request:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_reserved_is_given_back_where_the_transcript_cannot_be_written() {
    for last_from in [None, Some(0)] {
        let books = Books { last_from, ..Books::default() };
        let played = play(lines("finish done"), Setup { books, is_full: true, ..setup() }).await;
        assert!(matches!(&played.end, AgentEnd::Unavailable { why } if why.contains("transcript")), "{:?}", played.end);
        assert_eq!((played.model.asked(), *played.books.open.lock().unwrap()), (0, 0));
        let settled = played.books.settled.lock().unwrap();
        assert_eq!((settled.len(), settled[0].purpose, settled[0].used), (1, Purpose::Lost, Tokens::default()));
    }
}

/// Answers are counted before they break off.
struct Breaking(Tokens);

impl Model for Breaking {
    fn ask<'a>(
        &'a self,
        _: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        on_delta(Delta::Counted(self.0));
        Box::pin(async { Err(ModelError::Broken { why: "cut".into() }) })
    }

    fn context_window(&self) -> u64 {
        100_000
    }

    fn max_output(&self) -> u64 {
        4_096
    }

    fn price(&self) -> Option<Price> {
        let usd = Money::from_usd(1.0).unwrap();
        Some(Price { hit: usd, miss: usd, write: None, output: usd })
    }

    fn id(&self) -> &'static str {
        "test/breaking"
    }
}

fn agent(model: Arc<dyn Model>, books: &Arc<Books>, kin: Option<Arc<Kin>>) -> Agent {
    Agent {
        model,
        toolbox: Arc::new(Playing::default()),
        budget: books.clone(),
        observer: books.clone(),
        limits: Limits::default().into(),
        hold: Hold::default(),
        label: label(0),
        max_tokens: 4_096,
        terminal: Terminal::FINISH,
        summariser: None,
        kin,
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_a_drift_holds_no_money_of_the_run() {
    let (kin, books) = (Arc::new(Kin::default()), Arc::new(Books::default()));
    assert_eq!(kin.look(&[], &[Message::system("another beginning")]), None);
    let agent = agent(Arc::new(Answers::new(lines("finish done"))), &books, Some(kin));
    let folder = tempfile::tempdir().unwrap();
    let transcript = Transcript::create(&folder.path().join("t.jsonl")).unwrap();
    let mut talk = Conversation::new(vec![Message::system("s"), Message::user("do it")], transcript, Arc::default());
    let (_sender, mut steer) = mpsc::channel(1);
    let end = AssertUnwindSafe(agent.run(&mut talk, &mut steer, &CancellationToken::new())).catch_unwind().await;
    assert_eq!(end.is_err(), cfg!(debug_assertions));
    assert_eq!((*books.open.lock().unwrap(), books.settled.lock().unwrap().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_request_took_is_known_when_the_attempt_is_resumed() {
    let (books, took) = (Arc::new(Books::default()), Tokens { miss: 700, output: 50, ..Tokens::default() });
    let agent = agent(Arc::new(Breaking(took)), &books, None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let transcript = Transcript::create(&path).unwrap();
    let mut talk = Conversation::new(vec![Message::system("s"), Message::user("do it")], transcript, Arc::default());
    let (_sender, mut steer) = mpsc::channel(1);
    let end = agent.run(&mut talk, &mut steer, &CancellationToken::new()).await;
    assert!(matches!(end, AgentEnd::Unavailable { .. }), "{end:?}");
    assert_eq!((talk.totals().tokens, talk.totals().cost), (took, Money::from_usd(0.000_75)));
    let resumed = Conversation::resume(&path, None, Arc::default()).unwrap();
    assert_eq!((resumed.totals(), resumed.messages()), (talk.totals(), talk.messages()));
}

#[tokio::test(start_paused = true)]
async fn the_ledger_hears_that_all_of_a_prompt_is_guessed_while_no_provider_counts() {
    let played = play(lines("read a\nfinish done"), setup()).await;
    let asked = played.books.asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    for Ask { estimate, guessed, .. } in asked.iter() {
        assert_eq!((estimate.prompt(), estimate.prompt() > 0), (*guessed, true));
    }
}
