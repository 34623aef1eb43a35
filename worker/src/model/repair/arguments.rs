//! The arguments of one call: from broken text to an object, or to nothing.
//!
//! **Invariant:** a text that was not closed is never closed: nobody knows how it would have gone on, and half a file is worse than none.
//! **Invariant:** brackets are only ever closed at the very end, after a value that is whole by itself. A number is not: `12` may be the
//! beginning of `120`. An opening bracket is not, either: what it opens is not there.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::Value;

use crate::{model::Repair, tool::ToolSpec};

/// Whether brackets that are open at the end may be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// The model had finished.
    AtTheEnd,
    /// The answer was cut, or nobody knows.
    Never,
}

/// What a text of arguments is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// An object, as it came; or nothing, and nothing is needed.
    Good,
    /// An object after these repairs.
    Mended(String, BTreeSet<Repair>),
    /// Nothing that has one meaning.
    Unreadable,
}

/// A text within a text within a text is as deep as any endpoint has been seen to encode.
const DEEPEST: usize = 3;

/// Reads the arguments of a call. A tool that is not known needs nothing: it will be refused by its name.
pub(super) fn read(raw: &str, spec: Option<&ToolSpec>, closing: Closing) -> Reading {
    if raw.trim().is_empty() {
        let needs = spec.is_some_and(|spec| needed(spec).next().is_some());
        return if needs || closing == Closing::Never { Reading::Unreadable } else { Reading::Good };
    }
    if is_object(raw) {
        return Reading::Good;
    }
    match mend(raw, closing) {
        Some((text, repairs)) => Reading::Mended(text, repairs),
        None => Reading::Unreadable,
    }
}

/// The properties that a call of this tool cannot go without: required, and not nullable.
pub(crate) fn needed(spec: &ToolSpec) -> impl Iterator<Item = &str> {
    let properties = &spec.parameters["properties"];
    let nullable = move |name: &str| match &properties[name]["type"] {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "null"),
        kind => kind == "null",
    };
    let required = spec.parameters["required"].as_array().into_iter().flatten();
    required.filter_map(Value::as_str).filter(move |name| !nullable(name))
}

/// The text of an object, and what was done to get it.
pub(super) fn mend(raw: &str, closing: Closing) -> Option<(String, BTreeSet<Repair>)> {
    let (mut text, mut repairs) = (raw.to_owned(), BTreeSet::new());
    for _ in 0..DEEPEST {
        let value = if let Ok(value) = serde_json::from_str(&text) {
            value
        } else {
            text = Scan::of(&text, closing)?.into_text(&mut repairs);
            serde_json::from_str(&text).ok()?
        };
        match value {
            Value::Object(_) => return Some((text, repairs)),
            Value::String(inner) => text = inner,
            _ => return None,
        }
        repairs.insert(Repair::ArgumentsAsObject);
    }
    None
}

pub(super) fn is_object(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(_)))
}

/// One pass over a text that is nearly JSON.
struct Scan {
    text: String,
    /// The brackets that would close what is open.
    open: Vec<char>,
    repairs: BTreeSet<Repair>,
}

impl Scan {
    fn of(text: &str, closing: Closing) -> Option<Self> {
        let mut scan = Self { text: String::with_capacity(text.len() + 8), open: Vec::new(), repairs: BTreeSet::new() };
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '"' => scan.string(&mut rest)?,
                '{' => scan.opens(c, '}'),
                '[' => scan.opens(c, ']'),
                '}' | ']' => scan.closes(c)?,
                ',' if scan.open.last().is_some_and(|bracket| rest.as_str().trim_start().starts_with(*bracket)) => {
                    scan.repairs.insert(Repair::TrailingCommas);
                }
                _ => scan.text.push(c),
            }
        }
        scan.end(closing)
    }

    /// From after the opening quote to the closing one; nothing where there is none.
    fn string(&mut self, rest: &mut std::str::Chars<'_>) -> Option<()> {
        self.text.push('"');
        loop {
            match rest.next()? {
                '"' => break,
                '\\' => self.text.extend(['\\', rest.next()?]),
                control if control < ' ' => {
                    self.repairs.insert(Repair::ControlCharacters);
                    let _ = write!(self.text, "\\u{:04x}", u32::from(control));
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
        Some(())
    }

    fn opens(&mut self, bracket: char, closing: char) {
        self.open.push(closing);
        self.text.push(bracket);
    }

    /// A bracket too many after the whole value is left out; one that closes something else is beyond repair.
    fn closes(&mut self, bracket: char) -> Option<()> {
        match self.open.pop() {
            Some(expected) if expected == bracket => self.text.push(bracket),
            None if !self.text.trim().is_empty() => {
                self.repairs.insert(Repair::Brackets);
            }
            _ => return None,
        }
        Some(())
    }

    fn end(mut self, closing: Closing) -> Option<Self> {
        if !self.open.is_empty() {
            let is_whole = self.text.trim_end().ends_with(|c: char| matches!(c, '"' | '}' | ']') || c.is_ascii_lowercase());
            if closing == Closing::Never || !is_whole {
                return None;
            }
            self.text.extend(self.open.drain(..).rev());
            self.repairs.insert(Repair::Brackets);
        }
        (!self.repairs.is_empty()).then_some(self)
    }

    fn into_text(self, repairs: &mut BTreeSet<Repair>) -> String {
        repairs.extend(self.repairs);
        self.text
    }
}
