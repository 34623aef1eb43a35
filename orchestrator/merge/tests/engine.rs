//! What holds for every merge of a file, whatever is in it.

#![expect(clippy::format_collect, reason = "texts of a few lines")]

use merge::{Labels, Merge, Versions};
use proptest::prelude::*;

const LABELS: Labels<'_> = Labels { ours: "ours", base: "base", theirs: "theirs" };
const PATHS: &[&str] = &["a.rs", "a.py", "a.ts", "a.tsx", "a.js", "a.go", "a.java", "a.c", "a.txt", "a.unknown", "Makefile"];

fn merged(path: &str, base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    match merge::merge(&Versions { path, base, ours, theirs }, &LABELS) {
        Merge::Clean(merged) => Some(merged.text),
        Merge::Conflicted(_) => None,
    }
}

/// Pieces of programs, so that what is put together from them is often nearly one.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "use a::{b, c};\n",
        "import os\n",
        "from a import (\n    b,\n",
        "import { x } from 'y';\n",
        "fn f() {\n",
        "    g();\n",
        "}\n",
        "def f(a, b):\n",
        "    return 1\n",
        "class A:\n",
        "struct S { a: u8 }\n",
        "// so\n",
        "# so\n",
        "\n",
        "  \t\n",
        "x = [1, 2,\n",
        "]\n",
        "\"\"\"\n",
        "é\u{1F600}\n",
        "package a\n",
        "impl A for B {\n",
        "@dec\n",
        "#[cfg(x)]\n",
        "case 1:\n",
        "\r\n",
        "\u{c}",
        "\u{feff}",
        "\u{2028}",
        "\\",
        "import",
        "from",
        "use ",
        "*",
        "a\n",
        "(",
        ";",
        "a, b",
        ")",
        "{",
        "<<<<<<< a\n",
        "=======\n",
        "'",
        "`",
        "\\\n",
    ])
}

fn program() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..14).prop_map(|pieces| pieces.concat())
}

/// A file of so many functions, each with a value.
fn functions(values: &[u32]) -> String {
    values.iter().enumerate().map(|(at, value)| format!("fn f{at}() -> u32 {{\n    let a = {value};\n    a\n}}\n\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_crash(path in prop::sample::select(PATHS), three in prop::array::uniform3(prop::collection::vec(any::<u8>(), 0..200))) {
        let [base, ours, theirs] = &three;
        merged(path, base, ours, theirs);
    }

    #[test]
    fn no_half_program_makes_it_crash_and_who_is_ours_does_not_matter(
        path in prop::sample::select(PATHS),
        three in prop::array::uniform3(program()),
    ) {
        let [base, ours, theirs] = three.each_ref().map(String::as_bytes);
        let (one, other) = (merged(path, base, ours, theirs), merged(path, base, theirs, ours));
        // How many errors a text has that is no program depends on what stands before what.
        prop_assert!(one.is_some() == other.is_some() || !three.iter().all(|text| merge::parses(path, text)));
    }

    #[test]
    fn one_side_alone_is_that_side(path in prop::sample::select(PATHS), base in program(), side in program()) {
        let (base, side) = (base.as_bytes(), side.as_bytes());
        prop_assert_eq!(merged(path, base, side, base), Some(side.to_vec()));
        prop_assert_eq!(merged(path, base, base, side), Some(side.to_vec()));
        prop_assert_eq!(merged(path, base, side, side), Some(side.to_vec()));
    }

    #[test]
    fn edits_of_different_functions_are_both_made(
        values in prop::collection::vec((0_u32..9, prop::option::of((any::<bool>(), 10_u32..99))), 2..8),
    ) {
        let with = |keep: fn(bool) -> bool| -> Vec<u32> {
            values.iter().map(|(old, new)| new.filter(|(ours, _)| keep(*ours)).map_or(*old, |(_, new)| new)).collect()
        };
        let (base, ours, theirs, both) = (with(|_| false), with(|ours| ours), with(|ours| !ours), with(|_| true));
        let [base, ours, theirs, both] = [base, ours, theirs, both].map(|values| functions(&values));
        prop_assert_eq!(merged("a.rs", base.as_bytes(), ours.as_bytes(), theirs.as_bytes()), Some(both.into_bytes()));
    }

    #[test]
    fn functions_that_both_add_are_all_there(left in 1_usize..4, right in 1_usize..4) {
        let base = functions(&[1, 2]);
        let added = |name: &str, count: usize| (0..count).map(|at| format!("fn {name}{at}() {{\n    {name}();\n}}\n\n")).collect::<String>();
        let (ours, theirs) = (format!("{base}{}", added("left", left)), format!("{base}{}", added("right", right)));
        let both = format!("{ours}{}", added("right", right));
        prop_assert_eq!(merged("a.rs", base.as_bytes(), ours.as_bytes(), theirs.as_bytes()), Some(both.into_bytes()));
    }
}

#[test]
fn what_is_not_text_is_a_conflict_and_stays_as_it_was() {
    let three = [b"\0base".as_slice(), b"\0ours", b"\0theirs"];
    let versions = Versions { path: "a.rs", base: three[0], ours: three[1], theirs: three[2] };
    let Merge::Conflicted(left) = merge::merge(&versions, &LABELS) else { panic!("it merged") };
    assert_eq!(left.text, b"\0ours");
    assert!(left.refused.is_some_and(|why| why.contains("not text")));
}

#[test]
fn a_deeply_nested_file_is_a_conflict_or_merged_and_no_crash() {
    let nested = |inner: &str| format!("fn f() {{ {}{inner}{} }}\n", "(".repeat(3000), ")".repeat(3000));
    merged("a.rs", nested("1").as_bytes(), nested("2").as_bytes(), nested("3").as_bytes());
    let deep = |inner: &str| format!("{}{inner}{}", "mod a {\n".repeat(5000), "}\n".repeat(5000));
    merged("a.rs", deep("fn a() {}\n").as_bytes(), deep("fn b() {}\n").as_bytes(), deep("fn c() {}\n").as_bytes());
}

#[test]
fn a_brace_that_is_missing_in_the_middle_of_a_letter_is_no_crash() {
    merged("a.ts", "class A:\n{fn f() {\n}\né\u{1F600}\n".as_bytes(), b"", b"use a::{b, c};\n");
}
