//! What goes and what stays, in conversations written as one line a turn.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A conversation: `brief 400` is the opening with a task of 400 bytes. `read a.rs 4000 + run make 300` is a turn with two calls and
/// results of so many bytes; `! word` at its end is said upon it; `say 500` is a turn of words alone.
fn conversation(text: &str) -> Vec<Message> {
    let mut messages = vec![Message::system("s".repeat(100))];
    for (number, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        if let Some(size) = line.strip_prefix("brief ") {
            messages.push(Message::user("b".repeat(size.parse().unwrap())));
            continue;
        }
        let (line, word) = line.split_once(" ! ").map_or((line, None), |(line, word)| (line, Some(word)));
        let calls: Vec<_> =
            line.split(" + ").enumerate().filter_map(|(place, text)| call(&format!("c{number}_{place}"), text)).collect();
        let text = line.strip_prefix("say ").map_or(String::new(), |size| "w".repeat(size.parse().unwrap()));
        let turn =
            AssistantTurn { text, calls: calls.iter().map(|(call, _)| call.clone()).collect(), ..AssistantTurn::default() };
        messages.push(Message::Assistant(turn));
        messages.extend(calls.into_iter().map(|(call, content)| Message::Tool { call_id: call.id, name: call.name, content }));
        messages.extend(word.map(Message::user));
    }
    messages
}

/// `read a.rs 400`, `page a.rs 400` (from its line 400 on), `edit a.rs 20`, `write a.rs 20`, `run make 5000`, `spill make 5000`.
fn call(id: &str, text: &str) -> Option<(ToolCall, String)> {
    let [what, about, size] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let (name, arguments, start) = match what {
        "read" => ("read_file", json!({"path": about, "start_line": null, "end_line": null}), "1\tuse std;\n"),
        "page" => ("read_file", json!({"path": about, "start_line": 400, "end_line": null}), "400\tfn a() {}\n"),
        "edit" => ("edit_file", json!({"path": about, "old_text": "a", "new_text": "b"}), "ok\n"),
        "write" => ("write_file", json!({"path": about, "content": "text"}), "ok\n"),
        "run" => ("run_command", json!({"command": about}), "exit 1\n"),
        _ => (
            "run_command",
            json!({"command": about}),
            "exit 1\n[… 9 bytes left out; read_file pages the whole: /spill/command-1.txt …]\n",
        ),
    };
    let size: usize = size.parse().ok()?;
    let content = format!("{start}{}", "x".repeat(size.saturating_sub(start.len())));
    Some((ToolCall { id: id.into(), name: name.into(), arguments: arguments.to_string() }, content))
}

/// A room in which a byte is a token, so that the tests can be read.
fn pressure(messages: &[Message], high: u64) -> Pressure {
    let prompt = messages.iter().map(Message::bytes).sum();
    let room = Room { high, low: high / 15 * 8, hard: high * 4 / 3 };
    Pressure { prompt, room, gauge: Gauge::counted(1_000, 1_000) }
}

fn show(messages: &[Message]) -> String {
    let mut shown = String::new();
    for message in messages {
        let line = match message {
            Message::System { content } => format!("system {}", content.len()),
            Message::User { content } if content.len() > 200 && content.starts_with("bb") => format!("brief {}", content.len()),
            Message::User { content } => format!("! {}", first_line(content)),
            Message::Assistant(turn) if turn.text.starts_with("ww") => format!("> said {}", turn.text.len()),
            Message::Assistant(turn) => {
                format!("> {}{}", turn.text, turn.calls.iter().map(in_words).collect::<Vec<_>>().join(" + "))
            }
            Message::Tool { content, .. } if content.starts_with(LEFT_OUT) => format!("  {content}"),
            Message::Tool { content, .. } => format!("  {} bytes", content.len()),
        };
        writeln!(shown, "{line}").unwrap();
    }
    shown
}

fn compacted(text: &str, high: u64) -> (Vec<Message>, Vec<Message>) {
    let before = conversation(text);
    let mut after = before.clone();
    let plan = plan(&before, &pressure(&before, high)).expect("it is too long");
    apply(&mut after, &plan.carry_out(&before, "SUMMARY")).unwrap();
    (before, after)
}

fn check(text: &str, high: u64, expected: &Expect) {
    expected.assert_eq(&show(&compacted(text, high).1));
}

#[test]
fn a_conversation_that_fits_is_left_alone() {
    let messages = conversation("brief 400\n read a.rs 4000\n read b.rs 4000");
    assert_eq!(plan(&messages, &pressure(&messages, 9_000)), None);
}

