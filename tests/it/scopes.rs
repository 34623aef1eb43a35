//! Nobody writes outside their scope, and nobody touches the person's checkout.

/// Three tests of the same attempts: held off by either tier of the sandbox, and real without one.
#[cfg(target_os = "linux")]
macro_rules! in_every_tier {
    ($attempts:expr) => {
        #[test]
        #[cfg_attr(any(without_bwrap, without_python3), ignore = "needs bubblewrap and python3")]
        fn no_attempt_succeeds_in_bubblewrap() {
            tests::hostile::attack(tests::hostile::Tier::Bubblewrap, $attempts);
        }

        #[test]
        #[cfg_attr(any(without_landlock, without_python3), ignore = "needs Landlock and python3")]
        fn no_attempt_succeeds_behind_the_helper_alone() {
            tests::hostile::attack(tests::hostile::Tier::Helper, $attempts);
        }

        #[test]
        #[cfg_attr(without_python3, ignore = "needs python3")]
        fn every_attempt_is_real_where_nothing_holds_it_off() {
            tests::hostile::attack(tests::hostile::Tier::Bare, $attempts);
        }
    };
}

#[cfg(target_os = "linux")]
use in_every_tier;

#[cfg(target_os = "linux")]
mod attributes;
#[cfg(target_os = "linux")]
mod builds;
#[cfg(target_os = "linux")]
mod checkout;
#[cfg(target_os = "linux")]
mod git;
#[cfg(target_os = "linux")]
mod hogs;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod leavings;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod paths;
#[cfg(target_os = "linux")]
mod planting;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod secrets;

use ::plans::event::Event;
use serde_json::json;
use shared::Outcome;
use tests::{
    Scenario,
    model::{KEY, ModelServer, Script, call, command, finish, write},
};

fn outcomes(s: &Scenario) -> Vec<Outcome> {
    let ended = |event: &Event| match event {
        Event::AttemptEnded { outcome, .. } => Some(outcome.clone()),
        _ => None,
    };
    s.history().events().filter_map(ended).collect()
}

#[test]
fn edit_tools_refuse_what_is_outside_the_scope_and_change_nothing() {
    let edit = call("edit_file", json!({ "path": "other.txt", "old_text": "theirs", "new_text": "mine", "replace_all": null }));
    let moved = call("move_file", json!({ "from": "other.txt", "to": "mine.txt" }));
    let gone = call("delete_file", json!({ "path": "other.txt" }));
    let read = call("read_file", json!({ "path": "other.txt", "start_line": null, "end_line": null }));
    let out = ["../escaped.txt", "/tmp/escaped-from-inspan.txt", ".git/config", "other.txt"];
    let turns = out.into_iter().map(|path| write(path, "mine")).chain([read, edit, moved, gone]);
    let turns = turns.chain([write("mine.txt", "mine\n"), finish("Did it.")]);
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new("## other.txt\ntheirs\n").model(&server);
    s.run_plan("a | write mine.txt", &[]).code(0);
    assert_eq!(s.result(), "## mine.txt\nmine\n## other.txt\ntheirs\n");
    let asked = server.asked_by("a", 1);
    let refusals = asked.last().expect("it was asked").messages().iter().filter(|message| message["role"] == "tool");
    let refusals: Vec<_> = refusals.map(|message| message["content"].as_str().unwrap_or_default()).collect();
    for (place, said) in refusals.iter().enumerate().filter(|(place, _)| ![4, 8].contains(place)) {
        let reasons = ["scope", ".git", "leads out of the repository", "is not in your worktree"];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "call {place} was told: {said}");
    }
    assert!(!std::path::Path::new("/tmp/escaped-from-inspan.txt").exists());
}

#[test]
fn a_command_that_writes_outside_ends_the_attempt_and_nothing_of_it_lands() {
    let s = Scenario::new("## other.txt\ntheirs\n");
    let out = s.run_plan(
        "a | write mine.txt | run echo mine > mine.txt; echo mine > other.txt\n b | write b.txt | run echo b > b.txt",
        &[],
    );
    let out = out.code(3);
    assert!(out.stderr.contains("other.txt"), "{}", out.all());
    assert!(outcomes(&s).iter().any(|outcome| matches!(outcome, Outcome::ScopeViolation { .. })), "{:?}", outcomes(&s));
    assert_eq!(s.result(), "## b.txt\nb\n## other.txt\ntheirs\n");
    let kept = s.repository().git(&["show", &format!("refs/inspan/{}/a/1:other.txt", s.run_id())]);
    assert_eq!(kept, "mine", "what it left is under its ref");
    let state = s.state();
    let a = state.tasks().iter().find(|record| record.id.as_str() == "a").expect("it is in the plan");
    assert_eq!(a.state.name(), "scope_violation");
}

