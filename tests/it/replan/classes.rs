//! One scenario for each class of evidence: what the planner is shown, and that the run ends as a senior engineer would have it end.

use std::net::TcpListener;

use ::plans::event::{Event, RunStatus};
use serde_json::{Value, json};
use tests::{
    Scenario, branch,
    model::{ModelServer, Script, Turn, command, edits, finish, plan, say, write},
};

use super::one_task;

/// A gate that is green until something is there, and then says what `said` holds, in a log of several hundred lines.
fn repo(condition: &str, said: &str) -> String {
    format!(
        "## README\nhello\n## said\n{said}\n## gate.sh\n\
         if {condition}; then exit 0; fi\nseq 1 300 | sed 's/^/compiling part /'\ncat said\nseq 1 300 | sed 's/^/and then /'\nexit 1\n"
    )
}

fn started(script: Script, repo: &str, config: &str) -> (Scenario, ModelServer) {
    let server = ModelServer::start(script);
    let s = Scenario::new(repo).model(&server).config(config);
    (s, server)
}

/// Commands know the meeting place.
fn meeting(s: Scenario) -> Scenario {
    let s = s.with_meeting_place();
    let place = s.meeting_place();
    s.env("MEET", place).config("[env]\npass = [\"MEET\"]")
}

/// What the planner was shown in its conversation of this number.
fn shown(server: &ModelServer, conversation: u32) -> String {
    server.asked_by_planner(conversation).first().expect("the planner was asked").last().to_owned()
}

#[track_caller]
fn tells(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "`{wanted}` is missing in:\n{text}");
    }
    let filler = text.lines().filter(|line| line.contains("compiling part") || line.contains("and then")).count();
    assert!(filler <= 20, "{filler} lines of a log are shown:\n{text}");
}

fn attempts(s: &Scenario) -> usize {
    s.history().count(|event| matches!(event, Event::AttemptStarted { .. }))
}

fn rewrite(task: &str, instructions: &str) -> Value {
    json!({ "edit": "rewrite", "task": task, "instructions": instructions, "because": "the evidence says so" })
}

fn retry(task: &str) -> Value {
    json!({ "edit": "retry", "task": task, "because": "once more" })
}

fn wrote(path: &str) -> Vec<Turn> {
    vec![write(path, "x\n"), finish("Wrote it.")]
}

const RED: &str = "FAILED tests/test_money.py::test_adds - assert 1 == 2";

