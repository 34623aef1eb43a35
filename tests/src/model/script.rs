//! What a scripted model says: turns by role, task and attempt.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One answer of the model.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    pub(super) text: String,
    pub(super) calls: Vec<(String, Value)>,
    pub(super) tokens: Option<u64>,
    pub(super) cached: u64,
}

impl Turn {
    /// One more tool call in the same answer.
    #[must_use]
    pub fn and(mut self, other: Turn) -> Self {
        self.calls.extend(other.calls);
        self
    }

    /// The answer is said to have taken so many tokens.
    #[must_use]
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// So many tokens of the prompt are said to have been cached.
    #[must_use]
    pub fn cached(mut self, tokens: u64) -> Self {
        self.cached = tokens;
        self
    }
}

/// Words alone.
pub fn say(text: &str) -> Turn {
    Turn { text: text.to_owned(), ..Turn::default() }
}

/// A tool call.
pub fn call(tool: &str, arguments: Value) -> Turn {
    Turn { calls: vec![(tool.to_owned(), arguments)], ..Turn::default() }
}

/// `write_file`.
pub fn write(path: &str, content: &str) -> Turn {
    call("write_file", json!({ "path": path, "content": content }))
}

/// `run_command`.
pub fn command(text: &str) -> Turn {
    call("run_command", json!({ "command": text, "timeout_s": null }))
}

/// `finish` as done.
pub fn finish(summary: &str) -> Turn {
    hand_off(summary, "")
}

/// `finish` as done, with something for the tasks that come after.
pub fn hand_off(summary: &str, text: &str) -> Turn {
    call("finish", json!({ "status": "done", "summary": summary, "hand_off": text, "follow_ups": [] }))
}

/// `submit_plan`, with a plan in the short form.
#[track_caller]
pub fn plan(text: &str) -> Turn {
    call("submit_plan", crate::plan_json(text))
}

/// `edit_plan`.
pub fn edits(edits: &Value) -> Turn {
    call("edit_plan", json!({ "edits": edits }))
}

/// All answers. An attempt that is not listed plays the highest one below it, from its beginning.
#[derive(Debug, Clone, Default)]
pub struct Script {
    planner: BTreeMap<u32, Vec<Turn>>,
    mender: Vec<Turn>,
    tasks: BTreeMap<String, BTreeMap<u32, Vec<Turn>>>,
}

impl Script {
    /// Nobody says anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// The planner's conversation of this number.
    #[must_use]
    pub fn planner(mut self, conversation: u32, turns: impl IntoIterator<Item = Turn>) -> Self {
        self.planner.insert(conversation, turns.into_iter().collect());
        self
    }

    /// Every conversation in which the planner is to mend a plan, whatever its number: how many there were before depends on where a process
    /// was killed.
    #[must_use]
    pub fn mender(mut self, turns: impl IntoIterator<Item = Turn>) -> Self {
        self.mender = turns.into_iter().collect();
        self
    }

    /// An attempt at a task.
    #[must_use]
    pub fn worker(mut self, task: &str, attempt: u32, turns: impl IntoIterator<Item = Turn>) -> Self {
        self.tasks.entry(task.to_owned()).or_default().insert(attempt, turns.into_iter().collect());
        self
    }

    /// The turn of a planner that is to mend a plan, if the script has such turns.
    pub(super) fn mending(&self, turn: usize) -> Option<&Turn> {
        self.mender.get(turn)
    }

    /// The turn, counted from 0; `task` is none for the planner.
    pub(super) fn turn(&self, task: Option<&str>, attempt: u32, turn: usize) -> Option<&Turn> {
        let attempts = task.map_or(Some(&self.planner), |task| self.tasks.get(task))?;
        attempts.range(..=attempt).next_back()?.1.get(turn)
    }
}
