//! A model that answers from the transcripts of a run that is over: the same answers, byte for byte, as long as it is asked the same.
//!
//! A request is found by role, task, attempt and turn, and compared with what that turn was asked in the recorded run: the tools, and every
//! message. Where they differ nothing is answered, and the error names the first difference.
//!
//! **Invariant:** an answer is only given to the very conversation that it was given to. Whatever may differ from run to run (the run's name,
//! paths of worktrees, times) is in no prompt; where a command prints such, its output differs, and the replay ends there and says so.
//!
//! Where the transcripts lie: `<run>/transcripts/<task>/<attempt>.jsonl`, the planner's conversations in `_planner`.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use shared::Price;
use tokio_util::sync::CancellationToken;

use super::{
    Answer, AssistantTurn, Delta, FinishReason, Label, Message, Model, ModelError, ModelSettings, OnDelta, Request, Role,
};
use crate::{
    context::compaction,
    transcript::{AnswerNote, Entry, SummaryNote, read_entries, tool_value},
};

type Entries = Arc<Vec<(u32, Entry)>>;

/// The transcripts of one run.
pub struct Replay {
    folder: PathBuf,
    settings: ModelSettings,
    read: Mutex<HashMap<PathBuf, Entries>>,
}

/// What was asked and answered in one turn.
struct Turn {
    tools: Vec<Value>,
    asked: Vec<Message>,
    said: AssistantTurn,
    note: AnswerNote,
}

impl Replay {
    /// The folder of a run.
    pub fn new(folder: &Path, settings: ModelSettings) -> Result<Self, ModelError> {
        let transcripts = folder.join("transcripts");
        if fs::read_dir(&transcripts).is_err() {
            let why = format!("{} holds no transcripts", folder.display());
            return Err(ModelError::Settings { name: settings.name, why });
        }
        Ok(Self { folder: transcripts, settings, read: Mutex::default() })
    }

    fn answer(&self, request: &Request<'_>) -> Result<Answer, ModelError> {
        let label = request.label;
        let off = |why: String| ModelError::OffRecord { whose: label.whose(), attempt: label.attempt, turn: label.turn, why };
        let entries = self.entries(label).map_err(&off)?;
        if label.role == Role::Summariser {
            return summary(&entries, request).map_err(off);
        }
        let turn = turn(&entries, label.turn).map_err(&off)?;
        let tools: Vec<Value> = request.tools.iter().map(tool_value).collect();
        if let Some(why) = different_tools(&turn.tools, &tools).or_else(|| difference(&turn.asked, request.messages)) {
            return Err(off(why));
        }
        let AnswerNote { finish, usage, estimated, .. } = turn.note;
        Ok(Answer { turn: turn.said, finish, usage: (!estimated).then_some(usage), repairs: Vec::new(), by: None })
    }

    fn entries(&self, label: &Label) -> Result<Entries, String> {
        let whose = match (label.role, &label.task) {
            (Role::Planner, _) => "_planner",
            (_, Some(task)) => task.as_str(),
            (_, None) => return Err("nobody else than tasks and the planner has transcripts".to_owned()),
        };
        let path = self.folder.join(whose).join(format!("{}.jsonl", label.attempt));
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = read.get(&path) {
            return Ok(Arc::clone(entries));
        }
        if !path.exists() {
            return Err("the recorded run has no such attempt".to_owned());
        }
        let entries = Arc::new(read_entries(&path).map_err(|error| error.to_string())?);
        read.insert(path, Arc::clone(&entries));
        Ok(entries)
    }
}

/// The turn of that number: all that was said before its answer, and the answer.
fn turn(entries: &[(u32, Entry)], number: u32) -> Result<Turn, String> {
    let (mut tools, mut asked, mut turns) = (Vec::new(), Vec::new(), 0);
    for (_, entry) in entries {
        match entry {
            Entry::Start(start) => tools.clone_from(&start.tools),
            Entry::Message(message) => asked.push(message.clone()),
            Entry::Answer(note) => {
                turns += 1;
                if turns == number
                    && let Some(Message::Assistant(said)) = asked.pop()
                {
                    return Ok(Turn { tools, asked, said, note: *note });
                }
            }
            Entry::Compacted(shorter) => {
                compaction::apply(&mut asked, &shorter.replaced).map_err(std::string::ToString::to_string)?;
            }
            Entry::Lost(_) | Entry::End(_) => {}
        }
    }
    Err(format!("the recorded attempt has {turns} answers"))
}

/// The summary that was written of this conversation, in this turn or any other; else what is different about the last one.
fn summary(entries: &[(u32, Entry)], request: &Request<'_>) -> Result<Answer, String> {
    let (mut said, mut why) = (Vec::new(), "the recorded attempt was never summed up".to_owned());
    for (_, entry) in entries {
        match entry {
            Entry::Message(message) => said.push(message.clone()),
            Entry::Compacted(shorter) => {
                if let Some(note) = &shorter.asked {
                    let begun = said.get(..note.begun).ok_or("the transcript is damaged")?;
                    match difference(&[begun, note.messages.as_slice()].concat(), request.messages) {
                        Some(difference) => why = difference,
                        None => return summed_up(note),
                    }
                }
                compaction::apply(&mut said, &shorter.replaced).map_err(std::string::ToString::to_string)?;
            }
            Entry::Start(_) | Entry::Answer(_) | Entry::Lost(_) | Entry::End(_) => {}
        }
    }
    Err(why)
}

