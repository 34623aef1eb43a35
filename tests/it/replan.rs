//! What went wrong goes to the planner as evidence, and its edits lead to a whole result.

mod classes;
mod runners;

use ::plans::event::Event;
use expect_test::expect;
use serde_json::{Value, json};
use tests::{
    Scenario, branch,
    model::{ModelServer, Script, Turn, call, command, edits, finish, plan, say, write},
    plan_json,
};

/// As soon as anything has changed, the gate wants `limit` to say 2; task `a` alone does not know that.
const REPO: &str = "## limit
1
## gate.sh
grep -q 1 limit && test ! -e a.txt && exit 0
grep -q 2 limit || { echo 'the limit is' $(cat limit); exit 7; }
## want
1
";

/// The plan is drafted, `a` lands nothing good by itself, and the planner answers with these edits.
struct Story {
    plan: &'static str,
    a: Vec<Turn>,
    edits: Value,
}

fn one_task(text: &str) -> Value {
    plan_json(text)["tasks"][0].clone()
}

fn tell(story: Story, more: impl FnOnce(Script) -> Script) -> (Scenario, ModelServer) {
    let script = Script::new().planner(1, [plan(story.plan)]).planner(2, [edits(&story.edits)]).worker("a", 1, story.a);
    let server = ModelServer::start(more(script));
    let s = Scenario::new(REPO).model(&server);
    s.inspan(&["run", "Raise the limit", "--yes"]).code(0);
    assert_eq!(s.history().count(|event| matches!(event, Event::PlanRevised { .. })), 1, "{}", s.history().outline());
    branch::assert_always_green(&s);
    (s, server)
}

fn red_first() -> Vec<Turn> {
    vec![command("echo 3 > limit"), finish("Raised the limit.")]
}

const PLAN: &str = "gate | sh gate.sh\n a | write limit";

