//! An endpoint that fails in every way that real ones do: the run ends complete, no turn is lost, and every token that the endpoint says it
//! has counted is in the ledger, once.

use expect_test::expect;
use plans::event::Event;
use shared::{Money, Price, Tokens};
use tests::{
    Scenario,
    model::{Disorder, Fault, ModelServer, Script, Shape, call, finish, say, write},
};

const REPO: &str = "## README\nhello\n";

/// The whole first wait is short, and nothing may stay away for long.
fn scenario(server: &ModelServer, shape: Shape) -> Scenario {
    let provider = format!(
        "[providers.chaos]\nbase_url = \"{}\"\napi_key_env = \"ENDPOINT_KEY\"\ndialect = \"{}\"\nretries = 8\nretry_wait = \"20ms\"\n\
         idle_timeout = \"2s\"\nrequest_timeout = \"10s\"",
        server.url(),
        shape.dialect()
    );
    Scenario::new(REPO).config(&provider).env("ENDPOINT_KEY", tests::model::KEY).env("INSPAN_MODEL", "chaos/test-model")
}

fn look(path: &str) -> tests::model::Turn {
    call("read_file", serde_json::json!({ "path": path, "start_line": null, "end_line": null }))
}

/// What the journal says was taken.
fn booked(s: &Scenario) -> Tokens {
    s.history().events().fold(Tokens::default(), |sum, event| match event {
        Event::TurnTaken(turn) => sum + turn.tokens,
        _ => sum,
    })
}

/// Every turn of an attempt was asked for in its order, none left out, and the last one came to its end.
#[track_caller]
fn assert_no_turn_is_lost(server: &ModelServer, task: &str, turns: usize) {
    let mut asked: Vec<_> = server.asked_by(task, 1).iter().filter_map(|asked| asked.turn).collect();
    asked.dedup();
    assert_eq!(asked, (1..=turns).collect::<Vec<_>>(), "{task}");
}

/// One worker, each of whose turns meets another fault first.
#[track_caller]
fn every_fault_once(shape: Shape) {
    let faults = Fault::all();
    let path = |place: usize| format!("schön/{place}.txt");
    let turn = |place| say("Für dieses Stück:").and(write(&path(place), "größer\n")).and(look(&path(place)));
    let turns: Vec<_> = (0..faults.len()).map(turn).chain([finish("Wrote them all.")]).collect();
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    server.disturb(Disorder::Each(faults.clone()));
    let s = scenario(&server, shape);
    s.run_plan("gate | true\n a | write schön/**", &["--workers", "1"]).code(0);
    assert_no_turn_is_lost(&server, "a", faults.len() + 1);
    let written = (0..faults.len()).filter(|place| s.result().contains(&format!("## {}\ngrößer\n", path(*place)))).count();
    assert_eq!(written, faults.len(), "{}", s.result());
    assert_eq!(booked(&s), server.told());
}

#[test]
fn chat_survives_every_fault_and_books_what_was_told() {
    every_fault_once(Shape::Chat);
}

#[test]
fn responses_survive_every_fault_and_book_what_was_told() {
    every_fault_once(Shape::Responses);
}

#[test]
fn messages_survive_every_fault_and_book_what_was_told() {
    every_fault_once(Shape::Anthropic);
}

/// Eight tasks, and a fifth of all tries fails.
#[track_caller]
fn eight_tasks(shape: Shape, seed: u64) {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let file = |name: &str| format!("{name}.txt");
    let turns = |name: &str| {
        [look("README"), say("Höchste Zeit.").and(write(&file(name), "größer\n")), look(&file(name)), finish("Wrote it.")]
    };
    let server = ModelServer::start(names.iter().fold(Script::new(), |script, name| script.worker(name, 1, turns(name))));
    server.disturb(Disorder::Rate { seed, percent: 20 });
    let s = scenario(&server, shape);
    let after = |name: &str| if name > "d" { " | after a" } else { "" };
    let tasks: Vec<_> = names.iter().map(|name| format!("{name}{} | write {}", after(name), file(name))).collect();
    s.run_plan(&format!("gate | true\n{}", tasks.join("\n")), &["--workers", "8"]).code(0);
    for name in names {
        assert_no_turn_is_lost(&server, name, 4);
    }
    assert!(server.asked().len() > names.len() * 4, "nothing went wrong");
    assert_eq!(booked(&s), server.told());
    expect![[r#"
        ## README
        hello
        ## a.txt
        größer
        ## b.txt
        größer
        ## c.txt
        größer
        ## d.txt
        größer
        ## e.txt
        größer
        ## f.txt
        größer
        ## g.txt
        größer
        ## h.txt
        größer
    "#]]
    .assert_eq(&s.result());
}

#[test]
fn eight_tasks_end_complete_when_a_fifth_of_all_tries_fails() {
    for (seed, shape) in [(1, Shape::Chat), (2, Shape::Responses), (3, Shape::Anthropic)] {
        eight_tasks(shape, seed);
    }
}

#[test]
fn what_the_journal_says_was_paid_is_the_price_of_what_was_told_though_a_fifth_of_all_tries_fails() {
    let names = ["a", "b", "c", "d"];
    let file = |name: &str| format!("{name}.txt");
    let turns = |name: &str| {
        [look("README"), write(&file(name), "one\n").cached(300), look(&file(name)).cached(700), finish("Wrote it.").cached(900)]
    };
    let server = ModelServer::start(names.iter().fold(Script::new(), |script, name| script.worker(name, 1, turns(name))));
    server.disturb(Disorder::Rate { seed: 1, percent: 20 });
    let s = scenario(&server, Shape::Chat).config("price = { hit = 0.1, miss = 1, output = 10 }");
    let tasks: Vec<_> = names.iter().map(|name| format!("{name} | write {}", file(name))).collect();
    s.run_plan(&format!("gate | true\n{}", tasks.join("\n")), &["--workers", "4", "--max-cost", "50"]).code(0);
    assert!(server.asked().len() > names.len() * 4, "nothing went wrong");
    let usd = |usd| Money::from_usd(usd).expect("it is an amount");
    let price = Price { hit: usd(0.1), miss: usd(1.0), write: None, output: usd(10.0) };
    let paid: Money =
        s.history().events().filter_map(|event| if let Event::TurnTaken(turn) = event { turn.cost } else { None }).sum();
    assert!(server.told().hit > 0);
    assert_eq!(paid, price.of(server.told()));
}
