//! What tools do to files.

use super::*;

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
    "#]]
    .assert_eq(&desk.play(script).await);
    assert_eq!(fs::read(desk.root().join("src/latin")).unwrap(), b"caf\xe9 one\n");
}

const FILES: [(&str, &str); 4] =
    [("src/old.rs", "old\n"), ("src/empty.rs", ""), ("src/folder/x", "x"), ("README.md", "read me\n")];

#[tokio::test]
async fn a_whole_file_is_written_and_what_nobody_had_seen_is_told() {
    let desk = Desk::new(&FILES);
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
    "#;
    expect![[r#"
        > write_file {"path": "src/deep/new.rs", "content": "a\nb\n"}
        ok: created `src/deep/new.rs`
        > edit_file {"path": "src/deep/new.rs", "old_text": "b", "new_text": "c"}
        ok: edited `src/deep/new.rs` at line 2
        > write_file {"path": "src/deep/new.rs", "content": ""}
        ok: replaced `src/deep/new.rs`
        > write_file {"path": "src/old.rs", "content": "new\n"}
        ok: replaced `src/old.rs`, which you had not read; make sure that nothing of it is missing (`git show HEAD:src/old.rs`)
        > read_file {"path": "src/old.rs"}
        ok: 1	new
        > write_file {"path": "src/old.rs", "content": "new\n"}
        ok: replaced `src/old.rs`
        > write_file {"path": "src/old.rs", "content": "newest\n"}
        ok: replaced `src/old.rs`, which had changed since you read it; make sure that nothing is missing
        > write_file {"path": "src/empty.rs", "content": "x"}
        ok: replaced `src/empty.rs`
        > write_file {"path": "src/folder", "content": "x"}
        failed: `src/folder` is no file; choose another name
        > write_file {"path": "src/old.rs/x", "content": "x"}
        failed: the folder of `src/old.rs/x` cannot be made: Not a directory (os error 20); is a part of the path a file?
        > write_file {"path": "Cargo.lock", "content": "lock\n"}
        ok: created `Cargo.lock`
        > write_file {"path": "README.md", "content": "x"}
        failed: `README.md` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
    "#]].assert_eq(&desk.play(script).await);
    assert_eq!((desk.file("README.md").as_str(), desk.file("src/old.rs").as_str()), ("read me\n", "newest\n"));
}

#[tokio::test]
async fn files_are_moved_and_deleted_within_the_scope() {
    let desk = Desk::new(&FILES);
    let script = r#"
        write_file {"path": "src/empty.rs", "content": "x"}
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
        > write_file {"path": "src/empty.rs", "content": "x"}
        ok: replaced `src/empty.rs`
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
    assert_eq!((desk.file("README.md").as_str(), desk.file("src/a/b/full.rs").as_str()), ("read me\n", "y"));
    assert!(!desk.root().join("src/empty.rs").exists() && !desk.root().join("src/old.rs").exists());
}
