//! What the packages depend on.

use std::fs;

use toml_edit::{DocumentMut, Item};

use super::{assert_none, root};

/// Who may know whom.
const ARROWS: &[(&str, &[&str])] = &[
    ("shared", &[]),
    ("plans", &["shared"]),
    ("worker", &["shared"]),
    ("orchestrator", &["shared", "plans", "worker"]),
    ("tests", &["shared", "plans", "worker", "orchestrator"]),
];

const PACKAGES: &[&str] = &["shared", "plans", "worker", "orchestrator", "tests"];

fn dependencies(package: &str, tables: &[&str]) -> Vec<String> {
    let path = root().join(package).join("Cargo.toml");
    let manifest: DocumentMut = fs::read_to_string(&path).expect("it is there").parse().expect("it is TOML");
    let names = |table: &&str| match manifest.get(table) {
        Some(Item::Table(table)) => table.iter().map(|(name, _)| name.to_owned()).collect(),
        _ => Vec::new(),
    };
    tables.iter().flat_map(names).collect()
}

#[test]
fn the_arrows_between_packages_all_point_one_way() {
    let mut violations = Vec::new();
    for (package, may_know) in ARROWS {
        for name in dependencies(package, &["dependencies", "dev-dependencies", "build-dependencies"]) {
            let short = name.strip_prefix("inspan-").unwrap_or(&name).to_owned();
            if PACKAGES.contains(&short.as_str()) && !may_know.contains(&short.as_str()) {
                violations.push(format!("{package} depends on {name}"));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn the_pure_packages_depend_on_nothing_that_waits_or_writes() {
    let impure = ["tokio", "tokio-util", "reqwest", "rusqlite", "kameo", "tempfile", "rustix", "axum", "futures-util"];
    let mut violations = Vec::new();
    for package in ["shared", "plans"] {
        let names = dependencies(package, &["dependencies"]);
        violations
            .extend(names.into_iter().filter(|name| impure.contains(&name.as_str())).map(|name| format!("{package}: {name}")));
    }
    assert_none(&violations);
}
