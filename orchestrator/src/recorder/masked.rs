//! An event without the secrets in it, before it is folded and written.
//!
//! **Invariant:** what is executed, and what names a file or a commit, stays as it is: a plan whose commands were masked would be another plan.
//! All other texts are masked, those of events yet to come among them.

use std::borrow::Cow;

use plans::event::Event;
use serde_json::Value;
use shared::Secrecy;

/// Members that are run, or that other things are found by.
const KEPT: &[&str] = &[
    "type",
    "outcome",
    "run",
    "time",
    "program",
    "task",
    "id",
    "depends_on",
    "causes",
    "fresh",
    "dropped",
    "with",
    "base",
    "head",
    "commit",
    "onto",
    "tip",
    "branch",
    "path",
    "paths",
    "globs",
    "write",
    "shared",
    "deliver",
    "verify",
    "command",
    "commands",
];

/// The event, masked where it has to be.
pub(super) fn masked<'a>(event: &'a Event, secrecy: &Secrecy) -> Cow<'a, Event> {
    let Ok(mut value) = serde_json::to_value(event) else { return Cow::Borrowed(event) };
    if !mask(&mut value, secrecy) {
        return Cow::Borrowed(event);
    }
    match serde_json::from_value(value) {
        Ok(event) => Cow::Owned(event),
        Err(error) => {
            tracing::error!(%error, "an event could not be masked");
            Cow::Borrowed(event)
        }
    }
}

/// Whether anything was masked.
fn mask(value: &mut Value, secrecy: &Secrecy) -> bool {
    match value {
        Value::String(text) => match secrecy.mask(text) {
            Cow::Owned(masked) => {
                *text = masked;
                true
            }
            Cow::Borrowed(_) => false,
        },
        Value::Array(items) => items.iter_mut().filter_map(|item| mask(item, secrecy).then_some(())).count() > 0,
        Value::Object(members) => {
            let shown = members.iter_mut().filter(|(name, _)| !KEPT.contains(&name.as_str()));
            shown.filter_map(|(_, member)| mask(member, secrecy).then_some(())).count() > 0
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use plans::{
        event::{Author, CommitId, Proof, RedVerdict},
        file,
    };
    use shared::{Attempt, AttemptKey, Outcome, TaskId};

    use super::*;

    #[test]
    fn texts_are_masked_and_what_is_run_is_not() {
        let key = ["gh", "p_"].concat() + &"a1B2".repeat(9);
        let of = AttemptKey { task: TaskId::new("t").unwrap(), attempt: Attempt(1) };
        let plan = format!(
            "version = 1\ngoal = 'g {key}'\n[[task]]\nid = 't'\ntitle = 't'\ninstructions = 'i {key}'\nwrite = ['a']\nverify = ['test {key}']\n"
        );
        let plan = Box::new(file::parse_toml(&plan).unwrap());
        let verdict = RedVerdict {
            proof: Proof::Gate,
            command: "c".into(),
            ended: "exit 1".into(),
            output: format!("said {key}"),
            red_before: None,
        };
        let why = Outcome::Failed { why: format!("said {key}") };
        for (event, left) in [
            (Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: vec![] }, 1),
            (Event::LandingRefused { key: of.clone(), onto: CommitId("c".into()), verdict }, 0),
            (Event::AttemptEnded { key: of.clone(), commit: None, outcome: why }, 0),
            (Event::RunHalted { why: format!("no {key}") }, 0),
        ] {
            let masked = masked(&event, &Secrecy::default());
            let text = serde_json::to_string(&*masked).unwrap();
            assert_eq!(text.matches(&key).count(), left, "{text}");
            assert!(text.contains("[masked: GitHub token]"), "{text}");
        }
        assert!(matches!(masked(&Event::CancelRequested, &Secrecy::default()), Cow::Borrowed(_)));
    }
}