#[test]
fn red_alone_is_named_and_rewritten() {
    let repo = repo("test ! -e a.txt -o -e b.txt", RED);
    let script = Script::new()
        .planner(1, [plan("gate | sh gate.sh\n a | write *.txt tests/**")])
        .planner(2, [edits(&json!([rewrite("a", "Write b.txt as well.")]))])
        .worker("a", 1, [write("a.txt", "a\n").and(write("tests/test_money.py", "x\n")), finish("Wrote a.")])
        .worker("a", 2, [write("a.txt", "a\n").and(write("b.txt", "b\n")), finish("Wrote both.")]);
    let (s, server) = started(script, &repo, "");
    let out = s.inspan(&["run", "Do it", "--yes", "--output-format", "json"]).code(0);
    let text = shown(&server, 2);
    tells(
        &text,
        &[
            "`a` is in trouble: red alone",
            "gate: `sh gate.sh` exit 1",
            "- tests/test_money.py::test_adds (tests/test_money.py): assert 1 == 2",
            "- `a` itself: it changed tests/test_money.py",
            "attempt 1: red alone",
            "`rewrite` it with what the failing tests show",
        ],
    );
    let refused: Vec<Value> = out.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let refused: Vec<&Value> = refused.iter().filter(|line| line["type"] == "landing_refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["class"], "red_alone");
    assert_eq!(refused[0]["verdict"]["failing"][0]["name"], "tests/test_money.py::test_adds");
    let brief = server.asked_by("a", 2)[0].body.to_string();
    assert!(brief.contains("tests/test_money.py::test_adds") && !brief.contains("compiling part 7\\n"), "{brief}");
}

#[test]
fn the_same_end_twice_refuses_a_blind_retry_and_names_every_other_way() {
    let repo = repo("test ! -e a.txt -o -e b.txt", RED);
    let title = json!({ "edit": "rewrite", "task": "a", "title": "Try harder", "because": "it may work now" });
    let script = Script::new()
        .planner(1, [plan("gate | sh gate.sh\n a | write *.txt")])
        .planner(2, [edits(&json!([retry("a")]))])
        .planner(3, [edits(&json!([retry("a")])), edits(&json!([title])), edits(&json!([rewrite("a", "Write b.txt, too.")]))])
        .worker("a", 1, wrote("a.txt"))
        .worker("a", 3, [write("a.txt", "a\n").and(write("b.txt", "b\n")), finish("Wrote both.")]);
    let (s, server) = started(script, &repo, "");
    s.inspan(&["run", "Do it", "--yes"]).code(0);
    tells(&shown(&server, 3), &["attempt 2: the same as attempt 1", "`retry` is refused"]);
    let asked = server.asked_by_planner(3);
    for answer in [&asked[1], &asked[2]] {
        tells(answer.last(), &["blind-retry", "`rewrite`", "`model`", "`split`", "`order`", "`merge`", "`widen`", "the person"]);
    }
    assert_eq!(attempts(&s), 3);
}

#[test]
fn the_same_end_twice_without_a_planner_is_tried_by_the_stronger_model_and_then_ends() {
    let repo = repo("test ! -e a.txt", RED);
    let server = ModelServer::start(Script::new().worker("a", 1, wrote("a.txt")));
    for (config, asked) in [("", "scripted-http/usual"), ("escalation = \"scripted-http/strong\"", "scripted-http/strong")] {
        let config = format!("[models]\nworker = \"scripted-http/usual\"\n{config}");
        let s = Scenario::new(&repo)
            .model(&server)
            .env("INSPAN_MODEL", "")
            .config(&format!("[run]\nattempts = 5\nreplans = 0\n{config}"));
        let path = s.plan("gate | sh gate.sh\n a | write *.txt");
        let out = s.inspan(&["run", "--plan", &path, "--yes"]).code(3);
        assert_eq!(attempts(&s), 2, "five were allowed: {}", out.all());
        let second = s.history().events().find_map(|event| match event {
            Event::TurnTaken(turn) if turn.attempt.is_some_and(|attempt| attempt.0 == 2) => Some(turn.model.clone()),
            _ => None,
        });
        assert_eq!(second.as_deref(), Some(asked));
    }
}

#[test]
fn red_together_is_told_with_its_partner_and_ends_in_a_joint_result() {
    let repo = repo("test ! -e a.txt -o ! -e b.txt -o -e joined.txt", "FAILED tests/test_pair.py::test_both - they differ");
    let joined = json!([
        { "edit": "widen", "task": "b", "write": ["joined.txt"], "because": "the two have to be joined" },
        rewrite("b", "Write b.txt and join it with a.txt.")]);
    let both = [write("b.txt", "b\n").and(write("joined.txt", "j\n")), finish("Joined.")];
    let script = Script::new()
        .planner(1, [plan("gate | sh gate.sh\n a | write a.txt\n b | write b.txt")])
        .planner(2, [edits(&joined)])
        .worker("a", 1, wrote("a.txt"))
        .worker("b", 1, wrote("b.txt"))
        .worker("b", 2, both);
    let (s, server) = started(script, &repo, "[run]\nconflict_attempts = 1\nworkers = 1");
    s.inspan(&["run", "Do it", "--yes"]).code(0);
    let text = shown(&server, 2);
    tells(
        &text,
        &["`b` is in trouble: red together", "green alone, red together with a", "tests/test_pair.py::test_both", "joint task"],
    );
    assert_eq!(branch::subjects(&s), "Do a\nDo b");
    branch::assert_always_green(&s);
}

#[test]
fn red_on_the_base_is_no_tasks_fault_and_is_mended_first_as_a_task_of_its_own() {
    let repo = "## README\nhello\n## check.sh\ntest -e mended.txt || { echo 'FAILED tests/test_old.py::test_old - it was red before'; exit 1; }\n";
    let mend = json!([
        { "edit": "add", "new": one_task("mend | write mended.txt"), "because": "it was red before the run" },
        { "edit": "order", "before": "mend", "after": "a", "because": "a needs it" },
        retry("a")]);
    let script = Script::new()
        .planner(1, [plan("gate | sh check.sh\n a | write a.txt | verify sh check.sh && test -e a.txt")])
        .planner(2, [edits(&mend)])
        .worker("a", 1, [write("a.txt", "a\n"), finish("a"), finish("a"), finish("a"), finish("a"), finish("a"), finish("a")])
        .worker("a", 2, wrote("a.txt"))
        .worker("mend", 1, wrote("mended.txt"));
    let (s, server) = started(script, repo, "[run]\nattempts = 1");
    s.inspan(&["run", "Do it", "--yes"]).code(0).says("the base fails the gate");
    let text = shown(&server, 2);
    tells(
        &text,
        &["`a` is in trouble: red on the base", "[failed before the run, too]", "this task is not at fault: `add` a task"],
    );
    assert_eq!(branch::subjects(&s), "Do mend\nDo a");
}

#[test]
fn flaky_passes_without_blame_and_its_tests_are_remembered_by_name() {
    let s = meeting(Scenario::new("## README\nhello\n"));
    let gate =
        "test ! -e a -o -e \"$MEET/ran\" || { touch \"$MEET/ran\"; echo 'FAILED tests/test_f.py::test_now_and_then'; exit 1; }";
    let out = s.run_plan(&format!("gate | {gate}\n a | write a | run touch a"), &["--output-format", "json"]).code(0);
    let line = out.stdout.lines().find(|line| line.contains("\"flaky_seen\"")).expect("it was seen").to_owned();
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&line["class"], &line["failing"][0]["name"]), (&json!("flaky"), &json!("tests/test_f.py::test_now_and_then")));
    assert_eq!(attempts(&s), 1);
    assert!(s.state().tasks().iter().all(|record| record.setbacks.is_empty()), "nobody is blamed");
}

