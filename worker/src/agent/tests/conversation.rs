//! What the conversation around the loop keeps: it can be gone on with, and no secret enters it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_conversation_that_ended_can_be_gone_on_with() {
    let model = Arc::new(Answers::new(lines("finish done\n finish blocked")));
    let folder = tempfile::tempdir().unwrap();
    let transcript = Transcript::create(&folder.path().join("t.jsonl")).unwrap();
    let mut talk = Conversation::new(vec![Message::system("s"), Message::user("plan")], transcript, Arc::default());
    let agent = Agent {
        model: model.clone(),
        toolbox: Arc::new(Playing::default()),
        budget: Arc::new(Unlimited),
        observer: Arc::new(crate::observe::Unwatched),
        limits: Limits::default().into(),
        hold: Hold::default(),
        label: label(0),
        max_tokens: 4_096,
        terminal: Terminal::FINISH,
        summariser: None,
        kin: None,
    };
    let (_sender, mut steer) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    assert!(matches!(agent.run(&mut talk, &mut steer, &cancel).await, AgentEnd::Ended(_)));
    talk.say("Do it otherwise.");
    let AgentEnd::Ended(value) = agent.run(&mut talk, &mut steer, &cancel).await else { panic!() };
    assert_eq!((value["status"].as_str(), talk.totals().turns), (Some("blocked"), 2));
}

#[tokio::test(start_paused = true)]
async fn secrets_are_masked_before_they_enter_request_and_transcript_and_the_models_own_words_stay() {
    let key = ["gh", "p_"].concat() + &"a1B2".repeat(9);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let opening = vec![Message::system(format!("s {key}")), Message::user(format!("u {key}"))];
    let mut talk = Conversation::new(opening, Transcript::create(&path).unwrap(), Arc::default());
    talk.say(&format!("said {key}"));
    let own = AssistantTurn { text: format!("own {key}"), ..AssistantTurn::default() };
    talk.push(Message::Assistant(own));
    talk.push(Message::Tool { call_id: "c".into(), name: "n".into(), content: format!("told {key}") });
    talk.write(&Answers::new([]), &label(1), &[]).unwrap();
    talk.close(&format!("failed: {key}")).unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written.matches(&key).count(), 1, "{written}");
    assert_eq!(written.matches("[masked: GitHub token]").count(), 5, "{written}");
    assert_eq!(transcript::read(&path).unwrap(), talk.messages(), "what is sent is what is kept");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_held_finishes_its_turn_and_asks_nothing_until_the_run_goes_on_whatever_its_minutes() {
    let (switch, hold) = Hold::new();
    switch.send_replace(true);
    let limits = Limits { minutes: Some(1), ..Limits::default() };
    let waiting = tokio::spawn(play(lines("read a\nfinish done"), Setup { limits, hold, ..setup() }));
    tokio::time::sleep(Duration::from_secs(6_000)).await;
    assert!(!waiting.is_finished());
    switch.send_replace(false);
    let played = waiting.await.unwrap();
    assert!(matches!(played.end, AgentEnd::Ended(_)), "{:?}", played.end);
    assert_eq!(played.books.seen.lock().unwrap().first(), Some(&Progress::Held));
}

#[tokio::test]
async fn who_is_held_can_be_stopped() {
    let (switch, hold) = Hold::new();
    switch.send_replace(true);
    let setup = Setup { hold, ..setup() };
    let cancel = setup.cancel.clone();
    let (played, ()) = tokio::join!(play(lines("finish done"), setup), async { cancel.cancel() });
    assert_eq!((played.end, played.model.asked()), (AgentEnd::Cancelled, 0));
}

#[tokio::test]
async fn a_word_that_comes_while_the_last_turn_is_made_is_heard_before_the_end() {
    let model = Arc::new(Answers::new(lines("gate + finish done\nfinish blocked")));
    let (toolbox, books) = (Arc::new(Playing::default()), Arc::new(Books::default()));
    let agent = Agent {
        model: model.clone(),
        toolbox: toolbox.clone(),
        budget: books.clone(),
        observer: books,
        limits: Limits::default().into(),
        hold: Hold::default(),
        label: label(0),
        max_tokens: 4_096,
        terminal: Terminal::FINISH,
        summariser: None,
        kin: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let transcript = Transcript::create(&folder.path().join("t.jsonl")).unwrap();
    let mut talk = Conversation::new(vec![Message::system("s"), Message::user("do it")], transcript, Arc::default());
    let (say, mut steer) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let (end, ()) = tokio::join!(agent.run(&mut talk, &mut steer, &cancel), async {
        while toolbox.log.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        say.send("stop there".to_owned()).await.unwrap();
        toolbox.gate.notify_one();
    });
    assert!(matches!(end, AgentEnd::Ended(value) if value["status"] == "blocked"));
    let heard =
        model.requests()[1].0.iter().any(|said| matches!(said, Message::User { content } if content.ends_with("stop there")));
    assert!(heard);
}
