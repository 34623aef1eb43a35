//! A conversation that outgrows its window while an agent goes on: who is asked for a summary, and what is kept of it.

use std::{path::PathBuf, sync::Mutex};

use expect_test::{Expect, expect};
use futures_util::future::BoxFuture;
use shared::{Limit, Limits, Money};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    agent::{
        Conversation, Terminal,
        testing::{Playing, answer},
    },
    budget::{Ask, Budget, OverBudget, Reservation, Settlement},
    hold::Hold,
    model::testing::{Answers, label},
    observe::Observer,
    transcript::{self, Entry, Transcript},
};

/// Watches; counts reservations against settlements; refuses one of them, and never answers another.
struct Books {
    seen: Mutex<Vec<String>>,
    open: Mutex<i32>,
    asked: Mutex<Vec<Ask>>,
    refused: usize,
    hangs: usize,
}

impl Observer for Books {
    fn saw(&self, progress: Progress) {
        if matches!(progress, Progress::Compacted { .. } | Progress::Drift { .. }) {
            self.seen.lock().unwrap().push(format!("{progress:?}"));
        }
    }
}

impl Budget for Books {
    fn reserve(&self, ask: Ask) -> BoxFuture<'_, Result<Reservation, OverBudget>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(ask.clone());
        if asked.len() == self.hangs {
            return Box::pin(std::future::pending());
        }
        let (estimate, enough) = (ask.estimate, asked.len() != self.refused);
        *self.open.lock().unwrap() += i32::from(enough);
        Box::pin(async move { if enough { Ok(Reservation { id: 1, estimate, last: false }) } else { Err(OverBudget::Run) } })
    }

    fn settle(&self, _: Reservation, _: Settlement) -> BoxFuture<'_, Option<Money>> {
        *self.open.lock().unwrap() -= 1;
        Box::pin(async { None })
    }
}

struct Played {
    end: AgentEnd,
    talk: Conversation,
    model: Arc<Answers>,
    books: Arc<Books>,
    folder: tempfile::TempDir,
}

impl Played {
    fn path(&self) -> PathBuf {
        self.folder.path().join("t.jsonl")
    }
}

struct Setup {
    script: Vec<Result<Answer, ModelError>>,
    window: u64,
    summariser: Option<Arc<Answers>>,
    refused: usize,
    hangs: usize,
    limits: Limits,
    steer: Vec<&'static str>,
}

/// Each line is one answer; `too long` and `broken` are errors.
fn setup(window: u64, script: &str) -> Setup {
    let read = |line: &str| match line {
        "too long" => Err(ModelError::ContextTooLong { said: "no".into() }),
        "broken" => Err(ModelError::Broken { why: "no".into() }),
        line => Ok(answer(line)),
    };
    let script = script.lines().map(str::trim).filter(|line| !line.is_empty()).map(read).collect();
    let (refused, hangs) = (usize::MAX, usize::MAX);
    Setup { script, window, summariser: None, refused, hangs, limits: Limits::default(), steer: Vec::new() }
}

fn agent(model: Arc<Answers>, books: Arc<Books>) -> Agent {
    Agent {
        model,
        toolbox: Arc::new(Playing::default()),
        budget: books.clone(),
        observer: books,
        limits: Limits::default().into(),
        hold: Hold::default(),
        label: label(0),
        max_tokens: 500,
        terminal: Terminal::FINISH,
        summariser: None,
        kin: None,
    }
}

fn talk(folder: &tempfile::TempDir) -> Conversation {
    let transcript = Transcript::create(&folder.path().join("t.jsonl")).unwrap();
    Conversation::new(vec![Message::system("s"), Message::user("do it")], transcript, Arc::default())
}

async fn play(setup: Setup) -> Played {
    let mut answers = Answers::new(setup.script);
    answers.window = setup.window;
    let model = Arc::new(answers);
    let (seen, open, asked) = (Mutex::default(), Mutex::default(), Mutex::default());
    let books = Arc::new(Books { seen, open, asked, refused: setup.refused, hangs: setup.hangs });
    let summariser = setup.summariser.map(|model| model as Arc<dyn Model>);
    let agent = Agent { summariser, limits: setup.limits.into(), ..agent(model.clone(), books.clone()) };
    let folder = tempfile::tempdir().unwrap();
    let mut talk = talk(&folder);
    let (sender, mut steer) = mpsc::channel(8);
    for text in setup.steer {
        sender.send(text.to_owned()).await.unwrap();
    }
    let end = agent.run(&mut talk, &mut steer, &CancellationToken::new()).await;
    let played = Played { end, talk, model, books, folder };
    assert_invariants(&played);
    played
}

