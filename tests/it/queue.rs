//! How batches come to the run branch: stacked, proved once, bisected where they are red, and whose fault that is.

use ::plans::event::{Event, RunStatus};
use expect_test::expect;
use tests::{Scenario, branch};

/// Commands meet in a folder that they find in `$MEET`.
fn scenario(files: &str) -> Scenario {
    let s = Scenario::new(files).with_meeting_place();
    let place = s.meeting_place();
    s.env("MEET", place).config("[env]\npass = [\"MEET\"]")
}

fn file(s: &Scenario, name: &str) -> String {
    std::fs::read_to_string(s.meeting_place().join(name)).unwrap_or_default()
}

fn put(s: &Scenario, name: &str) {
    std::fs::write(s.meeting_place().join(name), "").expect("it is ours");
}

/// The gate holds whatever comes with `first`, until the others have finished: they are one batch then. Where nobody meets, it is green.
const GATE: &str = "test -n \"$MEET\" || exit 0; echo run >> \"$MEET/runs\"; if test -e first -a ! -e \"$MEET/go\"; then touch \"$MEET/held\"; \
                    until test -e \"$MEET/go\"; do sleep 0.01; done; fi";
/// The others begin to write once the first is being proved.
const WAIT: &str = "until test -e \"$MEET/held\"; do sleep 0.01; done";

/// Runs a plan in which `first` is being proved until all `others` have finished, so that they land as a batch.
fn run_as_batch(s: &Scenario, plan: &str, others: usize) -> tests::Outcome {
    let run = s.start_plan(plan, &["--workers", "8"]);
    let done = |event: &&Event| matches!(event, Event::AttemptEnded { .. });
    tests::eventually(|| s.runs().first().and_then(|_| (s.history().count(|event| done(&event)) > others).then_some(())))
        .expect("all have finished");
    put(s, "go");
    run.wait()
}

#[test]
fn what_finished_meanwhile_lands_as_one_batch_with_one_run_of_the_gate() {
    let s = scenario("## README\nhello\n").config("[landing]\nspeculate = false");
    let task = |name: &str| format!("{name} | write {name} | run {WAIT}; touch {name}\n");
    let plan =
        format!("gate | {GATE}\n first | write first | run touch first\n{}{}{}{}", task("a"), task("b"), task("c"), task("d"));
    run_as_batch(&s, &plan, 4).code(0);
    assert_eq!(file(&s, "runs").lines().count(), 3, "the base, the first, and the rest together: {}", s.history().outline());
    assert_eq!(branch::commits(&s).len(), 5, "one commit a task");
    assert_eq!(s.result(), "## README\nhello\n## a\n\n## b\n\n## c\n\n## d\n\n## first\n\n");
}

#[test]
fn of_a_batch_one_that_is_red_alone_is_refused_and_the_others_land() {
    let s = scenario("## README\nhello\n").config("[landing]\nspeculate = false\n[run]\nattempts = 1");
    let plan = format!(
        "gate | {GATE} | test ! -e bad
         first | write first | run touch first
         a | write a | run {WAIT}; touch a
         b | write bad | run {WAIT}; touch bad
         c | write c | run {WAIT}; touch c"
    );
    run_as_batch(&s, &plan, 3).code(3).says("b #1 is red alone: gate: `test ! -e bad` exit 1");
    assert_eq!(s.result(), "## README\nhello\n## a\n\n## c\n\n## first\n\n");
    let refused: Vec<_> = s.history().events().filter(|event| matches!(event, Event::LandingRefused { .. })).cloned().collect();
    let [Event::LandingRefused { verdict, .. }] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!(verdict.red_before, Some(false));
}

#[test]
fn two_tasks_that_are_green_alone_and_red_together_are_named_as_a_pair_and_the_later_one_is_done_again() {
    let s = scenario("## README\nhello\n").config("[landing]\nspeculate = false\n[run]\nattempts = 1");
    // Whoever finds the other's file leaves its own name out.
    let task = |name: &str, other: &str| {
        format!(
            "{name} | write {name} | run {WAIT}; if test -e {other}; then echo beside > {name}; else echo alone > {name}; fi\n"
        )
    };
    let plan = format!(
        "gate | {GATE} | test \"$(sort -u a b)\" != alone -o ! -e a -o ! -e b\n first | write first | run touch first\n{}{}",
        task("a", "b"),
        task("b", "a")
    );
    run_as_batch(&s, &plan, 2).code(0).says("green alone, red together with");
    let clashes: Vec<_> = s.history().events().filter(|event| matches!(event, Event::TasksClashed { .. })).cloned().collect();
    let [Event::TasksClashed { key, with, .. }] = clashes.as_slice() else { panic!("{}", s.history().outline()) };
    let state = s.state();
    let record = state.task(&key.task).expect("it is in the plan");
    assert_eq!((record.tries, record.conflicts, record.attempts), (0, 1, 2), "nobody is blamed");
    let task = state.plan().and_then(|plan| plan.get(&key.task)).expect("it is in the plan");
    assert_eq!(task.depends_on, std::slice::from_ref(with), "the plan says what was seen");
    assert_eq!(s.repository().git(&["show", &format!("inspan/{}:{}", s.run_id(), key.task)]), "beside");
    branch::assert_always_green(&s);
}

