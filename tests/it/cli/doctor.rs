//! `inspan doctor`: what is there, what the models can do, and what to do about the rest.

use expect_test::{Expect, expect};
use serde_json::json;
use tests::{
    Scenario,
    model::{Fault, ModelServer, Script, Turn, call, say},
};

const REPO: &str = "## README\nhello\n";

/// Both tools at once, as the probe asks for it.
fn both() -> Turn {
    call("first", json!({ "word": "ready" })).and(call("second", json!({ "word": "ready" })))
}

fn server(turn: Turn) -> ModelServer {
    ModelServer::start(Script::new().planner(0, [turn]))
}

/// What is printed of models, without what the machine decides.
#[track_caller]
fn check(s: &Scenario, server: &ModelServer, code: i32, expected: &Expect) {
    let out = s.inspan(&["doctor"]).code(code);
    assert!(!out.all().contains(tests::model::KEY), "{}", out.all());
    let machine = ["git ", "repository ", "config ", "worktrees ", "sandbox "];
    let of_models = |line: &&str| machine.iter().all(|what| !line[6..].starts_with(what));
    let lines = out.stdout.lines().filter(of_models).map(|line| match line.split_once(" answers in ") {
        Some((head, tail)) => format!("{head} answers in {}", tail.split_once(", ").map_or(tail, |(_, rest)| rest)),
        None => line.to_owned(),
    });
    let text: String = lines.map(|line| line + "\n").collect();
    let root = s.root();
    expected.assert_eq(&text.replace(&server.url(), "URL").replace(root.to_str().expect("the path is text"), "ROOT"));
}

#[test]
fn one_request_shows_what_an_endpoint_can_do() {
    let server = server(both().tokens(300));
    let s = Scenario::new(REPO).model(&server);
    check(
        &s,
        &server,
        0,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
            ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
            ok    endpoint     scripted-http/test-model answers in 310 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas yes
        "#]],
    );
    assert_eq!(server.asked().len(), 1, "planner and workers have one model, which is asked once");
    let asked = &server.asked()[0].body;
    assert_eq!((asked["stream"].as_bool(), asked["tools"][0]["function"]["strict"].as_bool()), (Some(true), Some(true)));
}

#[test]
fn every_model_of_every_role_is_asked_once() {
    let server = server(both().tokens(300));
    let s = Scenario::new(REPO).model(&server).config(
        "[models]\nescalation = \"scripted-http/strong\"\nresolver = \"scripted-http/strong\"\n[models.fallback]\nworker = [\"scripted-http/spare\"]",
    );
    // The variable of the scenario would go before the file.
    let s = s.env("INSPAN_MODEL", "");
    let s = s.env("INSPAN_MODEL_WORKER", "scripted-http/w").env("INSPAN_MODEL_PLANNER", "scripted-http/test-model");
    check(
        &s,
        &server,
        0,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
            ok    worker       scripted-http/w at URL, openai-chat (price not known)
            ok    worker       else scripted-http/spare at URL, openai-chat (price not known)
            ok    resolver     scripted-http/strong at URL, openai-chat (price not known)
            ok    escalation   scripted-http/strong at URL, openai-chat (price not known)
            ok    endpoint     scripted-http/test-model answers in 310 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas yes
            ok    endpoint     scripted-http/w answers in 310 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas yes
            ok    endpoint     scripted-http/spare answers in 310 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas yes
            ok    endpoint     scripted-http/strong answers in 310 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas yes
        "#]],
    );
    let mut asked: Vec<String> = server.asked().iter().map(|asked| asked.body["model"].to_string()).collect();
    asked.sort();
    assert_eq!(asked, ["\"spare\"", "\"strong\"", "\"test-model\"", "\"w\""]);
}

#[test]
fn what_an_endpoint_refuses_is_left_out_and_told() {
    let server = server(both().tokens(300));
    server.fail(Fault::Refuses("strict"));
    let s = Scenario::new(REPO).model(&server);
    check(
        &s,
        &server,
        0,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
            ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
            ok    endpoint     scripted-http/test-model answers in 310 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas no
            note  endpoint     scripted-http/test-model: it refuses strict schemas. It said: strict is not supported
        "#]],
    );
    let s = s.config("strict_tools = true");
    check(
        &s,
        &server,
        0,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
            ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
            ok    endpoint     scripted-http/test-model answers in 310 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas no
            note  endpoint     scripted-http/test-model: it refuses strict schemas; set `strict_tools = false` in [providers.scripted-http]. It said: strict is not supported
        "#]],
    );
    let mute = ModelServer::start(Script::new().planner(0, [say("ready").tokens(30)]));
    mute.fail(Fault::Refuses("\"tools\""));
    check(
        &Scenario::new(REPO).model(&mute),
        &mute,
        1,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
            ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
            BAD   endpoint     scripted-http/test-model: it takes no tools, and agents do everything with tools; choose another model for them. It said: "tools" is not supported
                               streaming yes, tools no, parallel calls no, reasoning not seen, cache counters not seen, strict schemas not seen
        "#]],
    );
}

