//! Calls that stand in the text, in the markup of the model's own training, because the server did not read them.
//!
//! **Rule:** the first mark of a call in the text stands at the beginning of a line, and from there to the end of the text there are calls
//! and nothing else, each whole and of a tool that was offered. A fence, or reasoning (`<think>`), that is open before it makes it a
//! quotation. JSON without marks, fenced or not, has to be the whole text. Whatever is only nearly so is no call: the model is asked again.
//!
//! **Invariant:** a value that holds such marks itself is not read: where it ends is anybody's guess.
//!
//! The forms: `DeepSeek`'s DSML and its older one, `<tool_call>{…}` (Hermes, Qwen), `<function=…>` (Qwen coder), `<invoke name=…>`, and
//! `[TOOL_CALLS]` (Mistral). Why not the crates `deepseek-recipe*`? They read DSML alone, in the middle of a template engine; all the forms
//! together take less than this page.

use serde_json::{Map, Value};

use super::arguments::{Closing, is_object, mend};
use crate::tool::ToolSpec;

/// A name and the text of an object.
type Call = (String, String);

/// What calls begin with.
const MARKS: [&str; 8] =
    ["<｜DSML｜", "<tool_call>", "<function=", "<function_calls>", "<invoke name=", "[TOOL_CALLS]", "<|tool_call", "<｜tool"];

/// What stands around calls and says nothing by itself.
const FRAMES: [&str; 14] = [
    "<｜DSML｜tool_calls>",
    "</｜DSML｜tool_calls>",
    "<｜DSML｜function_calls>",
    "</｜DSML｜function_calls>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
    "<｜end▁of▁sentence｜>",
    "<tool_call>",
    "</tool_call>",
    "<function_calls>",
    "</function_calls>",
    "[TOOL_CALLS]",
    "<|im_end|>",
];

/// Whether somebody meant to call a tool.
pub(crate) fn looks_like_a_call(text: &str) -> bool {
    MARKS.iter().any(|mark| text.contains(mark)) || bare(text).is_some()
}

/// Where in the text the calls begin, and the calls.
pub(super) fn read(text: &str, tools: &[ToolSpec]) -> Option<(usize, Vec<Call>)> {
    let (start, calls) = match MARKS.iter().filter_map(|mark| text.find(mark)).min() {
        Some(start) if begins_a_line(&text[..start]) => (start, Reader { rest: &text[start..], tools }.calls()?),
        Some(_) => return None,
        None => (0, bare(text)?),
    };
    let offered = |(name, _): &Call| tools.iter().any(|tool| tool.name == name);
    (!calls.is_empty() && calls.iter().all(offered)).then_some((start, calls))
}

fn begins_a_line(before: &str) -> bool {
    const ASIDES: [(&str, &str); 3] = [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<!--", "-->")];
    let line = before.rsplit('\n').next().unwrap_or_default();
    let aside = ASIDES.iter().any(|(opens, closes)| before.matches(opens).count() > before.matches(closes).count());
    let last = before.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let quoted = !last.is_empty() && last.chars().all(|c| matches!(c, '"' | '\'' | '`' | '“' | '„' | '«' | '>'));
    line.trim().is_empty() && !aside && !quoted && !within_a_fence(before)
}

/// Whether a fence of back ticks or tildes is open at the end: one closes it that is at least as long and has nothing behind it.
fn within_a_fence(text: &str) -> bool {
    let mut open: Option<(char, usize)> = None;
    for line in text.lines().map(str::trim) {
        let Some(mark) = line.chars().next().filter(|c| matches!(c, '`' | '~')) else { continue };
        let length = line.chars().take_while(|c| *c == mark).count();
        match open {
            None if length >= 3 => open = Some((mark, length)),
            Some((opened, at_least)) if mark == opened && length >= at_least && line[length..].trim().is_empty() => open = None,
            _ => {}
        }
    }
    open.is_some()
}

/// JSON that is the whole text: `{"name": …, "arguments": {…}}`, or a list of these, in a fence or not.
fn bare(text: &str) -> Option<Vec<Call>> {
    let text = text.trim();
    let inside = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")).and_then(|text| text.split_once('\n'));
    let json = inside.map_or(text, |(_, json)| json.trim());
    if !json.starts_with(['{', '[']) {
        return None;
    }
    named_list(serde_json::from_str(json).ok()?)
}

fn named_list(value: Value) -> Option<Vec<Call>> {
    match value {
        Value::Array(items) => items.into_iter().map(named).collect(),
        one => Some(vec![named(one)?]),
    }
}

/// `{"name": …, "arguments": {…}}` and nothing else.
fn named(value: Value) -> Option<Call> {
    let Value::Object(mut members) = value else { return None };
    let Some(Value::String(name)) = members.remove("name") else { return None };
    let arguments = members.remove("arguments").or_else(|| members.remove("parameters"))?;
    if members.keys().any(|key| key != "id" && key != "type") {
        return None;
    }
    match arguments {
        Value::Object(_) => Some((name, arguments.to_string())),
        Value::String(text) => Some((name, mend(&text, Closing::Never)?.0)),
        _ => None,
    }
}

/// Reads from the front of a text.
struct Reader<'a> {
    rest: &'a str,
    tools: &'a [ToolSpec],
}

