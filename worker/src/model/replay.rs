//! A model that answers from the transcripts of a run that is over: the same answers, byte for byte, as long as it is asked the same.
//!
//! A request is found by role, task, attempt and turn, and compared with what that turn was asked in the recorded run: the tools, and every
//! message (see [`difference`]). Where they differ nothing is answered, and the error names the first difference.
//!
//! **Invariant:** an answer is only given to the very conversation that it was given to. Whatever may differ from run to run (the run's name,
//! paths of worktrees, times) is in no prompt, but for how long a command took, which is passed over; where a command prints such, its output differs, and the replay ends there and says so.
//!
//! A conversation gets the room that it had when it was recorded, so that it is made shorter at the same places; see
//! [`Model::as_recorded`]. Who has no conversation gets the widest room that anybody had. What a recording answers costs nothing, and it
//! keeps no beginnings of requests, so there is nothing to warm.
//!
//! Where the transcripts lie: `<run>/transcripts/<task>/<attempt>.jsonl`, the planner's conversations in `_planner`.

mod difference;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use shared::{Money, Price, TaskId};
use tokio_util::sync::CancellationToken;

use self::difference::{difference, different_tools};
use super::{
    Answer, AssistantTurn, Delta, FinishReason, Label, Message, Model, ModelError, ModelSettings, OnDelta, Request, Role,
};
use crate::{
    context::{self, compaction},
    transcript::{AnswerNote, Bounds, Entry, SummaryNote, read_entries, tool_value},
};

type Entries = Arc<Vec<(u32, Entry)>>;

/// The transcripts of one run, as one conversation or none of them sees them.
pub struct Replay {
    record: Arc<Record>,
    bounds: Bounds,
}

/// The transcripts of one run.
struct Record {
    folder: PathBuf,
    name: String,
    read: Mutex<HashMap<PathBuf, Entries>>,
}

/// What was asked and answered in one turn.
struct Turn {
    tools: Vec<Value>,
    asked: Vec<Message>,
    /// The conversation each time that it was made shorter right before.
    longer: Vec<Vec<Message>>,
    said: AssistantTurn,
    note: AnswerNote,
}

impl Replay {
    /// The folder of a run.
    pub fn new(folder: &Path, settings: ModelSettings) -> Result<Self, ModelError> {
        let ModelSettings { name, context_window, max_output, context_budget, .. } = settings;
        let transcripts = folder.join("transcripts");
        if fs::read_dir(&transcripts).is_err() {
            let why = format!("{} holds no transcripts", folder.display());
            return Err(ModelError::Settings { name, why });
        }
        let usual = Bounds { window: context_window, max_output, budget: context_budget };
        let bounds = widest(&transcripts).unwrap_or(usual);
        Ok(Self { record: Arc::new(Record { folder: transcripts, name, read: Mutex::default() }), bounds })
    }

    fn answer(&self, request: &Request<'_>) -> Result<Answer, ModelError> {
        let label = request.label;
        let off = |why: String| ModelError::OffRecord { whose: label.whose(), attempt: label.attempt, turn: label.turn, why };
        let entries = self.record.of(label).map_err(&off)?;
        if label.role == Role::Summariser {
            return summary(&entries, request).map_err(off);
        }
        let turn = turn(&entries, label.turn).map_err(&off)?;
        let tools: Vec<Value> = request.tools.iter().map(tool_value).collect();
        let why = different_tools(&turn.tools, &tools).or_else(|| difference(&turn.asked, request.messages));
        if why.is_some() && turn.longer.iter().any(|longer| difference(longer, request.messages).is_none()) {
            return Err(ModelError::ContextTooLong { said: "it was made shorter in the recorded run".to_owned() });
        }
        if let Some(why) = why {
            return Err(off(why));
        }
        let AnswerNote { finish, usage, estimated, .. } = turn.note;
        Ok(Answer { turn: turn.said, finish, usage: (!estimated).then_some(usage), repairs: Vec::new(), by: None })
    }
}

