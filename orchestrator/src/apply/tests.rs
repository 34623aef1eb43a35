//! Results that are brought in, or refused, with real git.

use std::path::Path;

use super::*;

fn sh(dir: &Path, script: &str) -> String {
    let out = std::process::Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

struct Bench {
    folder: tempfile::TempDir,
    base: CommitId,
    tip: CommitId,
    snapshot: Option<CommitId>,
}

/// A repository and a run that changed `a` and added `new`.
fn bench(before: &str, snapshot: bool) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    sh(
        dir,
        "git init -q -b main; git config user.name A; git config user.email a@localhost
         echo 1 > a; echo 1 > b; echo ignored > .gitignore; git add .; git commit -qm base",
    );
    sh(dir, before);
    let base = if snapshot {
        sh(dir, "git add -A; t=$(git write-tree); git reset -q; git commit-tree $t -p HEAD -m snapshot")
    } else {
        sh(dir, "git rev-parse HEAD")
    };
    let tree = tempfile::tempdir().unwrap();
    let make = format!(
        "git worktree add -q --detach {0} {base}; cd {0}; echo 2 >> a; echo n > new; git add .; git commit -qm landed; git rev-parse HEAD",
        tree.path().join("w").display()
    );
    let tip = sh(dir, &make);
    sh(dir, &format!("git worktree remove --force {}", tree.path().join("w").display()));
    let snapshot = snapshot.then(|| CommitId(sh(dir, "git rev-parse HEAD")));
    Bench { folder, base: CommitId(base), tip: CommitId(tip), snapshot }
}

impl Bench {
    fn sh(&self, script: &str) -> String {
        sh(self.folder.path(), script)
    }

    async fn apply(&self, how: How) -> Outcome<CommitId> {
        let repository = Repository::find(self.folder.path()).await.unwrap();
        let run = RunId::new("abcdefgh").unwrap();
        let result = Result { run: &run, goal: "The goal", base: &self.base, snapshot: self.snapshot.as_ref(), tip: &self.tip };
        apply(&repository, &result, how, (&mut Proof::none(""), &Secrecy::default())).await.map(|applied| applied.commit)
    }

    /// It refuses, says why, and everything is as it was.
    async fn refuses(&self, how: How, why: &str) {
        let look = "git rev-parse HEAD; git status --porcelain --ignored; ls -A .git; git stash list; tail -n +1 a b new ignored 2>/dev/null || true";
        let before = self.sh(look);
        let error = self.apply(how).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(self.sh(look), before);
    }
}

const RESULT: &str = "cat a new; git status --porcelain";

#[tokio::test]
async fn a_result_is_brought_in_by_fast_forward_merge_or_as_one_commit() {
    for (how, history) in [(How::Plain, "landed base"), (How::Merge, "The goal base"), (How::Squash, "The goal base")] {
        let bench = bench("", false);
        bench.apply(how).await.unwrap();
        assert_eq!(bench.sh(RESULT), "1\n2\nn", "{how:?}");
        assert_eq!(bench.sh("git log --first-parent --format=%s | tr '\\n' ' '"), history, "{how:?}");
    }
}

#[tokio::test]
async fn a_branch_that_went_on_is_merged_and_a_hook_that_fails_is_not_in_the_way() {
    for how in [How::Plain, How::Squash] {
        let bench = bench("", false);
        bench.sh("echo 2 >> b; git commit -qam meanwhile; printf '#!/bin/sh\\necho x >> a\\nexit 1\\n' > .git/hooks/pre-commit; cp .git/hooks/pre-commit .git/hooks/pre-merge-commit; chmod +x .git/hooks/*");
        bench.apply(how).await.unwrap();
        assert_eq!(bench.sh("cat a b new; git status --porcelain"), "1\n2\n1\n2\nn");
    }
}