fn summed_up(note: &SummaryNote) -> Result<Answer, String> {
    let turn = note.answer.clone().ok_or_else(|| note.error.clone().unwrap_or_default())?;
    let finish = note.finish.unwrap_or(FinishReason::Stop);
    Ok(Answer { turn, finish, usage: Some(note.usage), repairs: Vec::new(), by: None })
}

fn different_tools(recorded: &[Value], now: &[Value]) -> Option<String> {
    let place = (0..recorded.len().max(now.len())).find(|place| recorded.get(*place) != now.get(*place))?;
    let name = |tools: &[Value]| {
        tools.get(place).map_or("nothing".to_owned(), |tool| format!("`{}`", tool["name"].as_str().unwrap_or_default()))
    };
    let (recorded, now) = (name(recorded), name(now));
    Some(if recorded == now {
        format!("the tool {now} is described otherwise")
    } else {
        format!("tool {} was {recorded} and is {now}", place + 1)
    })
}

/// The first message that differs, and where in it.
fn difference(recorded: &[Message], now: &[Message]) -> Option<String> {
    let place = (0..recorded.len().max(now.len())).find(|place| recorded.get(*place) != now.get(*place))?;
    let mut why = format!("message {} ", place + 1);
    let (one, other) = match (recorded.get(place), now.get(place)) {
        (Some(one), Some(other)) => texts(one, other),
        (Some(one), None) => (whole(one), String::new()),
        (None, other) => (String::new(), other.map(whole).unwrap_or_default()),
    };
    let at = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let _ = match (one.is_empty(), other.is_empty()) {
        (true, false) => write!(why, "is new: {}", excerpt(&other, 0)),
        (false, true) => write!(why, "is missing: {}", excerpt(&one, 0)),
        _ => write!(why, "differs from character {} on; recorded: {}; now: {}", at + 1, excerpt(&one, at), excerpt(&other, at)),
    };
    Some(why)
}

/// The contents, if only these differ.
fn texts(one: &Message, other: &Message) -> (String, String) {
    match (one, other) {
        (Message::System { content: one }, Message::System { content: other })
        | (Message::User { content: one }, Message::User { content: other }) => (one.clone(), other.clone()),
        (
            Message::Tool { content: one, call_id: id, name },
            Message::Tool { content: other, call_id: other_id, name: other_name },
        ) if (id, name) == (other_id, other_name) => (one.clone(), other.clone()),
        _ => (whole(one), whole(other)),
    }
}

fn whole(message: &Message) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// What stands around a character, in one line.
fn excerpt(text: &str, at: usize) -> String {
    const BEFORE: usize = 24;
    const AFTER: usize = 60;
    let start = at.saturating_sub(BEFORE);
    let piece: String = text.chars().skip(start).take(at - start + AFTER).collect();
    let (head, tail) = (if start > 0 { "…" } else { "" }, if text.chars().count() > at + AFTER { "…" } else { "" });
    format!("{head}{piece:?}{tail}")
}

