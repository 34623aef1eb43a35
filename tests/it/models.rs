//! Which model does what, through the binary: by role, by task, after a failure, after a conflict.

use expect_test::expect;
use tests::{
    Scenario,
    model::{ModelServer, Script, command, finish, write},
};

const REPO: &str = "## README\nhello\n";

/// The file is to have one line, so that both texts, one after the other, are not what the tasks mean.
const ONE_LINE: &str = "a | shared list.dat | write a/** | deliver list.dat | verify test $(wc -l < list.dat) = 1
                        b | shared list.dat | write b/** | deliver list.dat | verify test $(wc -l < list.dat) = 1";

/// The models that an attempt asked, each once.
fn asked(server: &ModelServer, task: &str, attempt: u32) -> Vec<String> {
    let mut models: Vec<String> =
        server.asked_by(task, attempt).iter().filter_map(|asked| asked.body["model"].as_str().map(str::to_owned)).collect();
    models.dedup();
    models
}

/// Like `model`, but so that roles can be configured.
fn roles(server: &ModelServer, roles: &str) -> Scenario {
    Scenario::new(REPO)
        .model(server)
        .env("INSPAN_MODEL", "")
        .config(&format!("[models]\nworker = \"scripted-http/usual\"\n{roles}"))
}

#[test]
fn a_stronger_model_comes_in_after_a_failure_and_goes_with_it() {
    let script = Script::new()
        .worker("a", 1, [write("a.txt", "wrong\n"), finish("Wrote a.")])
        .worker("a", 2, [write("a.txt", "right\n"), finish("Wrote a.")])
        .worker("b", 1, [write("b.txt", "b\n"), finish("Wrote b.")]);
    let server = ModelServer::start(script);
    let s = roles(&server, "escalation = \"scripted-http/strong\"");
    let plan = "gate | true\n a | write a.txt | verify grep right a.txt | turns 3\n b | after a | write b.txt";
    let out = s.run_plan(plan, &[]).code(0);
    assert!(out.stderr.contains("after a failed attempt: scripted-http/strong"), "{}", out.all());
    let models = [asked(&server, "a", 1), asked(&server, "a", 2), asked(&server, "b", 1)];
    assert_eq!(models, [["usual"], ["strong"], ["usual"]]);
}

#[test]
fn a_conflict_is_resolved_by_the_resolver_in_the_same_conversation() {
    let both = || [command("echo 'from a, from b' > list.dat"), finish("Kept both.")];
    let script = Script::new()
        .worker("a", 1, [write("list.dat", "from a\n"), finish("Wrote a.")])
        .worker("b", 1, [write("list.dat", "from b\n"), finish("Wrote b.")])
        .worker("a", 2, both())
        .worker("b", 2, both());
    let server = ModelServer::start(script);
    let s = roles(&server, "resolver = \"scripted-http/mender\"\nescalation = \"scripted-http/strong\"");
    s.run_plan(ONE_LINE, &[]).code(0);
    let late = if server.asked_by("a", 2).is_empty() { "b" } else { "a" };
    assert_eq!([asked(&server, late, 1), asked(&server, late, 2)], [["usual"], ["mender"]]);
    let (before, after) = (server.asked_by(late, 1), server.asked_by(late, 2));
    let known = before.last().expect("it was asked").messages().len();
    assert_eq!(&after[0].messages()[..known], before.last().expect("it was asked").messages(), "it goes on where it was");
}

#[test]
fn a_task_has_the_model_that_the_plan_names_and_the_review_shows_it() {
    let script = Script::new().worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")]).worker(
        "b",
        1,
        [write("b.txt", "b\n"), finish("Wrote b.")],
    );
    let server = ModelServer::start(script);
    let s = roles(&server, "");
    let plan = "gate | true\n a | write a.txt | model scripted-http/own\n b | write b.txt | model scripted-http/usual";
    let out = s.run_plan(plan, &[]).code(0);
    assert!(out.stderr.contains("expected with scripted-http/own, scripted-http/usual: "), "{}", out.all());
    assert_eq!([asked(&server, "a", 1), asked(&server, "b", 1)], [["own"], ["usual"]]);
}

#[test]
fn a_model_that_cannot_be_used_is_refused_before_anything_begins() {
    let server = ModelServer::start(Script::new());
    let s = roles(&server, "");
    let plan = "gate | true\n a | write a.txt | model opnai/x\n b | write b.txt | model openai/x\n c | write c.txt | model scripted-http/m | run true";
    let out = s.run_plan(plan, &[]).code(4);
    let errors: Vec<_> = out.stderr.lines().filter(|line| line.contains("error[")).map(str::trim).collect();
    let errors = errors.join("\n") + "\n";
    expect![[r#"
        error[unknown-model] line 14: `a` names the model `opnai/x`: there is no provider `opnai` (did you mean `openai`?); known are anthropic, deepseek, llamacpp, ollama, openai, openai-chat, openrouter, replay, scripted, scripted-http, vllm; add it as [providers.opnai], or set INSPAN_BASE_URL for a server of your own
        error[unknown-model] line 21: `b` names the model `openai/x`: openai/x wants a key: set OPENAI_API_KEY (or INSPAN_API_KEY for this run)
        error[model-of-command] line 29: `c` is done by a command, which uses no model; take `model` out
    "#]].assert_eq(&errors);
    s.run_plan("gate | true\n a | write a.txt | model scripted-http/own", &["--max-cost", "1"]).code(2).says("price");
    assert!(s.runs().is_empty() && server.asked().is_empty());
}

#[test]
fn a_resumed_run_goes_on_with_the_models_that_are_configured_now() {
    let script = Script::new().worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")]);
    let server = ModelServer::start(script);
    let s = roles(&server, "");
    server.fail_at("a", 1, 1, tests::model::Fault::Status(402));
    s.run_plan("gate | true\n a | write a.txt", &[]).code(1);
    server.heal();
    s.env("INSPAN_MODEL", "scripted-http/other").inspan(&["resume", "--yes"]).code(0);
    let mut models: Vec<String> = asked(&server, "a", 1);
    models.dedup();
    assert_eq!(models, ["usual", "other"]);
}

#[test]
fn a_stand_in_answers_where_the_model_does_not_and_the_review_names_it() {
    let script = || Script::new().worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")]);
    let (server, spare) = (ModelServer::start(script()), ModelServer::start(script()));
    let provider = format!("[providers.spare]\nbase_url = \"{}\"\napi_key_env = \"ENDPOINT_KEY\"\nretries = 0", spare.url());
    let s = roles(&server, &format!("fallback.worker = [\"spare/other\"]\n{provider}"));
    server.fail(tests::model::Fault::Status(503));
    let out = s.run_plan("gate | true\n a | write a.txt", &[]).code(0);
    let told = "where scripted-http/usual does not answer the worker: spare/other";
    assert!(out.stderr.contains(told), "{}", out.all());
    out.says("another model answered instead of scripted-http/usual: the model endpoint is overloaded or broken (503)");
    assert_eq!((asked(&server, "a", 1), asked(&spare, "a", 1)), (vec!["usual".to_owned()], vec!["other".to_owned()]));
    assert_eq!(server.asked().len(), 1, "who has failed is left alone for a while");
}
