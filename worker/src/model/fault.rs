//! What a server says when it says no: status, headers and body become a [`ModelError`]. One reading for all dialects.
//!
//! Bodies come as `{"error": {"message": …}}`, as `{"type": "error", "error": {…}}`, as `{"error": "…"}`, as `{"detail": …}`, as HTML of
//! some proxy, or not at all. In the middle of a stream there is no status; the error's own word for itself stands for it.
//!
//! **Invariant:** whatever came, the error says it, in a few lines.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::ModelError;

const LONGEST: usize = 600;

/// The words that providers have for kinds of errors, and the statuses that they go with.
const WORDS: [(&str, u16); 16] = [
    ("overloaded_error", 529),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("api_error", 500),
    ("server_error", 500),
    ("internal_server_error", 500),
    ("timeout_error", 504),
    ("authentication_error", 401),
    ("invalid_api_key", 401),
    ("permission_error", 403),
    ("billing_error", 402),
    ("insufficient_quota", 402),
    ("not_found_error", 404),
    ("model_not_found", 404),
    ("request_too_large", 413),
    ("invalid_request_error", 400),
];

/// An answer with an error status, whose headers say nothing.
pub fn of_body(status: u16, body: &[u8]) -> ModelError {
    of_response(status, &HeaderMap::new(), body)
}

/// An answer with an error status.
pub(super) fn of_response(status: u16, headers: &HeaderMap, body: &[u8]) -> ModelError {
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str::<Value>(&text).ok();
    let said = json.as_ref().and_then(message).unwrap_or_else(|| plain(&text));
    let code = json.as_ref().map(codes).unwrap_or_default();
    let said = match header(headers, "request-id").or_else(|| header(headers, "x-request-id")) {
        Some(id) => format!("{said} (request {})", short(id)),
        None => said,
    };
    let error = of_status(status, said, &code, retry_after(headers));
    match header(headers, "x-should-retry") {
        Some("false") => lasting(error, status),
        Some("true") => passing(error, status, retry_after(headers)),
        _ => error,
    }
}

/// The server knows that the same request will fail again.
fn lasting(error: ModelError, status: u16) -> ModelError {
    match error {
        ModelError::RateLimited { said, .. } | ModelError::Overloaded { said, .. } => ModelError::BadRequest { status, said },
        error => error,
    }
}

/// The server knows that the same request may well succeed.
fn passing(error: ModelError, status: u16, retry_after: Option<Duration>) -> ModelError {
    match error {
        ModelError::BadRequest { said, .. } | ModelError::Unauthorized { said, .. } => {
            ModelError::Overloaded { status, said, retry_after }
        }
        error => error,
    }
}

/// An error in the middle of a stream whose status was 200. It is a passing matter unless its code says otherwise.
pub(super) fn of_event(event: &Value) -> ModelError {
    let said = message(event).unwrap_or_else(|| short(&event.to_string()));
    let code = codes(event);
    let status = code.split(' ').find_map(|word| word.parse::<u16>().ok().filter(|status| (400..600).contains(status)));
    let named = || WORDS.iter().find(|(word, _)| code.split(' ').any(|given| given == *word)).map(|(_, status)| *status);
    match status.or_else(named) {
        None | Some(400 | 413 | 422) if is_about_length(&said, &code) => ModelError::ContextTooLong { said },
        Some(status) => of_status(status, said, &code, None),
        None => ModelError::Broken { why: format!("the server reported an error: {said}") },
    }
}

/// A server that has said so instead of a status: one request too many, as after a 503.
pub(super) fn overload(word: &str) -> ModelError {
    ModelError::Overloaded { status: 503, said: format!("the server gave up with `{word}`"), retry_after: None }
}

fn of_status(status: u16, said: String, code: &str, retry_after: Option<Duration>) -> ModelError {
    match status {
        402 => ModelError::NoBalance { said },
        401 | 403 => ModelError::Unauthorized { status, said },
        429 if code.contains("insufficient_quota") => ModelError::NoBalance { said },
        429 => ModelError::RateLimited { said, retry_after },
        408 | 409 | 425 | 500.. => ModelError::Overloaded { status, said, retry_after },
        400 | 413 | 422 if is_about_length(&said, code) => ModelError::ContextTooLong { said },
        300..400 => ModelError::BadRequest { status, said: format!("it redirects to another address; use that one. {said}") },
        _ => ModelError::BadRequest { status, said },
    }
}

fn is_about_length(said: &str, code: &str) -> bool {
    const CODES: [&str; 3] = ["context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens"];
    const PHRASES: [&str; 6] =
        ["context length", "context size", "context window", "prompt too long", "prompt is too long", "reduce the length"];
    let said = said.to_lowercase();
    CODES.iter().any(|c| code.contains(c)) || PHRASES.iter().any(|phrase| said.contains(phrase))
}

