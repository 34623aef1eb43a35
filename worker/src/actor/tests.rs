//! The actor around the loop: what it is told, what it tells.

use expect_test::{Expect, expect};
use kameo::actor::Spawn as _;
use shared::{Attempt, Limits, RunId, Scope, TaskId};
use tokio::sync::mpsc;

use super::*;
use crate::{
    agent::testing::{Playing, answer},
    budget::Unlimited,
    model::{Message as Said, testing::Answers},
    observe::Unwatched,
};

/// Hears how attempts end.
#[derive(Actor)]
struct Dispatcher(mpsc::UnboundedSender<AttemptOver>);

impl Message<AttemptOver> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, over: AttemptOver, _: &mut Context<Self, ()>) {
        self.0.send(over).unwrap();
    }
}

fn brief() -> Brief {
    Brief {
        run: RunId::new("abcdefgh").unwrap(),
        key: AttemptKey { task: TaskId::new("money").unwrap(), attempt: Attempt(1) },
        goal: "g".into(),
        title: "t".into(),
        instructions: "i".into(),
        scope: Scope::default(),
        deliver: vec![],
        verify: vec![],
        hand_off: None,
        received: vec![],
        around: String::new(),
        notes: vec![],
        history: vec![],
        limits: Limits::default(),
    }
}

struct Rig {
    folder: tempfile::TempDir,
    model: Arc<Answers>,
    toolbox: Arc<Playing>,
    heard: mpsc::UnboundedReceiver<AttemptOver>,
    dispatcher: ActorRef<Dispatcher>,
    cancel: CancellationToken,
}

impl Rig {
    fn new(script: &str) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        let model = Arc::new(Answers::new(script.lines().map(|line| Ok(answer(line.trim())))));
        let dispatcher = Dispatcher::spawn(Dispatcher(sender));
        Self {
            folder: tempfile::tempdir().unwrap(),
            model,
            toolbox: Arc::default(),
            heard,
            dispatcher,
            cancel: CancellationToken::new(),
        }
    }

    fn start(&self, opening: Opening, transcript: &str) -> ActorRef<Worker> {
        Worker::spawn(self.args(opening, transcript))
    }

    fn args(&self, opening: Opening, transcript: &str) -> WorkerArgs {
        WorkerArgs {
            brief: brief(),
            opening,
            model: self.model.clone(),
            summariser: None,
            company: Company::default(),
            toolbox: self.toolbox.clone(),
            secrecy: Arc::default(),
            budget: Arc::new(Unlimited),
            observer: Arc::new(Unwatched),
            transcript: self.folder.path().join(transcript),
            limits: Limits::default().into(),
            hold: Hold::default(),
            voice: Voice::new(Vec::new()).1,
            cancel: self.cancel.clone(),
            done: self.dispatcher.clone().recipient(),
        }
    }

    async fn at_the_gate(&self) {
        self.toolbox.until("+gate").await;
    }

    fn fresh(&self) -> ActorRef<Worker> {
        self.start(Opening::Fresh { repository_brief: "r".into() }, "1.jsonl")
    }
}

async fn check(script: &str, expected: Expect) {
    let mut rig = Rig::new(script);
    let worker = rig.fresh();
    let over = rig.heard.recv().await.unwrap();
    worker.wait_for_shutdown().await;
    expected.assert_eq(&format!("{} in {} turns: {:?}", over.key, over.turns, over.outcome));
}

