//! Whatever a command writes is read to its end.

use proptest::prelude::*;

use super::super::*;

/// Pieces of real outputs, whole and torn.
const PIECES: &[&str] = &[
    "test a::b ... FAILED",
    "failures:\n",
    "    a::b\n",
    "---- a::b stdout ----",
    "thread 'a::b' panicked at ",
    "src/a.rs:1:2",
    "error[E0308]: ",
    "  --> src/a.rs:1:2\n",
    "FAILED tests/x.py::t - m",
    "=== FAILURES ===",
    "___ t ___",
    "E   m",
    "--- FAIL: T (0.0s)",
    "FAIL\tp\t0.1s",
    "# p\n",
    "● a › b",
    "FAIL src/a.test.js",
    "× a > b 5ms",
    "not ok 1 - a",
    "✖ a (1ms)",
    "        FAIL [   0.1s] a b",
    "panic: x",
    "\u{1b}[31m",
    "\u{1b}",
    "\u{1b}]0;",
    "\r",
    "\r\n",
    "\n",
    "\0",
    "é",
    ":",
    "(1,2)",
    "File \"a.py\", line 3",
    "99999999999999999999",
    "<testcase name='",
    "'>",
    "<failure>",
    "]]>",
    "<![CDATA[",
    "[gw0] [ 5%] ",
    "a.go:1:2: x",
    "FAIL: t (a.B)",
];

fn outputs() -> impl Strategy<Value = String> {
    let piece = prop_oneof![4 => proptest::sample::select(PIECES).prop_map(str::to_owned), 1 => ".{0,12}"];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_text_is_read_within_bounds(output in outputs()) {
        let mut failures = read(&output, &["/w", ""]);
        failures.join(read_junit(&output, &["/w"]));
        prop_assert!(failures.failing.len() <= 200 && failures.places.len() <= 200);
        let is_short = |failing: &FailingTest| failing.name.len() <= 300 && failing.message.as_ref().is_none_or(|message| message.len() <= 300);
        prop_assert!(failures.failing.iter().all(is_short));
        let text = serde_json::to_string(&failures.failing).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<FailingTest>>(&text).unwrap(), failures.failing.clone());
        prop_assert!(excerpt(&output, failures.failing.first(), 20).lines().count() <= 22);
    }

    #[test]
    fn the_same_text_is_read_the_same(output in outputs()) {
        prop_assert_eq!(read(&output, &[]), read(&output, &[]));
    }
}

#[test]
fn huge_outputs_are_read_in_time_that_grows_with_their_length() {
    let begun = std::time::Instant::now();
    for piece in PIECES.iter().copied().chain(["test a ... FAILED\n", "a:1:", "((((", "::::", "<a>"]) {
        let output = piece.repeat((1 << 18) / piece.len());
        let failures = read(&output, &["/w"]);
        assert!(failures.failing.len() <= 100);
    }
    // Linear is well below; what grows with the square takes hours.
    assert!(begun.elapsed().as_secs() < 120);
}