/// Whatever happens: the books are even, and the transcript holds what the model saw, request for request.
fn assert_invariants(played: &Played) {
    assert_eq!(*played.books.open.lock().unwrap(), 0, "reservations left open");
    assert_eq!(transcript::read(&played.path()).unwrap(), played.talk.messages());
    let mut said: Vec<Message> = Vec::new();
    let mut requests = played.model.requests().into_iter().map(|(messages, _)| messages);
    for (_, entry) in transcript::read_entries(&played.path()).unwrap() {
        match entry {
            Entry::Message(message @ Message::Assistant(_)) => {
                let request = requests.find(|request| *request == said);
                assert!(request.is_some(), "no request held just what the transcript holds");
                said.push(message);
            }
            Entry::Message(message) => said.push(message),
            Entry::Compacted(Compacted { replaced, asked }) => {
                if let Some(note) = asked.filter(|note| note.begun > 0 && note.error.is_none()) {
                    let asked = [&said[..note.begun], &note.messages].concat();
                    assert!(requests.any(|request| request == asked), "the summary was not asked for like this");
                }
                compaction::apply(&mut said, &replaced).unwrap();
            }
            Entry::Start(_) | Entry::Answer(_) | Entry::Lost(_) | Entry::End(_) => {}
        }
    }
}

fn show(played: &Played) -> String {
    let line = |message: &Message| match message {
        Message::System { content } | Message::User { content } => format!("! {}", first_words(content)),
        Message::Tool { content, .. } => format!("  {}", first_words(content)),
        Message::Assistant(turn) => {
            let calls: Vec<String> = turn.calls.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect();
            format!("> {}{}", turn.text, calls.join(" + "))
        }
    };
    let said: Vec<String> = played.talk.messages().iter().map(line).collect();
    let seen = played.books.seen.lock().unwrap().join("\n");
    format!("{}\n{seen}\n{} turns: {:?}", said.join("\n"), played.talk.totals().turns, played.end)
}

fn first_words(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let end = line.char_indices().nth(60).map_or(line.len(), |(end, _)| end);
    line[..end].to_owned()
}

async fn check(setup: Setup, expected: Expect) {
    expected.assert_eq(&show(&play(setup).await));
}

/// Turns that no dropped result makes short enough: the calls themselves are long.
fn wordy(turns: usize) -> String {
    (0..turns).map(|turn| format!("mute {turn}{}", "/".repeat(3_000))).collect::<Vec<_>>().join("\n") + "\n"
}

