//! What the tests of this crate say about models: labels, settings, and a model that plays a list of answers.

use std::{collections::VecDeque, sync::Mutex};

use futures_util::future::BoxFuture;
use shared::{Price, RunId, TaskId, Tokens};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, AssistantTurn, Dialect, FinishReason, Label, Message, Model, ModelError, ModelSettings, OnDelta, Request, Role,
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