#[test]
fn a_gate_that_passes_when_it_is_run_again_is_flaky_and_refuses_nothing() {
    let s = scenario("## README\nhello\n");
    let gate = "test ! -e a -o -e \"$MEET/ran\" || { touch \"$MEET/ran\"; echo bad luck; exit 1; }";
    s.run_plan(&format!("gate | {gate}\n a | write a | run touch a"), &[]).code(0).says("flaky: ");
    let seen: Vec<_> = s.history().events().filter(|event| matches!(event, Event::FlakySeen { .. })).cloned().collect();
    let [Event::FlakySeen { tasks, output, .. }] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((tasks.len(), output.as_str()), (1, "bad luck"));
    s.inspan(&["status"]).code(0).prints("flaky ");
}

#[test]
fn a_gate_that_is_red_on_the_base_blames_no_task_and_leaves_the_run_incomplete() {
    let s = scenario("## README\nhello\n");
    let out = s.run_plan("gate | test -e mended | true\n a | write a | run touch a\n b | write b | run touch b", &[]).code(3);
    let out = out.says("the base fails the gate: `test -e mended` (exit 1)").says("the gate fails as it did before the run");
    assert_eq!(s.history().count(|event| matches!(event, Event::LandingRefused { .. })), 0, "{}", out.all());
    assert_eq!(s.state().landed().len(), 2);
    s.inspan(&["status"]).code(0).prints("red      `test -e mended` failed before the run and still does (exit 1)");
}

#[test]
fn a_gate_that_a_task_mends_has_to_stay_green_from_then_on() {
    let s = scenario("## README\nhello\n").config("[run]\nattempts = 1");
    let plan = "gate | test -e mended
        a | write mended | run touch mended
        b | after a | shared mended | write b | run rm mended; touch b";
    s.run_plan(plan, &[]).code(3).says("b #1 is red alone: gate: `test -e mended` exit 1");
    assert_eq!(s.state().known_red(), []);
    assert!(s.history().events().any(|event| matches!(event, Event::RunEnded { status: RunStatus::Incomplete, .. })));
}