#[test]
fn old_results_go_first_and_only_as_many_as_have_to() {
    check(
        "brief 400
        read a.rs 3000 + spill cargo 3000
        run make 3000
        read b.rs 3000
        read c.rs 1000
        read d.rs 1000
        read e.rs 1000
        run ls 50",
        14_000,
        &expect![[r#"
            system 100
            brief 400
            > read_file `a.rs` + run_command `cargo`
              [left out to make room: 3 KiB of read_file `a.rs`. Call it again if you need it.]
              [left out to make room: 3 KiB of run_command `cargo`. `read_file` pages the whole output: /spill/command-1.txt.]
            > run_command `make`
              [left out to make room: 3 KiB of run_command `make`. It began: exit 1. Run it again if you need the rest.]
            > read_file `b.rs`
              [left out to make room: 3 KiB of read_file `b.rs`. Call it again if you need it.]
            > read_file `c.rs`
              1000 bytes
            > read_file `d.rs`
              1000 bytes
            > read_file `e.rs`
              1000 bytes
            > run_command `ls`
              50 bytes
        "#]],
    );
}

#[test]
fn the_latest_reads_of_files_that_are_changed_stay() {
    check(
        "brief 400
        read a.rs 2000 + page a.rs 2000
        read b.rs 2500
        read a.rs 2000
        edit a.rs 20
        read c.rs 2500
        write d.rs 20
        read d.rs 2000
        run make 500
        say 100
        run make 500
        run make 500",
        13_000,
        &expect![[r#"
            system 100
            brief 400
            > read_file `a.rs` + read_file `a.rs`
              [left out to make room: 2 KiB of read_file `a.rs`. Call it again if you need it.]
              2000 bytes
            > read_file `b.rs`
              [left out to make room: 3 KiB of read_file `b.rs`. Call it again if you need it.]
            > read_file `a.rs`
              2000 bytes
            > edit_file `a.rs`
              20 bytes
            > read_file `c.rs`
              [left out to make room: 3 KiB of read_file `c.rs`. Call it again if you need it.]
            > write_file `d.rs`
              20 bytes
            > read_file `d.rs`
              2000 bytes
            > run_command `make`
              500 bytes
            > said 100
            > run_command `make`
              500 bytes
            > run_command `make`
              500 bytes
        "#]],
    );
}

#[test]
fn where_results_do_not_suffice_whole_turns_go_but_not_what_people_said_nor_reads_of_changed_files() {
    check(
        "brief 400
        say 4000
        read a.rs 1500
        say 4000 ! A word from the person who leads this run: use tabs
        run make 40 ! A word from the person who leads this run: be quick
        run make 40 ! You have called `x` 3 times
        edit a.rs 20
        say 4000
        run ls 200
        run ls 200
        run ls 200
        run ls 200",
        12_000,
        &expect![[r#"
            system 100
            brief 400
            > SUMMARY
            ! This conversation was made shorter, so that it fits your window: what came before is summed up above…
            > read_file `a.rs`
              1500 bytes
            > run_command `make`
              40 bytes
            ! A word from the person who leads this run: be quick
            > run_command `ls`
              200 bytes
            > run_command `ls`
              200 bytes
            > run_command `ls`
              200 bytes
            > run_command `ls`
              200 bytes
        "#]],
    );
}

#[test]
fn a_tiny_window_loses_even_the_last_results_but_never_the_opening_and_the_last_call() {
    check(
        "brief 1500\n read a.rs 2000\n edit a.rs 20\n read b.rs 4000 + read c.rs 300",
        2_600,
        &expect![[r#"
            system 100
            brief 1500
            > SUMMARY
            ! This conversation was made shorter, so that it fits your window: what came before is summed up above…
            > read_file `b.rs` + read_file `c.rs`
              [left out to make room: 4 KiB of read_file `b.rs`. Call it again if you need it.]
              [left out to make room: 1 KiB of read_file `c.rs`. Call it again if you need it.]
        "#]],
    );
    let messages = conversation("brief 9000\n run ls 20");
    assert_eq!(plan(&messages, &pressure(&messages, 2_000)), None, "there is nothing to gain");
    let opening = conversation("brief 9000");
    assert_eq!(plan(&opening, &pressure(&opening, 2_000)), None);
}

#[test]
fn a_small_gain_is_not_worth_a_new_prefix_until_nothing_else_is_left() {
    let text = "brief 9000\n run make 600\n run ls 20\n run ls 20\n run ls 20\n run ls 20";
    let messages = conversation(text);
    let room = |high| Pressure { room: Room { high, low: high / 2, hard: high + 1_000 }, ..pressure(&messages, high) };
    assert_eq!(plan(&messages, &room(9_900)), None);
    assert!(plan(&messages, &room(9_000)).is_some());
}

#[test]
fn a_compacted_conversation_is_compacted_again_like_any_other() {
    let (_, after) = compacted(
        "brief 400\n say 4000\n edit a.rs 20\n say 4000\n run make 900\n run make 900\n say 4000 ! Note this.\n say 4000",
        12_000,
    );
    let mut again = after.clone();
    again.extend(conversation("edit b.rs 20\n say 5000\n say 4000").split_off(1));
    let plan = plan(&again, &pressure(&again, 12_000)).unwrap();
    let replaced = plan.carry_out(&again, "SECOND");
    apply(&mut again, &replaced).unwrap();
    expect![[r#"
        system 100
        brief 400
        > SECOND
        ! This conversation was made shorter, so that it fits your window: what came before is summed up above…
        > said 4000
    "#]]
    .assert_eq(&show(&again));
    let Message::User { content } = &again[3] else { panic!() };
    expect![[r#"
        This conversation was made shorter, so that it fits your window: what came before is summed up above, as you know it. Your worktree is as you left it, nothing was undone. Turns below may lack results; each says how to get it again. Go on with your task by calling a tool.

        Files that you have changed so far:
        - `a.rs`
        - `b.rs`

        What you were told meanwhile, word for word:

        Note this."#]].assert_eq(content);
}

#[test]
fn without_a_model_a_list_stands_there() {
    let messages = conversation(
        "brief 400
        say 300
        read a.rs 100 + run make 100
        run make 100
        run make 100 ! A word from the person who leads this run: use tabs",
    );
    let (_, turns) = turns(&messages);
    expect![[r#"
        What I did after that, in order; the results are no longer here:
        - I said: w……
        - read_file `a.rs`
        - run_command `make` (3 times)"#]]
    .assert_eq(&summary::list(&messages, &turns).replace(&"w".repeat(100), "w…"));
}

#[test]
fn stretches_that_are_not_there_are_refused() {
    let (from, with) = (1, Vec::new());
    for replaced in [
        vec![Replaced { from, count: 3, with: with.clone() }],
        vec![Replaced { from, count: usize::MAX, with: with.clone() }],
        vec![Replaced { from, count: 1, with: with.clone() }, Replaced { from: 1, count: 1, with: with.clone() }],
    ] {
        let mut messages = conversation("brief 400\n say 300");
        assert!(apply(&mut messages, &replaced).is_err(), "{replaced:?}");
    }
}

fn lines() -> impl Strategy<Value = String> {
    let call =
        ("read|page|edit|write|run|spill", "[a-c]", 0..6_000_usize).prop_map(|(what, on, size)| format!("{what} {on} {size}"));
    let calls = prop::collection::vec(call, 1..4).prop_map(|calls| calls.join(" + "));
    let turn = prop_oneof![4 => calls, 1 => (1..5_000_usize).prop_map(|size| format!("say {size}"))];
    let turn = (turn, prop::option::weighted(0.2, "[a-z]{1,40}")).prop_map(|(turn, word)| match word {
        Some(word) => format!("{turn} ! {word}"),
        None => turn,
    });
    (10..4_000_usize, prop::collection::vec(turn, 0..25))
        .prop_map(|(brief, turns)| format!("brief {brief}\n{}", turns.join("\n")))
}

/// Each call has its result in its place, and nobody speaks twice in a row who did not before.
fn assert_whole(messages: &[Message]) {
    let mut open: Vec<&str> = Vec::new();
    for pair in messages.windows(2) {
        assert!(!matches!(pair, [Message::User { .. }, Message::User { .. }]), "{pair:?}");
    }
    for message in messages {
        match message {
            Message::Tool { call_id, .. } => assert_eq!(open.remove(0), call_id),
            _ => assert!(open.is_empty(), "{open:?} before {message:?}"),
        }
        if let Message::Assistant(turn) = message {
            open = turn.calls.iter().map(|call| call.id.as_str()).collect();
        }
    }
    assert!(open.is_empty());
}

proptest! {
    #[test]
    fn whatever_goes_the_conversation_stays_whole(text in lines(), high in 100_u64..40_000) {
        let before = conversation(&text);
        let pressed = pressure(&before, high);
        let Some(planned) = plan(&before, &pressed) else { return Ok(()) };
        let again = plan(&before, &pressed);
        prop_assert_eq!(Some(&planned), again.as_ref(), "it is the same each time");
        let mut after = before.clone();
        apply(&mut after, &planned.carry_out(&before, "SUMMARY")).unwrap();
        assert_whole(&after);
        let opening = turns(&before).0;
        prop_assert_eq!(&after[..opening], &before[..opening]);
        let last = before.iter().rev().find(|message| matches!(message, Message::Assistant(_)));
        prop_assert_eq!(last, after.iter().rev().find(|message| matches!(message, Message::Assistant(_))));
        let own: Vec<_> = before.iter().filter(|message| matches!(message, Message::Assistant(_))).collect();
        let summary = Message::Assistant(AssistantTurn { text: "SUMMARY".into(), ..AssistantTurn::default() });
        let left = after.iter().filter(|message| matches!(message, Message::Assistant(_)) && **message != summary);
        prop_assert!(left.clone().all(|turn| own.contains(&turn)), "no turn of the model is edited");
    }

    #[test]
    fn making_it_shorter_again_and_again_comes_to_an_end(text in lines(), high in 100_u64..20_000) {
        let mut messages = conversation(&text);
        for _ in 0..40 {
            let pressed = pressure(&messages, high);
            let Some(planned) = plan(&messages, &pressed) else { return Ok(()) };
            let replaced = planned.carry_out(&messages, "SUMMARY");
            apply(&mut messages, &replaced).unwrap();
            let now: u64 = messages.iter().map(Message::bytes).sum();
            prop_assert!(now < pressed.prompt, "{} became {now}", pressed.prompt);
        }
        prop_assert!(false, "it never ends");
    }
}
