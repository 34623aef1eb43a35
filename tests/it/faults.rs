//! Machines that say no: full disks, disks that can only be read, damaged files, stale locks, deleted folders, too few files and processes.
//!
//! Whatever it is, the run goes on, or ends, or halts with words that say what happened and what to do; once it is mended, `inspan resume`
//! comes to the same result. Nothing hangs and no panic is shown.

#[cfg(target_os = "linux")]
mod disk;
mod journal;
mod locks;
mod process;
#[cfg(target_os = "linux")]
mod readonly;
mod worktree;

use tests::{Alive, Outcome, Scenario};

const REPO: &str = "## README\nhello\n";
const RESULT: &str = "## README\nhello\n## a.txt\na\n## b.txt\nb\n";

/// Two tasks; the first holds, when it has written, as long as `hold` is at the meeting place.
const PLAN: &str = "gate | true
    a | write a.txt | run echo a > a.txt; touch \"$PLACE/reached\"; while test -e \"$PLACE/hold\"; do sleep 0.01; done
    b | after a | write b.txt | run echo b > b.txt";

/// A repository, and a place where the test and the first task meet.
fn scenario() -> Scenario {
    let s = Scenario::new(REPO).config("[env]\npass = [\"PLACE\"]\n[run]\nmin_free_mb = 0").with_meeting_place();
    let place = s.meeting_place();
    s.env("PLACE", place)
}

/// The run has begun, and its first task has written and holds.
fn held(s: &Scenario) -> Alive {
    std::fs::write(s.meeting_place().join("hold"), "").expect("a file can be written");
    let alive = s.start_plan(PLAN, &[]);
    let reached = s.meeting_place().join("reached");
    tests::eventually(|| reached.exists().then_some(())).unwrap_or_else(|| panic!("it was not reached:\n{}", alive.said()));
    alive
}

fn let_go(s: &Scenario) {
    std::fs::remove_file(s.meeting_place().join("hold")).expect("it is there");
}

/// It did not come to its end, and says what happened, what it means, and what to do.
#[track_caller]
fn says_what_to_do(out: Outcome, happened: &str, to_do: &str) -> Outcome {
    assert_eq!(out.code, 1, "{}", out.all());
    for panic in ["panicked", "RUST_BACKTRACE", "unwrap"] {
        assert!(!out.all().contains(panic), "{}", out.all());
    }
    assert!(out.stderr.contains("error: ") && out.stderr.contains(" hint: "), "{}", out.all());
    out.says(happened).says(to_do)
}

/// What the run comes to once the fault is mended.
#[track_caller]
fn resumes(s: &Scenario) {
    s.inspan(&["resume", "--yes"]).code(0);
}
