//! Recordings of real servers, where they are at hand: in the folder that `INSPAN_STREAMS` names, or in `../shared/streams` beside the
//! repository. They are too large to carry along.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::shapes::read;
use crate::model::{Answer, FinishReason, ModelError, openai::fault};

/// Entries whose expectation is not ours, and why.
const DISPUTED: [(&str, &str); 0] = [];

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/streams");
    let folder = env::var_os("INSPAN_STREAMS").map_or(beside, PathBuf::from);
    folder.join("manifest.json").is_file().then_some(folder)
}

#[test]
fn recordings_of_real_servers_are_read_as_an_independent_parser_reads_them() {
    let Some(folder) = folder() else {
        let _ = writeln!(std::io::stderr(), "left out: no recordings in INSPAN_STREAMS or ../shared/streams");
        return;
    };
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let entries = manifest["entries"].as_array().unwrap().iter();
    let mut wrong = String::new();
    for entry in entries.filter(|entry| entry["api"] == "openai-chat") {
        let id = entry["id"].as_str().unwrap();
        let body = fs::read(folder.join(entry["file"].as_str().unwrap())).unwrap();
        let difference = difference(entry, &body);
        let disputed = DISPUTED.iter().any(|(known, _)| *known == id);
        match difference {
            Some(difference) if !disputed => writeln!(wrong, "{id}: {difference}").unwrap(),
            None if disputed => writeln!(wrong, "{id}: is no longer disputed").unwrap(),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn difference(entry: &Value, body: &[u8]) -> Option<String> {
    let status = u16::try_from(entry["status"].as_u64().unwrap()).unwrap();
    let expected = &entry["expected"];
    if status >= 400 {
        return refusal(status, expected, body);
    }
    let (whole, pieces) = (read(body, usize::MAX), read(body, 7));
    if whole != pieces {
        return Some("the pieces matter".to_owned());
    }
    let tags = entry["tags"].as_array().unwrap();
    let cut = expected["finish_reason"].is_null() && tags.iter().any(|tag| tag == "no_done_marker" || tag == "empty_body");
    match whole {
        Err(_) if !expected["error"].is_null() || cut => None,
        Err(error) => Some(format!("an error, {error}")),
        Ok(_) if !expected["error"].is_null() || cut => Some("an answer".to_owned()),
        Ok(answer) => answer_differs(&answer, expected),
    }
}

fn refusal(status: u16, expected: &Value, body: &[u8]) -> Option<String> {
    let error = fault::of_response(status, &HeaderMap::new(), body);
    let fits = match status {
        401 | 403 => matches!(error, ModelError::Unauthorized { .. }),
        402 => matches!(error, ModelError::NoBalance { .. }),
        429 => matches!(error, ModelError::RateLimited { .. }),
        500.. => matches!(error, ModelError::Overloaded { .. }),
        _ => matches!(error, ModelError::BadRequest { .. } | ModelError::ContextTooLong { .. }),
    };
    let said = [&expected["error"]["message"], &expected["error"]["detail"], &expected["error"]];
    let said: String = said.into_iter().find_map(Value::as_str).unwrap_or_default().chars().take(60).collect();
    let shows = said.starts_with('<') || error.to_string().contains(said.trim());
    (!fits || !shows).then(|| format!("{error:?}"))
}

fn answer_differs(answer: &Answer, expected: &Value) -> Option<String> {
    let text = |key: &str| expected[key].as_str().unwrap_or_default();
    let spoken = if text("text").is_empty() { text("refusal") } else { text("text") };
    if answer.turn.text != spoken {
        return Some(format!("text {:?}", answer.turn.text));
    }
    if answer.turn.reasoning.as_deref().unwrap_or_default() != text("reasoning") {
        return Some(format!("reasoning {:?}", answer.turn.reasoning));
    }
    let calls = expected["tool_calls"].as_array().unwrap();
    let finish = match text("finish_reason") {
        "length" => FinishReason::Length,
        "content_filter" => FinishReason::Filtered,
        _ if calls.is_empty() => FinishReason::Stop,
        _ => FinishReason::ToolCalls,
    };
    if answer.finish != finish {
        return Some(format!("finish {:?}", answer.finish));
    }
    let same = |(ours, theirs): (&crate::model::ToolCall, &Value)| {
        let id = theirs["id"].as_str().unwrap_or_default();
        let json: Value = serde_json::from_str(&ours.arguments).unwrap_or_default();
        let arguments = ours.arguments == theirs["arguments"].as_str().unwrap() || json == theirs["arguments_json"];
        ours.name == theirs["name"] && arguments && (id.is_empty() || ours.id == id)
    };
    if answer.turn.calls.len() != calls.len() || !answer.turn.calls.iter().zip(calls).all(same) {
        return Some(format!("calls {:?}", answer.turn.calls));
    }
    usage_differs(answer, &expected["usage"])
}

fn usage_differs(answer: &Answer, expected: &Value) -> Option<String> {
    let prompt = expected["prompt_tokens"].as_u64();
    let ours = answer.usage.map(|usage| usage.hit + usage.miss);
    (ours != prompt).then(|| format!("usage {:?}", answer.usage))
}
