//! Every limit ends a run in its named state, with a partial result that is green and can be brought in, and with words that name the limit
//! and what allows more.

use ::plans::{
    event::{Event, RunStatus, TaskEnd},
    task_state::TaskState,
};
use tests::{
    Outcome, Scenario, branch,
    model::{Fault, ModelServer, Script, Turn, finish, write},
};

const REPO: &str = "## README\nhello\n";
/// What the first task lands, before the second meets the limit.
const LANDED: &str = "## README\nhello\n## first.txt\nfirst\n";
const PLAN: &str = "gate | true
    first | write first.txt | run echo first > first.txt
    second | after first | write second.txt";

/// One way to meet a limit.
struct Case {
    /// Which.
    limit: &'static str,
    /// Lines of the configuration.
    config: &'static str,
    flags: &'static [&'static str],
    /// The second task, where it is not done by an agent that writes without end.
    second: Option<&'static str>,
    run: RunStatus,
    task: TaskEnd,
    /// At least so many tries at it came to nothing.
    setbacks: usize,
    /// What is said, and what allows more.
    says: &'static [&'static str],
}

const CASE: Case = Case {
    limit: "",
    config: "",
    flags: &[],
    second: None,
    run: RunStatus::Incomplete,
    task: TaskEnd::Exhausted,
    setbacks: 0,
    says: &[],
};

const CASES: &[Case] = &[
    Case {
        limit: "turns",
        config: "[task]\nturns = 3",
        says: &["reached the limit of turns", "3 turns", "`[task] turns`"],
        ..CASE
    },
    Case {
        limit: "tokens of a task",
        config: "[task]\ntokens = 20_000",
        says: &["reached the limit of tokens", "20.0k tokens", "`[task] tokens`"],
        ..CASE
    },
    Case {
        limit: "money of a task",
        config: "[task]\ncost_usd = 0.02",
        says: &["reached the limit of money", "$0.02", "`[task] cost_usd`"],
        ..CASE
    },
    Case {
        limit: "tokens",
        flags: &["--max-tokens", "40000"],
        run: RunStatus::OverBudget,
        task: TaskEnd::Cancelled,
        says: &["the run's limit of 40.0k tokens", "--max-tokens"],
        ..CASE
    },
    Case {
        limit: "money",
        flags: &["--max-cost", "0.04"],
        run: RunStatus::OverBudget,
        task: TaskEnd::Cancelled,
        says: &["the run's limit of $0.04", "--max-cost"],
        ..CASE
    },
    Case {
        limit: "attempts",
        config: "[run]\nattempts = 3",
        // Each end is another one: the same one twice would not be tried a third time.
        second: Some(
            "run echo half > second.txt; case $INSPAN_ATTEMPT in 1) echo an apple;; 2) echo a pear;; *) echo a plum;; esac; exit 1",
        ),
        task: TaskEnd::Failed,
        setbacks: 3,
        says: &["`[run] attempts`"],
        ..CASE
    },
    Case {
        limit: "disk",
        flags: &["--max-disk", "24"],
        second: Some("run head -c 40000000 /dev/zero > second.txt; sleep 600"),
        run: RunStatus::OverBudget,
        task: TaskEnd::Cancelled,
        says: &["the run's limit of 24 MiB of disk (--max-disk)", "inspan resume"],
        ..CASE
    },
];

/// Writes its file again and again.
fn endless() -> Vec<Turn> {
    (0..80).map(|number| write("second.txt", &format!("{number}\n"))).chain([finish("Wrote it often.")]).collect()
}

fn scenario(server: &ModelServer, config: &str) -> Scenario {
    Scenario::new(REPO)
        .model(server)
        .config("price = { hit = 0.1, miss = 1, output = 10 }")
        .config("[run]\nreplans = 0")
        .config(config)
}