#[test]
fn a_summariser_needs_no_tools() {
    let server = ModelServer::start(Script::new().planner(0, [say("ready").tokens(30)]));
    server.fail(Fault::Refuses("\"tools\""));
    let s = Scenario::new(REPO).model(&server).env("INSPAN_MODEL", "").env("INSPAN_MODEL_SUMMARISER", "scripted-http/short");
    let s = s.env("INSPAN_MODEL_PLANNER", "").env("INSPAN_MODEL_WORKER", "");
    s.inspan(&["doctor"]).code(0).prints("note  model").prints("ok    endpoint     scripted-http/short").prints("tools no");
}

#[test]
fn a_model_that_only_talks_is_told() {
    let server = server(say("Both tools are ready.").tokens(30));
    check(
        &Scenario::new(REPO).model(&server),
        &server,
        0,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
            ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
            ok    endpoint     scripted-http/test-model answers in 40 tokens
                               streaming yes, tools not seen, parallel calls not seen, reasoning not seen, cache counters not seen, strict schemas not seen
            note  endpoint     scripted-http/test-model: asked to call two tools it called none: agents may get nowhere with it
        "#]],
    );
}

#[test]
fn an_endpoint_that_does_not_answer_is_bad_and_what_to_do_is_said() {
    let mut server = server(both());
    let s = Scenario::new(REPO).model(&server);
    for (fault, expected) in [
        (
            Fault::Status(401),
            expect![[r#"
                ok    prices       built in, as of 2026-11-22
                ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
                ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
                BAD   endpoint     scripted-http/test-model: the model endpoint refuses the key (401): the test wants a 401. Check the key: INSPAN_API_KEY, or the variable that the provider's `api_key_env` names.
            "#]],
        ),
        (
            Fault::Status(404),
            expect![[r#"
                ok    prices       built in, as of 2026-11-22
                ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
                ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
                BAD   endpoint     scripted-http/test-model: the model endpoint refuses the request (404): the test wants a 404. Check the model's name (INSPAN_MODEL), and that the address goes up to and including `/v1`.
            "#]],
        ),
        (
            Fault::Status(503),
            expect![[r#"
                ok    prices       built in, as of 2026-11-22
                ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
                ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
                BAD   endpoint     scripted-http/test-model: the model endpoint is overloaded or broken (503): the test wants a 503. Look again in a while; if it stays so, look at the server's own log, or choose another model.
            "#]],
        ),
        (
            Fault::Garbage,
            expect![[r#"
                ok    prices       built in, as of 2026-11-22
                ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
                ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
                BAD   endpoint     scripted-http/test-model: the model's answer broke off: the server sent no model's answer but `<html><body>Sign in to the airport's network</body></html>`. Look again in a while; if it stays so, look at the server's own log, or choose another model.
            "#]],
        ),
    ] {
        server.fail(fault);
        check(&s, &server, 1, &expected);
        server.heal();
    }
    server.go_away();
    s.inspan(&["doctor"]).code(1).prints("cannot be reached").prints("Check that the server runs");
}

#[test]
fn no_model_is_a_note_a_wrong_name_a_missing_key_and_an_unkept_limit_are_not() {
    let nobody = server(both());
    let s = Scenario::new(REPO);
    check(
        &s,
        &nobody,
        0,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            note  model        none is configured: fine for command workers. For agents,
                               set DEEPSEEK_API_KEY,
                               or INSPAN_MODEL=provider/model, such as ollama/qwen3-coder (`model` in inspan.toml),
                               or INSPAN_BASE_URL, INSPAN_MODEL and, where it wants one, INSPAN_API_KEY, for any OpenAI-compatible server
        "#]],
    );
    let s = s.config("model = \"opnai/x\"\n[models]\nescalation = \"openai/x\"");
    check(
        &s,
        &nobody,
        1,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            BAD   planner      ROOT/config.toml:1: `opnai/x` names no model: there is no provider `opnai` (did you mean `openai`?); known are anthropic, deepseek, llamacpp, ollama, openai, openai-chat, openrouter, replay, scripted, vllm; add it as [providers.opnai], or set INSPAN_BASE_URL for a server of your own
            BAD   worker       the same
            BAD   escalation   ROOT/config.toml:3: openai/x wants a key: set OPENAI_API_KEY (or INSPAN_API_KEY for this run)
        "#]],
    );
    let s = Scenario::new(REPO).model(&nobody).env("INSPAN_MAX_COST", "2");
    check(
        &s,
        &nobody,
        1,
        &expect![[r#"
            ok    prices       built in, as of 2026-11-22
            ok    planner      scripted-http/test-model at URL, openai-chat (price not known)
            ok    worker       scripted-http/test-model at URL, openai-chat (price not known)
            BAD   price        run.max_cost_usd is set, but nobody knows the price of scripted-http/test-model; say it as `price` in [providers.scripted-http.models."test-model"], or limit tokens instead
            ok    endpoint     scripted-http/test-model answers in 209 tokens
                               streaming not seen, tools yes, parallel calls yes, reasoning not seen, cache counters not seen, strict schemas yes
        "#]],
    );
    Scenario::new(REPO).env("INSPAN_BASE_URL", nobody.url()).inspan(&["doctor"]).code(1).prints("set INSPAN_MODEL");
}

#[test]
fn models_are_looked_at_outside_of_a_repository_too() {
    let server = server(both());
    let s = Scenario::empty().model(&server);
    let out = s.inspan(&["doctor"]).code(1);
    out.prints("BAD   repository").prints("ok    endpoint");
}