impl<'a> Reader<'a> {
    fn calls(mut self) -> Option<Vec<Call>> {
        let mut calls = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return Some(calls);
            }
            if FRAMES.iter().any(|frame| self.eat(frame)) {
                continue;
            }
            match self.rest.as_bytes()[0] {
                b'{' | b'[' => calls.extend(named_list(self.json()?)?),
                _ => calls.push(self.call()?),
            }
        }
    }

    fn call(&mut self) -> Option<Call> {
        if self.eat("<｜DSML｜invoke name=\"") {
            let name = self.until("\">")?;
            return self.parameters(name, "<｜DSML｜parameter name=\"", "</｜DSML｜parameter>", "</｜DSML｜invoke>");
        }
        if self.eat("<invoke name=\"") {
            let name = self.until("\">")?;
            return self.parameters(name, "<parameter name=\"", "</parameter>", "</invoke>");
        }
        if self.eat("<function=") {
            let name = self.until(">")?;
            return self.parameters(name, "<parameter=", "</parameter>", "</function>");
        }
        let name = if self.eat("<｜tool▁call▁begin｜>") {
            // Older models say first that it is a function, and fence what it is called with.
            match (self.until("<｜tool▁sep｜>")?, self.rest.split_once("\n```json\n")) {
                ("function", Some((name, rest))) => {
                    let (json, rest) = rest.split_once("\n```")?;
                    self.rest = rest;
                    return Some((name.to_owned(), mend(json, Closing::Never)?.0));
                }
                (name, _) => name,
            }
        } else {
            self.until("[ARGS]")?
        };
        let arguments = self.json()?;
        arguments.is_object().then(|| (name.to_owned(), arguments.to_string()))
    }

    fn parameters(&mut self, name: &str, open: &str, close: &str, end: &str) -> Option<Call> {
        let spec = self.tools.iter().find(|tool| tool.name == name)?;
        let mut arguments = Map::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.eat(end) {
                // A value may be as deep as anybody reads, and in here it is one deeper.
                let text = Value::Object(arguments).to_string();
                return is_object(&text).then(|| (name.to_owned(), text));
            }
            if !self.eat(open) {
                return None;
            }
            let head = self.until(">")?;
            let text = self.until(close)?;
            if MARKS.iter().any(|mark| text.contains(mark)) || text.contains(open) {
                return None;
            }
            let (key, kind) = head.split_once('"').unwrap_or((head, ""));
            let value = match kind.trim() {
                "string=\"true\"" => Value::String(text.to_owned()),
                "string=\"false\"" => serde_json::from_str(text).ok()?,
                "" if open.ends_with('"') => typed(text, spec, key),
                // Qwen writes each value on lines of its own.
                "" => typed(own_lines(text), spec, key),
                _ => return None,
            };
            if arguments.insert(key.to_owned(), value).is_some() {
                return None;
            }
        }
    }

    /// The next value, with control characters in its texts if it must be.
    fn json(&mut self) -> Option<Value> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            self.rest = &self.rest[values.byte_offset()..];
            return Some(value);
        }
        let end = ["</tool_call>", "<｜tool▁call▁end｜>"].iter().filter_map(|end| self.rest.find(end)).min();
        let (json, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let (text, _) = mend(json, Closing::Never)?;
        self.rest = rest;
        serde_json::from_str(&text).ok()
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: &str) -> Option<&'a str> {
        let (before, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(before)
    }
}

fn own_lines(text: &str) -> &str {
    let text = text.strip_prefix('\n').unwrap_or(text);
    text.strip_suffix('\n').unwrap_or(text)
}

/// A text where the tool wants one; else JSON, if it is some.
fn typed(text: &str, spec: &ToolSpec, key: &str) -> Value {
    let kinds = &spec.parameters["properties"][key]["type"];
    let kinds: Vec<&str> = match kinds {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let is_text = kinds.contains(&"string");
    match text.trim() {
        "null" if kinds.contains(&"null") => Value::Null,
        json if !is_text => serde_json::from_str(json).unwrap_or_else(|_| Value::String(text.to_owned())),
        _ => Value::String(text.to_owned()),
    }
}
