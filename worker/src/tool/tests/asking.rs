//! Tools that run, ask and finish.

use super::*;

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
            ok: created `free/new`
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
async fn what_is_not_cleared_is_not_done_and_a_file_is_asked_about_once() {
    check(
        &[("src/a", "a\n")],
        r#"
        write_file {"path": "src/a", "content": "b\n"}
        write_file {"path": "./src/a", "content": "c\n"}
        write_file {"path": "src/forbidden", "content": "x"}
        move_file {"from": "src/a", "to": "src/forbidden"}
        write_file {"path": "other/forbidden", "content": "x"}
        delete_file {"path": "$DIR/tree/src/forbidden"}
        run_command {"command": "echo forbidden > src/b", "timeout_s": null}
        "#,
        expect![[r#"
            > write_file {"path": "src/a", "content": "b\n"}
            ok: replaced `src/a`, which you had not read; make sure that nothing of it is missing (`git show HEAD:src/a`)
            > write_file {"path": "./src/a", "content": "c\n"}
            ok: replaced `src/a`
            > write_file {"path": "src/forbidden", "content": "x"}
            failed: not allowed, asked 2 times; do without
            > move_file {"from": "src/a", "to": "src/forbidden"}
            failed: not allowed, asked 3 times; do without
            > write_file {"path": "other/forbidden", "content": "x"}
            failed: `other/forbidden` is outside your scope, so nothing was changed. You may write: src/**, Cargo.lock (shared). If the task needs this file, call request_scope with it and the reason; otherwise leave it and mention it in `follow_ups` when you finish
            > delete_file {"path": "$DIR/tree/src/forbidden"}
            failed: not allowed, asked 4 times; do without
            > run_command {"command": "echo forbidden > src/b", "timeout_s": null}
            failed: not allowed, asked 0 times; do without
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_approval_that_nobody_gives_ends_with_the_attempt() {
    let desk = Desk::new(&[]);
    for (tool, arguments) in [
        ("run_command", json!({ "command": "touch src/endless", "timeout_s": null })),
        ("write_file", json!({ "path": "src/endless", "content": "" })),
    ] {
        let cancel = CancellationToken::new();
        let (outcome, ()) = tokio::join!(desk.tools.call(tool, &arguments, &cancel), async { cancel.cancel() });
        assert!(matches!(&outcome, ToolOutcome::Failed(why) if why.contains("cancelled")), "{outcome:?}");
    }
    assert!(!desk.root().join("src/endless").exists());
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
        finish {"status": "blocked", "summary": " "}
        finish {"status": "done"}
        finish {"status": "ready", "summary": "s", "follow_ups": [1]}
        finish {"status": "done", "summary": "all done", "hand_off": "h", "follow_ups": ["f"]}
        finish {"status": "blocked", "summary": "no such API", "follow_ups": null}
        "#,
        expect![[r#"
            > finish {"status": "done", "summary": "all done", "hand_off": "h", "follow_ups": ["f"]}
            failed: not done yet: `src/done` is missing; write it
            > write_file {"path": "src/done", "content": ""}
            ok: created `src/done`
            > finish {"status": "blocked", "summary": " "}
            failed: finish: `summary` is empty; say why the task cannot be done as it is written
            > finish {"status": "done"}
            ended: {"follow_ups":[],"hand_off":"","status":"done","summary":""}
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
            desk.call("run_command", json!({ "command": command, "timeout_s": if kind == "ok" { 60 } else { 2 } })).await;
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
        10000:n10000
        > read_file {"path": "$DIR/spill/../beside.txt"}
        failed: `$DIR/spill/../beside.txt` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "$DIR/beside.txt"}
        failed: `$DIR/beside.txt` is not in your worktree; give a path relative to its root, $DIR/tree
        > write_file {"path": "$DIR/spill/command-1.txt", "content": ""}
        failed: `$DIR/spill/command-1.txt` is not in your worktree; give a path relative to its root, $DIR/tree
    "#]]
    .assert_eq(&desk.play(script).await);
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
async fn a_command_that_strays_is_told_what_was_put_back() {
    let desk = Desk::new(&[("src/a.rs", "a\n")]);
    let without_times = |said: String| said.replace(|c: char| c.is_ascii_digit(), "N");
    let script = r#"
        run_command {"command": "true"}
        run_command {"command": "mkdir stray; touch stray/a stray/b; cat src/a.rs"}
        run_command {"command": "mkdir stray; touch stray/a; sleep 60", "timeout_s": 1}
        run_command {"command": "touch stray"}
    "#;
    expect![[r#"
        > run_command {"command": "true"}
        ok: exit N after N.N s
        (no output)
        > run_command {"command": "mkdir stray; touch stray/a stray/b; cat src/a.rs"}
        ok: exit N after N.N s
        a
        [this command changed N files outside your scope: stray/a, stray/b. They were put back as they were. What it changed inside your scope stays. If the task needs such a change, call request_scope with the path and the reason, and run the command again; otherwise keep it from writing there]
        > run_command {"command": "mkdir stray; touch stray/a; sleep NN", "timeout_s": N}
        failed: stopped at its time limit after N.N s
        [it and its processes were ended. Give a longer `timeout_s`, or a command that ends: no server, no watch mode, no prompt]
        (no output)
        [this command changed a file outside your scope: stray/a. It was put back as it was. What it changed inside your scope stays. If the task needs such a change, call request_scope with the path and the reason, and run the command again; otherwise keep it from writing there]
        > run_command {"command": "touch stray"}
        ok: exit N after N.N s
        (no output)
        [whether this command changed anything outside your scope could not be found out or not be mended: Not a directory (os error NN). If it did, undo it: what is still changed there when you finish ends the attempt, and nothing of it lands]
    "#]].assert_eq(&without_times(desk.play(script).await));
}