impl Record {
    fn of(&self, label: &Label) -> Result<Entries, String> {
        if label.role == Role::Worker && label.task.is_none() {
            return Err("nobody else than tasks and the planner has transcripts".to_owned());
        }
        self.entries(label.task.as_ref(), label.attempt)
    }

    /// Without a task it is the planner's.
    fn entries(&self, task: Option<&TaskId>, attempt: u32) -> Result<Entries, String> {
        let path = self.folder.join(task.map_or("_planner", TaskId::as_str)).join(format!("{attempt}.jsonl"));
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

/// What there was room for.
fn bounds(entries: &[(u32, Entry)]) -> Option<Bounds> {
    entries.iter().find_map(|(_, entry)| if let Entry::Start(start) = entry { start.bounds } else { None })
}

/// The room of whoever had the most: a plan is looked at before anybody has a conversation.
fn widest(transcripts: &Path) -> Option<Bounds> {
    let of_folder = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = of_folder(transcripts).flat_map(|task| of_folder(&task).collect::<Vec<_>>());
    files.filter_map(|path| bounds(&read_entries(&path).ok()?)).max_by_key(|bounds| bounds.window)
}

/// The turn of that number: all that was said before its answer, and the answer.
fn turn(entries: &[(u32, Entry)], number: u32) -> Result<Turn, String> {
    let (mut tools, mut asked, mut turns) = (Vec::new(), Vec::new(), 0);
    let mut longer = Vec::new();
    for (_, entry) in entries {
        match entry {
            Entry::Start(start) => tools.clone_from(&start.tools),
            Entry::Message(message) => asked.push(message.clone()),
            Entry::Answer(note) => {
                turns += 1;
                if turns == number
                    && let Some(Message::Assistant(said)) = asked.pop()
                {
                    return Ok(Turn { tools, asked, longer, said, note: *note });
                }
                longer.clear();
            }
            Entry::Compacted(shorter) => {
                longer.push(asked.clone());
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
                    if is_from_another(note) && is_question_about(&said, request.messages) {
                        return summed_up(note);
                    }
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

/// Whether somebody else than who had the conversation was asked, with its text.
fn is_from_another(note: &SummaryNote) -> bool {
    matches!(note.messages.first(), Some(Message::System { content }) if content == context::summary::SUMMARISER_SYSTEM.trim_end())
}

/// Whether these ask whoever had the conversation to sum it up. A recording is nobody else, so it is always asked like that.
fn is_question_about(said: &[Message], messages: &[Message]) -> bool {
    let ends = messages.len().saturating_sub(1)..=messages.len();
    ends.filter(|end| *end > 0 && *end <= said.len())
        .any(|end| difference(&context::summary::question(said, end), messages).is_none())
}

fn summed_up(note: &SummaryNote) -> Result<Answer, String> {
    let turn = note.answer.clone().ok_or_else(|| note.error.clone().unwrap_or_default())?;
    let finish = note.finish.unwrap_or(FinishReason::Stop);
    Ok(Answer { turn, finish, usage: Some(note.usage), repairs: Vec::new(), by: None })
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
        self.bounds.window
    }

    fn max_output(&self) -> u64 {
        self.bounds.max_output
    }

    fn context_budget(&self) -> Option<u64> {
        self.bounds.budget
    }

    fn price(&self) -> Option<Price> {
        Some(Price { hit: Money::default(), miss: Money::default(), write: None, output: Money::default() })
    }

    fn id(&self) -> &str {
        &self.record.name
    }

    fn as_recorded(&self, task: Option<&TaskId>, attempt: u32) -> Option<Arc<dyn Model>> {
        let bounds = self.record.entries(task, attempt).ok().and_then(|entries| bounds(&entries))?;
        Some(Arc::new(Self { record: Arc::clone(&self.record), bounds }))
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
        transcript::{Compacted, Start, Transcript},
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
        let start = Start { model: "p/m".into(), label: label(1), tools: vec![tool_value(&tool("look", "looks"))], bounds: None };
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

    /// The planner's first conversation, which was made shorter before its second turn: by a summary of its own, or of somebody else.
    fn record_shorter(folder: &Path, is_own: bool) -> Vec<Message> {
        let mut transcript = Transcript::create(&folder.join("transcripts/_planner/1.jsonl")).unwrap();
        let bounds = Some(Bounds { window: 900, max_output: 90, budget: Some(9) });
        let label = Label { role: Role::Planner, task: None, ..label(1) };
        let start = Entry::Start(Start { model: "p/m".into(), label, tools: Vec::new(), bounds });
        let talk = second("long");
        let question =
            if is_own { context::summary::question(&talk, 4) } else { context::summary::question_for_another(&talk, 4, 9_000) };
        let begun = if is_own { 4 } else { 0 };
        let answer = Some(AssistantTurn { text: "in short".into(), ..AssistantTurn::default() });
        let (messages, usage) = (question[begun..].to_vec(), Tokens::default());
        let note = SummaryNote { model: "p/s".into(), begun, messages, answer, error: None, finish: None, usage, paid: None };
        let replaced = vec![compaction::Replaced { from: 2, count: 2, with: vec![Message::user("go on")] }];
        let answered =
            AnswerNote { max_tokens: 9, finish: FinishReason::Stop, usage: Tokens::default(), estimated: false, paid: None };
        let said = |message: &Message| Entry::Message(message.clone());
        let mut entries = vec![start];
        entries.extend(talk[..3].iter().map(said).chain([Entry::Answer(answered), said(&talk[3])]));
        entries.push(Entry::Compacted(Compacted { replaced, asked: Some(note) }));
        entries.extend([said(&self::said("two")), Entry::Answer(answered)]);
        for entry in &entries {
            transcript.append(1, entry).unwrap();
        }
        transcript.flush().unwrap();
        talk
    }

    #[tokio::test]
    async fn a_conversation_that_was_made_shorter_is_so_again_whoever_had_summed_it_up() {
        for is_own in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let talk = record_shorter(folder.path(), is_own);
            let dialect = Dialect::Replay { folder: folder.path().to_owned() };
            let model = connect(ModelSettings::new("replay/run", dialect, "")).unwrap();
            let ask = async |role, turn, messages: &[Message]| {
                let label = Label { role, task: None, ..label(turn) };
                let request = Request { label: &label, messages, tools: &[], max_tokens: 5 };
                let answer = model.ask(&request, &|_| {}, &CancellationToken::new()).await;
                answer.map(|answer| answer.turn.text)
            };
            let question = context::summary::question(&talk, 4);
            assert_eq!(ask(Role::Summariser, 2, &question).await, Ok("in short".to_owned()));
            let other = context::summary::question(&second("other"), 4);
            assert!(matches!(ask(Role::Summariser, 2, &other).await, Err(ModelError::OffRecord { .. })));
            let shorter = [first(), vec![Message::user("go on")]].concat();
            assert_eq!(ask(Role::Planner, 2, &shorter).await, Ok("two".to_owned()));
            let refused = ask(Role::Planner, 2, &talk).await;
            assert!(matches!(refused, Err(ModelError::ContextTooLong { .. })), "a provider had refused it: {refused:?}");
            let room = |model: &dyn Model| (model.context_window(), model.max_output(), model.context_budget());
            assert_eq!(model.as_recorded(None, 1).map(|seated| room(&*seated)), Some((900, 90, Some(9))));
            assert_eq!((room(&*model), model.as_recorded(None, 2).is_none()), ((900, 90, Some(9)), true));
            assert_eq!(model.price().map(|price| price.of(Tokens { miss: 9, ..Tokens::default() })), Some(Money::default()));
        }
    }
}
