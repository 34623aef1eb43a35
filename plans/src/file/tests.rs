//! Plan files, good and bad, and the way there and back.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates a snapshot")]

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Reading, parse_json, parse_toml, read_json, read_toml, write_json, write_toml};
use crate::{arbitrary, problem::Problem};

fn listed(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut out, problem| {
        writeln!(out, "{problem}").unwrap();
        out
    })
}

/// The text's problems, or the plan as it is written.
fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&parse_toml(text).map_or_else(|problems| listed(&problems), |plan| write_toml(&plan)));
}

fn check_json(value: &Value, expected: &Expect) {
    expected.assert_eq(&parse_json(value).map_or_else(|problems| listed(&problems), |plan| write_toml(&plan)));
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same_plan(plan in arbitrary::plan()) {
        let text = write_toml(&plan);
        prop_assert_eq!(parse_toml(&text), Ok(plan.clone()), "{}", text);
        prop_assert_eq!(parse_json(&write_json(&plan)), Ok(plan));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in arbitrary::text()) {
        let _ = parse_toml(&text);
        let _ = parse_toml(&format!("task = {text}"));
        let _ = parse_json(&json!({ "tasks": text, "goal": [text], "gate": text }));
    }
}

#[test]
fn a_text_that_a_reviewer_could_misread_is_written_with_escapes() {
    let hidden = format!("safe {} cod", '\u{202e}');
    let plan = parse_json(&json!({ "goal": hidden, "tasks": [] })).unwrap();
    assert!(write_toml(&plan).contains(r"safe \U0000202E cod"));
    assert_eq!(parse_toml(&write_toml(&plan)).unwrap().goal(), hidden);
}

