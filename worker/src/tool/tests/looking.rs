//! What tools show of a tree.

use super::*;

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
    "#]]
    .assert_eq(&desk.play(r#"list_files {"path": "."}"#).await);
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
    "#]]
    .assert_eq(
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
async fn whoever_has_a_small_window_is_shown_little_at_a_time() {
    let lines = (0..400).map(|line| format!("line {line} of a file")).collect::<Vec<_>>().join("\n");
    let long: Vec<String> = (0..400).map(|file| format!("src/a_file_of_the_tree_{file}.rs")).collect();
    let files: Vec<(&str, &str)> = long.iter().map(|path| (path.as_str(), "")).chain([("big", lines.as_str())]).collect();
    let desk = Desk::with(&files, |place| place.longest_result = 2_048);
    for (call, hint) in [
        (r#"read_file {"path": "big"}"#, "go on with start_line"),
        (r#"search {"pattern": "line"}"#, "more"),
        (r#"list_files {"path": ".", "glob": "**/*.rs"}"#, "read_file pages the whole: $DIR/spill/result-"),
        (r#"run_command {"command": "cat big"}"#, "read_file pages the whole: $DIR/spill/result-"),
        (r#"run_command {"command": "cat big big big big big"}"#, "read_file pages the whole: $DIR/spill/command-"),
    ] {
        let text = desk.play(call).await;
        assert!(text.len() < 2_600 && text.contains(hint), "{call} gives {} bytes:\n{text}", text.len());
    }
}

#[tokio::test]
async fn a_planner_adds_its_tools_to_those_that_read() {
    let desk = Desk::new(&[("src/a.rs", "a\n")]);
    let tools = ReadTools::new(desk.root(), desk.dir.path().join("spill"), Arc::default()).unwrap();
    assert_eq!(tools.specs().len(), 3);
    let read = tools.call("read_file", &json!({ "path": "src/a.rs" }), &desk.cancel).await;
    assert_eq!(read, ToolOutcome::Ok("1\ta\n".to_owned()));
    let write = tools.call("write_file", &json!({ "path": "src/a.rs", "content": "" }), &desk.cancel).await;
    assert_eq!(
        write,
        ToolOutcome::Failed("there is no tool `write_file`; the tools are: list_files, search, read_file".to_owned())
    );
    assert!(ReadTools::new(desk.root().join("gone"), desk.root(), Arc::default()).is_err());
}
