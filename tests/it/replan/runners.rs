//! Real test runners say what fails, and the planner is told it by name.

use serde_json::json;
use tests::{
    Scenario,
    model::{ModelServer, Script, edits, finish, plan, write},
};

/// A project whose gate is a real runner, a change that breaks a test, and what has to be told of it.
struct Case {
    files: &'static str,
    gate: &'static str,
    path: &'static str,
    broken: &'static str,
    mended: &'static str,
    told: &'static [&'static str],
}

#[track_caller]
fn check(case: &Case) {
    let rewrite = json!([{ "edit": "rewrite", "task": "a", "instructions": "Keep the tests green.", "because": "they are red" }]);
    let script = Script::new()
        .planner(1, [plan(&format!("gate | {}\n a | write {}", case.gate, case.path))])
        .planner(2, [edits(&rewrite)])
        .worker("a", 1, [write(case.path, case.broken), finish("Changed it.")])
        .worker("a", 2, [write(case.path, case.mended), finish("Mended it.")]);
    let server = ModelServer::start(script);
    let s = Scenario::new(case.files).toolchains().model(&server);
    let out = s.inspan(&["run", "Do it", "--yes"]);
    assert_eq!(out.code, 0, "{}\n{}", out.all(), s.inspan(&["log"]).all());
    let asked = server.asked_by_planner(2);
    let text = asked[0].last();
    for told in case.told {
        assert!(text.contains(told), "`{told}` is missing in:\n{text}");
    }
    assert!(text.contains("Suspects") && text.contains("- `a` itself"), "{text}");
}

#[test]
#[cfg_attr(without_pytest, ignore = "needs pytest")]
fn pytest() {
    check(&Case {
        files: "## conftest.py\n## money.py\ndef cents():\n    return 100\n## tests/test_money.py\nfrom money import cents\n\n\ndef test_cents():\n    assert cents() == 100\n## .gitignore\n__pycache__\n.pytest_cache\n",
        gate: "pytest -q",
        path: "money.py",
        broken: "def cents():\n    raise ValueError('gone')\n",
        mended: "def cents():\n    return 50 + 50\n",
        told: &["red alone", "- tests/test_money.py::test_cents (money.py:2): ValueError: gone"],
    });
}

#[test]
#[cfg_attr(without_go, ignore = "needs go")]
fn go() {
    check(&Case {
        files: "## go.mod\nmodule example.org/app\n\ngo 1.19\n## money/money.go\npackage money\n\nfunc Cents() int { return 100 }\n## money/money_test.go\npackage money\n\nimport \"testing\"\n\nfunc TestCents(t *testing.T) {\n\tif Cents() != 100 {\n\t\tt.Fatalf(\"got %d\", Cents())\n\t}\n}\n",
        gate: "GOFLAGS=-mod=mod GOPROXY=off go test ./...",
        path: "money/money.go",
        broken: "package money\n\nfunc Cents() int { panic(\"gone\") }\n",
        mended: "package money\n\nfunc Cents() int { return 50 + 50 }\n",
        told: &["red alone", "- example.org/app/money.TestCents (money/money.go:3): gone"],
    });
}

#[test]
#[cfg_attr(without_npm, ignore = "needs npm")]
fn node() {
    check(&Case {
        files: "## package.json\n{ \"name\": \"app\", \"version\": \"1.0.0\", \"scripts\": { \"test\": \"node --test\" } }\n## money.js\nmodule.exports = () => 100;\n## test/money.test.js\nconst test = require(\"node:test\");\nconst assert = require(\"node:assert\");\nconst cents = require(\"../money.js\");\n\ntest(\"there are cents\", () => assert.equal(cents(), 100));\n",
        gate: "npm test --silent",
        path: "money.js",
        broken: "module.exports = () => {\n  throw new Error(\"gone\");\n};\n",
        mended: "module.exports = () => 50 + 50;\n",
        told: &["red alone", "- there are cents (", ": gone"],
    });
}

const CRATE: &str = "## Cargo.toml\n[package]\nname = \"money\"\nversion = \"0.1.0\"\nedition = \"2021\"\n## Cargo.lock\nversion = 3\n\n[[package]]\nname = \"money\"\nversion = \"0.1.0\"\n## .gitignore\ntarget\n## src/lib.rs\npub mod cents;\n\n#[test]\nfn there_are_cents() {\n    assert_eq!(cents::cents(), 100);\n}\n## src/cents.rs\npub fn cents() -> u32 {\n    100\n}\n";

#[test]
#[cfg_attr(any(without_cargo, without_cc), ignore = "needs cargo and cc")]
fn cargo() {
    check(&Case {
        files: CRATE,
        gate: "cargo test --offline --locked",
        path: "src/cents.rs",
        broken: "pub fn cents() -> u32 {\n    panic!(\"gone\")\n}\n",
        mended: "pub fn cents() -> u32 {\n    50 + 50\n}\n",
        told: &["red alone", "- there_are_cents (src/cents.rs:2): gone"],
    });
}

#[test]
#[cfg_attr(any(without_cargo, without_cc), ignore = "needs cargo and cc")]
fn the_rust_compiler() {
    check(&Case {
        files: CRATE,
        gate: "cargo test --offline --locked",
        path: "src/cents.rs",
        broken: "pub fn cents() -> u32 {\n    \"gone\"\n}\n",
        mended: "pub fn cents() -> u32 {\n    50 + 50\n}\n",
        told: &["red alone", "- E0308 in src/cents.rs (src/cents.rs:2): mismatched types"],
    });
}

/// What fails stands in the report alone.
#[test]
fn a_report_in_the_form_of_junit() {
    check(&Case {
        files: "## gate.sh\ngrep -qs bad a.txt || exit 0\nmkdir -p build\necho '<testsuite><testcase classname=\"money\" name=\"adds\" file=\"a.txt\" line=\"1\"><failure message=\"1 is not 2\"/></testcase></testsuite>' > build/TEST-money.xml\nexit 1\n## .gitignore\nbuild\n",
        gate: "sh gate.sh",
        path: "a.txt",
        broken: "bad\n",
        mended: "good\n",
        told: &["red alone", "- money.adds (a.txt:1): 1 is not 2"],
    });
}
