//! The transcript of an attempt: one JSON line for each thing that was said, in the order in which it was said.
//!
//! **Invariant:** what the model saw is in the transcript, byte for byte, and it is there before the model sees it.
//! **Invariant:** lines are only ever added. A line that a crash tore is left out when the file is read, and it can only be the last.
//!
//! Each line has a `version` and a `turn`, and one of: `start` (who was asked, with which tools), `message`, `answer` (what the
//! provider counted), `compacted` (what was replaced with what, to make room), `lost` (what a request took that brought no answer), `end` (how it went).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{Money, Tokens};

use crate::{
    context::compaction::{self, Replaced},
    model::{AssistantTurn, FinishReason, Label, Message, Model, ToolCall},
    tool::ToolSpec,
};

const VERSION: u32 = 1;

/// What one line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The head: who asks whom, and what may be called.
    Start(Start),
    /// Something that was said.
    Message(Message),
    /// What an answer took.
    Answer(AnswerNote),
    /// The conversation was made shorter.
    Compacted(Compacted),
    /// What a request took that brought no answer. One that took nothing has no line.
    Lost(Paid),
    /// How the attempt ended, in one line for people.
    End(String),
}

/// The head of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// `provider/model`.
    pub model: String,
    /// Whose attempt it is.
    pub label: Label,
    /// The tools as the model sees them.
    pub tools: Vec<Value>,
    /// What the model has room for: a replay makes the conversation shorter where this one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
}

/// How long requests and answers of a model may be, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// A request and its answer together.
    pub window: u64,
    /// One answer.
    pub max_output: u64,
    /// From where on a conversation is made shorter, where the configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
}

impl Bounds {
    /// A model's.
    pub fn of(model: &dyn Model) -> Self {
        Self { window: model.context_window(), max_output: model.max_output(), budget: model.context_budget() }
    }
}

/// What an answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerNote {
    /// How much the model was allowed to write.
    pub max_tokens: u64,
    /// Why it stopped.
    pub finish: FinishReason,
    /// What the try took that it came from.
    pub usage: Tokens,
    /// Whether that was estimated from bytes, the provider having counted nothing.
    pub estimated: bool,
    /// What all tries took; old transcripts do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Paid>,
}

/// What was paid for a request, over all its tries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// What they took.
    pub tokens: Tokens,
    /// What that cost; none where nobody knew the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

/// How a conversation was made shorter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// What was replaced, in the order of the conversation as it stood on the lines before.
    pub replaced: Vec<Replaced>,
    /// Who was asked for a summary, if anybody was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<SummaryNote>,
}

/// A request for a summary: it saw the first messages of the conversation, then these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryNote {
    /// `provider/model`.
    pub model: String,
    /// How many messages of the conversation it began with.
    pub begun: usize,
    /// What came after them.
    pub messages: Vec<Message>,
    /// The answer, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AssistantTurn>,
    /// Why the answer ended; old transcripts do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it took.
    pub usage: Tokens,
    /// The same with its cost; old transcripts do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Paid>,
}

#[derive(Serialize, Deserialize)]
struct Line<E> {
    version: u32,
    turn: u32,
    #[serde(flatten)]
    entry: E,
}

/// A transcript being written.
#[derive(Debug)]
pub struct Transcript {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Transcript {
    /// Begins a transcript in a new file, with the folders above it.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned() })
    }

