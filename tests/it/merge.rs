//! How finished work comes together on the run branch.

mod driver;
mod ladder;

use ::plans::event::Event;
use expect_test::expect;
use serde_json::{Value, json};
use tests::{
    Scenario, branch,
    model::{ModelServer, Script, Turn, call, finish, hand_off, write},
};

#[test]
fn disjoint_work_lands_as_one_commit_a_task_with_trailers() {
    let s = Scenario::new("## README\nhello\n");
    let before = s.fingerprint();
    s.run_plan(
        "gate | test -f README
         a | write a.txt | run echo one > a.txt
         b | write b.txt | run echo two > b.txt
         c | after a b | write c.txt | run cat a.txt b.txt > c.txt",
        &[],
    )
    .code(0);
    expect![[r#"
        ## README
        hello
        ## a.txt
        one
        ## b.txt
        two
        ## c.txt
        one
        two
    "#]]
    .assert_eq(&s.result());
    for commit in branch::commits(&s) {
        let message = s.repository().git(&["log", "-1", "--format=%B", &commit]);
        let subject = message.lines().next().unwrap_or_default();
        let id = subject.strip_prefix("Do ").expect("the subject is the title");
        let trailers = format!("Inspan-Run: {}\nInspan-Task: {id}\nInspan-Attempt: 1", s.run_id());
        assert!(message.ends_with(&trailers), "{message}");
    }
    assert_eq!(branch::commits(&s).len(), 3);
    branch::assert_always_green(&s);
    before.assert_is(&s.fingerprint());
}

#[test]
fn edits_of_different_places_of_one_shared_file_merge() {
    let lines = (1..=20).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    let s = Scenario::new(&format!("## list.dat\n{lines}\n"));
    s.run_plan(
        "a | write a.txt | shared list.dat | run sed -i 's/^line 2$/two/' list.dat; touch a.txt
         b | write b.txt | shared list.dat | run sed -i 's/^line 19$/nineteen/' list.dat; touch b.txt",
        &[],
    )
    .code(0);
    let result = s.result();
    assert!(result.contains("line 1\ntwo\n") && result.contains("nineteen\nline 20"), "{result}");
    assert_eq!(s.history().count(|event| matches!(event, Event::LandingConflicted { .. })), 0);
    branch::assert_always_green(&s);
}

fn keep_both() -> [Turn; 3] {
    let read = call("read_file", json!({ "path": "list.dat" }));
    [read, write("list.dat", "from a, from b\n"), finish("Kept both.")]
}

/// The file is to have one line, so that both texts, one after the other, are not what the tasks mean.
const ONE_LINE: &str = "a | shared list.dat | write a/** | deliver list.dat | verify test $(wc -l < list.dat) = 1
                        b | shared list.dat | write b/** | deliver list.dat | verify test $(wc -l < list.dat) = 1";

/// Two agents write the same new file; whoever lands second keeps what the first wrote.
fn conflict_script() -> Script {
    Script::new()
        .worker("a", 1, [write("list.dat", "from a\n"), hand_off("Wrote a.", "The list says `from a`.")])
        .worker("b", 1, [write("list.dat", "from b\n"), finish("Wrote b.")])
        .worker("a", 2, keep_both())
        .worker("b", 2, keep_both())
}

#[test]
fn an_agent_is_told_both_sides_of_a_conflict_and_goes_on_in_its_own_conversation() {
    let server = ModelServer::start(conflict_script());
    let s = Scenario::new("## README\nhello\n").model(&server);
    s.run_plan(ONE_LINE, &[]).code(0);
    expect![[r#"
        ## README
        hello
        ## list.dat
        from a, from b
    "#]]
    .assert_eq(&s.result());
    let conflicts: Vec<_> =
        s.history().events().filter(|event| matches!(event, Event::LandingConflicted { .. })).cloned().collect();
    let [Event::LandingConflicted { key, with, .. }] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    let (late, early) = (key.task.as_str(), with[0].as_str());
    let before = server.asked_by(late, 1);
    let after = server.asked_by(late, 2);
    let (last, first) = (before.last().expect("it was asked"), after.first().expect("it goes on"));
    let known = last.messages();
    assert_eq!(&first.messages()[..known.len()], known, "the conversation is only ever appended to");
    let told = first.last();
    for wanted in [format!("from {early}"), format!("from {late}"), format!("`{early}`"), "list.dat".to_owned()] {
        assert!(told.contains(&wanted), "`{wanted}` is missing in:\n{told}");
    }
    branch::assert_always_green(&s);
}

#[test]
fn the_prompt_of_every_turn_extends_the_one_before_exactly() {
    let server = ModelServer::start(conflict_script());
    let s = Scenario::new("## README\nhello\n").model(&server);
    s.run_plan(ONE_LINE, &[]).code(0);
    for (task, attempt) in [("a", 1), ("b", 1)] {
        for pair in server.asked_by(task, attempt).windows(2) {
            let (earlier, later) = (pair[0].messages(), pair[1].messages());
            assert_eq!(earlier, &later[..earlier.len()]);
            assert_eq!(pair[0].body["tools"], pair[1].body["tools"]);
        }
    }
    let openings: Vec<Value> =
        server.asked().iter().filter(|asked| asked.role == "worker").map(|a| a.messages()[0].clone()).collect();
    assert!(openings.windows(2).all(|pair| pair[0] == pair[1]), "all workers of a run begin with the same bytes");
}

/// Both start from the same base: each waits until the other has started too.
const TOGETHER: &str = "touch \"$TOGETHER/$INSPAN_TASK\"; until test -e \"$TOGETHER/a\" && test -e \"$TOGETHER/b\"; do :; done";

fn together(s: Scenario) -> Scenario {
    let s = s.with_meeting_place();
    let place = s.meeting_place();
    s.env("TOGETHER", place).config("[env]\npass = [\"TOGETHER\"]")
}

#[test]
fn a_command_worker_whose_change_conflicts_is_run_again_on_the_new_tip() {
    let s = together(Scenario::new("## list.dat\nstart\n"));
    let worker = format!("{TOGETHER}; echo $INSPAN_TASK >> list.dat");
    // Whoever lands second wants to be the last: neither order of both, put together without it, will do.
    let task = |name| {
        format!("{name} | shared list.dat | write {name}/** | verify test \"$(tail -n 1 list.dat)\" = {name} | run {worker}\n")
    };
    s.run_plan(&["a", "b"].map(task).concat(), &[]).code(0);
    let result = s.repository().git(&["show", &format!("inspan/{}:list.dat", s.run_id())]);
    let mut lines: Vec<&str> = result.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a", "b", "start"], "nothing of either is lost");
    assert_eq!(s.history().count(|event| matches!(event, Event::LandingConflicted { .. })), 1);
    branch::assert_always_green(&s);
}

#[test]
fn a_task_that_conflicts_as_often_as_it_may_ends_as_conflict_and_the_rest_lands() {
    // Everybody wants to be the last one, so that nothing can be put together.
    const LAST: &str = "test \"$(tail -n 1 list.dat)\" = ";
    // Each time that `b` is at it, the next of the others lands: its gate says so, and only then does `b` write.
    let gate = "touch \"$TOGETHER/gate-$(grep -c '^a' list.dat)\"";
    let b = "n=1; while test -e \"$TOGETHER/b-$n\"; do n=$((n+1)); done; touch \"$TOGETHER/b-$n\"; \
             until test -e \"$TOGETHER/gate-$n\"; do :; done; echo b >> list.dat";
    let a = |n: usize| format!("until test -e \"$TOGETHER/b-{n}\"; do :; done; echo a{n} >> list.dat");
    let plan = format!(
        "gate | {gate}
         a1 | write a1/** | shared list.dat | verify {LAST}a1 | run {}
         a2 | after a1 | write a2/** | shared list.dat | verify {LAST}a2 | run {}
         a3 | after a2 | write a3/** | shared list.dat | verify {LAST}a3 | run {}
         b | write b/** | shared list.dat | verify test \"$(tail -n 1 list.dat)\" = b | run {b}",
        a(1),
        a(2),
        a(3)
    );
    let s = together(Scenario::new("## list.dat\nstart\n"));
    s.run_plan(&plan, &[]).code(3);
    assert_eq!(s.result(), "## list.dat\nstart\na1\na2\na3\n");
    let state = s.state();
    let record = state.tasks().iter().find(|record| record.id.as_str() == "b").expect("it is in the plan");
    assert_eq!(record.state.name(), "conflict");
    assert_eq!(s.history().count(|event| matches!(event, Event::LandingConflicted { .. })), 3);
    let kept = format!("refs/inspan/{}/b/conflict", s.run_id());
    assert!(record.why.contains(&kept), "{}", record.why);
    assert!(s.repository().git(&["show", &format!("{kept}:list.dat")]).contains("=======\nb\n>>>>>>> b"));
    assert!(["b/1", "b/2", "b/3"].iter().all(|attempt| s.attempts().contains(&(*attempt).to_owned())), "nothing is lost");
    let setbacks = ::plans::evidence::account(&state);
    assert!(record.setbacks.len() == 3 && record.why.contains("list.dat"), "{setbacks}");
}

#[test]
fn a_renamed_folder_does_not_carry_another_tasks_file_out_of_its_scope() {
    let s = Scenario::new("## old/1\n1\n## old/2\n2\n");
    s.repository().git(&["config", "merge.directoryRenames", "true"]);
    s.run_plan(
        "mv | write old/1 old/2 new/** | run mkdir new; mv old/1 old/2 new/\n add | write old/x | run mkdir -p old; echo x > old/x",
        &[],
    )
    .code(0);
    assert_eq!(s.result(), "## new/1\n1\n## new/2\n2\n## old/x\nx\n");
    let conflicted = |event: &&::plans::event::Event| matches!(event, ::plans::event::Event::LandingConflicted { .. });
    assert!(!s.history().events().any(|event| conflicted(&event)), "nobody did anything twice: {}", s.history().outline());
}

#[test]
fn a_run_branch_that_is_checked_out_is_not_moved_and_the_run_halts_once() {
    let s = Scenario::new("## a.txt\na\n").with_meeting_place();
    let gate = s.meeting_place().join("go");
    let run = s.start_plan(&format!("a | write b.txt | run until test -e '{}'; do :; done; echo b > b.txt", gate.display()), &[]);
    s.wait_until(|event| matches!(event, ::plans::event::Event::AttemptStarted { .. }));
    let branch = format!("inspan/{}", s.run_id());
    s.repository().git(&["switch", "-q", &branch]);
    std::fs::write(gate, "").expect("it is ours");
    run.wait().code(1).says("is checked out in");
    assert_eq!(s.repository().git(&["status", "--porcelain"]), "");
    s.repository().git(&["switch", "-q", "main"]);
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(s.result(), "## a.txt\na\n## b.txt\nb\n");
}

#[test]
fn a_task_may_be_called_base() {
    let s = Scenario::new("## a.txt\na\n");
    s.run_plan("base | write b.txt | run echo b > b.txt", &[]).code(0);
}

#[test]
fn an_edit_that_a_rename_carries_out_of_its_scope_is_a_conflict() {
    let s = Scenario::new("## old/1\n1\n2\n3\n4\n5\n").with_meeting_place();
    let moved = s.meeting_place().join("moved");
    // Both start from the same tip; the edit ends only once the rename has landed.
    let run = s.start_plan(
        &format!(
            "mv | shared old/1 | write new/** | run mkdir new; mv old/1 new/1\n ed | shared old/1 | run until test -e '{}'; do :; done; echo 6 >> old/1",
            moved.display()
        ),
        &[],
    );
    s.wait_until(|event| matches!(event, ::plans::event::Event::TaskLanded { .. }));
    std::fs::write(moved, "").expect("it is ours");
    run.wait();
    let conflicted = |event: &&::plans::event::Event| matches!(event, ::plans::event::Event::LandingConflicted { .. });
    assert!(s.history().events().any(|event| conflicted(&event)), "{}", s.history().outline());
}
