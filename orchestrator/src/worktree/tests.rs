//! Worktrees, with real git.

use std::{collections::BTreeMap, process::Command};

use shared::{Attempt, Glob, TaskId};

use super::*;

pub(super) fn sh(dir: &Path, script: &str) -> String {
    let out = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

pub(super) struct Bench {
    pub(super) _folder: tempfile::TempDir,
    pub(super) repository: PathBuf,
    pub(super) git: Git,
    pub(super) owner: Owner,
    pub(super) place: PathBuf,
}

pub(super) async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("répo with spaces");
    std::fs::create_dir(&repository).unwrap();
    sh(
        &repository,
        "git init -q -b main; git config user.name A; git config user.email a@localhost; printf 'target\\n' > .gitignore
         mkdir src; echo one > src/a.txt; echo two > 'src/b ü.txt'; ln -s a.txt src/link; printf '#!/bin/sh\\n' > run; chmod +x run
         git add .; git commit -qm base",
    );
    let git = Git::new(repository.join(".git"));
    let base = git.commit("main").await.unwrap();
    let run = RunId::new("abcdefgh").unwrap();
    let key = AttemptKey { task: TaskId::new("t").unwrap(), attempt: Attempt(1) };
    let place = Worktree::folder_of(&folder.path().join("trees"), &run, &key);
    let owner = Owner { repository: git.dir().to_owned(), run, holder: key.to_string(), base };
    Bench { _folder: folder, repository, git, owner, place }
}

fn fingerprint(repository: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let walk = ignore::WalkBuilder::new(repository).standard_filters(false).build();
    let files = walk.filter_map(Result::ok).map(ignore::DirEntry::into_path);
    let ours = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "objects" || part.as_os_str() == "inspan");
    files.filter(|path| path.is_file() && !ours(path)).map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

#[tokio::test]
async fn a_worktree_holds_the_files_of_its_base_and_its_changes_are_committed_under_its_ref() {
    let Bench { repository, git, owner, place, _folder } = bench().await;
    let before = fingerprint(&repository);
    let worktree = Worktree::create(&git, place.clone(), owner.clone(), &owner.base).await.unwrap();
    let tree = worktree.tree();
    assert_eq!(
        sh(&tree, "git status --porcelain; git log --format=%s; cat 'src/b ü.txt' src/link; ls -l run | cut -c4"),
        "base\ntwo\none\nx"
    );
    sh(
        &tree,
        "echo 1 > src/a.txt; rm run; mkdir target; echo x > target/x; echo new > new.txt; git add -A; git commit -qm 'on its own' || true",
    );
    let snapshot = worktree.snapshot().await.unwrap();
    let scope = Scope { write: vec![Glob::new("src/**").unwrap()], shared: vec![], ..Scope::default() };
    let outside: Vec<String> = worktree.outside(&snapshot, &scope).await.unwrap().into_iter().map(String::from).collect();
    assert_eq!(outside, ["new.txt", "run"]);
    assert_eq!(fingerprint(&repository), before, "nothing of the person's has changed");
    let commit = worktree.commit("refs/inspan/abcdefgh/t/1", "left").await.unwrap();
    assert_eq!(git.commit("refs/inspan/abcdefgh/t/1").await, Some(commit.clone()));
    let changes: Vec<String> =
        worktree.changes(&commit.0).await.unwrap().iter().map(|c| format!("{}{}", c.kind, c.path.shown())).collect();
    assert_eq!(changes, ["Anew.txt", "Drun", "Msrc/a.txt"]);
    assert_eq!(worktree.commit("refs/inspan/abcdefgh/t/1", "again").await.unwrap(), commit, "nothing new, no new commit");
    sh(&tree, "echo 2 > src/a.txt");
    let later = worktree.commit("refs/inspan/abcdefgh/t/1", "later").await.unwrap();
    assert_eq!(
        git.text(["merge-base", "--is-ancestor", &commit.0, &later.0]).await.unwrap(),
        "",
        "the earlier one stays reachable"
    );
    assert_eq!(git.commit(&format!("{later}^")).await, Some(owner.base.clone()));
    worktree.remove().unwrap();
    assert!(!place.exists());
}

#[tokio::test]
async fn repositories_made_inside_a_worktree_are_committed_as_files() {
    let Bench { git, owner, place, _folder, .. } = bench().await;
    let worktree = Worktree::create(&git, place, owner.clone(), &owner.base).await.unwrap();
    sh(
        &worktree.tree(),
        "git init -q empty; echo x > empty/x; git init -q full; cd full; echo y > y; git add .; git -c user.name=a -c user.email=b commit -qm y",
    );
    let commit = worktree.commit("refs/inspan/abcdefgh/t/1", "left").await.unwrap();
    let changes: Vec<String> = worktree.changes(&commit.0).await.unwrap().iter().map(|c| c.path.shown().to_string()).collect();
    assert_eq!(changes, ["empty/x", "full/y"]);
}

#[tokio::test]
async fn a_folder_that_is_not_ours_is_never_removed() {
    let Bench { git, owner, place, _folder, .. } = bench().await;
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("precious"), "x").unwrap();
    let error = Worktree::create(&git, place.clone(), owner.clone(), &owner.base).await.unwrap_err();
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");
    assert!(place.join("precious").exists());
}

