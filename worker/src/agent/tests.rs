//! The loop with a model that plays answers and a toolbox that plays tools. The clock is tokio's, paused.

mod conversation;
mod money;

use std::{fmt::Write as _, sync::Mutex, time::Duration};

use expect_test::{Expect, expect};
use futures_util::future::BoxFuture;
use shared::{Money, Price};
use tokio::time::sleep;

use super::{
    testing::{Playing, answer},
    *,
};
use crate::{
    budget::{Ask, OverBudget, Reservation, Settlement, Unlimited},
    model::{
        AssistantTurn,
        repair::Mending,
        testing::{Answers, label, text},
    },
    transcript::{self, Transcript},
};

/// Watches, and counts reservations against settlements.
#[derive(Default)]
struct Books {
    seen: Mutex<Vec<Progress>>,
    open: Mutex<i32>,
    most: Option<u64>,
    /// How it is refused.
    refusal: Option<OverBudget>,
    /// From which prompt on a reservation may be the last.
    last_from: Option<u64>,
    /// Whether nobody ever answers.
    hangs: bool,
    asked: Mutex<Vec<Ask>>,
    settled: Mutex<Vec<Settlement>>,
}

impl Observer for Books {
    fn saw(&self, progress: Progress) {
        self.seen.lock().unwrap().push(progress);
    }
}

impl Budget for Books {
    fn reserve(&self, ask: Ask) -> BoxFuture<'_, Result<Reservation, OverBudget>> {
        self.asked.lock().unwrap().push(ask.clone());
        let estimate = ask.estimate;
        let reserved = {
            let mut open = self.open.lock().unwrap();
            *open += 1;
            *open
        };
        let (last, hangs) = (self.last_from.is_some_and(|from| estimate.prompt() >= from), self.hangs);
        let enough = self.most.is_none_or(|most| estimate.total() <= most);
        let refused = self.refusal.unwrap_or(OverBudget::Run);
        Box::pin(async move {
            if hangs {
                return std::future::pending().await;
            }
            if enough { Ok(Reservation { id: u64::try_from(reserved).unwrap(), estimate, last }) } else { Err(refused) }
        })
    }

    fn settle(&self, _: Reservation, settlement: Settlement) -> BoxFuture<'_, Option<Money>> {
        *self.open.lock().unwrap() -= 1;
        self.settled.lock().unwrap().push(settlement);
        Box::pin(async { None })
    }
}

struct Played {
    end: AgentEnd,
    talk: Conversation,
    model: Arc<Answers>,
    toolbox: Arc<Playing>,
    books: Arc<Books>,
    folder: tempfile::TempDir,
}

struct Setup {
    limits: Limits,
    books: Books,
    steer: Vec<&'static str>,
    hold: Hold,
    price: Option<Price>,
    cancel: CancellationToken,
    /// Whether the disk is full.
    is_full: bool,
}

fn setup() -> Setup {
    let (books, cancel) = (Books::default(), CancellationToken::new());
    Setup { limits: Limits::default(), books, steer: vec![], hold: Hold::default(), price: None, cancel, is_full: false }
}

async fn play(answers: Vec<Result<Answer, ModelError>>, setup: Setup) -> Played {
    let mut answers = Answers::new(answers);
    answers.price = setup.price;
    let (model, toolbox, books) = (Arc::new(answers), Arc::new(Playing::default()), Arc::new(setup.books));
    let agent = Agent {
        model: Arc::new(Mending(model.clone())),
        toolbox: toolbox.clone(),
        budget: books.clone(),
        observer: books.clone(),
        limits: setup.limits.into(),
        hold: setup.hold,
        label: label(0),
        max_tokens: 4_096,
        terminal: Terminal::FINISH,
        summariser: None,
        kin: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let transcript = if setup.is_full { Transcript::unwritable(&path) } else { Transcript::create(&path).unwrap() };
    let mut talk = Conversation::new(vec![Message::system("s"), Message::user("do it")], transcript, Arc::default());
    let (sender, mut steer) = mpsc::channel(8);
    for text in setup.steer {
        sender.send(text.to_owned()).await.unwrap();
    }
    let end = agent.run(&mut talk, &mut steer, &setup.cancel).await;
    Played { end, talk, model, toolbox, books, folder }
}

/// Each line is one answer.
fn lines(script: &str) -> Vec<Result<Answer, ModelError>> {
    script.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| Ok(answer(line))).collect()
}

