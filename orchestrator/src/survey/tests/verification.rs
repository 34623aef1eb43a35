//! Which commands are thought to prove a repository.

use super::survey_of;

fn check(files: &str, commands: &[&str]) {
    assert_eq!(survey_of(files).verification, commands, "{files}");
}

#[test]
fn a_rust_workspace_is_tested_whole_and_a_package_alone() {
    check("## Cargo.toml\n[workspace]\nmembers = []\n## a/Cargo.toml\n[package]\n", &["cargo test --workspace"]);
    check("## Cargo.toml\n[package]\nname = \"a\"\n## Makefile\ntest:\n\tcargo test\n", &["cargo test"]);
    check(
        "## one/Cargo.toml\n[package]\n## it's two/Cargo.toml\n[package]\n## one/deep/Cargo.toml\n",
        &[r"cd 'it'\''s two' && cargo test", "cd one && cargo test"],
    );
}

#[test]
fn a_node_package_is_tested_by_the_package_manager_that_locked_it() {
    let package = "## package.json\n{ \"scripts\": { \"test\": \"vitest run\" } }\n";
    check(package, &["npm test"]);
    check(&format!("{package}## pnpm-lock.yaml\n"), &["pnpm test"]);
    check(&format!("{package}## yarn.lock\n"), &["yarn test"]);
    check("## package.json\n{ \"packageManager\": \"pnpm@9.1\", \"scripts\": { \"test\": \"x\" } }\n", &["pnpm test"]);
    check(
        "## package.json\n{ \"workspaces\": [\"a\"] }\n## a/package.json\n{ \"scripts\": { \"test\": \"x\" } }\n",
        &["npm test --workspaces --if-present"],
    );
    check(
        "## package.json\n{}\n## pnpm-workspace.yaml\n## a/package.json\n{ \"scripts\": { \"test\": \"x\" } }\n",
        &["pnpm -r test"],
    );
    check("## web/package.json\n{ \"scripts\": { \"test\": \"x\" } }\n## yarn.lock\n", &["cd web && yarn test"]);
}

#[test]
fn a_node_package_without_a_test_script_is_tested_by_the_runner_it_uses() {
    let placeholder = "## package.json\n{ \"scripts\": { \"test\": \"echo \\\"Error: no test specified\\\" && exit 1\" } }\n";
    check(placeholder, &[]);
    check(&format!("{placeholder}## src/a.test.mjs\n"), &["node --test"]);
    check("## package.json\n{ \"devDependencies\": { \"vitest\": \"3\" } }\n", &["npx vitest run"]);
}

#[test]
fn python_is_tested_by_pytest_unless_its_tests_are_unittests_and_nobody_names_pytest() {
    check("## pyproject.toml\n[project]\n", &[]);
    check("## tests/test_a.py\ndef test_a(): pass\n", &["python3 -m pytest -q"]);
    check("## tests/__init__.py\n## tests/test_a.py\nimport unittest\n", &["python3 -m unittest"]);
    check("## tests/test_a.py\nfrom unittest import TestCase\n", &["python3 -m unittest discover -s tests"]);
    check("## requirements-dev.txt\npytest>=8\n## tests/test_a.py\nimport unittest\n", &["python3 -m pytest -q"]);
    check("## tests/conftest.py\n## tests/test_a.py\nimport unittest\n", &["python3 -m pytest -q"]);
    check("## manage.py\n## shop/tests.py\nfrom django.test import TestCase\n", &["python3 manage.py test"]);
    check("## api/pyproject.toml\n## api/tests/test_a.py\nimport pytest\n", &["cd api && python3 -m pytest -q"]);
}

#[test]
fn go_modules_are_tested_from_their_own_folder() {
    check("## go.mod\nmodule x\n## sub/go.mod\nmodule x/sub\n", &["go test ./..."]);
    check("## go.work\n## a/go.mod\n## b/go.mod\n", &["cd a && go test ./...", "cd b && go test ./..."]);
}

#[test]
fn a_makefile_counts_where_nothing_else_does() {
    check("## Makefile\nCC := cc\nall test: build\n\t./run\n", &["make test"]);
    check("## Makefile\ntest := 1\nlatest:\n", &[]);
    check("## justfile\ntest:\n  x\n", &["just test"]);
}

#[test]
fn several_ecosystems_give_several_commands() {
    check(
        "## Cargo.toml\n[package]\n## go.mod\n## web/package.json\n{ \"scripts\": { \"test\": \"x\" } }\n## tests/test_a.py\nimport pytest\n",
        &["cargo test", "go test ./...", "cd web && npm test", "python3 -m pytest -q"],
    );
}