    /// Opens a transcript to go on with it. A line that a crash tore is cut off.
    pub fn reopen(path: &Path) -> io::Result<Self> {
        let text = fs::read(path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let file = OpenOptions::new().append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned() })
    }

    /// Adds a line. It is on its way to the disk after the next [`flush`](Self::flush).
    pub fn append(&mut self, turn: u32, entry: &Entry) -> io::Result<()> {
        self.line(turn, entry)
    }

    /// Adds a message, without taking it.
    pub fn append_message(&mut self, turn: u32, message: &Message) -> io::Result<()> {
        #[derive(Serialize)]
        struct Said<'a> {
            message: &'a Message,
        }
        self.line(turn, Said { message })
    }

    fn line(&mut self, turn: u32, entry: impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, &Line { version: VERSION, turn, entry })?;
        self.file.write_all(b"\n")
    }

    /// One whose lines go nowhere: every write fails when it is flushed.
    #[cfg(test)]
    pub(crate) fn unwritable(path: &Path) -> Self {
        File::create(path).unwrap();
        Self { file: BufWriter::new(File::open(path).unwrap()), path: path.to_owned() }
    }

    /// Hands all lines to the system: from here on they outlive this process.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// All lines of a transcript with their turns, without a torn last one.
pub fn read_entries(path: &Path) -> io::Result<Vec<(u32, Entry)>> {
    let text = fs::read(path)?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let mut entries = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_slice::<Line<Entry>>(line) {
            Ok(line) if line.version == VERSION => entries.push((line.turn, line.entry)),
            Ok(line) => {
                return Err(damaged(path, place, &format!("its version is {}, and only {VERSION} is known", line.version)));
            }
            Err(_) if place + 1 == lines.len() => {}
            Err(error) => return Err(damaged(path, place, &error.to_string())),
        }
    }
    Ok(entries)
}

/// The conversation that a transcript holds, ready to be gone on with: as it is after it was made shorter, and with calls that were
/// never answered, because the attempt was stopped in the middle of them, answered as interrupted.
pub fn read(path: &Path) -> io::Result<Vec<Message>> {
    Ok(messages_of(path, read_entries(path)?)?.0)
}

/// The same of lines that were read already, and how many of the messages stand in the file.
pub(crate) fn messages_of(path: &Path, entries: Vec<(u32, Entry)>) -> io::Result<(Vec<Message>, usize)> {
    let mut messages = Vec::new();
    for (_, entry) in entries {
        match entry {
            Entry::Message(message) => messages.push(message),
            Entry::Compacted(Compacted { replaced, .. }) => {
                let applied = compaction::apply(&mut messages, &replaced);
                applied.map_err(|why| wrong(format!("{} cannot be read: {why}", path.display())))?;
            }
            Entry::Start(_) | Entry::Answer(_) | Entry::Lost(_) | Entry::End(_) => {}
        }
    }
    let written = messages.len();
    Ok((with_open_calls_answered(messages), written))
}

/// The calls that stand answered as interrupted at the end of a conversation.
pub(crate) fn interrupted(messages: &[Message]) -> impl Iterator<Item = &ToolCall> {
    let is_result = |message: &&Message| matches!(message, Message::Tool { .. });
    let results = messages.iter().rev().take_while(is_result).count();
    let (before, results) = messages.split_at(messages.len() - results);
    let calls = match before.last() {
        Some(Message::Assistant(turn)) => turn.calls.as_slice(),
        _ => &[],
    };
    let is_open = |id: &str| {
        results
            .iter()
            .any(|result| matches!(result, Message::Tool { call_id, content, .. } if call_id == id && content == INTERRUPTED))
    };
    calls.iter().filter(move |call| is_open(&call.id))
}

fn with_open_calls_answered(said: Vec<Message>) -> Vec<Message> {
    let mut messages = Vec::with_capacity(said.len());
    let mut open: Vec<(String, String)> = Vec::new();
    let close = |messages: &mut Vec<Message>, open: &mut Vec<(String, String)>| {
        messages.extend(open.drain(..).map(|(call_id, name)| Message::Tool { call_id, name, content: INTERRUPTED.to_owned() }));
    };
    for message in said {
        match &message {
            Message::Tool { call_id, .. } => open.retain(|(id, _)| id != call_id),
            _ => close(&mut messages, &mut open),
        }
        if let Message::Assistant(turn) = &message {
            open.extend(turn.calls.iter().map(|call| (call.id.clone(), call.name.clone())));
        }
        messages.push(message);
    }
    close(&mut messages, &mut open);
    messages
}