#[tokio::test]
async fn an_attempt_tells_how_it_ended_and_the_actor_stops() {
    check(
        "read a\nfinish done",
        expect![[r#"money #1 in 2 turns: Done { report: Report { summary: "s", hand_off: "", follow_ups: [], unheard: [] } }"#]],
    )
    .await;
    check(
        "finish blocked",
        expect![[
            r#"money #1 in 1 turns: Blocked { report: Report { summary: "s", hand_off: "", follow_ups: [], unheard: [] } }"#
        ]],
    )
    .await;
    check("finish somehow", expect![[r#"money #1 in 1 turns: Failed { why: "the worker's `finish` was accepted but does not read: unknown variant `somehow`, expected `done` or `blocked`" }"#]]).await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_what_it_took_is_counted() {
    check("read a\npanic", expect![[r#"money #1 in 2 turns: Failed { why: "the worker panicked: out of wits. This is a fault of Inspan; please report it." }"#]]).await;
}

/// A model that breaks as soon as anybody wants to know anything about it.
struct Brittle;

impl Model for Brittle {
    fn ask<'a>(
        &'a self,
        _: &'a crate::model::Request<'a>,
        _: &'a crate::model::OnDelta<'a>,
        _: &'a CancellationToken,
    ) -> futures_util::future::BoxFuture<'a, Result<crate::model::Answer, crate::model::ModelError>> {
        panic!("asked")
    }

    fn context_window(&self) -> u64 {
        panic!("no window")
    }

    fn max_output(&self) -> u64 {
        panic!("no room")
    }

    fn price(&self) -> Option<shared::Price> {
        panic!("no price")
    }

    fn id(&self) -> &'static str {
        "p/m"
    }
}

#[tokio::test]
async fn a_panic_before_the_first_turn_is_told_like_any_other() {
    let mut rig = Rig::new("finish done");
    let _first = rig.fresh();
    rig.heard.recv().await.unwrap();
    let resumed = Opening::Continue { transcript: rig.folder.path().join("1.jsonl"), notice: "n".into() };
    let fresh = Opening::Fresh { repository_brief: "r".into() };
    for (opening, transcript, why) in [(resumed, "1.jsonl", "no price"), (fresh, "2.jsonl", "no room")] {
        let _worker = Worker::spawn(WorkerArgs { model: Arc::new(Brittle), ..rig.args(opening, transcript) });
        let Outcome::Failed { why: said } = rig.heard.recv().await.unwrap().outcome else { panic!() };
        assert!(said.starts_with(&format!("the worker panicked: {why}")), "{said}");
    }
}

#[tokio::test]
async fn cancelling_and_killing_end_the_attempt_and_are_told() {
    let mut rig = Rig::new("hang");
    let worker = rig.fresh();
    worker.tell(Cancel).await.unwrap();
    assert_eq!(rig.heard.recv().await.unwrap().outcome, Outcome::Cancelled);
    worker.wait_for_shutdown().await;

    let mut rig = Rig::new("hang");
    let _worker = rig.fresh();
    rig.cancel.cancel();
    assert_eq!(rig.heard.recv().await.unwrap().outcome, Outcome::Cancelled);

    let mut rig = Rig::new("hang");
    let worker = rig.fresh();
    worker.wait_for_startup().await;
    worker.kill();
    assert_eq!(rig.heard.recv().await.unwrap().outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_transcript_that_cannot_be_had_is_told_before_anything_is_asked() {
    let mut rig = Rig::new("finish done");
    std::fs::write(rig.folder.path().join("1.jsonl"), "").unwrap();
    let _worker = rig.fresh();
    let Outcome::Unavailable { why } = rig.heard.recv().await.unwrap().outcome else { panic!() };
    assert!(why.starts_with("the attempt could not begin its transcript"), "{why}");
    assert_eq!(rig.model.asked(), 0);
}

#[tokio::test]
async fn an_attempt_goes_on_where_another_ended() {
    let mut rig = Rig::new("read a\nfinish done\nfinish done");
    let _first = rig.fresh();
    rig.heard.recv().await.unwrap();
    let opening = Opening::Continue { transcript: rig.folder.path().join("1.jsonl"), notice: "It does not fit.".into() };
    let _second = rig.start(opening, "2.jsonl");
    rig.heard.recv().await.unwrap();
    let (before, after) =
        (transcript::read(&rig.folder.path().join("1.jsonl")), transcript::read(&rig.folder.path().join("2.jsonl")));
    let (before, after) = (before.unwrap(), after.unwrap());
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after[before.len()], Said::user("It does not fit."));
    assert_eq!(rig.model.requests()[2].0, after[..=before.len()], "the model saw it all");
}

#[tokio::test]
async fn a_word_to_a_worker_reaches_its_model_before_the_next_turn() {
    let mut rig = Rig::new("gate\nfinish done");
    let (say, voice) = Voice::new(vec!["be quick".into()]);
    let opening = Opening::Fresh { repository_brief: "r".into() };
    let _worker = Worker::spawn(WorkerArgs { voice, ..rig.args(opening, "1.jsonl") });
    say.send("use tabs".into()).await.unwrap();
    rig.toolbox.gate.notify_one();
    rig.heard.recv().await.unwrap();
    let (second, _) = rig.model.requests().remove(1);
    let heard = |word: &str| second.iter().any(|said| matches!(said, Said::User { content } if content.contains(word)));
    assert!(heard("be quick") && heard("use tabs"), "{second:?}");
}

#[tokio::test]
async fn an_end_waits_for_words_where_a_turn_is_left_and_hands_back_what_nobody_heard() {
    for (most, expected) in [(1, "1 turns, unheard: [\"use tabs\"]"), (2, "2 turns, unheard: []")] {
        let mut rig = Rig::new("gate + finish done\nfinish done");
        let (say, voice) = Voice::new(Vec::new());
        let limits = Limits { turns: Some(most), ..Limits::default() }.into();
        let opening = Opening::Fresh { repository_brief: "r".into() };
        let _worker = Worker::spawn(WorkerArgs { limits, voice, ..rig.args(opening, "1.jsonl") });
        rig.at_the_gate().await;
        say.send("use tabs".into()).await.unwrap();
        rig.toolbox.gate.notify_one();
        let over = rig.heard.recv().await.unwrap();
        assert!(matches!(over.outcome, Outcome::Done { .. }), "{:?}", over.outcome);
        assert_eq!(format!("{} turns, unheard: {:?}", over.turns, over.unheard), expected);
        assert!(say.is_closed());
    }
}

#[tokio::test]
async fn a_word_that_is_on_its_way_when_the_end_comes_is_handed_back() {
    let mut rig = Rig::new("gate + finish done");
    let (say, voice) = Voice::new(Vec::new());
    let opening = Opening::Fresh { repository_brief: "r".into() };
    let _worker = Worker::spawn(WorkerArgs { voice, ..rig.args(opening, "1.jsonl") });
    let place = say.try_reserve_owned().unwrap();
    rig.at_the_gate().await;
    rig.toolbox.gate.notify_one();
    rig.toolbox.until("-finish").await;
    place.send("late".into());
    assert_eq!(rig.heard.recv().await.unwrap().unheard, ["late"]);
}

/// The transcript of an attempt, as it is when the process is killed before anybody heard what its `finish` came to.
async fn killed_at_the_end(script: &str) -> tempfile::TempDir {
    let mut rig = Rig::new(script);
    let _worker = rig.fresh();
    rig.heard.recv().await.unwrap();
    let path = rig.folder.path().join("1.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&path, lines[..lines.len() - 2].join("\n") + "\n").unwrap();
    rig.folder
}

#[tokio::test]
async fn an_end_that_was_answered_and_not_carried_out_is_not_asked_for_again() {
    for (words, turns) in [(vec![], 2), (vec!["use tabs".to_owned()], 3)] {
        let folder = killed_at_the_end("read a\nfinish done").await;
        let mut rig = Rig::new("finish done");
        rig.folder = folder;
        let opening = Opening::Continue { transcript: rig.folder.path().join("1.jsonl"), notice: "Again.".into() };
        let voice = Voice::new(words).1;
        let _worker = Worker::spawn(WorkerArgs { voice, ..rig.args(opening, "1.jsonl") });
        let over = rig.heard.recv().await.unwrap();
        assert!(matches!(over.outcome, Outcome::Done { .. }), "{:?}", over.outcome);
        assert_eq!((over.turns, rig.model.asked()), (turns, usize::try_from(turns).unwrap() - 2));
    }
}

#[tokio::test]
async fn an_end_that_is_refused_after_an_interruption_goes_on_with_the_notice() {
    let folder = killed_at_the_end("finish done").await;
    let path = folder.path().join("1.jsonl");
    let early = std::fs::read_to_string(&path).unwrap().replace(r#"{\"path\":\"done\"}"#, r#"{\"path\":\"early\"}"#);
    std::fs::write(&path, early).unwrap();
    let mut rig = Rig::new("finish done");
    rig.folder = folder;
    let opening = Opening::Continue { transcript: path.clone(), notice: "Again.".into() };
    let _worker = rig.start(opening, "1.jsonl");
    rig.heard.recv().await.unwrap();
    let said = transcript::read(&path).unwrap();
    let shown: Vec<String> = said[2..].iter().map(|said| format!("{said:?}").chars().take(90).collect()).collect();
    assert_eq!(rig.model.asked(), 1, "{shown:#?}");
    assert!(matches!(&said[3], Said::Tool { content, .. } if content == "The proof fails."), "{shown:#?}");
    assert!(matches!(&said[4], Said::User { content } if content == "Again."), "{shown:#?}");
}
