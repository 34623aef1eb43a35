//! What commands change outside a scope, with real git.

use shared::Glob;

use super::*;
use crate::worktree::tests::{Bench, bench, sh};

fn scope(globs: &[&str]) -> Scope {
    Scope { write: globs.iter().map(|glob| Glob::new(glob).unwrap()).collect(), ..Scope::default() }
}

async fn worktree(bench: &Bench) -> Worktree {
    Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &bench.owner.base).await.unwrap()
}

fn list(paths: &[RepoPath]) -> String {
    paths.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(" ")
}

/// What still differs from the base.
async fn changed(worktree: &Worktree) -> String {
    let tree = worktree.snapshot().await.unwrap();
    list(&worktree.outside(&tree, &Scope::default()).await.unwrap())
}

/// Runs a command in a worktree whose scope is `src/**`: what was put back, and what is changed then.
async fn check(command: &str, put_back: &str, kept: &str) {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    sh(&worktree.tree(), command);
    let scope = scope(&["src/**"]);
    assert_eq!(list(&worktree.put_back(&scope).await.unwrap()), put_back, "{command}");
    assert_eq!(list(&worktree.put_back(&scope).await.unwrap()), "", "once more after {command}");
    assert_eq!(changed(&worktree).await, kept, "{command}");
    assert!(worktree.tree().join(".git").is_file() && worktree.records().join("HEAD").exists());
}

#[tokio::test]
async fn what_a_command_changes_outside_the_scope_is_put_back_and_what_is_inside_stays() {
    check("true", "", "").await;
    check("echo x > src/a.txt; echo x > src/new; rm src/link", "", "src/a.txt src/link src/new").await;
    check("echo x >> run; chmod -x run; echo x > new; echo x > src/a.txt", "new run", "src/a.txt").await;
    check("rm run .gitignore", ".gitignore run", "").await;
    check("chmod -x run", "run", "").await;
    check("mkdir -p a/b/c; echo x > a/b/c/d; ln -s /etc link; mv src/a.txt moved", "a/b/c/d link moved", "src/a.txt").await;
    check("mv run src/run", "run", "src/run").await;
    // What is ignored is left alone.
    check("mkdir target; echo x > target/x", "", "").await;
}

#[tokio::test]
async fn a_file_and_a_folder_and_a_link_that_take_each_others_place_are_put_back() {
    check("rm run; mkdir run; echo x > run/x", "run run/x", "").await;
    check("rm run; ln -s /etc/passwd run", "run", "").await;
    check("rm run; mkfifo run", "run", "").await;
    check("cp run /tmp/inspan-same-$$; rm run; mv /tmp/inspan-same-$$ run", "", "").await;
    let bench = bench().await;
    sh(&bench.repository, "mkdir docs; echo d > docs/d; echo e > docs/e; git add .; git commit -qm docs");
    let base = bench.git.commit("main").await.unwrap();
    let bench = Bench { owner: crate::worktree::Owner { base, ..bench.owner.clone() }, ..bench };
    let worktree = worktree(&bench).await;
    let outside = bench.place.with_file_name("copy");
    // The same files are found through the link; it is astray all the same, and what it leads to is not touched.
    sh(&worktree.tree(), &format!("cp -a docs '{0}'; rm -r docs; ln -s '{0}' docs", outside.display()));
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "docs docs/d docs/e");
    assert_eq!(changed(&worktree).await, "");
    assert_eq!(sh(&outside, "cat d e; ls"), "d\ne\nd\ne");
    assert!(!worktree.tree().join("docs").is_symlink());
    sh(&worktree.tree(), "rm -r docs; echo x > docs");
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "docs docs/d docs/e");
    assert_eq!(sh(&worktree.tree(), "cat docs/d docs/e"), "d\ne");
}

#[tokio::test]
async fn rights_that_were_taken_away_keep_nothing_from_being_put_back_or_kept() {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    let tree = worktree.tree();
    sh(&tree, "echo x > run; chmod 0 run; mkdir src/deep; echo x > src/deep/x; chmod 0 src/deep/x src/deep");
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "run");
    sh(&tree, "mkdir new; echo x > new/x; chmod 0 new/x new");
    // A look does not go where nobody may; whoever wants to be sure opens it first.
    worktree.open_up().await;
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "new/x");
    let commit = worktree.commit("refs/inspan/abcdefgh/t/1", "left").await.unwrap();
    assert_eq!(list(&worktree.outside(&commit.0, &Scope::default()).await.unwrap()), "src/deep/x");
    assert_eq!(sh(&tree, "stat -c %a src/deep src/deep/x run"), "700\n600\n755");
}

#[tokio::test]
async fn a_link_that_git_refuses_keeps_nothing_from_being_committed() {
    check("ln -s /dev/zero src/.gitmodules; echo x > src/a.txt; ln -s /dev/zero .gitmodules", ".gitmodules", "src/a.txt").await;
}

