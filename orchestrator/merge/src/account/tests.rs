//! What an account says of merges, right and wrong.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn versions<'a>(base: &'a str, ours: &'a str, theirs: &'a str) -> Versions<'a> {
    Versions { path: "a.rs", base: base.as_bytes(), ours: ours.as_bytes(), theirs: theirs.as_bytes() }
}

fn shown(account: &Account) -> String {
    let mut out = String::new();
    for (side, hunks) in [("ours", &account.ours), ("theirs", &account.theirs)] {
        for hunk in hunks {
            let Hunk { line, added, removed, sample, fate } = hunk;
            writeln!(out, "{side} {line} +{added} -{removed} `{sample}`: {fate:?}").unwrap();
        }
    }
    for line in &account.stray {
        writeln!(out, "stray `{line}`").unwrap();
    }
    out
}

/// Versions in which `/` stands for a line end.
fn check(base: &str, ours: &str, theirs: &str, merged: &str, expected: &Expect) {
    let [base, ours, theirs, merged] = [base, ours, theirs, merged].map(|text| text.replace('/', "\n"));
    expected.assert_eq(&shown(&account(&versions(&base, &ours, &theirs), merged.as_bytes())));
}

#[test]
fn edits_of_different_places_are_found() {
    check(
        "a/b/c/d/",
        "A/b/c/d/",
        "a/b/c/d/e/",
        "A/b/c/d/e/",
        &expect![[r#"
            ours 1 +1 -1 `A`: Found
            theirs 5 +1 -0 `e`: Found
        "#]],
    );
}

#[test]
fn a_dropped_line_and_one_that_is_back_are_told() {
    check(
        "a/b/c/d/",
        "A/b/c/d/",
        "a/b/c/e/",
        "a/b/c/e/",
        &expect![[r#"
            ours 1 +1 -1 `A`: Lost { gone: ["A"], back: ["a"] }
            theirs 4 +1 -1 `e`: Found
        "#]],
    );
    check(
        "a/b/c/",
        "a/c/",
        "a/b/c/d/",
        "a/b/c/d/",
        &expect![[r#"
        ours 2 +0 -1 `b`: Lost { gone: [], back: ["b"] }
        theirs 4 +1 -0 `d`: Found
    "#]],
    );
}

#[test]
fn one_line_with_the_words_of_both_is_changed_on_purpose() {
    check(
        "f(a);/",
        "f(a, b);/",
        "f(a, c);/",
        "f(a, b, c);/",
        &expect![[r#"
            ours 1 +1 -1 `f(a, b);`: Changed
            theirs 1 +1 -1 `f(a, c);`: Changed
        "#]],
    );
    check(
        "f(a);/",
        "f(a, b);/",
        "f(c);/",
        "f(a, b, c);/",
        &expect![[r#"
            ours 1 +1 -1 `f(a, b);`: Changed
            theirs 1 +1 -1 `f(c);`: Lost { gone: ["f(c);"], back: [] }
            stray `f(a, b, c);`
        "#]],
    );
}

#[test]
fn what_both_did_alike_may_be_there_once_or_twice() {
    for merged in ["x/}/a/", "x/}/y/}/a/", "x/y/}/a/"] {
        let told = account(&versions("a\n", "x\n}\na\n", "y\n}\na\n"), merged.replace('/', "\n").as_bytes());
        assert_eq!(told.is_whole(), merged.contains('y'), "{merged}: {told:?}");
    }
}

#[test]
fn an_edit_that_is_in_a_block_that_moved_and_was_indented_anew_is_found() {
    check(
        "one/two/three/four/",
        "three/four/if x {/  one/  two/}/",
        "one/2/three/four/",
        "three/four/if x {/  one/  2/}/",
        &expect![[r#"
            ours 1 +0 -2 `one`: Found
            ours 3 +4 -0 `if x {`: Found
            theirs 1 +1 -1 `2`: Found
        "#]],
    );
}

#[test]
fn a_line_that_nobody_touched_and_one_that_nobody_wrote_are_told() {
    check(
        "a/b/c/d/",
        "A/b/c/d/",
        "a/b/c/D/",
        "A/b/D/new/",
        &expect![[r#"
        ours 1 +1 -1 `A`: Found
        theirs 4 +1 -1 `D`: Found
        stray `c`
        stray `new`
    "#]],
    );
    let lost = account(&versions("a\nb\n", "A\nb\n", "a\nb\nc\n"), b"A\nb\n");
    expect!["the merge would lose an edit: the other side added `c`"].assert_eq(&lost.complaint().unwrap());
}

/// What the chunks give where at most one side changed each.
fn merged(base: &[String], ours: &[String], theirs: &[String]) -> Option<Vec<String>> {
    let mut numbers = Numbers::new();
    let [b, o, t] = [base, ours, theirs].map(|lines| numbers.of(lines.to_vec()));
    let mut out = Vec::new();
    for chunk in chunks(&b, &o, &t, Touching::Joins) {
        match chunk.who {
            Who::Both => return None,
            Who::Theirs => out.extend_from_slice(&theirs[chunk.theirs]),
            _ => out.extend_from_slice(&ours[chunk.ours]),
        }
    }
    Some(out)
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect()
}

fn some_lines(alphabet: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::string::string_regex(alphabet).unwrap(), 0..14)
}

proptest! {
    #[test]
    fn edits_that_do_not_meet_are_never_lost(base in some_lines("[a-e}]"), ours in some_lines("[a-h}]"), theirs in some_lines("[a-h}]")) {
        if let Some(merged) = merged(&base, &ours, &theirs) {
            let account = account(&versions(&text(&base), &text(&ours), &text(&theirs)), text(&merged).as_bytes());
            prop_assert!(account.is_whole(), "{:?}", account);
            prop_assert!(account.hunks().all(|hunk| hunk.fate == Fate::Found));
        }
    }

    #[test]
    fn dropping_any_line_that_a_side_added_is_told(at in 0usize..6, other in 0usize..6, drop in 0usize..3) {
        let base: Vec<String> = (0..12).map(|n| format!("line {}", n % 5)).collect();
        let (mut ours, mut theirs, mut merged) = (base.clone(), base.clone(), base.clone());
        let new = ["if x {", "}", "line 3"].map(str::to_owned);
        ours.splice(at..at, new.clone());
        theirs.splice(6 + other..6 + other, ["if y {".to_owned(), "}".to_owned()]);
        prop_assume!(at + 1 < 6 + other);
        merged.splice(6 + other..6 + other, ["if y {".to_owned(), "}".to_owned()]);
        let mut left = new.to_vec();
        left.remove(drop);
        merged.splice(at..at, left);
        let (b, o, t) = (text(&base), text(&ours), text(&theirs));
        prop_assert!(!account(&versions(&b, &o, &t), text(&merged).as_bytes()).is_whole());
    }

    #[test]
    fn arbitrary_bytes_have_an_account(all in prop::array::uniform4(prop::collection::vec(any::<u8>(), 0..60))) {
        let [base, ours, theirs, merged] = &all;
        let _ = account(&Versions { path: "x", base, ours, theirs }, merged);
        let same = account(&Versions { path: "x", base, ours, theirs: base }, ours);
        prop_assert!(same.is_whole());
    }
}
