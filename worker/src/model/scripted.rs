//! A model that reads from a script: for tests and demos.
//!
//! ```json
//! {"version": 1,
//!  "planner": {"1": [{"calls": [{"tool": "submit_plan", "arguments": {}}]}]},
//!  "tasks": {"money-type": {"1": [{"say": "Done.", "calls": [{"tool": "finish", "arguments": {}}]}]}}}
//! ```
//!
//! The turn is found by role, task, attempt and turn, and by nothing else: the model keeps no place in the script, so attempts may
//! run at once, be cancelled or start over. An attempt that is not listed plays the highest one below it.

use std::{collections::BTreeMap, fs, path::Path, path::PathBuf, time::Duration};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use shared::{Price, TaskId, Tokens};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, AssistantTurn, Delta, FinishReason, Label, Message, Model, ModelError, ModelSettings, OnDelta, Request, Role,
    ToolCall, estimate_tokens, tool_bytes,
};

/// What every summary says: a script knows what is to come, and needs to be told nothing of what has been.
const SUMMARY: &str = "The script goes on where it was.";

type Attempts = BTreeMap<u32, Vec<Turn>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    version: u32,
    #[serde(default)]
    planner: Attempts,
    #[serde(default)]
    tasks: BTreeMap<TaskId, Attempts>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    #[serde(default)]
    say: String,
    #[serde(default)]
    calls: Vec<Call>,
    reasoning: Option<String>,
    usage: Option<Tokens>,
    #[serde(default)]
    delay_ms: u64,
    error: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    tool: String,
    arguments: Value,
}

/// A script, read.
pub struct Scripted {
    path: PathBuf,
    script: Script,
    name: String,
    price: Option<Price>,
    context_window: u64,
    max_output: u64,
}

impl Scripted {
    /// Reads the file.
    pub fn read(path: &Path, settings: &ModelSettings) -> Result<Self, ModelError> {
        let wrong = |why: String| ModelError::Script { path: path.to_owned(), why };
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let script: Script = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if script.version != 1 {
            return Err(wrong(format!("it has version {}, and only 1 is known", script.version)));
        }
        let ModelSettings { name, price, context_window, max_output, .. } = settings.clone();
        Ok(Self { path: path.to_owned(), script, name, price, context_window, max_output })
    }

    fn turn(&self, label: &Label) -> Result<&Turn, ModelError> {
        let off = |why: String| {
            let (path, whose) = (self.path.clone(), label.whose());
            ModelError::OffScript { path, whose, attempt: label.attempt, turn: label.turn, why }
        };
        let attempts = match (&label.role, &label.task) {
            (Role::Planner, _) => Some(&self.script.planner),
            (_, task) => task.as_ref().and_then(|task| self.script.tasks.get(task)),
        };
        let attempts = attempts.ok_or_else(|| off("it does not mention it".to_owned()))?;
        let (attempt, turns) =
            attempts.range(..=label.attempt).next_back().ok_or_else(|| off("it has no attempt so early".to_owned()))?;
        let place = usize::try_from(label.turn).ok().and_then(|turn| turn.checked_sub(1));
        place.and_then(|place| turns.get(place)).ok_or_else(|| off(format!("attempt {attempt} has {} turns", turns.len())))
    }

    async fn play(&self, request: &Request<'_>, on_delta: &OnDelta<'_>) -> Result<Answer, ModelError> {
        if request.label.role == Role::Summariser {
            let turn = Turn { say: SUMMARY.to_owned(), ..Turn::default() };
            return Ok(turn.answer(request));
        }
        let turn = self.turn(request.label)?;
        if turn.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(turn.delay_ms)).await;
        }
        if let Some(said) = &turn.error {
            return Err(ModelError::Scripted { said: said.clone() });
        }
        let answer = turn.answer(request);
        on_delta(Delta::Text(&answer.turn.text));
        Ok(answer)
    }
}

impl Turn {
    fn answer(&self, request: &Request<'_>) -> Answer {
        let calls = self.calls.iter().enumerate().map(|(place, call)| ToolCall {
            id: format!("call_{}_{}", request.label.turn, place + 1),
            name: call.tool.clone(),
            arguments: call.arguments.to_string(),
        });
        let turn =
            AssistantTurn { text: self.say.clone(), reasoning: self.reasoning.clone(), calls: calls.collect(), opaque: None };
        let finish = if turn.calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        let usage = self.usage.unwrap_or_else(|| usage(request, &turn));
        Answer { turn, finish, usage: Some(usage), repairs: Vec::new(), by: None }
    }
}

/// What a provider with a perfect cache would have counted: all up to the last answer is a hit.
fn usage(request: &Request<'_>, turn: &AssistantTurn) -> Tokens {
    let bytes = |messages: &[Message]| messages.iter().map(Message::bytes).sum::<u64>();
    let known = request.messages.iter().rposition(|message| matches!(message, Message::Assistant(_)));
    let (old, new) = request.messages.split_at(known.map_or(0, |place| place + 1));
    let tools = tool_bytes(request.tools);
    let (hit, miss) = if old.is_empty() { (0, bytes(new) + tools) } else { (bytes(old) + tools, bytes(new)) };
    Tokens { hit: estimate_tokens(hit), miss: estimate_tokens(miss), write: 0, output: estimate_tokens(turn.bytes() as u64) }
}

