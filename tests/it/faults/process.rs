//! What a process lacks: open files, a home directory, a configuration that reads, a clock that goes forwards.

use std::fs;

use rusqlite::Connection;
use tests::Scenario;

use super::{PLAN, RESULT, held, let_go, resumes, says_what_to_do, scenario};

#[test]
fn with_too_few_open_files_a_run_ends_in_words_and_goes_on_with_more() {
    for files in [256, 64, 48, 32, 24, 18, 12] {
        let s = scenario().after(&format!("ulimit -n {files}"));
        let out = s.run_plan(PLAN, &[]);
        assert!(!out.all().contains("panicked"), "{files}: {}", out.all());
        let s = s.after("true");
        if out.code != 0 {
            let out = says_what_to_do(out, "", "");
            assert!(out.stderr.contains("ulimit -n"), "{files}: {}", out.all());
            if s.runs().is_empty() {
                s.run_plan(PLAN, &[]).code(0);
            } else {
                resumes(&s);
            }
        }
        assert_eq!(s.result(), RESULT, "{files}");
    }
}

#[test]
fn what_is_remembered_of_files_is_only_a_memory() {
    for harm in ["a folder", "garbage", "half a line"] {
        let s = scenario();
        s.repository().write("lib.rs", "pub fn one() -> u32 {\n    1\n}\n").commit("Some code");
        s.run_plan(PLAN, &[]).code(0);
        let cache = s.repository().path().join(".git/inspan/survey.jsonl");
        assert!(cache.is_file(), "it is remembered");
        match harm {
            "a folder" => fs::remove_file(&cache).and_then(|()| fs::create_dir(&cache)).expect("it is ours"),
            "garbage" => fs::write(&cache, [0xFF, 0xFE, 0, b'{', 0xC3]).expect("it is ours"),
            _ => {
                let text = fs::read(&cache).expect("it is there");
                fs::write(&cache, &text[..text.len() / 2]).expect("it is ours");
            }
        }
        let out = s.run_plan(PLAN, &[]).code(0);
        assert!(!out.all().contains("panicked"), "{harm}: {}", out.all());
    }
}

#[test]
fn a_configuration_that_does_not_read_is_named_and_nothing_begins() {
    let s = scenario();
    let folder = s.root().join("config.d");
    fs::create_dir(&folder).expect("it is new");
    let named = s.env("INSPAN_CONFIG", &folder);
    named.run_plan(PLAN, &[]).code(2).says("config.d");
    let s = scenario();
    fs::create_dir(s.repository().path().join("inspan.toml")).expect("it is new");
    s.run_plan(PLAN, &[]).code(2).says("inspan.toml");
    fs::remove_dir(s.repository().path().join("inspan.toml")).expect("it is there");
    fs::write(s.repository().path().join("inspan.toml"), [0xFF, 0xFE, b'=']).expect("a file can be written");
    let out = s.run_plan(PLAN, &[]).code(2).says("inspan.toml");
    assert!(!out.all().contains("panicked") && s.runs().is_empty(), "{}", out.all());
}

#[test]
fn a_home_directory_that_is_none_halts_the_run_and_says_where_worktrees_could_be() {
    let s = scenario().after("HOME=/dev/null; export HOME; unset XDG_CACHE_HOME");
    let out = s.run_plan(PLAN, &[]);
    assert!(out.code == 1 && out.stderr.contains("/dev/null") && !out.all().contains("panicked"), "{}", out.all());
    assert!(out.stderr.contains("[paths] worktrees"), "{}", out.all());
    let elsewhere = s.root().join("elsewhere");
    let s = s.env("INSPAN_WORKTREES", elsewhere);
    if s.runs().is_empty() {
        s.run_plan(PLAN, &[]).code(0);
    } else {
        resumes(&s);
    }
    assert_eq!(s.result(), RESULT);
}

/// From this event on the clock was by so much another.
fn clock_jumps(s: &Scenario, from: u64, by: &str) {
    let connection = Connection::open(s.run_folder().join("journal.db")).expect("it is there");
    let jump = "update event set body = json_set(body, '$.time', strftime('%Y-%m-%dT%H:%M:%S.000Z', json_extract(body, '$.time'), ?1)) where seq >= ?2";
    assert!(connection.execute(jump, (by, from)).expect("it is JSON") > 0);
}

#[test]
fn a_clock_that_jumps_takes_no_more_than_an_hour_and_gives_none_and_nothing_else_depends_on_it() {
    for (by, from) in [("+8 hours", 4), ("-8 hours", 4), ("+400 days", 1), ("-400 days", 1), ("+30 years", 3)] {
        let s = scenario();
        let path = s.plan(PLAN);
        fs::write(s.meeting_place().join("hold"), "").expect("a file can be written");
        let alive = s.start(&["run", "--plan", &path, "--yes", "--max-minutes", "120"]);
        let reached = s.meeting_place().join("reached");
        tests::eventually(|| reached.exists().then_some(())).expect("it is reached");
        alive.kill();
        let_go(&s);
        clock_jumps(&s, from, by);
        s.inspan(&["status"]).code(0).prints("interrupted");
        s.inspan(&["status", "--all"]).code(0);
        resumes(&s);
        assert_eq!(s.result(), RESULT, "{by}");
    }
}

#[test]
fn a_process_that_is_stopped_for_a_while_goes_on_as_if_nothing_were() {
    use rustix::process::{Pid, Signal, kill_process};
    let s = scenario();
    let alive = held(&s);
    let pid = i32::try_from(alive.pid()).ok().and_then(Pid::from_raw).expect("a living process has a number");
    kill_process(pid, Signal::STOP).expect("it is ours");
    let_go(&s);
    s.inspan(&["status"]).code(0).prints("underway");
    s.inspan(&["resume", "--yes"]).code(1).says("is being worked on by process");
    kill_process(pid, Signal::CONT).expect("it is ours");
    alive.wait().code(0);
    assert_eq!(s.result(), RESULT);
}
