//! What a run may spend is kept to, shared out by the plan, and told at its end.

use ::plans::event::{Event, RunStatus};
use expect_test::expect;
use tests::{
    Scenario,
    model::{Fault, ModelServer, Script, Turn, call, finish, write},
};

const REPO: &str = "## README\nhello\n";

/// Writes its file again and again, and says that it is done only when nobody wants to hear it any more.
fn greedy(file: &str, turns: usize) -> Vec<Turn> {
    let writes = (0..turns).map(|number| write(file, &format!("{number}\n")));
    writes.chain([finish("Wrote it often.")]).collect()
}

fn modest(file: &str) -> Vec<Turn> {
    vec![write(file, "once\n"), finish("Wrote it.")]
}

/// What the journal says was taken.
fn journaled(s: &Scenario) -> u64 {
    s.state().spending().tokens.total()
}

#[test]
fn a_limit_of_tokens_is_not_passed_and_everybody_has_a_turn_though_the_first_would_take_all() {
    let script =
        Script::new().worker("a", 1, greedy("a.txt", 60)).worker("b", 1, modest("b.txt")).worker("c", 1, modest("c.txt"));
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server).config("[run]\nreplans = 0");
    let plan = "a | write a.txt\n b | write b.txt\n c | write c.txt";
    let out = s.run_plan(plan, &["--workers", "1", "--max-tokens", "150000"]);
    assert!([3, 5].contains(&out.code), "{}", out.all());
    assert!(server.counted() <= 150_000, "{}", server.counted());
    assert_eq!(journaled(&s), server.counted(), "the ledger and the server count the same");
    assert!(server.asked_by("a", 1).len() > 5, "a had its share: {}", server.asked_by("a", 1).len());
    assert!(s.result().contains("## b.txt\nonce\n## c.txt\nonce\n"), "b and c had theirs: {}\n{}", s.result(), out.all());
}

#[test]
fn who_hears_that_the_budget_ends_can_still_finish() {
    let server = ModelServer::start(Script::new().worker("a", 1, greedy("a.txt", 60)));
    let s = Scenario::new(REPO).model(&server);
    s.run_plan("a | write a.txt", &["--max-tokens", "60000"]);
    let asked = server.asked_by("a", 1);
    let told = asked.iter().position(|asked| asked.last().contains("budget of the whole run is almost used up"));
    let turn = told.unwrap_or_else(|| panic!("it was not told in {} requests", asked.len()));
    assert!(turn > 1 && turn < asked.len(), "{turn} of {}", asked.len());

    let mut turns = greedy("a.txt", 60);
    turns[turn] = finish("Brought it to an end.");
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new(REPO).model(&server);
    s.run_plan("a | write a.txt", &["--max-tokens", "60000"]).code(0);
    assert!(server.counted() <= 60_000);
}

#[test]
fn the_end_of_a_run_says_what_it_took_what_the_cache_saved_and_what_was_mended() {
    let turns = vec![
        write("a.txt", "a\n").tokens(10_000),
        call("read_file", serde_json::json!({ "path": "a.txt", "start_line": null, "end_line": null }))
            .tokens(12_000)
            .cached(10_000),
        finish("Wrote a.").tokens(14_000).cached(12_000),
    ];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new(REPO).model(&server);
    let s = s.config("price = { hit = 0.1, miss = 1, output = 10 }");
    let out = s.run_plan("a | write a.txt", &[]).code(0);
    let said: Vec<&str> = out.stderr.lines().filter(|line| is_about_cost(line)).collect();
    expect![[r#"
        expected with scripted-http/test-model: about 299.0k tokens; about $0.12
        spent    36.0k tokens, $0.0165
        tokens   22.0k cached, 14.0k not cached, 30 written
        cache    61.1 % of all prompt tokens were cached, which saved $0.0198 of $0.0363
        model    scripted-http/test-model: 3 turns, 36.0k tokens, $0.0165
    "#]]
    .assert_eq(&(said.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n") + "\n"));
    let json = s.inspan(&["status", "--output-format", "json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(json["spending"]["tokens"]["hit"], 22_000);
    assert_eq!(json["models"]["scripted-http/test-model"]["turns"], 3);
    assert_eq!(json["tasks"][0]["by_attempt"]["1"]["hit_rate"], json["spending"]["hit_rate"]);
    s.inspan(&["log"]).code(0).prints("a #1 is done (3 turns, 36.0k tokens, $0.0165)");
}

fn is_about_cost(line: &str) -> bool {
    ["spent ", "tokens ", "cache ", "repairs ", "retries ", "model ", "planner ", "expected with"]
        .iter()
        .any(|word| line.trim().starts_with(word))
}

#[test]
fn a_price_that_nobody_knows_is_said_and_a_limit_in_money_is_refused() {
    let server = ModelServer::start(Script::new().worker("a", 1, modest("a.txt")));
    let s = Scenario::new(REPO).model(&server);
    let out = s.run_plan("a | write a.txt", &[]).code(0).says("price not known");
    assert!(!out.stderr.lines().any(|line| is_about_cost(line) && line.contains('$')), "no amount is guessed: {}", out.all());
    let json = s.inspan(&["status", "--output-format", "json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert!(json["cost_usd"].is_null(), "{json}");
    Scenario::new(REPO).model(&server).run_plan("a | write a.txt", &["--max-cost", "1"]).code(2).says("price");
}

/// The clock of the journal is turned back by an hour and a half: so long a process was at it that was killed.
fn age(s: &Scenario) {
    let connection = rusqlite::Connection::open(s.run_folder().join("journal.db")).expect("it is there");
    let back = "update event set body = json_set(body, '$.time', strftime('%Y-%m-%dT%H:%M:%S.000Z', json_extract(body, '$.time'), '-90 minutes')) where seq = 1";
    assert_eq!(connection.execute(back, []).expect("it is JSON"), 1);
}

#[test]
fn a_resumed_run_does_not_have_its_minutes_anew() {
    let server = ModelServer::start(Script::new().worker("a", 1, modest("a.txt")));
    server.fail_at("a", 1, 1, Fault::Stall);
    let s = Scenario::new(REPO).model(&server);
    let alive = s.start_plan("a | write a.txt", &["--max-minutes", "60"]);
    tests::eventually(|| (server.asked_by("a", 1).len() == 2).then_some(())).expect("the second turn is asked for");
    alive.kill();
    age(&s);
    s.inspan(&["resume", "--yes"]).code(5).says("the run's limit of 60 minutes");
    let over = s.history().events().any(|event| matches!(event, Event::RunEnded { status: RunStatus::OverBudget, .. }));
    assert!(over, "{}", s.history().outline());
    let (run, before) = (s.run_id(), s.history().events().count());
    for words in [&["resume", "--yes"][..], &["resume", "--yes", "--max-minutes", "60"]] {
        s.inspan(words).code(5).says("nothing was begun").says(&format!("`inspan resume {run} --max-minutes N`"));
    }
    s.inspan(&["limits", "--workers", "3"]).code(1).says(&format!("`inspan resume {run} --max-minutes N`"));
    assert_eq!(s.history().events().count(), before, "nothing was begun");
    server.heal();
    s.inspan(&["resume", "--yes", "--max-minutes", "120"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\nonce\n");
}
