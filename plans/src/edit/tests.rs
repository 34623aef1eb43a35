//! A plan, edits as a model sends them, and what comes of it.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates a snapshot")]

use std::{collections::BTreeSet, fmt::Write as _};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::TaskId;

use super::{PlanEdit, Progress, apply, diff, edit_plan_schema, read_edits};
use crate::{
    arbitrary,
    file::{submit_plan_schema, write_json},
    plan::Plan,
    problem::Problem,
    sample::plan,
};

const BASE: &str = "
    money owns money/** proved
    api owns api/** after money proved
    ui owns ui/** after money proved
    docs owns docs/** after api ui proved
";

fn listed(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut out, problem| {
        writeln!(out, "{problem}").unwrap();
        out
    })
}

fn ids(ids: &[TaskId]) -> String {
    ids.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" ")
}

/// What the edits do to the base plan, or why they do not.
fn check(landed: &[&str], edits: &Value, expected: &Expect) {
    let landed: BTreeSet<TaskId> = landed.iter().map(|id| TaskId::new(id).unwrap()).collect();
    let old = plan(BASE);
    let revised = read_edits(&json!({ "edits": edits })).and_then(|edits| apply(&old, &edits, &landed.clone().into()));
    expected.assert_eq(&match revised {
        Err(problems) => listed(&problems),
        Ok(revised) => {
            let difference = diff(&old, &revised.plan);
            format!("{difference}retried: {}\ndropped: {}\n", ids(&revised.retried), ids(&revised.dropped))
        }
    });
}

fn new_task(id: &str, write: &str, depends_on: &[&str]) -> Value {
    json!({ "id": id, "title": "New", "instructions": "Do.", "write": [write], "depends_on": depends_on, "verify": ["true"] })
}

#[test]
fn who_depends_on_a_dropped_task_inherits_its_dependencies() {
    check(
        &["money"],
        &json!([{ "edit": "drop", "task": "api", "because": "not needed" }]),
        &expect![[r#"
        - task api: t
        ~ task docs
            depends_on:
              - api
                ui
              + money
        retried: 
        dropped: api
    "#]],
    );
}

#[test]
fn the_parts_of_a_split_take_the_place_of_the_whole() {
    check(
        &["money"],
        &json!([{ "edit": "split", "task": "api", "because": "too large", "into": [
            new_task("api-read", "api/read/**", &[]),
            new_task("api-write", "api/write/**", &[]),
            new_task("api-batch", "api/batch/**", &["api-write"]),
        ] }]),
        &expect![[r#"
            - task api: t
            + task api-read: New
                instructions:
                  + Do.
                depends_on:
                  + money
                write:
                  + api/read/**
                verify:
                  + true
            + task api-write: New
                instructions:
                  + Do.
                depends_on:
                  + money
                write:
                  + api/write/**
                verify:
                  + true
            + task api-batch: New
                instructions:
                  + Do.
                depends_on:
                  + api-write
                write:
                  + api/batch/**
                verify:
                  + true
            ~ task docs
                depends_on:
                  - api
                    ui
                  + api-read
                  + api-batch
            retried: api-read api-write api-batch
            dropped: api
        "#]],
    );
}

#[test]
fn a_part_may_keep_the_name_of_the_whole() {
    check(
        &[],
        &json!([{ "edit": "split", "task": "api", "because": "b", "into": [
            new_task("api", "api/read/**", &[]), new_task("api-rest", "api/write/**", &["api"]),
        ] }]),
        &expect![[r#"
            ~ task api
                title:
                  - t
                  + New
                instructions:
                  - i
                  + Do.
                write:
                  - api/**
                  + api/read/**
            + task api-rest: New
                instructions:
                  + Do.
                depends_on:
                  + api
                write:
                  + api/write/**
                verify:
                  + true
            ~ task docs
                depends_on:
                  - api
                    ui
                  + api-rest
            retried: api api-rest
            dropped: 
        "#]],
    );
}

#[test]
fn a_merge_has_all_that_its_parts_had() {
    check(
        &[],
        &json!([{ "edit": "merge", "tasks": ["api", "ui"], "because": "they share a type",
            "into": { "id": "front", "title": "Both", "instructions": "Do both." } }]),
        &expect![[r#"
            - task api: t
            - task ui: t
            + task front: Both
                instructions:
                  + Do both.
                depends_on:
                  + money
                write:
                  + api/**
                  + ui/**
                verify:
                  + true
            ~ task docs
                depends_on:
                  - api
                  - ui
                  + front
            retried: front
            dropped: api ui
        "#]],
    );
}

#[test]
fn edits_of_one_call_take_effect_together_whatever_their_order() {
    check(
        &["money"],
        &json!([
            { "edit": "order", "before": "types", "after": "ui", "because": "b" },
            { "edit": "order", "before": "api", "after": "ui", "because": "b" },
            { "edit": "add", "because": "b", "new": new_task("types", "types/**", &["money"]) },
            { "edit": "widen", "task": "ui", "write": "api/client.rs", "shared": ["Cargo.lock"], "because": "b" },
            { "edit": "rewrite", "task": "docs", "because": "b", "instructions": "i\nmore", "verify": [], "title": null,
              "limits": { "turns": 9 } },
        ]),
        &expect![[r#"
            ~ task ui
                depends_on:
                    money
                  + types
                  + api
                write:
                    ui/**
                  + api/client.rs
                shared:
                  + Cargo.lock
            ~ task docs
                instructions:
                    i
                  + more
                verify:
                  - true
                limits:
                  + { turns = 9 }
            + task types: New
                instructions:
                  + Do.
                depends_on:
                  + money
                write:
                  + types/**
                verify:
                  + true
            retried: ui docs types
            dropped: 
        "#]],
    );
}

#[test]
fn a_task_that_comes_to_own_a_landed_tasks_files_waits_for_it_by_itself() {
    check(
        &["money", "api"],
        &json!([{ "edit": "add", "because": "the gate is red", "new": new_task("mend", "api/**", &[]) }]),
        &expect![[r#"
            + task mend: New
                instructions:
                  + Do.
                depends_on:
                  + api
                write:
                  + api/**
                verify:
                  + true
            retried: mend
            dropped: 
        "#]],
    );
}

#[test]
fn a_retry_changes_nothing_but_counts_anew() {
    check(
        &["money"],
        &json!([{ "edit": "retry", "task": "ui", "because": "the endpoint was down" }]),
        &expect![[r#"
        retried: ui
        dropped: 
    "#]],
    );
}

#[test]
fn what_has_landed_or_is_not_there_is_refused_all_at_once() {
    check(
        &["money"],
        &json!([
            { "edit": "retry", "task": "money", "because": "b" },
            { "edit": "drop", "task": "apis", "because": "b" },
            { "edit": "order", "before": "nobody", "after": "money", "because": "b" },
            { "edit": "order", "before": "ui", "after": "money", "because": "b" },
            { "edit": "widen", "task": "ui", "because": "b" },
            { "edit": "rewrite", "task": "ui", "because": "b" },
            { "edit": "merge", "tasks": ["ui", "ui"], "into": new_task("x", "x", &[]), "because": "b" },
            { "edit": "split", "task": "docs", "into": [], "because": "b" },
        ]),
        &expect![[r#"
            error[landed] edits[0].task: `money` has landed and stays as it is; add a task that depends on it
            error[unknown-task] edits[1].task: `apis` is not in the plan; did you mean `api`?
            error[unknown-task] edits[2].before: `nobody` is not in the plan; name one that is
            error[landed] edits[3].after: `money` has landed and stays as it is; add a task that depends on it
            error[no-change] edits[4].write: this widens `ui` by nothing; name a pattern
            error[no-change] edits[5].task: this rewrites nothing of `ui`; say what, or use `retry`
            error[no-change] edits[6].tasks: a merge takes two tasks or more; use `rewrite` for one
            error[no-change] edits[7].into: `docs` is to be split into 0; give two parts or more
        "#]],
    );
}

#[test]
fn what_comes_out_has_to_be_a_plan() {
    check(
        &["money"],
        &json!([
            { "edit": "order", "before": "docs", "after": "api", "because": "b" },
            { "edit": "widen", "task": "ui", "write": ["api/x.rs"], "because": "b" },
            { "edit": "add", "new": new_task("ui", "elsewhere", &["nowhere"]), "because": "b" },
        ]),
        &expect![[r#"
            error[duplicate-id] edits[2].new.id: `ui` is in the plan already; `rewrite` it, or choose another id
            error[unknown-dependency] task ui, depends_on: `ui` depends on `nowhere`, which is not in the plan; add that task, or take it out of `depends_on`
            error[overlap] task ui, write: `api` owns `api/**` and `ui` owns `api/x.rs`, and neither waits for the other; order them with `depends_on`, narrow one, or move the file to `shared` in both
            error[cycle] task api, depends_on: these tasks wait for each other: `api`, `docs`; remove one of their `depends_on`
        "#]],
    );
}

#[test]
fn mistakes_of_form_are_told_all_at_once() {
    check(
        &[],
        &json!([
            { "edit": "retyr", "task": "ui", "because": "b" },
            { "task": "ui" },
            { "edit": "widen", "task": "Ui", "write": ["../x", 3], "motive": "r", "into": null },
            "retry",
            { "edit": "add", "new": { "id": "x" }, "because": "b" },
        ]),
        &expect![[r#"
            error[unknown-edit] edits[0].edit: `retyr` is no edit; did you mean `retry`?
            error[missing] edits[1]: this edit has no `edit`; it is one of add, drop, split, merge, order, widen, rewrite, retry
            error[unknown-key] edits[2].motive: `motive` is not a key of `widen`; the keys are edit, because, task, write, shared
            error[missing] edits[2]: this edit has no `because`; add it
            error[bad-id] edits[2].task: `Ui` is not a task id: use 1 to 40 of a-z, 0-9 and -, with no - at either end
            error[bad-glob] edits[2].write[0]: `../x` leads out of the repository
            error[wrong-type] edits[2].write[1]: `write[1]` is a number, but must be a text
            error[wrong-type] edits[3]: `edits[3]` is a text, but must be an object such as {"edit": "retry", "task": "…", "because": "…"}
            error[missing] edits[4].new: `x` has no `title`; add it
            error[missing] edits[4].new: `x` has no `instructions`; add it
        "#]],
    );
    check(
        &[],
        &json!([]),
        &expect![[r#"
        error[missing] edits: `edits` is empty; say what to change, or `drop` what cannot be done
    "#]],
    );
}

#[test]
fn no_edit_gives_the_hosts_network_to_a_task_that_replaces_none_that_had_it() {
    let online = |id: &str, write: &str| {
        let mut task = new_task(id, write, &[]);
        task["network"] = json!("host");
        task
    };
    let edits = |whole: &str, other: &str| {
        json!({ "edits": [
            { "edit": "add", "new": online("new", "new/**"), "because": "b" },
            { "edit": "split", "task": whole, "into": [online("one", "api/one"), new_task("two", "api/two", &[])], "because": "b" },
            { "edit": "merge", "tasks": [other, "docs"], "into": online("both", "both/**"), "because": "b" },
            { "edit": "rewrite", "task": "money", "network": "host", "because": "b" }] })
    };
    let of = |plan: &Plan| {
        let edits = read_edits(&edits("api", "ui")).unwrap();
        listed(&apply(plan, &edits, &Progress::default()).unwrap_err())
    };
    let mut draft = plan(BASE).draft().clone();
    expect![[r#"
        error[host-network] edits[0].new.network: `new` asks for the host's network, which only a plan that a person reviews can; leave `network` out, and let its commands do with what the repository and the machine hold
        error[host-network] edits[1].into[0].network: `one` asks for the host's network, which only a plan that a person reviews can; leave `network` out, and let its commands do with what the repository and the machine hold
        error[host-network] edits[2].into.network: `both` asks for the host's network, which only a plan that a person reviews can; leave `network` out, and let its commands do with what the repository and the machine hold
        error[host-network] edits[3].network: `money` asks for the host's network, which only a plan that a person reviews can; leave `network` out, and let its commands do with what the repository and the machine hold
    "#]].assert_eq(&of(&Plan::new(draft.clone()).unwrap()));
    draft.tasks.iter_mut().filter(|task| task.id.as_str() != "money").for_each(|task| task.network = shared::Network::Host);
    let left = of(&Plan::new(draft).unwrap());
    assert!(left.lines().count() == 2 && left.contains("edits[0]") && left.contains("edits[3]"), "{left}");
}

#[test]
fn a_model_is_rewritten_and_stays_with_work_that_is_cut_or_put_together() {
    let mut draft = plan(BASE).draft().clone();
    draft.tasks.iter_mut().for_each(|task| task.model = Some("p/strong".to_owned()));
    let mut named = new_task("two", "api/two", &[]);
    named["model"] = json!("p/other");
    let edits = json!({ "edits": [
        { "edit": "split", "task": "api", "into": [new_task("one", "api/one", &[]), named], "because": "b" },
        { "edit": "merge", "tasks": ["ui", "docs"], "into": new_task("both", "both/**", &[]), "because": "b" },
        { "edit": "rewrite", "task": "money", "model": "p/weak", "because": "b" }] });
    let revised = apply(&Plan::new(draft).unwrap(), &read_edits(&edits).unwrap(), &Progress::default()).unwrap();
    let models = revised.plan.tasks().iter().map(|task| format!("{} {}", task.id, task.model.as_deref().unwrap_or("-")));
    assert_eq!(models.collect::<Vec<_>>(), ["money p/weak", "one p/strong", "two p/other", "both p/strong"]);
}

#[test]
fn an_edit_is_journaled_in_the_form_that_a_model_sends() {
    let edits = json!([
        { "edit": "add", "because": "b", "new": new_task("types", "types/**", &["money"]) },
        { "edit": "drop", "task": "ui", "because": "b" },
        { "edit": "split", "task": "ui", "into": [new_task("a", "a", &[]), new_task("b", "b", &["a"])], "because": "b" },
        { "edit": "merge", "tasks": ["a", "b"], "into": new_task("c", "c", &[]), "because": "b" },
        { "edit": "order", "before": "a", "after": "b", "because": "b" },
        { "edit": "widen", "task": "a", "write": ["x/**"], "shared": ["y"], "because": "b" },
        { "edit": "rewrite", "task": "a", "limits": {}, "network": "none", "depends_on": [], "hand_off": "h", "model": "p/m", "because": "b" },
        { "edit": "retry", "task": "a", "because": "b" },
    ]);
    let read = read_edits(&json!({ "edits": edits })).unwrap();
    let text = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Vec<PlanEdit>>(&text).unwrap(), read);
    assert!(serde_json::from_str::<PlanEdit>(r#"{"edit": "retry", "task": "A", "because": "b"}"#).is_err());
}

#[test]
fn edits_that_contradict_each_other_or_change_nothing_are_refused_all_at_once() {
    check(
        &["money"],
        &json!([
            { "edit": "retry", "task": "api", "because": "b" }, { "edit": "drop", "task": "api", "because": "b" },
            { "edit": "merge", "tasks": ["api", "ui"], "into": new_task("money", "x", &[]), "because": "b" },
            { "edit": "rewrite", "task": "ui", "title": "t", "because": "b" },
            { "edit": "order", "before": "api", "after": "docs", "because": "b" }, { "edit": "order", "before": "docs", "after": "docs", "because": "b" },
            { "edit": "widen", "task": "docs", "write": ["docs/**"], "because": "b" },
            { "edit": "split", "task": "docs", "because": "b", "into": [new_task("docs", "docs/a", &[]), new_task("money", "docs/b", &[])] },
        ]),
        &expect![[r#"
            error[contradiction] edits[0].task: edits[1] takes `api` out of the plan; keep one of the two edits
            error[contradiction] edits[2].tasks: edits[1] takes `api` out of the plan; keep one of the two edits
            error[contradiction] edits[3].task: edits[2] takes `ui` out of the plan; keep one of the two edits
            error[contradiction] edits[4].before: edits[1] takes `api` out of the plan; keep one of the two edits
            error[no-change] edits[5].after: `docs` cannot wait for itself; name two tasks
            error[no-change] edits[6].write: `docs` may write all of this already; use `retry` if it is to be tried again as it is
            error[duplicate-id] edits[7].into[1].id: `money` is in the plan already and stays as it is; choose another id
        "#]],
    );
}

/// Strict means: every object closed, and each of its properties required.
fn assert_strict(schema: &Value) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        assert_eq!(schema["additionalProperties"], json!(false), "{schema}");
        let required: BTreeSet<&str> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(required, properties.keys().map(String::as_str).collect(), "{schema}");
    }
    match schema {
        Value::Array(items) => items.iter().for_each(assert_strict),
        Value::Object(map) => map.values().for_each(assert_strict),
        _ => {}
    }
}

#[test]
fn the_schemas_are_strict_and_short() {
    for (schema, most) in [(submit_plan_schema(), 2800), (edit_plan_schema(), 9900)] {
        assert_strict(&schema);
        let length = schema.to_string().len();
        assert!(length <= most, "{length} bytes");
    }
}

#[test]
fn the_schema_of_a_plan_knows_the_keys_that_the_writer_writes() {
    let written = write_json(&plan(BASE));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let schema = submit_plan_schema();
    assert_eq!(keys(&schema["properties"]), keys(&written));
    assert_eq!(keys(&schema["properties"]["tasks"]["items"]["properties"]), keys(&written["tasks"][0]));
}

#[test]
fn a_difference_shows_lines_of_text_and_escapes_what_could_drive_a_terminal() {
    let with = |instructions: &str| {
        let mut draft = plan(BASE).draft().clone();
        draft.tasks[0].instructions = instructions.to_owned();
        Plan::new(draft).unwrap()
    };
    let (old, new) = (with("one\ntwo\nthree\nfour\nfive\nsix\nseven"), with("one\n2\nthree\nfour\nfive\nsix\n\u{1b}[31mseven"));
    expect![[r#"
        ~ task money
            instructions:
                one
              - two
              + 2
                three
                …
                six
              - seven
              + \u{1b}[31mseven
    "#]]
    .assert_eq(&diff(&old, &new));
}

proptest! {
    #[test]
    fn a_difference_is_empty_only_for_equal_plans(old in arbitrary::plan(), new in arbitrary::plan()) {
        prop_assert_eq!(diff(&old, &new).is_empty(), old == new);
        prop_assert_eq!(diff(&old, &old), "");
        let printable = |c: char| c == '\n' || c == '\t' || !c.is_control();
        prop_assert!(diff(&old, &new).chars().all(printable));
    }
}
