//! A run whose directories, records or refs somebody has touched while no process was at it.

use plans::task_state::TaskState;
use shared::Report;

use super::*;

/// The first attempt has finished with this commit, and waits for the coordinator.
fn finished(recorder: &mut Recorder, commit: &CommitId) {
    let outcome = Outcome::Done { report: Report::default() };
    recorder.record(&Event::AttemptEnded { key: key(), commit: Some(commit.clone()), outcome }).unwrap();
}

fn state_of(recorder: &Recorder) -> TaskState {
    recorder.state().task(&key().task).unwrap().state.clone()
}

#[tokio::test]
async fn an_attempt_whose_files_were_removed_begins_again_in_a_directory_of_its_own() {
    let ground = Ground::new().await;
    let (worktree, mut recorder) = (ground.worktree().await, interrupted(&ground));
    sh(worktree.folder(), "rm -r tree");
    bring_in_order(&mut recorder, &ground.site).await.unwrap();
    assert_eq!((state_of(&recorder), recorder.state().halted()), (TaskState::Waiting, None));
    ground.worktree().await.tree().join("src/a").canonicalize().unwrap();
}

#[tokio::test]
async fn an_attempt_whose_record_was_torn_is_saved_all_the_same() {
    for torn in ["", "{\"repository\": \"/"] {
        let ground = Ground::new().await;
        let (worktree, mut recorder) = (ground.worktree().await, interrupted(&ground));
        sh(worktree.folder(), "echo b > tree/src/b");
        std::fs::write(worktree.folder().join("owner.json"), torn).unwrap();
        bring_in_order(&mut recorder, &ground.site).await.unwrap();
        let left = recorder.state().task(&key().task).unwrap().left.clone().unwrap();
        assert_eq!(sh(&ground.site.repository.root, &format!("git show {left}:src/b")), "b");
    }
}

#[tokio::test]
async fn a_directory_without_a_sound_record_that_borrows_from_another_repository_is_left_alone() {
    let ground = Ground::new().await;
    let (worktree, mut recorder) = (ground.worktree().await, interrupted(&ground));
    sh(worktree.folder(), "echo b > tree/src/b; echo > owner.json; echo /elsewhere/objects > repository/objects/info/alternates");
    bring_in_order(&mut recorder, &ground.site).await.unwrap();
    assert_eq!(recorder.state().task(&key().task).unwrap().left, None);
    assert!(worktree.tree().join("src/b").exists());
    let owner = ground.site.owner(&key().to_string(), &ground.base);
    Worktree::remove_if_ours(worktree.folder(), &owner).unwrap_err();
    assert!(worktree.tree().join("src/b").exists());
}

#[tokio::test]
async fn a_ref_that_was_removed_is_made_again() {
    let ground = Ground::new().await;
    let (site, mut recorder) = (&ground.site, interrupted(&ground));
    let made = ground.commit("made", "echo b > src/b").await;
    finished(&mut recorder, &made);
    bring_in_order(&mut recorder, site).await.unwrap();
    assert_eq!(site.repository.git.commit(&site.attempt_ref(&key())).await, Some(made.clone()));
    assert_eq!(state_of(&recorder), TaskState::Finished { attempt: Attempt(1), commit: made });
}

#[tokio::test]
async fn finished_work_whose_commit_is_gone_is_done_again_though_it_was_landing() {
    for is_landing in [false, true] {
        let ground = Ground::new().await;
        let mut recorder = interrupted(&ground);
        finished(&mut recorder, &CommitId("d".repeat(40)));
        if is_landing {
            recorder.record(&Event::LandingStarted { key: key(), onto: ground.base.clone() }).unwrap();
        }
        bring_in_order(&mut recorder, &ground.site).await.unwrap();
        assert_eq!(state_of(&recorder), TaskState::Waiting, "landing: {is_landing}");
        assert_eq!(recorder.state().task(&key().task).unwrap().finished, None);
    }
}

#[tokio::test]
async fn an_attempt_that_a_person_wanted_and_whose_commit_is_gone_is_wanted_no_more() {
    let ground = Ground::new().await;
    let mut recorder = interrupted(&ground);
    let lost = Some(CommitId("d".repeat(40)));
    let broke = Outcome::Failed { why: "broke".to_owned() };
    recorder.record(&Event::AttemptEnded { key: key(), commit: lost, outcome: broke }).unwrap();
    recorder.record(&Event::RetryRequested { task: key().task, from: Some(key().attempt) }).unwrap();
    bring_in_order(&mut recorder, &ground.site).await.unwrap();
    let record = recorder.state().task(&key().task).unwrap();
    assert_eq!((record.wanted_from, record.continuation, &record.state), (None, None, &TaskState::Waiting));
}

#[tokio::test]
async fn a_run_branch_that_was_deleted_as_a_task_landed_keeps_no_run_from_going_on() {
    let ground = Ground::new().await;
    let (site, mut recorder) = (&ground.site, interrupted(&ground));
    let made = ground.commit("made", "echo b > src/b").await;
    finished(&mut recorder, &made);
    let onto = ground.base.clone();
    recorder.record(&Event::LandingStarted { key: key(), onto: onto.clone() }).unwrap();
    recorder.record(&Event::GatePassed { key: key(), onto, commit: made, mended: Vec::new() }).unwrap();
    bring_in_order(&mut recorder, site).await.unwrap();
    assert!(recorder.state().landed().is_empty());
}

#[tokio::test]
async fn every_attempt_that_was_not_saved_is_tried_again_and_not_the_last_alone() {
    let ground = Ground::new().await;
    let (site, mut recorder) = (&ground.site, interrupted(&ground));
    let owner = site.owner(&other().to_string(), &ground.base);
    let folder = Worktree::folder_of(&site.worktrees, site.run(), &other());
    Worktree::create(&site.repository.git, folder.clone(), owner, &ground.base).await.unwrap();
    let broke = Outcome::Failed { why: "broke".to_owned() };
    recorder.record(&Event::AttemptEnded { key: other(), commit: None, outcome: broke }).unwrap();
    let second = AttemptKey { attempt: Attempt(2), ..other() };
    let base = ground.base.clone();
    recorder.record(&Event::AttemptStarted { key: second, base, continues: None, content: String::new() }).unwrap();
    bring_in_order(&mut recorder, site).await.unwrap();
    assert!(!Worktree::is_unsaved(&folder));
    assert!(site.repository.git.commit(&site.attempt_ref(&other())).await.is_some());
}
