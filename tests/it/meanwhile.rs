//! What a person does to their repository while a run is under way: the run goes on with the right result, or says why it cannot.
//!
//! Each of them does something when the first task has landed and the second is about to finish: its model does not answer until then.

use std::process::Command;

use plans::event::{Event, RunStatus};
use tests::{
    Alive, Outcome, Scenario, branch,
    model::{Fault, ModelServer, Script, command, finish, write},
};

const REPO: &str = "## gate.sh\ntest ! -e bad.txt\n## list.txt\none\n## kept.md\nas it was\n";
const PLAN: &str = "gate | sh gate.sh
    a | write a.txt | run echo a > a.txt
    b | after a | write b.txt kept.md
    c | after b | write c.txt | run cat a.txt b.txt > c.txt";
const RESULT: &str =
    "## a.txt\na\n## b.txt\nb\n## c.txt\na\nb\n## gate.sh\ntest ! -e bad.txt\n## kept.md\nchanged\n## list.txt\none\n";

/// The second task has written a file and its command has been looked at when its model falls silent.
fn script() -> Script {
    let turns = [write("kept.md", "changed\n"), command("cat kept.md"), write("b.txt", "b\n"), finish("Wrote b.")];
    Script::new().worker("b", 1, turns.clone()).worker("b", 2, turns)
}

struct Run {
    server: ModelServer,
    s: Scenario,
    alive: Option<Alive>,
}

impl Run {
    /// A run that stands still in its second task, after the first has landed.
    fn standing() -> Self {
        Self::of(Scenario::new(REPO))
    }

    fn of(s: Scenario) -> Self {
        let server = ModelServer::start(script());
        server.fail_at("b", 1, 2, Fault::Stall);
        let url = server.url();
        let s = s
            .config(&format!(
                "[providers.patient]\nbase_url = \"{url}\"\napi_key_env = \"ENDPOINT_KEY\"\nretries = 60\nretry_wait = \"20ms\"\n\
                 idle_timeout = \"500ms\""
            ))
            .env("ENDPOINT_KEY", tests::model::KEY)
            .env("INSPAN_MODEL", "patient/test-model");
        let alive = Some(s.start_plan(PLAN, &[]));
        s.wait_until(|event| matches!(event, Event::TaskLanded { .. }));
        tests::eventually(|| (server.asked_by("b", 1).len() >= 3).then_some(())).expect("the third turn is asked for");
        Self { server, s, alive }
    }

    /// The model answers again, and the run ends.
    fn goes_on(&mut self) -> Outcome {
        self.server.heal();
        self.alive.take().expect("it runs").wait()
    }

    /// A person's shell in their checkout.
    #[track_caller]
    fn sh(&self, script: &str) {
        sh(self.s.repository().path(), script);
    }

    #[track_caller]
    fn assert_whole(&self) {
        assert_eq!(self.s.result(), RESULT);
        branch::assert_always_green(&self.s);
        self.assert_nothing_is_lost();
    }

    /// Whatever an attempt left is under its ref, whole.
    #[track_caller]
    fn assert_nothing_is_lost(&self) {
        let s = &self.s;
        for event in s.history().events() {
            if let Event::AttemptEnded { key, commit: Some(commit), .. } = event {
                let name = format!("refs/inspan/{}/{}/{}", s.run_id(), key.task, key.attempt);
                assert_eq!(s.repository().git(&["rev-parse", &name]), commit.0, "{name}");
                s.repository().git(&["rev-list", "--objects", "--quiet", &name]);
            }
        }
    }
}

#[track_caller]
fn sh(folder: &std::path::Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_EDITOR", "true");
    let out = shell.output().expect("sh starts");
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
}

/// The run completes with the very result that it would have had, and the checkout is as the person has made it.
#[track_caller]
fn goes_on_after(script: &str) -> Run {
    let mut run = Run::standing();
    run.sh(&script.replace("RUN", &run.s.run_id()));
    let made = run.s.fingerprint();
    let out = run.goes_on();
    assert_eq!(out.code, 0, "{script}: {}", out.all());
    run.assert_whole();
    made.assert_is(&run.s.fingerprint());
    run
}

/// The run stops, says why and what to do; when that is done it goes on to the very same result.
#[track_caller]
fn halts_after(script: &str, says: &[&str], mend: &str) {
    let mut run = Run::standing();
    let name = run.s.run_id();
    run.sh(&script.replace("RUN", &name));
    let made = run.s.fingerprint();
    let out = run.goes_on();
    assert_eq!(out.code, 1, "{script}: {}", out.all());
    for words in says {
        let words = words.replace("RUN", &name);
        assert!(out.stderr.contains(&words), "`{words}` was not said: {}", out.all());
    }
    run.assert_nothing_is_lost();
    made.assert_is(&run.s.fingerprint());
    run.sh(&mend.replace("RUN", &name));
    let out = run.s.inspan(&["resume", "--yes"]);
    assert_eq!(out.code, 0, "{script}: {}", out.all());
    run.assert_whole();
}

#[test]
fn commits_amends_rebases_and_renames_of_the_persons_branch_change_nothing_for_the_run() {
    for script in [
        "echo two > list.txt; git commit -qam Mine",
        "echo two > list.txt; git commit -qa --amend -m Amended",
        "git commit -q --allow-empty -m One; git rebase -q --force-rebase --root",
        "git branch -m main trunk",
        "git checkout -q --orphan fresh; git commit -qm Fresh; git branch -D main",
    ] {
        goes_on_after(script);
    }
}