#[tokio::test]
async fn whatever_could_be_lost_is_a_reason_to_refuse() {
    for (before, why) in [
        ("echo x >> a", "not committed: a"),
        ("echo x > new", "not committed: new"),
        ("echo x >> b; git add b", "staged"),
        ("git checkout -q --detach", "detached"),
        ("git rm -q a; git commit -qm other", "your branch deleted it, the result changed it"),
        (
            "git checkout -q -b other; echo 3 > b; git commit -qam o; git checkout -q main; git merge -q --no-ff --no-commit other",
            "a merge of yours",
        ),
    ] {
        for how in [How::Plain, How::Merge, How::Squash] {
            let bench = bench("", false);
            bench.sh(before);
            bench.refuses(how, why).await;
        }
    }
    let ignored = bench("", false);
    ignored.sh("echo new >> .git/info/exclude; echo precious > new");
    ignored.refuses(How::Plain, "not committed: new").await;
    let twice = bench("", false);
    twice.apply(How::Plain).await.unwrap();
    twice.refuses(How::Plain, "has this result already").await;
}

impl Bench {
    /// The run goes on to a tree that a script makes of that of its tip.
    fn becomes(&mut self, script: &str) {
        let tree = tempfile::tempdir().unwrap();
        let place = tree.path().join("w");
        let place = place.display();
        let tip = self.sh(&format!(
            "git worktree add -q --detach {place} {}; (cd {place}; {script}; git add -f .; git commit -qm more; git rev-parse HEAD)
             git worktree remove --force {place}",
            self.tip
        ));
        self.tip = CommitId(tip);
    }
}

#[tokio::test]
async fn what_git_ignores_is_not_removed_for_what_the_result_adds() {
    for (theirs, result, named) in [
        ("echo mine > build", "mkdir -p build/deep; echo x > build/deep/x", "build"),
        ("mkdir -p build/deep; echo mine > build/deep/o", "echo x > build", "build/deep/o"),
        ("ln -s b build", "mkdir build; echo x > build/x", "build"),
        ("mkdir .git/aside; echo mine > .git/aside/o; ln -s .git/aside build", "mkdir build; echo x > build/x", "build"),
        ("ln -s nowhere build", "echo x > build", "build"),
        ("echo mine > kept/build", "rm -r kept; echo x > kept", "kept/build"),
        ("git init -q build; echo mine > build/o", "echo x > build", "build/"),
    ] {
        let mut bench =
            bench("echo build >> .git/info/exclude; mkdir kept; echo 1 > kept/k; git add kept; git commit -qm kept", false);
        bench.becomes(result);
        bench.sh(theirs);
        let look = "git rev-parse HEAD; git status --porcelain --ignored; ls -lRA build kept 2>&1 || true; cat build/deep/o build/o kept/build 2>&1 || true";
        let before = bench.sh(look);
        let error = bench.apply(How::Plain).await.unwrap_err().to_string();
        assert!(error.contains(&format!("not committed: {named}")), "{theirs}: {error}");
        assert_eq!(bench.sh(look), before, "{theirs}");
    }
}

#[tokio::test]
async fn a_file_makes_way_for_a_folder_and_a_folder_for_a_file_where_git_has_all_of_it() {
    for (before, result, look) in [
        ("echo 1 > place; git add place; git commit -qm place", "rm place; mkdir place; echo x > place/x", "cat place/x"),
        (
            "mkdir -p place/deep; echo 1 > place/deep/x; git add place; git commit -qm place",
            "rm -r place; echo x > place",
            "cat place",
        ),
        ("mkdir -p place/empty", "echo x > place", "cat place"),
        ("mkdir place; echo mine > place/ignored", "mkdir -p place; echo x > place/x", "cat place/x"),
    ] {
        let mut bench = bench(before, false);
        bench.becomes(result);
        bench.apply(How::Plain).await.unwrap();
        assert_eq!(bench.sh(&format!("{look}; git status --porcelain")), "x", "{before}");
    }
}

#[tokio::test]
async fn uncommitted_changes_of_other_files_stay() {
    let bench = bench("", false);
    bench.sh("echo mine >> b; echo u > untracked");
    bench.apply(How::Plain).await.unwrap();
    assert_eq!(bench.sh("cat a b untracked; git status --porcelain"), "1\n2\n1\nmine\nu\n M b\n?? untracked");
}