#[test]
fn a_gate_that_hangs_halts_the_run_and_a_resume_lands_everything() {
    let s = scenario("## README\nhello\n");
    put(&s, "hang");
    let plan = "version = 1\ngoal = \"g\"\n[gate]\ncommands = ['test ! -e a -o ! -e \"$MEET/hang\" || sleep 60']\ntimeout = \"1s\"\n\
                [[task]]\nid = \"a\"\ntitle = \"a\"\ninstructions = \"a\"\nwrite = [\"a\"]\nworker = { command = \"touch a\" }\n";
    let path = s.plan_file(plan);
    s.inspan(&["run", "--plan", &path, "--yes"]).code(1).says("did not end in time").says("inspan resume");
    expect![[r#"
        run_started
        plan_proposed
        plan_approved
        base_proved
        attempt_started a #1
        attempt_ended a #1 done
        landing_started a #1
        landing_put_back a #1
        run_halted
    "#]]
    .assert_eq(&s.history().outline());
    std::fs::remove_file(s.meeting_place().join("hang")).expect("it is there");
    s.inspan(&["resume", "--yes"]).code(0);
    assert_eq!(s.result(), "## README\nhello\n## a\n\n");
}

#[test]
fn a_gate_whose_tool_is_missing_halts_the_run_before_a_worker_starts() {
    let s = scenario("## README\nhello\n");
    s.run_plan("gate | no-such-tool --all\n a | write a | run touch a", &[]).code(1).says("needs `no-such-tool`");
    assert_eq!(s.history().count(|event| matches!(event, Event::AttemptStarted { .. })), 0, "{}", s.history().outline());
    s.inspan(&["status"]).code(0).prints("halted");
}

#[test]
fn killed_between_the_verdict_on_a_batch_and_its_landing_every_task_lands_once() {
    for at in [0, 2, 3, 4] {
        let s = scenario("## README\nhello\n").config("[landing]\nspeculate = false");
        let task = |name: &str| format!("{name} | write {name} | run {WAIT}; touch {name}\n");
        let plan = format!("gate | {GATE}\n first | write first | run touch first\n{}{}{}", task("a"), task("b"), task("c"));
        let run = s.start_plan(&plan, &["--workers", "8"]);
        let ended = || s.history().count(|event| matches!(event, Event::AttemptEnded { .. }));
        tests::eventually(|| (!s.runs().is_empty() && ended() > 3).then_some(())).expect("all have finished");
        let seq = s.history().0.len() as u64;
        put(&s, "go");
        // `first` lands; the batch is announced, passes, and lands, an event a task.
        s.wait_until_seq(seq + 5 + at);
        run.kill();
        let out = s.inspan(&["resume", "--yes"]);
        assert!(s.state().landed().len() == 4, "{}\n{}", out.all(), s.history().outline());
        assert_eq!(branch::commits(&s).len(), 4, "each once: {}", s.history().outline());
        branch::assert_always_green(&s);
    }
}

/// Runs a plan in which `first` is being proved until the others, which have finished, are being proved on top of it.
fn run_ahead(s: &Scenario, plan: &str, ahead: &str) -> tests::Outcome {
    let run = s.start_plan(plan, &["--workers", "8"]);
    s.wait_until(|event| matches!(event, Event::LandingStarted { key, .. } if key.task.as_str() == ahead));
    put(s, "go");
    run.wait()
}

#[test]
fn while_a_slow_gate_is_at_one_batch_the_next_is_proved_on_top_of_it() {
    let s = scenario("## README\nhello\n");
    let plan = format!("gate | {GATE}\n first | write first | run touch first\n a | write a | run {WAIT}; touch a");
    run_ahead(&s, &plan, "a").code(0);
    expect![[r#"
        run_started
        plan_proposed
        plan_approved
        base_proved
        attempt_started first #1
        attempt_started a #1
        attempt_ended first #1 done
        landing_started first #1
        attempt_ended a #1 done
        landing_started a #1
        gate_passed first #1
        task_landed first #1
        gate_passed a #1
        task_landed a #1
        run_ended complete
    "#]]
    .assert_eq(&s.history().outline());
    assert_eq!(file(&s, "runs").lines().count(), 3, "the base, and each once");
    assert_eq!(branch::subjects(&s), "Do first\nDo a");
}

#[test]
fn what_was_proved_on_top_of_a_batch_that_does_not_land_is_proved_again() {
    let s = scenario("## README\nhello\n").config("[run]\nattempts = 1");
    let plan = format!(
        "gate | {GATE} | test ! -e bad\n first | write first bad | run touch first bad\n a | write a | run {WAIT}; touch a"
    );
    run_ahead(&s, &plan, "a").code(3).says("first #1 is red alone: gate: `test ! -e bad` exit 1");
    assert_eq!(s.result(), "## README\nhello\n## a\n\n");
    assert_eq!(branch::subjects(&s), "Do a");
    let back = s.history().count(|event| matches!(event, Event::LandingPutBack { key, .. } if key.task.as_str() == "a"));
    assert_eq!(back, 1, "{}", s.history().outline());
}

#[test]
fn what_is_proved_ahead_has_to_pass_the_proofs_of_what_it_is_stacked_on() {
    // `a` knows nothing of what `first` proves, and the first candidate for both breaks it; the other order holds.
    let s = scenario("## list.dat\nstart\n");
    let proof = |name: &str| format!("test \"$(tail -n 1 list.dat)\" = {name}");
    let first =
        format!("first | shared list.dat | write first | verify {} | run echo first >> list.dat; touch first", proof("first"));
    let a = format!(
        "a | shared list.dat | write a | verify grep -qx a list.dat | run {WAIT}; grep -qx first list.dat || echo a >> list.dat; touch a"
    );
    run_ahead(&s, &format!("gate | {GATE}\n {first}\n {a}"), "a").code(0);
    let list = s.repository().git(&["show", &format!("inspan/{}:list.dat", s.run_id())]);
    assert_eq!(list, "start\na\nfirst", "{}", s.history().outline());
}

#[test]
fn a_command_of_the_gate_is_judged_on_what_the_one_before_it_has_built() {
    // The second command reads what the first one builds and git ignores.
    let s = scenario("## .gitignore\nbuilt\n## parts/one\ngood\n").config("[landing]\nspeculate = false\n[run]\nattempts = 1");
    let task = |name: &str, word: &str| format!("{name} | write parts/{name} | run {WAIT}; echo {word} > parts/{name}\n ");
    let plan = format!(
        "gate | {GATE} | cat parts/* > built | ! grep -q BAD built\n first | write first | run touch first\n {}{}{}{}",
        task("a", "good"),
        task("b", "good"),
        task("c", "BAD"),
        task("d", "good")
    );
    run_as_batch(&s, &plan, 4).code(3).says("c #1 is red");
    assert_eq!(s.history().count(|event| matches!(event, Event::TaskLanded { .. })), 4, "{}", s.history().outline());
}
