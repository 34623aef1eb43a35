//! Who gets which model.

use expect_test::{Expect, expect};
use plans::{
    evidence::{Evidence, Setback},
    run_state::RunState,
};
use shared::{Attempt, Outcome};

use super::*;
use crate::config::Sources;

/// The models of a configuration whose names are scripts, so that nothing is asked.
fn models(toml: &str) -> (tempfile::TempDir, Models) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["usual", "strong", "mender", "own", "short"] {
        std::fs::write(folder.path().join(name), r#"{"version": 1}"#).unwrap();
    }
    let repo = Some((folder.path().join("inspan.toml"), toml.to_owned()));
    let config = Config::load(Sources { repo, ..Sources::default() }).unwrap();
    let models = Models::connect(&config, folder.path()).unwrap();
    (folder, models)
}

/// A record of a task whose attempts ended so: `failed`, `conflict`, or `interrupted`, which leaves no trace in a record.
fn record(ends: &str) -> TaskRecord {
    let mut record = blank();
    for (place, end) in ends.split_whitespace().enumerate() {
        let setback = match end {
            "failed" => Setback::Ended(Outcome::Failed { why: "w".to_owned() }),
            "conflict" => Setback::Conflicted { paths: Vec::new(), with: Vec::new(), detail: String::new() },
            _ => continue,
        };
        *(if setback.is_conflict() { &mut record.conflicts } else { &mut record.tries }) += 1;
        record.setbacks.push(Evidence { attempt: Attempt(u32::try_from(place).unwrap() + 1), setback });
    }
    record
}

const TASK: &str =
    "goal = \"g\"\n[gate]\ncommands = [\"true\"]\n[[task]]\nid = \"t\"\ntitle = \"T\"\ninstructions = \"i\"\nwrite = [\"t\"]\n";

fn plan(more: &str) -> plans::Plan {
    plans::file::parse_toml(&format!("{TASK}{more}")).unwrap()
}

/// The record of the only task, as it is when a plan was proposed.
fn blank() -> TaskRecord {
    let commit = plans::event::CommitId("c".repeat(40));
    let (base, head) = (commit.clone(), commit);
    let settings = plans::event::Settings::default();
    let first =
        plans::event::Event::RunStarted { goal: "g".to_owned(), base, head, snapshot: false, settings, program: String::new() };
    let mut state = RunState::begin(&first).unwrap();
    let (plan, author) = (Box::new(plan("")), plans::event::Author::Planner);
    state.apply(&plans::event::Event::PlanProposed { revision: 1, plan, author, warnings: Vec::new() }).unwrap();
    state.tasks()[0].clone()
}

fn check(toml: &str, expected: &Expect) {
    let (_folder, models) = models(toml);
    let line = |ends: &str, more: &str| {
        let plan = plan(more);
        let model = models.of_attempt(&plan.tasks()[0], Some(&record(ends))).unwrap();
        assert_eq!(model.id() == "scripted/own", !more.is_empty(), "a model that the plan names is always that task's");
        format!("{ends:20} {}\n", model.id())
    };
    let ends = ["", "interrupted", "failed", "conflict", "failed conflict", "conflict failed", "failed interrupted"];
    for ends in &ends {
        line(ends, "model = \"scripted/own\"\n");
    }
    expected.assert_eq(&ends.map(|ends| line(ends, "")).concat());
}

