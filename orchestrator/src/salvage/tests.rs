//! What is left is kept, with real git and a real journal.

use plans::{
    event::{Approver, Author},
    file,
};
use shared::TaskId;

use super::*;
use crate::{
    site::testing::{Ground, key, sh},
    sweep::{Found, Sweep},
};

mod reconciled;

const PLAN: &str = r#"
    version = 1
    goal = "g"
    [[task]]
    id = "t"
    title = "t"
    instructions = "i"
    write = ["src/**"]
    [[task]]
    id = "u"
    title = "u"
    instructions = "i"
    worker = { command = "true" }
    write = ["docs/**"]
"#;

fn other() -> AttemptKey {
    AttemptKey { task: TaskId::new("u").unwrap(), attempt: Attempt(1) }
}

/// Two attempts run, and the process is gone.
fn interrupted(ground: &Ground) -> Recorder {
    let mut recorder = ground.recorder();
    let plan = Box::new(file::parse_toml(PLAN).unwrap());
    let proposed = Event::PlanProposed { revision: 1, plan, author: Author::File, warnings: Vec::new() };
    recorder.record(&proposed).unwrap();
    recorder.record(&Event::PlanApproved { revision: 1, by: Approver::Policy }).unwrap();
    for key in [key(), other()] {
        recorder
            .record(&Event::AttemptStarted { key, base: ground.base.clone(), continues: None, content: String::new() })
            .unwrap();
    }
    recorder
}

async fn looked_at(ground: &Ground, recorder: &Recorder) -> Vec<Found> {
    let (git, site) = (&ground.site.repository.git, &ground.site);
    Sweep { git, worktrees: &site.worktrees, run: site.run(), state: recorder.state() }.look().await
}

#[tokio::test]
async fn a_lock_that_a_dead_git_left_keeps_nothing_from_being_saved() {
    let ground = Ground::new().await;
    let (worktree, mut recorder) = (ground.worktree().await, interrupted(&ground));
    sh(worktree.folder(), "echo b > tree/src/b; touch index.lock; printf torn > index");
    bring_in_order(&mut recorder, &ground.site).await.unwrap();
    let record = recorder.state().task(&key().task).unwrap();
    let left = record.left.clone().unwrap();
    let changes = ground.site.repository.git.changes(&ground.base.0, &left.0).await.unwrap();
    assert_eq!(changes.iter().map(|change| change.path.shown().as_str()).collect::<Vec<_>>(), ["src/b"]);
    assert_eq!(looked_at(&ground, &recorder).await, [Found::Needless(worktree.folder().to_owned())]);
}

#[tokio::test]
async fn an_attempt_that_cannot_be_saved_stays_and_goes_on_in_its_directory() {
    let ground = Ground::new().await;
    let (worktree, mut recorder) = (ground.worktree().await, interrupted(&ground));
    let site = &ground.site;
    sh(worktree.folder(), "echo b > tree/src/b");
    // An earlier interruption of the same attempt has left a ref already.
    site.repository.git.set_ref(&site.attempt_ref(&key()), &ground.base).await.unwrap();
    // The branch of refs is a file, so that none can be made below it.
    sh(&site.repository.root, &format!("touch .git/refs/inspan/{}/t/1.lock", site.run()));

    bring_in_order(&mut recorder, site).await.unwrap();
    let record = recorder.state().task(&key().task).unwrap();
    assert_eq!((record.left.as_ref(), recorder.state().running().count()), (None, 0), "the other one has ended as well");
    assert!(recorder.state().halted().unwrap().contains("its files stay in"), "{:?}", recorder.state().halted());
    let needed = [Found::Needed(worktree.folder().to_owned())];
    assert_eq!(looked_at(&ground, &recorder).await, needed, "that there is a ref is not enough");

    let next = AttemptKey { attempt: Attempt(2), ..key() };
    let (goes_on, continuation) = to_go_on_with(site, Some(record), next, None);
    assert_eq!((&goes_on, continuation), (&key(), Some(Continuation::AfterInterruption(Attempt(1)))));
    let again =
        Event::AttemptStarted { key: goes_on, base: ground.base.clone(), continues: Some(Attempt(1)), content: String::new() };
    recorder.record(&again).unwrap();
    sh(&site.repository.root, &format!("rm .git/refs/inspan/{}/t/1.lock", site.run()));
    bring_in_order(&mut recorder, site).await.unwrap();
    let left = recorder.state().task(&key().task).unwrap().left.clone().unwrap();
    assert!(site.repository.git.text(["cat-file", "-e", &format!("{left}:src/b")]).await.is_ok());
}

#[tokio::test]
async fn what_nobody_goes_on_with_is_saved_by_a_later_resume() {
    let ground = Ground::new().await;
    let (site, mut recorder) = (&ground.site, interrupted(&ground));
    let folder = Worktree::folder_of(&site.worktrees, site.run(), &other());
    let owner = site.owner(&other().to_string(), &ground.base);
    Worktree::create(&site.repository.git, folder.clone(), owner, &ground.base).await.unwrap();
    let lock = site.repository.root.join(format!(".git/refs/inspan/{}/u/1.lock", site.run()));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    bring_in_order(&mut recorder, site).await.unwrap();
    assert_eq!(looked_at(&ground, &recorder).await, [Found::Needed(folder.clone())]);
    std::fs::remove_file(&lock).unwrap();
    bring_in_order(&mut recorder, site).await.unwrap();
    assert_eq!(looked_at(&ground, &recorder).await, [Found::Needless(folder)]);
}

#[tokio::test]
async fn a_name_that_no_plan_can_say_is_a_violation_of_every_scope() {
    let ground = Ground::new().await;
    let worktree = ground.worktree().await;
    sh(&worktree.tree(), "echo x > '~'; echo x > 'c:y'; echo b > src/b");
    let scope = Scope { write: vec![shared::Glob::new("**").unwrap()], shared: Vec::new(), ..Scope::default() };
    let done = Outcome::Done { report: shared::Report::default() };
    let (_, outcome) = keep(&ground.site, &worktree, &key(), done, &scope).await;
    let Outcome::ScopeViolation { paths } = outcome else { panic!("{outcome:?}") };
    assert_eq!(paths.iter().map(shared::RepoPath::as_str).collect::<Vec<_>>(), ["\"c:y\"", "\"~\""]);
}

#[tokio::test]
async fn a_directory_that_somebody_removed_is_nobodys_fault_and_one_that_is_gone_each_time_is() {
    let ground = Ground::new().await;
    let worktree = ground.worktree().await;
    std::fs::remove_dir_all(worktree.folder()).unwrap();
    let broke = || Outcome::Failed { why: "no such directory".to_owned() };
    let saved = |number| {
        let key = AttemptKey { attempt: Attempt(number), ..key() };
        let (site, worktree) = (&ground.site, &worktree);
        async move { keep(site, worktree, &key, broke(), &Scope::default()).await }
    };
    assert_eq!(saved(1).await, (None, Outcome::Interrupted));
    let (_, outcome) = saved(6).await;
    assert!(matches!(&outcome, Outcome::Failed { why } if why.starts_with("somebody removed")), "{outcome:?}");
}

#[tokio::test]
async fn a_directory_goes_after_its_attempt_however_many_still_know_it() {
    let ground = Ground::new().await;
    let worktree = std::sync::Arc::new(ground.worktree().await);
    let known = worktree.clone();
    ground.site.remove_later(worktree);
    ground.site.finish_chores().await;
    assert!(!known.folder().exists());
}
