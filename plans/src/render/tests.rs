//! Plans as tables and graphs.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates a snapshot")]

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use shared::{Glob, Money, TaskId};

use super::{Expected, TableFacts, dot, graph, mermaid, rights, table};
use crate::{approval::PathRules, arbitrary, file::parse_toml, sample::plan};

/// The graph of a plan in which each task owns a file of its own: `a; b <- a; c <- a b`.
fn check_graph(text: &str, expected: &Expect) {
    expected.assert_eq(&graph(&plan(&owning(text)), 80, |_| None));
}

fn owning(text: &str) -> String {
    let tasks = text.split(';').map(str::trim).map(|task| match task.split_once(" <- ") {
        Some((id, after)) => format!("{id} owns {id}.rs after {after}\n"),
        None => format!("{task} owns {task}.rs\n"),
    });
    tasks.collect()
}

#[test]
fn a_diamond_looks_like_one() {
    check_graph(
        "schema; api <- schema; ui <- schema; docs <- api ui",
        &expect![[r#"
         schema
         ┌──┴──┐
        api   ui
         └──┬──┘
          docs
    "#]],
    );
}

#[test]
fn a_line_past_a_layer_and_a_dependency_that_others_imply() {
    check_graph(
        "a; b <- a; c <- b a; side <- a; end <- c side",
        &expect![[r#"
           a
        ┌──┴──┐
        b   side
        └┐   ┌┘
         c   │
         └─┬─┘
          end
    "#]],
    );
}

#[test]
fn lines_that_cross_are_not_joined() {
    check_graph(
        "a; b; c; x <- a b; y <- b c; z <- a c",
        &expect![[r#"
            a   b   c
            └┬──│┐  │
             ├──┴│──│┐
             │   ├──┴┤
             x   z   y
        "#]],
    );
}

#[test]
fn tasks_without_dependencies_stand_side_by_side() {
    check_graph(
        "one; two; three; four <- two",
        &expect![[r#"
        one   two   three
               │
             four
    "#]],
    );
}

#[test]
fn a_fan_out_and_a_fan_in() {
    check_graph(
        "base; a <- base; bb <- base; ccc <- base; dddd <- base; join <- a bb ccc dddd; last <- join",
        &expect![[r#"
              base
        ┌────┬──┴─┬──────┐
        a   bb   ccc   dddd
        └────┴──┬─┴──────┘
              join
                │
              last
    "#]],
    );
}

#[test]
fn what_does_not_fit_is_a_list_by_layer() {
    let text = owning("schema; api <- schema; ui <- schema; docs <- api ui");
    expect![[r#"
          1  schema
          2  api     after schema
             ui      after schema
          3  docs    after api, ui
    "#]]
    .assert_eq(&graph(&plan(&text), 7, |_| None));
}

#[test]
fn a_mark_stands_before_its_task() {
    let text = owning("schema; api <- schema; ui <- schema; docs <- api ui");
    let mark = |id: &TaskId| (id.as_str() != "docs").then(|| "✓".to_owned());
    expect![[r#"
          ✓ schema
          ┌───┴───┐
        ✓ api   ✓ ui
          └───┬───┘
            docs
    "#]]
    .assert_eq(&graph(&plan(&text), 80, mark));
}

const RENAME: &str = r#"
        goal = "g"
        [gate]
        commands = ["cargo test --workspace"]
        [[task]]
        id = "money-type"
        title = "Money carries a Currency"
        instructions = "..."
        write = ["crates/money/**"]
        shared = ["Cargo.lock"]
        deliver = ["crates/money/src/currency.rs"]
        verify = ["cargo test -p money"]
        [[task]]
        id = "rename"
        title = "Rename \u001b[31m漢字 callers"
        instructions = "..."
        depends_on = ["money-type"]
        write = ["crates/a-crate-with-a-long-name/src/**", "docs"]
        shared = ["Cargo.lock"]
        worker = { command = "sed -i s/Amount/Money/ $(git ls-files)" }
    "#;

#[test]
fn the_table_shows_what_a_reviewer_has_to_know() {
    let cost = |id: &str, usd| (TaskId::new(id).unwrap(), Expected { tokens: 12_345, cost: Money::from_usd(usd) });
    let expected = BTreeMap::from([cost("money-type", 0.4), cost("rename", 0.02)]);
    let plan = parse_toml(RENAME).unwrap();
    expect![[r#"
        task                depends on  may write           proof               worker             est. cost
        ──────────────────  ──────────  ──────────────────  ──────────────────  ─────────────────  ─────────
        money-type                      crates/money/**     $ cargo test -p     agent              $0.40
        Money carries a                 Cargo.lock          money
        Currency                        (shared)            makes crates/
                                                            money/src/
                                                            currency.rs

        rename              money-type  crates/a-crate-                         $ sed -i s/        $0.0200
        Rename                          with-a-long-name/                       Amount/Money/
        \u{1b}[31m漢字                  src/**                                  $(git ls-files)
        callers                         docs
                                        Cargo.lock
                                        (shared)

        shared  Cargo.lock by money-type, rename
        gate    $ cargo test --workspace (at most 20m)
        2 tasks, 2 in the longest chain, estimated $0.42
    "#]]
    .assert_eq(&table(&plan, &TableFacts { expected, ..TableFacts::default() }));
}

#[test]
fn a_model_of_ones_own_is_shown_where_it_is_not_the_usual_one() {
    let mut draft = plan("a owns a.rs\nb owns b.rs\nc owns c.rs").draft().clone();
    draft.tasks[0].model = Some("p/strong".to_owned());
    draft.tasks[1].model = Some("p/usual".to_owned());
    let facts = TableFacts { usual_model: Some("p/usual".to_owned()), ..TableFacts::default() };
    let shown = table(&crate::Plan::new(draft).unwrap(), &facts);
    expect![[r#"
        task  depends on  may write  proof  worker
        ────  ──────────  ─────────  ─────  ─────────────
        a                 a.rs              agent
        t                                   with p/strong

        b                 b.rs              agent
        t

        c                 c.rs              agent
        t

        gate    $ true (at most 20m)
        3 tasks, 1 in the longest chain
    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_narrow_screen_gets_a_taller_table() {
    let plan = parse_toml(RENAME).unwrap();
    expect![[r#"
        task         depends on  may write    proof       worker
        ───────────  ──────────  ───────────  ──────────  ──────────
        money-type               crates/      $ cargo     agent
        Money                    money/**     test -p
        carries a                Cargo.lock   money
        Currency                 (shared)     makes
                                              crates/
                                              money/src/
                                              currency.r
                                              s

        rename       money-type  crates/a-                $ sed -i
        Rename                   crate-with-              s/Amount/
        \u{1b}[31m               a-long-                  Money/
        漢字                     name/src/**              $(git ls-
        callers                  docs                     files)
                                 Cargo.lock
                                 (shared)

        shared  Cargo.lock by money-type, rename
        gate    $ cargo test --workspace (at most 20m)
        2 tasks, 2 in the longest chain
    "#]]
    .assert_eq(&table(&plan, &TableFacts { width: 60, ..TableFacts::default() }));
}

#[test]
fn other_programs_get_the_graph_in_their_own_syntax() {
    let plan = plan("a owns a as Say \"hi\" \\ <b>[x]#1;\nend owns b after a as é 100%");
    expect![[r#"
        graph TD
            t0["a<br/>Say #34;hi#34; #92; #60;b#62;#91;x#93;#35;1#59;"]
            t1["end<br/>é 100#37;"]
            t0 --> t1
    "#]]
    .assert_eq(&mermaid(&plan));
    expect![[r#"
        digraph plan {
            rankdir = TB;
            node [shape = box];
            "a" [label = "a\nSay \"hi\" \\ <b>[x]#1;"];
            "end" [label = "end\né 100%"];
            "a" -> "end";
        }
    "#]]
    .assert_eq(&dot(&plan));
}

proptest! {
    #[test]
    fn every_plan_can_be_drawn_and_no_control_character_gets_out(plan in arbitrary::plan(), width in 0..120_usize) {
        let facts = TableFacts { width, ..TableFacts::default() };
        let rules = PathRules { ask: vec![Glob::new("**").unwrap()], deny: vec![Glob::new("**/a.rs").unwrap()] };
        let drawn =
            [graph(&plan, width, |_| None), table(&plan, &facts), mermaid(&plan), dot(&plan), rights(&plan, &rules, width)];
        for text in &drawn {
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        }
        for task in plan.tasks() {
            prop_assert!(drawn[0].contains(task.id.as_str()));
        }
    }
}
