//! Tools that make files anew, with real git and real tools.

use expect_test::{Expect, expect};
use shared::Glob;

use super::*;
use crate::site::testing::{Ground, sh};

/// What a script makes of the ground's base, as a tree.
async fn tree(ground: &Ground, name: &str, script: &str) -> String {
    let commit = ground.commit(name, script).await;
    ground.site.repository.git.tree(&commit).await.unwrap()
}

fn workshop(ground: &Ground) -> Workshop<'_> {
    Workshop {
        site: &ground.site,
        onto: &ground.base,
        network: Network::default(),
        timeout: Duration::from_secs(120),
        cancel: CancellationToken::new(),
    }
}

async fn made_anew(ground: &Ground, tree: &str, stale: &[Stale]) -> Regenerated {
    regenerate(&workshop(ground), tree, stale).await.unwrap()
}

fn stale_file(path: &str, text: &str, command: &str) -> Stale {
    let path = RepoPath::new(path).unwrap();
    Stale { path, text: text.as_bytes().to_vec(), command: command.to_owned(), otherwise: None }
}

#[expect(clippy::needless_pass_by_value, reason = "a snapshot is written where it is passed")]
fn check(ground: &Ground, done: &Regenerated, expected: Expect) {
    let root = &ground.site.repository.root;
    let made = done.made.iter().map(|made| {
        let text = sh(root, &format!("git cat-file blob {}", made.blob));
        format!("{}: {}\n{text}\n", made.path, made.how)
    });
    let left = done.left.iter().map(|(path, why)| format!("{path} is left: {why}\n"));
    expected.assert_eq(&made.chain(left).collect::<String>());
}

const GENERATOR: &str = "sort names > list.txt";

