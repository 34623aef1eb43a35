//! Rules about commands and files, requests for more scope, and the person who is asked.

use ::plans::{
    approval::{Decider, Decision},
    event::Event,
};
use expect_test::expect;
use serde_json::json;
use tests::{
    Scenario, Terminal,
    model::{ModelServer, Script, Turn, call, command, edits, finish, plan, write},
    plan_json,
};

const REPO: &str = "## README\nhello\n";
const ASK: &str = "Allow it?";

/// Rules in the person's configuration, and a model for the workers.
fn ruled(rules: &str, script: Script) -> (Scenario, ModelServer) {
    let server = ModelServer::start(script);
    let s = Scenario::new(REPO).model(&server).env("TERM", "dumb").config(&format!("[approvals]\n{rules}"));
    (s, server)
}

fn ask_for(paths: &[&str]) -> Turn {
    call("request_scope", json!({ "paths": paths, "reason": "the callers are there" }))
}

/// What was decided, a line each: of what, how, by whom.
fn decisions(s: &Scenario) -> String {
    let line = |event: &Event| match event {
        Event::ApprovalAsked { key, what, .. } => Some(format!("{key} asks to {}\n", what.in_words())),
        Event::ApprovalDecided { key, what, decision, by, .. } => {
            let how = match decision {
                Decision::Allowed => "may",
                Decision::Always(_) => "may always",
                Decision::Denied => "may not",
            };
            Some(format!("{key} {how} {} {by}\n", what.in_words()))
        }
        Event::ScopeGranted { key, globs, shared, by, .. } => {
            let beside = if *shared { ", shared" } else { "" };
            Some(format!("{key} gets {}{beside} {by}\n", globs[0]))
        }
        Event::ScopeRefused { key, globs, by, .. } => Some(format!("{key} does not get {} {by}\n", globs[0])),
        _ => None,
    };
    s.history().events().filter_map(line).collect()
}

/// Carries a plan out before a person, who has approved it.
fn before_a_person(s: &Scenario, plan: &str) -> Terminal {
    let path = s.plan(plan);
    let mut terminal = s.terminal(&["run", "--plan", &path]);
    terminal.wait_for("Approve this plan?", 1).type_line("a");
    terminal
}

fn last_told(server: &ModelServer, task: &str) -> Vec<String> {
    let asked = server.asked_by(task, 1);
    let messages = asked.last().expect("it was asked").messages().to_vec();
    let told = messages.iter().filter(|message| message["role"] == "tool");
    told.filter_map(|message| message["content"].as_str().map(str::to_owned)).collect()
}

#[test]
fn where_nobody_is_there_the_policy_decides_at_once_and_says_so() {
    let turns = || {
        Script::new().worker(
            "a",
            1,
            [command("echo a > a.txt && /usr/bin/touch b.txt"), write("a.txt", "a\n"), finish("Did it.")],
        )
    };
    for (policy, output, decided, result) in [
        (
            "deny",
            "text",
            "a #1 may not run `echo a > a.txt && /usr/bin/touch b.txt` as nobody is there to ask\n",
            "## README\nhello\n## a.txt\na\n",
        ),
        (
            "allow",
            "json",
            "a #1 may run `echo a > a.txt && /usr/bin/touch b.txt` as nobody is there to ask\n",
            "## README\nhello\n## a.txt\na\n## b.txt\n\n",
        ),
    ] {
        let (s, server) = ruled(&format!("ask = [\"touch\"]\nunattended = \"{policy}\""), turns());
        let out = s.run_plan("a | write a.txt b.txt", &["--output-format", output]).code(0).says("as nobody is there to ask");
        assert_eq!((decisions(&s).as_str(), s.result().as_str()), (decided, result), "{}", out.all());
        let refused = last_told(&server, "a")[0].contains("not allowed (as nobody is there to ask): `touch` is in approvals.ask");
        assert_eq!(refused, policy == "deny");
        s.inspan(&["log"]).code(0).prints("as nobody is there to ask");
        s.inspan(&["status"]).code(0).prints("asked for\n  a #1 may");
    }
}