#[tokio::test(start_paused = true)]
async fn old_results_go_and_nobody_is_asked() {
    check(
        setup(8_000, &("long 6000\n".repeat(5) + "finish done")),
        expect![[r#"
        ! s
        ! do it
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        ! You have called `long` 4 times in a row with the same argume
        > long {"path":"6000"}
          xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        > finish {"path":"done"}
          Accepted.
        Compacted { before: 6147, after: 2409, is_summed_up: false }
        Compacted { before: 6374, after: 2626, is_summed_up: false }
        6 turns: Ended(Object {"status": String("done"), "summary": String("s")})"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_model_itself_sums_up_whole_turns_and_it_is_no_turn() {
    let played = play(setup(8_000, &(wordy(6) + "\"I have read much.\nread b\nfinish done"))).await;
    expect![[r#"
        ! s
        ! do it
        > I have read much.
        ! This conversation was made shorter, so that it fits your win
        > mute {"path":"4"}
          ok
        > mute {"path":"5"}
          ok
        > read {"path":"b"}
          read b: fine
        > finish {"path":"done"}
          Accepted.
        Compacted { before: 6201, after: 2390, is_summed_up: true }
        8 turns: Ended(Object {"status": String("done"), "summary": String("s")})"#]]
    .assert_eq(&show(&played).replace("////////", ""));
    let requests = played.model.requests();
    let (asked, max_tokens) = &requests[6];
    assert!(requests[5].0.starts_with(&asked[..asked.len() - 1]), "its cache knows all but the question");
    assert!(matches!(asked.last(), Some(Message::User { content }) if content.contains("Make this conversation short.")));
    assert!(*max_tokens > 500, "{max_tokens}");
}

#[tokio::test(start_paused = true)]
async fn another_model_is_given_the_conversation_as_a_text() {
    let summariser = Arc::new(Answers::new([Ok(answer("\"It has read much."))]));
    let played = play(Setup { summariser: Some(summariser.clone()), ..setup(8_000, &(wordy(6) + "finish done")) }).await;
    assert!(show(&played).contains("> It has read much."), "{}", show(&played));
    let (asked, _) = summariser.requests().remove(0);
    assert_eq!(asked.len(), 2);
    assert!(matches!(&asked[1], Message::User { content } if content.starts_with("## The worker is told\ndo it")));
}

#[tokio::test(start_paused = true)]
async fn without_a_summary_a_list_stands_there_and_the_attempt_goes_on() {
    for (script, refused) in [("broken\nfinish done", usize::MAX), ("\"\nfinish done", usize::MAX), ("finish done", 7)] {
        let played = play(Setup { refused, ..setup(8_000, &(wordy(6) + script)) }).await;
        let shown = show(&played);
        assert!(matches!(played.end, AgentEnd::Ended(_)), "{script}: {shown}");
        assert!(shown.contains("> What I did after that, in order"), "{script}: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_finds_it_too_long_is_asked_once_more_with_less() {
    check(
        setup(1_000_000, "long 6000\nlong 6000\nlong 6000\nlong 6000\nlong 6000\ntoo long\nread a\nfinish done"),
        expect![[r#"
        ! s
        ! do it
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        > long {"path":"6000"}
          [left out to make room: 6 KiB of long `6000`. It began: xxxx
        ! You have called `long` 4 times in a row with the same argume
        > long {"path":"6000"}
          xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        > read {"path":"a"}
          read a: fine
        > finish {"path":"done"}
          Accepted.
        Compacted { before: 10112, after: 2626, is_summed_up: false }
        7 turns: Ended(Object {"status": String("done"), "summary": String("s")})"#]],
    )
    .await;
    let played = play(setup(1_000_000, "long 6000\nlong 6000\nlong 6000\nlong 6000\nlong 6000\ntoo long\ntoo long")).await;
    assert!(matches!(played.end, AgentEnd::Exhausted { limit: Limit::Context, .. }), "{:?}", played.end);
    let played = play(setup(1_000_000, "too long")).await;
    assert!(matches!(played.end, AgentEnd::Exhausted { limit: Limit::Context, .. }), "{:?}", played.end);
    assert_eq!(played.model.asked(), 1, "there is nothing that could go");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_yet_is_sent_with_what_is_left() {
    let window = 8_000;
    let before = play(setup(window, &("long 6000\n".repeat(4) + "broken"))).await;
    let mut talk = Conversation::resume(&before.path(), None, Arc::default()).unwrap();
    let mut model = Answers::new([Ok(answer("finish done"))]);
    model.window = window;
    let model = Arc::new(model);
    talk.say("The harness was interrupted.");
    let agent = agent(model.clone(), before.books.clone());
    let (sender, mut steer) = mpsc::channel(8);
    sender.send("use tabs".to_owned()).await.unwrap();
    assert!(matches!(agent.run(&mut talk, &mut steer, &CancellationToken::new()).await, AgentEnd::Ended(_)));
    let (asked, _) = model.requests().remove(0);
    let Some(Message::User { content }) = asked.last() else { panic!() };
    assert_eq!(content, "The harness was interrupted.\n\nA word from the person who leads this run:\n\nuse tabs");
    assert!(asked.iter().any(|message| matches!(message, Message::Tool { content, .. } if content.starts_with("[left out"))));
    assert_eq!(transcript::read(&before.path()).unwrap(), talk.messages());
}

#[tokio::test(start_paused = true)]
async fn a_crash_right_after_a_compaction_loses_nothing_of_it() {
    let played = play(setup(8_000, &(wordy(6) + "\"I have read much.\nfinish done"))).await;
    let text = std::fs::read_to_string(played.path()).unwrap();
    let end = text.find("\"compacted\"").and_then(|at| text[at..].find('\n').map(|end| at + end + 1)).unwrap();
    for torn in ["", "{\"version\":1,\"turn\":6,\"mess"] {
        std::fs::write(played.path(), format!("{}{torn}", &text[..end])).unwrap();
        let mut resumed = Conversation::resume(&played.path(), None, Arc::default()).unwrap();
        let (sent, _) = played.model.requests().pop().unwrap();
        assert_eq!(resumed.messages(), sent, "it goes on with just what would have been sent");
        assert_eq!(resumed.totals().turns, 6);
        assert!(resumed.totals().tokens.total() > 0);
        resumed.say("Go on.");
        resumed.write(played.model.as_ref(), &label(7), &[]).unwrap();
        assert_eq!(transcript::read(&played.path()).unwrap(), resumed.messages());
    }
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_was_cut_has_the_list_of_what_was_done_behind_it() {
    let played = play(setup(8_000, &(wordy(6) + "cut \"I have read a\nfinish done"))).await;
    let shown = show(&played);
    assert!(matches!(played.end, AgentEnd::Ended(_)), "{shown}");
    let said = format!("> I have read a\n\n{CUT}\n\nWhat I did after that, in order");
    assert!(shown.contains(&said), "{shown}");
    let entries = transcript::read_entries(&played.path()).unwrap();
    let notes = entries.into_iter().filter_map(|(_, entry)| match entry {
        Entry::Compacted(Compacted { asked, .. }) => asked?.finish,
        _ => None,
    });
    assert_eq!(notes.collect::<Vec<_>>(), [FinishReason::Length], "a replay cuts it again");
}

#[test]
fn what_stands_there_is_whole_whatever_was_answered() {
    let note = |text: &str, finish| SummaryNote {
        model: "p/m".into(),
        begun: 0,
        messages: Vec::new(),
        answer: Some(crate::model::AssistantTurn { text: text.into(), ..Default::default() }),
        finish,
        error: None,
        usage: Tokens::default(),
        paid: None,
    };
    for (text, finish, expected) in [
        (" s ", Some(FinishReason::Stop), "s".to_owned()),
        ("s", None, "s".to_owned()),
        ("s", Some(FinishReason::Length), format!("s\n\n{CUT}\n\nlist")),
        ("s", Some(FinishReason::Filtered), format!("s\n\n{CUT}\n\nlist")),
        (" ", Some(FinishReason::Length), "list".to_owned()),
    ] {
        assert_eq!(standing(said(&note(text, finish)), || "list".to_owned()), expected, "{text:?} {finish:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_money_of_a_summary_hears_that_time_is_up() {
    let limits = Limits { minutes: Some(1), ..Limits::default() };
    let waiting = play(Setup { hangs: 7, limits, ..setup(8_000, &(wordy(6) + "finish done")) });
    let played = tokio::time::timeout(std::time::Duration::from_secs(3_600), waiting).await.expect("it waits for ever");
    assert!(matches!(played.end, AgentEnd::Exhausted { limit: Limit::Minutes, .. }), "{:?}", played.end);
    assert_eq!(played.model.asked(), 6);
}

#[tokio::test(start_paused = true)]
async fn all_of_a_question_for_a_summary_is_guessed() {
    let played = play(setup(8_000, &(wordy(6) + "\"I have read much.\nfinish done"))).await;
    let Ask { estimate, guessed, .. } = played.books.asked.lock().unwrap()[6].clone();
    assert_eq!((estimate.prompt(), estimate.prompt() > 0), (guessed, true));
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_known_is_never_thought_larger() {
    let played = play(setup(1_000_000, &("long 6000\n".repeat(5) + "broken"))).await;
    let Played { mut talk, model, books, .. } = played;
    let agent = agent(model, books);
    let (_sender, mut steer) = mpsc::channel(1);
    for (known, expected) in [(100, 100), (1_000_000, talk.prompt(&[]).total() / 10 * 9)] {
        let stop = CancellationToken::new();
        let mut session = Session {
            talk: &mut talk,
            steer: &mut steer,
            stop: &stop,
            tools: Vec::new(),
            patience: crate::agent::patience::Patience::default(),
            warned: false,
            limits: Limits::default(),
            told: false,
            is_known: false,
            window: known,
        };
        stop.cancel();
        assert_eq!(agent.shrink(&mut session).await, Err(AgentEnd::Cancelled));
        assert_eq!(session.window, expected);
    }
}
