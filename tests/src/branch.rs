//! What is on a run branch, and whether it was ever red.

use std::process::Command;

use crate::Scenario;

/// Subjects of the run branch's commits, oldest first, one a line.
pub fn subjects(scenario: &Scenario) -> String {
    let range = format!("{}..{}", scenario.state().base(), scenario.state().tip());
    scenario.repository().git(&["log", "--reverse", "--format=%s", &range])
}

/// Full names of the commits on the run branch, oldest first.
pub fn commits(scenario: &Scenario) -> Vec<String> {
    let range = format!("{}..inspan/{}", scenario.state().base(), scenario.run_id());
    scenario.repository().git(&["rev-list", "--reverse", &range]).lines().map(str::to_owned).collect()
}

/// Checks out every commit of the run branch in a place of its own and runs the gate on it.
#[track_caller]
pub fn assert_always_green(scenario: &Scenario) {
    let gate = scenario.state().plan().expect("there is a plan").gate().commands.clone();
    for commit in commits(scenario) {
        let place = scenario.root().join("check").join(&commit);
        let path = place.to_str().expect("the path is text");
        scenario.repository().git(&["worktree", "add", "--quiet", "--detach", path, &commit]);
        for command in &gate {
            let out = Command::new("sh").arg("-c").arg(command).current_dir(&place).output().expect("sh starts");
            assert!(out.status.success(), "`{command}` is red on {commit}: {}", String::from_utf8_lossy(&out.stderr));
        }
        scenario.repository().git(&["worktree", "remove", "--force", path]);
    }
}