#[test]
fn infrastructure_halts_with_an_instruction_and_burns_no_attempt() {
    let server = ModelServer::start(Script::new().worker("a", 1, wrote("a.txt")));
    let s = meeting(Scenario::new("## README\nhello\n").model(&server));
    let held = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = held.local_addr().expect("it has one").port();
    let gate = format!(
        "test ! -e a.txt -o -e \\\"$MEET/free\\\" || {{ echo 'Error: listen EADDRINUSE: address already in use 127.0.0.1:{port}'; exit 1; }}"
    );
    let path = s.plan_file(&format!(
        "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"{gate}\"]\nnetwork = \"host\"\n\
         [[task]]\nid = \"a\"\ntitle = \"a\"\ninstructions = \"a\"\nwrite = [\"a.txt\"]\n"
    ));
    let out = s.inspan(&["run", "--plan", &path, "--yes"]);
    assert_ne!(out.code, 0, "{}", out.all());
    assert!(out.stderr.contains(&format!("needs port {port}")) && out.stderr.contains("end that"), "{}", out.all());
    assert_eq!(attempts(&s), 1, "{}", out.all());
    assert_eq!(s.history().count(|event| matches!(event, Event::LandingRefused { .. } | Event::ReplanStarted { .. })), 0);
    std::fs::write(s.meeting_place().join("free"), "").expect("it can be written");
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(attempts(&s), 1, "what had finished lands");
}

#[test]
fn scope_is_told_with_its_files_and_widened() {
    let widen = json!([{ "edit": "widen", "task": "a", "write": ["other.txt"], "because": "it needs it" }, retry("a")]);
    let script = Script::new()
        .planner(1, [plan("gate | true\n a | write a.txt | run echo 1 > a.txt; echo 1 > other.txt")])
        .planner(2, [edits(&widen)]);
    let (s, server) = started(script, "## README\nhello\n## other.txt\nx\n## a.txt\ny\n", "");
    s.inspan(&["run", "Do it", "--yes", "--dangerously-no-sandbox"]).code(0);
    tells(&shown(&server, 2), &["`a` is in trouble: scope", "changed files outside its scope: other.txt", "`widen` it"]);
}

#[test]
fn a_limit_is_told_by_its_name_and_the_task_is_split() {
    let split = json!([{ "edit": "split", "task": "a", "into": [one_task("one | write one.txt"), one_task("two | write two.txt")],
                         "because": "it is too much for one" }]);
    let script = Script::new()
        .planner(1, [plan("gate | true\n a | write *.txt | turns 2")])
        .planner(2, [edits(&split)])
        .worker("a", 1, [say("Let me think."), say("Let me think on.")])
        .worker("one", 1, wrote("one.txt"))
        .worker("two", 1, wrote("two.txt"));
    let (s, server) = started(script, "## README\nhello\n", "");
    s.inspan(&["run", "Do it", "--yes"]).code(0);
    tells(
        &shown(&server, 2),
        &["`a` is in trouble: limit", "reached the limit of turns", "attempt 2: the same as attempt 1", "`split` it into parts"],
    );
    assert_eq!(s.state().landed().len(), 2);
}