/// The message, wherever it stands.
fn message(json: &Value) -> Option<String> {
    let error = json.get("error").filter(|error| !error.is_null()).unwrap_or(json);
    let places = [error.get("message"), error.get("detail"), json.get("message"), json.get("detail"), Some(error)];
    let found = places.into_iter().flatten().find_map(|place| match place {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(_) => Some(place.to_string()),
        _ => None,
    })?;
    Some(short(found.trim()))
}

/// Code and type, in one line to look for words in.
fn codes(json: &Value) -> String {
    let error = json.get("error").filter(|error| error.is_object()).unwrap_or(json);
    let parts = ["code", "type", "status"].into_iter().filter_map(|key| match error.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// What a page of HTML says, without its markup, in one line.
fn plain(body: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars().take(20_000) {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { "the server gave no reason".to_owned() } else { short(&words) }
}

/// At most so much of a text as an error can show.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `retry-after-ms`, else `retry-after` in seconds or as a date. A date is read against the server's own clock, in the header `date`: ours
/// may disagree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| header(headers, name)?.parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"));
    if let Some(seconds) = seconds {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = |name| httpdate::parse_http_date(header(headers, name)?).ok();
    Some(date("retry-after")?.duration_since(date("date")?).unwrap_or_default())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_shape_of_refusal_becomes_an_error_that_says_it() {
        let cases = [
            (400, r#"{"error":{"message":"This model's maximum context length is 9","code":"invalid_request_error"}}"#),
            (400, r#"{"object":"error","message":"Invalid model: x","code":"1500"}"#),
            (401, r#"{"detail":"Invalid API Key"}"#),
            (402, r#"{"error":{"message":"Insufficient Balance"}}"#),
            (404, r#"{"error":"Specified model not found: x"}"#),
            (422, r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#),
            (429, r#"{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}"#),
            (429, ""),
            (503, "<html><head><title>503 Service\r\n Unavailable</title></head></html>"),
            (307, ""),
        ];
        let lines: String = cases.iter().map(|(status, body)| said(*status, body)).collect();
        expect![[r#"
            the conversation is too long for the model: This model's maximum context length is 9
            the model endpoint refuses the request (400): Invalid model: x
            the model endpoint refuses the key (401): Invalid API Key
            the account at the model endpoint has no balance left: Insufficient Balance
            the model endpoint refuses the request (404): Specified model not found: x
            the model endpoint refuses the request (422): [{"loc":["body"],"msg":"field required"}]
            the account at the model endpoint has no balance left: You exceeded your quota
            again: the model endpoint asks for fewer requests: the server gave no reason
            again: the model endpoint is overloaded or broken (503): 503 Service Unavailable
            the model endpoint refuses the request (307): it redirects to another address; use that one. the server gave no reason
        "#]]
        .assert_eq(&lines);
    }

    #[test]
    fn what_passes_is_asked_again_and_what_has_to_be_mended_says_how() {
        let errors = (400..600).map(|status| (status, of_response(status, &HeaderMap::new(), b"")));
        let (again, never): (Vec<_>, Vec<_>) = errors.partition(|(_, error)| error.is_transient());
        let below_500: Vec<u16> = again.iter().map(|(status, _)| *status).filter(|status| *status < 500).collect();
        assert_eq!(below_500, [408, 409, 425, 429]);
        assert_eq!(again.len() - below_500.len(), 100, "all of 500 to 599");
        assert!(never.iter().all(|(_, error)| !error.hint().is_empty()));
    }

    #[test]
    fn a_model_that_does_not_reason_is_told_how_to_be_asked() {
        let error = of_body(400, br#"{"error":{"message":"Encrypted content is not supported with this model."}}"#);
        assert!(error.hint().contains("`encrypted_reasoning = false`"), "{}", error.in_full());
    }

    fn said(status: u16, body: &str) -> String {
        let error = of_response(status, &HeaderMap::new(), body.as_bytes());
        format!("{}{error}\n", if error.is_transient() { "again: " } else { "" })
    }

    #[test]
    fn a_server_says_when_to_come_back() {
        for (name, value, wait) in [
            ("retry-after", "7", Some(7_000)),
            ("retry-after-ms", "250", Some(250)),
            ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", Some(60_000)),
            ("retry-after", "Wed, 21 Oct 2026 07:26:00 GMT", Some(0)),
            ("retry-after", "Wed, 99 Oct 2026 07:26:00 GMT", None),
            ("retry-after", "-1", None),
        ] {
            let date = ("date".parse().unwrap(), "Wed, 21 Oct 2026 07:27:00 GMT".parse().unwrap());
            let headers = HeaderMap::from_iter([date, (name.parse().unwrap(), value.parse().unwrap())]);
            let error = of_response(429, &headers, b"");
            assert_eq!(error.retry_after(), wait.map(Duration::from_millis), "{name}: {value}");
        }
    }
}
