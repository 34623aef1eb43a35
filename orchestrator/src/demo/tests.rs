//! The demo's pieces fit each other: plan, script, files and story. The run as a whole is tried with the binary.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use plans::{
    Plan, edit,
    event::{CommitId, Entry, Event, Proof, RedVerdict, RunStatus, VERSION},
    file::Reading,
    render,
};
use serde_json::Value;
use shared::{Attempt, AttemptKey, Outcome, RepoPath, Report, RunId, TaskId};
use worker::model::{Dialect, ModelSettings, connect};

use super::{quoted, script, shop, story::story};

type Files = BTreeMap<String, String>;

#[test]
fn the_plan_looks_like_this() {
    let plan = script::plan();
    let facts = render::TableFacts { width: 98, ..Default::default() };
    expect![[r#"
        task                       depends on  may write                  proof                     worker
        ─────────────────────────  ──────────  ─────────────────────────  ────────────────────────  ──────
        currency                               crates/money/**            $ cargo test --offline    agent
        Money carries a Currency                                          -p money
                                                                          makes crates/money/src/
                                                                          currency.rs

        invoice                    currency    crates/invoice/**          $ cargo test --offline    agent
        Invoices are in one                    crates/shop/src/lib.rs     -p invoice -p shop
        currency                               (shared)

        tax                        currency    crates/tax/**              $ cargo test --offline    agent
        Tax is in the currency                 crates/shop/src/lib.rs     -p tax -p shop
        of what is taxed                       (shared)

        report                     currency    crates/report/**           $ cargo test --offline    agent
        Bills name the currency                                           -p report

        no-default                 invoice     crates/money/**            $ cargo test --offline    agent
        No money without a         tax                                    -p money
        currency                   report

        docs                       no-default  README.md                  $ grep -q Currency        agent
        Readme and change log                  CHANGELOG.md               README.md
        tell of currencies                                                $ grep -q Currency
                                                                          CHANGELOG.md

        shared  crates/shop/src/lib.rs by invoice, tax
        gate    $ cargo test --offline --workspace (at most 5m)
        6 tasks, 4 in the longest chain

               currency
           ┌───────┼───────┐
        invoice   tax   report
           └───────┼───────┘
              no-default
                   │
                 docs
    "#]]
    .assert_eq(&format!("{}\n{}", render::table(&plan, &facts), render::graph(&plan, 98, |_| None)));
}

#[test]
fn the_plan_has_six_tasks_and_a_diamond() {
    let plan = script::plan();
    assert!(plan.tasks().len() >= 6);
    let shares_a_root = |at: usize| {
        let before: Vec<BTreeSet<usize>> = plan.dependencies(at).map(|by| plan.dependencies(by).collect()).collect();
        before.len() > 1 && before.iter().skip(1).any(|other| !other.is_disjoint(&before[0]))
    };
    assert!((0..plan.tasks().len()).any(shares_a_root));
}

#[test]
fn the_scripted_model_reads_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.json");
    std::fs::write(&path, script::script().to_string()).unwrap();
    assert!(connect(ModelSettings::new("scripted/demo", Dialect::Scripted { path }, "")).is_ok());
}

#[test]
fn the_planner_submits_the_plan_and_mends_it_with_edits_that_fit() {
    let script = script::script();
    let submitted = Reading::of_json(&last_call(&script["planner"]["1"])["arguments"]).plan().unwrap();
    assert_eq!(submitted, script::plan());
    let revised = mended(&script);
    assert_eq!(revised.tasks().len(), 7);
    assert!(revised.get(&id("no-default")).unwrap().depends_on.contains(&id("export")));
    for task in revised.tasks() {
        assert_eq!(last_call(&script["tasks"][task.id.as_str()]["1"])["tool"], "finish", "{}", task.id);
    }
}

#[test]
fn every_change_fits_the_files_in_whichever_order_the_two_that_conflict_land() {
    for (first, second) in [("invoice", "tax"), ("tax", "invoice")] {
        let mut files: Files = shop::files().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        let attempts = [
            ("currency", "1"),
            ("report", "1"),
            (first, "1"),
            (second, "2"),
            ("export", "1"),
            ("no-default", "1"),
            ("docs", "1"),
        ];
        for (task, attempt) in attempts {
            carry_out(task, attempt, &mut files);
        }
        let left: Vec<&String> = files.iter().filter(|(_, text)| text.contains("Money::from(")).map(|(path, _)| path).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "").unwrap();
    let said = shop::place(folder.path(), Some(".".as_ref())).unwrap_err().to_string();
    assert!(said.contains("is not empty"), "{said}");
    assert!(shop::place(folder.path(), Some("a new/folder".as_ref())).unwrap().is_dir());
}

#[test]
fn a_path_with_blanks_or_quotes_is_one_word_for_a_shell() {
    assert_eq!([quoted("/tmp/a-b"), quoted("/tmp/a b"), quoted("it's")], ["/tmp/a-b", "'/tmp/a b'", r"'it'\''s'"]);
}

#[test]
fn the_story_is_what_the_journal_says() {
    let output = "compiling\n  error: no such thing\nend";
    let verdict = RedVerdict { red_before: Some(false), ..RedVerdict::new(Proof::Gate, "make test", "exit 2", output) };
    let commit = |name: &str| CommitId(name.repeat(40));
    let done = |key| Event::AttemptEnded { key, commit: Some(commit("d")), outcome: Outcome::Done { report: Report::default() } };
    let paths = vec![RepoPath::new("crates/shop/src/lib.rs").unwrap()];
    let detail = String::new();
    let proposed = plans::event::Author::Planner;
    expect![[r#"
        What happened
          At once   invoice and tax were worked on at the same time, each in a worktree of its own.
          Conflict  tax and invoice had changed the same lines of crates/shop/src/lib.rs; invoice had landed first. The
                    worker of tax was shown both sides and did its change again in the same conversation (#2); it landed
                    as bbbbbbbbbbbb.
          Red       no-default was green in its own worktree, but with everything together the gate, `make test`, was
                    not: exit 2 (error: no such thing). It did not land, and the run branch stayed as it was.
          Re-plan   The planner got that output as evidence and edited the plan: add: it was forgotten; order: first
                    things first. The new task, export, landed as cccccccccccc.
          Result    The run is complete, at cccccccccccc: 2 tasks landed after 3 attempts, each proved on the merged
                    tree before the run branch moved.
    "#]]
    .assert_eq(&tell(vec![
        Event::PlanProposed { revision: 1, plan: Box::new(script::plan()), author: proposed, warnings: Vec::new() },
        started("tax", 1, None),
        started("invoice", 1, None),
        done(key("invoice", 1)),
        done(key("tax", 1)),
        Event::LandingConflicted { key: key("tax", 1), onto: commit("a"), paths, with: vec![id("invoice")], detail },
        started("tax", 2, Some(Attempt(1))),
        Event::TaskLanded { key: key("tax", 2), commit: commit("b") },
        Event::LandingRefused { key: key("no-default", 1), onto: commit("b"), verdict },
        Event::PlanRevised {
            revision: 2,
            replan: Some(1),
            plan: Box::new(mended(&script::script())),
            fresh: Vec::new(),
            dropped: Vec::new(),
            difference: "add: it was forgotten\norder: first things first\n\n+ task export".to_owned(),
        },
        Event::TaskLanded { key: key("export", 1), commit: commit("c") },
        Event::RunEnded { status: RunStatus::Complete, tip: commit("c") },
    ]));
}

#[test]
fn what_did_not_happen_is_not_told() {
    expect![[r#"
        What happened
          Result    The run has not ended; nothing landed.
    "#]]
    .assert_eq(&tell(vec![started("tax", 1, None)]));
}

fn tell(events: Vec<Event>) -> String {
    let entry = |(at, event): (usize, Event)| Entry {
        version: VERSION,
        seq: at as u64 + 1,
        time: String::new(),
        run: RunId::new("abcdefgh").unwrap(),
        event,
    };
    // The snapshot would take an indentation of all lines for its own.
    format!("What happened\n{}", story(&events.into_iter().enumerate().map(entry).collect::<Vec<_>>()))
}

fn id(name: &str) -> TaskId {
    TaskId::new(name).unwrap()
}

fn key(task: &str, attempt: u32) -> AttemptKey {
    AttemptKey { task: id(task), attempt: Attempt(attempt) }
}

fn started(task: &str, attempt: u32, continues: Option<Attempt>) -> Event {
    Event::AttemptStarted { key: key(task, attempt), base: CommitId("e".repeat(40)), continues, content: String::new() }
}

fn calls(turns: &Value) -> impl Iterator<Item = &Value> {
    turns.as_array().unwrap().iter().flat_map(|turn| turn["calls"].as_array().unwrap())
}

fn last_call(turns: &Value) -> &Value {
    calls(turns).last().unwrap()
}

/// The plan after the re-plan, when all that `no-default` waits for has landed.
fn mended(script: &Value) -> Plan {
    let edits = edit::read_edits(&last_call(&script["planner"]["2"])["arguments"]).unwrap();
    let landed: std::collections::BTreeSet<_> = ["currency", "invoice", "tax", "report"].into_iter().map(id).collect();
    edit::apply(&script::plan(), &edits, &landed.into()).unwrap().plan
}

/// Makes the changes of an attempt, as the tools would: what is replaced is there exactly once, and in the task's scope.
fn carry_out(task: &str, attempt: &str, files: &mut Files) {
    let script = script::script();
    let plan = mended(&script);
    let scope = &plan.get(&id(task)).unwrap().scope;
    let mut read = BTreeSet::new();
    for call in calls(&script["tasks"][task][attempt]) {
        let word = |key: &str| call["arguments"][key].as_str().unwrap().to_owned();
        match call["tool"].as_str().unwrap() {
            "read_file" => {
                assert!(files.contains_key(&word("path")), "{task}: {call}");
                read.insert(word("path"));
            }
            "write_file" => drop(files.insert(word("path"), word("content"))),
            "edit_file" => {
                let (path, old) = (word("path"), word("old_text"));
                assert!(read.contains(&path) && scope.allows(&RepoPath::new(&path).unwrap()), "{task}: {path}");
                let text = files.get_mut(&path).unwrap();
                assert_eq!(text.matches(&old).count(), 1, "{task} #{attempt}: {old:?} in {path}:\n{text}");
                *text = text.replace(&old, &word("new_text"));
            }
            _ => {}
        }
    }
}
