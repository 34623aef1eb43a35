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
        limits: Limits::default(),
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
