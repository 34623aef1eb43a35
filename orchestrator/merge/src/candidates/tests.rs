//! What two features that collide become.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// The first candidate, or how it looks when there is none.
fn first(path: &str, base: &str, ours: &str, theirs: &str) -> String {
    let versions = Versions { path, base: base.as_bytes(), ours: ours.as_bytes(), theirs: theirs.as_bytes() };
    let all = propose(&versions, &[parts::by_lines(&versions)], None);
    let shown = |one: &Candidate| format!("({})\n{}", one.how, String::from_utf8_lossy(&one.text));
    all.first().map_or("none".to_owned(), shown)
}

fn check(path: &str, [base, ours, theirs]: [&str; 3], expected: &Expect) {
    expected.assert_eq(&first(path, base, ours, theirs));
}

#[test]
fn two_functions_at_one_place_stand_side_by_side() {
    check(
        "a.py",
        ["a = 1\n", "a = 1\n\n\ndef x():\n    return 1\n", "a = 1\n\n\ndef y():\n    return 1\n"],
        &expect![[r#"
        (both, what landed first)
        a = 1


        def x():
            return 1


        def y():
            return 1
    "#]],
    );
}

#[test]
fn imports_of_both_are_there_and_common_ones_once() {
    check(
        "a.py",
        ["", "import os\nimport re\n", "import os\nimport sys\n"],
        &expect![[r#"
        (both, with what they share once)
        import os
        import re
        import sys
    "#]],
    );
}

#[test]
fn both_parameters_are_in_the_signature_and_in_the_call() {
    let base = "def f(a):\n    return g(a)\n";
    let ours = "def f(a, x=None):\n    return g(a, x)\n";
    let theirs = "def f(a, y=None):\n    return g(a, y=y)\n";
    check(
        "a.py",
        [base, ours, theirs],
        &expect![[r#"
        (both, what landed first)
        def f(a, x=None, y=None):
            return g(a, x, y=y)
    "#]],
    );
    check(
        "a.rs",
        ["fn f() {}\n", "fn f(a: u8) {}\n", "fn f(b: u8) {}\n"],
        &expect![[r#"
        (both, what landed first)
        fn f(a: u8, b: u8) {}
    "#]],
    );
}

#[test]
fn both_entries_of_a_list_without_a_last_comma_are_there() {
    check(
        "a.py",
        ["x = [\n    'a'\n]\n", "x = [\n    'a',\n    'b'\n]\n", "x = [\n    'a',\n    'c'\n]\n"],
        &expect![[r#"
        (both, what landed first)
        x = [
            'a',
            'b',
            'c'
        ]
    "#]],
    );
}

#[test]
fn a_changed_condition_goes_into_the_block_that_the_other_side_put_around_it() {
    let base = "if a:\n    go()\n";
    check(
        "a.py",
        [base, "if a and b:\n    go()\n", "for x in y:\n    if a:\n        go()\n"],
        &expect![[r#"
        (both, what landed first)
        for x in y:
            if a and b:
                go()
    "#]],
    );
}

#[test]
fn two_blocks_around_one_line_are_one_in_the_other() {
    check(
        "a.py",
        ["go()\n", "if a:\n    go()\n", "with b:\n    go()\n"],
        &expect![[r#"
            (both, what landed first)
            if a:
                with b:
                    go()
        "#]],
    );
}

#[test]
fn branches_of_both_are_in_the_chain() {
    let base = "if a:\n    x()\nelse:\n    z()\n";
    let ours = "if a:\n    x()\nelif b:\n    y()\nelse:\n    z()\n";
    let theirs = "if a:\n    x()\nelif c:\n    w()\nelse:\n    z()\n";
    check(
        "a.py",
        [base, ours, theirs],
        &expect![[r#"
        (both, what landed first)
        if a:
            x()
        elif b:
            y()
        elif c:
            w()
        else:
            z()
    "#]],
    );
}

#[test]
fn a_side_that_has_the_others_edit_in_it_is_taken() {
    check(
        "a.py",
        ["a\nb\n", "a\nx\ny\nb\n", "a\nx\nb\n"],
        &expect![[r#"
            (the side that has the other's edit in it)
            a
            x
            y
            b
        "#]],
    );
}

#[test]
fn an_edit_beside_a_rewritten_line_is_kept() {
    check(
        "a.py",
        ["a = 1\n", "a = 2\n", "a = 1\nb = a\n"],
        &expect![[r#"
        (both, what landed first)
        a = 2
        b = a
    "#]],
    );
}

#[test]
fn two_values_in_one_place_stand_after_each_other_at_worst() {
    check(
        "a.py",
        ["a = 1\n", "a = 2\n", "a = 3\n"],
        &expect![[r#"
        (both, what landed first)
        a = 2
        a = 3
    "#]],
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_have_few_candidates_or_none_and_each_is_whole(all in prop::array::uniform3("[a-c{}\\n ,(:]{0,30}")) {
        let [base, ours, theirs] = all.each_ref().map(std::string::String::as_bytes);
        let versions = Versions { path: "a.txt", base, ours, theirs };
        let found = candidates(&versions);
        prop_assert!(found.len() <= MOST);
        prop_assert!(found.iter().enumerate().all(|(at, one)| found[..at].iter().all(|other| other.text != one.text)));
        for candidate in found {
            prop_assert!(account(&versions, &candidate.text).is_whole());
        }
    }
}
