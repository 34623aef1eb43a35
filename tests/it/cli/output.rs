//! What is printed: data on standard output, talk on standard error, and the views of a run.

use ::plans::event::{Entry, VERSION};
use expect_test::{expect, expect_file};
use tests::{
    Scenario,
    model::{ModelServer, Script, call, finish, say, write},
};

const REPO: &str = "## README\nhello\n";
const DIAMOND: &str = "goal | A diamond
    gate | test -f README
    top | write top.txt | run echo top > top.txt
    left | after top | write left.txt | run echo left > left.txt
    right | after top | write right.txt | run echo right > right.txt
    join | after left right | write join.txt | run cat left.txt right.txt > join.txt";

#[test]
fn json_output_is_the_journal_line_by_line() {
    let s = Scenario::new(REPO);
    let out = s.run_plan(DIAMOND, &["--output-format", "json"]).code(0);
    let entries: Vec<Entry> =
        out.stdout.lines().map(|line| serde_json::from_str(line).expect("every line is an event")).collect();
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!((entry.version, entry.seq), (VERSION, place as u64 + 1));
    }
    assert_eq!(entries, s.history().0);
    let log = s.inspan(&["log", "--output-format", "json"]).code(0);
    assert_eq!(log.stdout, out.stdout, "`log` shows the same lines");
}

#[test]
fn quiet_says_nothing_where_all_is_well_and_errors_still() {
    let s = Scenario::new(REPO);
    let out = s.run_plan("a | write a.txt | run echo a > a.txt", &["--quiet"]).code(0);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("", ""));
    let out = s.inspan(&["--quiet", "apply", "0000"]).code(2);
    assert!(out.stderr.starts_with("error: "), "{}", out.all());
}

#[test]
fn no_colour_is_used_where_none_is_wanted() {
    let s = Scenario::new(REPO).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "0");
    let outs = [s.run_plan(DIAMOND, &[]), s.inspan(&["status"]), s.inspan(&["--help"]), s.inspan(&["log"]), s.inspan(&["diff"])];
    for out in outs {
        assert!(!out.all().contains('\u{1b}'), "{}", out.all());
    }
}