#[test]
fn a_red_gate_is_told_to_the_planner_with_command_exit_code_output_and_whose_fault_it_is() {
    let story = Story {
        plan: PLAN,
        a: red_first(),
        edits: json!([{ "edit": "rewrite", "task": "a", "instructions": "Set it to 2.", "because": "the gate wants 2" }]),
    };
    let (s, server) = tell(story, |script| script.worker("a", 2, [command("echo 2 > limit"), finish("Set it to 2.")]));
    let asked = server.asked_by_planner(2);
    let told = asked[0].last();
    for wanted in ["sh gate.sh", "exit 7", "the limit is 3", "`a` is in trouble", "Raise the limit"] {
        assert!(told.contains(wanted), "`{wanted}` is missing in:\n{told}");
    }
    let tools: Vec<_> =
        asked[0].body["tools"].as_array().expect("tools").iter().map(|tool| tool["function"]["name"].clone()).collect();
    assert_eq!(tools, ["list_files", "search", "read_file", "edit_plan"]);
    expect![[r#"
        run_started
        plan_proposed
        plan_approved
        base_proved
        attempt_started a #1
        attempt_ended a #1 done
        landing_started a #1
        landing_refused a #1
        replan_started
        plan_revised
        attempt_started a #2
        attempt_ended a #2 done
        landing_started a #2
        gate_passed a #2
        task_landed a #2
        run_ended complete
    "#]]
    .assert_eq(&s.history().outline());
}

#[test]
fn a_task_that_was_added_lands_before_the_one_that_is_tried_again() {
    let story = Story {
        plan: "gate | sh gate.sh\n a | write a.txt",
        a: vec![write("a.txt", "a\n"), finish("Wrote a.")],
        edits: json!([
            { "edit": "add", "new": one_task("first | write limit | deliver limit"), "because": "the limit was red before" },
            { "edit": "order", "before": "first", "after": "a", "because": "the gate needs it" },
            { "edit": "retry", "task": "a", "because": "it was not at fault" }]),
    };
    let (s, _server) = tell(story, |script| script.worker("first", 1, [command("echo 2 > limit"), finish("Set it.")]));
    assert_eq!(branch::subjects(&s), "Do first\nDo a");
}

#[test]
fn a_task_that_was_widened_may_write_what_it_needs() {
    let story = Story {
        plan: "gate | sh gate.sh\n a | write a.txt",
        a: vec![write("a.txt", "a\n"), finish("Wrote a.")],
        edits: json!([{ "edit": "widen", "task": "a", "write": ["limit"], "because": "it has to set the limit" },
                      { "edit": "retry", "task": "a", "because": "with the wider scope" }]),
    };
    tell(story, |script| script.worker("a", 2, [write("a.txt", "a\n").and(command("echo 2 > limit")), finish("Wrote both.")]));
}

#[test]
fn a_task_that_was_dropped_is_not_missed() {
    let story = Story {
        plan: "gate | sh gate.sh\n a | write a.txt\n b | write limit",
        a: vec![call(
            "finish",
            json!({ "status": "blocked", "summary": "There is no such thing.", "hand_off": "", "follow_ups": [] }),
        )],
        edits: json!([{ "edit": "drop", "task": "a", "because": "it cannot be done" }]),
    };
    let (s, server) = tell(story, |script| script.worker("b", 1, [command("echo 2 > limit"), finish("Set it.")]));
    assert!(server.asked_by_planner(2)[0].last().contains("There is no such thing."), "a blocked worker is heard");
    assert_eq!(branch::subjects(&s), "Do b");
}

#[test]
fn a_task_that_used_up_its_turns_goes_to_the_planner_and_is_retried_with_more() {
    let story = Story {
        plan: "gate | sh gate.sh\n a | write limit | turns 2",
        a: vec![say("Let me think."), say("Let me think on."), command("echo 2 > limit"), finish("Set it.")],
        edits: json!([{ "edit": "rewrite", "task": "a", "limits": { "turns": 9 }, "because": "it ran out of turns" }]),
    };
    let (_s, server) = tell(story, |script| script.worker("a", 3, [command("echo 2 > limit"), finish("Set it.")]));
    let asked = server.asked_by_planner(2);
    assert!(asked[0].last().contains("turns"), "{}", asked[0].last());
}

#[test]
fn replans_are_bounded_and_then_the_run_ends_incomplete_with_its_evidence() {
    let script = Script::new()
        .planner(1, [plan(PLAN)])
        .planner(2, [edits(&json!([{ "edit": "retry", "task": "a", "because": "once more" }]))])
        .planner(3, [edits(&json!([{ "edit": "rewrite", "task": "a", "instructions": "Otherwise.", "because": "again" }]))])
        .worker("a", 1, red_first());
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server).config("[run]\nreplans = 2");
    let out = s.inspan(&["run", "Raise the limit", "--yes"]).code(3).says("incomplete");
    assert!(out.stderr.contains("inspan resume"), "{}", out.all());
    assert_eq!(s.history().count(|event| matches!(event, Event::ReplanStarted { .. })), 2);
    assert_eq!(branch::commits(&s).len(), 0, "the run branch is never red");
    let started = s.history().count(|event| matches!(event, Event::AttemptStarted { .. }));
    assert_eq!(s.attempts().len(), started, "every attempt is kept");
}

#[test]
fn refused_edits_go_back_with_all_problems() {
    let wrong = edits(
        &json!([{ "edit": "retry", "task": "nobody", "because": "x" }, { "edit": "drop", "task": "nothing", "because": "y" }]),
    );
    let right = edits(&json!([{ "edit": "retry", "task": "a", "because": "it was not ready" }]));
    let script = Script::new().planner(1, [plan(PLAN)]).planner(2, [wrong, right]).worker("a", 1, red_first()).worker(
        "a",
        2,
        [command("echo 2 > limit"), finish("Set it.")],
    );
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server);
    s.inspan(&["run", "Raise the limit", "--yes"]).code(0);
    let asked = server.asked_by_planner(2);
    let told = asked[1].last();
    assert!(told.contains("nobody") && told.contains("nothing"), "{told}");
}

#[test]
fn a_replan_that_waits_for_a_review_without_a_terminal_comes_to_nothing() {
    let script = Script::new()
        .planner(1, [edits(&json!([{ "edit": "retry", "task": "a", "because": "once more" }]))])
        .planner(2, [edits(&json!([{ "edit": "rewrite", "task": "a", "instructions": "Otherwise.", "because": "again" }]))])
        .worker("a", 1, red_first());
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server).config("[run]\nreplans = 2");
    let path = s.plan(PLAN);
    let out = s.inspan(&["run", "--plan", &path, "--review", "always"]).code(4).says("inspan review");
    assert!(out.stderr.contains("--yes"), "{}", out.all());
    // Approved by policy once, it goes on; the re-plan then finds nobody who reviews it.
    let out = s.inspan(&["resume", "--yes"]);
    assert_eq!(out.code, 3, "{}", out.all());
}