fn show(played: &Played) -> String {
    let mut shown = String::new();
    for message in &played.talk.messages()[2..] {
        match message {
            Message::Assistant(turn) => {
                let calls: Vec<_> = turn.calls.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect();
                writeln!(shown, "> {}{}", turn.text, calls.join(" + ")).unwrap();
            }
            Message::Tool { call_id, content, .. } => writeln!(shown, "  {call_id}: {content}").unwrap(),
            Message::User { content } | Message::System { content } => writeln!(shown, "! {content}").unwrap(),
        }
    }
    writeln!(shown, "{:?}", played.end).unwrap();
    shown
}

/// Whatever happens: each call has one result, the books are even, and the transcript holds what the model saw.
fn assert_invariants(played: &Played) {
    let mut open: Vec<&str> = Vec::new();
    for message in played.talk.messages() {
        match message {
            Message::Tool { call_id, .. } => assert_eq!(open.remove(0), call_id),
            _ => assert!(open.is_empty(), "calls {open:?} have no result before {message:?}"),
        }
        if let Message::Assistant(turn) = message {
            open = turn.calls.iter().map(|call| call.id.as_str()).collect();
        }
    }
    assert!(open.is_empty(), "calls {open:?} have no result");
    assert_eq!(*played.books.open.lock().unwrap(), 0, "reservations left open");
    assert_eq!(transcript::read(&played.folder.path().join("t.jsonl")).unwrap(), played.talk.messages());
    for (request, _) in played.model.requests() {
        assert!(played.talk.messages().starts_with(&request), "the conversation was not only appended to");
    }
}

async fn check(script: &str, expected: Expect) {
    check_with(script, setup(), expected).await;
}

async fn check_with(script: &str, setup: Setup, expected: Expect) {
    let played = play(lines(script), setup).await;
    assert_invariants(&played);
    expected.assert_eq(&show(&played));
}

