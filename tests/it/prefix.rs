//! What requests begin with, byte for byte: alike for all workers of a run, and for each worker as the one before, until a conversation is
//! made shorter.

use std::{fmt::Write as _, str};

use expect_test::expect;
use plans::event::Event;
use serde_json::json;
use shared::Purpose;
use tests::{
    Scenario,
    model::{Asked, ModelServer, Script, Shape, Turn, call, finish, write},
};

const WORKERS: usize = 8;
const TURNS: usize = 20;

/// A repository with a long file that all read, and a file for each to write.
fn files() -> String {
    let mut long = String::new();
    for line in 0..200 {
        let _ = writeln!(long, "line {line} of what everybody reads");
    }
    format!("## README\nhello\n## long.txt\n{long}")
}

/// Reads and writes by turns: what is read can be read again, and what was written stands in the answer itself.
fn turns(task: &str) -> Vec<Turn> {
    so_many_turns(task, TURNS)
}

fn so_many_turns(task: &str, turns: usize) -> Vec<Turn> {
    let read = |turn: usize| call("read_file", json!({"path": "long.txt", "start_line": turn, "end_line": turn + 80}));
    let text = |turn: usize| format!("{task} {turn}\n{}", "what is written takes room as well\n".repeat(50));
    let turn = |turn: usize| if turn.is_multiple_of(2) { read(turn + 1) } else { write(&format!("{task}.txt"), &text(turn)) };
    (0..turns - 1).map(turn).chain([finish("Done.")]).collect()
}

fn tasks() -> impl Iterator<Item = String> {
    (1..=WORKERS).map(|number| format!("task-{number}"))
}

fn script() -> Script {
    tasks().fold(Script::new(), |script, task| script.worker(&task, 1, turns(&task)))
}

fn plan() -> String {
    tasks().fold("gate | true\n".to_owned(), |plan, task| format!("{plan}{task} | write {task}.txt\n"))
}

/// Runs all of it; what was asked, in the order in which it came.
fn asked(settings: &str) -> (Scenario, Vec<Asked>) {
    let server = ModelServer::start(script());
    let s = Scenario::new(&files()).model(&server).config(settings);
    s.run_plan(&plan(), &["--workers", "8"]).code(0);
    let asked = server.asked();
    (s, asked)
}

/// The messages of a request, without the bracket that ends them.
fn messages(asked: &Asked) -> &str {
    let body = str::from_utf8(&asked.raw).expect("JSON is text");
    let (_, messages) = body.split_once("\"messages\":[").expect("there are messages");
    messages.strip_suffix("]}").expect("nothing comes after them")
}

fn of_task<'a>(asked: &'a [Asked], task: &str) -> Vec<&'a Asked> {
    asked.iter().filter(|asked| asked.task.as_deref() == Some(task) && asked.turn != Some(0)).collect()
}

/// What all workers begin with: up to where their own briefs begin to differ.
fn shared(asked: &Asked) -> &str {
    let (shared, _) = messages(asked).split_once("# Your task: ").expect("it has a brief");
    shared
}

fn tools(asked: &Asked) -> &str {
    let body = str::from_utf8(&asked.raw).expect("JSON is text");
    let (_, tools) = body.split_once("\"tools\":").expect("there are tools");
    tools.split_once(",\"messages\":").expect("messages come after them").0
}

#[test]
fn every_request_extends_the_one_before_it_and_all_workers_begin_alike() {
    let (_s, asked) = asked("");
    let first: Vec<&Asked> = tasks().map(|task| of_task(&asked, &task)[0]).collect();
    for other in &first[1..] {
        assert_eq!((shared(other), tools(other)), (shared(first[0]), tools(first[0])));
    }
    assert!(shared(first[0]).len() > 1_000);
    for task in tasks() {
        let requests = of_task(&asked, &task);
        assert_eq!(requests.len(), TURNS, "{task}");
        for pair in requests.windows(2) {
            assert!(messages(pair[1]).starts_with(messages(pair[0])), "{task}, turn {:?}", pair[1].turn);
            assert_eq!(tools(pair[1]), tools(pair[0]));
        }
    }
}

