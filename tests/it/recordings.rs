//! Recordings of real servers, and what an independent parser makes of each: the clients must make the same of them.
//!
//! They are too large, and too much other people's, to carry along. They lie in the folder that `INSPAN_STREAMS` names, or in
//! `../shared/streams` beside the workspace; where there are none, the test is listed as ignored.
//!
//! **Invariant:** nothing is skipped in silence. An entry that we read otherwise stands in [`disputed`], with the reason.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use shared::{RunId, Tokens};
use worker::model::{
    Answer, Dialect, FinishReason, Label, ModelError, ModelSettings, Request, Role, ToolCall, fault,
    reader::Reader,
    wire::{Ending, wire},
};

/// Why we read an entry otherwise, if we do.
fn disputed(entry: &Value) -> Option<&'static str> {
    match entry["api"].as_str()? {
        "ollama-native" => Some("Ollama's own protocol is no dialect of ours: its OpenAI-compatible one offers the same models"),
        _ => None,
    }
}

fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/streams");
    env::var_os("INSPAN_STREAMS").map_or(beside, PathBuf::from)
}

#[test]
#[cfg_attr(without_streams, ignore = "needs recordings: a folder in INSPAN_STREAMS, or ../shared/streams")]
fn recordings_of_real_servers_are_read_as_an_independent_parser_reads_them() {
    let manifest: Value = serde_json::from_slice(&fs::read(folder().join("manifest.json")).unwrap()).unwrap();
    let (mut wrong, mut said) = (String::new(), String::new());
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for entry in manifest["entries"].as_array().unwrap() {
        let (id, api) = (entry["id"].as_str().unwrap(), entry["api"].as_str().unwrap());
        let count = counts.entry(api).or_default();
        count.1 += 1;
        match (difference(entry), disputed(entry)) {
            (None, None) => count.0 += 1,
            (Some(_), Some(why)) => writeln!(said, "disputed: {id}: {why}").unwrap(),
            (Some(difference), None) => writeln!(wrong, "{id}: {difference}").unwrap(),
            (None, Some(_)) => writeln!(wrong, "{id}: is no longer disputed").unwrap(),
        }
    }
    for (api, (same, all)) in counts {
        writeln!(said, "{api}: {same} of {all} recordings are read as expected").unwrap();
    }
    let _ = write!(std::io::stderr(), "{said}");
    assert!(wrong.is_empty(), "\n{said}{wrong}");
}

