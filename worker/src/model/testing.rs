//! What the tests of this crate say about models: labels, settings, and a model that plays a list of answers.

use std::{collections::VecDeque, sync::Mutex};

use futures_util::future::BoxFuture;
use shared::{Price, RunId, TaskId, Tokens};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, AssistantTurn, Delta, Dialect, FinishReason, Label, Message, Model, ModelError, ModelSettings, OnDelta, Request,
    Role,
    reader::Reader,
    wire::{Ending, wire},
};

pub(crate) fn label(turn: u32) -> Label {
    let run = RunId::new("abcdefgh").unwrap();
    Label { run, role: Role::Worker, task: Some(TaskId::new("money").unwrap()), attempt: 1, turn }
}

pub(crate) fn settings(base_url: &str) -> ModelSettings {
    ModelSettings::new("test/model", Dialect::OpenAiChat, base_url)
}

pub(crate) fn text(text: &str) -> Answer {
    let turn = AssistantTurn { text: text.into(), ..AssistantTurn::default() };
    Answer {
        turn,
        finish: FinishReason::Stop,
        usage: Some(Tokens { hit: 0, miss: 10, write: 0, output: 1 }),
        repairs: Vec::new(),
        by: None,
    }
}

/// What came of a body.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) answer: Result<Answer, ModelError>,
    /// The deltas on the way, by kind.
    pub(crate) heard: [String; 3],
    /// What the provider had counted in the end, whether it came to an answer or not.
    pub(crate) counted: Option<Tokens>,
}

/// Reads a body in pieces, the third turn of a conversation of an entry called `test`.
pub(crate) fn read<'a>(dialect: &Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (heard, counted) = (Mutex::new(<[String; 3]>::default()), Mutex::new(None));
    let on_delta = |delta: Delta<'_>| {
        let (place, text) = match delta {
            Delta::Text(text) => (0, text),
            Delta::Reasoning(text) => (1, text),
            Delta::Arguments(text) => (2, text),
            Delta::Counted(tokens) => return *counted.lock().unwrap() = Some(tokens),
            _ => return,
        };
        heard.lock().unwrap()[place].push_str(text);
    };
    let mut reader = Reader::new(wire(dialect).unwrap());
    let pushed = pieces.into_iter().try_for_each(|piece| reader.push(piece, &on_delta).map(drop));
    let settings = ModelSettings::new("test/model", dialect.clone(), "");
    let request = Request { label: &label(3), messages: &[], tools: &[], max_tokens: 9 };
    let answer = pushed.and_then(|()| reader.finish(&mut Ending::of(&settings, &request), &on_delta));
    Read { answer, heard: heard.into_inner().unwrap(), counted: counted.into_inner().unwrap() }
}

/// What came of a body, in a line; it is the same whole and in pieces of three bytes.
pub(crate) fn show(dialect: &Dialect, body: &str) -> String {
    let whole = read(dialect, [body.as_bytes()]);
    assert_eq!(read(dialect, body.as_bytes().chunks(3)), whole, "the pieces do not matter");
    if let Ok(answer) = &whole.answer {
        assert_eq!(whole.counted, answer.usage, "what was counted is told on the way");
    }
    match whole.answer {
        Err(error) => format!("{}: {error}\n", if error.is_transient() { "again" } else { "error" }),
        Ok(Answer { turn, finish, usage, .. }) => {
            let reasoning = turn.reasoning.map(|r| format!(" thought {r:?}")).unwrap_or_default();
            let calls: Vec<_> = turn.calls.iter().map(|c| format!(" {}={}({})", c.id, c.name, c.arguments)).collect();
            let calls = calls.concat();
            let write = |usage: &Tokens| if usage.write > 0 { format!("w{}", usage.write) } else { String::new() };
            let usage = usage.map(|u| format!(" {}+{}{}+{}", u.hit, u.miss, write(&u), u.output)).unwrap_or_default();
            let blocks =
                turn.opaque.map(|o| format!(" {} {}", o.provider, serde_json::Value::Array(o.blocks))).unwrap_or_default();
            format!("{finish:?} {:?}{reasoning}{calls}{usage}{blocks}\n", turn.text)
        }
    }
}

/// Plays its answers in order, and keeps what it was asked.
pub(crate) struct Answers {
    coming: Mutex<VecDeque<Result<Answer, ModelError>>>,
    requests: Mutex<Vec<(Vec<Message>, u64)>>,
    pub(crate) price: Option<Price>,
    pub(crate) window: u64,
}

impl Answers {
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<Answer, ModelError>>) -> Self {
        let coming = Mutex::new(answers.into_iter().collect());
        Self { coming, requests: Mutex::default(), price: None, window: 1_000_000 }
    }

    pub(crate) fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The conversation, and `max_tokens`, of each request.
    pub(crate) fn requests(&self) -> Vec<(Vec<Message>, u64)> {
        self.requests.lock().unwrap().clone()
    }
}

impl Model for Answers {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        _: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            self.requests.lock().unwrap().push((request.messages.to_vec(), request.max_tokens));
            let next = self.coming.lock().unwrap().pop_front();
            if let Some(answer) = next {
                answer
            } else {
                cancel.cancelled().await;
                Err(ModelError::Cancelled)
            }
        })
    }

    fn context_window(&self) -> u64 {
        self.window
    }

    fn max_output(&self) -> u64 {
        4_096
    }

    fn price(&self) -> Option<Price> {
        self.price
    }

    fn id(&self) -> &'static str {
        "test/answers"
    }
}