/// Where a prefix ends, for a cache that wants to be told. It is no part of what is cached, and moves on.
const MARK: &str = ",\"cache_control\":{\"type\":\"ephemeral\"}";

/// A request without marks, in two: what all workers begin with (tools first, then standing orders), and the conversation.
fn parts(shape: Shape, asked: &Asked) -> (String, String) {
    let (orders, list) = if shape == Shape::Responses { ("instructions", "\"input\":[") } else { ("system", "\"messages\":[") };
    let body = str::from_utf8(&asked.raw).expect("JSON is text").replace(MARK, "");
    let (head, talk) = body.split_once(list).expect("there is a conversation");
    let (_, head) = head.split_once("\"tools\":").expect("tools come before it");
    assert!(head.contains(&format!("\"{orders}\":")), "standing orders come between: {head}");
    (head.to_owned(), talk.strip_suffix("]}").expect("nothing comes after it").to_owned())
}

/// At most four are allowed; one is at the end of what all workers begin with, and one at the end of the conversation.
#[track_caller]
fn assert_marked(asked: &Asked) {
    let marks = str::from_utf8(&asked.raw).expect("JSON is text").matches("\"cache_control\":").count();
    assert!((2..=4).contains(&marks), "{marks} marks");
    let last = |list: &serde_json::Value| list.as_array().and_then(|list| list.last().cloned()).expect("it is not empty");
    assert!(last(&asked.body["system"])["cache_control"].is_object());
    assert!(last(&last(&asked.body["messages"])["content"])["cache_control"].is_object());
}

/// Two workers of six turns each, in another dialect.
#[track_caller]
fn check_dialect(shape: Shape) {
    const TURNS: usize = 6;
    let tasks = ["one", "two"];
    let script = tasks.iter().fold(Script::new(), |script, task| script.worker(task, 1, so_many_turns(task, TURNS)));
    let server = ModelServer::start(script);
    let s = Scenario::new(&files()).model(&server).config(&format!("dialect = \"{}\"", shape.dialect()));
    s.run_plan("gate | true\none | write one.txt\ntwo | write two.txt\n", &["--workers", "2"]).code(0);
    let asked = server.asked();
    let (first, _) = parts(shape, of_task(&asked, "one")[0]);
    assert!(first.len() > 1_000);
    for task in tasks {
        let requests = of_task(&asked, task);
        assert_eq!(requests.len(), TURNS, "{task}");
        let requests: Vec<_> = requests.iter().map(|asked| parts(shape, asked)).collect();
        for (head, talk) in &requests {
            assert_eq!(head, &first, "{task}");
            assert!(talk.contains("# Your task: "), "{task}");
        }
        for (place, pair) in requests.windows(2).enumerate() {
            let more = pair[1].1.strip_prefix(pair[0].1.as_str()).unwrap_or_else(|| panic!("{task}, turn {}", place + 2));
            assert!(more.starts_with(','), "{task}, turn {}: {more}", place + 2);
        }
    }
    if shape == Shape::Anthropic {
        asked.iter().for_each(assert_marked);
    }
}

#[test]
fn in_responses_too_every_request_extends_the_one_before_it_and_all_workers_begin_alike() {
    check_dialect(Shape::Responses);
}

#[test]
fn in_messages_too_every_request_extends_the_one_before_it_but_for_the_marks_of_the_cache() {
    check_dialect(Shape::Anthropic);
}

