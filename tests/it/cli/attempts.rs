//! `log --attempts` and `diff --attempt`: whatever an attempt left is there, in every way in which it can end.

use serde_json::Value;
use tests::{
    Scenario,
    model::{ModelServer, Script, call, finish, write},
};

/// One line an attempt, as data.
fn attempts(s: &Scenario, more: &[&str]) -> Vec<Value> {
    let mut args = vec!["log", "--attempts", "--output-format", "json"];
    args.extend(more);
    let out = s.inspan(&args).code(0).stdout;
    out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn what_attempts_left_is_listed_and_kept_however_they_ended() {
    let blocked = serde_json::json!({ "status": "blocked", "summary": "It cannot be done.", "hand_off": "", "follow_ups": [] });
    let look = |_| call("read_file", serde_json::json!({ "path": "README", "start_line": null, "end_line": null }));
    let script = Script::new().worker("blocked", 1, [write("blocked.txt", "b\n"), call("finish", blocked)]).worker(
        "exhausted",
        1,
        [write("exhausted.txt", "e\n")].into_iter().chain((0..5).map(look)).chain([finish("Done.")]),
    );
    let server = ModelServer::start(script);
    let s = Scenario::new("## README\nhello\n").model(&server).config("[run]\nattempts = 1\nreplans = 0");
    s.run_plan(
        "done | write done.txt | run echo d > done.txt
         failed | write failed.txt | run echo f > failed.txt; exit 3
         astray | write astray.txt | run echo a > astray.txt; echo o > outside.txt
         blocked | write blocked.txt
         exhausted | write exhausted.txt | turns 2",
        &[],
    )
    .code(3);
    let rows = attempts(&s, &[]);
    assert_eq!(rows.len(), 5, "{rows:?}");
    for row in &rows {
        let (task, ended) = (row["task"].as_str().expect("a name"), row["ended"].as_str().expect("a word"));
        let expected = if task == "astray" { "failed" } else { task };
        assert!(ended == expected || (task == "astray" && ended == "scope_violation"), "{row}");
        let (name, commit) = (row["ref"].as_str().expect("it is there"), row["commit"].as_str().expect("it left something"));
        assert_eq!(s.repository().git(&["rev-parse", name]), commit, "{row}");
        assert!(row["added"].as_u64().is_some_and(|added| added >= 1), "{row}");
        s.inspan(&["diff", "--task", task, "--attempt", "1"]).code(0).prints(&format!("{task}.txt"));
    }
    assert_eq!(attempts(&s, &[&s.run_id(), "failed"]).len(), 1);
    let text = s.inspan(&["log", "--attempts"]).code(0).prints("landed as").prints("1 file (+1 -0)").stdout;
    let retry = format!("inspan retry {}", s.run_id());
    assert!(text.contains(&format!("{retry} failed --from 1")) && !text.contains(&format!("{retry} done")), "{text}");
}

#[test]
fn the_change_of_an_attempt_is_told_after_its_ref_was_deleted() {
    let s = Scenario::new("## README\nhello\n").config("[run]\nattempts = 1");
    s.run_plan("a | write a.txt | run echo a > a.txt; exit 3", &[]).code(3);
    let name = format!("refs/inspan/{}/a/1", s.run_id());
    s.repository().git(&["update-ref", "-d", &name]);
    s.inspan(&["diff", "--task", "a", "--attempt", "1"]).code(0).prints("+a");
    s.inspan(&["log", "--attempts"]).code(0).prints("is not there any more");
}