impl Model for Scripted {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            let answer = cancel.run_until_cancelled(self.play(request, on_delta)).await;
            answer.unwrap_or(Err(ModelError::Cancelled))
        })
    }

    fn context_window(&self) -> u64 {
        self.context_window
    }

    fn max_output(&self) -> u64 {
        self.max_output
    }

    fn price(&self) -> Option<Price> {
        self.price
    }

    fn id(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::{Dialect, connect, testing::label};

    const SCRIPT: &str = r#"{"version": 1,
        "planner": {"1": [{"say": "a plan"}]},
        "tasks": {"a": {
            "1": [{"say": "one", "calls": [{"tool": "finish", "arguments": {"status": "done"}}]}],
            "3": [{"say": "three", "delay_ms": 60000, "usage": {"hit": 1, "miss": 2, "output": 3}}, {"error": "out of wits"}]}}}"#;

    /// `planner 1 1` or `TASK ATTEMPT TURN`.
    async fn play(script: &str, who: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(script.as_bytes()).unwrap();
        let path = file.path().to_owned();
        let tidy = |text: String| text.replace(&path.display().to_string(), "FILE");
        let model = match connect(ModelSettings::new("scripted/demo", Dialect::Scripted { path: path.clone() }, "")) {
            Ok(model) => model,
            Err(error) => return tidy(error.in_full()),
        };
        let words: Vec<&str> = who.split(' ').collect();
        let role = if words[0] == "planner" { Role::Planner } else { Role::Worker };
        let task = (role == Role::Worker).then(|| TaskId::new(words[0]).unwrap());
        let label = Label { role, task, attempt: words[1].parse().unwrap(), turn: words[2].parse().unwrap(), ..label(1) };
        let messages = [Message::user("hello")];
        let request = Request { label: &label, messages: &messages, tools: &[], max_tokens: 9 };
        match model.ask(&request, &|_| {}, &CancellationToken::new()).await {
            Ok(answer) => format!("{:?} {:?} {:?}", answer.turn.text, answer.turn.calls, answer.usage.unwrap()),
            Err(error) => tidy(error.to_string()),
        }
    }

    async fn check(script: &str, who: &[&str], expected: Expect) {
        let mut seen = String::new();
        for who in who {
            seen = seen + who + ": " + &play(script, who).await + "\n";
        }
        expected.assert_eq(&seen);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_found_by_role_task_attempt_and_turn() {
        check(SCRIPT, &["planner 1 1", "a 1 1", "a 2 1", "a 3 1", "a 9 1"], expect![[r#"
            planner 1 1: "a plan" [] Tokens { hit: 0, miss: 12, write: 0, output: 2 }
            a 1 1: "one" [ToolCall { id: "call_1_1", name: "finish", arguments: "{\"status\":\"done\"}" }] Tokens { hit: 0, miss: 12, write: 0, output: 11 }
            a 2 1: "one" [ToolCall { id: "call_1_1", name: "finish", arguments: "{\"status\":\"done\"}" }] Tokens { hit: 0, miss: 12, write: 0, output: 11 }
            a 3 1: "three" [] Tokens { hit: 1, miss: 2, write: 0, output: 3 }
            a 9 1: "three" [] Tokens { hit: 1, miss: 2, write: 0, output: 3 }
        "#]]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_script_lacks_is_named() {
        check(
            SCRIPT,
            &["planner 1 2", "a 2 2", "a 3 2", "b 1 1", "a 0 1", "a 1 0"],
            expect![[r"
            planner 1 2: the script FILE has no turn 2 for the planner, attempt 1: attempt 1 has 1 turns
            a 2 2: the script FILE has no turn 2 for task a, attempt 2: attempt 1 has 1 turns
            a 3 2: the script says: out of wits
            b 1 1: the script FILE has no turn 1 for task b, attempt 1: it does not mention it
            a 0 1: the script FILE has no turn 1 for task a, attempt 0: it has no attempt so early
            a 1 0: the script FILE has no turn 0 for task a, attempt 1: attempt 1 has 1 turns
        "]],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_script_that_does_not_read_says_where() {
        check(r#"{"version": 1, "task": {}}"#, &["a 1 1"], expect![[r"
            a 1 1: the script FILE cannot be used: unknown field `task`, expected one of `version`, `planner`, `tasks` at line 1 column 21. Correct the script.
        "]]).await;
        check(
            r#"{"version": 2}"#,
            &["a 1 1"],
            expect![[r"
            a 1 1: the script FILE cannot be used: it has version 2, and only 1 is known. Correct the script.
        "]],
        )
        .await;
    }
}
