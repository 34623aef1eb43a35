//! The commands that probably verify the whole repository. A guess: the person sees it at review, and `[gate]` overrides it.
//!
//! Each ecosystem answers for itself, at the root where its manifest lies there, else in the folders nearest to it. A `Makefile` or
//! `justfile` counts only where no ecosystem answered: its `test` usually calls the same tools again.
//!
//! **Invariant:** no command is guessed that is red because there is nothing to test (`pytest` without tests, npm's placeholder).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    facts::Facts,
    imports::Import,
    json::read_json,
    tree::{FileAt, Tree, file_name, folder},
};

/// How many folders of one ecosystem are named at most.
const MAX_FOLDERS: usize = 8;

/// Ecosystems of which the manifest alone says the command.
const BY_MANIFEST: &[(&str, &str)] = &[
    ("go.mod", "go test ./..."),
    ("pom.xml", "mvn -q test"),
    ("gradlew", "./gradlew test"),
    ("mix.exs", "mix test"),
    ("deno.json", "deno test -A"),
    ("Package.swift", "swift test"),
];

/// The commands, the most likely first.
pub(super) fn commands(tree: &Tree, facts: &[Option<Facts>]) -> Vec<String> {
    let mut commands = cargo(tree);
    commands
        .extend(BY_MANIFEST.iter().flat_map(|(manifest, command)| per_folder(tree, manifest, |_| Some((*command).to_owned()))));
    commands.extend(per_folder(tree, "package.json", |at| node(tree, at)));
    commands.extend(python(tree, facts));
    if commands.is_empty() {
        commands.extend(make(tree));
    }
    commands
}

fn cargo(tree: &Tree) -> Vec<String> {
    per_folder(tree, "Cargo.toml", |at| {
        let manifest = tree.text(at).unwrap_or_default();
        let is_workspace = manifest.lines().any(|line| line.trim_start().starts_with("[workspace"));
        Some(if is_workspace { "cargo test --workspace" } else { "cargo test" }.to_owned())
    })
}

/// The command of the manifest at the root; without one, those of the manifests nearest to the root, each run in its folder.
fn per_folder(tree: &Tree, manifest: &str, command: impl Fn(FileAt) -> Option<String>) -> Vec<String> {
    let manifests = tree.named(manifest);
    let depth = |at: FileAt| tree.path(at).matches('/').count();
    let answered: Vec<(FileAt, String)> = manifests.into_iter().filter_map(|at| Some((at, command(at)?))).collect();
    let nearest = answered.first().map_or(0, |(at, _)| depth(*at));
    let near = answered.iter().filter(|(at, _)| depth(*at) == nearest).take(MAX_FOLDERS);
    near.map(|(at, command)| in_folder(folder(tree.path(*at)), command)).collect()
}

fn in_folder(path: &str, command: &str) -> String {
    if path.is_empty() { command.to_owned() } else { format!("cd {} && {command}", quoted(path)) }
}

fn quoted(path: &str) -> String {
    let is_plain = path.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-')) && !path.starts_with('-');
    if is_plain { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// The `test` script by the package manager whose lock file lies there or at the root; without a script, the runner that is named.
fn node(tree: &Tree, at: FileAt) -> Option<String> {
    let manifest = read_json(&tree.text(at)?)?;
    let home = folder(tree.path(at));
    let manager = package_manager(tree, home, &manifest);
    if has_script(&manifest) {
        return Some(format!("{manager} test"));
    }
    if let Some(command) = in_all_packages(tree, home, &manifest, manager) {
        return Some(command.to_owned());
    }
    let uses = |name: &str| {
        ["dependencies", "devDependencies"].iter().any(|kind| manifest.get(kind).is_some_and(|d| d.get(name).is_some()))
    };
    let runner = [("vitest", "npx vitest run"), ("jest", "npx jest")].into_iter().find(|(name, _)| uses(name));
    runner.map(|(_, command)| command.to_owned()).or_else(|| has_plain_tests(tree, home).then(|| "node --test".to_owned()))
}

/// A `test` script that is not npm's placeholder.
fn has_script(manifest: &Value) -> bool {
    let script = manifest.pointer("/scripts/test").and_then(Value::as_str).unwrap_or_default().trim();
    !script.is_empty() && !script.contains("no test specified")
}

/// What runs the scripts of all packages of a workspace, where one of them has any.
fn in_all_packages(tree: &Tree, home: &str, manifest: &Value, manager: &str) -> Option<&'static str> {
    let is_pnpm = tree.in_folder(home).iter().any(|&at| file_name(tree.path(at)) == "pnpm-workspace.yaml");
    let packages = tree.below(home).filter(|&at| file_name(tree.path(at)) == "package.json");
    let mut manifests = packages.filter_map(|at| read_json(&tree.text(at)?));
    let command = match manager {
        _ if is_pnpm => "pnpm -r test",
        "npm" if manifest.get("workspaces").is_some() => "npm test --workspaces --if-present",
        _ => return None,
    };
    manifests.any(|manifest| has_script(&manifest)).then_some(command)
}

fn package_manager(tree: &Tree, home: &str, manifest: &Value) -> &'static str {
    let named = manifest.get("packageManager").and_then(Value::as_str).unwrap_or_default();
    let locks = [
        ("pnpm", "pnpm-lock.yaml"),
        ("yarn", "yarn.lock"),
        ("bun run", "bun.lock"),
        ("bun run", "bun.lockb"),
        ("npm", "package-lock.json"),
    ];
    let locked =
        |home: &str| locks.iter().find(|(_, lock)| tree.in_folder(home).iter().any(|&at| file_name(tree.path(at)) == *lock));
    let by_name = locks.iter().find(|(manager, _)| named.starts_with(manager.split(' ').next().unwrap_or(manager)));
    by_name.or_else(|| locked(home)).or_else(|| locked("")).map_or("npm", |(manager, _)| manager)
}