#[tokio::test]
async fn a_generator_makes_its_file_from_what_was_merged() {
    let ground = Ground::new().await;
    let merged = tree(&ground, "merged", "printf 'b\\na\\nc\\n' > names; echo '<<<<<<< ours' > list.txt").await;
    let done = made_anew(&ground, &merged, &[stale_file("list.txt", "a\nb\n", GENERATOR)]).await;
    check(
        &ground,
        &done,
        expect![[r#"
            list.txt: made by `sort names > list.txt`
            a
            b
            c
        "#]],
    );
}

#[tokio::test]
async fn a_tool_that_is_missing_or_fails_or_writes_elsewhere_leaves_a_conflict_with_the_reason() {
    let ground = Ground::new().await;
    let merged = tree(&ground, "merged", "echo x > names; echo '<<<<<<< ours' > list.txt; cp list.txt other.txt").await;
    let stale = [
        stale_file("list.txt", "", "no-such-tool --make"),
        stale_file("other.txt", "", "echo it is broken; exit 3"),
        stale_file("a.txt", "a\n", "echo new > a.txt; echo also > names"),
        stale_file("b.txt", "b\n", "rm b.txt"),
        stale_file("c.txt", "c\n", "printf '<<<<<<< ours\\n' > c.txt"),
        stale_file("d.txt", "d\n", "cat a.txt names > d.txt"),
    ];
    let done = made_anew(&ground, &merged, &stale).await;
    let done = Regenerated {
        left: done.left.into_iter().map(|(path, why)| (path, why.lines().next().unwrap_or_default().to_owned())).collect(),
        ..done
    };
    let shown: Vec<String> = done.left.iter().map(|(path, why)| format!("{path}: {why}")).collect();
    assert_eq!(shown.len(), 5, "{shown:#?}");
    assert!(shown[0].starts_with("list.txt: `no-such-tool --make` is not there: "), "{shown:#?}");
    assert!(shown[1].starts_with("other.txt: `echo it is broken; exit 3` failed (exit 3"), "{shown:#?}");
    assert!(shown[1].ends_with("it is broken"), "{shown:#?}");
    assert!(shown[2].ends_with("also writes names, which it was not asked for"), "{shown:#?}");
    assert!(shown[3].ends_with("left no b.txt"), "{shown:#?}");
    assert!(shown[4].ends_with("left conflict markers in c.txt"), "{shown:#?}");
    // What the failed ones had written is not there for the next.
    assert_eq!(sh(&ground.site.repository.root, &format!("git cat-file blob {}", done.made[0].blob)), "a\nx");
}

#[tokio::test]
async fn one_tool_may_read_what_another_made() {
    let ground = Ground::new().await;
    let merged = tree(&ground, "merged", "printf 'b\\na\\n' > names").await;
    let stale = [stale_file("list.txt", "", GENERATOR), stale_file("count.txt", "", "wc -l < list.txt | tr -d ' ' > count.txt")];
    let done = made_anew(&ground, &merged, &stale).await;
    assert_eq!(sh(&ground.site.repository.root, &format!("git cat-file blob {}", done.made[1].blob)), "2");
}

#[tokio::test]
async fn cargo_resolves_the_merged_workspace_without_a_network() {
    let ground = Ground::new().await;
    let package = |name: &str, needs: &str| {
        let needs: Vec<String> =
            needs.split_whitespace().map(|need| format!("{need} = {{ path = \\\"../{need}\\\" }}\\n")).collect();
        let needs = needs.concat();
        format!(
            "mkdir -p {name}/src; : > {name}/src/lib.rs
             printf \"[package]\\nname = \\\"{name}\\\"\\nversion = \\\"0.1.0\\\"\\nedition = \\\"2021\\\"\\n[dependencies]\\n{needs}\" > {name}/Cargo.toml\n"
        )
    };
    let workspace = "printf '[workspace]\\nresolver = \"2\"\\nmembers = [\"one\", \"two\"]\\n' > Cargo.toml\n";
    let script = format!("{workspace}{}{}echo '<<<<<<< ours' > Cargo.lock", package("one", "two"), package("two", ""));
    let merged = tree(&ground, "merged", &script).await;
    let lock = "version = 3\n\n[[package]]\nname = \"one\"\nversion = \"0.1.0\"\n";
    let versions = Versions { path: "Cargo.lock", base: b"", ours: lock.as_bytes(), theirs: lock.as_bytes() };
    let stale = workshop(&ground).stale(&[versions], [&["one/Cargo.toml"], &["two/Cargo.toml"]]).unwrap();
    let done = made_anew(&ground, &merged, &stale).await;
    check(
        &ground,
        &done,
        expect![[r#"
        Cargo.lock: made by `cargo update --workspace --offline`
        # This file is automatically @generated by Cargo.
        # It is not intended for manual editing.
        version = 4

        [[package]]
        name = "one"
        version = "0.1.0"
        dependencies = [
         "two",
        ]

        [[package]]
        name = "two"
        version = "0.1.0"
    "#]],
    );
}

#[test]
fn a_rule_of_the_person_goes_before_what_is_known_of_locks() {
    let rules = [Generated { files: Glob::new("**/Cargo.lock").unwrap(), command: "make lock".to_owned() }];
    let versions = Versions { path: "a b/Cargo.lock", base: b"base", ours: b"ours", theirs: b"theirs" };
    let shown = |rules: &[Generated], ours: &[&str], theirs: &[&str], network| {
        let stale = stale(&versions, rules, [ours, theirs], network).unwrap();
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        format!("{} from {}, or {:?}", stale.command, text(&stale.text), stale.otherwise.as_deref().map(text))
    };
    let manifest: &[&str] = &["a b/Cargo.toml"];
    assert_eq!(shown(&rules, manifest, &[], Network::Host), "make lock from ours, or None");
    assert_eq!(
        shown(&[], manifest, &[], Network::None),
        "cd 'a b' && cargo update --workspace --offline from theirs, or Some(\"ours\")"
    );
    assert_eq!(shown(&[], &[], manifest, Network::Host), "cd 'a b' && cargo update --workspace from ours, or Some(\"theirs\")");
    assert_eq!(shown(&[], manifest, manifest, Network::Host), "cd 'a b' && cargo update --workspace from ours, or None");
    assert_eq!(stale(&Versions { path: "src/a.rs", ..versions }, &[], [&[], &[]], Network::Host), None);
}