#[test]
fn what_a_command_changes_outside_the_scope_is_put_back_and_the_agent_told_at_once() {
    let strays = "echo mine > other.txt; rm README; chmod +x run.sh; ln -s / away; for n in $(seq 30); do echo x > made-$n; done";
    let turns = [
        write("mine.txt", "mine\n"),
        command(&format!("{strays}; echo more >> mine.txt; cat mine.txt")),
        command("cat README other.txt; ls -l run.sh | cut -c4; ls"),
        finish("Done."),
    ];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let before = "## README\nhello\n## other.txt\ntheirs\n## run.sh\nexit\n";
    let s = Scenario::new(before).model(&server);
    s.run_plan("a | write mine.txt", &[]).code(0);
    let asked = server.asked_by("a", 1);
    let told = asked[2].last();
    assert!(told.contains("mine\nmore\n[this command changed 34 files outside your scope: README, away, made-1, "), "{told}");
    assert!(told.contains(" and 14 more. They were put back as they were.") && told.contains("request_scope"), "{told}");
    let after = asked[3].last();
    assert!(after.ends_with("hello\ntheirs\n-\nREADME\nmine.txt\nother.txt\nrun.sh\n"), "{after}");
    assert_eq!(s.result(), "## README\nhello\n## mine.txt\nmine\nmore\n## other.txt\ntheirs\n## run.sh\nexit\n");
}

#[test]
fn a_command_may_write_what_was_granted_after_it_had_been_put_back() {
    let request = call("request_scope", json!({ "paths": ["free.txt"], "reason": "the task needs it" }));
    let turns = [
        command("echo a > free.txt; echo a > a.txt"),
        request,
        command("echo b > free.txt; echo b > other.txt"),
        finish("Did it."),
    ];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new("## README\nhello\n").model(&server);
    s.run_plan("a | write a.txt", &[]).code(0);
    let asked = server.asked_by("a", 1);
    assert!(asked[1].last().contains("a file outside your scope: free.txt. It was put back"), "{}", asked[1].last());
    assert!(asked[3].last().contains("a file outside your scope: other.txt. It was put back"), "{}", asked[3].last());
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n## free.txt\nb\n");
}

#[test]
fn a_pipe_that_git_would_wait_at_keeps_no_run_waiting() {
    let turns = [command("mkfifo .gitignore src/.gitattributes; echo a > src/a.txt"), finish("Did it.")];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new("## src/README\nhello\n").model(&server);
    s.run_plan("a | write src/**\n b | write b.txt | run echo b > b.txt; mkfifo .gitignore", &[]).code(0);
    assert_eq!(s.result(), "## b.txt\nb\n## src/README\nhello\n## src/a.txt\na\n");
}

#[test]
fn more_scope_is_granted_where_nobody_else_owns_it_and_refused_where_somebody_does() {
    let request = |path: &str| call("request_scope", json!({ "paths": [path], "reason": "the task needs it" }));
    let turns = [request("free.txt"), write("free.txt", "a\n"), request("b.txt"), write("b.txt", "a\n"), finish("Did it.")];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new("## README\nhello\n").model(&server);
    s.run_plan(
        "a | write a.txt\n z | after a | write z.txt | run echo z > z.txt\n b | write b.txt | run echo b > b.txt",
        &["--workers", "1"],
    )
    .code(0);
    assert_eq!(s.result(), "## README\nhello\n## b.txt\nb\n## free.txt\na\n## z.txt\nz\n");
    let asked = server.asked_by("a", 1);
    assert!(asked[1].last().contains("granted"), "{}", asked[1].last());
    assert!(asked[3].last().contains("refused") || asked[3].last().contains("not granted"), "{}", asked[3].last());
    assert_eq!(s.history().count(|event| matches!(event, Event::ScopeGranted { .. })), 1);
}

