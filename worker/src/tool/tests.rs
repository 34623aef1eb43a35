//! Conversations with the worker's tools: calls in, what the model reads out.

use std::{fmt::Write, fs, sync::Arc, time::Duration};

use expect_test::{Expect, expect};
use serde_json::json;
use shared::{Glob, Scope};
use tempfile::TempDir;

use super::*;
use crate::process::Shell;

/// Grants what lies in `free/`, refuses the rest.
struct Office(LiveScope);

impl ScopeOffice for Office {
    fn request(&self, paths: Vec<Glob>, reason: String) -> BoxFuture<'_, ScopeAnswer> {
        let mut scope = self.0.now();
        let is_free = paths.iter().all(|glob| glob.as_str().starts_with("free/"));
        scope.write.extend(paths);
        Box::pin(async move {
            match reason.as_str() {
                "wait" => std::future::pending().await,
                _ if is_free => ScopeAnswer::Granted(scope),
                _ => ScopeAnswer::Refused("another task owns it".to_owned()),
            }
        })
    }
}

/// Accepts once `src/done` is there.
struct Proof(std::path::PathBuf);

impl Acceptance for Proof {
    fn accept<'a>(&'a self, _: &'a CancellationToken) -> BoxFuture<'a, Verdict> {
        let is_done = self.0.join("src/done").exists();
        let why = "`src/done` is missing; write it".to_owned();
        Box::pin(async move { if is_done { Verdict::Accepted } else { Verdict::Refused(why) } })
    }
}

struct Desk {
    dir: TempDir,
    tools: WorkerTools,
    cancel: CancellationToken,
}

impl Desk {
    /// A worktree with these files; the worker may write `src/**` and `Cargo.lock` (shared).
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("tree");
        fs::create_dir(&root).unwrap();
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let spill_dir = dir.path().join("spill");
        let env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        let scope = Scope { write: vec![Glob::new("src/**").unwrap()], shared: vec![Glob::new("Cargo.lock").unwrap()] };
        let scope = LiveScope::new(scope);
        let place = WorkerPlace {
            root: root.clone(),
            spill_dir: spill_dir.clone(),
            shell: Shell { cwd: root.clone(), env, spill_dir },
            scope: scope.clone(),
            office: Arc::new(Office(scope)),
            acceptance: Arc::new(Proof(root)),
        };
        let tools = WorkerTools::new(place).unwrap();
        Self { dir, tools, cancel: CancellationToken::new() }
    }

    fn root(&self) -> std::path::PathBuf {
        self.dir.path().join("tree")
    }

    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    async fn call(&self, name: &str, arguments: Value) -> ToolOutcome {
        self.tools.call(name, &arguments, &self.cancel).await
    }

    /// Plays lines such as `read_file {path: a}`, where `$` runs a command behind the tools' back, and `$DIR` is the folder around
    /// the worktree.
    async fn play(&self, script: &str) -> String {
        let mut shown = String::new();
        let dir = self.dir.path().display().to_string();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, arguments) = line.split_once(' ').unwrap();
            if name == "$" {
                let status = std::process::Command::new("sh").arg("-c").arg(arguments).current_dir(self.root()).status();
                assert!(status.unwrap().success(), "{line}");
                continue;
            }
            let arguments =
                serde_json::from_str(&arguments.replace("$DIR", &dir)).unwrap_or_else(|error| panic!("{line}: {error}"));
            let outcome = match self.call(name, arguments).await {
                ToolOutcome::Ok(text) => format!("ok: {text}"),
                ToolOutcome::Failed(text) => format!("failed: {text}"),
                ToolOutcome::Ended(value) => format!("ended: {value}"),
            };
            let _ = writeln!(shown, "> {line}\n{}", outcome.replace(&dir, "$DIR").trim_end());
        }
        shown
    }
}

async fn check(files: &[(&str, &str)], script: &str, expected: Expect) {
    expected.assert_eq(&Desk::new(files).play(script).await);
}

#[test]
fn the_schemas_fit_their_share_of_the_first_request() {
    let specs = Desk::new(&[]).tools.specs();
    let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    assert_eq!(
        names.join(" "),
        "list_files search read_file edit_file write_file move_file delete_file run_command request_scope finish"
    );
    let function = |spec: &ToolSpec| json!({ "name": spec.name, "description": spec.description, "parameters": spec.parameters });
    let wire: Vec<Value> = specs.iter().map(|spec| json!({ "type": "function", "function": function(spec) })).collect();
    let bytes = serde_json::to_vec(&wire).unwrap().len();
    assert!(bytes <= 3890, "{bytes} bytes of tool schemas");
}