#[tokio::test]
async fn a_run_that_took_uncommitted_changes_along_continues_their_commit() {
    for (how, history) in [(How::Plain, "landed mine base"), (How::Squash, "The goal mine base")] {
        let bench = bench("echo mine >> a; echo u > untracked", true);
        bench.refuses(how, "not committed: a").await;
        bench.sh("git add -A; git commit -qm mine");
        bench.apply(how).await.unwrap();
        assert_eq!(bench.sh("cat a new untracked; git status --porcelain"), "1\nmine\n2\nn\nu", "{how:?}");
        assert_eq!(bench.sh("git log --first-parent --format=%s | tr '\\n' ' '"), history, "{how:?}");
        bench.refuses(how, "has this result already").await;
    }
}

#[tokio::test]
async fn what_was_committed_besides_the_uncommitted_changes_is_merged() {
    let bench = bench("echo mine >> a", true);
    bench.sh("git add -A; git commit -qm mine; echo more >> b; git commit -qam more");
    bench.apply(How::Plain).await.unwrap();
    assert_eq!(bench.sh("cat a b new; git status --porcelain"), "1\nmine\n2\n1\nmore\nn");
}

impl Bench {
    /// The run goes on: one more step on top of its tip.
    fn goes_on(&mut self) {
        let tip = &self.tip;
        self.tip = CommitId(self.sh(&format!(
            "export GIT_INDEX_FILE=.git/on; git read-tree {tip}; id=$(echo 3 | git hash-object -w --stdin)
             git update-index --add --cacheinfo 100644,$id,third; git commit-tree $(git write-tree) -p {tip} -m third"
        )));
    }

    fn history(&self) -> String {
        self.sh("git log --format=%s | tr '\\n' ' '")
    }
}

#[tokio::test]
async fn history_that_was_made_anew_gets_what_the_run_has_changed_and_no_commit_twice() {
    for (script, history) in [
        ("echo 2 >> b; git commit -qa --amend -m amended", "landed amended"),
        ("git rebase -q --force-rebase --root; git commit -q --amend -m rebased", "landed rebased"),
        ("git checkout -q --orphan other; git rm -rqf .; echo x > x; git add x; git commit -qm root", ""),
    ] {
        let bench = bench("", false);
        bench.sh(script);
        let applied = bench.apply(How::Plain).await;
        if history.is_empty() {
            assert!(applied.unwrap_err().to_string().contains("no common history"));
            continue;
        }
        applied.unwrap();
        assert_eq!(bench.history(), history, "{script}");
        assert_eq!(bench.sh("cat a new; git status --porcelain"), "1\n2\nn", "{script}");
    }
}

#[tokio::test]
async fn a_run_that_went_on_after_it_was_applied_is_brought_in_from_there() {
    for (first, meanwhile, second, history) in [
        (How::Plain, "true", How::Plain, "third landed base"),
        (How::Squash, "true", How::Plain, "third The goal base"),
        (How::Squash, "echo 2 >> b; git commit -qam mine", How::Squash, "The goal mine The goal base"),
        (How::Squash, "git commit -q --amend -m reworded", How::Plain, "third reworded base"),
        (
            How::Plain,
            "git rebase -q --force-rebase --root; git commit -q --amend --reset-author -C HEAD",
            How::Plain,
            "third landed base",
        ),
    ] {
        let mut bench = bench("", false);
        bench.apply(first).await.unwrap();
        bench.sh(meanwhile);
        bench.goes_on();
        bench.apply(second).await.unwrap();
        assert_eq!(bench.history(), history, "{first:?} {meanwhile} {second:?}");
        assert_eq!(bench.sh("cat a new third; git status --porcelain"), "1\n2\nn\n3");
        bench.refuses(second, "has this result already").await;
    }
}

#[tokio::test]
async fn a_snapshot_that_was_committed_in_part_leaves_the_rest_uncommitted() {
    let bench = bench("echo mine >> b; echo u > untracked", true);
    bench.sh("git add untracked; git commit -qm part");
    bench.apply(How::Plain).await.unwrap();
    assert_eq!(bench.sh("cat a b new untracked; git status --porcelain"), "1\n2\n1\nmine\nn\nu\n M b");
    assert_eq!(bench.history(), "landed part base");
}
