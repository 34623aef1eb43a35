//! Model endpoints that are missing, wrong or unwilling: one message that says what to do, and the run is kept.

use expect_test::{Expect, expect};
use tests::{
    Scenario,
    model::{Fault, ModelServer, Script, finish, write},
};

const REPO: &str = "## README\nhello\n";
const PLAN: &str = "gate | true\n a | write a.txt";

fn script() -> Script {
    Script::new().planner(1, [tests::model::plan(PLAN)]).worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")])
}

/// A fault of every request: what is said, and that the run is resumed once it is gone.
#[track_caller]
fn check(fault: Fault, expected: &Expect) {
    let server = ModelServer::start(script());
    server.fail(fault);
    let s = Scenario::new(REPO).model(&server);
    let out = s.run_plan(PLAN, &[]).code(1);
    let last: String =
        out.talk().split_inclusive('\n').filter(|line| line.contains("error:") || line.contains("hint:")).collect();
    expected.assert_eq(&last.replace(&server.url(), "URL"));
    server.heal();
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[test]
fn a_key_that_is_refused_is_named() {
    check(
        Fault::Status(401),
        &expect![[r#"
        error: the model endpoint refuses the key (401): the test wants a 401. Check the key: INSPAN_API_KEY, or the variable that the provider's `api_key_env` names.
         hint: everything is kept; when that is mended, go on with `inspan resume RUN`
    "#]],
    );
}

#[test]
fn an_address_or_model_that_is_not_there_is_named() {
    check(
        Fault::Status(404),
        &expect![[r#"
        error: the model endpoint refuses the request (404): the test wants a 404. Check the model's name (INSPAN_MODEL), and that the address goes up to and including `/v1`.
         hint: everything is kept; when that is mended, go on with `inspan resume RUN`
    "#]],
    );
}

#[test]
fn an_endpoint_that_is_overloaded_is_named() {
    check(
        Fault::Status(503),
        &expect![[r#"
        error: the model endpoint is overloaded or broken (503): the test wants a 503. Resume the run later; if it stays so, look at the server's own log or choose another model.
         hint: everything is kept; when that is mended, go on with `inspan resume RUN`
    "#]],
    );
}

#[test]
fn a_stream_that_breaks_off_is_named() {
    check(
        Fault::Cut,
        &expect![[r#"
            error: the model's answer broke off: error reading a body from connection: unexpected EOF during chunk size line. Resume the run later; if it stays so, look at the server's own log or choose another model.
             hint: everything is kept; when that is mended, go on with `inspan resume RUN`
        "#]],
    );
}

#[test]
fn a_page_that_is_no_answer_is_quoted() {
    check(
        Fault::Garbage,
        &expect![[r#"
        error: the model's answer broke off: the server sent no model's answer but `<html><body>Sign in to the airport's network</body></html>`. Resume the run later; if it stays so, look at the server's own log or choose another model.
         hint: everything is kept; when that is mended, go on with `inspan resume RUN`
    "#]],
    );
}

#[test]
fn an_endpoint_that_is_not_there_is_named_and_the_planners_run_is_kept() {
    let mut server = ModelServer::start(script());
    server.go_away();
    let s = Scenario::new(REPO).model(&server);
    let out = s.inspan(&["run", "Write a", "--yes"]).code(1);
    assert!(out.stderr.contains(&server.url()) && out.stderr.contains("inspan resume"), "{}", out.all());
    server.come_back();
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[test]
fn without_any_model_it_says_how_to_name_one_and_no_run_is_left() {
    let s = Scenario::new(REPO);
    let out = s.inspan(&["run", "Write a", "--yes"]).code(2);
    expect![[r#"
        exit 2
        error: there is no model to plan with
         hint: name one with --model provider/model (a run that goes on wants it again); or set DEEPSEEK_API_KEY; or INSPAN_MODEL (such as ollama/qwen3-coder); or INSPAN_BASE_URL, INSPAN_API_KEY and INSPAN_MODEL for any OpenAI-compatible endpoint; or `model` in inspan.toml
    "#]].assert_eq(&out.shown());
    s.run_plan(PLAN, &[]).code(2).says("there is no model to carry out the plan with");
    assert!(s.runs().is_empty(), "{:?}", s.runs());
}

#[test]
fn variables_alone_lead_to_any_endpoint() {
    let server = ModelServer::start(script());
    let s = Scenario::new(REPO);
    let s = s.env("INSPAN_BASE_URL", server.url()).env("INSPAN_API_KEY", tests::model::KEY).env("INSPAN_MODEL", "some-model");
    s.inspan(&["run", "Write a", "--yes"]).code(0);
    let asked = server.asked();
    assert_eq!(asked[0].body["model"], "some-model");
    assert_eq!(asked[0].run, s.run_id());
}

#[test]
fn a_budget_that_is_reached_is_exit_5_and_what_landed_stays() {
    let server = ModelServer::start(Script::new().worker("b", 1, [write("b.txt", "b\n").tokens(31_000), finish("Wrote b.")]));
    let s = Scenario::new(REPO).model(&server);
    let plan = "a | write a.txt | run echo a > a.txt\n b | after a | write b.txt";
    let out = s.run_plan(plan, &["--max-tokens", "30000"]).code(5).says("budget");
    assert!(out.stderr.contains("inspan resume"), "{}", out.all());
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
    s.inspan(&["status"]).code(0).prints("over_budget");
}