#[test]
fn status_of_a_run_reads_well_and_parses() {
    let s = Scenario::new(REPO);
    s.run_plan(&format!("{DIAMOND}\n lost | write lost.txt | run exit 3\n last | after lost | write last.txt | run true"), &[])
        .code(3);
    expect![[r#"
        run      RUN: incomplete
        goal     A diamond
        base     COMMIT
        branch   inspan/RUN at COMMIT
        spent    0 tokens
        limits   no limit; up to 4 workers at once, 2 attempts at a task, 0 re-plans
        plan     revision 1, 0 re-plans
        tasks    4/6 landed
          top    landed           1 attempt, as COMMIT
          left   landed           1 attempt, as COMMIT
          right  landed           1 attempt, as COMMIT
          join   landed           1 attempt, as COMMIT
          lost   failed           2 attempts, broke: `exit 3` exit 3
          last   dropped          it depends on lost, which ended as failed
        time     TIME at work
    "#]]
    .assert_eq(&s.inspan(&["status"]).code(0).out());
    let json = s.inspan(&["status", "--output-format", "json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!((json["version"].as_u64(), json["status"].as_str()), (Some(1), Some("incomplete")));
    let states: Vec<_> =
        json["tasks"].as_array().expect("tasks").iter().map(|task| task["state"].as_str().unwrap_or_default()).collect();
    assert_eq!(states, ["landed", "landed", "landed", "landed", "failed", "dropped"]);
    s.inspan(&["status", "--all"]).code(0).prints("4/6  A diamond");
}

#[test]
fn the_graph_is_drawn_in_three_languages() {
    let s = Scenario::new(REPO);
    s.run_plan(DIAMOND, &[]).code(0);
    let graphs: String =
        ["text", "mermaid", "dot"].map(|format| s.inspan(&["status", "--graph", format]).code(0).out()).join("\n");
    expect![[r#"
               landed top
             ┌──────┴───────┐
        landed left   landed right
             └───────┬──────┘
                landed join

        graph TD
            t0["top<br/>Do top"]
            t1["left<br/>Do left"]
            t2["right<br/>Do right"]
            t3["join<br/>Do join"]
            t0 --> t1
            t0 --> t2
            t1 --> t3
            t2 --> t3

        digraph plan {
            rankdir = TB;
            node [shape = box];
            "top" [label = "top\nDo top"];
            "left" [label = "left\nDo left"];
            "right" [label = "right\nDo right"];
            "join" [label = "join\nDo join"];
            "top" -> "left";
            "top" -> "right";
            "left" -> "join";
            "right" -> "join";
        }
    "#]]
    .assert_eq(&graphs);
}

/// What is said of a chain of tasks: nothing in it can happen in another order.
fn talk_of_a_chain() -> String {
    let plan = "goal | A chain\n one | write 1.txt | run echo 1 > 1.txt\n two | after one | write 2.txt | run echo 2 > 2.txt";
    let out = Scenario::new(REPO).run_plan(plan, &[]).code(0);
    assert_eq!(out.stdout, "", "talk is no data");
    out.shown()
}

#[test]
fn the_talk_of_a_run_tells_what_happens_and_what_to_do_next() {
    expect_file!["talk_of_a_run.txt"].assert_eq(&talk_of_a_chain());
}

#[test]
fn the_log_of_a_task_shows_its_conversation() {
    let script = Script::new().worker(
        "a",
        1,
        [
            say("I begin."),
            call("list_files", serde_json::json!({ "path": ".", "glob": null, "depth": null })),
            write("a.txt", "a\n"),
            finish("Wrote a."),
        ],
    );
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server);
    s.run_plan("a | write a.txt\n b | write b.txt | run echo b > b.txt", &[]).code(0);
    let out = s.inspan(&["log", &s.run_id(), "a"]).code(0);
    for wanted in ["I begin.", "write_file", "list_files", "Wrote a.", "a #1 starts", "a landed as"] {
        assert!(out.stdout.contains(wanted), "`{wanted}` is missing: {}", out.all());
    }
    assert!(!out.stdout.contains("b #1"), "only what concerns the task: {}", out.all());
}

#[test]
fn diff_shows_the_result_a_task_and_an_attempt() {
    let s = Scenario::new(REPO);
    s.run_plan("a | write a.txt | run echo a > a.txt\n b | write b.txt | run echo b > b.txt; exit 3", &[]).code(3);
    s.inspan(&["diff"]).code(0).prints("+++ b/a.txt");
    let out = s.inspan(&["diff", "--task", "b", "--attempt", "1"]).code(0).prints("+++ b/b.txt");
    assert!(!out.stdout.contains("a.txt"), "{}", out.all());
    s.inspan(&["diff", "--task", "b", "--attempt", "9"]).code(2).says("there is no attempt 9");
}

#[test]
fn without_a_terminal_and_without_yes_the_plan_waits_and_is_exit_4() {
    let s = Scenario::new(REPO);
    let path = s.plan("a | write a.txt | run echo a > a.txt");
    let out = s.inspan(&["run", "--plan", &path]).code(4);
    expect![[r#"
        exit 4
        Run RUN starts from main at COMMIT. Your checkout is not touched.
        Sandbox: TIER.
        Goal

          Make the change

        Tasks

          task  depends on  may write  proof  worker
          ────  ──────────  ─────────  ─────  ────────────────
          a                 a.txt             $ echo a > a.txt
          Do a

          gate    $ true (at most 20m)
          1 task, 1 in the longest chain

        Rights

          a     writes a.txt; network loopback; runs `echo a > a.txt`

        Order

          a

        Limits

          up to 4 workers at once, 2 attempts at a task, 0 re-plans
          each attempt, where its task says nothing else: 80 turns, 30 minutes
          the whole run: no limit
          nothing begins with less than 512 MiB free on a disk

        Warnings

          - warning[unproved] line 9: nothing proves `a`; give it a command in `verify`, or a file in `deliver`
          - warning[unmatched-scope] line 13: no file matches what `a` may write (a.txt), and it delivers none; mend the patterns, or name new files in `deliver`


        error: the plan waits for a review, and there is nobody to give it (no terminal, or its input has ended); the plan is kept as run RUN
         hint: approve it in a terminal with `inspan review RUN`, or start with `--yes` to approve plans unseen
    "#]].assert_eq(&out.shown());
    s.inspan(&["status"]).code(0).prints("waits for review");
    s.inspan(&["review", "--yes"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[test]
fn the_log_says_why_something_failed_and_a_whole_task_name_comes_before_the_beginning_of_a_run() {
    let s = Scenario::new("## a.txt\na\n");
    s.run_plan("fails | write b.txt | run echo oh no >&2; exit 7", &[]).code(3).says("inspan log");
    s.inspan(&["log"]).code(0).prints("oh no");
    s.inspan(&["log", "fails"]).code(0).prints("oh no").prints("exit 7");
    let first = s.run_id().chars().next().expect("a letter").to_string();
    let again = Scenario::new("## a.txt\na\n");
    again.run_plan(&format!("{first} | write b.txt | run echo b > b.txt"), &[]).code(0);
    let out = again.inspan(&["log", &first]).code(0);
    assert!(!out.stdout.contains("plan 1 by"), "only what concerns the task: {}", out.all());
}

#[test]
fn a_plan_that_was_left_at_its_review_is_not_carried_out_by_a_resume() {
    let waiting = Scenario::new("## a.txt\na\n");
    let plan = waiting.plan("a | write b.txt | run echo b > b.txt");
    waiting.inspan(&["run", "--plan", &plan]).code(4);
    waiting.inspan(&["cancel"]).code(0);
    waiting.inspan(&["status"]).code(0).prints("cancelled, waits for review").prints("inspan review");
    waiting.inspan(&["clean", "--yes"]).code(0).prints("waits for the review of its plan");
    waiting.inspan(&["review"]).code(4).says("waits for a review");
    waiting.inspan(&["cancel"]).code(0).says("the plan still waits for its review");
    waiting.inspan(&["resume"]).code(4).says("waits for a review");
    assert_eq!(waiting.result(), "## a.txt\na\n");
    waiting.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(waiting.result(), "## a.txt\na\n## b.txt\nb\n");
}
