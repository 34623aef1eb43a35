//! What an endpoint's answer, or its refusal, tells about what it can do. Pure: requests are sent in [`probe`](super::probe).
//!
//! **Invariant:** `yes` was seen in the answer, `no` was refused in so many words or left out before the endpoint answered; whatever one
//! small answer cannot show is `not seen`, and nothing follows from it.
//!
//! Strict schemas are `yes` where the endpoint took them and what it wrote fits them. That it would have held to them anyway, nobody sees.

use std::fmt;

use serde_json::Value;
use worker::model::{Answer, Capabilities, FinishReason, ModelError};

/// What of the full request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that an endpoint may refuse")]
pub(super) struct Trial {
    pub(super) streaming: bool,
    pub(super) tools: bool,
    pub(super) strict: bool,
    /// As far as the configuration and the dialect have it.
    pub(super) encrypted: bool,
}

/// One of the parts that an endpoint may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Strict,
    Tools,
    Streaming,
    Encrypted,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict schemas",
            Self::Tools => "tools",
            Self::Streaming => "streaming",
            Self::Encrypted => "encrypted reasoning",
        })
    }
}

impl Trial {
    /// Everything at once.
    pub(super) const FULL: Self = Self { streaming: true, tools: true, strict: true, encrypted: true };

    fn has(self, part: Part) -> bool {
        match part {
            Part::Strict => self.strict,
            Part::Tools => self.tools,
            Part::Streaming => self.streaming,
            Part::Encrypted => self.encrypted,
        }
    }

    fn without(self, part: Part) -> Self {
        match part {
            Part::Strict => Self { strict: false, ..self },
            Part::Tools => Self { strict: false, tools: false, ..self },
            Part::Streaming => Self { streaming: false, ..self },
            Part::Encrypted => Self { encrypted: false, ..self },
        }
    }

    /// What to leave out after a refusal. Nothing where the refusal is about something else: the key, the model's name, the server.
    pub(super) fn after(self, refusal: &ModelError) -> Option<(Part, Self)> {
        let ModelError::BadRequest { status, said } = refusal else { return None };
        let said = said.to_lowercase().replace("upstream", "");
        let speaks_of = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let words: [(Part, &[&str]); 4] = [
            (Part::Encrypted, &["encrypted"]),
            (Part::Strict, &["strict", "additionalproperties"]),
            (Part::Streaming, &["stream"]),
            (Part::Tools, &["tool", "function"]),
        ];
        let named = words.into_iter().find(|(part, words)| self.has(*part) && speaks_of(words)).map(|(part, _)| part);
        // A refusal that names nothing may be about any of them; a 404 that names nothing is about the model.
        let guess = [Part::Strict, Part::Tools, Part::Streaming].into_iter().find(|part| self.has(*part) && *status != 404);
        let part = named.or(guess)?;
        Some((part, self.without(part)))
    }
}

/// An answer, and what it took to get one.
#[derive(Debug)]
pub(super) struct Seen {
    /// What was sent in the end.
    pub(super) trial: Trial,
    /// What was refused before, with the endpoint's words.
    pub(super) refused: Vec<(Part, String)>,
    pub(super) answer: Answer,
    /// In how many pieces it came.
    pub(super) pieces: usize,
}

/// What is known of one capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    NotSeen,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotSeen => "not seen",
        })
    }
}

impl Seen {
    /// What it can do, in one line.
    pub(super) fn line(&self) -> String {
        let all = self.verdicts().map(|(what, verdict)| format!("{what} {verdict}"));
        all.join(", ")
    }