#[test]
fn schemas_are_strict() {
    for spec in Desk::new(&[]).tools.specs() {
        let mut required: Vec<&str> = spec.parameters["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        required.sort_unstable();
        let mut properties: Vec<&String> = spec.parameters["properties"].as_object().unwrap().keys().collect();
        properties.sort_unstable();
        assert_eq!((required.len(), &spec.parameters["additionalProperties"]), (properties.len(), &json!(false)));
        assert!(required.iter().zip(properties).all(|(a, b)| a == b), "{}", spec.name);
    }
}

#[test]
fn only_calls_that_change_nothing_may_run_at_once() {
    let tools = Desk::new(&[]).tools;
    let read_only: Vec<&str> = tools.specs().iter().map(|spec| spec.name).filter(|name| tools.is_read_only(name)).collect();
    assert_eq!(read_only, ["list_files", "search", "read_file"]);
}

#[tokio::test]
async fn calls_that_make_no_sense_are_explained() {
    check(
        &[("src/a.rs", "a\n")],
        r#"
        open_file {"path": "a"}
        read_file {"file": "src/a.rs", "start_line": "x"}
        read_file []
        edit_file {"path": "src/a.rs"}
        run_command {"command": " ", "timeout_s": null}
        "#,
        expect![[r#"
            > open_file {"path": "a"}
            failed: there is no tool `open_file`; the tools are: list_files, search, read_file, edit_file, write_file, move_file, delete_file, run_command, request_scope, finish
            > read_file {"file": "src/a.rs", "start_line": "x"}
            failed: read_file: `file` is unknown; `path` is missing; `start_line` must be a whole number from 0 on, not "x"; its arguments are: end_line, path, start_line
            > read_file []
            failed: read_file: the arguments must be a JSON object
            > edit_file {"path": "src/a.rs"}
            failed: edit_file: `new_text` is missing; `old_text` is missing; its arguments are: new_text, old_text, path, replace_all
            > run_command {"command": " ", "timeout_s": null}
            failed: `command` is empty; give a shell command
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_listing_leaves_out_what_git_ignores() {
    check(
        &[
            (".gitignore", "target/\n*.log\n"),
            (".git/config", ""),
            (".github/ci.yml", ""),
            ("src/a.rs", ""),
            ("src/deep/b.rs", ""),
            ("src/deep/.git", ""),
            ("src/x.log", ""),
            ("target/debug/out", ""),
        ],
        r#"
        list_files {"path": "."}
        list_files {"path": "", "depth": 1}
        list_files {"path": "src/", "glob": "*.rs"}
        list_files {"path": "src", "glob": "src/deep/*"}
        list_files {"path": "src", "glob": "deep/*"}
        list_files {"path": ".", "glob": "*.py"}
        list_files {"path": "target"}
        list_files {"path": "$DIR/tree/src/deep"}
        list_files {"path": "src/a.rs"}
        list_files {"path": "nowhere"}
        list_files {"path": ".git"}
        list_files {"path": ".", "glob": "a["}
        list_files {"path": ".", "glob": "!*.rs"}
        "#,
        expect![[r#"
            > list_files {"path": "."}
            ok: .github/
            .github/ci.yml
            .gitignore
            src/
            src/a.rs
            src/deep/
            src/deep/b.rs
            > list_files {"path": "", "depth": 1}
            ok: .github/
            .gitignore
            src/
            > list_files {"path": "src/", "glob": "*.rs"}
            ok: src/a.rs
            src/deep/b.rs
            > list_files {"path": "src", "glob": "src/deep/*"}
            ok: src/deep/b.rs
            > list_files {"path": "src", "glob": "deep/*"}
            ok: src/deep/b.rs
            > list_files {"path": ".", "glob": "*.py"}
            ok: (nothing in `.` matches the glob)
            > list_files {"path": "target"}
            ok: target/debug/
            target/debug/out
            > list_files {"path": "$DIR/tree/src/deep"}
            ok: src/deep/b.rs
            > list_files {"path": "src/a.rs"}
            failed: `src/a.rs` is a file; read_file reads it, search searches it
            > list_files {"path": "nowhere"}
            failed: `nowhere` does not exist; list_files shows what does
            > list_files {"path": ".git"}
            failed: `.git` is inside git's own folder, which belongs to the harness
            > list_files {"path": ".", "glob": "a["}
            failed: glob: `a[` is not a glob: unclosed character class; missing ']'; one is `src/**/*.rs`
            > list_files {"path": ".", "glob": "!*.rs"}
            failed: glob: `!*.rs` says what to leave out; say what to look at instead, such as `*.rs`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_listing_that_is_too_long_says_what_it_left_off() {
    let names: Vec<String> = (0..500).map(|n| format!("wide/f{n:03}")).chain(["top".to_owned()]).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let desk = Desk::new(&files);
    expect![[r#"
        > list_files {"path": "."}
        ok: top
        wide/
        [500 deeper entries left off: only 1 level is shown; list a folder of these, or give a glob]
    "#]].assert_eq(&desk.play(r#"list_files {"path": "."}"#).await);
    let flat = desk.play(r#"list_files {"path": "wide"}"#).await;
    assert!(flat.ends_with("wide/f399\n[100 more entries left off; list a deeper folder, or give a narrower glob]\n"), "{flat}");
    let globbed = desk.play(r#"list_files {"path": ".", "glob": "f*"}"#).await;
    assert!(globbed.ends_with("wide/f399\n[100 more entries left off; list a deeper folder, or give a narrower glob]\n"));
}

#[tokio::test]
async fn a_search_shows_matches_by_file() {
    check(
        &[
            (".gitignore", "out\n"),
            ("out/x.rs", "total\n"),
            ("src/a.rs", "one\ntotal = 1\nthree\nfour\nfive\nsubtotal\n"),
            ("src/b.py", "Total\n"),
            ("src/bin", "total\0total\n"),
            ("src/crlf", "total\r\n"),
        ],
        r#"
        search {"pattern": "total"}
        search {"pattern": "total", "path": "src/a.rs", "context": 1}
        search {"pattern": "(?i)^total", "path": "src", "glob": "*.{py,rs}"}
        search {"pattern": "total", "path": "out/x.rs"}
        search {"pattern": "total", "path": "src/bin"}
        search {"pattern": "absent"}
        search {"pattern": "fn main("}
        search {"pattern": "a\nb"}
        search {"pattern": ""}
        search {"pattern": "x", "path": "src/gone"}
        search {"pattern": "x", "path": "../"}
        "#,
        expect![[r#"
            > search {"pattern": "total"}
            ok: src/a.rs
            2:total = 1
            6:subtotal

            src/crlf
            1:total
            > search {"pattern": "total", "path": "src/a.rs", "context": 1}
            ok: src/a.rs
            1-one
            2:total = 1
            3-three
            --
            5-five
            6:subtotal
            > search {"pattern": "(?i)^total", "path": "src", "glob": "*.{py,rs}"}
            ok: src/a.rs
            2:total = 1

            src/b.py
            1:Total
            > search {"pattern": "total", "path": "out/x.rs"}
            ok: out/x.rs
            1:total
            > search {"pattern": "total", "path": "src/bin"}
            ok: no matches
            [the file is binary and was not searched]
            > search {"pattern": "absent"}
            ok: no matches
            > search {"pattern": "fn main("}
            failed: `pattern` is not a regular expression: regex parse error:
                (?:fn main()
                ^
            error: unclosed group. Matches lie within one line; escape a character that is meant literally with a backslash: one of . + * ? ( ) [ ] { } | ^ $ \
            > search {"pattern": "a\nb"}
            failed: `pattern` is not a regular expression: the literal "\n" is not allowed in a regex. Matches lie within one line; escape a character that is meant literally with a backslash: one of . + * ? ( ) [ ] { } | ^ $ \
            > search {"pattern": ""}
            failed: `pattern` is empty; list_files lists files without searching them
            > search {"pattern": "x", "path": "src/gone"}
            failed: `src/gone` does not exist; list_files shows what does
            > search {"pattern": "x", "path": "../"}
            failed: `../` leads out of the repository
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_search_is_capped_with_a_count_of_what_was_left_off() {
    let many = "match\n".repeat(150);
    let wide = format!("{}\n", "match ".repeat(200)).repeat(90);
    let desk = Desk::new(&[("a/many", &many), ("b/wide", &wide)]);
    let text = desk.play(r#"search {"pattern": "match", "path": "a"}"#).await;
    assert!(text.ends_with("\n100:match\n[50 more matches left off; narrow the pattern, the path or the glob]\n"), "{text}");
    let text = desk.play(r#"search {"pattern": "match", "path": "b"}"#).await;
    assert!(text.len() < 26 * 1024 && text.contains("more matches left off") && text.contains("[… 799 more bytes]"), "{text}");
}

#[tokio::test]
async fn a_file_is_read_by_pages() {
    let long: String = (1..=1000).fold(String::new(), |text, n| text + &format!("line {n}\n"));
    let wide = format!("{}\nend\n", "x".repeat(5000));
    let desk = Desk::new(&[("long", &long), ("wide", &wide), ("empty", ""), ("bin", "\0"), ("src/long.rs", "")]);
    let text = desk.play(r#"read_file {"path": "long"}"#).await;
    assert!(text.contains("\nok: 1\tline 1\n") || text.contains("ok: 1\tline 1\n"));
    assert!(text.ends_with("\n400\tline 400\n[lines 1 to 400 of 1000; go on with start_line 401]\n"), "{text}");
    let text = desk.play(r#"read_file {"path": "wide"}"#).await;
    assert!(text.ends_with("x [… 4000 more bytes]\n2\tend\n"), "{text}");
    expect![[r#"
        > read_file {"path": "long", "start_line": 999}
        ok: 999	line 999
        1000	line 1000
        > read_file {"path": "./long", "start_line": 2, "end_line": 3}
        ok: 2	line 2
        3	line 3
        > read_file {"path": "long", "start_line": 0, "end_line": 1}
        ok: 1	line 1
        > read_file {"path": "long", "start_line": 1001}
        failed: `long` has only 1000 lines; `start_line` is 1001
        > read_file {"path": "long", "start_line": 3, "end_line": 2}
        failed: `end_line` (2) is before `start_line` (3)
        > read_file {"path": "empty"}
        ok: (`empty` is empty)
        > read_file {"path": "bin"}
        failed: `bin` is a binary file of 1 bytes; there are no lines to read
        > read_file {"path": "src"}
        failed: `src` is a folder; list_files lists it
        > read_file {"path": "long.rs"}
        failed: `long.rs` does not exist; there is `src/long.rs`
        > read_file {"path": "absent"}
        failed: `absent` does not exist; list_files shows what does
    "#]].assert_eq(
        &desk
            .play(
                r#"
                read_file {"path": "long", "start_line": 999}
                read_file {"path": "./long", "start_line": 2, "end_line": 3}
                read_file {"path": "long", "start_line": 0, "end_line": 1}
                read_file {"path": "long", "start_line": 1001}
                read_file {"path": "long", "start_line": 3, "end_line": 2}
                read_file {"path": "empty"}
                read_file {"path": "bin"}
                read_file {"path": "src"}
                read_file {"path": "long.rs"}
                read_file {"path": "absent"}
                "#,
            )
            .await,
    );
}

#[tokio::test]
async fn a_page_stays_within_its_size() {
    let desk = Desk::new(&[("big", &format!("{}\n", "y".repeat(900)).repeat(300))]);
    let text = desk.play(r#"read_file {"path": "big", "end_line": 300}"#).await;
    assert!(text.len() < 33 * 1024 && text.contains("of 300; go on with start_line 37]"), "{}", &text[text.len() - 100..]);
}

#[tokio::test]
async fn an_edit_needs_a_file_that_was_read_and_is_unchanged() {
    check(
        &[("src/a.rs", "one\ntwo\ntwo\n"), ("docs/a.md", "one\n")],
        r#"
        edit_file {"path": "src/a.rs", "old_text": "one", "new_text": "1"}
        read_file {"path": "src/a.rs", "end_line": 1}
        edit_file {"path": "src/a.rs", "old_text": "one", "new_text": "1"}
        edit_file {"path": "src/a.rs", "old_text": "two", "new_text": "2"}
        edit_file {"path": "src/a.rs", "old_text": "two", "new_text": "2", "replace_all": true}
        $ echo more >> src/a.rs
        edit_file {"path": "src/a.rs", "old_text": "1", "new_text": "one"}
        read_file {"path": "docs/a.md"}
        edit_file {"path": "docs/a.md", "old_text": "one", "new_text": "1"}
        edit_file {"path": "src/absent.rs", "old_text": "one", "new_text": "1"}
        edit_file {"path": "src", "old_text": "one", "new_text": "1"}
        edit_file {"path": "", "old_text": "one", "new_text": "1"}
        "#,
        expect![[r#"
            > edit_file {"path": "src/a.rs", "old_text": "one", "new_text": "1"}
            failed: `src/a.rs` has not been read; read it with read_file, then edit it
            > read_file {"path": "src/a.rs", "end_line": 1}
            ok: 1	one
            > edit_file {"path": "src/a.rs", "old_text": "one", "new_text": "1"}
            ok: edited `src/a.rs` at line 1
            > edit_file {"path": "src/a.rs", "old_text": "two", "new_text": "2"}
            failed: `old_text` occurs 2 times (lines 2, 3), so nothing was changed; add lines around it until it is the only one, or set `replace_all`
            > edit_file {"path": "src/a.rs", "old_text": "two", "new_text": "2", "replace_all": true}
            ok: edited `src/a.rs` at 2 places (lines 2, 3)
            > edit_file {"path": "src/a.rs", "old_text": "1", "new_text": "one"}
            failed: `src/a.rs` has changed since it was read; read it again with read_file, then edit it
            > read_file {"path": "docs/a.md"}
            ok: 1	one
            > edit_file {"path": "docs/a.md", "old_text": "one", "new_text": "1"}
            failed: `docs/a.md` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
            > edit_file {"path": "src/absent.rs", "old_text": "one", "new_text": "1"}
            failed: `src/absent.rs` does not exist; list_files shows what does
            > edit_file {"path": "src", "old_text": "one", "new_text": "1"}
            failed: `src` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
            > edit_file {"path": "", "old_text": "one", "new_text": "1"}
            failed: the path is empty; name a file
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_edit_keeps_line_ends_and_permissions() {
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::new(&[("src/run.sh", "#!/bin/sh\r\necho 1\r\necho 2\r\n")]);
    let path = desk.root().join("src/run.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    desk.play(r#"read_file {"path": "src/run.sh"}"#).await;
    let text = desk.play(r#"edit_file {"path": "src/run.sh", "old_text": "echo 1\necho 2", "new_text": "echo 3\necho 4"}"#).await;
    assert!(text.contains("ok: edited `src/run.sh` at line 2"), "{text}");
    assert_eq!(desk.file("src/run.sh"), "#!/bin/sh\r\necho 3\r\necho 4\r\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    let left: Vec<_> = fs::read_dir(desk.root().join("src")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["run.sh"], "no file is left beside it");
}

#[tokio::test]
async fn a_file_that_is_not_text_is_not_edited() {
    let desk = Desk::new(&[]);
    fs::create_dir(desk.root().join("src")).unwrap();
    fs::write(desk.root().join("src/latin"), b"caf\xe9 one\n").unwrap();
    let script = r#"
        read_file {"path": "src/latin"}
        edit_file {"path": "src/latin", "old_text": "one", "new_text": "two"}
    "#;
    expect![[r#"
        > read_file {"path": "src/latin"}
        ok: 1	caf� one
        > edit_file {"path": "src/latin", "old_text": "one", "new_text": "two"}
        failed: `src/latin` is not UTF-8, so it cannot be edited as text; change it with run_command
    "#]].assert_eq(&desk.play(script).await);
    assert_eq!(fs::read(desk.root().join("src/latin")).unwrap(), b"caf\xe9 one\n");
}

#[tokio::test]
async fn whole_files_are_written_moved_and_deleted_within_the_scope() {
    let files = [("src/old.rs", "old\n"), ("src/empty.rs", ""), ("src/folder/x", "x"), ("README.md", "read me\n")];
    let desk = Desk::new(&files);
    let script = r#"
        write_file {"path": "src/deep/new.rs", "content": "a\nb\n"}
        edit_file {"path": "src/deep/new.rs", "old_text": "b", "new_text": "c"}
        write_file {"path": "src/deep/new.rs", "content": ""}
        write_file {"path": "src/old.rs", "content": "new\n"}
        read_file {"path": "src/old.rs"}
        write_file {"path": "src/old.rs", "content": "new\n"}
        $ echo newer > src/old.rs
        write_file {"path": "src/old.rs", "content": "newest\n"}
        write_file {"path": "src/empty.rs", "content": "x"}
        write_file {"path": "src/folder", "content": "x"}
        write_file {"path": "src/old.rs/x", "content": "x"}
        write_file {"path": "Cargo.lock", "content": "lock\n"}
        write_file {"path": "README.md", "content": "x"}
        move_file {"from": "src/empty.rs", "to": "src/a/b/full.rs"}
        edit_file {"path": "src/a/b/full.rs", "old_text": "x", "new_text": "y"}
        move_file {"from": "src/old.rs", "to": "src/folder"}
        move_file {"from": "src/old.rs", "to": "src/folder/x"}
        move_file {"from": "src/old.rs", "to": "old.rs"}
        move_file {"from": "README.md", "to": "src/README.md"}
        move_file {"from": "src/folder", "to": "src/other"}
        move_file {"from": "src/gone", "to": "src/other"}
        delete_file {"path": "src/old.rs"}
        delete_file {"path": "src/old.rs"}
        delete_file {"path": "src/folder"}
        delete_file {"path": "README.md"}
    "#;
    expect![[r#"
        > write_file {"path": "src/deep/new.rs", "content": "a\nb\n"}
        ok: created `src/deep/new.rs` (2 lines, 4 bytes)
        > edit_file {"path": "src/deep/new.rs", "old_text": "b", "new_text": "c"}
        ok: edited `src/deep/new.rs` at line 2
        > write_file {"path": "src/deep/new.rs", "content": ""}
        ok: replaced `src/deep/new.rs` (0 lines, 0 bytes)
        > write_file {"path": "src/old.rs", "content": "new\n"}
        failed: `src/old.rs` exists and has not been read; read it with read_file first, then change it with edit_file or write it anew
        > read_file {"path": "src/old.rs"}
        ok: 1	old
        > write_file {"path": "src/old.rs", "content": "new\n"}
        ok: replaced `src/old.rs` (1 lines, 4 bytes)
        > write_file {"path": "src/old.rs", "content": "newest\n"}
        failed: `src/old.rs` has changed since it was read; read it again with read_file first
        > write_file {"path": "src/empty.rs", "content": "x"}
        ok: replaced `src/empty.rs` (1 lines, 1 bytes)
        > write_file {"path": "src/folder", "content": "x"}
        failed: `src/folder` is no file; choose another name
        > write_file {"path": "src/old.rs/x", "content": "x"}
        failed: the folder of `src/old.rs/x` cannot be made: File exists (os error 17); is a part of the path a file?
        > write_file {"path": "Cargo.lock", "content": "lock\n"}
        ok: created `Cargo.lock` (1 lines, 5 bytes)
        > write_file {"path": "README.md", "content": "x"}
        failed: `README.md` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
        > move_file {"from": "src/empty.rs", "to": "src/a/b/full.rs"}
        ok: moved `src/empty.rs` to `src/a/b/full.rs`
        > edit_file {"path": "src/a/b/full.rs", "old_text": "x", "new_text": "y"}
        ok: edited `src/a/b/full.rs` at line 1
        > move_file {"from": "src/old.rs", "to": "src/folder"}
        failed: `src/folder` is a folder; give the whole new path of the file, so nothing was moved
        > move_file {"from": "src/old.rs", "to": "src/folder/x"}
        failed: `src/folder/x` exists already, so nothing was moved
        > move_file {"from": "src/old.rs", "to": "old.rs"}
        failed: `old.rs` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
        > move_file {"from": "README.md", "to": "src/README.md"}
        failed: `README.md` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
        > move_file {"from": "src/folder", "to": "src/other"}
        failed: `src/folder` is a folder; name its files one by one
        > move_file {"from": "src/gone", "to": "src/other"}
        failed: `src/gone` does not exist; list_files shows what does
        > delete_file {"path": "src/old.rs"}
        ok: deleted `src/old.rs`
        > delete_file {"path": "src/old.rs"}
        failed: `src/old.rs` does not exist; list_files shows what does
        > delete_file {"path": "src/folder"}
        failed: `src/folder` is a folder; name its files one by one
        > delete_file {"path": "README.md"}
        failed: `README.md` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
    "#]].assert_eq(&desk.play(script).await);
    assert_eq!((desk.file("README.md"), desk.file("src/a/b/full.rs")), ("read me\n".to_owned(), "y".to_owned()));
}

#[tokio::test]
async fn no_path_leads_out_of_the_worktree() {
    let desk = Desk::new(&[("src/a.rs", "a\n"), (".git/config", "[core]\n"), ("docs/b.md", "b\n")]);
    fs::create_dir(desk.dir.path().join("outside")).unwrap();
    fs::write(desk.dir.path().join("outside/secret"), "secret\n").unwrap();
    let script = r#"
        $ ln -s ../../outside src/folder; ln -s ../../outside/secret src/file; ln -s ../.git src/git; ln -s gone src/dangling
        $ ln -s ../../outside/made src/later; ln -s ../docs src/docs; ln -s a.rs src/alias
        read_file {"path": "../outside/secret"}
        read_file {"path": "src/../../outside/secret"}
        read_file {"path": "$DIR/outside/secret"}
        read_file {"path": "$DIR/tree/../outside/secret"}
        read_file {"path": "/etc/passwd"}
        read_file {"path": "~/.profile"}
        read_file {"path": "src/file"}
        read_file {"path": "src/folder/secret"}
        read_file {"path": "src/folder/../a.rs"}
        read_file {"path": ".git/config"}
        read_file {"path": "src/.GIT/config"}
        read_file {"path": "src/git/config"}
        read_file {"path": "src/dangling"}
        read_file {"path": "src/alias"}
        read_file {"path": "src/docs/b.md"}
        list_files {"path": "src/folder"}
        list_files {"path": "src/git"}
        search {"pattern": "secret"}
        search {"pattern": "secret", "path": "src/folder"}
        write_file {"path": "../outside/new", "content": "x"}
        write_file {"path": "$DIR/outside/new", "content": "x"}
        write_file {"path": ".git/hooks/x", "content": "x"}
        write_file {"path": "src/.git", "content": "x"}
        write_file {"path": "src/folder/new", "content": "x"}
        write_file {"path": "src/file", "content": "x"}
        write_file {"path": "src/later", "content": "x"}
        write_file {"path": "src/dangling", "content": "x"}
        write_file {"path": "src/docs/b.md", "content": "x"}
        edit_file {"path": "src/alias", "old_text": "a", "new_text": "b"}
        move_file {"from": "src/a.rs", "to": "src/folder/a.rs"}
        move_file {"from": "src/file", "to": "src/b.rs"}
        delete_file {"path": "src/folder/secret"}
        delete_file {"path": "src/file"}
        write_file {"path": "$DIR/tree/src/fine", "content": "x"}
        read_file {"path": "src/a.rs"}
        $ rm src/a.rs; ln -s ../../outside/secret src/a.rs
        edit_file {"path": "src/a.rs", "old_text": "a", "new_text": "b"}
        read_file {"path": "src/a.rs"}
    "#;
    expect![[r#"
        > read_file {"path": "../outside/secret"}
        failed: `../outside/secret` leads out of the repository
        > read_file {"path": "src/../../outside/secret"}
        failed: `src/../../outside/secret` leads out of the repository
        > read_file {"path": "$DIR/outside/secret"}
        failed: `$DIR/outside/secret` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "$DIR/tree/../outside/secret"}
        failed: `../outside/secret` leads out of the repository
        > read_file {"path": "/etc/passwd"}
        failed: `/etc/passwd` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "~/.profile"}
        failed: `~/.profile` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "src/file"}
        failed: `src/file` leads through a symbolic link out of your worktree, where nothing is read or written
        > read_file {"path": "src/folder/secret"}
        failed: `src/folder/secret` leads through a symbolic link out of your worktree, where nothing is read or written
        > read_file {"path": "src/folder/../a.rs"}
        ok: 1	a
        > read_file {"path": ".git/config"}
        failed: `.git/config` is inside git's own folder, which belongs to the harness
        > read_file {"path": "src/.GIT/config"}
        failed: `src/.GIT/config` is inside git's own folder, which belongs to the harness
        > read_file {"path": "src/git/config"}
        failed: `src/git/config` leads through a symbolic link: `.git/config` is inside git's own folder, which belongs to the harness
        > read_file {"path": "src/dangling"}
        failed: `src/dangling` is a symbolic link that leads nowhere
        > read_file {"path": "src/alias"}
        ok: 1	a
        > read_file {"path": "src/docs/b.md"}
        ok: 1	b
        > list_files {"path": "src/folder"}
        failed: `src/folder` leads through a symbolic link out of your worktree, where nothing is read or written
        > list_files {"path": "src/git"}
        failed: `src/git` leads through a symbolic link: `.git` is inside git's own folder, which belongs to the harness
        > search {"pattern": "secret"}
        ok: no matches
        > search {"pattern": "secret", "path": "src/folder"}
        failed: `src/folder` leads through a symbolic link out of your worktree, where nothing is read or written
        > write_file {"path": "../outside/new", "content": "x"}
        failed: `../outside/new` leads out of the repository
        > write_file {"path": "$DIR/outside/new", "content": "x"}
        failed: `$DIR/outside/new` is not in your worktree; give a path relative to its root, $DIR/tree
        > write_file {"path": ".git/hooks/x", "content": "x"}
        failed: `.git/hooks/x` is inside git's own folder, which belongs to the harness
        > write_file {"path": "src/.git", "content": "x"}
        failed: `src/.git` is inside git's own folder, which belongs to the harness
        > write_file {"path": "src/folder/new", "content": "x"}
        failed: `src/folder` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/file", "content": "x"}
        failed: `src/file` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/later", "content": "x"}
        failed: `src/later` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/dangling", "content": "x"}
        failed: `src/dangling` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/docs/b.md", "content": "x"}
        failed: `src/docs` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > edit_file {"path": "src/alias", "old_text": "a", "new_text": "b"}
        failed: `src/alias` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > move_file {"from": "src/a.rs", "to": "src/folder/a.rs"}
        failed: `src/folder` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > move_file {"from": "src/file", "to": "src/b.rs"}
        failed: `src/file` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > delete_file {"path": "src/folder/secret"}
        failed: `src/folder` is a symbolic link; delete the file by its own path, or delete the link
        > delete_file {"path": "src/file"}
        ok: deleted `src/file`
        > write_file {"path": "$DIR/tree/src/fine", "content": "x"}
        ok: created `src/fine` (1 lines, 1 bytes)
        > read_file {"path": "src/a.rs"}
        ok: 1	a
        > edit_file {"path": "src/a.rs", "old_text": "a", "new_text": "b"}
        failed: `src/a.rs` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > read_file {"path": "src/a.rs"}
        failed: `src/a.rs` leads through a symbolic link out of your worktree, where nothing is read or written
    "#]].assert_eq(&desk.play(script).await);
    let outside: Vec<_> = fs::read_dir(desk.dir.path().join("outside")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(outside, ["secret"]);
    assert_eq!(fs::read_to_string(desk.dir.path().join("outside/secret")).unwrap(), "secret\n");
    assert_eq!(desk.file("docs/b.md"), "b\n");
}

#[tokio::test]
async fn what_never_ends_is_not_read() {
    let desk = Desk::new(&[("src/a.rs", "a\n")]);
    let script = r#"
        $ mkfifo src/pipe
        read_file {"path": "src/pipe"}
        write_file {"path": "src/pipe", "content": "x"}
        search {"pattern": "a"}
        search {"pattern": "a", "path": "src/pipe"}
    "#;
    expect![[r#"
        > read_file {"path": "src/pipe"}
        failed: `src/pipe` is no regular file; it cannot be read
        > write_file {"path": "src/pipe", "content": "x"}
        failed: `src/pipe` is no file; choose another name
        > search {"pattern": "a"}
        ok: src/a.rs
        1:a
        > search {"pattern": "a", "path": "src/pipe"}
        ok: no matches
    "#]].assert_eq(&desk.play(script).await);
}

#[tokio::test]
async fn a_scope_grows_only_by_a_grant() {
    check(
        &[("free/a", "a\n"), ("owned/b", "b\n")],
        r#"
        write_file {"path": "free/new", "content": "x"}
        request_scope {"paths": ["free/**"], "reason": "the task needs it"}
        write_file {"path": "free/new", "content": "x"}
        request_scope {"paths": "owned/b", "reason": "the task needs it"}
        write_file {"path": "owned/new", "content": "x"}
        request_scope {"paths": ["src/a.rs", "free/**"], "reason": "the task needs it"}
        request_scope {"paths": ["../x"], "reason": "the task needs it"}
        request_scope {"paths": [], "reason": "the task needs it"}
        request_scope {"paths": ["free/x"], "reason": ""}
        "#,
        expect![[r#"
            > write_file {"path": "free/new", "content": "x"}
            failed: `free/new` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
            > request_scope {"paths": ["free/**"], "reason": "the task needs it"}
            ok: granted. You may write now: src/**, free/**, Cargo.lock (shared)
            > write_file {"path": "free/new", "content": "x"}
            ok: created `free/new` (1 lines, 1 bytes)
            > request_scope {"paths": "owned/b", "reason": "the task needs it"}
            failed: refused: another task owns it. Do the task without these files, or finish as `blocked` and say what it needs
            > write_file {"path": "owned/new", "content": "x"}
            failed: `owned/new` is outside your scope, so nothing was changed. You may write: src/**, free/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
            > request_scope {"paths": ["src/a.rs", "free/**"], "reason": "the task needs it"}
            ok: you may write these already
            > request_scope {"paths": ["../x"], "reason": "the task needs it"}
            failed: `paths`: `../x` leads out of the repository
            > request_scope {"paths": [], "reason": "the task needs it"}
            failed: `paths` is empty; name the files or globs that you need to write
            > request_scope {"paths": ["free/x"], "reason": ""}
            failed: `reason` is empty; say why the task needs these files
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_request_that_nobody_answers_ends_with_the_attempt() {
    let desk = Desk::new(&[]);
    let arguments = json!({ "paths": ["free/a"], "reason": "wait" });
    let (outcome, ()) = tokio::join!(desk.call("request_scope", arguments), async { desk.cancel.cancel() });
    assert!(matches!(outcome, ToolOutcome::Failed(_)), "{outcome:?}");
}

#[tokio::test]
async fn done_is_observed_and_blocked_is_believed() {
    check(
        &[],
        r#"
        finish {"status": "done", "summary": "all done", "hand_off": "h", "follow_ups": ["f"]}
        write_file {"path": "src/done", "content": ""}
        finish {"status": "done", "summary": " "}
        finish {"status": "ready", "summary": "s", "follow_ups": [1]}
        finish {"status": "done", "summary": "all done", "hand_off": "h", "follow_ups": ["f"]}
        finish {"status": "blocked", "summary": "no such API", "follow_ups": null}
        "#,
        expect![[r#"
            > finish {"status": "done", "summary": "all done", "hand_off": "h", "follow_ups": ["f"]}
            failed: not done yet: `src/done` is missing; write it
            > write_file {"path": "src/done", "content": ""}
            ok: created `src/done` (0 lines, 0 bytes)
            > finish {"status": "done", "summary": " "}
            failed: finish: `summary` is empty; say what was done
            > finish {"status": "ready", "summary": "s", "follow_ups": [1]}
            failed: finish: `follow_ups` must be a list of texts; `status` must be one of "done", "blocked"; its arguments are: follow_ups, hand_off, status, summary
            > finish {"status": "done", "summary": "all done", "hand_off": "h", "follow_ups": ["f"]}
            ended: {"follow_ups":["f"],"hand_off":"h","status":"done","summary":"all done"}
            > finish {"status": "blocked", "summary": "no such API", "follow_ups": null}
            ended: {"follow_ups":[],"hand_off":"","status":"blocked","summary":"no such API"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn commands_tell_how_they_ended_and_what_they_wrote() {
    let desk = Desk::new(&[("src/a.rs", "")]);
    for (command, kind, shown) in [
        ("ls; pwd -P >&2", "ok", "exit 0 after * s\nsrc\n<root>\n"),
        ("echo x; exit 3", "ok", "exit 3 after * s\nx\n"),
        ("true", "ok", "exit 0 after * s\n(no output)"),
        ("kill -9 $$", "ok", "ended by signal 9 after * s\n(no output)"),
        (
            "sleep 1000 & echo x",
            "ok",
            "exit 0 after * s\n[processes that it left running were ended: each command ends with all of its processes]\nx\n",
        ),
        (
            "echo x; sleep 1000",
            "failed",
            "stopped at its time limit after * s\n[it and its processes were ended. Give a longer `timeout_s`, or a command that ends: no \
             server, no watch mode, no prompt]\nx\n",
        ),
        ("a\0b", "failed", "not started: nul byte found in provided data"),
    ] {
        let outcome =
            desk.call("run_command", json!({ "command": command, "timeout_s": if kind == "ok" { 60 } else { 1 } })).await;
        let (text, was) = match outcome {
            ToolOutcome::Ok(text) => (text, "ok"),
            ToolOutcome::Failed(text) => (text, "failed"),
            ToolOutcome::Ended(value) => panic!("{value}"),
        };
        let root = desk.root().canonicalize().unwrap().display().to_string();
        assert_eq!((without_time(&text).replace(&root, "<root>").as_str(), was), (shown, kind), "{command}");
    }
}

/// `after 0.1 s` becomes `after * s`.
fn without_time(text: &str) -> String {
    match text.split_once(" after ") {
        Some((before, rest)) => format!("{before} after *{}", rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')),
        None => text.to_owned(),
    }
}

#[tokio::test]
async fn saved_output_can_be_read_and_searched_but_nothing_beside_it() {
    let desk = Desk::new(&[]);
    let ToolOutcome::Ok(_) = desk.call("run_command", json!({ "command": "seq 1 20000 | sed 's/^/\\x1b[1mn/'" })).await else {
        panic!("the command failed")
    };
    fs::write(desk.dir.path().join("beside.txt"), "no\n").unwrap();
    let script = r#"
        read_file {"path": "$DIR/spill/command-1.txt", "start_line": 9999, "end_line": 10000}
        search {"pattern": "n10000$", "path": "$DIR/spill/command-1.txt"}
        read_file {"path": "$DIR/spill/../beside.txt"}
        read_file {"path": "$DIR/beside.txt"}
        write_file {"path": "$DIR/spill/command-1.txt", "content": ""}
    "#;
    expect![[r#"
        > read_file {"path": "$DIR/spill/command-1.txt", "start_line": 9999, "end_line": 10000}
        ok: 9999	n9999
        10000	n10000
        > search {"pattern": "n10000$", "path": "$DIR/spill/command-1.txt"}
        ok: $DIR/spill/command-1.txt
        10000:[1mn10000
        > read_file {"path": "$DIR/spill/../beside.txt"}
        failed: `$DIR/spill/../beside.txt` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "$DIR/beside.txt"}
        failed: `$DIR/beside.txt` is not in your worktree; give a path relative to its root, $DIR/tree
        > write_file {"path": "$DIR/spill/command-1.txt", "content": ""}
        failed: `$DIR/spill/command-1.txt` is not in your worktree; give a path relative to its root, $DIR/tree
    "#]].assert_eq(&desk.play(script).await);
}

#[tokio::test]
async fn a_cancelled_attempt_ends_its_command() {
    let desk = Desk::new(&[]);
    let started = std::time::Instant::now();
    let cancel = async {
        while !desk.root().join("begun").exists() {
            assert!(started.elapsed() < Duration::from_secs(30), "the command never began");
            tokio::task::yield_now().await;
        }
        desk.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(desk.call("run_command", json!({ "command": "touch begun; sleep 1000" })), cancel);
    assert!(matches!(&outcome, ToolOutcome::Failed(text) if text.starts_with("cancelled after")), "{outcome:?}");
}

#[tokio::test]
async fn a_planner_adds_its_tools_to_those_that_read() {
    let desk = Desk::new(&[("src/a.rs", "a\n")]);
    let tools = ReadTools::new(desk.root(), desk.dir.path().join("spill")).unwrap();
    assert_eq!(tools.specs().len(), 3);
    let read = tools.call("read_file", &json!({ "path": "src/a.rs" }), &desk.cancel).await;
    assert_eq!(read, ToolOutcome::Ok("1\ta\n".to_owned()));
    let write = tools.call("write_file", &json!({ "path": "src/a.rs", "content": "" }), &desk.cancel).await;
    assert_eq!(
        write,
        ToolOutcome::Failed("there is no tool `write_file`; the tools are: list_files, search, read_file".to_owned())
    );
    assert!(ReadTools::new(desk.root().join("gone"), desk.root()).is_err());
}
