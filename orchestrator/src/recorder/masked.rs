//! An event without the secrets in it, before it is folded and written.
//!
//! **Invariant:** what is executed, and what names a file or a commit, stays as it is: a plan whose commands were masked would be another plan.
//! All other texts are masked, those of events yet to come among them.
//! **Invariant:** an event that cannot be masked is not written at all.

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
];

/// Members of a plan that are run.
const RUN: &[&str] = &["verify", "command", "commands", "mended"];

/// The event, masked where it has to be.
///
/// # Errors
/// When what was masked is no event any more.
pub(super) fn masked<'a>(event: &'a Event, secrecy: &Secrecy) -> Result<Cow<'a, Event>, serde_json::Error> {
    let mut value = serde_json::to_value(event)?;
    // The command that somebody is asked about is run as it was typed, not as it is journaled.
    let runs = !matches!(event, Event::ApprovalAsked { .. } | Event::ApprovalDecided { .. });
    if !mask(&mut value, secrecy, runs) {
        return Ok(Cow::Borrowed(event));
    }
    serde_json::from_value(value).map(Cow::Owned)
}

/// Whether anything was masked.
fn mask(value: &mut Value, secrecy: &Secrecy, runs: bool) -> bool {
    match value {
        Value::String(text) => match secrecy.mask(text) {
            Cow::Owned(masked) => {
                *text = masked;
                true
            }
            Cow::Borrowed(_) => false,
        },
        Value::Array(items) => items.iter_mut().filter_map(|item| mask(item, secrecy, runs).then_some(())).count() > 0,
        Value::Object(members) => {
            let is_kept = |name: &str| KEPT.contains(&name) || (runs && RUN.contains(&name));
            // In a plan they are tasks with texts of their own, in an event their names.
            let are_names = |name: &str, member: &Value| {
                name == "tasks" && member.as_array().is_some_and(|items| items.iter().all(Value::is_string))
            };
            let shown = members.iter_mut().filter(|(name, member)| !is_kept(name) && !are_names(name, member));
            shown.filter_map(|(_, member)| mask(member, secrecy, runs).then_some(())).count() > 0
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use plans::{
        approval::{Decider, Decision, Standing, Subject},
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
        let failing = plans::failures::read(&format!("FAILED a.py::t - {key}"), &[]).failing;
        let verdict = RedVerdict { failing, ..RedVerdict::new(Proof::Gate, "c", "exit 1", format!("said {key}")) };
        let asked = Subject::Command(format!("curl -H {key}"));
        let always = Decision::Always(vec![Standing::Commands(format!("curl -H {key}"))]);
        let why = Outcome::Failed { why: format!("said {key}") };
        for (event, left) in [
            (Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: vec![] }, 1),
            (Event::LandingRefused { key: of.clone(), onto: CommitId("c".into()), verdict }, 0),
            (Event::AttemptEnded { key: of.clone(), commit: None, outcome: why }, 0),
            (Event::ApprovalAsked { key: of.clone(), what: asked.clone(), why: "w".into() }, 0),
            (Event::ApprovalDecided { key: of.clone(), what: asked, decision: always, by: Decider::Person, why: "w".into() }, 0),
            (Event::RunHalted { why: format!("no {key}") }, 0),
            (
                Event::FlakySeen {
                    command: format!("test {key}"),
                    tasks: vec![of.task.clone()],
                    output: format!("no {key}"),
                    failing: vec![],
                },
                1,
            ),
        ] {
            let masked = masked(&event, &Secrecy::default()).unwrap();
            let text = serde_json::to_string(&*masked).unwrap();
            assert_eq!(text.matches(&key).count(), left, "{text}");
            assert!(text.contains("[masked: GitHub token]"), "{text}");
        }
        assert!(matches!(masked(&Event::CancelRequested, &Secrecy::default()), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn an_event_that_is_none_without_its_secret_is_an_error_and_not_written_as_it_is() {
        let key = "hush-hush}-not-a-real-one";
        let secrecy = Secrecy::new(vec![], vec![], [key]);
        let of = AttemptKey { task: TaskId::new("t").unwrap(), attempt: Attempt(1) };
        let decision = Decision::Always(vec![Standing::Files(shared::Glob::new(&format!("{{a,{key}")).unwrap())]);
        let what = Subject::Command("c".to_owned());
        let event = Event::ApprovalDecided { key: of, what, decision, by: Decider::Person, why: String::new() };
        let error = masked(&event, &secrecy).unwrap_err().to_string();
        assert!(!error.contains(key), "{error}");
    }
}
