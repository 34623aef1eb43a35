//! How a plan comes about: drafted, refused, reviewed, revised, or brought along in a file.

use ::plans::event::{Author, Event};
use expect_test::expect;
use tests::{
    Scenario,
    model::{ModelServer, Script, call, finish, plan, write},
};

const REPO: &str = "## README\nhello\n";
const GOOD: &str = "gate | true\n a | write a.txt | deliver a.txt";
const BAD: &str = "gate | true\n a | after nobody | write a.txt\n b | write a.txt\n c | write ../c";

fn good_worker(script: Script) -> Script {
    script.worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")])
}

#[test]
fn a_plan_is_drafted_linted_shown_and_written_and_can_be_run_from_its_file() {
    let server = ModelServer::start(good_worker(Script::new().planner(1, [plan(GOOD)])));
    let s = Scenario::new(REPO).model(&server);
    let file = s.root().join("drafted.toml");
    let path = file.to_str().expect("the path is text");
    let out = s.inspan(&["plan", "Write a", "-o", path]).code(0);
    expect![[r#"
        exit 0
        Run RUN starts from main at COMMIT. Your checkout is not touched.
        Sandbox: TIER.
           TIME  plan 1 by the planner: 1 task
        Goal

          Write a

        Tasks

          task  depends on  may write  proof        worker  est. cost
          ────  ──────────  ─────────  ───────────  ──────  ─────────────
          a                 a.txt      makes a.txt  agent   299.0k tokens
          Do a

          gate    $ true (at most 20m)
          1 task, 1 in the longest chain, estimated 299.0k tokens

        Rights

          a     writes a.txt; network loopback

        Order

          a

        Limits

          up to 4 workers at once, 2 attempts at a task, 3 re-plans
          each attempt, where its task says nothing else: 80 turns, 30 minutes
          the whole run: no limit
          nothing begins with less than 512 MiB free on a disk
          expected with scripted-http/test-model: about 299.0k tokens; its price is not known


        Wrote ROOT/drafted.toml. Carry it out with `inspan run --plan ROOT/drafted.toml`.
        Or approve it as it is with `inspan review RUN`.
    "#]]
    .assert_eq(&out.shown());
    expect![[r#"
        version = 1
        goal = "Write a"

        # Run on the merged tree; the run branch moves only when all of it passes.
        [gate]
        commands = ["true"]
        timeout = "20m"

        [[task]]
        id = "a"
        title = "Do a"
        instructions = "Do all of a."
        write = ["a.txt"]
        deliver = ["a.txt"]
    "#]]
    .assert_eq(&std::fs::read_to_string(&file).expect("it was written"));
    s.inspan(&["run", "--plan", path, "--yes"]).code(0);
}

#[test]
fn a_refused_plan_goes_back_with_all_its_problems() {
    let server = ModelServer::start(good_worker(Script::new().planner(1, [plan(BAD), plan(GOOD)])));
    let s = Scenario::new(REPO).model(&server);
    s.inspan(&["run", "Write a", "--yes"]).code(0);
    let asked = server.asked_by_planner(1);
    expect![[r#"
        The plan is refused. Mend all of these, then submit the whole again:
        - error[bad-glob] tasks[2].write[0]: `../c` leads out of the repository
        - error[unknown-dependency] tasks[0].depends_on[0]: `a` depends on `nobody`, which is not in the plan; add that task, or take it out of `depends_on`
        - error[overlap] tasks[1].write[0]: `a` owns `a.txt` and `b` owns `a.txt`, and neither waits for the other; order them with `depends_on`, narrow one, or move the file to `shared` in both"#]].assert_eq(asked[1].last());
}

#[test]
fn a_plan_that_is_refused_to_the_end_is_exit_4_and_says_what_was_wrong() {
    let server = ModelServer::start(Script::new().planner(1, [plan(BAD), plan(BAD), plan(BAD), plan(BAD), plan(GOOD)]));
    let s = Scenario::new(REPO).model(&server);
    let out = s.inspan(&["run", "Write a", "--yes"]).code(4).says("nobody");
    assert!(out.stderr.contains("hint:"), "{}", out.all());
    assert_eq!(server.asked().len(), 4, "one answer and at most three more");
}

#[test]
fn a_task_alone_needs_no_planner() {
    let server = ModelServer::start(Script::new().worker("solo", 1, [write("a.txt", "a\n"), finish("Wrote a.")]));
    let s = Scenario::new(REPO).model(&server).config("[gate]\ncommands = [\"test -f README\"]");
    s.inspan(&["run", "Write a", "--solo", "--yes"]).code(0);
    assert!(server.asked().iter().all(|asked| asked.role == "worker"));
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[test]
fn a_task_alone_without_any_gate_is_refused_and_says_how_to_go_without() {
    let server = ModelServer::start(Script::new());
    let s = Scenario::new(REPO).model(&server);
    let out = s.inspan(&["run", "Write a", "--solo", "--yes"]).code(4);
    expect![[r#"
        exit 4
        error: the goal as one task has 2 problems:
          error[no-gate] gate: the plan has no gate, so nothing would tell green from red; name the commands that test the whole repository
          warning[unproved] task solo, verify: nothing proves `solo`; give it a command in `verify`, or a file in `deliver`
         hint: set `[gate] commands` in inspan.toml or in the plan, or say `--no-gate` to go without; nothing was started
    "#]].assert_eq(&out.shown());
    assert!(s.runs().is_empty(), "nothing has begun");
}

#[test]
fn command_workers_alone_need_no_model() {
    let s = Scenario::new(REPO);
    s.run_plan("a | write a.txt | run cat \"$INSPAN_BRIEF\" > a.txt", &[]).code(0);
    assert!(s.result().contains("Do all of a."), "{}", s.result());
}

#[test]
fn what_a_task_hands_off_reaches_the_tasks_that_depend_on_it() {
    let server = ModelServer::start(Script::new().worker("b", 1, [write("b.txt", "b\n"), finish("Wrote b.")]));
    let s = Scenario::new(REPO).model(&server);
    s.run_plan("a | write a.txt | run echo a > a.txt; echo 'the secret word is plugh' > \"$INSPAN_HAND_OFF\"\n b | after a | write b.txt", &[])
        .code(0);
    let asked = server.asked_by("b", 1);
    let opening: String = asked[0].messages().iter().filter_map(|message| message["content"].as_str()).collect();
    assert!(opening.contains("plugh"), "{opening}");
}

fn reviewed(script: Script) -> (Scenario, ModelServer) {
    let server = ModelServer::start(good_worker(script));
    let s = Scenario::new(REPO).model(&server).env("TERM", "dumb");
    (s, server)
}

const QUESTION: &str = "Approve this plan?";

fn authors(s: &Scenario) -> Vec<Author> {
    let author = |event: &Event| match event {
        Event::PlanProposed { author, .. } => Some(*author),
        _ => None,
    };
    s.history().events().filter_map(author).collect()
}

#[test]
fn a_person_approves_in_a_terminal() {
    let (s, _server) = reviewed(Script::new().planner(1, [plan(GOOD)]));
    let mut terminal = s.terminal(&["run", "Write a"]);
    terminal.wait_for(QUESTION, 1).type_line("what?").wait_for(QUESTION, 2).type_line("a");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_person_rejects_and_nothing_was_changed() {
    let (s, _server) = reviewed(Script::new().planner(1, [plan(GOOD)]));
    let before = s.fingerprint();
    let mut terminal = s.terminal(&["run", "Write a"]);
    terminal.wait_for(QUESTION, 1).type_line("r");
    assert_eq!(terminal.end(), 4);
    before.assert_is(&s.fingerprint());
    s.inspan(&["resume"]).code(1).says("was rejected");
}

#[test]
fn a_comment_makes_the_planner_revise_and_the_difference_is_shown() {
    let revised = "gate | true\n a | write a.txt | deliver a.txt\n b | after a | write b.txt | run touch b.txt";
    let (s, server) = reviewed(Script::new().planner(1, [plan(GOOD)]).planner(2, [plan(revised)]));
    let mut terminal = s.terminal(&["run", "Write a"]);
    terminal.wait_for(QUESTION, 1).type_line("c and b as well").wait_for(QUESTION, 2);
    assert!(terminal.shown().contains("+ task b"), "{}", terminal.shown());
    terminal.type_line("a");
    assert_eq!(terminal.end(), 0);
    assert!(server.asked_by_planner(2)[0].last().contains("and b as well"));
    assert_eq!(authors(&s), [Author::Planner, Author::Planner]);
}

#[test]
fn a_person_edits_the_plan_and_hears_of_every_mistake() {
    let (s, _server) = reviewed(Script::new().planner(1, [plan(GOOD)]));
    let script = "#!/bin/sh\nif test -e \"$0.once\"; then sed -i 's/nobody//' \"$1\"; else touch \"$0.once\"; \
                  sed -i 's/^title = .*/title = \"Edited by hand\"\\ndepends_on = [\"nobody\"]/; s/^depends_on = \\[\\]$//' \"$1\"; fi\n";
    let editor = s.root().join("editor.sh");
    std::fs::write(&editor, script).expect("a file");
    let s = s.env("EDITOR", format!("sh '{}'", editor.display()));
    let mut terminal = s.terminal(&["run", "Write a"]);
    terminal.wait_for(QUESTION, 1).type_line("e").wait_for("Edit again?", 1);
    assert!(terminal.shown().contains("nobody"), "{}", terminal.shown());
    std::fs::write(&editor, "#!/bin/sh\nsed -i '/nobody/d' \"$1\"\n").expect("a file");
    terminal.type_line("y").wait_for(QUESTION, 2).type_line("a");
    assert_eq!(terminal.end(), 0);
    assert_eq!(authors(&s), [Author::Planner, Author::Person]);
    assert!(s.repository().git(&["log", "-1", "--format=%s", &format!("inspan/{}", s.run_id())]).contains("Edited by hand"));
}

#[test]
fn a_planner_that_only_talks_is_reminded_and_then_given_up() {
    let server =
        ModelServer::start(Script::new().planner(1, (0..40).map(|_| tests::model::say("I would first like to understand."))));
    let s = Scenario::new(REPO).model(&server);
    let out = s.inspan(&["run", "Write a", "--yes"]).code(4);
    assert!(server.asked().len() < 20, "{} requests: {}", server.asked().len(), out.all());
}

#[test]
fn the_planner_looks_at_the_repository_and_can_change_nothing() {
    let look = call("read_file", serde_json::json!({ "path": "README", "start_line": null, "end_line": null }));
    let server = ModelServer::start(good_worker(Script::new().planner(1, [look, write("README", "mine"), plan(GOOD)])));
    let s = Scenario::new(REPO).model(&server);
    s.inspan(&["run", "Write a", "--yes"]).code(0);
    let asked = server.asked_by_planner(1);
    assert!(asked[1].last().contains("hello"), "{}", asked[1].last());
    assert!(asked[2].last().contains("write_file"), "{}", asked[2].last());
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}