const INTERRUPTED: &str = "The attempt was interrupted before this call was answered. Whether it took effect is not known: look.";

fn damaged(path: &Path, place: usize, why: &str) -> io::Error {
    wrong(format!("line {} of {} cannot be read: {why}", place + 1, path.display()))
}

fn wrong(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A tool as it is kept: as the model sees it.
pub(crate) fn tool_value(tool: &ToolSpec) -> Value {
    serde_json::json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters})
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::model::testing::label;

    fn conversation() -> Vec<Message> {
        let call = |id: &str| ToolCall { id: id.into(), name: "read_file".into(), arguments: "{\"a\": ".into() };
        let turn = AssistantTurn {
            text: "é\n".into(),
            reasoning: Some(String::new()),
            calls: vec![call("c1"), call("c2")],
            opaque: None,
        };
        let result = Message::Tool { call_id: "c1".into(), name: "read_file".into(), content: "\u{0}\u{2028}".into() };
        vec![Message::system("s"), Message::user("u"), Message::Assistant(turn), result]
    }

    fn written(folder: &Path) -> PathBuf {
        let path = folder.join("deep/attempt.jsonl");
        let mut transcript = Transcript::create(&path).unwrap();
        let tools = vec![tool_value(&ToolSpec { name: "t", description: "d", parameters: serde_json::json!({}) })];
        transcript.append(0, &Entry::Start(Start { model: "p/m".into(), label: label(0), tools, bounds: None })).unwrap();
        for message in conversation() {
            transcript.append(1, &Entry::Message(message)).unwrap();
        }
        let note =
            AnswerNote { max_tokens: 9, finish: FinishReason::ToolCalls, usage: Tokens::default(), estimated: true, paid: None };
        transcript.append(1, &Entry::Answer(note)).unwrap();
        transcript.append(1, &Entry::End("cancelled".into())).unwrap();
        transcript.flush().unwrap();
        path
    }

    #[test]
    fn a_transcript_is_lines_that_people_and_programs_can_read() {
        let folder = tempfile::tempdir().unwrap();
        expect![[r#"
            {"version":1,"turn":0,"start":{"model":"p/m","label":{"run":"abcdefgh","role":"worker","task":"money","attempt":1,"turn":0},"tools":[{"description":"d","name":"t","parameters":{}}]}}
            {"version":1,"turn":1,"message":{"role":"system","content":"s"}}
            {"version":1,"turn":1,"message":{"role":"user","content":"u"}}
            {"version":1,"turn":1,"message":{"role":"assistant","content":"é\n","reasoning":"","calls":[{"id":"c1","name":"read_file","arguments":"{\"a\": "},{"id":"c2","name":"read_file","arguments":"{\"a\": "}]}}
            {"version":1,"turn":1,"message":{"role":"tool","call_id":"c1","name":"read_file","content":"\u0000 "}}
            {"version":1,"turn":1,"answer":{"max_tokens":9,"finish":"tool_calls","usage":{"hit":0,"miss":0,"output":0},"estimated":true}}
            {"version":1,"turn":1,"end":"cancelled"}
        "#]].assert_eq(&fs::read_to_string(written(folder.path())).unwrap());
    }

    #[test]
    fn a_conversation_is_read_back_as_it_was_with_open_calls_answered() {
        let folder = tempfile::tempdir().unwrap();
        let mut expected = conversation();
        expected.push(Message::Tool { call_id: "c2".into(), name: "read_file".into(), content: INTERRUPTED.into() });
        assert_eq!(read(&written(folder.path())).unwrap(), expected);
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_damage_elsewhere_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let whole = fs::read_to_string(&path).unwrap();
        let count = read_entries(&path).unwrap().len();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(read_entries(&path).unwrap().len(), count - 1);
        fs::write(&path, whole.replacen("\"turn\":1", "\"turn\":", 1)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of "), "{error}");
    }

    #[test]
    fn a_transcript_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        assert_eq!(Transcript::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