/// What we read otherwise than expected.
fn difference(entry: &Value) -> Option<String> {
    let dialect = match entry["api"].as_str().unwrap_or_default() {
        "openai-chat" => Dialect::OpenAiChat,
        "openai-responses" => Dialect::OpenAiResponses,
        "anthropic-messages" => Dialect::AnthropicMessages,
        other => return Some(format!("`{other}` is no dialect of ours")),
    };
    let body = fs::read(folder().join(entry["file"].as_str().unwrap_or_default())).expect("the file that the entry names");
    let status = entry["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    let expected = &entry["expected"];
    if status >= 400 {
        return refusal(status, expected, &body);
    }
    let whole = read(&dialect, &body, usize::MAX);
    if [1, 7].into_iter().any(|piece| read(&dialect, &body, piece) != whole) {
        return Some("the pieces matter".to_owned());
    }
    match whole {
        Err(_) if is_no_answer(entry, &body) => None,
        Err(error) => Some(format!("an error, {error}")),
        Ok(_) if is_no_answer(entry, &body) => Some("an answer".to_owned()),
        Ok(answer) => answer_differs(&dialect, &answer, expected),
    }
}

/// A body that an error or its end cut short is no answer, however much of one the parser found in it.
fn is_no_answer(entry: &Value, body: &[u8]) -> bool {
    let expected = &entry["expected"];
    let given_up = ["error", "abort", "insufficient_system_resource", "failed", "cancelled"];
    let is_given_up = expected["finish_reason"].as_str().is_some_and(|reason| given_up.contains(&reason));
    !expected["error"].is_null() || is_given_up || (expected["finish_reason"].is_null() && !is_ended_by_done(entry, body))
}

/// Some servers of the chat dialect end a stream without a reason, and some answer without one.
fn is_ended_by_done(entry: &Value, body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    let is_done = |line: &str| line.strip_prefix("data:").is_some_and(|data| data.trim() == "[DONE]");
    entry["api"] == "openai-chat" && (body.lines().any(is_done) || body.trim_start().starts_with('{'))
}

fn read(dialect: &Dialect, body: &[u8], piece: usize) -> Result<Answer, ModelError> {
    let label =
        Label { run: RunId::new("abcdefgh").expect("eight letters"), role: Role::Worker, task: None, attempt: 1, turn: 1 };
    let request = Request { label: &label, messages: &[], tools: &[], max_tokens: 9 };
    let settings = ModelSettings::new("recorded/model", dialect.clone(), "");
    let mut reader = Reader::new(wire(dialect).expect("a dialect that servers speak"));
    for bytes in body.chunks(piece) {
        reader.push(bytes, &|_| {})?;
    }
    reader.finish(&mut Ending::of(&settings, &request), &|_| {})
}

fn refusal(status: u16, expected: &Value, body: &[u8]) -> Option<String> {
    let error = fault::of_body(status, body);
    let fits = match status {
        401 | 403 => matches!(error, ModelError::Unauthorized { .. }),
        402 => matches!(error, ModelError::NoBalance { .. }),
        429 => matches!(error, ModelError::RateLimited { .. } | ModelError::NoBalance { .. }),
        408 | 409 | 425 | 500.. => matches!(error, ModelError::Overloaded { .. }),
        _ => matches!(error, ModelError::BadRequest { .. } | ModelError::ContextTooLong { .. }),
    };
    let said = [&expected["error"]["message"], &expected["error"]["detail"], &expected["error"]];
    let said: String = said.into_iter().find_map(Value::as_str).unwrap_or_default().chars().take(60).collect();
    let shows = said.starts_with('<') || error.to_string().contains(said.trim());
    (!fits || !shows).then(|| format!("{error:?}"))
}

fn answer_differs(dialect: &Dialect, answer: &Answer, expected: &Value) -> Option<String> {
    let text = |key: &str| expected[key].as_str().unwrap_or_default();
    let spoken = if text("text").is_empty() { text("refusal") } else { text("text") };
    if answer.turn.text != spoken {
        return Some(format!("text {:?}", answer.turn.text));
    }
    if answer.turn.reasoning.as_deref().unwrap_or_default() != text("reasoning") {
        return Some(format!("reasoning {:?}", answer.turn.reasoning));
    }
    let calls = expected["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    let finish = match text("finish_reason") {
        "length" | "max_tokens" | "model_context_window_exceeded" | "incomplete:max_output_tokens" => FinishReason::Length,
        "content_filter" | "refusal" | "incomplete:content_filter" => FinishReason::Filtered,
        "" => FinishReason::Unsaid,
        _ if calls.is_empty() => FinishReason::Stop,
        _ => FinishReason::ToolCalls,
    };
    if answer.finish != finish {
        return Some(format!("finish {:?}", answer.finish));
    }
    if answer.turn.calls.len() != calls.len() || !answer.turn.calls.iter().zip(calls).all(is_same_call) {
        return Some(format!("calls {:?}", answer.turn.calls));
    }
    let usage = tokens(dialect, &expected["usage"]);
    (answer.usage != usage).then(|| format!("usage {:?} instead of {usage:?}", answer.usage))
}

/// Arguments that the parser could not read are no object for us either: such a call is never carried out.
fn is_same_call((ours, theirs): (&ToolCall, &Value)) -> bool {
    let id = theirs["id"].as_str().unwrap_or_default();
    let json: Value = serde_json::from_str(&ours.arguments).unwrap_or_default();
    let is_object = serde_json::from_str::<Map<String, Value>>(&ours.arguments).is_ok();
    let arguments = ours.arguments == theirs["arguments"].as_str().unwrap_or_default() || json == theirs["arguments_json"];
    ours.name == theirs["name"]
        && arguments
        && (id.is_empty() || ours.id == id)
        && !(is_object && theirs["arguments_json"].is_null())
}

const HITS: [&str; 4] =
    ["/prompt_cache_hit_tokens", "/prompt_tokens_details/cached_tokens", "/input_tokens_details/cached_tokens", "/cached_tokens"];
const WRITES: [&str; 2] = ["/prompt_tokens_details/cache_write_tokens", "/input_tokens_details/cache_write_tokens"];

/// The provider's own object, in our words.
fn tokens(dialect: &Dialect, usage: &Value) -> Option<Tokens> {
    let count = |paths: &[&str]| paths.iter().find_map(|path| usage.pointer(path).and_then(Value::as_u64));
    if *dialect == Dialect::AnthropicMessages {
        let part = |path| count(&[path]).unwrap_or(0);
        let (hit, write) = (part("/cache_read_input_tokens"), part("/cache_creation_input_tokens"));
        return Some(Tokens { hit, miss: count(&["/input_tokens"])?, write, output: part("/output_tokens") });
    }
    let prompt = count(&["/prompt_tokens", "/input_tokens"])?;
    let hit = count(&HITS).unwrap_or(0).min(prompt);
    let write = count(&WRITES).unwrap_or(0).min(prompt - hit);
    let output = count(&["/completion_tokens", "/output_tokens"]).unwrap_or(0);
    Some(Tokens { hit, miss: prompt - hit - write, write, output })
}
