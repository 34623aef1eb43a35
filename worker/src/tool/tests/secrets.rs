//! What holds secrets is not opened, what is shown has them masked, and a mask is not written over what it hides.

use super::*;

/// A key in shape, which no file here holds.
fn key() -> String {
    ["gh", "p_"].concat() + &"a1B2".repeat(9)
}

fn line(end: &str) -> String {
    ["-----", end, " PRIVATE", " KEY-----"].concat()
}

fn desk() -> Desk {
    let body = "MC4CAQAwBQYDK2VwBCIEIJ1hcdE2f3G4h5I6j7K8l9M0n1O2p3Q4r5S6t7U8v9W0".to_owned();
    let (config, pem) = (format!("url: x\ntoken: {}\nlast: y\n", key()), [line("BEGIN"), body, line("END")].join("\n"));
    Desk::new(&[
        (".env", "A=1\n"),
        ("src/.env.example", "A=\n"),
        (".env.d/readme", "a folder\n"),
        ("src/server.key", &pem),
        ("src/config.yml", &config),
        ("src/notes.txt", &format!("before\n{pem}\nafter\n")),
        ("src/mask.rs", "let marker = \"[masked: GitHub token]\";\n"),
    ])
}

#[tokio::test]
async fn files_that_hold_secrets_are_named_and_not_opened() {
    let desk = desk();
    let shown = desk
        .play(
            r#"
            list_files {"path": "src", "glob": null, "depth": null}
            read_file {"path": "src/.env.example", "start_line": null, "end_line": null}
            search {"pattern": "A=", "path": null, "glob": null, "context": null}
            search {"pattern": "folder", "path": ".env.d", "glob": null, "context": null}
            $ ln -s ../.env src/link
            "#,
        )
        .await;
    expect![[r#"
        > list_files {"path": "src", "glob": null, "depth": null}
        ok: src/.env.example
        src/config.yml
        src/mask.rs
        src/notes.txt
        src/server.key
        > read_file {"path": "src/.env.example", "start_line": null, "end_line": null}
        ok: 1	A=
        > search {"pattern": "A=", "path": null, "glob": null, "context": null}
        ok: src/.env.example
        1:A=
        > search {"pattern": "folder", "path": ".env.d", "glob": null, "context": null}
        ok: .env.d/readme
        1:a folder
    "#]]
    .assert_eq(&shown);
    let absolute = desk.root().join(".env").display().to_string();
    for (tool, arguments) in [
        ("read_file", json!({ "path": ".env", "start_line": null, "end_line": null })),
        ("read_file", json!({ "path": "src/../.env", "start_line": null, "end_line": null })),
        ("read_file", json!({ "path": absolute, "start_line": null, "end_line": null })),
        ("read_file", json!({ "path": "src/link", "start_line": null, "end_line": null })),
        ("search", json!({ "pattern": "MC", "path": "src/server.key", "glob": null, "context": null })),
        ("write_file", json!({ "path": "src/.env", "content": "A=2" })),
        ("edit_file", json!({ "path": "src/server.key", "old_text": "M", "new_text": "N", "replace_all": null })),
        ("move_file", json!({ "from": "src/server.key", "to": "src/server.txt" })),
        ("move_file", json!({ "from": "src/config.yml", "to": "src/.env.local" })),
        ("delete_file", json!({ "path": "src/server.key" })),
    ] {
        let outcome = desk.call(tool, arguments.clone()).await;
        let ToolOutcome::Failed(why) = &outcome else { panic!("{tool} {arguments}: {outcome:?}") };
        assert!(why.contains("holds secrets by its name") && why.contains("[secrets] allow"), "{tool} {arguments}: {why}");
    }
    assert_eq!(desk.file(".env"), "A=1\n");
    assert!(desk.root().join("src/server.key").exists());
}

#[tokio::test]
async fn secrets_within_files_are_masked_and_lines_keep_their_numbers() {
    let shown = desk()
        .play(
            r#"
            read_file {"path": "src/config.yml", "start_line": null, "end_line": null}
            read_file {"path": "src/notes.txt", "start_line": 3, "end_line": 5}
            search {"pattern": "token: |MC4C|after", "path": null, "glob": "*.{yml,txt}", "context": 1}
            "#,
        )
        .await
        .replace(&line("END"), "END");
    expect![[r#"
        > read_file {"path": "src/config.yml", "start_line": null, "end_line": null}
        ok: 1	url: x
        2	token: [masked: GitHub token]
        3	last: y
        > read_file {"path": "src/notes.txt", "start_line": 3, "end_line": 5}
        ok: 3	[masked: private key]
        4	END
        5	after
        > search {"pattern": "token: |MC4C|after", "path": null, "glob": "*.{yml,txt}", "context": 1}
        ok: src/config.yml
        1-url: x
        2:token: [masked: GitHub token]
        3-last: y

        src/notes.txt
        4-END
        5:after
    "#]]
    .assert_eq(&shown);
}

#[tokio::test]
async fn a_mask_is_not_written_over_the_secret_that_it_hides() {
    let desk = desk();
    let shown = desk
        .play(
            r#"
            read_file {"path": "src/config.yml", "start_line": null, "end_line": null}
            write_file {"path": "src/config.yml", "content": "token: [masked: GitHub token]\n"}
            edit_file {"path": "src/config.yml", "old_text": "token: [masked: GitHub token]\nlast: y", "new_text": "last: z", "replace_all": null}
            edit_file {"path": "src/config.yml", "old_text": "last: y", "new_text": "last: [masked: GitHub token]", "replace_all": null}
            edit_file {"path": "src/config.yml", "old_text": "last: y", "new_text": "last: [masked: whatever]", "replace_all": null}
            read_file {"path": "src/mask.rs", "start_line": null, "end_line": null}
            edit_file {"path": "src/mask.rs", "old_text": "\"[masked: GitHub token]\"", "new_text": "(\"[masked: GitHub token]\")", "replace_all": null}
            "#,
        )
        .await;
    expect![[r#"
        > read_file {"path": "src/config.yml", "start_line": null, "end_line": null}
        ok: 1	url: x
        2	token: [masked: GitHub token]
        3	last: y
        > write_file {"path": "src/config.yml", "content": "token: [masked: GitHub token]\n"}
        failed: the new text has a marker like `[masked: …]`, which stands for a secret that you are not shown; written, it would destroy the secret. Leave those lines as they are (edit_file the parts around them), or have the program read the value from its environment
        > edit_file {"path": "src/config.yml", "old_text": "token: [masked: GitHub token]\nlast: y", "new_text": "last: z", "replace_all": null}
        failed: `old_text` has a marker like `[masked: …]`: a secret stands there that you are not shown, so the text does not match. Choose an `old_text` that ends before the marker or begins after it; the secret itself stays as it is
        > edit_file {"path": "src/config.yml", "old_text": "last: y", "new_text": "last: [masked: GitHub token]", "replace_all": null}
        failed: the new text has a marker like `[masked: …]`, which stands for a secret that you are not shown; written, it would destroy the secret. Leave those lines as they are (edit_file the parts around them), or have the program read the value from its environment
        > edit_file {"path": "src/config.yml", "old_text": "last: y", "new_text": "last: [masked: whatever]", "replace_all": null}
        ok: edited `src/config.yml` at line 3
        > read_file {"path": "src/mask.rs", "start_line": null, "end_line": null}
        ok: 1	let marker = "[masked: GitHub token]";
        > edit_file {"path": "src/mask.rs", "old_text": "\"[masked: GitHub token]\"", "new_text": "(\"[masked: GitHub token]\")", "replace_all": null}
        ok: edited `src/mask.rs` at line 1
    "#]]
    .assert_eq(&shown);
    assert!(desk.file("src/config.yml").contains(&key()), "the secret is still there");
}

#[tokio::test]
async fn saved_output_is_masked_when_it_is_read() {
    let desk = desk();
    let script = r#"
        run_command {"command": "seq 9000; cat src/config.yml; seq 9000", "timeout_s": null}
        read_file {"path": "$DIR/spill/command-1.txt", "start_line": 9001, "end_line": 9003}
    "#;
    let shown = desk.play(script).await;
    assert!(shown.ends_with("9001\turl: x\n9002\ttoken: [masked: GitHub token]\n9003\tlast: y\n"), "{shown}");
}

#[tokio::test]
async fn what_a_model_writes_excepts_nothing_wherever_it_writes_it() {
    let allow = shared::Secrecy::pattern("src/fixtures/").unwrap();
    let secrecy = Arc::new(shared::Secrecy::new(vec![], allow, []));
    let desk = Desk::with_secrecy(&[("src/fixtures/old.txt", "a\n")], secrecy.clone());
    let content = format!("token: {}\n", key());
    for (tool, arguments) in [
        ("write_file", json!({ "path": "fixtures/new.txt", "content": content })),
        ("edit_file", json!({ "path": "src/fixtures/old.txt", "old_text": "a", "new_text": content, "replace_all": null })),
    ] {
        desk.call(tool, arguments).await;
        assert_eq!(secrecy.mask(&content), "token: [masked: GitHub token]\n", "{tool}");
    }
}
