//! Secrets do not travel: neither to a model, nor into a transcript, a journal or the run branch.

use std::{fs, path::Path};

use ::plans::event::Event;
use serde_json::{Value, json};
use shared::Outcome;
use tests::{
    Scenario,
    model::{KEY, ModelServer, Script, Turn, call, command, finish, plan, write},
};

/// A key in shape. No file of this repository holds one.
fn key() -> String {
    ["gh", "p_"].concat() + &"a1B2".repeat(9)
}

const MARKER: &str = "[masked: GitHub token]";

/// A script that prints a key and does not hold one.
const PRINTS_KEY: &str = "## key.sh\nprintf 'key = gh%s_%s\\n' p a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2\n";

fn read(path: &str) -> Turn {
    call("read_file", json!({ "path": path, "start_line": null, "end_line": null }))
}

fn search(pattern: &str) -> Turn {
    call("search", json!({ "pattern": pattern, "path": null, "glob": null, "context": null }))
}

fn all_files(folder: &Path, visit: &mut dyn FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            all_files(&path, visit);
        } else {
            visit(&path, &fs::read(&path).expect("it can be read"));
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// No request of the model and no file of the run (journal, transcripts, surroundings) has the text.
#[track_caller]
fn is_nowhere(s: &Scenario, server: &ModelServer, text: &str) {
    let asked = server.asked();
    assert!(!asked.is_empty());
    for request in &asked {
        assert!(!request.body.to_string().contains(text), "sent by {:?}: {}", request.task, request.body);
    }
    is_not_kept(s, text);
}

/// No file of the run has the text.
#[track_caller]
fn is_not_kept(s: &Scenario, text: &str) {
    let mut seen = 0;
    all_files(&s.run_folder(), &mut |path, bytes| {
        seen += 1;
        assert!(!holds(bytes, text), "{} has it", path.display());
    });
    assert!(seen >= 2, "a journal and the surroundings at least");
}

fn outcomes(s: &Scenario) -> Vec<Outcome> {
    let ended = |event: &Event| match event {
        Event::AttemptEnded { outcome, .. } => Some(outcome.clone()),
        _ => None,
    };
    s.history().events().filter_map(ended).collect()
}

/// What the tools answered in the last request of an attempt.
fn answers(server: &ModelServer, task: &str) -> Vec<String> {
    let asked = server.asked_by(task, 1);
    let last = asked.last().expect("it was asked").messages().to_vec();
    let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    last.iter().filter(|message| message["role"] == "tool").map(content).collect()
}

#[test]
fn a_secret_of_the_repository_reaches_no_model_no_transcript_and_no_journal() {
    let key = key();
    let files = format!(
        "## config.yml\ntoken: {key}\n## AGENTS.md\nThe key is {key}.\n## model.txt\n{KEY}\n## big.sh\nseq 9000; cat config.yml\n"
    );
    let turns = [
        read("config.yml"),
        search("token"),
        command("cat config.yml model.txt >&2; grep -rn key AGENTS.md"),
        command("sh big.sh"),
        command("cat config.yml; exit 3"),
        write("a.txt", "a\n"),
        finish("Did it."),
    ];
    let hand = "cat config.yml > \"$INSPAN_HAND_OFF\"; cp \"$INSPAN_BRIEF\" h.txt";
    let drafted = plan(&format!("goal | Use the key\n hand | write h.txt | run {hand}\n a | write a.txt | after hand"));
    let script = Script::new().planner(1, [read("config.yml"), drafted]).worker("a", 1, turns);
    let server = ModelServer::start(script);
    let s = Scenario::new(&files).model(&server);
    s.inspan(&["run", &format!("Use the key {key}"), "--yes"]).code(0);
    is_nowhere(&s, &server, &key);
    is_nowhere(&s, &server, KEY);
    let told = answers(&server, "a");
    for told in &told[..5] {
        assert!(told.contains(MARKER), "{told}");
    }
    assert!(told[2].contains("[masked: key of a model]"), "{}", told[2]);
    let planner = server.asked_by_planner(1)[0].body.to_string();
    assert!(planner.contains(&format!("The key is {MARKER}.")), "guidance is masked: {planner}");
    let first = server.asked_by("a", 1)[0].body.to_string();
    assert!(first.contains(&format!("token: {MARKER}")), "the hand-off is masked: {first}");
    assert!(s.result().contains("## h.txt\n# Your task"), "a program is told in the same words");
}

#[test]
fn output_of_a_red_gate_is_masked_in_journal_and_evidence() {
    let files = format!("{PRINTS_KEY}## gate.sh\nsh key.sh; test ! -f a.txt || test -f b.txt\n");
    let edits = json!([{ "edit": "retry", "task": "a", "because": "it was close" }]);
    let server = ModelServer::start(
        Script::new()
            .planner(1, [plan("gate | sh gate.sh\n a | write a.txt b.txt")])
            .planner(2, [call("edit_plan", json!({ "edits": edits }))])
            .worker("a", 1, [write("a.txt", "a\n"), finish("Did it.")])
            .worker("a", 2, [write("a.txt", "a\n").and(write("b.txt", "b\n")), finish("Did it.")]),
    );
    let s = Scenario::new(&files).model(&server);
    s.inspan(&["run", "Make the change", "--yes"]).code(0);
    let evidence = server.asked_by_planner(2)[0].last().to_owned();
    assert!(evidence.contains(&format!("key = {MARKER}")), "{evidence}");
    is_nowhere(&s, &server, &key());
}

#[test]
fn finish_refuses_a_secret_with_file_line_and_sort_and_a_mended_attempt_lands() {
    let turns = [
        command("echo one > a.txt; sh key.sh >> a.txt"),
        finish("Done?"),
        command("echo 'key = from the environment' > a.txt"),
        finish("Done."),
    ];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new(PRINTS_KEY).model(&server);
    s.run_plan("a | write a.txt", &[]).code(0);
    let told = answers(&server, "a");
    assert!(told[1].contains("a.txt:2 (GitHub token)") && told[1].contains("placeholder"), "{}", told[1]);
    assert_eq!(s.result(), format!("## a.txt\nkey = from the environment\n{PRINTS_KEY}"));
    is_nowhere(&s, &server, &key());
}

#[test]
fn what_a_done_attempt_still_holds_ends_it_as_failed_and_stays_under_its_ref() {
    for (verify, lands) in [("sh key.sh >> a.txt", false), ("echo nothing >> a.txt", true)] {
        let server = ModelServer::start(Script::new().worker("a", 1, [write("a.txt", "one\n"), finish("Did it.")]));
        let s = Scenario::new(PRINTS_KEY).model(&server).config("[run]\nreplans = 0");
        s.run_plan(&format!("a | write a.txt | verify {verify}"), &[]).code(if lands { 0 } else { 3 });
        assert_eq!(s.result().contains("## a.txt"), lands);
        let outcomes = outcomes(&s);
        if lands {
            assert!(matches!(outcomes[..], [Outcome::Done { .. }]), "{outcomes:?}");
            continue;
        }
        let Outcome::Failed { why } = &outcomes[0] else { panic!("{outcomes:?}") };
        assert!(why.contains("a.txt:2 (GitHub token)") && !why.contains(&key()), "{why}");
        let kept = s.repository().git(&["show", &format!("refs/inspan/{}/a/1:a.txt", s.run_id())]);
        assert!(kept.contains(&key()), "what it left is under its ref");
        is_nowhere(&s, &server, &key());
    }
}

#[test]
fn a_command_worker_that_leaves_a_secret_lands_nothing() {
    for (word, code) in
        [("sh key.sh > b.bin", 3), ("echo A=1 > .env", 3), ("echo A= > .env.example", 0), ("echo hello > hello", 0)]
    {
        let s = Scenario::new(PRINTS_KEY);
        let out = s.run_plan(&format!("a | write ** | run {word}"), &[]).code(code);
        assert_eq!(s.result() == PRINTS_KEY, code == 3, "{word}: {}", out.all());
        if code == 3 {
            assert!(out.stderr.contains("b.bin:1 (GitHub token)") || out.stderr.contains(".env (a file"), "{}", out.all());
        }
    }
}

#[test]
fn what_a_failing_program_said_is_masked_in_the_journal() {
    let s = Scenario::new(PRINTS_KEY);
    let out = s.run_plan("a | write a | run sh key.sh; exit 3", &[]).code(3);
    assert!(!out.stderr.contains(&key()), "{}", out.all());
    let Outcome::Failed { why } = &outcomes(&s)[0] else { panic!("{:?}", outcomes(&s)) };
    assert!(why.contains(MARKER), "{why}");
    is_not_kept(&s, &key());
}

#[test]
fn a_secret_that_the_base_had_stops_nobody() {
    let files = format!("## config.yml\nname: x\ntoken: {}\n", key());
    let turns = [
        call("edit_file", json!({ "path": "config.yml", "old_text": "name: x", "new_text": "name: y", "replace_all": null })),
        finish("Renamed it."),
    ];
    let turns = [read("config.yml")].into_iter().chain(turns);
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new(&files).model(&server);
    s.run_plan("a | write config.yml", &[]).code(0);
    assert_eq!(s.result(), files.replace("name: x", "name: y"), "the secret is still what it was");
    is_nowhere(&s, &server, &key());
}

#[test]
fn an_untracked_file_of_secrets_gets_into_no_object_and_is_named() {
    let server = ModelServer::start(Script::new().worker(
        "a",
        1,
        [read(".env"), read("deep/tls.key"), write("a", "a\n"), finish("Did it.")],
    ));
    let s = Scenario::new("## deep/tls.key\nA tracked one.\n").model(&server);
    s.repository().write(".env", "DB=only-in-the-environment\n").write("notes.txt", "work\n");
    let out = s.run_plan("a | write a", &[]).code(0);
    assert!(out.stderr.contains(".env (looks like a secret)"), "{}", out.all());
    assert_eq!(s.result(), "## a\na\n## deep/tls.key\nA tracked one.\n## notes.txt\nwork\n");
    let objects = s.repository().git(&["cat-file", "--batch-all-objects", "--batch", "--buffer"]);
    assert!(objects.contains("A tracked one.") && !objects.contains("only-in-the-environment"));
    for told in &answers(&server, "a")[..2] {
        assert!(told.contains("holds secrets by its name"), "{told}");
    }
    is_nowhere(&s, &server, "only-in-the-environment");
}

#[test]
fn what_a_person_excepts_is_shown_and_lands_and_what_they_deny_is_neither() {
    let inspan = "[secrets]\nallow = [\"fixtures/\"]\ndeny = [\"*.vault\"]\n";
    let files = format!("{PRINTS_KEY}## fixtures/old.key\n{}\n## x.vault\nlocked away\n## inspan.toml\n{inspan}", key());
    let turns = [
        read("fixtures/old.key"),
        read("x.vault"),
        search("locked|a1B2a1B2"),
        command("sh key.sh > fixtures/new.txt; cat fixtures/old.key"),
        finish("Did it."),
    ];
    let server = ModelServer::start(Script::new().worker("a", 1, turns));
    let s = Scenario::new(&files).model(&server);
    s.run_plan("a | write fixtures/**", &[]).code(0);
    let told = answers(&server, "a");
    assert!(told[0].contains(&key()), "{}", told[0]);
    assert!(told[1].contains("holds secrets by its name"), "{}", told[1]);
    assert!(told[2].contains("fixtures/old.key") && !told[2].contains("x.vault"), "{}", told[2]);
    assert!(told[3].contains(&key()), "{}", told[3]);
    assert!(s.result().contains("## fixtures/new.txt"), "{}", s.result());
}

#[test]
fn a_pattern_that_is_none_is_refused_before_anything_begins() {
    let s = Scenario::new("## inspan.toml\n[secrets]\nallow = [\"../outside\"]\n");
    let out = s.run_plan("a | write a | run echo a > a", &[]).code(2);
    assert!(out.stderr.contains("inspan.toml:2") && out.stderr.contains("leads out of the repository"), "{}", out.all());
}