#[test]
fn a_conflict_is_told_with_its_lines_and_put_in_order() {
    let order = json!([{ "edit": "order", "before": "a", "after": "b", "because": "both change the line" }, retry("b")]);
    let line = |text: &str| vec![command(&format!("echo {text} > line")), finish("Changed it.")];
    // It has finished its change of the old line only once the other one passes the gate.
    let late = vec![command("until test -e \"$MEET/one\"; do sleep 0.01; done; echo two > line"), finish("Changed it.")];
    let gate = "gate | test $(wc -l < line) = 1 && if grep -q one line; then touch \"$MEET/one\"; fi\n";
    let script = Script::new()
        .planner(1, [plan(&format!("{gate} a | write a.txt | shared line\n b | write b.txt | shared line"))])
        .planner(2, [edits(&order)])
        .worker("a", 1, line("one"))
        .worker("b", 1, late)
        .worker("b", 2, line("both"));
    let (s, server) = started(script, "## line\nzero\n", "[run]\nconflict_attempts = 1");
    let s = meeting(s);
    s.inspan(&["run", "Do it", "--yes"]).code(0);
    let text = shown(&server, 2);
    tells(&text, &["is in trouble: conflict", "conflict with", "in line", "`order` it after the task that it collides with"]);
    assert_eq!(s.state().landed().len(), 2);
}

#[test]
fn the_same_red_of_two_tasks_is_mended_once_by_a_task_before_both() {
    let repo = repo("test ! -e a.txt -a ! -e b.txt -o -e mended.txt", "FAILED tests/test_base.py::test_common - it is gone");
    let mend = json!([
        { "edit": "add", "new": one_task("mend | write mended.txt"), "because": "both fail in the same way" },
        { "edit": "order", "before": "mend", "after": "a", "because": "it needs it" },
        { "edit": "order", "before": "mend", "after": "b", "because": "it needs it" },
        retry("a"), retry("b")]);
    let script = Script::new()
        .planner(1, [plan("gate | sh gate.sh\n a | write a.txt\n b | write b.txt")])
        .planner(2, [edits(&mend)])
        .planner(3, [edits(&mend)])
        .worker("a", 1, wrote("a.txt"))
        .worker("b", 1, wrote("b.txt"))
        .worker("mend", 1, wrote("mended.txt"));
    let (s, server) = started(script, &repo, "");
    s.inspan(&["run", "Do it", "--yes"]).code(0);
    assert_eq!(s.state().landed().len(), 3);
    let asked: Vec<String> =
        [2, 3].into_iter().filter_map(|at| Some(server.asked_by_planner(at).first()?.last().to_owned())).collect();
    assert!(asked.iter().any(|text| text.contains("tests/test_base.py::test_common")), "{asked:?}");
}

#[test]
fn a_hidden_clash_with_what_landed_long_ago_is_found_by_the_files_of_the_stack_trace() {
    let said = "Traceback (most recent call last):\n  File \"shop/money.py\", line 3, in cents\n    raise ValueError\n\
                FAILED tests/test_shop.py::test_total - ValueError";
    let repo = repo("test ! -e shop/cart.py -o -e shop/mended.py", said);
    let mend = json!([
        { "edit": "add", "new": one_task("mend | after money | write shop/mended.py"), "because": "money is behind it" },
        { "edit": "order", "before": "mend", "after": "cart", "because": "it needs it" }, retry("cart")]);
    let script = Script::new()
        .planner(1, [plan("gate | sh gate.sh\n money | write shop/money.py\n other | after money | write other.txt\n cart | after other | write shop/cart.py")])
        .planner(2, [edits(&mend)])
        .worker("money", 1, wrote("shop/money.py"))
        .worker("other", 1, wrote("other.txt"))
        .worker("cart", 1, wrote("shop/cart.py"))
        .worker("mend", 1, wrote("shop/mended.py"));
    let (s, server) = started(script, &repo, "");
    s.inspan(&["run", "Do it", "--yes"]).code(0);
    tells(
        &shown(&server, 2),
        &[
            "Suspects, by the files that the failure leads to:\n- `money`, which is landed: it changed shop/money.py\n",
            "where a suspect has landed already",
        ],
    );
    assert_eq!(branch::subjects(&s), "Do money\nDo other\nDo mend\nDo cart");
    assert!(s.history().events().any(|event| matches!(event, Event::RunEnded { status: RunStatus::Complete, .. })));
}