/// Named ends, a green branch, and a result that comes into the person's branch.
#[track_caller]
fn assert_ends(s: &Scenario, case: &Case, out: &Outcome) {
    let Case { limit, run, task, .. } = case;
    let ended = s.history().events().find_map(|event| match event {
        Event::RunEnded { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(ended, Some(*run), "{limit}: {}", out.all());
    let code = if *run == RunStatus::OverBudget { 5 } else { 3 };
    assert_eq!(out.code, code, "{limit}: {}", out.all());
    let state = s.state();
    let second = state.tasks().iter().find(|record| record.id.as_str() == "second").map(|record| &record.state);
    assert!(matches!(second, Some(TaskState::Ended { end }) if end == task), "{limit}: {second:?}\n{}", out.all());
    let setbacks = state.tasks().iter().find(|record| record.id.as_str() == "second").map_or(0, |record| record.setbacks.len());
    assert!(setbacks >= case.setbacks, "{limit}: {setbacks} tries\n{}", out.all());
    for words in case.says {
        assert!(out.stderr.contains(words), "{limit}: `{words}` was not said:\n{}", out.all());
    }
    assert!(out.stderr.contains("inspan resume"), "{limit}: {}", out.all());
    assert_eq!(s.result(), LANDED, "{limit}");
    branch::assert_always_green(s);
    s.inspan(&["apply"]).code(0);
    assert_eq!(s.repository().files_at("HEAD"), LANDED, "{limit}");
}

#[test]
fn each_limit_ends_in_its_named_state_with_a_green_result() {
    for case in CASES {
        let script = (1..=4).fold(Script::new(), |script, attempt| script.worker("second", attempt, endless()));
        let server = ModelServer::start(script);
        // Two tables of one name are none: what is about the run comes first.
        let config = case.config.replace("[run]\n", "");
        let s = if config == case.config {
            scenario(&server, case.config)
        } else {
            Scenario::new(REPO).model(&server).config(&format!("[run]\nreplans = 0\n{config}"))
        };
        let plan = case.second.map_or(PLAN.to_owned(), |second| format!("{PLAN} | {second}"));
        let out = s.run_plan(&plan, case.flags);
        assert_ends(&s, case, &out);
    }
}

#[test]
fn minutes_end_a_run_over_budget_with_what_has_landed() {
    let server = ModelServer::start(Script::new().worker("second", 1, endless()));
    server.fail_at("second", 1, 1, Fault::Stall);
    let s = scenario(&server, "");
    let alive = s.start_plan(PLAN, &["--max-minutes", "60"]);
    tests::eventually(|| (server.asked_by("second", 1).len() == 2).then_some(())).expect("the second turn is asked for");
    alive.kill();
    let connection = rusqlite::Connection::open(s.run_folder().join("journal.db")).expect("it is there");
    let back = "update event set body = json_set(body, '$.time', strftime('%Y-%m-%dT%H:%M:%S.000Z', json_extract(body, '$.time'), '-90 minutes')) where seq = 1";
    assert_eq!(connection.execute(back, []).expect("it is JSON"), 1);
    drop(connection);
    let out = s.inspan(&["resume", "--yes"]);
    let says = &["the run's limit of 60 minutes (--max-minutes)"];
    assert_ends(&s, &Case { limit: "minutes", run: RunStatus::OverBudget, task: TaskEnd::Cancelled, says, ..CASE }, &out);
}

#[test]
fn re_plans_are_bounded_and_what_landed_before_them_is_kept() {
    // The same try once more would be refused, so the planner says something else each time.
    let retry = |exit: u32| {
        let rewrite = serde_json::json!({ "edit": "rewrite", "task": "second", "instructions": format!("Try {exit}."), "because": "once more" });
        tests::model::edits(&serde_json::json!([rewrite]))
    };
    let plan = tests::model::plan(&format!("{PLAN} | run exit 1"));
    let script = Script::new().planner(1, [plan]).planner(2, [retry(2)]).planner(3, [retry(3)]).planner(4, [retry(4)]);
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server).config("[run]\nreplans = 2\nattempts = 1");
    let out = s.inspan(&["run", "Write both", "--yes"]);
    assert_eq!(s.history().count(|event| matches!(event, Event::ReplanStarted { .. })), 2, "{}", s.history().outline());
    assert_ends(&s, &Case { limit: "re-plans", task: TaskEnd::Failed, says: &["2 re-plans", "`[run] replans`"], ..CASE }, &out);
}

#[test]
fn workers_are_never_more_than_the_limit() {
    let s = Scenario::new(REPO);
    let tasks: Vec<String> =
        (1..=5).map(|number| format!("t{number} | write {number}.txt | run echo {number} > {number}.txt")).collect();
    s.run_plan(&tasks.join("\n"), &["--workers", "2"]).code(0);
    let (mut alive, mut most) = (0_i32, 0);
    for event in s.history().events() {
        match event {
            Event::AttemptStarted { .. } => alive += 1,
            Event::AttemptEnded { .. } => alive -= 1,
            _ => {}
        }
        most = most.max(alive);
    }
    assert_eq!(most, 2);
}

#[test]
fn a_limit_of_disk_is_shown_at_review_and_raised_when_the_run_goes_on() {
    let s = Scenario::new(REPO).with_meeting_place().config("[env]\npass = [\"PLACE\"]");
    let place = s.meeting_place();
    let s = s.env("PLACE", place);
    let waits = "a | write a.txt | limits | run head -c 40000000 /dev/zero > a.txt; touch \"$PLACE/full\"; until test -e \"$PLACE/go\"; do sleep 0.01; done; echo a > a.txt";
    let waits = waits.replace(" | limits", "");
    let alive = s.start_plan(&waits, &["--max-disk", "30"]);
    let out = alive
        .wait()
        .code(5)
        .says("the whole run: 30 MiB of disk")
        .says("the run's limit of 30 MiB of disk (--max-disk): it takes");
    assert!(out.stderr.contains("--max-disk MB` with a larger limit goes on"), "{}", out.all());
    assert_eq!(s.attempts(), ["a/1"], "what it left is kept");
    std::fs::write(s.meeting_place().join("go"), "").expect("a file can be written");
    s.inspan(&["resume", "--yes", "--max-disk", "2000"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[test]
fn the_limits_of_a_task_are_shown_at_review() {
    let s = Scenario::new(REPO);
    let plan = s.plan("a | write a.txt | run echo a > a.txt\n b | write b.txt | run echo b > b.txt");
    let text = std::fs::read_to_string(&plan).expect("it was written");
    let at = text.find("id = \"b\"").expect("there is a second task");
    std::fs::write(&plan, format!("{}limits = {{ turns = 7, minutes = 3 }}\n{}", &text[..at], &text[at..])).expect("it is ours");
    let out = s.inspan(&["run", "--plan", &plan, "--yes"]).code(0).says("each attempt at b: 7 turns, 3 minutes");
    assert!(!out.stderr.contains("each attempt at a:"), "{}", out.all());
}