#[tokio::test]
async fn other_files_can_be_checked_out_in_place() {
    let Bench { repository, git, owner, place, _folder } = bench().await;
    sh(&repository, "echo later > src/a.txt; git rm -q run; git commit -qam later");
    let later = git.commit("main").await.unwrap();
    let worktree = Worktree::create(&git, place, owner.clone(), &owner.base).await.unwrap();
    sh(&worktree.tree(), "echo junk > src/a.txt; echo junk > junk; mkdir target; echo kept > target/kept");
    worktree.check_out(&later).await.unwrap();
    assert_eq!(sh(&worktree.tree(), "cat src/a.txt; ls; cat target/kept"), "later\nsrc\ntarget\nkept");
    assert_eq!(worktree.snapshot().await.unwrap(), git.tree(&later).await.unwrap());
}

async fn reopened(bench: &Bench) -> Option<Worktree> {
    Worktree::reopen(&bench.git, bench.place.clone(), bench.owner.clone()).await.unwrap()
}

#[tokio::test]
async fn a_directory_that_was_half_made_is_made_again_and_never_worked_in() {
    let bench = bench().await;
    // As a kill leaves it: in the middle of the record, or of the checkout.
    for left in ["printf '{\"repo' > owner.json", "mkdir tree; echo one > tree/half"] {
        let making = bench.place.with_extension("new");
        std::fs::create_dir_all(&making).unwrap();
        let record = serde_json::to_string(&bench.owner).unwrap();
        std::fs::write(making.join("owner.json"), record).unwrap();
        sh(&making, left);
        assert!(reopened(&bench).await.is_none());
        let worktree = Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &bench.owner.base).await.unwrap();
        assert_eq!(worktree.snapshot().await.unwrap(), bench.git.tree(&bench.owner.base).await.unwrap());
        assert!(!making.exists());
        assert!(reopened(&bench).await.is_some());
        worktree.remove().unwrap();
        assert!(!bench.place.exists() && !bench.place.with_extension("gone").exists());
    }
}

#[tokio::test]
async fn a_checkout_that_is_cut_short_leaves_no_directory_to_go_on_in() {
    let bench = bench().await;
    sh(
        &bench.repository,
        "echo x > gone.txt; git add .; git commit -qm more; rm -f .git/objects/$(git rev-parse HEAD:gone.txt | sed 's|..|&/|')",
    );
    let files = bench.git.commit("main").await.unwrap();
    let made = Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &files).await;
    assert!(made.is_err());
    assert!(reopened(&bench).await.is_none() && !bench.place.exists());
}

#[tokio::test]
async fn a_directory_that_leads_elsewhere_is_not_opened_again() {
    let bench = bench().await;
    let worktree = Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &bench.owner.base).await.unwrap();
    sh(worktree.folder(), "mv tree ..; ln -s ../tree tree");
    let error = Worktree::reopen(&bench.git, bench.place.clone(), bench.owner.clone()).await.unwrap_err();
    assert!(matches!(error, Error::NotIsolated { .. }), "{error}");
}

#[tokio::test]
async fn a_resumed_attempt_sees_its_changes_against_the_base() {
    let bench = bench().await;
    sh(&bench.repository, "echo changed > src/a.txt; git rm -q run; echo new > new.txt; git add .; git commit -qam left");
    let left = bench.git.commit("main").await.unwrap();
    let worktree = Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &left).await.unwrap();
    let tree = worktree.tree();
    assert_eq!(sh(&tree, "git rev-parse HEAD"), bench.owner.base.0);
    assert_eq!(sh(&tree, "git status --porcelain"), "D run\n M src/a.txt\n?? new.txt");
    sh(&tree, "git checkout -q HEAD -- run; git checkout HEAD -- src/a.txt; rm new.txt");
    assert_eq!(worktree.snapshot().await.unwrap(), bench.git.tree(&bench.owner.base).await.unwrap());
}

#[tokio::test]
async fn what_git_refuses_to_keep_keeps_nothing_else_from_being_kept() {
    for mischief in [
        "rm run; mkfifo run",
        "mkfifo src/.gitattributes .gitmodules",
        "printf '* working-tree-encoding=UTF-16\\n' > .gitattributes; printf abc > odd",
    ] {
        let bench = bench().await;
        let worktree = Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &bench.owner.base).await.unwrap();
        sh(&worktree.tree(), &format!("echo mine > src/a.txt; {mischief}"));
        let tree = worktree.snapshot().await.unwrap();
        let changes = worktree.changes(&tree).await.unwrap();
        assert!(changes.iter().any(|change| change.path.shown().as_str() == "src/a.txt"), "{mischief}");
    }
}

#[tokio::test]
async fn what_a_command_puts_in_the_place_of_the_repository_s_name_is_taken_away() {
    for mischief in ["echo gitdir: /elsewhere > .git", "rm .git; mkdir -p .git/hooks", "rm .git; ln -s /etc .git", "rm .git"] {
        let bench = bench().await;
        let worktree = Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &bench.owner.base).await.unwrap();
        sh(&worktree.tree(), &format!("{mischief}; echo mine > src/a.txt"));
        worktree.put_back(&Scope { write: vec![Glob::new("src/**").unwrap()], ..Scope::default() }).await.unwrap();
        assert_eq!(sh(&worktree.tree(), "cat .git; git status --porcelain"), "gitdir: ../repository\n M src/a.txt", "{mischief}");
    }
}
