//! Outputs in the form of the real ones, and what is read from them.

mod bounds;

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

fn said(failures: &Failures) -> String {
    let mut text = String::new();
    for failing in &failures.failing {
        let kind = if failing.kind == Kind::Build { "build " } else { "" };
        writeln!(text, "{kind}{}", failing.in_words()).unwrap();
    }
    let places: Vec<String> = failures.places.iter().map(|place| format!("{}:{}", place.path, place.line)).collect();
    writeln!(text, "at {}", places.join(" ")).unwrap();
    text
}

#[track_caller]
fn check(output: &str, expected: &Expect) {
    expected.assert_eq(&said(&read(output, &["/w/shop"])));
    // Colours and the line ends of another system change nothing.
    let coloured = output.replace("FAIL", "\u{1b}[31mFAIL\u{1b}[0m").replace('\n', "\u{1b}[0m\r\n");
    assert_eq!(said(&read(&coloured, &["/w/shop"])), said(&read(output, &["/w/shop"])));
}

#[test]
fn libtest_names_its_tests_with_the_place_and_the_words_of_their_panics() {
    check(
        "running 4 tests
test money::tests::adds ... FAILED
test money::tests::holds - should panic ... FAILED
test cart::tests::empty ... ok

failures:

---- money::tests::adds stdout ----

thread 'money::tests::adds' (4711) panicked at money/src/lib.rs:12:9:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:645:5
   1: money::add
             at ./money/src/sum.rs:3:5
note: run with `RUST_BACKTRACE=full`

---- money::tests::holds stdout ----
note: test did not panic as expected at money/src/lib.rs:20:8

failures:
    money::tests::adds
    money::tests::holds

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `-p money --lib`
",
        &expect![[r#"
            money::tests::adds (money/src/lib.rs:12): assertion `left == right` failed
            money::tests::holds
            at money/src/lib.rs:12 money/src/sum.rs:3 money/src/lib.rs:20
        "#]],
    );
}

#[test]
fn a_quiet_libtest_and_one_whose_lines_are_torn_still_have_their_list() {
    check(
        "running 2 tests
test a::one ... test a::two ... ok
FAILED

failures:

---- a::one stdout ----
thread 'a::one' panicked at 'boom, and more', src/a.rs:7:5

failures:
    a::one
    src/lib.rs - a::Example (line 12)

test result: FAILED.
",
        &expect![[r#"
            a::one (src/a.rs:7): boom, and more
            src/lib.rs - a::Example (line 12)
            at src/a.rs:7
        "#]],
    );
}

#[test]
fn errors_of_the_compiler_are_builds_that_fail_and_what_follows_from_them_is_not_told() {
    check(
        "   Compiling shop v0.1.0 (/w/shop)
error[E0308]: mismatched types
  --> src/cart.rs:7:20
   |
7  |     let total: Money = 3;
   |                -----   ^ expected `Money`, found integer

error: unused variable: `x`
 --> /w/shop/src/lib.rs:2:9

error[E0599]: no method named `cents` found
  --> /root/.cargo/registry/src/index/serde-1.0.0/src/lib.rs:9:1

error: aborting due to 2 previous errors

error: could not compile `shop` (lib) due to 2 previous errors
",
        &expect![[r#"
            build E0308 in src/cart.rs (src/cart.rs:7): mismatched types
            build error in src/lib.rs (src/lib.rs:2): unused variable: `x`
            build E0599: no method named `cents` found
            at src/cart.rs:7 src/lib.rs:2
        "#]],
    );
}

#[test]
fn nextest_names_binary_and_test_and_its_panics_are_found_by_thread() {
    check(
        "    Starting 3 tests across 2 binaries
        PASS [   0.003s] shop cart::empty
        FAIL [   5.667s] (2/3) shop::it money::adds
  stderr ───

    thread 'money::adds' (459601) panicked at tests/it/money.rs:38:9:
    timeout too short
    note: run with `RUST_BACKTRACE=1`

     TIMEOUT [  60.004s] shop hangs
────────────
     Summary [  60.677s] 3 tests run: 1 passed, 1 failed, 1 timed out, 0 skipped
        FAIL [   5.667s] (2/3) shop::it money::adds
     TIMEOUT [  60.004s] shop hangs
error: test run failed
",
        &expect![[r#"
            shop::it money::adds (tests/it/money.rs:38): timeout too short
            shop hangs
            at tests/it/money.rs:38
        "#]],
    );
}

#[test]
fn pytest_names_its_tests_in_the_summary_and_says_why_in_their_sections() {
    check(
        "FF.E                                                                     [100%]
==================================== ERRORS ====================================
____________________ ERROR collecting tests/test_broken.py _____________________
ImportError while importing test module '/w/shop/tests/test_broken.py'.
E   ImportError: cannot import name 'Shop' from 'shop'
=================================== FAILURES ===================================
____________________________________ test_a ____________________________________

    def test_a():
>       assert 1 == 2
E       assert 1 == 2

tests/test_m.py:3: AssertionError
_________________________________ TestX.test_b _________________________________

self = <test_m.TestX object at 0x7fd58fc42dd0>

>       raise ValueError(\"boom\")

tests/test_m.py:6:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
shop/money.py:9: in cents
E       ValueError: boom

shop/money.py:10: ValueError
=========================== short test summary info ============================
FAILED tests/test_m.py::test_a - assert 1 == 2
FAILED tests/test_m.py::TestX::test_b - ValueError: boom
ERROR tests/test_broken.py - ImportError: cannot import name 'Shop' from 'shop'
2 failed, 1 passed in 0.03s
",
        &expect![[r#"
            tests/test_m.py::test_a (tests/test_m.py:3): assert 1 == 2
            tests/test_m.py::TestX::test_b (shop/money.py:10): ValueError: boom
            build import in tests/test_broken.py (tests/test_broken.py): ImportError: cannot import name 'Shop' from 'shop'
            at tests/test_m.py:3 tests/test_m.py:6 shop/money.py:9 shop/money.py:10
        "#]],
    );
}

#[test]
fn pytest_without_a_summary_in_many_processes_and_with_parameters() {
    check(
        "[gw0] [ 50%] FAILED tests/test_m.py::test_p[a-1] 
[gw1] [100%] PASSED tests/test_m.py::test_q 
=================================== FAILURES ===================================
_________________________________ test_other ___________________________________
[gw1] linux -- Python 3.11.2
E       KeyError: 'x'
/w/shop/tests/test_m.py:44: KeyError
1 failed in 0.03s
",
        &expect![[r#"
            tests/test_m.py::test_p[a-1] (tests/test_m.py)
            test_other (tests/test_m.py:44): KeyError: 'x'
            at tests/test_m.py:44
        "#]],
    );
}

#[test]
fn unittest_names_class_and_method() {
    check(
        "F
======================================================================
FAIL: test_adds (tests.test_money.MoneyTest.test_adds)
----------------------------------------------------------------------
Traceback (most recent call last):
  File \"/w/shop/tests/test_money.py\", line 8, in test_adds
    self.assertEqual(1, 2)
AssertionError: 1 != 2

======================================================================
ERROR: test_old (tests.test_money.MoneyTest)
----------------------------------------------------------------------
Traceback (most recent call last):
  File \"/usr/lib/python3.11/unittest/case.py\", line 57, in run
  File \"/w/shop/shop/money.py\", line 3, in cents
    raise ValueError
ValueError

Ran 2 tests in 0.001s
FAILED (failures=1, errors=1)
",
        &expect![[r#"
            tests.test_money.MoneyTest.test_adds (tests/test_money.py:8): AssertionError: 1 != 2
            tests.test_money.MoneyTest.test_old (shop/money.py:3): ValueError
            at tests/test_money.py:8 shop/money.py:3
        "#]],
    );
}

#[test]
fn jest_names_file_and_test() {
    check(
        "PASS src/other.test.js
FAIL src/cart.test.js (5.12 s)
  cart
    ✓ is empty (2 ms)
    ✕ adds (5 ms)

  ● Console

    console.log here

  ● cart › adds

    expect(received).toBe(expected) // Object.is equality

    Expected: 2
    Received: 1

      10 |   it('adds', () => {
    > 12 |     expect(sum(1)).toBe(2);

      at Object.toBe (src/cart.test.js:12:20)
      at sum (node_modules/jest-circus/build/utils.js:231:10)

FAIL src/broken.test.js
  ● Test suite failed to run

    Cannot find module './shop' from 'src/broken.test.js'

      at Resolver._throwModNotFoundError (node_modules/jest-resolve/build/resolver.js:427:11)
      at Object.<anonymous> (src/broken.test.js:1:1)

Test Suites: 2 failed, 1 passed, 3 total
",
        &expect![[r#"
            cart › adds (src/cart.test.js:12): expect(received).toBe(expected) // Object.is equality
            src/broken.test.js (the whole file) (src/broken.test.js:1): Cannot find module './shop' from 'src/broken.test.js'
            at src/cart.test.js:12 src/broken.test.js:1
        "#]],
    );
}

#[test]
fn vitest_names_file_and_test() {
    check(
        " ❯ src/cart.test.ts (2 tests | 1 failed) 12ms
   ✓ cart > is empty 1ms
   × cart > adds 5ms
     → expected 1 to be 2 // Object.is equality

⎯⎯⎯⎯⎯⎯⎯ Failed Tests 1 ⎯⎯⎯⎯⎯⎯⎯

 FAIL  src/cart.test.ts > cart > adds
AssertionError: expected 1 to be 2 // Object.is equality

- Expected
+ Received

 ❯ src/cart.test.ts:12:20
     10|   it('adds', () => {
     12|     expect(sum(1)).toBe(2)

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/2]⎯

 FAIL  src/broken.test.ts [ src/broken.test.ts ]
Error: Failed to load url ./shop (resolved id: ./shop)
 ❯ src/broken.test.ts:1:1

 Test Files  2 failed (2)
",
        &expect![[r#"
            src/cart.test.ts > cart > adds (src/cart.test.ts:12): AssertionError: expected 1 to be 2 // Object.is equality
            src/broken.test.ts (the whole file) (src/broken.test.ts:1): Error: Failed to load url ./shop (resolved id: ./shop)
            at src/cart.test.ts:12 src/broken.test.ts:1
        "#]],
    );
}

#[test]
fn the_test_runner_of_node_in_both_of_its_forms() {
    check(
        "▶ cart
  ✖ adds (1.2ms)
▶ cart (2.5ms)
ℹ tests 1
✖ failing tests:

test at cart.test.js:2:27
✖ adds (1.2ms)
  AssertionError [ERR_ASSERTION]: 1 == 2
      at TestContext.<anonymous> (/w/shop/cart.test.js:2:27)
      at Test.run (node:internal/test_runner/test:796:25)
TAP version 13
# Subtest: cart
    # Subtest: takes
    not ok 1 - takes
      ---
      duration_ms: 2.883455
      location: '/w/shop/cart.test.js:9:1'
      failureType: 'testCodeFailure'
      error: '1 == 2'
      code: 'ERR_ASSERTION'
      stack: |-
        TestContext.<anonymous> (/w/shop/cart.test.js:10:27)
      ...
    1..1
not ok 1 - cart
  ---
  duration_ms: 3.9
  type: 'suite'
  failureType: 'subtestsFailed'
  error: '1 subtest failed'
  ...
",
        &expect![[r#"
            adds (cart.test.js:2): test at cart.test.js:2:27
            takes (cart.test.js:9): 1 == 2
            at cart.test.js:2 cart.test.js:9 cart.test.js:10
        "#]],
    );
}

#[test]
fn go_names_package_and_test_and_what_cannot_be_built() {
    check(
        "--- FAIL: TestA (0.00s)
    --- FAIL: TestA/sub (0.00s)
        a_test.go:3: got 1
--- FAIL: TestB (0.00s)
panic: boom [recovered]
\tpanic: boom

goroutine 8 [running]:
testing.tRunner.func1.2({0x5031a0, 0x551878})
\t/usr/lib/go-1.19/src/testing/testing.go:1396 +0x24e
example.org/app.TestB(0xc000007a00?)
\t/w/shop/money/a_test.go:4 +0x27
FAIL\texample.org/app/money\t0.006s
# example.org/app/cart [example.org/app/cart.test]
cart/cart.go:7:2: undefined: Money
vet: cart/cart.go:9:2: undefined: Money
FAIL\texample.org/app/cart [build failed]
ok  \texample.org/app/other\t0.003s
FAIL
",
        &expect![[r#"
            example.org/app/money.TestA/sub (a_test.go:3): got 1
            example.org/app/money.TestB (money/a_test.go:4): boom
            build go build in cart/cart.go (cart/cart.go:7): undefined: Money
            at a_test.go:3 money/a_test.go:4 cart/cart.go:7 cart/cart.go:9
        "#]],
    );
}

#[test]
fn checkers_name_rule_and_file() {
    check(
        "src/cart.ts(1,2): error TS2322: Type 'string' is not assignable to type 'number'.
src/shop.ts:3:9 - error TS2304: Cannot find name 'Shop'.

/w/shop/src/cart.js
   1:2  error    'x' is not defined  no-undef
  12:1  warning  Unexpected console  no-console

src/a.c:4:1: fatal error: gone.h: No such file or directory
shop/money.py:9: error: Incompatible return value type  [return-value]
src/b.c:5:1: warning: unused
see https://example.org:443/x.html and localhost:8080
",
        &expect![[r#"
            build TS2322 in src/cart.ts (src/cart.ts:1): Type 'string' is not assignable to type 'number'.
            build TS2304 in src/shop.ts (src/shop.ts:3): Cannot find name 'Shop'.
            build no-undef in src/cart.js (src/cart.js:1): 'x' is not defined
            build error in src/a.c (src/a.c:4): gone.h: No such file or directory
            build error in shop/money.py (shop/money.py:9): Incompatible return value type  [return-value]
            at src/cart.ts:1 src/shop.ts:3 src/cart.js:1 src/a.c:4 shop/money.py:9 src/b.c:5
        "#]],
    );
}

#[test]
fn what_no_runner_has_written_names_no_test() {
    check(
        "the limit is 3\nmake: *** [Makefile:2: test] Error 1\n",
        &expect![[r#"
        at 
    "#]],
    );
}

#[test]
fn reports_in_the_form_of_junit_tell_class_place_and_message() {
    let report = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="money" tests="3" failures="1" errors="1">
<testcase classname="tests.test_money" name="test_ok" time="0.01"/>
<testcase classname="tests.test_money" name="test_adds" file="tests/test_money.py" line="7">
<failure message="assert 1 == 2&#10;more">def test_adds():
  File "/w/shop/tests/test_money.py", line 8, in test_adds
</failure></testcase>
<testcase name="shop::it money::holds"><error type="x"><![CDATA[
thread 'money::holds' panicked at src/money.rs:3:1:
boom]]></error></testcase>
<testcase name="torn"><failure message="half"#;
    expect![[r#"
        tests.test_money.test_adds (tests/test_money.py:7): assert 1 == 2
        shop::it money::holds (src/money.rs:3): boom
        at tests/test_money.py:8 src/money.rs:3
    "#]]
    .assert_eq(&said(&read_junit(report, &["/w/shop"])));
    assert_eq!(read_junit("no xml at <all", &[]), Failures::default());
}

#[test]
fn a_report_completes_what_the_output_said_and_adds_what_it_did_not() {
    let mut both = read("FAILED tests/test_m.py::test_adds\n", &[]);
    both.join(read_junit(
        "<t><testcase classname='tests.test_m' name='test_adds' file='tests/test_m.py' line='3'><failure message='1 != 2'/></testcase>\
         <testcase name='other'><failure/></testcase></t>",
        &[],
    ));
    expect![[r#"
        tests/test_m.py::test_adds (tests/test_m.py:3): 1 != 2
        other
        at 
    "#]]
    .assert_eq(&said(&both));
}

#[test]
fn an_excerpt_stands_around_the_first_failure_or_is_the_end() {
    let log = format!("{}assertion failed: boom\n{}", "before\n".repeat(50), "after\n".repeat(50));
    let first =
        FailingTest { name: "a::b".into(), kind: Kind::Test, path: None, line: None, message: Some("assertion failed".into()) };
    expect![[r#"
        [… 47 lines before]
        before
        before
        before
        assertion failed: boom
        after
        after
        [… 48 lines after]"#]]
    .assert_eq(&excerpt(&log, Some(&first), 6));
    expect![[r#"
        [… 99 lines before]
        after
        after"#]]
    .assert_eq(&excerpt(&log, None, 2));
    assert_eq!(excerpt("one\n\ntwo\r\n", None, 9), "one\ntwo");
}
