//! A run that is answered from another run's transcripts: the same work without a model, and a name for the first difference.

use std::fmt::Write as _;

use tests::{
    Scenario,
    model::{ModelServer, Script, Turn, call, command, finish, hand_off, plan, say, write},
};

const REPO: &str = "## README\nhello\n";
const PLAN: &str = "gate | true\n a | write a.txt\n b | after a | write b.txt";

fn look(path: &str, line: Option<usize>) -> Turn {
    call("read_file", serde_json::json!({ "path": path, "start_line": line, "end_line": line.map(|line| line + 60) }))
}

fn script() -> Script {
    let read = |path: &str| look(path, None);
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

/// Says and reads much, so that whole turns have to go; then does what it is there for.
fn wordy(last: impl IntoIterator<Item = Turn>) -> Vec<Turn> {
    let words = "what is said takes room as well ".repeat(60);
    (1..=20).map(|line| say(&words).and(look("long.txt", Some(line)))).chain(last).collect()
}

/// Two models with windows of different length, money that is limited, and others who would come in; what is asked outgrows the windows.
#[track_caller]
fn check_long_conversations(more: &[(&str, &str)]) {
    const PLAN: &str = "gate | true\n a | write a.txt\n b | write b.txt | model scripted-http/wider";
    const CONFIG: &str = "context_window = 12_000\nmax_output = 3_000\nprice = { hit = 0.1, miss = 1, output = 10 }\n\
                          [providers.scripted-http.models.wider]\ncontext_window = 16_000\n[run]\nmax_cost_usd = 9";
    let long = (0..200).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "line {line} of what everybody reads, and it is none of the shortest lines either");
        text
    });
    let does = |name: &str| wordy([write(&format!("{name}.txt"), "done\n"), finish("Wrote it.")]);
    let script = Script::new().planner(1, wordy([plan(PLAN)])).worker("a", 1, does("a")).worker("b", 1, does("b"));
    let mut server = ModelServer::start(script);
    let s = Scenario::new(&format!("{REPO}## long.txt\n{long}")).model(&server).config(CONFIG);
    // A planner may only name a model that some role has.
    let s = s.env("INSPAN_MODEL_RESOLVER", "scripted-http/wider");
    let s = more.iter().fold(s, |s, (name, value)| s.env(name, *value));
    s.inspan(&["run", "Write two files", "--yes"]).code(0);
    let (recorded, result) = (s.run_id(), s.result());
    for whose in [None, Some("a"), Some("b")] {
        let is_summary = |asked: &tests::model::Asked| asked.role == "summariser" && asked.task.as_deref() == whose;
        assert!(server.asked().iter().any(is_summary), "{whose:?} was never summed up");
    }
    server.go_away();
    s.inspan(&["run", "--yes", "--replay", &recorded]).code(0);
    assert_eq!(result_of_the_other(&s, &recorded), result);
}

#[test]
fn conversations_that_outgrew_their_windows_are_made_shorter_again_where_they_were_and_nothing_is_paid() {
    check_long_conversations(&[]);
}

#[test]
fn a_run_with_a_summariser_and_stand_ins_of_its_own_is_replayed_without_any_of_them() {
    check_long_conversations(&[
        ("INSPAN_MODEL_SUMMARISER", "scripted-http/short"),
        ("INSPAN_MODEL_FALLBACK_WORKER", "scripted-http/spare"),
        ("INSPAN_MODEL_ESCALATION", "scripted-http/strong"),
    ]);
}
