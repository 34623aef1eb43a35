//! The text about a repository that prompts begin with.

use expect_test::{Expect, expect};

use super::{
    super::{Findings, Room, repository_brief},
    findings_of,
};

const SHOP: &str = r#"
## AGENTS.md
Money is counted in cents.
## web/CLAUDE.md
No semicolons.
## Cargo.toml
[package]
name = "shop"
## src/lib.rs
mod money;
mod store;
mod deep;
## src/money.rs
## src/store.rs
use crate::money::Money;
## src/deep/mod.rs
use crate::money::Money;
## docs/one/two/three.md
## web/a.test.js
"#;

/// Without symbols.
fn listed(findings: &Findings, bytes: usize) -> String {
    repository_brief(findings, &Room { goal: "", bytes, map: 0 })
}

fn check(budget: usize, expected: &Expect) {
    let brief = listed(&findings_of(SHOP), budget);
    assert!(brief.len() <= budget, "{} bytes", brief.len());
    expected.assert_eq(&brief);
}

#[test]
fn a_brief_names_languages_manifests_commands_folders_and_guidance() {
    check(
        4_000,
        &expect![[r#"
        # The repository

        Files: 9 (1 with tests)
        Languages: rust 4, markdown 3, javascript 1, toml 1
        Manifests: Cargo.toml
        Verified by: `cargo test`
        Most imported: src/money.rs (by 3)

        ## Files

        docs/
          one/
            two/
              three.md
        src/
          deep/
            mod.rs
          lib.rs
          money.rs
          store.rs
        web/
          CLAUDE.md
          a.test.js
        AGENTS.md
        Cargo.toml

        ## AGENTS.md

        Money is counted in cents.

        ## web/CLAUDE.md

        No semicolons.
    "#]],
    );
}

#[test]
fn a_small_budget_keeps_the_facts_and_closes_folders() {
    check(
        420,
        &expect![[r#"
        # The repository

        Files: 9 (1 with tests)
        Languages: rust 4, markdown 3, javascript 1, toml 1
        Manifests: Cargo.toml
        Verified by: `cargo test`
        Most imported: src/money.rs (by 3)

        ## Files

        docs/
          one/ (1 file)
        src/
          deep/ (1 file)
          lib.rs
          money.rs
          store.rs
        web/
          CLAUDE.md
          a.test.js
        AGENTS.md
        Cargo.toml

        ## AGENTS.md

        Money is counted in cents.

        ## web/CLAUDE.md

        No semicolons.
    "#]],
    );
}

#[test]
fn no_budget_is_ever_passed_and_the_bytes_are_always_the_same() {
    let findings = findings_of(SHOP);
    for budget in (0..1_500).step_by(7) {
        let brief = listed(&findings, budget);
        assert!(brief.len() <= budget, "{} of {budget}", brief.len());
        assert_eq!(brief, listed(&findings, budget));
    }
}

#[test]
fn a_folder_of_many_files_shows_those_that_others_import() {
    let many = (0..60).map(|n| format!("## src/f{n:02}.py\nimport f55\n")).collect::<Vec<_>>().concat();
    let brief = listed(&findings_of(&many), 10_000);
    assert!(brief.contains("  f55.py\n") && brief.contains("  … 20 more files\n") && !brief.contains("f54.py"), "{brief}");
}

#[test]
fn symbols_stand_beside_a_short_outline_and_instead_of_what_is_imported_most() {
    let findings =
        findings_of(&format!("{SHOP}\n## src/trade.rs\npub struct Trade;\nimpl Trade {{ pub fn sell_all(&self) {{}} }}\n"));
    let brief = repository_brief(&findings, &Room { goal: "", bytes: 2_000, map: 500 });
    expect![[r#"
        # The repository

        Files: 10 (1 with tests)
        Languages: rust 5, markdown 3, javascript 1, toml 1
        Manifests: Cargo.toml
        Verified by: `cargo test`

        ## Files

        docs/
          one/
            two/
              three.md
        src/
          deep/
            mod.rs
          lib.rs
          money.rs
          store.rs
          trade.rs
        web/
          CLAUDE.md
          a.test.js
        AGENTS.md
        Cargo.toml

        ## Symbols

        The most used ones, with their lines.

        src/trade.rs
          1 pub struct Trade
          2 Trade: pub fn sell_all(&self)

        ## AGENTS.md

        Money is counted in cents.

        ## web/CLAUDE.md

        No semicolons.
    "#]]
    .assert_eq(&brief);
    for bytes in (0..1_500).step_by(7) {
        let brief = repository_brief(&findings, &Room { goal: "", bytes, map: 200 });
        assert!(brief.len() <= bytes, "{} of {bytes}", brief.len());
    }
}
