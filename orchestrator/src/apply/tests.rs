//! Uncommitted changes that a run started from: nothing of them is lost, and nothing of the result.

use std::{path::Path, process::Command};

use super::*;

const GOAL: &str = "Say it louder";

/// A repository with uncommitted changes, and a run that went on from them in the very same lines.
struct Started {
    folder: tempfile::TempDir,
    run: RunId,
    head: CommitId,
    snapshot: CommitId,
    tip: CommitId,
}

fn sh(folder: &Path, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let who =
        [("GIT_AUTHOR_NAME", "T"), ("GIT_AUTHOR_EMAIL", "t@t"), ("GIT_COMMITTER_NAME", "T"), ("GIT_COMMITTER_EMAIL", "t@t")];
    let output = command.envs(who).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn started() -> Started {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    sh(root, "git init -q -b main && git config user.name T && git config user.email t@t");
    sh(root, "printf 'one\\ntwo\\nthree\\n' > a && echo other > b && git add . && git commit -qm start");
    sh(root, "printf 'one\\nTWO\\nthree\\n' > a && echo new > 'new file'");
    let run = RunId::new("abcdefgh").unwrap();
    let repository = Repository::find(root).await.unwrap();
    let start = repository.starting_point(&run).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let tip = sh(
        root,
        &format!(
            "git worktree add -q --detach {0}/w {1} && cd {0}/w && printf 'one\\nTWO!\\nthree\\n' > a && echo newer > 'new file' \
             && git commit -qam louder && git rev-parse HEAD && cd / && git -C {2} worktree remove {0}/w",
            elsewhere.path().display(),
            start.commit,
            root.display(),
        ),
    );
    Started { run, head: repository.head, snapshot: start.commit, tip: CommitId(tip), folder }
}

impl Started {
    async fn apply(&self, how: How) -> Result<CommitId, Error> {
        let repository = Repository::find(self.folder.path()).await.unwrap();
        let snapshot = Some(Snapshot { head: &self.head, commit: &self.snapshot });
        apply(&repository, &Outcome { run: &self.run, goal: GOAL, tip: &self.tip, snapshot }, how).await
    }

    /// Files, status and the number of commits.
    fn look(&self) -> String {
        sh(self.folder.path(), "cat a b 'new file' | tr '\\n' ' '; git status --porcelain | tr '\\n' ' '")
    }

    /// What the hint says is done.
    fn follow(&self, error: &Error) {
        let hint = error.hint().unwrap();
        let command = hint.split('`').nth(1).unwrap();
        sh(self.folder.path(), command);
    }
}

#[tokio::test]
async fn changes_that_are_not_committed_are_in_the_way_and_the_hint_leads_to_a_clean_merge() {
    for (how, parents) in [(How::Plain, 2), (How::Merge, 2), (How::Squash, 1)] {
        let run = started().await;
        let before = run.look();
        let error = run.apply(how).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert_eq!(run.look(), before, "{how:?}: nothing was changed");
        run.follow(&error);
        let commit = run.apply(how).await.unwrap();
        assert_eq!(run.look(), "one TWO! three other newer", "{how:?}");
        let said = sh(run.folder.path(), &format!("git rev-list --parents -n 1 {commit}"));
        assert_eq!(said.split(' ').count() - 1, parents, "{how:?}");
    }
}

#[tokio::test]
async fn staged_changes_get_the_same_hint() {
    let run = started().await;
    sh(run.folder.path(), "git add a");
    let error = run.apply(How::Plain).await.unwrap_err();
    run.follow(&error);
    run.apply(How::Plain).await.unwrap();
    assert_eq!(run.look(), "one TWO! three other newer");
}

#[tokio::test]
async fn what_was_committed_beside_and_after_the_changes_is_kept() {
    for more in [
        "echo mine > b && git add . && git commit -qm both",
        "git add . && git commit -qm as-is && echo mine > b && git commit -qam more",
    ] {
        let run = started().await;
        sh(run.folder.path(), more);
        run.apply(How::Plain).await.unwrap();
        assert_eq!(run.look(), "one TWO! three mine newer", "{more}");
    }
}

#[tokio::test]
async fn a_branch_that_went_another_way_in_the_same_lines_is_refused() {
    let run = started().await;
    sh(run.folder.path(), "printf 'one\\n2\\nthree\\n' > a && git add . && git commit -qm otherwise");
    let before = run.look();
    let error = run.apply(How::Plain).await.unwrap_err();
    assert!(error.to_string().contains("the same lines of a"), "{error}");
    assert_eq!(run.look(), before);
}