#[test]
fn other_branches_a_detached_head_staged_files_stashes_and_a_clean_change_nothing_for_the_run() {
    for script in [
        "git switch -qc other; echo other > a.txt; git add .; git commit -qm Other",
        "git checkout -q --detach; echo x > x; git add x",
        "echo two > list.txt; git add list.txt; echo three > list.txt; echo u > untracked",
        "echo two > list.txt; git stash -q; git stash apply -q",
        "echo u > untracked; git clean -fdxq",
    ] {
        goes_on_after(script);
    }
}

#[test]
fn whatever_git_is_told_to_throw_away_the_run_has_what_it_needs() {
    for script in [
        "git reflog expire --expire=now --all; git gc -q --prune=now",
        "git reflog expire --expire=now --all; git gc -q --aggressive --prune=now",
        "git repack -qadf; git prune --expire=now; git pack-refs --all; git worktree prune",
        "git pack-refs --all --prune; git prune-packed -q",
        "git reflog expire --expire=now --all; git branch -D inspan/RUN; git gc -q --prune=now",
    ] {
        goes_on_after(script);
    }
}

#[test]
fn a_run_that_began_with_uncommitted_changes_keeps_them_through_a_gc() {
    let s = Scenario::new(REPO);
    s.repository().write("list.txt", "uncommitted\n").write("new.txt", "new\n");
    let mut run = Run::of(s);
    run.sh("git checkout -q list.txt; rm new.txt; git reflog expire --expire=now --all; git gc -q --prune=now");
    let out = run.goes_on();
    assert_eq!(out.code, 0, "{}", out.all());
    let result = run.s.result();
    assert!(result.contains("## list.txt\nuncommitted\n") && result.contains("## new.txt\nnew\n"), "{result}");
}

#[test]
fn a_run_branch_that_is_deleted_or_put_back_is_made_again() {
    for script in ["git branch -D inspan/RUN", "git branch -f inspan/RUN main"] {
        goes_on_after(script);
    }
}

#[test]
fn a_run_branch_with_commits_of_the_persons_is_not_overwritten() {
    let with_a_commit =
        "git worktree add -q ../mine --detach inspan/RUN; cd ../mine; echo mine > mine.txt; git add .; git commit -qm Mine
        git branch -f inspan/RUN HEAD; cd -; git worktree remove ../mine";
    let rebased =
        "echo two > list.txt; git commit -qam Mine; git worktree add -q ../mine inspan/RUN; cd ../mine; git rebase -q main; cd -
        git worktree remove ../mine";
    for script in [with_a_commit, rebased] {
        let says = ["inspan/RUN was moved by somebody else", "git branch -m inspan/RUN mine/RUN", "inspan resume RUN"];
        halts_after(script, &says, "git branch -m inspan/RUN mine/RUN");
    }
}

#[test]
fn a_run_branch_that_is_checked_out_is_not_moved_under_the_person() {
    let says = ["the run branch is checked out in", "switch to another branch there", "inspan resume RUN"];
    halts_after("git switch -q inspan/RUN", &says, "git switch -q main");
    halts_after("git worktree add -q ../look inspan/RUN", &says, "git worktree remove ../look");
}

#[test]
fn refs_of_attempts_that_the_person_deletes_are_made_again() {
    let run = goes_on_after("git for-each-ref --format='delete %(refname)' refs/inspan | git update-ref --stdin");
    assert!(run.s.attempts().contains(&"a/1".to_owned()), "{:?}", run.s.attempts());
}

#[test]
fn line_ends_hooks_filters_and_signing_that_are_configured_meanwhile_change_nothing_for_the_run() {
    for script in [
        "git config core.autocrlf true",
        "printf '* text=auto\\n*.txt filter=up\\n' > .gitattributes; git config filter.up.clean 'tr a-z A-Z'",
        "printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit; cp .git/hooks/pre-commit .git/hooks/commit-msg; chmod +x .git/hooks/*",
        "git config commit.gpgSign true; git config gpg.program false; git config user.signingKey none",
        "echo '*.txt' > .gitignore",
    ] {
        goes_on_after(script);
    }
}

#[test]
fn a_worktree_that_the_person_deletes_costs_no_try_and_says_so() {
    for gone in ["RUN/b/1", "RUN"] {
        let mut run = Run::standing();
        let place = run.s.root().join("cache/inspan/worktrees").join(gone.replace("RUN", &run.s.run_id()));
        std::fs::remove_dir_all(place).expect("it is there");
        let out = run.goes_on();
        assert_eq!(out.code, 0, "{}", out.all());
        assert!(out.stderr.contains("somebody removed"), "{}", out.all());
        let failed = |event: &Event| matches!(event, Event::AttemptEnded { outcome: shared::Outcome::Failed { .. }, .. });
        assert_eq!(run.s.history().count(failed), 0, "{}", run.s.history().outline());
        run.assert_whole();
    }
}

#[test]
fn a_repository_that_is_moved_halts_the_run_which_goes_on_where_it_is_now() {
    let Run { server, s, alive } = Run::standing();
    let to = s.root().join("moved");
    let s = s.moved(&to);
    server.heal();
    let out = alive.expect("it runs").wait();
    assert_eq!(out.code, 1, "{}", out.all());
    let out = s.inspan(&["resume", "--yes"]);
    assert_eq!(out.code, 0, "{}", out.all());
    assert_eq!(s.result(), RESULT);
    assert!(s.history().events().any(|event| matches!(event, Event::RunEnded { status: RunStatus::Complete, .. })));
}