#[tokio::test(start_paused = true)]
async fn an_agent_asks_acts_and_observes_until_it_finishes() {
    check(
        "read a\n edit a\n finish done",
        expect![[r#"
        > read {"path":"a"}
          c1: read a: fine
        > edit {"path":"a"}
          c1: edit a: fine
        > finish {"path":"done"}
          c1: Accepted.
        Ended(Object {"status": String("done"), "summary": String("s")})
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn reads_side_by_side_run_at_once_and_the_rest_in_turn() {
    let played = play(lines("read a + read b + edit c + edit d + read e\n finish done"), setup()).await;
    assert_invariants(&played);
    expect![
        "+read a, +read b, -read a, -read b, +edit c, -edit c, +edit d, -edit d, +read e, -read e, +finish done, -finish done"
    ]
    .assert_eq(&played.toolbox.log.lock().unwrap().join(", "));
}

#[tokio::test(start_paused = true)]
async fn calls_that_cannot_be_understood_are_answered_with_what_to_do() {
    check(
        r#"
        fly a
        read {"path":
        read ["a"]
        edit "{\"path\": \"in a string\"}"
        edit
        finish done"#,
        expect![[r#"
            > fly {"path":"a"}
              c1: There is no tool `fly`. The tools are: read, edit, finish, hang, deaf, gate, panic, long, mute.
            > read {"path":
              c1: Not carried out: the arguments of `read` are not a JSON object (EOF while parsing a value at line 1 column 8). Call it again with one that fits its schema.
            > read ["a"]
              c1: Not carried out: the arguments of `read` are not a JSON object (they are another kind of JSON). Call it again with one that fits its schema.
            > edit {"path": "in a string"}
              c1: edit in a string: fine
            > edit 
              c1: edit : fine
            > finish {"path":"done"}
              c1: Accepted.
            Ended(Object {"status": String("done"), "summary": String("s")})
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_cut_is_not_carried_out_and_a_whole_one_beside_it_is() {
    check("cut read a + edit {\"path\": \"b\n cut edit\n finish done", expect![[r#"
        > read {"path":"a"} + edit {"path": "b
          c1: read a: fine
          c2: Not carried out: your answer was cut in the middle of this call of `edit`, because it was too long. Do it in smaller pieces.
        > edit 
          c1: Not carried out: your answer was cut in the middle of this call of `edit`, because it was too long. Do it in smaller pieces.
        > finish {"path":"done"}
          c1: Accepted.
        Ended(Object {"status": String("done"), "summary": String("s")})
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn of_an_answer_that_ended_without_a_reason_only_a_whole_call_is_carried_out() {
    check("unsaid read a + edit {\"path\": \"b\n unsaid edit\n finish done", expect![[r#"
        > read {"path":"a"} + edit {"path": "b
          c1: read a: fine
          c2: Not carried out: the arguments of `edit` are not a JSON object (EOF while parsing a string at line 1 column 11). Call it again with one that fits its schema.
        > edit 
          c1: Not carried out: the arguments of `edit` are not a JSON object (EOF while parsing a value at line 1 column 0). Call it again with one that fits its schema.
        > finish {"path":"done"}
          c1: Accepted.
        Ended(Object {"status": String("done"), "summary": String("s")})
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_end_is_answered_but_not_done() {
    check(
        "finish done + edit a",
        expect![[r#"
        > finish {"path":"done"} + edit {"path":"a"}
          c1: Accepted.
          c2: Not carried out: the conversation had ended.
        Ended(Object {"status": String("done"), "summary": String("s")})
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn silence_is_reminded_and_then_ends_the_attempt() {
    check("\"hm\n \"<tool_call>read</tool_call>\n cut \"too lon\n \"hm", expect![[r#"
        > hm
        ! Your answer called no tool, so nothing happened. Go on with a tool call. When there is nothing left to do, or it cannot be done, call `finish`.
        > <tool_call>read</tool_call>
        ! You wrote a tool call as text. It was not carried out: call the tool itself. Go on with a tool call. When there is nothing left to do, or it cannot be done, call `finish`.
        > too lon
        ! Your answer was cut because it was too long, and it called no tool, so nothing happened. Be shorter. Go on with a tool call. When there is nothing left to do, or it cannot be done, call `finish`.
        > hm
        Exhausted { limit: Silence, last: "hm" }
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_failing_call_is_stopped() {
    check("read missing\n read missing + read missing\n read missing\n read missing", expect![[r#"
        > read {"path":"missing"}
          c1: There is no file `missing`.
        > read {"path":"missing"} + read {"path":"missing"}
          c1: There is no file `missing`.
          c2: There is no file `missing`.
        ! You have made the same failing call of `read` 3 times in a row. It will fail again. Stop, read the error, and do something else: look at the current state first, or take another way.
        > read {"path":"missing"}
          c1: There is no file `missing`.
        > read {"path":"missing"}
          c1: There is no file `missing`.
        Exhausted { limit: Repetition, last: "There is no file `missing`." }
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_finish_may_be_refused_five_times_but_not_six() {
    let refused = "finish early\n".repeat(6);
    let played = play(lines(&refused), setup()).await;
    assert_eq!(played.end, AgentEnd::Exhausted { limit: Limit::Finishes, last: "The proof fails.".into() });
    let played = play(lines(&("finish early\n".repeat(5) + "finish done")), setup()).await;
    assert!(matches!(played.end, AgentEnd::Ended(_)));
}

#[tokio::test(start_paused = true)]
async fn turns_run_out_with_a_warning_before() {
    let limits = Limits { turns: Some(3), ..Limits::default() };
    check_with(
        "read a\n read b\n read c\n read d",
        Setup { limits, ..setup() },
        expect![[r#"
        > read {"path":"a"}
          c1: read a: fine
        ! You have 2 turns left. Bring your work to an end now and call `finish`.
        > read {"path":"b"}
          c1: read b: fine
        > read {"path":"c"}
          c1: read c: fine
        Exhausted { limit: Turns, last: "read c: fine" }
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_within_what_the_limits_leave() {
    let usd = |usd| Money::from_usd(usd).unwrap();
    let price = Price { hit: usd(0.0), miss: usd(0.0), write: None, output: usd(1.0) };
    for (limits, price) in [
        (Limits { tokens: Some(3_000), ..Limits::default() }, None),
        (Limits { cost: Some(usd(0.003)), ..Limits::default() }, Some(price)),
    ] {
        let played = play(lines("read a\n finish done"), Setup { limits, price, ..setup() }).await;
        assert_invariants(&played);
        assert!(matches!(played.end, AgentEnd::Ended(_)), "{limits:?}");
        for (_, room) in played.model.requests() {
            assert!((1_024..=3_000).contains(&room), "{limits:?}: {room}");
        }
        assert_eq!(played.talk.totals().cost.is_some(), price.is_some());
    }
    let limits = Limits { tokens: Some(500), ..Limits::default() };
    let played = play(lines("finish done"), Setup { limits, ..setup() }).await;
    assert_eq!((played.end, played.model.asked()), (AgentEnd::Exhausted { limit: Limit::Tokens, last: String::new() }, 0));
}

#[tokio::test(start_paused = true)]
async fn time_runs_out_in_the_middle_of_a_call_and_of_an_answer() {
    let limits = Limits { minutes: Some(1), ..Limits::default() };
    check_with(
        "hang + read a",
        Setup { limits, ..setup() },
        expect![[r#"
        > hang  + read {"path":"a"}
          c1: stopped
          c2: Not carried out: the attempt was stopped.
        Exhausted { limit: Minutes, last: "Not carried out: the attempt was stopped." }
    "#]],
    )
    .await;
    check_with(
        "read a",
        Setup { limits, ..setup() },
        expect![[r#"
        > read {"path":"a"}
          c1: read a: fine
        Exhausted { limit: Minutes, last: "read a: fine" }
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_a_call_even_one_that_does_not_hear_it() {
    for script in ["hang + edit a", "deaf + edit a"] {
        let cancel = CancellationToken::new();
        let later = cancel.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            later.cancel();
        });
        let played = play(lines(script), Setup { cancel, ..setup() }).await;
        assert_invariants(&played);
        assert_eq!(played.end, AgentEnd::Cancelled, "{script}");
        assert_eq!(played.toolbox.log.lock().unwrap()[0], format!("+{} ", script.split_once(' ').unwrap().0));
        assert!(!played.toolbox.log.lock().unwrap().iter().any(|line| line.contains("edit")), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn words_of_the_person_are_heard_before_the_next_turn() {
    check_with(
        "read a\n finish done",
        Setup { steer: vec!["use tabs", "be quick"], ..setup() },
        expect![[r#"
        > read {"path":"a"}
          c1: read a: fine
        > finish {"path":"done"}
          c1: Accepted.
        Ended(Object {"status": String("done"), "summary": String("s")})
    "#]],
    )
    .await;
    let played = play(lines("finish done"), Setup { steer: vec!["use tabs"], ..setup() }).await;
    let (first, _) = played.model.requests().remove(0);
    assert_eq!(first.len(), 2, "before anything was sent it joins the opening");
    assert!(matches!(&first[1], Message::User { content } if content.starts_with("do it\n\n") && content.ends_with("use tabs")));
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_model_end_the_attempt_by_their_kind() {
    let said = || "no".to_owned();
    for (error, expected) in [
        (
            ModelError::ContextTooLong { said: said() },
            "Exhausted { limit: Context, last: \"the conversation is too long for the model: no. Split",
        ),
        (
            ModelError::NoBalance { said: said() },
            "Unavailable { why: \"the account at the model endpoint has no balance left: no. Top up",
        ),
        (ModelError::Cancelled, "Cancelled"),
    ] {
        let played = play(vec![Err(error)], setup()).await;
        assert_invariants(&played);
        let end = format!("{:?}", played.end);
        assert!(end.starts_with(expected), "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_sees_turns_and_tools() {
    let mut first = answer("read a + edit b");
    first.usage = text("").usage;
    let played = play(vec![Ok(first), Ok(answer("finish done"))], setup()).await;
    let seen: Vec<_> = played.books.seen.lock().unwrap().iter().map(|progress| format!("{progress:?}")).collect();
    expect![[r#"
        Asking { turn: 1 }
        Turn { turn: 1, tokens: Tokens { hit: 0, miss: 10, write: 0, output: 1 }, cost: None, tools: ["read", "edit"] }
        Tool { name: "read", summary: "a" }
        ToolEnded { name: "read", ok: true }
        Tool { name: "edit", summary: "b" }
        ToolEnded { name: "edit", ok: true }
        Asking { turn: 2 }
        Turn { turn: 2, tokens: Tokens { hit: 0, miss: 41, write: 0, output: 8 }, cost: None, tools: ["finish"] }
        Tool { name: "finish", summary: "done" }
        ToolEnded { name: "finish", ok: true }"#]]
    .assert_eq(&seen.join("\n"));
}
