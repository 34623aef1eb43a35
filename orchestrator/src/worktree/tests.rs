//! Worktrees, with real git.

use std::{collections::BTreeMap, process::Command};

use shared::{Attempt, Glob, TaskId};

use super::*;

fn sh(dir: &Path, script: &str) -> String {
    let out = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

struct Bench {
    _folder: tempfile::TempDir,
    repository: PathBuf,
    git: Git,
    owner: Owner,
    place: PathBuf,
}

async fn bench() -> Bench {
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
    let scope = Scope { write: vec![Glob::new("src/**").unwrap()], shared: vec![] };
    let outside: Vec<String> = worktree.outside(&snapshot, &scope).await.unwrap().into_iter().map(String::from).collect();
    assert_eq!(outside, ["new.txt", "run"]);
    assert_eq!(fingerprint(&repository), before, "nothing of the person's has changed");
    let commit = worktree.commit("refs/inspan/abcdefgh/t/1", "left").await.unwrap();
    assert_eq!(git.commit("refs/inspan/abcdefgh/t/1").await, Some(commit.clone()));
    let changes: Vec<String> =
        worktree.changes(&commit.0).await.unwrap().iter().map(|c| format!("{}{}", c.kind, c.path)).collect();
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
    let changes: Vec<String> = worktree.changes(&commit.0).await.unwrap().iter().map(|c| c.path.to_string()).collect();
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