impl Model for Replay {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            if cancel.is_cancelled() {
                return Err(ModelError::Cancelled);
            }
            let answer = self.answer(request)?;
            on_delta(Delta::Text(&answer.turn.text));
            Ok(answer)
        })
    }

    fn context_window(&self) -> u64 {
        self.settings.context_window
    }

    fn max_output(&self) -> u64 {
        self.settings.max_output
    }

    fn price(&self) -> Option<Price> {
        self.settings.price
    }

    fn id(&self) -> &str {
        &self.settings.name
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;
    use shared::Tokens;

    use super::*;
    use crate::{
        model::{Dialect, ToolCall, connect, testing::label},
        tool::ToolSpec,
        transcript::{Start, Transcript},
    };

    fn said(text: &str) -> Message {
        let call = ToolCall { id: "c".into(), name: "look".into(), arguments: "{\"a\" : 1}".into() };
        Message::Assistant(AssistantTurn { text: text.into(), calls: vec![call], ..AssistantTurn::default() })
    }

    fn result(content: &str) -> Message {
        Message::Tool { call_id: "c".into(), name: "look".into(), content: content.into() }
    }

    fn tool(name: &'static str, description: &'static str) -> ToolSpec {
        ToolSpec { name, description, parameters: json!({}) }
    }

    /// A run of two turns: the second one's usage was only estimated.
    fn record(folder: &Path) {
        let mut transcript = Transcript::create(&folder.join("transcripts/money/1.jsonl")).unwrap();
        let start = Start { model: "p/m".into(), label: label(1), tools: vec![tool_value(&tool("look", "looks"))] };
        let note = |finish, estimated| {
            let usage = Tokens { miss: 7, output: 2, ..Tokens::default() };
            Entry::Answer(AnswerNote { max_tokens: 9, finish, usage, estimated, paid: None })
        };
        let entries = [
            Entry::Start(start),
            Entry::Message(Message::system("be good")),
            Entry::Message(Message::user("do it")),
            Entry::Message(said("one")),
            note(FinishReason::ToolCalls, false),
            Entry::Message(result("a quite long result that was seen\nthen")),
            Entry::Message(said("two")),
            note(FinishReason::Length, true),
            Entry::End("done".into()),
        ];
        for entry in &entries {
            transcript.append(1, entry).unwrap();
        }
        transcript.flush().unwrap();
    }

    async fn ask(label: &Label, messages: &[Message], tools: &[ToolSpec]) -> String {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path());
        let dialect = Dialect::Replay { folder: folder.path().to_owned() };
        let model = connect(ModelSettings::new("replay/run", dialect, "")).unwrap();
        let request = Request { label, messages, tools, max_tokens: 5 };
        match model.ask(&request, &|_| {}, &CancellationToken::new()).await {
            Ok(answer) => format!("{} {:?} {:?}\n", serde_json::to_string(&answer.turn).unwrap(), answer.finish, answer.usage),
            Err(error) => format!("{error}\n"),
        }
    }

    fn first() -> Vec<Message> {
        vec![Message::system("be good"), Message::user("do it")]
    }

    fn second(result_text: &str) -> Vec<Message> {
        [first(), vec![said("one"), result(result_text)]].concat()
    }

    #[tokio::test]
    async fn the_same_question_gets_the_same_answer() {
        let look = [tool("look", "looks")];
        let told = ask(&label(1), &first(), &look).await
            + &ask(&label(2), &second("a quite long result that was seen\nthen"), &look).await;
        expect![[r#"
            {"content":"one","calls":[{"id":"c","name":"look","arguments":"{\"a\" : 1}"}]} ToolCalls Some(Tokens { hit: 0, miss: 7, write: 0, output: 2 })
            {"content":"two","calls":[{"id":"c","name":"look","arguments":"{\"a\" : 1}"}]} Length None
        "#]].assert_eq(&told);
    }

    #[tokio::test]
    async fn another_question_is_told_where_it_differs_first() {
        let look = || vec![tool("look", "looks")];
        let mut longer = first();
        longer.push(Message::user("and quickly"));
        let other_role = vec![Message::system("be good"), Message::system("do it")];
        let elsewhere = Label { task: None, ..label(1) };
        let cases = [
            (label(2), second("a quite long result that was seen\nnow"), look()),
            (label(1), longer, look()),
            (label(2), first(), look()),
            (label(1), other_role, look()),
            (label(1), first(), vec![tool("look", "stares")]),
            (label(1), first(), vec![]),
            (label(3), first(), look()),
            (Label { attempt: 2, ..label(1) }, first(), look()),
            (Label { role: Role::Planner, ..elsewhere.clone() }, first(), look()),
            (elsewhere, first(), look()),
        ];
        let mut told = String::new();
        for (label, messages, tools) in cases {
            told += &ask(&label, &messages, &tools).await;
        }
        check(
            &told,
            &expect![[r#"
            the replay cannot go on with task money, attempt 1, turn 2: message 4 differs from character 35 on; recorded: …"ng result that was seen\nthen"; now: …"ng result that was seen\nnow"
            the replay cannot go on with task money, attempt 1, turn 1: message 3 is new: "{\"role\":\"user\",\"content\":\"and quickly\"}"
            the replay cannot go on with task money, attempt 1, turn 2: message 3 is missing: "{\"role\":\"assistant\",\"content\":\"one\",\"calls\":[{\"id\":\"c\",\"name"…
            the replay cannot go on with task money, attempt 1, turn 1: message 2 differs from character 10 on; recorded: "{\"role\":\"user\",\"content\":\"do it\"}"; now: "{\"role\":\"system\",\"content\":\"do it\"}"
            the replay cannot go on with task money, attempt 1, turn 1: the tool `look` is described otherwise
            the replay cannot go on with task money, attempt 1, turn 1: tool 1 was `look` and is nothing
            the replay cannot go on with task money, attempt 1, turn 3: the recorded attempt has 2 answers
            the replay cannot go on with task money, attempt 2, turn 1: the recorded run has no such attempt
            the replay cannot go on with the planner, attempt 1, turn 1: the recorded run has no such attempt
            the replay cannot go on with the worker, attempt 1, turn 1: nobody else than tasks and the planner has transcripts
        "#]],
        );
    }

    fn check(told: &str, expected: &Expect) {
        expected.assert_eq(told);
    }

    #[test]
    fn a_folder_without_transcripts_is_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let dialect = Dialect::Replay { folder: folder.path().to_owned() };
        let error = connect(ModelSettings::new("replay/run", dialect, "")).err().unwrap();
        assert!(error.to_string().contains("holds no transcripts"), "{error}");
    }
}