#[test]
fn a_file_that_is_not_toml_is_refused_at_its_line() {
    check(
        "goal = \"g\"\n\n[[task]\nid = 1\n",
        &expect![[r#"
            error[syntax] line 3: this is not TOML: unclosed array table, expected `]`
        "#]],
    );
}

#[test]
fn windows_line_ends_do_not_shift_the_lines() {
    check(
        "version = 1\r\ngoal = \"g\"\r\ncolour = 3\r\n",
        &expect![[r#"
            error[unknown-key] line 3: `colour` is not a key of a plan; the keys are version, goal, gate, task
        "#]],
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_each_with_its_line() {
    check(
        r#"version = 2
gaol = "g"

[gate]
commands = "cargo test"
timeout = 20

[[task]]
id = "Money_Type"
instrutions = "..."
write = ["../up/**", "src/[.rs"]
deliver = ["/etc/passwd"]
worker = "robot"
limits = { turns = -1, cost_usd = -0.5, minute = 3 }

[[task]]
id = "b"
title = "B"
instructions = "..."
depends_on = [
    "Money_Type",
    "c",
    "bb",
    3,
]
write = ["lib/**"]
deliver = ["docs/b.md"]

[[task]]
id = "b"
title = "B again"
instructions = "..."
write = ["lib/b.rs"]

[[task]]
title = "Nameless"
instructions = 7
depends_on = ["b"]
"#,
        &expect![[r#"
            error[unknown-version] line 1: version 2 is not known; this program reads version 1
            error[unknown-key] line 2: `gaol` is not a key of a plan; did you mean `goal`?
            error[wrong-type] line 5: `commands` is a text, but must be a list
            error[wrong-type] line 6: `timeout` is a number, but must be a text with a unit, such as "20m" or "90s"
            error[missing] line 8: this task has no `title`; add it
            error[bad-id] line 9: `Money_Type` is not a task id: use 1 to 40 of a-z, 0-9 and -, with no - at either end
            error[unknown-key] line 10: `instrutions` is not a key of a task; did you mean `instructions`?
            error[bad-glob] line 11: `../up/**` leads out of the repository
            error[bad-glob] line 11: `src/[.rs` is not a glob: unclosed character class; missing ']'
            error[bad-path] line 12: `/etc/passwd` is absolute; give it relative to the root of the repository
            error[bad-worker] line 13: `worker` must be "agent" or { command = "..." }
            error[unknown-key] line 14: `minute` is not a key of `limits`; did you mean `minutes`?
            error[bad-number] line 14: `turns` must be a whole number from 0 to 4294967295
            error[bad-number] line 14: `cost_usd` must be a number of dollars from 0 to 10,000,000
            error[unknown-dependency] line 21: `b` depends on `c`, which is not in the plan; add that task, or take it out of `depends_on`
            error[unknown-dependency] line 22: `b` depends on `bb`, which is not in the plan; did you mean `b`?
            error[wrong-type] line 24: `depends_on[3]` is a number, but must be a text
            error[overlap] line 26: `b` owns `lib/**` and `b` owns `lib/b.rs`, and neither waits for the other; order them with `depends_on`, narrow one, or move the file to `shared` in both
            error[deliver-outside-scope] line 27: `b` must deliver `docs/b.md`, which its scope does not let it write; add it to `write`
            error[duplicate-id] line 30: the id `b` is used twice; rename one of the tasks
            error[missing] line 35: this task has no `id`; add it
            error[wrong-type] line 37: `instructions` is a number, but must be a text
        "#]],
    );
}

#[test]
fn a_single_table_of_tasks_and_a_gate_without_a_table_say_what_to_write() {
    check(
        "goal = \"g\"\ngate = [\"cargo test\"]\n[task]\nid = \"a\"\n",
        &expect![[r#"
        error[wrong-type] line 2: `gate` is a list, but must be a table [gate] with `commands = [...]` and `timeout = "20m"`
        error[wrong-type] line 3: a task begins with `[[task]]`, in two brackets
    "#]],
    );
}

#[test]
fn a_network_is_one_of_three_and_the_usual_one_is_not_written() {
    let text = |gate: &str, task: &str| {
        format!(
            "goal = \"g\"\n[gate]\ncommands = [\"true\"]\n{gate}\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"i\"\nwrite = [\"a\"]\n{task}\n"
        )
    };
    check(
        &text("network = 3", "network = \"internet\""),
        &expect![[r#"
        error[wrong-type] line 4: `network` is a number, but must be a text
        error[bad-network] line 10: `network` cannot be `internet`; it is one of `none`, `loopback`, `host`
    "#]],
    );
    let written = |gate: &str, task: &str| {
        let written = write_toml(&parse_toml(&text(gate, task)).unwrap());
        written.lines().filter(|line| line.starts_with("network")).map(str::to_owned).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(written("", "network = \"loopback\""), "");
    assert_eq!(written("network = \"none\"", "network = \"host\""), "network = \"none\", network = \"host\"");
}

#[test]
fn cycles_and_overlaps_are_told_together() {
    check(
        r#"
goal = "g"
[[task]]
id = "a"
title = "A"
instructions = "..."
depends_on = ["b"]
write = ["a/**"]
[[task]]
id = "b"
title = "B"
instructions = "..."
depends_on = ["a"]
write = ["b/**"]
[[task]]
id = "c"
title = "C"
instructions = "..."
write = ["c/**", "a/x.rs"]
"#,
        &expect![[r#"
            error[cycle] line 7: these tasks wait for each other: `a`, `b`; remove one of their `depends_on`
            error[overlap] line 19: `a` owns `a/**` and `c` owns `a/x.rs`, and neither waits for the other; order them with `depends_on`, narrow one, or move the file to `shared` in both
        "#]],
    );
}

#[test]
fn a_plan_is_written_to_be_read_in_a_review() {
    check_json(
        &json!({
            "goal": "Give every money value a currency",
            "gate": { "commands": ["cargo test --workspace"], "timeout": "20m" },
            "tasks": [
                {
                    "id": "money-type", "title": "Money carries a `Currency`",
                    "instructions": "Add `Currency` to `crates/money`.\n\nPrint it as \"EUR\".",
                    "write": ["crates/money/**"], "shared": ["Cargo.lock"],
                    "deliver": ["crates/money/src/currency.rs"],
                    "verify": ["cargo test -p money", "grep -q \"EUR\" crates/money/src/currency.rs"],
                    "hand_off": "How a `Money` is built now",
                    "limits": { "turns": 80, "tokens": 600_000, "cost_usd": 0.5, "minutes": 20 },
                },
                {
                    "id": "rename", "title": "Rename the callers", "depends_on": ["money-type"],
                    "write": (0..5).map(|i| format!("crates/a-crate-with-a-long-name-{i}/**")).collect::<Vec<_>>(),
                    "worker": { "command": "sed -i 's/Amount/Money/' $(git ls-files 'crates/*.rs')" },
                    "limits": { "cost_usd": 0.000_000_003 },
                },
            ],
        }),
        &expect![[r#"
            version = 1
            goal = "Give every money value a currency"

            # Run on the merged tree; the run branch moves only when all of it passes.
            [gate]
            commands = ["cargo test --workspace"]
            timeout = "20m"

            [[task]]
            id = "money-type"
            title = "Money carries a `Currency`"
            instructions = """
            Add `Currency` to `crates/money`.

            Print it as "EUR"."""
            write = ["crates/money/**"]
            shared = ["Cargo.lock"]
            deliver = ["crates/money/src/currency.rs"]
            verify = ["cargo test -p money", 'grep -q "EUR" crates/money/src/currency.rs']
            hand_off = "How a `Money` is built now"
            limits = { turns = 80, tokens = 600_000, cost_usd = 0.50, minutes = 20 }

            [[task]]
            id = "rename"
            title = "Rename the callers"
            depends_on = ["money-type"]
            write = [
                "crates/a-crate-with-a-long-name-0/**",
                "crates/a-crate-with-a-long-name-1/**",
                "crates/a-crate-with-a-long-name-2/**",
                "crates/a-crate-with-a-long-name-3/**",
                "crates/a-crate-with-a-long-name-4/**",
            ]
            worker = { command = "sed -i 's/Amount/Money/' $(git ls-files 'crates/*.rs')" }
            limits = { cost_usd = 0.000000003 }
        "#]],
    );
}

#[test]
fn null_counts_as_missing_and_one_text_as_a_list_of_one() {
    check_json(
        &json!({
            "version": null, "goal": "g", "gate": null,
            "tasks": "[{\"id\": \"a\", \"title\": \"A\", \"instructions\": \"i\", \"write\": \"src\"}]",
        }),
        &expect![[r#"
            version = 1
            goal = "g"

            # Run on the merged tree; the run branch moves only when all of it passes.
            [gate]
            commands = []
            timeout = "20m"

            [[task]]
            id = "a"
            title = "A"
            instructions = "i"
            write = ["src"]
        "#]],
    );
    check_json(
        &json!({ "goal": "g", "tasks": [{
            "id": "a", "title": "A", "instructions": "i", "depends_on": null, "write": "[\"src/**\"]", "shared": null, "deliver": null,
            "verify": "cargo test", "hand_off": null, "worker": null, "limits": { "turns": 80.0, "tokens": null, "cost_usd": 1 },
        }] }),
        &expect![[r#"
            version = 1
            goal = "g"

            # Run on the merged tree; the run branch moves only when all of it passes.
            [gate]
            commands = []
            timeout = "20m"

            [[task]]
            id = "a"
            title = "A"
            instructions = "i"
            write = ["src/**"]
            verify = ["cargo test"]
            limits = { turns = 80, cost_usd = 1.00 }
        "#]],
    );
}

#[test]
fn problems_of_submitted_json_are_placed_at_their_path() {
    check_json(
        &json!({
            "gate": ["cargo test"],
            "tasks": [
                "just a text",
                { "id": "a", "title": "A", "instructions": "i", "write": ["src/**", "/abs"], "depends_on": ["z"], "prio": 1 },
                { "id": "b", "title": "B", "instructions": "i", "write": ["src/b.rs"], "worker": { "cmd": "x" } },
            ],
        }),
        &expect![[r#"
            error[wrong-type] gate: `gate` is a list, but must be an object {"commands": [...], "timeout": "20m"}
            error[wrong-type] tasks[0]: `tasks[0]` is a text, but must be an object with the keys id, title, instructions, depends_on, write, shared, network, deliver, verify, hand_off, worker, model, limits
            error[unknown-key] tasks[1].prio: `prio` is not a key of a task; the keys are id, title, instructions, depends_on, write, shared, network, deliver, verify, hand_off, worker, model, limits
            error[bad-glob] tasks[1].write[1]: `/abs` is absolute; give it relative to the root of the repository
            error[unknown-key] tasks[2].worker.cmd: `cmd` is not a key of `worker`; its only key is command
            error[missing] tasks[2].worker: `worker` has no `command`; add it
            error[unknown-dependency] tasks[1].depends_on[0]: `a` depends on `z`, which is not in the plan; add that task, or take it out of `depends_on`
            error[overlap] tasks[2].write[0]: `a` owns `src/**` and `b` owns `src/b.rs`, and neither waits for the other; order them with `depends_on`, narrow one, or move the file to `shared` in both
        "#]],
    );
    check_json(
        &json!([1, 2]),
        &expect![[r#"
        error[wrong-type] plan: the document is a list, but must be an object with the keys version, goal, gate, tasks
    "#]],
    );
}

#[test]
fn what_the_harness_knows_fills_in_only_what_is_missing() {
    let known = crate::Gate { commands: vec!["make test".to_owned()], ..crate::Gate::default() };
    let mut bare = read_json(&json!({ "tasks": [] })).unwrap();
    assert_eq!((bare.has_goal(), bare.has_gate()), (false, false));
    bare.fill("the goal", &known);
    assert_eq!((bare.draft.goal.as_str(), &bare.draft.gate), ("the goal", &known));

    let mut full = read_toml("goal = \"own\"\n[gate]\ncommands = [\"true\"]\n").unwrap();
    assert_eq!((full.has_goal(), full.has_gate()), (true, true));
    full.fill("the goal", &known);
    assert_eq!((full.draft.goal.as_str(), full.draft.gate.commands[0].as_str()), ("own", "true"));
}

#[test]
fn a_broken_file_still_shows_what_was_understood() {
    let reading = Reading::of_toml("goal = \"g\"\nwhat = 1\n[[task]]\nid = \"a\"\ntitle = 3\nwrite = [\"src\"]\n");
    assert_eq!(reading.draft.tasks[0].id.as_str(), "a");
    assert_eq!(reading.problems.len(), 3, "{}", listed(&reading.problems));
}

#[test]
fn every_example_is_a_plan_with_a_gate_and_survives_being_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(paths.len() >= 3, "the examples have gone: {paths:?}");
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let reading = read_toml(&text).unwrap_or_else(|problems| panic!("{}: {}", path.display(), listed(&problems)));
        let checked = crate::lint::check(&reading, &crate::Survey::default(), &crate::lint::LintRules::default());
        let plan = checked.plan.unwrap_or_else(|| panic!("{}: {}", path.display(), listed(&checked.problems)));
        assert_eq!(parse_toml(&write_toml(&plan)), Ok(plan.clone()), "{}", path.display());
        assert_eq!(parse_json(&write_json(&plan)), Ok(plan), "{}", path.display());
    }
}

#[test]
fn a_limit_above_what_a_file_can_say_reads_and_is_written_as_the_most_that_it_can() {
    let plan =
        parse_toml("version = 1\ngoal = 'g'\n[[task]]\nid = 't'\ntitle = 't'\ninstructions = 'i'\nwrite = ['a']\n").unwrap();
    for (tokens, written) in [(1 << 63, "9_223_372_036_854_775_807"), (u64::MAX, "9_223_372_036_854_775_807"), (7, "7")] {
        let mut draft = plan.draft().clone();
        draft.tasks[0].limits.tokens = Some(tokens);
        let plan = crate::Plan::new(draft).unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<crate::Plan>(&json).unwrap(), plan, "{json}");
        let text = write_toml(&plan);
        assert!(text.contains(&format!("tokens = {written}")), "{text}");
        assert!(parse_toml(&text).is_ok(), "{text}");
    }
}