#[test]
fn a_conversation_that_outgrows_its_window_is_made_shorter_and_goes_on_to_the_end() {
    let (s, asked) = asked("context_window = 12_000\nmax_output = 3_000");
    let mut told = String::new();
    for task in tasks() {
        let requests = of_task(&asked, &task);
        let (summaries, turns): (Vec<&Asked>, Vec<&Asked>) = requests.iter().partition(|asked| asked.role == "summariser");
        assert_eq!(turns.len(), TURNS, "{task}: no turn is lost or made twice");
        let opening = messages(turns[0]);
        let anew = turns.windows(2).filter(|pair| !messages(pair[1]).starts_with(messages(pair[0])));
        let anew: Vec<Option<usize>> = anew.map(|pair| pair[1].turn).collect();
        assert!(turns.iter().all(|asked| messages(asked).starts_with(opening)), "{task}: the opening stays");
        for summary in &summaries {
            assert!(anew.contains(&summary.turn), "{task}: after a summary it begins anew");
            let before = turns.iter().rev().find(|asked| asked.turn < summary.turn).expect("there was one before");
            let (kept, _) = messages(summary).rsplit_once(",{\"role\":\"user\"").expect("the question comes last");
            assert!(messages(before).starts_with(kept) || kept.starts_with(messages(before)), "{task}: the cache knows it");
        }
        if task == "task-1" {
            let _ = writeln!(told, "anew at turns {anew:?}, {} summaries", summaries.len());
        }
    }
    expect![[r#"
        anew at turns [Some(10), Some(14), Some(20)], 1 summaries
    "#]]
    .assert_eq(&told);
    assert!(s.result().contains("## task-8.txt\ntask-8 17\n"), "{}", s.history().outline());
    assert_turns_are_counted_once(&s);
}

/// A summary is paid for and is no turn, so that a run that is taken up goes on with the right number.
fn assert_turns_are_counted_once(s: &Scenario) {
    let history = s.history();
    let paid: Vec<_> =
        history.events().filter_map(|event| if let Event::TurnTaken(turn) = event { Some(turn) } else { None }).collect();
    assert!(paid.iter().any(|turn| turn.purpose == Purpose::Summary));
    for task in tasks() {
        let of_task = paid.iter().filter(|turn| turn.task.as_ref().is_some_and(|id| id.as_str() == task));
        let numbers: Vec<u32> = of_task.filter(|turn| turn.purpose.is_turn()).map(|turn| turn.turn).collect();
        assert_eq!(numbers, (1..=20).collect::<Vec<u32>>(), "{task}");
    }
}

#[test]
fn what_all_begin_with_is_warmed_by_one_request_before_any_other() {
    let (_s, asked) = asked("cache = \"warmed\"");
    let warming: Vec<usize> =
        asked.iter().enumerate().filter(|(_, asked)| asked.turn == Some(0)).map(|(place, _)| place).collect();
    assert_eq!(warming, [0], "one, and it is the first");
    let warm = &asked[0];
    assert_eq!((warm.body["max_tokens"].as_u64(), warm.messages().len()), (Some(1), 1));
    for task in tasks() {
        let first = of_task(&asked, &task)[0];
        assert!(messages(first).starts_with(messages(warm)) && tools(first) == tools(warm), "{task} begins with what is warm");
    }
}

#[test]
fn one_worker_alone_needs_no_warming() {
    let server = ModelServer::start(Script::new().worker("task-1", 1, turns("task-1")));
    let s = Scenario::new(&files()).model(&server).config("cache = \"warmed\"");
    s.run_plan("gate | true\ntask-1 | write task-1.txt", &[]).code(0);
    assert!(server.asked().iter().all(|asked| asked.turn != Some(0)));
}

#[test]
fn a_task_that_cannot_fit_is_refused_before_anything_is_asked() {
    let server = ModelServer::start(script());
    let s = Scenario::new(&files()).model(&server).config("context_window = 2_000");
    s.run_plan("gate | true\ntask-1 | write task-1.txt", &[]).code(2).says("task-1: it would not fit");
    assert_eq!(server.asked().len(), 0);
}