#[test]
fn a_failure_escalates_a_conflict_is_resolved_and_a_task_keeps_the_model_that_it_names() {
    check(
        "model = \"scripted/usual\"\n[models]\nescalation = \"scripted/strong\"\nresolver = \"scripted/mender\"\n",
        &expect![[r#"
                                 scripted/usual
            interrupted          scripted/usual
            failed               scripted/strong
            conflict             scripted/mender
            failed conflict      scripted/mender
            conflict failed      scripted/strong
            failed interrupted   scripted/strong
        "#]],
    );
}

#[test]
fn without_a_resolver_a_conflict_changes_nothing_and_without_an_escalation_a_failure_does_not() {
    check(
        "model = \"scripted/usual\"\n[models]\nescalation = \"scripted/strong\"\n",
        &expect![[r#"
                                 scripted/usual
            interrupted          scripted/usual
            failed               scripted/strong
            conflict             scripted/usual
            failed conflict      scripted/strong
            conflict failed      scripted/strong
            failed interrupted   scripted/strong
        "#]],
    );
    check(
        "model = \"scripted/usual\"\n",
        &expect![[r#"
                                 scripted/usual
            interrupted          scripted/usual
            failed               scripted/usual
            conflict             scripted/usual
            failed conflict      scripted/usual
            conflict failed      scripted/usual
            failed interrupted   scripted/usual
        "#]],
    );
}

#[test]
fn a_name_is_one_client_whoever_uses_it() {
    let (_folder, models) = models("model = \"scripted/usual\"\nmodels.resolver = \"scripted/usual\"\n");
    let (plan, again) = (plan("model = \"scripted/usual\"\n"), plan(""));
    let worker = models.worker.clone().unwrap();
    let of = |plan: &plans::Plan, ends: &str| models.of_attempt(&plan.tasks()[0], Some(&record(ends))).unwrap();
    for client in [models.planner.clone().unwrap(), of(&plan, ""), of(&again, "conflict")] {
        assert!(Arc::ptr_eq(&client, &worker));
    }
}

#[test]
fn a_limit_in_money_wants_the_price_of_everyone_who_may_be_asked() {
    let priced = "model = \"scripted/usual\"\n[providers.scripted.models.usual]\nprice = { hit = 0, miss = 1, output = 2 }\n";
    let limit = Limits { cost: shared::Money::from_usd(1.0), ..Limits::default() };
    let check = |toml: &str| {
        let (_folder, models) = models(toml);
        assert!(models.can_keep(&Limits::default()).is_ok());
        models.can_keep(&limit).map_err(|error| error.to_string())
    };
    assert_eq!(check(priced), Ok(()));
    for key in ["escalation = \"scripted/strong\"", "resolver = \"scripted/strong\"", "fallback.worker = [\"scripted/strong\"]"] {
        let refused = check(&format!("models.{key}\n{priced}")).unwrap_err();
        assert_eq!(refused, "the price of scripted/strong is not known, so a limit in dollars cannot be kept", "{key}");
    }
}

#[test]
fn a_tasks_limit_in_money_wants_the_price_of_everyone_who_may_carry_it_out() {
    let priced = "model = \"scripted/usual\"\n[providers.scripted.models.usual]\nprice = { hit = 0, miss = 1, output = 2 }\n";
    let limited = Limits { cost: shared::Money::from_usd(1.0), ..Limits::default() };
    let check = |toml: &str, own: Limits, usual: Limits| {
        let (_folder, models) = models(toml);
        let mut task = plan("").tasks()[0].clone();
        task.limits = own;
        models.can_carry_out(std::iter::once(&task), &usual).map_err(|error| error.to_string())
    };
    let none = Limits::default();
    assert_eq!(check(priced, limited, none), Ok(()));
    let strong = format!("models.escalation = \"scripted/strong\"\n{priced}");
    assert_eq!(check(&strong, none, none), Ok(()));
    for (toml, model) in [(strong.as_str(), "scripted/strong"), ("model = \"scripted/usual\"\n", "scripted/usual")] {
        for (own, usual) in [(limited, none), (none, limited)] {
            let refused = check(toml, own, usual).unwrap_err();
            assert_eq!(refused, format!("the price of {model} is not known, so a limit in dollars cannot be kept"));
        }
    }
}

#[test]
fn what_a_task_needs_is_asked_for_before_it_starts() {
    let (_folder, none) = models("");
    let check = |models: &Models, more: &str| {
        let plan = plan(more);
        models.can_carry_out(plan.tasks().iter(), &Limits::default()).map_err(|error| error.to_string())
    };
    assert_eq!(check(&none, "model = \"scripted/own\"\n"), Ok(()), "a task with a model of its own needs no other");
    assert_eq!(check(&none, "").unwrap_err(), "there is no model to carry out the plan with");
    let refused = check(&none, "model = \"openai/x\"\n").unwrap_err();
    assert_eq!(
        refused,
        "task t names the model openai/x: openai/x wants a key: set OPENAI_API_KEY (or INSPAN_API_KEY for this run)"
    );
}
