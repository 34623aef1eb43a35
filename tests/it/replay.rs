//! A run that is answered from another run's transcripts: the same work without a model, and a name for the first difference.

use tests::{
    Scenario,
    model::{ModelServer, Script, call, command, finish, hand_off, plan, write},
};

const REPO: &str = "## README\nhello\n";
const PLAN: &str = "gate | true\n a | write a.txt\n b | after a | write b.txt";

fn script() -> Script {
    let read = |path: &str| call("read_file", serde_json::json!({ "path": path, "start_line": null, "end_line": null }));
    Script::new()
        .planner(1, [plan(PLAN)])
        .worker("a", 1, [read("README"), write("a.txt", "a\n"), command("cat a.txt"), hand_off("Wrote a.", "It says a.")])
        .worker("b", 1, [read("a.txt").and(read("README")), write("b.txt", "b\n"), finish("Wrote b.")])
}

/// The one that is not the recorded one.
fn result_of_the_other(s: &Scenario, recorded: &str) -> String {
    let other = s.runs().into_iter().find(|run| run != recorded).expect("there is a second run");
    s.repository().files_at(&format!("refs/heads/inspan/{other}"))
}

/// Records a run, and replays it once nobody listens any more.
#[track_caller]
fn check(begin: &[&str], again: &[&str]) {
    let mut server = ModelServer::start(script());
    let s = Scenario::new(REPO).model(&server);
    s.inspan(&[&["run", "--yes"], begin].concat()).code(0);
    let (recorded, result) = (s.run_id(), s.result());
    server.go_away();
    s.inspan(&[&["run", "--yes", "--replay", &recorded], again].concat()).code(0);
    assert_eq!(result_of_the_other(&s, &recorded), result);
}

#[test]
fn a_run_with_a_planner_is_replayed_without_a_model_to_the_same_tree() {
    check(&["Write two files"], &[]);
    check(&["Write two files"], &["Write two files"]);
}

#[test]
fn a_run_of_a_plan_file_is_replayed_with_the_plan_it_was_given() {
    let mut server = ModelServer::start(script());
    let s = Scenario::new(REPO).model(&server);
    s.run_plan(PLAN, &[]).code(0);
    let (recorded, result) = (s.run_id(), s.result());
    server.go_away();
    std::fs::remove_file(s.root().join("plan.toml")).expect("it was written");
    s.inspan(&["run", "--yes", "--replay", &recorded[..4]]).code(0);
    assert_eq!(result_of_the_other(&s, &recorded), result);
}

#[test]
fn what_is_not_as_it_was_is_named_where_it_first_shows() {
    let server = ModelServer::start(script());
    let s = Scenario::new(REPO).model(&server);
    s.run_plan(PLAN, &[]).code(0);
    let recorded = s.run_id();
    s.repository().write_all("## README\nhelp\n").commit("Change a word");
    let out = s.inspan(&["run", "--yes", "--replay", &recorded]).code(1);
    out.clone().says("the replay cannot go on with task a, attempt 1, turn 2: message 4 differs from character ");
    out.says("hello").prints("");
    s.inspan(&["run", "Something else", "--yes", "--replay", &recorded]).code(1).says("the recorded run has no such attempt");
    s.inspan(&["run", "--yes", "--replay", "nonesuch"]).code(2).says("nonesuch");
}