#[tokio::test]
async fn ignore_files_outside_the_scope_hide_nothing() {
    check("echo '*' > .gitignore; echo x > hidden; echo x > src/new", ".gitignore hidden", "src/new").await;
    check("printf '*.log\\ntarget\\n' > .gitignore; echo x > a.log; mkdir target; echo x > target/x", ".gitignore a.log", "")
        .await;
}

#[tokio::test]
async fn names_that_nobody_can_say_are_put_back_too() {
    let command = "echo x > '~'; mkdir 'n w'; echo x > \"n w/$(printf '\\377')\"; echo x > -f";
    check(command, "\"n w/\\xff\" \"~\" -f", "").await;
}

#[tokio::test]
async fn repositories_that_a_command_made_are_files() {
    check("git init -q lib; echo x > lib/x; mkdir .GIT; echo x > .GIT/x; echo z > src/z", "lib/x", "src/z").await;
    // One within the scope is left to its maker until the commit.
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    sh(&worktree.tree(), "git init -q src/lib; echo y > src/lib/y; mkdir src/.GIT; echo z > src/.GIT/z");
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "");
    assert_eq!(sh(&worktree.tree(), "git -C src/lib rev-parse --show-prefix; ls -A src/lib"), ".git\ny");
    assert_eq!(list(&worktree.put_back(&scope(&["src/a.txt"])).await.unwrap()), "src/lib/y");
    assert_eq!(changed(&worktree).await, "");
}

#[tokio::test]
async fn a_link_to_a_folder_outside_is_removed_and_not_what_it_leads_to() {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    let precious = bench.place.with_file_name("precious");
    sh(
        &worktree.tree(),
        &format!("mkdir '{0}'; echo x > '{0}/run'; rm run; ln -s '{0}' link; ln '{0}/run' run", precious.display()),
    );
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "link run");
    assert_eq!(sh(&precious, "cat run"), "x", "another name of a file keeps what it had");
    assert_eq!(changed(&worktree).await, "");
}

#[tokio::test]
async fn what_is_granted_later_stays_and_what_was_put_back_before_is_not_confused() {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    let command = "echo x > run; echo x > new";
    sh(&worktree.tree(), command);
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "new run");
    sh(&worktree.tree(), command);
    // The harness's other index may have seen anything.
    worktree.snapshot().await.unwrap();
    assert_eq!(list(&worktree.put_back(&scope(&["src/**", "new"])).await.unwrap()), "run");
    assert_eq!(changed(&worktree).await, "new");
    let again = Worktree::reopen(&bench.git, bench.place.clone(), bench.owner.clone()).await.unwrap().unwrap();
    sh(&again.tree(), command);
    assert_eq!(list(&again.put_back(&scope(&["src/**", "new"])).await.unwrap()), "run");
}

#[tokio::test]
async fn an_attempt_that_goes_on_with_other_files_is_held_against_its_base() {
    let bench = bench().await;
    sh(&bench.repository, "echo left > src/a.txt; echo astray > run; git commit -qam left");
    let left = bench.git.commit("main").await.unwrap();
    let worktree = Worktree::create(&bench.git, bench.place.clone(), bench.owner.clone(), &left).await.unwrap();
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "run");
    assert_eq!(changed(&worktree).await, "src/a.txt");
}

#[tokio::test]
async fn a_look_with_a_broken_index_is_taken_with_a_new_one() {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    for broken in ["base.index", "index"] {
        sh(
            worktree.folder(),
            &format!("rm -f base.index; echo broken > {broken}; touch base.index.lock base.index.new.lock; echo x > tree/run"),
        );
        assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "run", "{broken}");
    }
}

#[tokio::test]
async fn a_tree_that_cannot_be_looked_at_is_told_of() {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    sh(worktree.folder(), "mv tree away");
    assert!(worktree.put_back(&scope(&["src/**"])).await.is_err());
    sh(worktree.folder(), "mv away tree; mkdir base.index");
    assert!(worktree.put_back(&scope(&["src/**"])).await.is_err());
}

#[tokio::test]
async fn a_tree_that_was_swapped_for_a_link_is_neither_put_back_nor_taken() {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    let elsewhere = bench.place.with_file_name("elsewhere");
    sh(
        worktree.folder(),
        &format!("mv tree away; mkdir '{0}'; echo precious > '{0}/run'; ln -s '{0}' tree", elsewhere.display()),
    );
    assert!(worktree.put_back(&scope(&["src/**"])).await.is_err() && worktree.snapshot().await.is_err());
    assert_eq!(sh(&elsewhere, "ls; cat run"), "run\nprecious");
}

#[tokio::test]
async fn a_pipe_that_git_would_wait_at_halts_no_look() {
    let bench = bench().await;
    let worktree = worktree(&bench).await;
    sh(&worktree.tree(), "mkfifo src/.gitignore; echo x > src/a.txt; echo x > new");
    assert_eq!(list(&worktree.put_back(&scope(&["src/**"])).await.unwrap()), "new");
    sh(&worktree.tree(), "mkfifo src/.gitattributes");
    assert_eq!(changed(&worktree).await, "src/a.txt");
}
