//! Commands that outlive the harness that started them: the next process that takes the run in hand ends them.

use tests::Scenario;

/// Whether a process lives that was called with this word.
fn lives(word: &str) -> bool {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let called = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    called.into_iter().any(|called| called.split(|&byte| byte == 0).any(|word_of| word_of == word.as_bytes()))
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_gate_left_running_when_the_harness_was_killed_is_ended_by_whoever_takes_the_run_in_hand() {
    let number = 620_000_000 + std::process::id() * 10;
    for (number, command, code) in [(number, "cancel", 0), (number + 1, "clean", 0), (number + 2, "apply", 1)] {
        let word = number.to_string();
        let gate = format!("## gate.sh\nsetsid sleep {word} &\ntouch \"$HELD\"\nwhile :; do sleep 0.05; done\n");
        let s = Scenario::new(&gate).config("[env]\npass = [\"HELD\"]").with_meeting_place();
        let held = s.meeting_place().join("held");
        let s = s.env("HELD", &held);
        let alive = s.start_plan("gate | sh gate.sh\n a | write a.txt | run echo a > a.txt", &["--dangerously-no-sandbox"]);
        tests::eventually(|| (held.exists() && lives(&word)).then_some(())).expect("the gate is at work");
        alive.kill();
        assert!(lives(&word), "it is out of reach of whoever dies");
        s.inspan(&["clean", "--dry-run"]).code(0);
        assert!(lives(&word), "a dry run does nothing");
        s.inspan(&[command]).code(code);
        tests::eventually(|| (!lives(&word)).then_some(())).unwrap_or_else(|| panic!("{command} leaves it running"));
    }
}