fn has_plain_tests(tree: &Tree, home: &str) -> bool {
    let is_plain_test = |path: &str| [".test.js", ".test.mjs", ".test.cjs"].iter().any(|ending| path.ends_with(ending));
    tree.below(home).any(|at| is_plain_test(tree.path(at)))
}

/// pytest, wherever it is named or tests are bare functions; unittest where the tests say so and nobody speaks of pytest; Django
/// by its own command.
///
/// `python3`, since not every system has a `python`.
fn python(tree: &Tree, facts: &[Option<Facts>]) -> Vec<String> {
    let stem = |at: FileAt| file_name(tree.path(at)).strip_suffix(".py");
    let is_test = |at: &FileAt| stem(*at).is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test"));
    let tests: Vec<FileAt> = (0..tree.files().len()).filter(is_test).collect();
    let imported = |name: &str| tests.iter().any(|&at| imports_module(facts[at].as_ref(), name));
    let speaks_of_pytest = imported("pytest") || names_pytest(tree);
    if tree.find("manage.py").is_some() && !speaks_of_pytest {
        return vec!["python3 manage.py test".to_owned()];
    }
    if tests.is_empty() {
        return Vec::new();
    }
    if speaks_of_pytest || !imported("unittest") {
        return vec![in_folder(&python_home(tree, &tests), "python3 -m pytest -q")];
    }
    let folders: BTreeSet<&str> = tests.iter().map(|&at| folder(tree.path(at))).collect();
    let is_package = |path: &str| path.is_empty() || tree.find(&format!("{path}/__init__.py")).is_some();
    match folders.iter().copied().find(|path| !is_package(path)) {
        Some(path) => vec![format!("python3 -m unittest discover -s {}", quoted(path))],
        None => vec!["python3 -m unittest".to_owned()],
    }
}

/// The root, unless all of Python lies below one folder that has a manifest of its own.
fn python_home(tree: &Tree, tests: &[FileAt]) -> String {
    let manifests = ["pyproject.toml", "setup.py", "setup.cfg", "pytest.ini"].into_iter().flat_map(|name| tree.named(name));
    let homes: BTreeSet<&str> = manifests.map(|at| folder(tree.path(at))).collect();
    let holds_all = |home: &&str| home.is_empty() || tests.iter().all(|&at| tree.path(at).starts_with(&format!("{home}/")));
    homes.into_iter().find(holds_all).unwrap_or_default().to_owned()
}

fn imports_module(facts: Option<&Facts>, name: &str) -> bool {
    let is_it =
        |import: &Import| matches!(import, Import::Python { level: 0, module, .. } if module.split('.').next() == Some(name));
    facts.is_some_and(|facts| facts.imports.iter().any(is_it))
}

fn names_pytest(tree: &Tree) -> bool {
    let speaks = |at: FileAt| tree.text(at).is_some_and(|text| text.contains("pytest"));
    let is_place = |name: &str| {
        matches!(name, "pyproject.toml" | "setup.cfg" | "setup.py" | "tox.ini" | "Pipfile" | "noxfile.py")
            || name.contains("requirements")
    };
    let decides = |name: &str| matches!(name, "pytest.ini" | "conftest.py");
    (0..tree.files().len()).any(|at| {
        let name = file_name(tree.path(at));
        decides(name) || (is_place(name) && speaks(at))
    })
}

fn make(tree: &Tree) -> Option<String> {
    let has_target = |name: &&str| {
        let text = tree.find(name).and_then(|at| tree.text(at)).unwrap_or_default();
        text.lines().any(|line| {
            line.split_once(':').is_some_and(|(targets, rest)| {
                !rest.starts_with('=')
                    && !line.starts_with([' ', '\t', '.', '#'])
                    && targets.split_whitespace().any(|target| target == "test")
            })
        })
    };
    let make = ["GNUmakefile", "makefile", "Makefile"].iter().find(|name| has_target(name)).map(|_| "make test");
    make.or_else(|| ["justfile", "Justfile"].iter().find(|name| has_target(name)).map(|_| "just test")).map(str::to_owned)
}