    fn verdicts(&self) -> [(&'static str, Verdict); 6] {
        let Self { trial, answer, .. } = self;
        let seen = |is_seen: bool| if is_seen { Verdict::Yes } else { Verdict::NotSeen };
        let unless = |was_sent: bool, is_seen: bool| if was_sent { seen(is_seen) } else { Verdict::No };
        let calls = answer.turn.calls.len();
        let strict = match (trial.strict, trial.tools) {
            (true, _) => seen(calls > 0 && answer.turn.calls.iter().all(|call| fits(&call.arguments))),
            (false, true) => Verdict::No,
            // Where there are no tools, nothing was there to be strict about.
            (false, false) => Verdict::NotSeen,
        };
        let counted = answer.usage.is_some_and(|usage| usage.hit > 0 || usage.write > 0);
        [
            ("streaming", unless(trial.streaming, self.pieces > self.parts())),
            ("tools", unless(trial.tools, calls > 0)),
            ("parallel calls", unless(trial.tools, calls > 1)),
            ("reasoning", seen(self.reasons())),
            ("cache counters", seen(counted)),
            ("strict schemas", strict),
        ]
    }

    /// How many pieces an answer comes in that is not streamed.
    fn parts(&self) -> usize {
        let turn = &self.answer.turn;
        let has = |text: &str| usize::from(!text.is_empty());
        has(&turn.text) + turn.reasoning.as_deref().map_or(0, has) + turn.calls.len()
    }

    fn reasons(&self) -> bool {
        let turn = &self.answer.turn;
        let is_thought = |block: &Value| {
            let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
            kind.contains("thinking") || kind.contains("reasoning")
        };
        turn.reasoning.as_ref().is_some_and(|text| !text.is_empty())
            || turn.opaque.iter().flat_map(|opaque| &opaque.blocks).any(is_thought)
    }

    /// Why no agent can work with it, if so.
    pub(super) fn obstacle(&self) -> Option<String> {
        let (_, said) = self.refused.iter().find(|(part, _)| *part == Part::Tools)?;
        Some(format!("it takes no tools, and agents do everything with tools; choose another model for them. It said: {said}"))
    }

    /// What a person should know, the configuration's own words being held against what was seen.
    pub(super) fn notes(&self, provider: &str, configured: &Capabilities) -> Vec<String> {
        let (trial, answer) = (self.trial, &self.answer);
        let calls = answer.turn.calls.len();
        let mut notes = Vec::new();
        for (part, said) in self.refused.iter().filter(|(part, _)| *part != Part::Tools) {
            let key = match part {
                Part::Strict => configured.strict_tools.then_some("strict_tools"),
                Part::Encrypted => configured.encrypted_reasoning.then_some("encrypted_reasoning"),
                _ => configured.streaming.then_some("streaming"),
            };
            let advice = key.map(|key| format!("; set `{key} = false` in [providers.{provider}]")).unwrap_or_default();
            notes.push(format!("it refuses {part}{advice}. It said: {said}"));
        }
        if trial.tools && calls == 0 {
            notes.push("asked to call two tools it called none: agents may get nowhere with it".to_owned());
        }
        if !configured.parallel_calls && calls > 1 {
            let advice = format!("`parallel_calls = true` in [providers.{provider}] saves turns");
            notes.push(format!("it makes several calls at once, and the configuration asks it not to; {advice}"));
        }
        if answer.finish == FinishReason::Length {
            notes.push("its answer was cut before its end, so there may be more than was seen".to_owned());
        }
        if !answer.repairs.is_empty() {
            notes.push(format!("{} of its calls had to be mended before they could be read", answer.repairs.len()));
        }
        if answer.usage.is_none() {
            notes.push("it counts no tokens, so limits are kept by estimates".to_owned());
        }
        notes
    }
}

fn fits(arguments: &str) -> bool {
    let arguments = serde_json::from_str::<Value>(arguments).unwrap_or_default();
    arguments.as_object().is_some_and(|object| object.len() == 1 && object.get("word").is_some_and(Value::is_string))
}

/// What to do about an endpoint that did not answer. There is no run that could be resumed.
pub(super) fn advice(error: &ModelError) -> &'static str {
    match error {
        ModelError::NoBalance { .. } => "Top up the account, or choose another model.",
        ModelError::RateLimited { .. } => "Look again in a while; a run waits by itself, and `--workers` asks less at once.",
        ModelError::Overloaded { .. } | ModelError::Broken { .. } | ModelError::Stalled { .. } => {
            "Look again in a while; if it stays so, look at the server's own log, or choose another model."
        }
        other => other.hint(),
    }
}

#[cfg(test)]
mod tests;