#[test]
fn what_a_rule_denies_is_not_done_and_is_journaled_once_however_often_it_is_tried() {
    let turns =
        [command("curl x"), command("A=1 env curl x"), command("curl x"), command("echo curl > a.txt"), finish("Did it.")];
    let (s, server) = ruled("deny = [\"curl\"]", Script::new().worker("a", 1, turns));
    s.run_plan("a | write a.txt", &[]).code(0);
    expect![[r#"
        a #1 may not run `curl x` by rule
        a #1 may not run `A=1 env curl x` by rule
    "#]]
    .assert_eq(&decisions(&s));
    let told = last_told(&server, "a");
    assert!(told[..3].iter().all(|said| said.contains("not allowed (by rule): `curl` is in approvals.deny")), "{told:?}");
    assert!(told[3].starts_with("exit 0"), "{told:?}");
}

#[test]
fn denied_files_are_out_of_every_scope_for_plans_tools_requests_and_commands() {
    let rules = "deny_paths = [\"deploy/**\", \"**/*.gen\"]";
    let turns = [
        write("src/key.gen", "x"),
        ask_for(&["deploy/**"]),
        command("mkdir -p src; echo x > src/by-hand.gen"),
        finish("Did it."),
        command("mkdir -p src; echo a > src/a"),
        finish("Did it."),
    ];
    let (s, server) = ruled(rules, Script::new().worker("a", 1, turns));
    s.run_plan("a | write src/** deploy/x.yml", &[]).code(4).says("denied-path").says("deploy/x.yml");
    s.run_plan("a | write src/**", &[]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## src/a\na\n");
    expect![[r#"
        a #1 may not change src/key.gen by rule
        a #1 does not get deploy/** by rule
    "#]]
    .assert_eq(&decisions(&s));
    let told = last_told(&server, "a");
    assert!(told[0].contains("**/*.gen is in approvals.deny_paths"), "{told:?}");
    assert!(told[1].contains("deploy/** is in approvals.deny_paths"), "{told:?}");
    assert!(told[2].contains("a file outside your scope: src/by-hand.gen. It was put back"), "{told:?}");
    let s = Scenario::new(REPO).config(&format!("[approvals]\n{rules}"));
    s.run_plan("a | write src/** | run mkdir src; echo x > src/a; echo x > src/k.gen", &[]).code(3).says("src/k.gen");
}

#[test]
fn a_person_answers_two_workers_one_after_the_other_and_once_is_once() {
    let push = |name: &str| [command(&format!("touch {name}.1")), command(&format!("touch {name}.2")), finish("Did it.")];
    let script = Script::new().worker("a", 1, push("a")).worker("b", 1, push("b"));
    let (s, server) = ruled("ask = [\"touch\"]", script);
    let mut terminal = before_a_person(&s, "a | write a.*\n b | write b.*");
    terminal.wait_for(ASK, 1).type_line("what?").wait_for(ASK, 2).type_line("yes");
    for times in 3..=5 {
        terminal.wait_for(ASK, times).type_line(if times == 4 { "n" } else { "y" });
    }
    assert_eq!(terminal.end(), 0);
    let said = decisions(&s);
    let count = |what: &str| said.matches(what).count();
    assert_eq!((count("asks to"), count("by a person"), count("may not")), (4, 4, 1), "{said}");
    let told: Vec<String> = ["a", "b"].into_iter().flat_map(|task| last_told(&server, task)).collect();
    assert_eq!(told.iter().filter(|said| said.contains("not allowed (by a person)")).count(), 1, "{told:?}");
    assert_eq!(s.result().matches("## ").count(), 4, "{}", s.result());
}

#[test]
fn what_a_person_allows_always_is_not_asked_again_and_the_journal_remembers_it() {
    let turns = |name: &str| [command(&format!("touch {name}.1")), command(&format!("env touch {name}.2")), finish("Did it.")];
    let script = Script::new().worker("a", 1, turns("a")).worker("b", 1, turns("b"));
    let (s, _server) = ruled("ask = [\"touch\"]", script);
    let mut terminal = before_a_person(&s, "a | write a.*\n b | write b.*");
    terminal.wait_for(ASK, 1).type_line("a");
    assert_eq!(terminal.end(), 0);
    assert_eq!(decisions(&s).matches("may always run").count(), 1, "{}", decisions(&s));
    assert_eq!(s.result().matches("## ").count(), 5, "{}", s.result());
    assert!(terminal_shows(&s).contains("commands that begin with `touch`"), "{}", terminal_shows(&s));
    assert_eq!(s.state().standing().len(), 1);
}

fn terminal_shows(s: &Scenario) -> String {
    s.inspan(&["log"]).code(0).stdout
}

#[test]
fn a_question_about_a_file_is_asked_once_an_attempt() {
    let turns = [write("ci/a", "1"), write("ci/a", "2\n"), write("ci/b", "b"), write("src", "s\n"), finish("Did it.")];
    let (s, _server) = ruled("ask_paths = [\"ci/**\"]", Script::new().worker("a", 1, turns));
    let mut terminal = before_a_person(&s, "a | write ci/** src");
    assert!(terminal.shown().contains("asks before ci/**"), "{}", terminal.shown());
    terminal.wait_for(ASK, 1).type_line("y").wait_for(ASK, 2).type_line("no");
    assert_eq!(terminal.end(), 0);
    expect![[r#"
        a #1 asks to change ci/a
        a #1 may change ci/a by a person
        a #1 asks to change ci/b
        a #1 may not change ci/b by a person
    "#]]
    .assert_eq(&decisions(&s));
    assert_eq!(s.result(), "## README\nhello\n## ci/a\n2\n## src\ns\n");
}

#[test]
fn a_question_that_nobody_answers_in_time_is_decided_as_if_nobody_were_there() {
    let turns = [command("touch a.txt"), command("touch b.txt"), write("a.txt", "a\n"), finish("Did it.")];
    let (s, server) = ruled("ask = [\"touch\"]\ndeadline = \"1s\"", Script::new().worker("a", 1, turns));
    let mut terminal = before_a_person(&s, "a | write a.txt");
    terminal.wait_for(ASK, 1).wait_for("No answer is needed any more.", 1).wait_for(ASK, 2);
    assert_eq!(terminal.end(), 0);
    expect![[r#"
        a #1 asks to run `touch a.txt`
        a #1 may not run `touch a.txt` as nobody answered in time
        a #1 asks to run `touch b.txt`
        a #1 may not run `touch b.txt` as nobody answered in time
    "#]]
    .assert_eq(&decisions(&s));
    assert!(last_told(&server, "a")[0].contains("as nobody answered in time"));
}

#[test]
fn a_run_that_is_stopped_waits_for_no_answer() {
    let (s, _server) = ruled("ask = [\"touch\"]", Script::new().worker("a", 1, [command("touch a.txt"), finish("Did it.")]));
    let mut terminal = before_a_person(&s, "a | write a.txt");
    terminal.wait_for(ASK, 1).interrupt();
    assert_eq!(terminal.end(), 130);
    expect![[r#"
        a #1 asks to run `touch a.txt`
    "#]]
    .assert_eq(&decisions(&s));
    assert_eq!(s.state().requests(), [], "nobody waits any more");
}

#[test]
fn a_question_of_an_attempt_that_is_stopped_goes_away() {
    let script = |go: &str| {
        let blocked = call("finish", json!({ "status": "blocked", "summary": "no", "hand_off": "", "follow_ups": [] }));
        let mended = json!([{ "edit": "drop", "task": "a", "because": "b" }, { "edit": "retry", "task": "b", "because": "b" }]);
        Script::new()
            .planner(1, [plan("gate | true\n a | write a.txt\n b | write b.txt")])
            .planner(2, [edits(&mended)])
            .worker("a", 1, [command("touch a.txt"), finish("Did it.")])
            .worker("b", 1, [command(&format!("until test -e '{go}'; do sleep 0.05; done")), blocked])
            .worker("b", 2, [command("touch b.txt"), write("b.txt", "b\n"), finish("Did it.")])
    };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let go = folder.path().join("go");
    let (s, _server) = ruled("ask = [\"touch\"]", script(go.to_str().expect("the path is text")));
    let s = s.env("INSPAN_SANDBOX_READ", folder.path());
    let mut terminal = s.terminal(&["run", "Write both"]);
    terminal.wait_for("Approve this plan?", 1).type_line("a").wait_for(ASK, 1);
    std::fs::write(go, "").expect("a file can be written");
    terminal.wait_for("No answer is needed any more.", 1).wait_for(ASK, 2).type_line("y");
    assert_eq!(terminal.end(), 0);
    assert_eq!((s.result().as_str(), s.state().requests().len()), ("## README\nhello\n## b.txt\nb\n", 1));
}

#[test]
fn a_file_whose_owner_has_landed_meanwhile_needs_no_answer() {
    let a = [ask_for(&["b.txt"]), command("echo a > a.txt; echo b >> b.txt"), finish("Did it.")];
    let (s, _server) = ruled("", Script::new().worker("a", 1, a));
    let s = s.with_meeting_place();
    let go = s.meeting_place().join("go");
    let b = format!("run until test -e '{}'; do sleep 0.05; done; echo x > other", go.display());
    let mut terminal = before_a_person(&s, &format!("a | write a.txt\n b | write b.txt other | {b}"));
    terminal.wait_for(ASK, 1);
    std::fs::write(go, "").expect("a file can be written");
    assert_eq!(terminal.end(), 0);
    expect![[r#"
        a #1 asks to also write b.txt
        a #1 gets b.txt by rule
    "#]]
    .assert_eq(&decisions(&s));
}

#[test]
fn commands_of_a_plan_that_the_person_denies_stop_their_task_and_those_to_ask_about_follow_the_policy_where_nobody_approved() {
    let plan = "a | write a.txt | run touch a.txt\n b | write b | run mkdir b && echo > b/b\n c | write c | run echo > c | verify touch c";
    for (policy, result) in [("deny", "## README\nhello\n"), ("allow", "## README\nhello\n## b/b\n\n")] {
        let rules = format!("[approvals]\ndeny = [\"touch\"]\nask = [\"mkdir\"]\nunattended = \"{policy}\"");
        let s = Scenario::new(REPO).config(&rules);
        s.run_plan(plan, &["--no-gate"]).code(3);
        assert_eq!(s.result(), result, "{policy}");
        let log = s.inspan(&["log"]).code(0).stdout;
        assert!(log.contains("`touch c` is not run (by rule): `touch` is in approvals.deny"), "{log}");
        assert_eq!(
            log.contains("is not run (as nobody is there to ask): `mkdir` is in approvals.ask"),
            policy == "deny",
            "{log}"
        );
    }
    let s = Scenario::new(REPO).config("[approvals]\nask = [\"mkdir\"]").env("TERM", "dumb");
    assert_eq!(before_a_person(&s, "b | write b | run mkdir b && echo > b/b").end(), 0);
    assert_eq!(s.result(), "## README\nhello\n## b/b\n\n");
}

#[test]
fn a_gate_that_the_rules_forbid_refuses_the_run_before_anything_is_done() {
    let s = Scenario::new(REPO).config("[approvals]\ndeny = [\"make\"]");
    let out = s.run_plan("gate | make check\n a | write a.txt | run echo > a.txt", &[]).code(2);
    out.says("`make` is in approvals.deny").says("Change the gate");
    assert!(!s.history().events().any(|event| matches!(event, Event::AttemptStarted { .. })));
}

#[test]
fn the_time_to_answer_runs_from_when_a_question_is_shown_and_who_was_away_has_refused_nothing() {
    let turns = |name: &str| {
        let touch = format!("touch {name}.txt");
        [command(&touch), command(&touch), write(&format!("{name}.txt"), "x\n"), finish("Did it.")]
    };
    let script = Script::new().worker("a", 1, turns("a")).worker("b", 1, turns("b"));
    let (s, _server) = ruled("ask = [\"touch\"]\ndeadline = \"2s\"", script);
    let mut terminal = before_a_person(&s, "a | write a.txt\n b | write b.txt");
    terminal.wait_for(ASK, 1).wait_for("No answer is needed any more.", 1);
    for times in 2..=4 {
        terminal.wait_for(ASK, times).type_line("y");
    }
    assert_eq!(terminal.end(), 0);
    let said = decisions(&s);
    let count = |what: &str| said.matches(what).count();
    assert_eq!((count("asks to"), count("as nobody answered in time"), count("by a person")), (4, 1, 3), "{said}");
}

#[test]
fn a_file_that_another_task_owns_is_shared_by_a_persons_word_and_merged() {
    let a = [ask_for(&["shared.txt"]), command("sed -i s/one/ONE/ shared.txt; echo a > a.txt"), finish("Did it.")];
    let script = Script::new().worker("a", 1, a);
    let (s, _server) = ruled("", script);
    s.repository().write("shared.txt", "one\n2\n3\n4\n5\n6\n7\n8\nnine\n").commit("A file for two");
    let path =
        "a | write a.txt\n b | write shared.txt | run until test -e '$GO'; do sleep 0.05; done; sed -i s/nine/NINE/ shared.txt";
    let s = s.with_meeting_place();
    let go = s.meeting_place().join("go");
    let mut terminal = before_a_person(&s, &path.replace("$GO", go.to_str().expect("the path is text")));
    terminal.wait_for(ASK, 1);
    assert!(terminal.shown().contains("the callers are there") && terminal.shown().contains("`b` owns"), "{}", terminal.shown());
    terminal.type_line("y");
    s.wait_until(|event| matches!(event, Event::ScopeGranted { .. }));
    std::fs::write(go, "").expect("a file can be written");
    assert_eq!(terminal.end(), 0);
    expect![[r#"
        a #1 asks to also write shared.txt
        a #1 gets shared.txt, shared by a person
    "#]]
    .assert_eq(&decisions(&s));
    assert!(s.result().contains("ONE\n2") && s.result().contains("8\nNINE"), "{}", s.result());
}

#[test]
fn what_was_refused_is_shown_and_told_to_the_planner_at_the_next_re_plan() {
    let blocked = call("finish", json!({ "status": "blocked", "summary": "b.txt is needed", "hand_off": "", "follow_ups": [] }));
    let a = [ask_for(&["b.txt"]), ask_for(&["**"]), ask_for(&["free.txt"]), blocked];
    let mended = json!([{ "edit": "retry", "task": "a", "because": "b has landed" }]);
    let script = Script::new()
        .planner(1, [plan("gate | true\n a | write a.txt\n b | write b.txt | after c\n c | write c.txt | run touch c.txt")])
        .planner(2, [edits(&mended)])
        .worker("a", 1, a)
        .worker("a", 2, [write("a.txt", "a\n"), finish("Did it.")])
        .worker("b", 1, [write("b.txt", "b\n"), finish("Did it.")]);
    let (s, server) = ruled("", script);
    s.inspan(&["run", "Write all", "--yes"]).code(0).says("a #1 may not also write b.txt");
    expect![[r#"
        a #1 does not get b.txt as nobody is there to ask
        a #1 does not get ** as nobody is there to ask
        a #1 gets free.txt by rule
    "#]]
    .assert_eq(&decisions(&s));
    let told = server.asked_by_planner(2)[0].last().to_owned();
    let (_, refused) = told.split_once("## Asked for and refused\n").unwrap_or_else(|| panic!("{told}"));
    expect![[r#"
        - a #1 may not also write b.txt (as nobody is there to ask): `b` owns b.txt (its reason: the callers are there)
        - a #1 may not also write ** (as nobody is there to ask): `b` owns b.txt, `c` owns c.txt (its reason: the callers are there)"#]].assert_eq(refused.split("\n\n").next().unwrap_or_default());
}

#[test]
fn only_a_plan_that_a_person_reviews_asks_for_the_hosts_network() {
    let online = "gate | true\n a | write a.txt | network host";
    let good = "gate | true\n a | write a.txt | network none";
    let mut new = plan_json("n | write n.txt")["tasks"][0].clone();
    new["network"] = json!("host");
    let wide = json!([{ "edit": "add", "new": new, "because": "b" }]);
    let mended = json!([{ "edit": "retry", "task": "a", "because": "b" }]);
    let blocked = call("finish", json!({ "status": "blocked", "summary": "no", "hand_off": "", "follow_ups": [] }));
    let script = Script::new()
        .planner(1, [plan(online), plan(good)])
        .planner(2, [edits(&wide), edits(&mended)])
        .worker("a", 1, [blocked])
        .worker("a", 2, [write("a.txt", "a\n"), finish("Did it.")]);
    let (s, server) = ruled("", script);
    s.inspan(&["run", "Write a", "--yes"]).code(0);
    assert!(server.asked_by_planner(1)[1].last().contains("no person reviews this plan"));
    assert!(server.asked_by_planner(2)[1].last().contains("only a plan that a person reviews can"));
    let (s, _server) = ruled("", Script::new().worker("a", 1, [write("a.txt", "a\n"), finish("Did it.")]));
    let mut terminal = before_a_person(&s, online);
    terminal.wait_for("warning[host-network]", 1).wait_for("network HOST", 1);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_policy_for_when_nobody_is_there_gives_what_is_broad_and_never_what_another_task_owns() {
    let a = [ask_for(&["wide/**"]), ask_for(&["b/b.txt"]), write("wide/x", "x"), finish("Did it.")];
    let (s, _server) = ruled("unattended = \"allow\"", Script::new().worker("a", 1, a));
    for n in 0..20 {
        s.repository().write(&format!("wide/{n}"), "n");
    }
    s.repository().commit("A wide folder");
    s.run_plan("a | write a.txt\n b | write b/b.txt | run mkdir b; touch b/b.txt", &[]).code(0);
    let by: Vec<Decider> = s
        .history()
        .events()
        .filter_map(|event| match event {
            Event::ScopeGranted { by, .. } | Event::ScopeRefused { by, .. } => Some(*by),
            _ => None,
        })
        .collect();
    assert_eq!(by, [Decider::Unattended; 2], "{}", decisions(&s));
    expect![[r#"
        a #1 gets wide/** as nobody is there to ask
        a #1 does not get b/b.txt as nobody is there to ask
    "#]]
    .assert_eq(&decisions(&s));
}