#[test]
fn the_checkout_is_untouched_by_workers_who_play_with_git() {
    let mischief = [
        "git init -q . && git config user.email w@x && git config user.name w && git add -A && git commit -qm sneaky",
        "git checkout -b elsewhere",
        "git stash",
        "git reset --hard",
        "rm -rf .git",
        "cd .. && git branch -f main HEAD",
        "git update-ref refs/heads/main 0000000000000000000000000000000000000000",
    ];
    let tasks: Vec<String> = mischief
        .iter()
        .enumerate()
        .map(|(n, git)| format!("t{n} | write t{n}.txt | run echo {n} > t{n}.txt; ({git}) || true; echo {n} > t{n}.txt"))
        .collect();
    let s = Scenario::new("## README\nhello\n## hook.sh\n#!/bin/sh\n");
    s.repository().write("dirty.txt", "not committed").write("README", "changed\n").git(&["add", "README"]);
    s.repository().git(&["branch", "other"]);
    let before = s.fingerprint();
    let out = s.run_plan(&tasks.join("\n"), &[]);
    before.assert_is(&s.fingerprint());
    assert!(out.code == 0 || out.code == 3, "{}", out.all());
    let landed = s.state().landed().len();
    assert!(landed >= 6, "mischief in one worktree is no other's trouble ({landed} landed): {}", out.all());
    assert!(s.repository().git_can(&["fsck", "--strict"]));
}

#[test]
fn commands_see_no_secrets_and_the_key_is_nowhere_on_disk_or_screen() {
    let turns = [command("env > env.txt; env"), finish("Looked around.")];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new("## README\nhello\n").model(&server);
    let s = s.env("OPENAI_API_KEY", "sesame-one").env("GITHUB_TOKEN", "sesame-two").env("DB_PASSWORD", "sesame-three");
    let out = s.run_plan("a | write env.txt\n b | after a | write b.txt | run env > b.txt", &["--output-format", "json"]).code(0);
    let result = s.result();
    assert!(result.contains("INSPAN_TASK=a") && result.contains("INSPAN_TASK=b"), "the environment was looked at: {result}");
    let mut places =
        vec![("result".to_owned(), result), ("stdout".to_owned(), out.stdout.clone()), ("stderr".to_owned(), out.stderr.clone())];
    collect(&s.run_folder(), &mut places);
    assert!(places.iter().any(|(name, _)| name.contains("transcripts/a/1.jsonl")), "the transcripts were looked at");
    for (place, text) in &places {
        for secret in [KEY, "sesame"] {
            assert!(!text.contains(secret), "a secret is in {place}");
        }
    }
}

fn collect(folder: &std::path::Path, places: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            collect(&path, places);
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).expect("it can be read")).into_owned();
            places.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn files_with_names_that_no_plan_can_say_are_outside_every_scope() {
    for name in ["~", "C:evil", "\\evil"] {
        let s = Scenario::new("## a.txt\na\n");
        let plan = format!("a | write src/** | run mkdir src; echo x > src/x; echo x > '{name}'");
        s.run_plan(&plan, &[]).code(3);
        assert_eq!(s.result(), "## a.txt\na\n", "{name}");
        assert!(
            outcomes(&s).iter().any(|outcome| matches!(outcome, Outcome::ScopeViolation { .. })),
            "{name}: {:?}",
            outcomes(&s)
        );
    }
}

#[test]
fn a_name_that_git_refuses_does_not_halt_the_run() {
    let s = Scenario::new("## a.txt\na\n");
    s.run_plan("a | write src/** | run mkdir -p src/.GIT; echo x > src/x; echo x > src/.GIT/config", &[]).code(0);
    assert_eq!(s.result(), "## a.txt\na\n## src/x\nx\n");
}

#[test]
fn a_pipe_in_the_place_of_the_hand_off_keeps_nobody_waiting() {
    let s = Scenario::new("## a.txt\na\n");
    s.run_plan("a | write b.txt | run echo b > b.txt; mkfifo \"$INSPAN_HAND_OFF\"", &[]).code(0);
}

#[test]
fn a_filter_of_the_persons_configuration_sees_no_key() {
    let s = Scenario::new("## a.txt\na\n## .gitattributes\n*.txt filter=spy\n").env("SOME_API_KEY", "hush-hush");
    let seen = s.root().join("seen");
    s.repository().git(&["config", "filter.spy.clean", &format!("env >> '{}'; cat", seen.display())]);
    s.run_plan("a | write b.txt | run echo b > b.txt", &[]).code(0);
    let seen = std::fs::read_to_string(seen).expect("the filter ran");
    assert!(seen.contains("PATH=") && !seen.contains("hush-hush"), "{seen}");
}
